//! `provisioning trust drill`: a rehearsal with throw-away keys.

use provisioning_trust::DrillError;
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};

#[derive(Serialize)]
struct Rehearsed {
    steps: Vec<Step>,
}

#[derive(Serialize)]
struct Step {
    done: String,
    seen: String,
}

/// Runs it.
pub(super) async fn run(context: &Context) -> Outcome<()> {
    let state = tempfile::tempdir().map_err(|problem| Failure::no_scratch(&problem))?;
    let steps = provisioning_trust::drill(state.path(), context.now())
        .await
        .map_err(|problem| failed(&problem))?;
    let document = Rehearsed {
        steps: steps
            .into_iter()
            .map(|it| Step {
                done: it.done,
                seen: it.seen,
            })
            .collect(),
    };
    context.output.result(&document, |out| {
        for (number, step) in document.steps.iter().enumerate() {
            writeln!(out, "{:>2}. {}", number + 1, step.done)?;
            writeln!(out, "    {}", step.seen)?;
        }
        writeln!(
            out,
            "all of it went as it must; the keys of this rehearsal are gone"
        )
    })
}

fn failed(problem: &DrillError) -> Failure {
    Failure::new("drill-failed", "the rehearsal did not go as it must")
        .with_cause(problem.to_string())
        .with_exit(Exit::Verification)
}
