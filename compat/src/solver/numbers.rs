//! Sets of version numbers, the way `pubgrub` needs them.
//!
//! The solver numbers the usable versions of each package from the oldest, 0, and works on
//! the numbers: comparing is cheap, and a set is exact whatever semantic versioning says about order
//! and pre-releases. A set is a sorted list of the numbers at which membership flips, and
//! equal sets are written alike. A set that holds a package's last version is open upwards;
//! that keeps numbers which no version has out of every complement.
//!
//! Nearly every set is one run of neighbours, or all but one run: those take 16 bytes, no
//! allocation and a few comparisons, which is what most of a search consists of.

use std::fmt;
use std::sync::Arc;

use pubgrub::VersionSet;
use smallvec::SmallVec;

/// The end of a run that is open upwards.
const OPEN: u32 = u32::MAX;

/// The number of a usable version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Number {
    pub(crate) index: u32,
    /// Whether it is the package's newest: its singleton is open upwards.
    pub(crate) is_last: bool,
}

/// A set of [`Number`]s.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Numbers(Form);

/// How a set is written; there is one way for each.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Form {
    /// From the first up to the second, which is excluded; `0..0` is the empty set.
    Run(u32, u32),
    /// All but a run that touches neither end.
    Hole(u32, u32),
    /// Everything else: the numbers at which membership flips.
    Flips(Arc<Vec<u32>>),
}

type FlipList = SmallVec<[u32; 8]>;

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
        let mut flips = FlipList::new();
        let mut inside = false;
        for index in 0..count {
            if includes(index) != inside {
                inside = !inside;
                flips.push(Number::of(index, count).index);
            }
        }
        Self::from_flips(&flips)
    }

    /// Those of the first `count` numbers from `start` up to `end`, which is excluded.
    pub(crate) fn run(start: usize, end: usize, count: usize) -> Self {
        let (start, is_last) = (Number::of(start, count).index, end >= count);
        let end = if is_last {
            OPEN
        } else {
            Number::of(end, count).index
        };
        if start < end && (start as usize) < count {
            Self(Form::Run(start, end))
        } else {
            Self::empty()
        }
    }

    /// The same without those at `gaps`, which are in order.
    pub(crate) fn run_without(start: usize, end: usize, count: usize, gaps: &[u32]) -> Self {
        let first = gaps.partition_point(|it| (*it as usize) < start);
        let gaps = gaps[first..].iter().take_while(|it| (**it as usize) < end);
        let mut flips = FlipList::new();
        let mut from = Number::of(start, count).index;
        let mut has_gaps = false;
        for gap in gaps {
            has_gaps = true;
            if from < *gap {
                flips.extend([from, *gap]);
            }
            from = gap + 1;
        }
        if !has_gaps {
            return Self::run(start, end, count);
        }
        if (from as usize) < end.min(count) {
            flips.push(from);
            if end < count {
                flips.push(Number::of(end, count).index);
            }
        }
        Self::from_flips(&flips)
    }

    /// The set for a guard package that says "absent, or one of these": 0 is absent and
    /// version `i` is `i + 1`.
    pub(crate) fn or_absent(&self, count: usize) -> Self {
        if count == 0 {
            return Self::full();
        }
        let mut room = [0; 3];
        let flips = self.flips(&mut room);
        let mut shifted = FlipList::with_capacity(flips.len() + 2);
        if flips.first() == Some(&0) {
            shifted.push(0);
            shifted.extend(flips[1..].iter().map(|it| it + 1));
        } else {
            shifted.extend([0, 1]);
            shifted.extend(flips.iter().map(|it| it + 1));
        }
        Self::from_flips(&shifted)
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
        let mut flips = FlipList::new();
        for (from, to) in self.runs(starts.len()) {
            flips.push(starts[from]);
            if let Some(end) = starts.get(to) {
                flips.push(*end);
            }
        }
        debug_assert!(flips.iter().all(|it| (*it as usize) < count));
        Self::from_flips(&flips)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0 == Form::Run(0, 0)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.0 == Form::Run(0, OPEN)
    }

    /// The indices below `count` that it holds, smallest first.
    pub(crate) fn indices(&self, count: usize) -> impl DoubleEndedIterator<Item = usize> {
        self.runs(count).flat_map(|(start, end)| start..end)
    }

    /// How many of the first `count` numbers it holds.
    pub(crate) fn len(&self, count: usize) -> usize {
        let within = |it: u32| (it as usize).min(count);
        match self.0 {
            Form::Run(start, end) => within(end) - within(start),
            Form::Hole(start, end) => count - (within(end) - within(start)),
            Form::Flips(_) => self.runs(count).map(|(start, end)| end - start).sum(),
        }
    }

    /// Its runs of neighbouring numbers below `count`, each with its end excluded.
    pub(crate) fn runs(
        &self,
        count: usize,
    ) -> impl DoubleEndedIterator<Item = (usize, usize)> + use<> {
        let mut room = [0; 3];
        let runs: SmallVec<[(usize, usize); 2]> = self
            .flips(&mut room)
            .chunks(2)
            .map(|run| {
                let end = run.get(1).map_or(count, |it| *it as usize);
                ((run[0] as usize).min(count), end.min(count))
            })
            .collect();
        runs.into_iter()
    }

    /// The numbers at which membership flips; those of a short form are put into `room`.
    fn flips<'n>(&'n self, room: &'n mut [u32; 3]) -> &'n [u32] {
        match &self.0 {
            Form::Run(0, 0) => &[],
            Form::Run(start, end) => {
                *room = [*start, *end, OPEN];
                &room[..if *end == OPEN { 1 } else { 2 }]
            }
            Form::Hole(start, end) => {
                *room = [0, *start, *end];
                room
            }
            Form::Flips(flips) => flips,
        }
    }

    fn from_flips(flips: &[u32]) -> Self {
        Self(match *flips {
            [] => Form::Run(0, 0),
            [start] => Form::Run(start, OPEN),
            [start, end] => Form::Run(start, end),
            [0, start, end] => Form::Hole(start, end),
            _ => Form::Flips(Arc::new(flips.to_vec())),
        })
    }
}

impl VersionSet for Numbers {
    type V = Number;

    fn empty() -> Self {
        Self(Form::Run(0, 0))
    }

    fn full() -> Self {
        Self(Form::Run(0, OPEN))
    }

    fn singleton(number: Number) -> Self {
        let end = if number.is_last {
            OPEN
        } else {
            number.index + 1
        };
        Self(Form::Run(number.index, end))
    }

    fn complement(&self) -> Self {
        Self(match &self.0 {
            Form::Run(0, 0) => Form::Run(0, OPEN),
            Form::Run(0, OPEN) => Form::Run(0, 0),
            Form::Run(0, end) => Form::Run(*end, OPEN),
            Form::Run(start, OPEN) => Form::Run(0, *start),
            Form::Run(start, end) => Form::Hole(*start, *end),
            Form::Hole(start, end) => Form::Run(*start, *end),
            Form::Flips(flips) => {
                if let Some((0, rest)) = flips.split_first() {
                    return Self::from_flips(rest);
                }
                let from_zero = std::iter::once(0).chain(flips.iter().copied());
                return Self::from_flips(&from_zero.collect::<FlipList>());
            }
        })
    }

    fn contains(&self, number: &Number) -> bool {
        let index = number.index;
        match &self.0 {
            Form::Run(start, end) => *start <= index && index < *end,
            Form::Hole(start, end) => index < *start || *end <= index,
            Form::Flips(flips) => flips.partition_point(|it| *it <= index) % 2 == 1,
        }
    }

    fn intersection(&self, other: &Self) -> Self {
        match (&self.0, &other.0) {
            (Form::Run(a, b), Form::Run(c, d)) => {
                let (start, end) = (*a.max(c), *b.min(d));
                if start < end {
                    Self(Form::Run(start, end))
                } else {
                    Self::empty()
                }
            }
            (Form::Run(a, b), Form::Hole(c, d)) | (Form::Hole(c, d), Form::Run(a, b)) => {
                match (a < c, d < b) {
                    (true, true) => self.merge(other, |left, right| left && right),
                    (true, false) => Self(Form::Run(*a, *b.min(c))),
                    (false, true) => Self(Form::Run(*a.max(d), *b)),
                    (false, false) => Self::empty(),
                }
            }
            _ => self.merge(other, |left, right| left && right),
        }
    }

    fn union(&self, other: &Self) -> Self {
        match (&self.0, &other.0) {
            (Form::Run(0, 0), _) => other.clone(),
            (_, Form::Run(0, 0)) => self.clone(),
            (Form::Run(a, b), Form::Run(c, d)) if a <= d && c <= b => {
                Self(Form::Run(*a.min(c), *b.max(d)))
            }
            _ => self.merge(other, |left, right| left || right),
        }
    }

    fn is_disjoint(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Form::Run(a, b), Form::Run(c, d)) => a.max(c) >= b.min(d),
            (Form::Run(a, b), Form::Hole(c, d)) | (Form::Hole(c, d), Form::Run(a, b)) => {
                a == b || (c <= a && b <= d)
            }
            _ => !self.any(other, |left, right| left && right),
        }
    }

    fn subset_of(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Form::Run(a, b), Form::Run(c, d)) => a == b || (c <= a && b <= d),
            (Form::Run(a, b), Form::Hole(c, d)) => a.max(c) >= b.min(d),
            _ => !self.any(other, |left, right| left && !right),
        }
    }
}

impl Numbers {
    fn merge(&self, other: &Self, holds: impl Fn(bool, bool) -> bool) -> Self {
        let (mut left_room, mut right_room) = ([0; 3], [0; 3]);
        let (left, right) = (self.flips(&mut left_room), other.flips(&mut right_room));
        let mut flips = FlipList::new();
        let mut inside = false;
        for (at, left, right) in sweep(left, right) {
            if holds(left, right) != inside {
                inside = !inside;
                flips.push(at);
            }
        }
        Self::from_flips(&flips)
    }

    fn any(&self, other: &Self, holds: impl Fn(bool, bool) -> bool) -> bool {
        let (mut left_room, mut right_room) = ([0; 3], [0; 3]);
        let (left, right) = (self.flips(&mut left_room), other.flips(&mut right_room));
        sweep(left, right).any(|(_, left, right)| holds(left, right))
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
        let mut room = [0; 3];
        for run in self.flips(&mut room).chunks(2) {
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
                assert_eq!(set(a) == set(b), a == b);
            }
        }
    }

    #[test]
    fn a_run_is_the_set_that_matching_builds() {
        for start in 0..=COUNT {
            for end in 0..=COUNT + 1 {
                let expected = Numbers::matching(COUNT, |it| start <= it && it < end);
                assert_eq!(Numbers::run(start, end, COUNT), expected, "{start}..{end}");
                for bits in 0..(1_u32 << COUNT) {
                    let is_gap = |it: u32| bits & (1 << it) != 0;
                    let gaps: Vec<u32> = (0..5).filter(|it| is_gap(*it)).collect();
                    let numbers = Numbers::run_without(start, end, COUNT, &gaps);
                    assert_eq!(numbers, expected.intersection(&set(!bits)), "{gaps:?}");
                }
            }
        }
        assert!(Numbers::run(0, 0, 0).is_empty());
        assert!(Numbers::run_without(0, 0, 0, &[]).is_empty());
        assert!(std::mem::size_of::<Numbers>() <= 16);
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
