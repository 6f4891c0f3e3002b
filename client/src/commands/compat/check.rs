//! `provisioning compat check`: do these versions go together, and is this `versions.toml`
//! right?

use std::path::{Path, PathBuf};

use provisioning_compat::{BoundOn, MemoryIndex, Note, VersionsToml, lint};
use provisioning_package::{PackageName, Target};
use serde::Serialize;

use super::{MatrixFile, judge};
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::registry::RegistryReader;

/// Check whether versions go together, or whether a `versions.toml` is right
///
/// With specs: whether they go together, with everything that they need, and which row or
/// requirement says no if they do not (exit status 3). Without: whether the form of the file
/// is right, that no row contradicts another, and that the registry has what it names.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  provisioning compat check core@3.2.1 platform@2.5.3\n  \
                  provisioning compat check --file distribution/versions.toml"
)]
pub(crate) struct Args {
    /// What is to go together: `core@3.2.1`, `mongodb@^1`, `stable-3.2`
    #[arg(value_name = "SPEC")]
    pub(super) specs: Vec<String>,
    /// The file [default: `versions.toml`, or with specs the matrix that the registry serves];
    /// a `compatibility.toml` beside it is read with it
    #[arg(long, value_name = "FILE")]
    pub(super) file: Option<PathBuf>,
    /// The machine to judge for
    #[arg(long, requires = "specs")]
    pub(super) target: Option<Target>,
    /// Let only versions go that the matrix lists
    #[arg(long, requires = "specs")]
    pub(super) strict: bool,
    /// Let pre-releases in
    #[arg(long, requires = "specs")]
    pub(super) pre: bool,
}

#[derive(Serialize)]
struct Checked {
    rows: usize,
    bundles: usize,
    warnings: Vec<String>,
    registry: Option<String>,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    if !args.specs.is_empty() {
        return judge::run(args, context).await;
    }
    let path = args.file.as_deref();
    let path = path.unwrap_or_else(|| Path::new("versions.toml"));
    let file = MatrixFile::read(path, context)?;
    let mut warnings: Vec<String> = file.read.warnings.iter().map(Note::to_string).collect();
    let registry = context.settings.registry_if_set();
    match registry {
        Some(_) => warnings.extend(compare_with_registry(&file, context).await?),
        None => context
            .output
            .note("no registry is set, so nothing was compared with one"),
    }
    let document = Checked {
        rows: file.read.matrix.rows().count(),
        bundles: file.read.bundles.len(),
        warnings,
        registry: registry.map(ToString::to_string),
    };
    context.output.result(&document, |out| {
        writeln!(
            out,
            "{} rows and {} bundles are in order",
            document.rows, document.bundles
        )
    })?;
    Ok(Exit::Done)
}

/// Fails if the registry lacks what the file names; the returned warnings were shown.
async fn compare_with_registry(file: &MatrixFile, context: &Context) -> Outcome<Vec<String>> {
    let mut registry = RegistryReader::open(context).await?;
    let rows = file.read.matrix.rows().map(|(name, ..)| name.clone());
    let members = file.read.bundles.values().flat_map(|draft| {
        let all = draft.members.iter().chain(&draft.optional);
        all.map(|(name, _)| name.clone())
    });
    let all_bounds = file.read.matrix.rows().flat_map(|it| &it.2.bounds);
    let bounded = all_bounds.filter_map(|it| match &it.on {
        BoundOn::Package(name) => Some(name.clone()),
        BoundOn::ExtensionApi => None,
    });
    let mut names: Vec<PackageName> = rows.chain(bounded).chain(members).collect();
    names.sort();
    names.dedup();
    let index = registry.index(&names).await?;
    let lint = lint(&file.read, &index);
    let warnings: Vec<String> = lint.warnings.iter().map(Note::to_string).collect();
    for warning in &warnings {
        context.output.warning(warning);
    }
    if !lint.errors.is_empty() {
        return Err(Failure::new(
            "matrix-mismatch",
            "the registry does not have what the file names",
        )
        .with_causes(lint.errors.iter().map(Note::to_string)));
    }
    let unfit = unfit_bundles(&file.read, &index);
    if unfit.is_empty() {
        return Ok(warnings);
    }
    Err(Failure::new(
        "matrix-mismatch",
        "a bundle of the file could not be published",
    )
    .with_causes(unfit))
}

/// Why each draft could not be published, where it could not.
fn unfit_bundles(read: &VersionsToml, index: &MemoryIndex) -> Vec<String> {
    let drafts = read.bundles.iter();
    drafts
        .flat_map(|(name, draft)| {
            let problems = provisioning_bundles::check(draft, name, &read.matrix, index);
            problems.into_iter().map(move |problem| {
                let line = draft.line;
                format!("versions.toml:{line}:1: bundle `{name}`: {problem}")
            })
        })
        .collect()
}
