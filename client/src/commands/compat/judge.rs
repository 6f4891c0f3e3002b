//! `provisioning compat check SPEC…`: do these versions go together?

use provisioning_compat::verdict;
use provisioning_installers::Requests;

use super::MatrixFile;
use super::check::Args;
use crate::commands::install::parse;
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::planning::{Registry, SolveOptions, ask, consult, consult_under, fresh};

/// Judges the specs. Under `--json` the verdict is the result, also where it is a no; as
/// text, a no is told like every other refusal.
pub(super) async fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    let mut registry = Registry::new();
    let specs = parse(&args.specs)?;
    let options = SolveOptions {
        strict: args.strict,
        pre: args.pre,
        minimal: false,
        target: args
            .target
            .unwrap_or_else(|| SolveOptions::of_this_machine().target),
    };
    let asked = ask(context, &mut registry, &specs, Requests::default()).await?;
    let request = fresh(context, &asked, &options);
    let judged = match &args.file {
        Some(file) => {
            let matrix = MatrixFile::read(file, context)?.read.matrix;
            consult_under(&matrix, context, &mut registry, &request, |it| {
                verdict(&request, it.matrix, it.index, it.cancelled)
            })
            .await?
        }
        None => {
            consult(context, &mut registry, &request, |it| {
                verdict(&request, it.matrix, it.index, it.cancelled)
            })
            .await?
        }
    };
    if judged.fits || context.output.is_json() {
        context
            .output
            .result(&judged, |out| writeln!(out, "{judged}"))?;
    }
    if judged.fits {
        return Ok(Exit::Done);
    }
    let names: Vec<String> = args.specs.iter().map(|it| format!("`{it}`")).collect();
    let verb = if names.len() == 1 {
        "cannot be had"
    } else {
        "do not go together"
    };
    Err(
        Failure::new("no-solution", format!("{} {verb}", names.join(" and ")))
            .with_exit(Exit::NoSolution)
            .with_causes(judged.problems)
            .with_hints(judged.notes),
    )
}
