//! What every request can reach.

use std::ops::Deref;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use ipnet::IpNet;
use jiff::Timestamp;
use tokio::sync::{RwLock, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::db::Db;
use crate::downloads::Downloads;
use crate::limits::Limiters;
use crate::oidc::Verifier;
use crate::problem::ServerError;
use crate::read_side::ReadSide;
use crate::settings::CrashPoint;
use crate::settling::Fresh;
use crate::storage::Storage;
use crate::switchboard::Switchboard;
use crate::watch::Metrics;

/// The clock, as an argument.
pub type Clock = fn() -> Timestamp;

/// Archives that are inspected at once; each may take a zstd window of memory.
pub(crate) const INSPECTIONS_MAX: usize = 2;

/// What every request can reach; cheap to clone.
#[derive(Clone)]
pub(crate) struct App(Arc<Shared>);

/// The parts of an [`App`].
pub(crate) struct Shared {
    pub(crate) db: Db,
    pub(crate) storage: Storage,
    pub(crate) read_side: ReadSide,
    /// Small archives that came since the start.
    pub(crate) fresh: Fresh,
    /// Where the private keys lie.
    pub(crate) keys_folder: PathBuf,
    /// Where uploads land until their digest is known.
    pub(crate) staging: PathBuf,
    pub(crate) clock: Clock,
    /// Checks the tokens of other systems.
    pub(crate) verifier: Verifier,
    pub(crate) inspections: Semaphore,
    pub(crate) page: RwLock<Option<(u64, bytes::Bytes)>>,
    pub(crate) trusted_proxies: Arc<[IpNet]>,
    pub(crate) limiters: Limiters,
    pub(crate) switchboard: Switchboard,
    /// Whether the operator started this server without the right to change anything.
    pub(crate) read_only: bool,
    pub(crate) metrics: Option<Metrics>,
    /// Archives that were asked for and not written down yet.
    pub(crate) downloads: Downloads,
    /// Private networks that webhooks may reach.
    pub(crate) webhook_networks: Vec<IpNet>,
    /// Who listens to the stream of changes.
    pub(crate) event_listeners: Arc<Semaphore>,
    /// Cancelled once the server takes no more requests.
    pub(crate) closing: CancellationToken,
    /// Where to die, set once the server runs: starting passes some of the same steps.
    pub(crate) crash: OnceLock<CrashPoint>,
}

impl App {
    /// Puts the parts together.
    pub(crate) fn new(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }

    /// The time in whole seconds, as everything that is published carries it.
    pub(crate) fn now(&self) -> Timestamp {
        let now = (self.clock)();
        Timestamp::from_second(now.as_second()).unwrap_or(now)
    }

    /// Runs a change to its end even if the client that asked for it goes away: a change
    /// that was committed must also become readable.
    pub(crate) async fn to_its_end<T: Send + 'static>(
        &self,
        change: impl Future<Output = Result<T, ServerError>> + Send + 'static,
    ) -> Result<T, ServerError> {
        match tokio::spawn(change).await {
            Ok(answer) => answer,
            Err(failure) => Err(ServerError::Failed(format!("a change failed: {failure}"))),
        }
    }

    /// Dies here if the settings say so. Only tests do.
    pub(crate) fn may_crash(&self, point: CrashPoint) {
        if self.crash.get() == Some(&point) {
            std::process::abort();
        }
    }
}

impl Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}
