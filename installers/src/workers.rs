//! The same work on many archives at once, until one of them fails.

use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

/// Most archives that are worked on at once.
const WORKERS_MAX: usize = 4;

/// What was done, in no particular order, and the first failure, after which nothing more
/// was begun.
pub(crate) struct Done<R, E> {
    pub(crate) results: Vec<R>,
    pub(crate) failure: Option<E>,
}

impl<R, E> Done<R, E> {
    /// All results, or the failure.
    pub(crate) fn all(self) -> Result<Vec<R>, E> {
        match self.failure {
            None => Ok(self.results),
            Some(problem) => Err(problem),
        }
    }
}

/// Does `work` for each of `items`, the first ones first.
pub(crate) fn on_each<T: Sync, R: Send, E: Send>(
    items: &[T],
    work: impl Fn(&T) -> Result<R, E> + Sync,
) -> Done<R, E> {
    let queue = Mutex::new(items.iter());
    let results = Mutex::new(Vec::with_capacity(items.len()));
    let failure = Mutex::new(None);
    let run = || {
        while locked(&failure).is_none() {
            let next = locked(&queue).next();
            let Some(item) = next else { return };
            match work(item) {
                Ok(result) => locked(&results).push(result),
                Err(problem) => {
                    locked(&failure).get_or_insert(problem);
                }
            }
        }
    };
    let workers = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    thread::scope(|scope| {
        for _ in 1..workers.min(WORKERS_MAX).min(items.len()) {
            scope.spawn(run);
        }
        run();
    });
    Done {
        results: unlocked(results),
        failure: unlocked(failure),
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn unlocked<T>(mutex: Mutex<T>) -> T {
    mutex.into_inner().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_done_once_whatever_the_number_of_workers() {
        for count in [0, 1, 2, 100] {
            let items: Vec<usize> = (0..count).collect();
            let mut results = on_each(&items, |it| Ok::<_, ()>(*it)).all().unwrap();
            results.sort_unstable();
            assert_eq!(results, items);
        }
    }

    #[test]
    fn nothing_is_begun_after_a_failure_and_what_was_done_is_known() {
        let items: Vec<usize> = (0..10_000).collect();
        let done = on_each(&items, |it| if *it == 3 { Err(*it) } else { Ok(*it) });
        assert_eq!(done.failure, Some(3));
        assert!(
            done.results.len() < items.len() - 1,
            "{}",
            done.results.len()
        );
        assert!(done.results.contains(&0));
    }
}
