//! `provisioning bundle check`: could this bundle be published?

use provisioning_package::BundleName;
use serde::Serialize;

use super::{draft, member_index};
use crate::commands::compat::{FileArgs, MatrixFile};
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::registry::RegistryReader;

/// Check that a bundle of `versions.toml` could be published
///
/// Every member must exist, be neither yanked nor quarantined and run on what the bundle
/// promises, and all must fit together.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The bundle, as `versions.toml` names it
    #[arg(value_parser = BundleName::parse)]
    name: BundleName,
    #[command(flatten)]
    file: FileArgs,
}

#[derive(Serialize)]
struct Checked {
    name: String,
    members: usize,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    let file = MatrixFile::read(&args.file.file, context)?;
    let draft = draft(&file, &args.name)?;
    let mut registry = RegistryReader::open(context).await?;
    let index = member_index(&mut registry, draft).await?;
    let problems = provisioning_bundles::check(draft, &args.name, &file.read.matrix, &index);
    if !problems.is_empty() {
        return Err(Failure::new(
            "bundle-refused",
            format!("the bundle `{}` could not be published", args.name),
        )
        .with_causes(problems.iter().map(ToString::to_string)));
    }
    let document = Checked {
        name: args.name.to_string(),
        members: draft.members.len() + draft.optional.len(),
    };
    context.output.result(&document, |out| {
        writeln!(
            out,
            "{}: {} members exist and fit",
            document.name, document.members
        )
    })?;
    Ok(Exit::Done)
}
