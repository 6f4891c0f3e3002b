//! Whose turn it is to sign, among all servers of one database.

use std::time::{Duration, Instant};

use crate::db::signing::{SigningRight, SigningRow};
use crate::db::{Db, DbError};

/// How often a server looks whether it can sign, or whether another one signed for it.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(10);
/// How often a server that signs says that it lives.
pub(super) const BEAT_EVERY: Duration = Duration::from_millis(500);
/// A server that has not said so for this long, as the one that waits sees it, is taken for
/// dead. Were it not, it could still show nothing.
const DEAD_AFTER: Duration = Duration::from_secs(4);

/// What waiting for one's turn came to.
pub(super) enum Turn {
    /// This server may sign.
    Mine(SigningRight, Box<SigningRow>),
    /// Another server has shown what was waited for.
    Shown(Box<SigningRow>),
}

/// Waits until `holder` may sign, or until `is_enough` of what others showed.
pub(super) async fn wait(
    db: &Db,
    holder: &str,
    is_enough: impl Fn(&SigningRow) -> bool,
) -> Result<Turn, DbError> {
    let mut watched: Option<(SigningRow, Instant)> = None;
    loop {
        let dead = watched
            .as_ref()
            .filter(|(_, since)| since.elapsed() >= DEAD_AFTER)
            .map(|(row, _)| row);
        if let Some(row) = dead {
            tracing::warn!(
                "the server `{}` stopped while it was signing: its right is taken over",
                row.holder
            );
        }
        if let Some((right, row)) = db.take_signing(holder, dead).await? {
            return Ok(Turn::Mine(right, Box::new(row)));
        }
        let row = db.signing().await?;
        if is_enough(&row) {
            return Ok(Turn::Shown(Box::new(row)));
        }
        let lives = |(seen, _): &(SigningRow, Instant)| {
            (&seen.holder, seen.fence, seen.beat) != (&row.holder, row.fence, row.beat)
        };
        if watched.as_ref().is_none_or(lives) {
            watched = Some((row, Instant::now()));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
