//! How often archives were asked for: counted in memory, written down beside the requests.
//!
//! A server that is killed loses the counts of half a minute; nothing rests on them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use provisioning_package::Digest;

use crate::app::App;
use crate::db::downloads::add_downloads;
use crate::problem::{ServerError, chain};
use crate::watch::DOWNLOADS;

/// How often counts are written down.
const WRITE_EVERY: Duration = Duration::from_secs(30);
/// Archives that are counted at once; more than that are not, until these are written down.
const ARCHIVES_MAX: usize = 100_000;

const DAY_SECONDS: i64 = 86_400;

/// The counts that are not written down yet, by archive and day.
#[derive(Debug, Default)]
pub(crate) struct Downloads(Mutex<HashMap<(Digest, i64), u64>>);

impl Downloads {
    /// Counts one.
    pub(crate) fn count(&self, archive: Digest, now: Timestamp) {
        metrics::counter!(DOWNLOADS).increment(1);
        let day = now.as_second().div_euclid(DAY_SECONDS);
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() < ARCHIVES_MAX || counts.contains_key(&(archive, day)) {
            *counts.entry((archive, day)).or_insert(0) += 1;
        }
    }

    fn take(&self) -> HashMap<(Digest, i64), u64> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn give_back(&self, counts: HashMap<(Digest, i64), u64>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, count) in counts {
            *kept.entry(key).or_insert(0) += count;
        }
    }
}

/// Writes counts down until the server ends.
pub(crate) async fn run(app: App) {
    loop {
        tokio::time::sleep(WRITE_EVERY).await;
        write(&app).await;
    }
}

/// Writes down what was counted; what cannot be written now is kept for the next time.
pub(crate) async fn write(app: &App) {
    let counts = app.downloads.take();
    if counts.is_empty() {
        return;
    }
    if let Err(error) = try_write(app, &counts).await {
        let chain = chain(&error);
        tracing::warn!("downloads cannot be written down now: {chain}");
        app.downloads.give_back(counts);
    }
}

async fn try_write(app: &App, counts: &HashMap<(Digest, i64), u64>) -> Result<(), ServerError> {
    let mut tx = app.db.write_quietly().await?;
    for ((archive, day), count) in counts {
        add_downloads(&mut tx, archive, &date(*day), *count).await?;
    }
    Ok(tx.commit().await?)
}

/// A day's date: `2026-11-28`.
fn date(day: i64) -> String {
    let start = Timestamp::from_second(day * DAY_SECONDS).unwrap_or_default();
    start.to_zoned(TimeZone::UTC).date().to_string()
}

/// The date so many days before `now`.
pub(crate) fn days_before(now: Timestamp, days: u32) -> String {
    date(now.as_second().div_euclid(DAY_SECONDS) - i64::from(days))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_kept_by_archive_and_day_until_they_are_taken() {
        let downloads = Downloads::default();
        let (left, right) = (Digest::of(b"left"), Digest::of(b"right"));
        let monday = Timestamp::from_second(1_000 * DAY_SECONDS).unwrap();
        let tuesday = Timestamp::from_second(1_001 * DAY_SECONDS).unwrap();
        for (archive, day) in [
            (left, monday),
            (left, monday),
            (left, tuesday),
            (right, monday),
        ] {
            downloads.count(archive, day);
        }
        let counts = downloads.take();
        assert_eq!(counts[&(left, 1_000)], 2);
        assert_eq!(counts.len(), 3);
        assert!(downloads.take().is_empty());
        downloads.count(left, monday);
        downloads.give_back(counts);
        assert_eq!(downloads.take()[&(left, 1_000)], 3);
    }

    #[test]
    fn days_are_dates_of_utc() {
        assert_eq!(date(0), "1970-01-01");
        let now: Timestamp = "2026-11-28T23:59:59Z".parse().unwrap();
        assert_eq!(days_before(now, 1), "2026-11-27");
    }
}
