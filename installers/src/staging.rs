//! Archives that are unpacked before anybody knows whether they will be installed.
//!
//! What arrives is unpacked at once, in one pass, into folders of this process alone: their
//! names are unfinished ones in the store, beside a file that this process keeps locked. So
//! no writer's lock is needed while bytes arrive, a writer that sweeps leaves them alone, and
//! what a killed process leaves is swept by the next writer. Nothing here gives a final name:
//! `apply` takes what it needs, and the rest goes when the [`Staging`] does.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use provisioning_package::{ArchiveError, Chunks, Digest, FileChunks, Promise, unpack_arriving};

use crate::durable;
use crate::error::InstallError;
use crate::layout::Contents;
use crate::plan::Choice;
use crate::prefix::Prefix;
use crate::receipt::Receipt;
use crate::store::{self, Staged};
use crate::workers;

/// What the names of everything staged begin with.
const STAGING: &str = ".tmp-stage-";
/// What a receipt's name ends with while it is staged.
const RECEIPT: &str = "receipt";

/// Archives of one process that wait for their place in a prefix's store.
#[derive(Debug)]
pub struct Staging {
    store: PathBuf,
    /// The locked file; each tree has its name with the digest behind it.
    owner: PathBuf,
    _lock: File,
    /// Folders that were made for it, the outermost first.
    made: Vec<PathBuf>,
    done: Mutex<BTreeMap<Digest, Waiting>>,
}

/// An unpacked archive.
#[derive(Debug)]
struct Waiting {
    staged: Staged,
    contents: Contents,
}

/// What became of bytes that arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// They are the archive, and it is unpacked.
    Taken,
    /// They are something else; nothing of it is left.
    Wrong {
        /// What they are; `None` where there were more of them than signed.
        found: Option<(Digest, u64)>,
    },
}

impl Staging {
    /// A place for archives in `prefix`, which is made where it is not there.
    pub fn open(prefix: &Prefix) -> Result<Self, InstallError> {
        let store = prefix.store();
        let made: Vec<PathBuf> = store
            .ancestors()
            .take_while(|it| it.symlink_metadata().is_err())
            .map(Path::to_owned)
            .collect();
        let made: Vec<PathBuf> = made.into_iter().rev().collect();
        let opened = durable::make_folder(&store).and_then(|()| {
            locked_file(&store).map_err(|it| InstallError::io("write in", &store, it))
        });
        match opened {
            Ok((owner, lock)) => Ok(Self {
                store,
                owner,
                _lock: lock,
                made,
                done: Mutex::default(),
            }),
            Err(problem) => {
                remove_empty(&made);
                Err(problem)
            }
        }
    }

    /// Unpacks the archives of `choices` from files, several at once; what `archives` does not
    /// name is left out.
    pub fn of_files(
        prefix: &Prefix,
        choices: &[&Choice],
        archives: &BTreeMap<Digest, PathBuf>,
    ) -> Result<Self, InstallError> {
        let staging = Self::open(prefix)?;
        let files: Vec<(&Choice, &PathBuf)> = choices
            .iter()
            .filter_map(|it| Some((*it, archives.get(&it.digest)?)))
            .collect();
        let done = workers::on_each(&files, |(choice, path)| {
            let mut chunks =
                FileChunks::open(path).map_err(|it| store::archive_error(choice, it))?;
            match staging.unpack(choice, &mut chunks)? {
                Arrival::Taken => Ok(()),
                Arrival::Wrong { found } => Err(store::digest_mismatch(choice, found)),
            }
        });
        done.all().map(|_: Vec<()>| staging)
    }

    /// Unpacks one archive while its bytes arrive. Bytes that are not what was signed are no
    /// error: another place may have the right ones.
    pub fn unpack(
        &self,
        choice: &Choice,
        chunks: &mut dyn Chunks,
    ) -> Result<Arrival, InstallError> {
        if self.done().contains_key(&choice.digest) {
            return Ok(Arrival::Taken);
        }
        let folder = self.tree(&choice.digest);
        durable::remove_tree(&folder)?;
        let result = self.unpack_into(&folder, choice, chunks);
        if !matches!(result, Ok(Arrival::Taken)) {
            remove(&folder);
            remove(&folder.with_extension(RECEIPT));
        }
        result
    }

    /// The archives that are here.
    pub fn has(&self, digest: &Digest) -> bool {
        self.done().contains_key(digest)
    }

    /// What an install makes of an archive that is here.
    pub(crate) fn contents(&self, digest: &Digest) -> Option<Contents> {
        self.done().get(digest).map(|it| it.contents.clone())
    }

    /// Hands an archive over; whoever takes it gives it its final name or removes it.
    pub(crate) fn take(&self, digest: &Digest) -> Option<Staged> {
        self.done().remove(digest).map(|it| it.staged)
    }

    fn unpack_into(
        &self,
        folder: &Path,
        choice: &Choice,
        chunks: &mut dyn Chunks,
    ) -> Result<Arrival, InstallError> {
        let promise = Promise {
            digest: choice.digest,
            size: choice.size,
            unpacked: choice.unpacks.map(|it| it.bytes),
            entries: choice.unpacks.map(|it| it.entries),
        };
        let arrived = match unpack_arriving(chunks, &promise, folder) {
            Ok(arrived) => arrived,
            Err(ArchiveError::NotPromised { digest, size }) => {
                let found = Some((digest, size));
                return Ok(Arrival::Wrong { found });
            }
            Err(ArchiveError::TooLong) => return Ok(Arrival::Wrong { found: None }),
            Err(problem) => return Err(store::archive_error(choice, problem)),
        };
        let report = &arrived.report;
        let manifest = store::read_manifest(choice, report.manifest.as_deref())?;
        let contents = Contents::read(&manifest, &report.entries)?;
        let receipt = Receipt::of(&manifest, choice.digest, &report.entries, &arrived.digests);
        let receipt_file = folder.with_extension(RECEIPT);
        durable::write_new(&receipt_file, &durable::to_compact_json(&receipt), 0o644)?;
        let staged = Staged {
            folder: folder.to_owned(),
            receipt_file,
            receipt,
        };
        let waiting = Waiting { staged, contents };
        self.done().insert(choice.digest, waiting);
        Ok(Arrival::Taken)
    }

    fn tree(&self, digest: &Digest) -> PathBuf {
        let owner = self.owner.file_name().unwrap_or_default().to_string_lossy();
        self.store.join(format!("{owner}-{}.tree", digest.hex()))
    }

    fn done(&self) -> MutexGuard<'_, BTreeMap<Digest, Waiting>> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Staging {
    /// Removes what nobody gave a final name, also what was taken by a transaction that failed.
    fn drop(&mut self) {
        let owner = self.owner.file_name().unwrap_or_default().to_owned();
        let entries = fs::read_dir(&self.store).into_iter().flatten().flatten();
        for entry in entries {
            let is_ours = entry
                .file_name()
                .as_encoded_bytes()
                .starts_with(owner.as_encoded_bytes());
            if is_ours && entry.path() != self.owner {
                remove(&entry.path());
            }
        }
        let _ = durable::remove_if_there(&self.owner);
        remove_empty(&self.made);
    }
}

/// Removes a file or tree. What stays is swept by the next writer.
fn remove(path: &Path) {
    let _ = match path.symlink_metadata() {
        Ok(facts) if facts.is_dir() => durable::remove_tree(path),
        _ => durable::remove_if_there(path),
    };
}

/// Makes a file under a name that nobody has, and locks it. One that was swept in between,
/// before it was locked, is made again.
fn locked_file(store: &Path) -> io::Result<(PathBuf, File)> {
    loop {
        let made = tempfile::Builder::new()
            .prefix(STAGING)
            .tempfile_in(store)?;
        made.as_file().lock()?;
        let is_same = fs::symlink_metadata(made.path()).is_ok_and(|it| {
            made.as_file()
                .metadata()
                .is_ok_and(|ours| ours.ino() == it.ino())
        });
        if is_same {
            let (file, path) = made.keep().map_err(|it| it.error)?;
            return Ok((path, file));
        }
    }
}

/// Removes those of `made` that nobody has put anything into.
fn remove_empty(made: &[PathBuf]) {
    for folder in made.iter().rev() {
        if fs::remove_dir(folder).is_err() {
            return;
        }
    }
}

/// Removes an unfinished file or folder of the store, unless it is staged by a process that
/// lives.
pub(crate) fn sweep(leftover: &Path) -> Result<(), InstallError> {
    let owner = owner_of(leftover);
    let lock = owner.as_deref().map(File::open).and_then(Result::ok);
    if let Some(Err(TryLockError::WouldBlock)) = lock.as_ref().map(File::try_lock) {
        return Ok(());
    }
    match leftover.symlink_metadata() {
        Ok(facts) if facts.is_dir() => durable::remove_tree(leftover),
        _ => durable::remove_if_there(leftover),
    }
}

/// Whether an unfinished file or folder is staged by a process that lives.
pub(crate) fn is_in_use(leftover: &Path) -> bool {
    let lock = owner_of(leftover).and_then(|it| File::open(it).ok());
    let tried = lock.as_ref().map(File::try_lock_shared);
    matches!(tried, Some(Err(TryLockError::WouldBlock)))
}

/// The file that whoever staged this keeps locked.
fn owner_of(leftover: &Path) -> Option<PathBuf> {
    let name = leftover.file_name()?.to_str()?;
    let number = name.strip_prefix(STAGING)?;
    let number = number.split_once('-').map_or(number, |(number, _)| number);
    Some(leftover.with_file_name(format!("{STAGING}{number}")))
}
