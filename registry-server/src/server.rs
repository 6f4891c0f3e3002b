//! A registry from its settings to its last request.

use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::sync::{Mutex, RwLock, Semaphore};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::app::{App, Clock, INSPECTIONS_MAX, Shared};
use crate::db::{Db, DbError};
use crate::downloads::{self, Downloads};
use crate::lease::Lease;
use crate::limits::Limiters;
use crate::listener::tls::{Tls, TlsError};
use crate::listener::{self, Front};
use crate::oidc::Verifier;
use crate::problem::{ServerError, chain};
use crate::read_side::Opening;
use crate::router::router;
use crate::routes::events::LISTENERS_MAX;
use crate::routes::updates;
use crate::settings::{Limits, Settings};
use crate::settling::{self, Fresh};
use crate::setup::{DataFolder, SetupError};
use crate::staging;
use crate::storage::{Storage, StorageError};
use crate::switchboard::Switchboard;
use crate::{watch, webhooks};

/// How often the timestamp is signed again. It lives for 48 hours.
const REFRESH_EVERY: Duration = Duration::from_hours(1);
/// How often a server says that it does a job, or looks whether somebody else does.
const LEASE_EVERY: Duration = Duration::from_secs(5);
/// How often a server looks what others have shown.
const FOLLOW_EVERY: Duration = Duration::from_millis(100);
/// How often files are made durable that were written without waiting for the disk.
const SETTLE_EVERY: Duration = Duration::from_secs(1);
/// How often updates are looked at whose conditions may hold by now: days pass slowly.
const PUSH_UPDATES_EVERY: Duration = Duration::from_mins(10);
/// How often changes are looked for that are kept but not readable (a full disk, say).
const CATCH_UP_EVERY: Duration = Duration::from_secs(5);

/// How long search waits for more changes before it reads them.
const SEARCH_REST: Duration = Duration::from_secs(1);
/// How often callers that have rested are forgotten.
const FORGET_EVERY: Duration = Duration::from_mins(1);

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The database.
    #[error("the database cannot be opened")]
    Db(#[from] DbError),
    /// The storage.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The certificate.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The address.
    #[error("cannot listen on `{address}`")]
    Listen {
        /// What was asked for.
        address: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The files that clients read.
    #[error("the read side cannot be brought up to date")]
    ReadSide(#[source] ServerError),
}

/// A server that is ready: its port is bound, everything is readable.
pub struct Server {
    app: App,
    listener: TcpListener,
    address: SocketAddr,
    limits: Limits,
    tls: Option<Tls>,
    metrics: Option<TcpListener>,
    admin_token: PathBuf,
    folder: DataFolder,
}

impl Server {
    /// Opens everything that `settings` name and brings the read side up to date.
    pub async fn start(settings: Settings, clock: Clock) -> Result<Self, StartError> {
        let folder = DataFolder::take(&settings.data)?;
        let tls = settings.tls.clone().map(Tls::open).transpose()?;
        let (listener, address) = listen(&settings.listen).await?;
        let metrics = match &settings.metrics_listen {
            Some(address) => Some(listen(address).await?.0),
            None => None,
        };
        let db = Db::open(settings.database.as_deref(), folder.path()).await?;
        let storage = Storage::open(
            settings.storage.as_deref(),
            folder.path(),
            &settings.storage_options,
        )?;
        prepare(&db, &storage, &folder.server_id()?).await?;
        let public_url = match &settings.public_url {
            Some(url) => url.as_str().trim_end_matches('/').to_owned(),
            None if tls.is_some() => format!("https://{address}"),
            None => format!("http://{address}"),
        };
        let opening = Opening {
            db: &db,
            storage: &storage,
            folder: &folder,
            name: settings.name.clone(),
            public_url,
            now: clock(),
        };
        let read_side = opening.open().await?;
        let known = read_side.refuse_lost_database(&db).await;
        known.map_err(StartError::ReadSide)?;
        // Only now: a server that must not run here must not end the tokens of one that does.
        let admin_token = folder.admin_token(&db, clock()).await?;
        let app = App::new(Shared {
            fresh: Fresh::default(),
            db,
            storage,
            read_side,
            keys_folder: folder.path().join("keys"),
            staging: folder.staging(),
            clock,
            verifier: Verifier::default(),
            inspections: Semaphore::new(INSPECTIONS_MAX),
            page: RwLock::new(None),
            trusted_proxies: settings.trusted_proxies.into(),
            limiters: Limiters::new(&settings.rates),
            switchboard: Switchboard::default(),
            read_only: settings.read_only,
            metrics: settings.metrics,
            downloads: Downloads::default(),
            webhook_networks: settings.webhook_networks,
            event_listeners: Arc::new(Semaphore::new(LISTENERS_MAX)),
            closing: CancellationToken::new(),
            crash: OnceLock::new(),
        });
        bring_up(&app).await;
        if let Some(point) = settings.crash {
            app.crash.get_or_init(|| point);
        }
        Ok(Self {
            app,
            listener,
            address,
            limits: settings.limits,
            tls,
            metrics,
            admin_token,
            folder,
        })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What ends TLS, for reading its certificate again.
    pub const fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    /// Where metrics are shown apart from the registry.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics.as_ref()?.local_addr().ok()
    }

    /// The file that holds a token with every right.
    pub fn admin_token(&self) -> &Path {
        &self.admin_token
    }

    /// The roles whose keys this registry holds and people ought to hold.
    pub fn roles_to_move(&self) -> Vec<String> {
        let roles = crate::signing::roles(&self.app).unwrap_or_default();
        let moving = roles.into_iter().filter(|it| it.should_move);
        moving.map(|it| it.role).collect()
    }

    /// Serves until `shutdown` completes, then lets running requests end.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let mut jobs = start_jobs(&self.app);
        let front = Front {
            router: router(&self.app),
            limits: self.limits,
            tls: self.tls.clone(),
            trusted_proxies: Arc::clone(&self.app.trusted_proxies),
        };
        jobs.extend(self.tls.map(|it| tokio::spawn(it.follow())));
        jobs.extend(self.metrics.map(|it| {
            let front = Front {
                router: watch::router(&self.app),
                tls: None,
                ..front.clone()
            };
            tokio::spawn(listener::serve(it, front, std::future::pending()))
        }));
        let app = self.app.clone();
        let shutdown = async move {
            shutdown.await;
            app.closing.cancel();
        };
        listener::serve(self.listener, front, shutdown).await;
        for job in jobs {
            job.abort();
        }
        downloads::write(&self.app).await;
        report("making files durable", settling::settle(&self.app).await);
        self.app.db.close().await;
        drop(self.folder);
    }
}

/// Takes an address; port 0 takes a free one.
async fn listen(address: &str) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source| StartError::Listen {
        address: address.to_owned(),
        source,
    };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// Brings storage and database to where this version can work with them.
async fn prepare(db: &Db, storage: &Storage, server: &str) -> Result<(), StartError> {
    let restored = settling::restore(db, storage, server).await;
    restored.map_err(StartError::ReadSide)?;
    let probed = storage.probe(server).await;
    if let Some(probed) = probed.map_err(StorageError::from)? {
        tracing::info!("the bucket was tried out: {probed}");
    }
    Ok(db.chain_audit().await?)
}

/// Makes readable what is acknowledged.
async fn bring_up(app: &App) {
    // What was readable stays readable, also where nothing can be written now (a full
    // disk): the jobs go on trying.
    report(
        "bringing the read side up",
        app.read_side.bring_all_up(app).await,
    );
    report("refreshing the timestamp", app.read_side.refresh(app).await);
}

/// Keeps search near what is published, so that the next question need not wait.
async fn refresh_search(app: App) {
    let mut visible = app.read_side.visible();
    loop {
        if let Err(error) = app.db.refresh_search().await {
            let chain = chain(&error);
            tracing::error!("search could not be brought up to date: {chain}");
        }
        tokio::select! {
            changed = visible.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(CATCH_UP_EVERY) => {}
        }
        // Publishes that come close together are read together.
        tokio::time::sleep(SEARCH_REST).await;
    }
}

/// What goes on beside requests.
fn start_jobs(app: &App) -> Vec<JoinHandle<()>> {
    let mut jobs = vec![
        every(
            app,
            REFRESH_EVERY,
            "refreshing the timestamp",
            |app| async move { app.read_side.refresh(&app).await },
        ),
        sweeping(app),
        every(app, CATCH_UP_EVERY, "catching up", |app| async move {
            app.read_side.catch_up(&app).await?;
            app.read_side.mend_timestamp(&app).await
        }),
    ];
    jobs.push(every(
        app,
        PUSH_UPDATES_EVERY,
        "pushing updates",
        |app| async move { updates::push_ready(&app).await },
    ));
    if app.storage.can_forget() {
        jobs.push(every(
            app,
            SETTLE_EVERY,
            "making files durable",
            |app| async move { settling::settle(&app).await },
        ));
    }
    if !app.db.is_sqlite() {
        jobs.push(every(
            app,
            FOLLOW_EVERY,
            "following other servers",
            |app| async move { app.read_side.follow(&app).await },
        ));
    }
    jobs.push(every(
        app,
        FORGET_EVERY,
        "forgetting callers",
        |app| async move {
            app.limiters.forget_rested();
            Ok(())
        },
    ));
    jobs.push(tokio::spawn(webhooks::run(app.clone())));
    jobs.push(tokio::spawn(downloads::run(app.clone())));
    jobs.push(tokio::spawn(refresh_search(app.clone())));
    jobs.extend(app.metrics.clone().map(|it| tokio::spawn(it.fold())));
    jobs
}

/// Ends sessions that are over, on one server; and broken uploads, on each.
fn sweeping(app: &App) -> JoinHandle<()> {
    let lease = Lease::new("sweep", app.read_side.server().to_owned());
    let state = Arc::new(Mutex::new((lease, None::<Instant>)));
    every(app, LEASE_EVERY, "sweeping sessions", move |app| {
        let state = Arc::clone(&state);
        async move {
            let mut state = state.lock().await;
            let (lease, last) = &mut *state;
            let is_mine = lease.is_mine(&app.db).await?;
            if last.is_none_or(|it| it.elapsed() >= REFRESH_EVERY) {
                *last = Some(Instant::now());
                sweep_staging(&app).await?;
                if is_mine {
                    app.db.expire_sessions(app.now()).await?;
                }
            }
            Ok(())
        }
    })
}

/// Runs `job` again and again, `pause` after it ended, and says when it fails.
fn every<F, R>(app: &App, pause: Duration, what: &'static str, job: F) -> JoinHandle<()>
where
    F: Fn(App) -> R + Send + 'static,
    R: Future<Output = Result<(), ServerError>> + Send + 'static,
{
    let app = app.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(pause).await;
            report(what, job(app.clone()).await);
        }
    })
}

async fn sweep_staging(app: &App) -> Result<(), ServerError> {
    let now = app.now();
    let folder = app.staging.clone();
    let swept = tokio::task::spawn_blocking(move || staging::sweep(&folder, now)).await;
    swept.map_err(std::io::Error::other)??;
    Ok(())
}

fn report(what: &str, outcome: Result<(), ServerError>) {
    if let Err(error) = outcome {
        let chain = chain(&error);
        tracing::error!("{what} failed: {chain}");
    }
}
