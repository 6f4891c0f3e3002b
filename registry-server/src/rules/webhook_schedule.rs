//! When a message that was not taken is tried again: the schedule that Standard Webhooks
//! recommends, over about three days.

use jiff::{SignedDuration, Timestamp};

/// The pauses after the first, second, … failure.
const PAUSES: [SignedDuration; 9] = [
    SignedDuration::from_secs(5),
    SignedDuration::from_mins(5),
    SignedDuration::from_mins(30),
    SignedDuration::from_hours(2),
    SignedDuration::from_hours(5),
    SignedDuration::from_hours(10),
    SignedDuration::from_hours(14),
    SignedDuration::from_hours(20),
    SignedDuration::from_hours(24),
];

/// When to try again after `failures` in a row; `None` where it is given up.
pub(crate) fn next_try(failures: u64, now: Timestamp) -> Option<Timestamp> {
    let at = usize::try_from(failures.saturating_sub(1)).ok()?;
    PAUSES.get(at).map(|pause| now + *pause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end() {
        let start = Timestamp::UNIX_EPOCH;
        let pauses: Vec<i64> = (1..=9)
            .map(|failures| next_try(failures, start).unwrap().as_second())
            .collect();
        assert!(pauses.is_sorted());
        assert_eq!(pauses[0], 5);
        let days = pauses.iter().sum::<i64>() / 86_400;
        assert_eq!(days, 3);
        assert_eq!(next_try(10, start), None);
    }
}
