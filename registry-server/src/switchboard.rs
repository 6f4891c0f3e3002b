//! The switches that are thrown, remembered for a moment: each change asks.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::app::App;
use crate::problem::{Refusal, ServerError};
use crate::rules::access::Action;
use crate::rules::switch::Thrown;

/// How long another server's switch may stay unseen.
const REMEMBERED_FOR: Duration = Duration::from_secs(1);

/// What is held back, as of a moment ago.
#[derive(Debug, Default)]
pub(crate) struct Switchboard(Mutex<Option<(Instant, Arc<Thrown>)>>);

impl Switchboard {
    /// What is held back.
    pub(crate) async fn thrown(&self, app: &App) -> Result<Arc<Thrown>, ServerError> {
        if let Some((since, thrown)) = &*self.0.lock().unwrap_or_else(PoisonError::into_inner)
            && since.elapsed() < REMEMBERED_FOR
        {
            return Ok(Arc::clone(thrown));
        }
        let since = Instant::now();
        let thrown = Arc::new(Thrown::new(app.db.switches().await?));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((since, Arc::clone(&thrown)));
        Ok(thrown)
    }

    /// Asks the database the next time.
    pub(crate) fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Refuses a change that is held back, by a switch or by the server's own setting.
pub(crate) async fn refuse_held_back(
    app: &App,
    action: Action,
    actor: &str,
) -> Result<(), ServerError> {
    if matches!(action, Action::Administer | Action::Read) {
        return Ok(());
    }
    if app.read_only {
        return Err(Refusal::new(
            crate::problem::Code::ReadOnly,
            "this server takes no changes: it was started with `--read-only`",
        )
        .hint("what is published can be installed; ask the registry's operator")
        .into());
    }
    let thrown = app.switchboard.thrown(app).await?;
    Ok(thrown.refuse_change(action, actor)?)
}
