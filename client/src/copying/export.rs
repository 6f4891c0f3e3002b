//! A file with everything that some bundles and packages need, signatures included.
//!
//! The same inputs give the same bytes: what goes in is sorted, and nothing in it tells
//! when or by whom it was written.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use provisioning_package::{Digest, ExportWriter, HashingReader, export_order};
use provisioning_registry_api::discovery::CONTENTS;
use provisioning_registry_api::paths;
use provisioning_trust::CopyScope;

use super::description::{bytes_of, contents, discovery};
use super::mirror::{STATEMENT_BYTES_MAX, target_place};
use super::selection::{Machines, Selection, select};
use crate::context::Context;
use crate::durable::sync_folder;
use crate::failure::{Exit, Failure, Outcome};
use crate::planning::Registry;
use crate::registry::{RegistryReader, WantedArchive};

/// What was written.
#[derive(Debug)]
pub(crate) struct Exported {
    /// Until when the timestamp in it is good.
    pub(crate) expires: Timestamp,
    /// How many archives it has.
    pub(crate) archives: usize,
    /// Its length in bytes.
    pub(crate) size: u64,
    /// Its digest.
    pub(crate) digest: Digest,
}

/// Where the bytes of one file of the export come from.
enum Content {
    Bytes(Vec<u8>),
    Archive {
        path: PathBuf,
        wanted: WantedArchive,
    },
}

/// Writes what `specs` need to `output`.
pub(crate) async fn export(
    output: &Path,
    specs: &[String],
    machines: &Machines,
    context: &Context,
) -> Outcome<Exported> {
    let specs: BTreeSet<String> = specs.iter().cloned().collect();
    let mut registry = Registry::new();
    let selected = select(&specs, machines, context, &mut registry).await?;
    let reader = registry.reader(context).await?;
    let targets: Vec<String> = selected.targets.iter().cloned().collect();
    let scope = CopyScope::Targets(&targets);
    let nothing = |_: &str| None;
    let metadata = reader
        .trusted()
        .copy_metadata(scope, &nothing, context.now())
        .await?;
    let mut files: BTreeMap<String, Content> = BTreeMap::new();
    let mut put = |path: String, bytes: Vec<u8>| files.insert(path, Content::Bytes(bytes));
    for (path, facts) in &metadata.targets {
        let bytes = reader.trusted().copied_target(path, facts).await?;
        put(target_place(path, facts)?, bytes);
    }
    let document = discovery(reader, &metadata, true, context)?;
    put(paths::DISCOVERY.to_owned(), bytes_of(&document));
    let list = contents(&specs, selected.archives.keys().copied().collect());
    put(CONTENTS.to_owned(), bytes_of(&list));
    for file in metadata.files {
        put(format!("{}{}", paths::METADATA, file.name), file.bytes);
    }
    for digest in &selected.statements {
        if let Some(bytes) = reader.blob(digest, STATEMENT_BYTES_MAX).await? {
            put(paths::archive(digest), bytes);
        }
    }
    add_archives(&mut files, &selected, reader).await?;
    let (size, digest) = tokio::task::block_in_place(|| write(output, files))?;
    Ok(Exported {
        expires: metadata.expires,
        archives: selected.archives.len(),
        size,
        digest,
    })
}

async fn add_archives(
    files: &mut BTreeMap<String, Content>,
    selected: &Selection,
    reader: &RegistryReader,
) -> Outcome<()> {
    let wanted: Vec<WantedArchive> = selected.archives.values().cloned().collect();
    let places = reader.fetch_archives(&wanted).await?;
    for (wanted, path) in wanted.into_iter().zip(places) {
        let place = paths::archive(&wanted.digest);
        files.insert(place, Content::Archive { path, wanted });
    }
    Ok(())
}

/// Writes beside the output and renames, so that there is a whole file or none.
fn write(output: &Path, files: BTreeMap<String, Content>) -> Outcome<(u64, Digest)> {
    let folder = output
        .parent()
        .filter(|it| !it.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let fail = |problem: std::io::Error| Failure::io("write", output, &problem);
    if output.is_dir() {
        return Err(Failure::usage(format!(
            "`{}` is a folder, and an export is a file",
            output.display()
        )));
    }
    let mut staged = tempfile::Builder::new()
        .prefix(".provisioning-")
        .permissions(std::fs::Permissions::from_mode(0o644))
        .tempfile_in(folder)
        .map_err(fail)?;
    let mut files: Vec<(String, Content)> = files.into_iter().collect();
    files.sort_by(|left, right| export_order(&left.0, &right.0));
    let mut writer = ExportWriter::new(provisioning_package::HashingWriter::new(
        BufWriter::with_capacity(256 * 1024, staged.as_file_mut()),
    ));
    for (path, content) in files {
        match content {
            Content::Bytes(bytes) => writer.add(&path, bytes.len() as u64, &mut &bytes[..])?,
            Content::Archive { path: file, wanted } => {
                let opened = File::open(&file).map_err(|it| Failure::io("read", &file, &it))?;
                let mut data = HashingReader::new(opened);
                writer.add(&path, wanted.size, &mut data)?;
                if data.finish() != (wanted.digest, wanted.size) {
                    return Err(Failure::new(
                        "archive-digest",
                        format!("the cached archive of {} changed meanwhile", wanted.label),
                    )
                    .with_exit(Exit::Verification)
                    .with_hint("nothing was written; run the same command again"));
                }
            }
        }
    }
    let (mut inner, digest, size) = writer.finish()?.finish();
    inner.flush().map_err(fail)?;
    drop(inner);
    staged.as_file().sync_all().map_err(fail)?;
    staged.persist(output).map_err(|it| fail(it.error))?;
    sync_folder(folder)?;
    Ok((size, digest))
}
