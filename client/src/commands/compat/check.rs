//! `provisioning compat check`: is this `versions.toml` right?

use provisioning_compat::{Note, lint};
use provisioning_package::PackageName;
use serde::Serialize;

use super::{FileArgs, MatrixFile};
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::registry::RegistryReader;

/// Check a `versions.toml`, and that the registry has what it names
///
/// Without a registry, its form is checked, and that no row contradicts another.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    file: FileArgs,
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
    let file = MatrixFile::read(&args.file.file, context)?;
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
    let mut names: Vec<PackageName> = rows.chain(members).collect();
    names.sort();
    names.dedup();
    let index = registry.index(&names).await?;
    let lint = lint(&file.read, &index);
    let warnings: Vec<String> = lint.warnings.iter().map(Note::to_string).collect();
    for warning in &warnings {
        context.output.warning(warning);
    }
    if lint.errors.is_empty() {
        return Ok(warnings);
    }
    Err(Failure::new(
        "matrix-mismatch",
        "the registry does not have what the file names",
    )
    .with_causes(lint.errors.iter().map(Note::to_string)))
}
