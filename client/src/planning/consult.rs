//! Asking the solver something: the matrix, the index and the deadline are put at hand, and
//! what could not be fetched on the way is told in place of the answer.

use std::time::{Duration, Instant};

use provisioning_compat::{Index, Matrix, Request};

use super::registry::Registry;
use crate::context::Context;
use crate::failure::Outcome;
use crate::registry::{Guess, LazyIndex};

/// How long the solver may search.
const SEARCH_TIME_MAX: Duration = Duration::from_secs(5);

/// What an answer is found with.
pub(crate) struct AtHand<'a> {
    /// Which versions go together.
    pub(crate) matrix: &'a Matrix,
    /// What the registry has.
    pub(crate) index: &'a dyn Index,
    /// Whether the search is to end.
    pub(crate) cancelled: &'a dyn Fn() -> bool,
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
    let index = registry.reader(context).await?.lazy_index();
    fetch_ahead(&index, request)?;
    let started = Instant::now();
    let cancelled = || started.elapsed() > SEARCH_TIME_MAX || index.has_failed();
    let answer = question(&AtHand {
        matrix,
        index: &index,
        cancelled: &cancelled,
    });
    index.finish()?;
    Ok(answer)
}

/// Fetches what the search for `request` probably meets.
fn fetch_ahead(index: &LazyIndex<'_>, request: &Request) -> Outcome<()> {
    let wanted = request.wanted.iter().filter(|it| !it.optional);
    let wanted: Vec<_> = wanted
        .map(|it| (it.name.clone(), it.selector.clone()))
        .collect();
    let guess = if request.minimal {
        Guess::Oldest
    } else {
        Guess::Newest
    };
    index.fetch_ahead(&wanted, &request.installed, guess)
}
