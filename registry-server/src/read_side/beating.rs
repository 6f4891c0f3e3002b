//! Saying that this server lives, for as long as it signs.

use std::time::Duration;

use tokio::sync::oneshot;

use super::turn::BEAT_EVERY;
use crate::db::Db;
use crate::db::signing::SigningRight;
use crate::problem::ServerError;

/// Says that this server lives for as long as `signing` takes.
pub(super) async fn while_beating<T>(
    db: &Db,
    right: &SigningRight,
    signing: impl Future<Output = Result<T, ServerError>>,
) -> Result<T, ServerError> {
    // A database that does not answer is found out by the signing itself.
    beside(BEAT_EVERY, || db.beat_signing(right), signing).await
}

/// Does `work`, and every so often what `beat` makes.
///
/// Both go on at the same time. A beat waits for the same gate of the database as the work
/// does: were the work left alone until the beat is done, and the gate its own or its next,
/// neither would ever end. A beat that has begun is let finish.
async fn beside<T, B: Future>(
    every: Duration,
    beat: impl Fn() -> B,
    work: impl Future<Output = T>,
) -> T {
    let (working, mut ended) = oneshot::channel::<()>();
    let work = async {
        let done = work.await;
        drop(working);
        done
    };
    let beating = async {
        while tokio::time::timeout(every, &mut ended).await.is_err() {
            beat().await;
        }
    };
    tokio::join!(work, beating).0
}

#[cfg(test)]
mod tests {
    use tokio::sync::{Mutex, Notify};

    use super::*;

    #[tokio::test]
    async fn work_that_holds_what_a_beat_waits_for_goes_on() {
        let gate = Mutex::new(());
        let asked = Notify::new();
        let beat = || async {
            asked.notify_one();
            drop(gate.lock().await);
        };
        let work = async {
            let held = gate.lock().await;
            asked.notified().await;
            drop(held);
            // The beat is first at the gate now; then it is the work's turn again.
            drop(gate.lock().await);
            7
        };
        let both = beside(Duration::from_millis(1), beat, work);
        let done = tokio::time::timeout(Duration::from_secs(30), both).await;
        assert_eq!(done, Ok(7));
    }
}
