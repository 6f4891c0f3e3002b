//! Where the bytes of a file are on this machine, by digest.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use provisioning_package::Digest;

use crate::config_files::digest_on_disk;
use crate::durable;
use crate::error::InstallError;
use crate::prefix::Prefix;
use crate::receipt::{Receipt, ReceiptFile};
use crate::store::{FILE_MODE, PROGRAM_MODE};
use crate::verify::Finding;

/// Every file of every package in the store; read when first asked for.
pub(super) struct Copies<'a> {
    prefix: &'a Prefix,
    by_digest: OnceCell<BTreeMap<Digest, Vec<PathBuf>>>,
}

impl<'a> Copies<'a> {
    pub(super) fn new(prefix: &'a Prefix) -> Self {
        Self {
            prefix,
            by_digest: OnceCell::new(),
        }
    }

    /// Builds a store folder under an unfinished name from what is on this machine; `None`
    /// where a file is nowhere.
    pub(super) fn rebuild(
        &self,
        receipt: &Receipt,
        faults: &[Finding],
    ) -> Result<Option<PathBuf>, InstallError> {
        let place = self.prefix.store_folder(&receipt.digest);
        let folder = durable::beside(&place);
        durable::remove_tree(&folder)?;
        let built = self.build(receipt, faults, &place, &folder);
        if !matches!(built, Ok(true)) {
            durable::remove_tree(&folder)?;
        }
        Ok(built?.then_some(folder))
    }

    fn build(
        &self,
        receipt: &Receipt,
        faults: &[Finding],
        place: &Path,
        folder: &Path,
    ) -> Result<bool, InstallError> {
        for it in receipt.all_folders() {
            durable::make_folder(&folder.join(it))?;
        }
        let differ: BTreeSet<&Path> = faults.iter().map(|it| it.path.as_path()).collect();
        for (path, file) in &receipt.files {
            let (old, to) = (place.join(path), folder.join(path));
            let is_linked = !differ.contains(old.as_path()) && fs::hard_link(&old, &to).is_ok();
            if is_linked {
                continue;
            }
            if !self.copy(receipt, (path, file), &old, &to)? {
                return Ok(false);
            }
            let mode = if file.executable {
                PROGRAM_MODE
            } else {
                FILE_MODE
            };
            set_mode(&to, mode)?;
        }
        for (path, target) in &receipt.links {
            let path = folder.join(path);
            symlink(target, &path).map_err(|it| InstallError::io("write", &path, it))?;
        }
        for it in receipt.all_folders() {
            set_mode(&folder.join(it), PROGRAM_MODE)?;
        }
        Ok(true)
    }

    /// Copies a file from the first place that has its bytes. What cannot be read is not
    /// there: that is what is being mended.
    fn copy(
        &self,
        receipt: &Receipt,
        (path, file): (&str, &ReceiptFile),
        old: &Path,
        to: &Path,
    ) -> Result<bool, InstallError> {
        let own = [
            old.to_owned(),
            self.prefix.config_file(&receipt.name, path),
            self.prefix.edited().join(file.digest.hex()),
        ];
        let others = self.of(&file.digest);
        for from in own.iter().chain(others) {
            let fits = |it: fs::Metadata| it.is_file() && it.len() == file.size;
            if !fs::symlink_metadata(from).is_ok_and(fits) {
                continue;
            }
            let _ = fs::remove_file(to);
            match fs::copy(from, to) {
                Ok(_) if digest_on_disk(to)? == Some(file.digest) => return Ok(true),
                Err(problem) if problem.kind() == io::ErrorKind::StorageFull => {
                    return Err(InstallError::io("write", to, problem));
                }
                Ok(_) | Err(_) => {}
            }
        }
        Ok(false)
    }

    fn of(&self, digest: &Digest) -> &[PathBuf] {
        let all = self.by_digest.get_or_init(|| self.read_receipts());
        all.get(digest).map_or(&[], Vec::as_slice)
    }

    fn read_receipts(&self) -> BTreeMap<Digest, Vec<PathBuf>> {
        let mut all = BTreeMap::<_, Vec<_>>::new();
        let entries = fs::read_dir(self.prefix.receipts());
        for entry in entries.into_iter().flatten().flatten() {
            let path = entry.path();
            let hex = path.file_stem().and_then(|it| it.to_str()).unwrap_or("");
            let Ok(digest) = Digest::from_hex(hex) else {
                continue;
            };
            let Ok(Some(receipt)) = Receipt::read(self.prefix, &digest) else {
                continue;
            };
            let folder = self.prefix.store_folder(&digest);
            for (path, file) in receipt.files {
                all.entry(file.digest).or_default().push(folder.join(path));
            }
        }
        all
    }
}

fn set_mode(path: &Path, mode: u32) -> Result<(), InstallError> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .map_err(|it| InstallError::io("write", path, it))
}
