//! `provisioning source test`: the action `test` of packages, on committed content.

use provisioning_sources::actions::{base_variables, run_action};
use provisioning_sources::build::BuildError;
use serde::Serialize;

use super::RepositoryArgs;
use super::making::{Making, MakingArgs};
use crate::context::Context;
use crate::failure::{Exit, Outcome};

/// Run the action `test` of packages, on committed content
///
/// A package without that action is left out.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: provisioning source test copr-cli")]
pub(crate) struct Args {
    #[command(flatten)]
    making: MakingArgs,
}

#[derive(Debug, Serialize)]
struct Tested {
    package: String,
    state: &'static str,
    output: String,
}

/// Runs it.
pub(crate) fn run(args: &Args, repository: &RepositoryArgs, context: &Context) -> Outcome<Exit> {
    let making = Making::open(&args.making, repository, context)?;
    let made = making.each(context, |input, _| {
        let variables = base_variables(input.package, input.values);
        let root = &input.snapshot.root;
        let said = run_action("test", input.values, root, &variables).map_err(BuildError::from)?;
        Ok(Tested {
            package: input.package.to_owned(),
            state: if said.is_some() { "passed" } else { "none" },
            output: said.unwrap_or_default().concat(),
        })
    })?;
    context.output.result(&made, |out| {
        for it in made.packages() {
            let said = match it.state {
                "passed" => "passed",
                _ => "no action `test`",
            };
            writeln!(out, "{}: {said}", it.package)?;
        }
        Ok(())
    })?;
    Ok(Exit::Done)
}
