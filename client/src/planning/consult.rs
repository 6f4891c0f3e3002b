//! Asking the solver something: the matrix, the index and the deadline are put at hand, and
//! what could not be fetched on the way is told in place of the answer.

use std::time::{Duration, Instant};

use provisioning_compat::{Budget, Index, Matrix, Request};
use tokio::task::block_in_place;

use super::registry::Registry;
use crate::context::Context;
use crate::failure::Outcome;
use crate::registry::RegistryReader;

/// How long the solver may search.
const SEARCH_TIME_MAX: Duration = Duration::from_secs(5);
/// How much longer, after a refusal, it may look for what would fit instead. A refusal is
/// told within a second, the start of the command included.
const HINTS_TIME_MAX: Duration = Duration::from_millis(600);

/// What an answer is found with.
pub(crate) struct AtHand<'a> {
    /// Which versions go together.
    pub(crate) matrix: &'a Matrix,
    /// What the registry has.
    pub(crate) index: &'a dyn Index,
    /// Whether the search is to end.
    pub(crate) cancelled: &'a dyn Fn() -> bool,
    /// How long one question may take.
    pub(crate) budget: Budget<'a>,
}

/// Asks `question` about `request`, under the matrix that the registry serves.
pub(crate) async fn consult<T>(
    context: &Context,
    registry: &mut Registry,
    request: &Request,
    question: impl FnOnce(&AtHand<'_>) -> T,
) -> Outcome<T> {
    let reader = registry.reader(context).await?;
    let matrix = reader.matrix().await?.read.matrix;
    consult_under(&matrix, context, registry, request, question).await
}

/// Asks `question` about `request`, under another matrix.
pub(crate) async fn consult_under<T>(
    matrix: &Matrix,
    context: &Context,
    registry: &mut Registry,
    request: &Request,
    question: impl FnOnce(&AtHand<'_>) -> T,
) -> Outcome<T> {
    let reader = registry.reader(context).await?;
    let progress = context.output.progress();
    let _spinner = progress.spinner("finding versions that fit");
    // Once for all that is read on the way: the runtime's other work moves to another thread
    // here, and that is not to happen for each of thousands of entries.
    block_in_place(|| answered(matrix, reader, request, question))
}

fn answered<T>(
    matrix: &Matrix,
    reader: &mut RegistryReader,
    request: &Request,
    question: impl FnOnce(&AtHand<'_>) -> T,
) -> Outcome<T> {
    let index = reader.lazy_index();
    index.fetch_ahead(request, matrix)?;
    let started = Instant::now();
    // What could not be fetched ends the search like a deadline.
    let elapsed = || {
        if index.has_failed() {
            Duration::MAX
        } else {
            started.elapsed()
        }
    };
    let answer = question(&AtHand {
        matrix,
        index: &index,
        cancelled: &|| elapsed() > SEARCH_TIME_MAX,
        budget: Budget {
            elapsed: &elapsed,
            search: SEARCH_TIME_MAX,
            hints: HINTS_TIME_MAX,
        },
    });
    index.finish()?;
    Ok(answer)
}
