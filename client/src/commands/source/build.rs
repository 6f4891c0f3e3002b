//! `provisioning source build`: archives of packages, from committed content.

use provisioning_package::Manifest;
use provisioning_sources::build::build;
use serde::Serialize;

use super::RepositoryArgs;
use super::making::{Making, MakingArgs};
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};

/// Make the archives of packages, from committed content
///
/// A package whose paths have a `manifest.toml` becomes a registry archive; one without
/// becomes `NAME-VERSION.tar.gz`, for source RPMs and downstream repositories. The checkout is
/// not touched.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: provisioning source build --affected --base origin/main -o dist")]
pub(crate) struct Args {
    #[command(flatten)]
    making: MakingArgs,
}

#[derive(Debug, Serialize)]
struct BuiltDocument {
    package: String,
    version: String,
    archive: String,
    digest: String,
    for_registry: bool,
}

/// Runs it.
pub(crate) fn run(args: &Args, repository: &RepositoryArgs, context: &Context) -> Outcome<Exit> {
    let making = Making::open(&args.making, repository, context)?;
    let mtime = source_date(context)?;
    let made = making.each(context, |input, output| {
        let built = build(input, output, mtime)?;
        Ok(BuiltDocument {
            package: built.package,
            version: built.version,
            archive: built.archive.to_string_lossy().into_owned(),
            digest: built.digest.prefixed(),
            for_registry: built.is_for_registry,
        })
    })?;
    for it in made.packages().iter().filter(|it| !it.for_registry) {
        context.output.note(&format!(
            "`{}` has no `{}` in its paths: a registry does not take its archive",
            it.package,
            Manifest::FILE
        ));
    }
    context.output.result(&made, |out| {
        for it in made.packages() {
            writeln!(out, "{}", it.archive)?;
        }
        Ok(())
    })?;
    Ok(Exit::Done)
}

fn source_date(context: &Context) -> Outcome<Option<u64>> {
    let Some(text) = context.env.variable("SOURCE_DATE_EPOCH") else {
        return Ok(None);
    };
    let seconds = text.parse().map_err(|_| {
        Failure::usage(format!(
            "`SOURCE_DATE_EPOCH` is `{text}`, not a number of seconds"
        ))
    })?;
    Ok(Some(seconds))
}
