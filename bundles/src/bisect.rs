//! Which of several changes broke a test, found with few trials.
//!
//! Changes are made one after another; with none the test passes, with all it fails. The
//! search halves the stretch between the longest beginning that is known good and the
//! shortest that is known bad. Beginnings that cannot be tried (they do not go together) are
//! stepped around; what cannot be told apart is returned together.

use std::collections::BTreeMap;

/// What a trial gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trial {
    /// The test passed.
    Good,
    /// It failed.
    Bad,
    /// It could not be tried.
    Untestable,
}

/// What the search came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Culprit {
    /// These changes, by their place: one, or several that cannot be told apart.
    Changes(std::ops::Range<usize>),
    /// The test fails without any change.
    BadBefore,
    /// The test passes with all changes.
    GoodAfter,
    /// The beginning or the end could not be tried.
    Untestable,
}

/// A search that goes on from trial to trial.
#[derive(Debug, Clone)]
pub struct Bisection {
    changes: usize,
    trials: BTreeMap<usize, Trial>,
}

impl Bisection {
    /// A search among this many changes.
    pub fn new(changes: usize) -> Self {
        Self {
            changes,
            trials: BTreeMap::new(),
        }
    }

    /// Writes down what the test gave with the first `count` changes made.
    pub fn record(&mut self, count: usize, trial: Trial) {
        self.trials.insert(count, trial);
    }

    /// How many of the changes to make for the next trial; `None` once it is known.
    pub fn next(&self) -> Option<usize> {
        for end in [0, self.changes] {
            if !self.trials.contains_key(&end) {
                return Some(end);
            }
        }
        if self.settled().is_some() {
            return None;
        }
        let (low, high) = self.stretch();
        let middle = low + (high - low) / 2;
        let mut open: Vec<usize> = (low + 1..high)
            .filter(|it| !self.trials.contains_key(it))
            .collect();
        open.sort_by_key(|it| (it.abs_diff(middle), *it));
        open.first().copied()
    }

    /// What was found, once [`Bisection::next`] is `None`.
    pub fn culprit(&self) -> Culprit {
        self.settled().unwrap_or_else(|| {
            let (low, high) = self.stretch();
            Culprit::Changes(low..high)
        })
    }

    fn settled(&self) -> Option<Culprit> {
        match (self.trials.get(&0), self.trials.get(&self.changes)) {
            (Some(Trial::Bad), _) => Some(Culprit::BadBefore),
            (_, Some(Trial::Good)) => Some(Culprit::GoodAfter),
            (Some(Trial::Untestable), _) | (_, Some(Trial::Untestable)) => {
                Some(Culprit::Untestable)
            }
            (None | Some(Trial::Good), None | Some(Trial::Bad)) => None,
        }
    }

    /// The longest good beginning before the first bad one, and that one.
    fn stretch(&self) -> (usize, usize) {
        let of = |wanted: Trial| {
            let trials = self.trials.iter();
            trials
                .filter(move |(_, it)| **it == wanted)
                .map(|(at, _)| *at)
        };
        let high = of(Trial::Bad).min().unwrap_or(self.changes);
        let low = of(Trial::Good).filter(|it| *it < high).max().unwrap_or(0);
        (low, high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Searches; the culprit and how many trials it took.
    fn search(changes: usize, answer: impl Fn(usize) -> Trial) -> (Culprit, usize) {
        let mut bisection = Bisection::new(changes);
        let mut trials = 0;
        while let Some(count) = bisection.next() {
            trials += 1;
            assert!(trials <= changes + 2, "the search does not end");
            bisection.record(count, answer(count));
        }
        (bisection.culprit(), trials)
    }

    #[test]
    fn every_change_is_found_with_few_trials() {
        for changes in 1..40_usize {
            for broken in 0..changes {
                let bad = |count: usize| {
                    if count > broken {
                        Trial::Bad
                    } else {
                        Trial::Good
                    }
                };
                let (culprit, trials) = search(changes, bad);
                assert_eq!(culprit, Culprit::Changes(broken..broken + 1));
                let enough = 3 + usize::BITS - changes.leading_zeros();
                assert!(trials <= enough as usize, "{changes}: {trials}");
            }
        }
    }

    #[test]
    fn what_cannot_be_tried_is_stepped_around() {
        let answer = |count: usize| match count {
            0..=2 => Trial::Good,
            3..=4 => Trial::Untestable,
            _ => Trial::Bad,
        };
        assert_eq!(search(8, answer).0, Culprit::Changes(2..5));
        let all_but_ends = |count: usize| match count {
            0 => Trial::Good,
            5 => Trial::Bad,
            _ => Trial::Untestable,
        };
        assert_eq!(search(5, all_but_ends).0, Culprit::Changes(0..5));
    }

    #[test]
    fn ends_that_are_no_ends_are_said() {
        assert_eq!(search(3, |_| Trial::Bad).0, Culprit::BadBefore);
        assert_eq!(search(3, |_| Trial::Good).0, Culprit::GoodAfter);
        assert_eq!(search(3, |_| Trial::Untestable).0, Culprit::Untestable);
    }
}
