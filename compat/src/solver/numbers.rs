//! Sets of version numbers, the way `pubgrub` needs them.
//!
//! The solver numbers the usable versions of each package from the oldest, 0, and works on
//! the numbers: comparing is cheap, and a set is exact whatever semantic versioning says about order
//! and pre-releases. A set is a sorted list of the numbers at which membership flips, so
//! equal sets are equal lists. A set that holds a package's last version is open upwards;
//! that keeps numbers which no version has out of every complement.

use std::fmt;

use pubgrub::VersionSet;
use smallvec::{SmallVec, smallvec};

/// The number of a usable version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Number {
    pub(crate) index: u32,
    /// Whether it is the package's newest: its singleton is open upwards.
    pub(crate) is_last: bool,
}

/// A set of [`Number`]s.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Numbers {
    // One run has two, and nearly every set has one or two runs: those need no allocation.
    flips: SmallVec<[u32; 4]>,
}

impl Number {
    /// Number `index` of `count`.
    pub(crate) fn of(index: usize, count: usize) -> Self {
        Self {
            index: u32::try_from(index).expect("an index entry has far fewer versions than 2^32"),
            is_last: index + 1 == count,
        }
    }
}

impl Numbers {
    /// Those of the first `count` numbers that `includes` says yes to.
    pub(crate) fn matching(count: usize, includes: impl Fn(usize) -> bool) -> Self {
        let mut flips = SmallVec::new();
        let mut inside = false;
        for index in 0..count {
            if includes(index) != inside {
                inside = !inside;
                flips.push(Number::of(index, count).index);
            }
        }
        Self { flips }
    }

    /// The set for a guard package that says "absent, or one of these": 0 is absent and
    /// version `i` is `i + 1`.
    pub(crate) fn or_absent(&self, count: usize) -> Self {
        if count == 0 {
            return Self::full();
        }
        let mut shifted = SmallVec::with_capacity(self.flips.len() + 2);
        if self.flips.first() == Some(&0) {
            shifted.push(0);
            shifted.extend(self.flips[1..].iter().map(|it| it + 1));
        } else {
            shifted.extend([0, 1]);
            shifted.extend(self.flips.iter().map(|it| it + 1));
        }
        Self { flips: shifted }
    }

    /// Which of the runs that begin at `starts` have a number of this set.
    pub(crate) fn touched(&self, starts: &[u32], count: usize) -> Self {
        Self::matching(starts.len(), |run| {
            let end = starts.get(run + 1).map_or(count, |it| *it as usize);
            let start = starts[run] as usize;
            self.runs(count).any(|(from, to)| from < end && start < to)
        })
    }

    /// The numbers of the runs that begin at `starts` and are in this set.
    pub(crate) fn spread(&self, starts: &[u32], count: usize) -> Self {
        let runs = starts.len();
        let mut flips = SmallVec::new();
        for (from, to) in self.runs(runs) {
            flips.push(starts[from]);
            if let Some(end) = starts.get(to) {
                flips.push(*end);
            }
        }
        debug_assert!(flips.iter().all(|it| (*it as usize) < count));
        Self { flips }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.flips.is_empty()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.flips.as_slice() == [0]
    }

    /// The indices below `count` that it holds, smallest first.
    pub(crate) fn indices(&self, count: usize) -> impl DoubleEndedIterator<Item = usize> {
        self.runs(count).flat_map(|(start, end)| start..end)
    }

    /// How many of the first `count` numbers it holds.
    pub(crate) fn len(&self, count: usize) -> usize {
        self.runs(count).map(|(start, end)| end - start).sum()
    }

    /// Its runs of neighbouring numbers below `count`, each with its end excluded.
    pub(crate) fn runs(&self, count: usize) -> impl DoubleEndedIterator<Item = (usize, usize)> {
        self.flips.chunks(2).map(move |run| {
            let end = run.get(1).map_or(count, |it| *it as usize);
            ((run[0] as usize).min(count), end.min(count))
        })
    }
}

impl VersionSet for Numbers {
    type V = Number;

    fn empty() -> Self {
        Self {
            flips: SmallVec::new(),
        }
    }

    fn full() -> Self {
        Self {
            flips: smallvec![0],
        }
    }

    fn singleton(number: Number) -> Self {
        if number.is_last {
            Self {
                flips: smallvec![number.index],
            }
        } else {
            Self {
                flips: smallvec![number.index, number.index + 1],
            }
        }
    }

    fn complement(&self) -> Self {
        let flips = match self.flips.split_first() {
            Some((0, rest)) => SmallVec::from_slice(rest),
            _ => std::iter::once(0)
                .chain(self.flips.iter().copied())
                .collect(),
        };
        Self { flips }
    }

    fn contains(&self, number: &Number) -> bool {
        self.flips.partition_point(|it| *it <= number.index) % 2 == 1
    }

    fn intersection(&self, other: &Self) -> Self {
        self.merge(other, |left, right| left && right)
    }

    fn union(&self, other: &Self) -> Self {
        self.merge(other, |left, right| left || right)
    }

    fn is_disjoint(&self, other: &Self) -> bool {
        !self.any(other, |left, right| left && right)
    }

    fn subset_of(&self, other: &Self) -> bool {
        !self.any(other, |left, right| left && !right)
    }
}

impl Numbers {
    fn merge(&self, other: &Self, holds: impl Fn(bool, bool) -> bool) -> Self {
        let mut flips = SmallVec::new();
        let mut inside = false;
        for (at, left, right) in sweep(&self.flips, &other.flips) {
            if holds(left, right) != inside {
                inside = !inside;
                flips.push(at);
            }
        }
        Self { flips }
    }

    fn any(&self, other: &Self, holds: impl Fn(bool, bool) -> bool) -> bool {
        sweep(&self.flips, &other.flips).any(|(_, left, right)| holds(left, right))
    }
}

/// Each number at which one of two sets flips, with whether each holds it from there on.
fn sweep<'n>(left: &'n [u32], right: &'n [u32]) -> impl Iterator<Item = (u32, bool, bool)> + 'n {
    let (mut l, mut r) = (0, 0);
    std::iter::from_fn(move || {
        let at = match (left.get(l), right.get(r)) {
            (Some(a), Some(b)) => *a.min(b),
            (Some(a), None) => *a,
            (None, Some(b)) => *b,
            (None, None) => return None,
        };
        l += usize::from(left.get(l) == Some(&at));
        r += usize::from(right.get(r) == Some(&at));
        Some((at, l % 2 == 1, r % 2 == 1))
    })
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.index)
    }
}

impl fmt::Display for Numbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for run in self.flips.chunks(2) {
            match run {
                [start, end] => write!(f, "#{start}..{end} ")?,
                _ => write!(f, "#{}.. ", run[0])?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNT: usize = 5;

    fn set(bits: u32) -> Numbers {
        Numbers::matching(COUNT, |it| bits & (1 << it) != 0)
    }

    #[test]
    fn operations_agree_with_bit_sets_for_every_pair() {
        let all = (1 << COUNT) - 1;
        for a in 0..=all {
            assert_eq!(set(a).complement(), set(!a & all));
            assert_eq!(set(a).len(COUNT), a.count_ones() as usize);
            for b in 0..=all {
                assert_eq!(set(a).intersection(&set(b)), set(a & b));
                assert_eq!(set(a).union(&set(b)), set(a | b));
                assert_eq!(set(a).is_disjoint(&set(b)), a & b == 0);
                assert_eq!(set(a).subset_of(&set(b)), a & !b == 0);
            }
        }
    }

    #[test]
    fn a_guard_set_holds_absence_and_every_version_one_higher() {
        for bits in 0..(1 << COUNT) {
            let guard = set(bits).or_absent(COUNT);
            let expected =
                Numbers::matching(COUNT + 1, |it| it == 0 || bits & (1 << (it - 1)) != 0);
            assert_eq!(guard, expected, "{bits:b}");
        }
        assert!(set(0).or_absent(0).is_full());
    }

    #[test]
    fn runs_of_numbers_are_touched_by_any_and_spread_to_all_of_theirs() {
        let starts = [0, 2, 3];
        for bits in 0..(1_u32 << COUNT) {
            let touched = set(bits).touched(&starts, COUNT);
            let has = |mask: u32| bits & mask != 0;
            let expected = [has(0b00011), has(0b00100), has(0b11000)];
            assert_eq!(touched, Numbers::matching(3, |it| expected[it]), "{bits:b}");
            let spread = touched.spread(&starts, COUNT);
            assert!(set(bits).subset_of(&spread));
            assert_eq!(spread.touched(&starts, COUNT), touched);
        }
    }

    #[test]
    fn a_singleton_is_the_set_that_matching_builds() {
        for index in 0..COUNT {
            let number = Number::of(index, COUNT);
            assert_eq!(Numbers::singleton(number), set(1 << index));
            assert!(set(1 << index).contains(&number));
        }
    }
}
