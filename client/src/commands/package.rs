//! `provisioning package`: make and read archives. No registry is needed.

use std::path::Path;

use clap::Subcommand;
use provisioning_package::{
    ArchiveEntry, ArchiveError, ArchiveReport, EntryKind, Manifest, ManifestNote, ParsedManifest,
};
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};

mod build;
mod inspect;
mod manifest_json;
mod unpack;

pub(crate) use build::read_manifest;
pub(crate) use manifest_json::ManifestJson;

/// What to do with an archive.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    Build(build::Args),
    Inspect(inspect::Args),
    Unpack(unpack::Args),
}

/// Runs it.
pub(crate) fn run(action: &Action, context: &Context) -> Outcome<Exit> {
    match action {
        Action::Build(args) => build::run(args, context),
        Action::Inspect(args) => inspect::run(args, context),
        Action::Unpack(args) => unpack::run(args, context),
    }
}

/// The result of all three.
#[derive(Debug, Serialize)]
struct ArchiveDocument {
    archive: String,
    digest: String,
    size: u64,
    unpacked: u64,
    format: String,
    manifest: Option<ManifestJson>,
    entries: Vec<EntryJson>,
}

#[derive(Debug, Serialize)]
struct EntryJson {
    path: String,
    kind: &'static str,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    executable: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
}

impl ArchiveDocument {
    fn new(archive: &Path, report: ArchiveReport, manifest: Option<&Manifest>) -> Self {
        Self {
            archive: archive.display().to_string(),
            digest: report.facts.digest.prefixed(),
            size: report.facts.size,
            unpacked: report.facts.unpacked,
            format: report.facts.format.to_string(),
            manifest: manifest.map(ManifestJson::from),
            entries: report.entries.into_iter().map(EntryJson::from).collect(),
        }
    }
}

impl From<ArchiveEntry> for EntryJson {
    fn from(entry: ArchiveEntry) -> Self {
        let (kind, executable, target) = match entry.kind {
            EntryKind::File { executable } => ("file", Some(executable), None),
            EntryKind::Folder => ("folder", None, None),
            EntryKind::Symlink { target } => ("symlink", None, Some(target)),
        };
        Self {
            path: entry.path,
            kind,
            size: entry.size,
            executable,
            target,
        }
    }
}

/// What to say where an archive, or a folder that should become one, cannot be used: which
/// one, and which rule it breaks.
pub(crate) fn refused(path: &Path, problem: ArchiveError) -> Failure {
    if !problem.is_refusal() {
        return problem.into();
    }
    let message = format!("`{}` is refused: {problem}", path.display());
    let code = problem.code();
    let hints = Failure::from(problem).hints().to_vec();
    Failure::new(code, message)
        .with_exit(Exit::Verification)
        .with_hints(hints)
}

/// The manifest of an archive that may lack one, or have one that makes no sense: reading an
/// archive needs neither.
fn readable_manifest(report: &ArchiveReport, context: &Context) -> Option<Manifest> {
    let text = report.manifest.as_ref()?;
    match Manifest::parse(text) {
        Ok(ParsedManifest { manifest, .. }) => Some(manifest),
        Err(problems) => {
            for note in &problems.0 {
                context.output.warning(&place(note));
            }
            None
        }
    }
}

/// A note about a manifest with its place, as compilers write it.
pub(crate) fn place(note: &ManifestNote) -> String {
    format!(
        "{}:{}:{}: {}",
        Manifest::FILE,
        note.line,
        note.column,
        note.message
    )
}
