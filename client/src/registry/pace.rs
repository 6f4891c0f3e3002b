//! Patience: how slow a server may be, and how long to wait before it is asked again.

use std::time::Duration;

use provisioning_trust::TransportError;
use tokio::time::Instant;

use super::http::BadAnswer;

/// The time over which speed is measured.
const WINDOW: Duration = Duration::from_secs(20);
/// The fewest bytes in that time: less is a server that keeps us busy for nothing.
const WINDOW_BYTES_MIN: u64 = 20 * 1024;
/// The first wait; each further one is three times as long.
const DELAY_FIRST: Duration = Duration::from_millis(300);
/// How much must come for the next problem to count as the first one: a server that drips is
/// not to keep us for as long as it likes.
const PROGRESS_BYTES_MIN: u64 = WINDOW_BYTES_MIN;
/// The longest wait, whatever the server asks for.
const DELAY_MAX: Duration = Duration::from_mins(1);

/// The speed of one transfer.
#[derive(Debug)]
pub(super) struct Pace {
    /// When the first byte came; later by the time that was ours.
    began: Option<Instant>,
    bytes: u64,
    /// When the window began, and what came before it.
    window: Option<(Instant, u64)>,
}

impl Pace {
    /// A transfer that has not begun; what a server needs to think does not count.
    pub(super) fn start() -> Self {
        Self {
            began: None,
            bytes: 0,
            window: None,
        }
    }

    /// Some bytes came; fails where too few did for too long.
    pub(super) fn took(&mut self, count: usize) -> Result<(), TransportError> {
        self.took_at(count, Instant::now())
    }

    /// How much came.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How long that took the server, from its first byte on.
    pub(super) fn time(&self) -> Duration {
        self.began.map(|it| it.elapsed()).unwrap_or_default()
    }

    /// Some of the time since then was not the server's.
    pub(super) fn excuse(&mut self, own: Duration) {
        self.began = self.began.map(|it| it + own);
        self.window = self.window.map(|(it, before)| (it + own, before));
    }

    fn took_at(&mut self, count: usize, now: Instant) -> Result<(), TransportError> {
        self.began.get_or_insert(now);
        let (since, before) = *self.window.get_or_insert((now, self.bytes));
        self.bytes += count as u64;
        if now.duration_since(since) < WINDOW {
            return Ok(());
        }
        let came = self.bytes - before;
        if came < WINDOW_BYTES_MIN {
            let problem = format!("only {came} bytes came in {} seconds", WINDOW.as_secs());
            return Err(TransportError::Unreachable {
                source: problem.into(),
            });
        }
        self.window = Some((now, self.bytes));
        Ok(())
    }
}

/// How often and when to try again.
#[derive(Debug)]
pub(super) struct Backoff {
    left: u32,
    left_at_first: u32,
}

impl Backoff {
    /// At most `retries` further tries.
    pub(super) const fn new(retries: u32) -> Self {
        Self {
            left: retries,
            left_at_first: retries,
        }
    }

    /// So many bytes came: where that is enough, the next problem is the first one.
    pub(super) const fn progressed(&mut self, bytes: u64) {
        if bytes >= PROGRESS_BYTES_MIN {
            self.left = self.left_at_first;
        }
    }

    /// How long to wait after `problem`; `None` where trying again is of no use. Waits differ
    /// from client to client, so that they do not all come back at once.
    pub(super) fn delay_after(&mut self, problem: &TransportError) -> Option<Duration> {
        let TransportError::Unreachable { source } = problem else {
            return None;
        };
        let answer = source.downcast_ref::<BadAnswer>();
        if self.left == 0 || answer.is_some_and(|it| !it.is_transient()) {
            return None;
        }
        let step = self.left_at_first - self.left;
        self.left -= 1;
        if let Some(asked) = answer.and_then(BadAnswer::retry_after) {
            return Some(asked.min(DELAY_MAX));
        }
        let delay = DELAY_FIRST * 3_u32.saturating_pow(step);
        Some(delay.min(DELAY_MAX).mul_f64(0.5 + fastrand::f64()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unreachable() -> TransportError {
        TransportError::Unreachable {
            source: "cut".into(),
        }
    }

    #[test]
    fn a_server_that_drips_is_given_up_and_a_slow_one_is_not() {
        let mut drip = Pace::start();
        let mut slow = Pace::start();
        let start = Instant::now();
        for seconds in [0, 4, 8, 12, 16] {
            let now = start + Duration::from_secs(seconds);
            drip.took_at(100, now).unwrap();
            slow.took_at(8000, now).unwrap();
        }
        let now = start + WINDOW;
        assert!(drip.took_at(100, now).is_err());
        slow.took_at(8000, now).unwrap();
        slow.took_at(1, now + WINDOW / 2).unwrap();
        assert!(slow.took_at(1, now + WINDOW).is_err());
    }

    #[test]
    fn a_transfer_that_only_drips_is_not_taken_up_for_ever() {
        let mut backoff = Backoff::new(3);
        let dripping = std::iter::from_fn(|| {
            backoff.progressed(WINDOW_BYTES_MIN - 1);
            backoff.delay_after(&unreachable())
        });
        assert_eq!(dripping.count(), 3);
        backoff.progressed(PROGRESS_BYTES_MIN);
        assert!(backoff.delay_after(&unreachable()).is_some());
    }

    #[test]
    fn the_time_that_our_own_disk_takes_is_not_the_servers() {
        let mut pace = Pace::start();
        let start = Instant::now();
        pace.took_at(100, start).unwrap();
        pace.excuse(WINDOW);
        pace.took_at(100, start + WINDOW).unwrap();
        assert!(pace.took_at(100, start + WINDOW * 2).is_err());
    }

    #[test]
    fn waits_grow_are_jittered_and_end_and_refusals_are_final() {
        let mut backoff = Backoff::new(3);
        let waits: Vec<Duration> =
            std::iter::from_fn(|| backoff.delay_after(&unreachable())).collect();
        assert_eq!(waits.len(), 3);
        assert!(waits[2] >= DELAY_FIRST * 9 / 2, "{waits:?}");
        let refused = TransportError::Refused {
            reason: "401".to_owned(),
        };
        assert_eq!(Backoff::new(3).delay_after(&refused), None);
    }
}
