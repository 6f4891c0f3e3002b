//! `provisioning why`: who asked for a package.

use provisioning_compat::{Matrix, why};

use crate::context::Context;
use crate::failure::{Exit, Outcome};
use crate::planning::{Registry, installed, installed_set, nothing_installed, standing};
use crate::transaction::installed_now;

/// Show why a package is installed: every path to it
///
/// Each path begins with what was asked for, by you or by a bundle, and goes on through the
/// packages that need the next one. Below it stands what bounds its version: rows of the
/// compatibility matrix.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: provisioning why core")]
pub(crate) struct Args {
    /// The package
    #[arg(value_name = "NAME")]
    name: String,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    let Some(current) = installed_now(context)? else {
        return Err(nothing_installed(&args.name));
    };
    let name = installed(&current, &args.name)?;
    let matrix = matrix(context).await;
    let answer = why(
        &name,
        &installed_set::versions(&current),
        &standing(context, &current).wanted,
        &matrix,
        &installed_set::recorded(&current),
    );
    context
        .output
        .long_result(&answer, |out| writeln!(out, "{answer}"))?;
    Ok(Exit::Done)
}

/// The matrix, where the registry can be asked: without it, the paths are still right.
async fn matrix(context: &Context) -> Matrix {
    if context.settings.registry_if_set().is_none() {
        return Matrix::default();
    }
    let mut registry = Registry::new();
    let served = match registry.reader(context).await {
        Ok(reader) => reader.matrix().await,
        Err(failure) => Err(failure),
    };
    match served {
        Ok(served) => served.read.matrix,
        Err(failure) => {
            context.output.note(&format!(
                "rows of the compatibility matrix are not shown: {failure}"
            ));
            Matrix::default()
        }
    }
}
