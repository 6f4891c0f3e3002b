//! The database: what was acknowledged. Every SQL statement of the server is below this
//! module, in one text that SQLite and PostgreSQL both take.
//!
//! Readers use the pool. Writers go through [`Db::write`], which takes the registry's row
//! first, so that two of them (also in two processes) never interleave. A commit lets the
//! next writer go on before it waits for the disk (`flush`). A statement that runs on the
//! pool by itself is durable by itself.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use provisioning_package::Digest;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::any::AnyPoolOptions;
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection, AnyPool, Connection as _, Executor as _, Transaction};
use tokio::sync::{Mutex, OwnedMutexGuard};

use audit::{AuditEntry, Place};

pub(crate) mod archives;
pub(crate) mod audit;
pub(crate) mod bundles;
pub(crate) mod downloads;
pub(crate) mod evidence;
mod flush;
mod fresh;
mod keys;
pub(crate) mod leases;
pub(crate) mod life;
pub(crate) mod matrix;
pub(crate) mod owners;
pub(crate) mod packages;
pub(crate) mod people;
pub(crate) mod policy;
pub(crate) mod proposals;
pub(crate) mod reservations;
pub(crate) mod rows;
pub(crate) mod search;
pub(crate) mod sessions;
pub(crate) mod signing;
pub(crate) mod switches;
pub(crate) mod tokens;
pub(crate) mod trusted;
pub(crate) mod updates;
pub(crate) mod upkeep;
pub(crate) mod versions;
pub(crate) mod webhooks;

use flush::{Flusher, How, can_emit};
/// A connection, or the one of a transaction.
pub(crate) type Connection = AnyConnection;

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

/// Connections that one server keeps to its database.
const CONNECTIONS_MAX: u32 = 8;
/// How long a request waits for one of them before it is told to come again.
const CONNECTION_WAIT: Duration = Duration::from_secs(10);

/// How long an idle connection is taken to be alive.
const TRUSTED_FOR: Duration = Duration::from_secs(1);

/// What SQLite must be told on each connection: it neither waits, nor checks foreign
/// keys, nor (in WAL mode) syncs every commit by itself.
const SQLITE_PRAGMAS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
     PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 15000;";

/// What the connections of writers are told instead: their commits are flushed together
/// ([`flush`]), and a log that holds small archives may grow to 16 MiB before it is folded in.
const SQLITE_WRITER_PRAGMAS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; \
     PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 15000; PRAGMA wal_autocheckpoint = 4000;";

/// The same for PostgreSQL.
const POSTGRES_WRITER_SETTINGS: &str = "SET synchronous_commit TO off";

/// Why the database did not answer.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// The database itself refused or failed.
    #[error("the database failed")]
    Sql(#[from] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("the database's schema could not be brought up to date")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// A committed change could not be made durable.
    #[error("the database's log cannot be written to its disk")]
    Flush(#[source] std::io::Error),
    /// A row holds a value that this program does not understand.
    #[error("the database holds `{value}` where {expected} belongs")]
    Value {
        /// What was read.
        value: String,
        /// What should have been there.
        expected: &'static str,
    },
}

/// The registry's database.
#[derive(Debug, Clone)]
pub(crate) struct Db {
    pool: AnyPool,
    /// Where changes run: on SQLite, connections whose commits do not wait for the disk.
    writers: AnyPool,
    begin: &'static str,
    is_sqlite: bool,
    flusher: Arc<Flusher>,
    /// One writer of this process at a time: waiting here costs no connection, so that a
    /// writer that also reads always finds one. The database keeps other processes out.
    gate: Arc<Mutex<()>>,
}

/// A writing transaction; dropped without [`WriteTx::commit`], nothing happened.
pub(crate) struct WriteTx {
    tx: QuietTx,
    serial: u64,
    /// Whether the read side shows something of it.
    is_seen: bool,
}

/// A transaction that leaves the serial as it is; dropped without
/// [`QuietTx::commit`], nothing happened.
pub(crate) struct QuietTx {
    // Before the gate, so that it ends before the next writer starts.
    tx: Transaction<'static, Any>,
    /// Lines that the commit appends to the audit log.
    audited: Vec<AuditEntry>,
    _gate: OwnedMutexGuard<()>,
    flusher: Arc<Flusher>,
}

/// A connection whose commits do not wait for the disk.
pub(crate) struct Hasty {
    // Before the gate, so that it is free before the next writer starts.
    connection: PoolConnection<Any>,
    _gate: Option<OwnedMutexGuard<()>>,
}

impl Hasty {
    /// The connection to run a statement on.
    pub(crate) fn connection(&mut self) -> &mut AnyConnection {
        &mut self.connection
    }
}

impl Db {
    /// Opens `url`, or an SQLite file in `data` where there is none, and brings its schema
    /// up to date.
    pub(crate) async fn open(url: Option<&str>, data: &Path) -> Result<Self, DbError> {
        sqlx::any::install_default_drivers();
        let url = match url {
            Some(url) => url.to_owned(),
            None => sqlite_url(&data.join("registry.sqlite")),
        };
        let is_sqlite = url.starts_with("sqlite:");
        // A pool tries again until its time is over and forgets why; this says it at once.
        let mut first = AnyConnection::connect(&url).await?;
        let probe = if is_sqlite {
            SQLITE_PRAGMAS
        } else {
            "SELECT 1"
        };
        first.execute(probe).await?;
        first.close().await?;
        let pool = pool(&url, is_sqlite.then_some(SQLITE_PRAGMAS)).await?;
        MIGRATIONS.run(&pool).await?;
        // A deferred SQLite transaction that reads and then writes fails at once when another
        // writer came between; an immediate one waits its turn.
        let (begin, settings, how) = if is_sqlite {
            let how = log_of(&pool).await?.map_or(How::ByItself, How::Log);
            ("BEGIN IMMEDIATE", Some(SQLITE_WRITER_PRAGMAS), how)
        } else if can_emit(&pool).await {
            let how = How::Commit(pool.clone());
            ("BEGIN", Some(POSTGRES_WRITER_SETTINGS), how)
        } else {
            ("BEGIN", None, How::ByItself)
        };
        let writers = self::pool(&url, settings).await?;
        let db = Self {
            pool,
            writers,
            begin,
            is_sqlite,
            flusher: Arc::new(Flusher::new(how)),
            gate: Arc::default(),
        };
        search::prepare(&db).await?;
        Ok(db)
    }

    /// Opens a database that must be there already: a mistyped name must not make an empty
    /// one.
    pub(crate) async fn open_existing(url: &str, data: &Path) -> Result<Self, DbError> {
        sqlx::any::install_default_drivers();
        AnyConnection::connect(url).await?.close().await?;
        Self::open(Some(url), data).await
    }

    /// Whether this is SQLite: the few questions that only it can answer ask so.
    pub(crate) const fn is_sqlite(&self) -> bool {
        self.is_sqlite
    }

    /// The connections that readers use.
    pub(crate) const fn pool(&self) -> &AnyPool {
        &self.pool
    }

    /// A connection for questions that take several statements.
    pub(crate) async fn reading(&self) -> Result<sqlx::pool::PoolConnection<Any>, DbError> {
        Ok(self.pool.acquire().await?)
    }

    /// Starts a change of the registry; its serial is the next one.
    pub(crate) async fn write(&self) -> Result<WriteTx, DbError> {
        let mut tx = self.write_quietly().await?;
        let (serial,): (i64,) = sqlx::query_as(
            "UPDATE registry SET serial = serial + 1 WHERE only_row = 1 RETURNING serial",
        )
        .fetch_one(tx.connection())
        .await?;
        Ok(WriteTx {
            tx,
            serial: unsigned(serial)?,
            is_seen: false,
        })
    }

    /// Starts a change that nobody sees (a session, a token): the serial stays.
    pub(crate) async fn write_quietly(&self) -> Result<QuietTx, DbError> {
        let gate = Arc::clone(&self.gate).lock_owned().await;
        Ok(QuietTx {
            tx: self.writers.begin_with(self.begin).await?,
            _gate: gate,
            audited: Vec::new(),
            flusher: Arc::clone(&self.flusher),
        })
    }

    /// A connection for single statements that need not be durable before the next
    /// [`Db::flush`]. They wait for no writer of the registry where the database keeps rows
    /// apart.
    pub(crate) async fn hasty(&self) -> Result<Hasty, DbError> {
        let gate = if self.is_sqlite {
            Some(Arc::clone(&self.gate).lock_owned().await)
        } else {
            None
        };
        Ok(Hasty {
            connection: self.writers.acquire().await?,
            _gate: gate,
        })
    }

    /// Returns once everything that was committed before the call is durable.
    pub(crate) async fn flush(&self) -> Result<(), DbError> {
        self.flusher.flush().await
    }

    /// The serial of the last acknowledged change.
    pub(crate) async fn serial(&self) -> Result<u64, DbError> {
        let (serial,): (i64,) = sqlx::query_as("SELECT serial FROM registry WHERE only_row = 1")
            .fetch_one(&self.pool)
            .await?;
        unsigned(serial)
    }

    /// What the read side has not been told yet, up to the newest change.
    pub(crate) async fn open_jobs(&self) -> Result<Vec<String>, DbError> {
        let rows: Vec<(String,)> = sqlx::query_as("SELECT DISTINCT subject FROM jobs")
            .fetch_all(&self.pool)
            .await?;
        Ok(rows.into_iter().map(|(subject,)| subject).collect())
    }

    /// Closes every connection; SQLite's write-ahead log is folded into its file.
    pub(crate) async fn close(&self) {
        self.writers.close().await;
        self.pool.close().await;
    }
}

impl QuietTx {
    /// The connection to run statements on.
    pub(crate) fn connection(&mut self) -> &mut AnyConnection {
        &mut self.tx
    }

    /// Takes everything back at once, so that the next writer need not wait.
    pub(crate) async fn rollback(self) -> Result<(), DbError> {
        Ok(self.tx.rollback().await?)
    }

    /// Writes down who did what, as part of the commit.
    pub(crate) fn audit(
        &mut self,
        at: Timestamp,
        actor: &str,
        action: &str,
        subject: &str,
        detail: &str,
    ) {
        self.audited.push(AuditEntry {
            at,
            actor: actor.to_owned(),
            action: action.to_owned(),
            subject: subject.to_owned(),
            detail: detail.to_owned(),
        });
    }

    /// Makes the change durable.
    pub(crate) async fn commit(self) -> Result<(), DbError> {
        let flusher = Arc::clone(&self.flusher);
        self.commit_hastily().await?;
        flusher.flush().await
    }

    /// Makes the change visible to other transactions; a power failure may still take it
    /// back until the next [`Db::flush`].
    pub(crate) async fn commit_hastily(self) -> Result<(), DbError> {
        self.commit_at(Place::Quiet).await
    }

    async fn commit_at(mut self, place: Place) -> Result<(), DbError> {
        let audited = std::mem::take(&mut self.audited);
        audit::append(&mut self.tx, place, &audited).await?;
        Ok(self.tx.commit().await?)
    }
}

impl WriteTx {
    /// The serial that this change has once committed.
    pub(crate) const fn serial(&self) -> u64 {
        self.serial
    }

    /// The connection to run statements on.
    pub(crate) fn connection(&mut self) -> &mut AnyConnection {
        self.tx.connection()
    }

    /// Writes down who did what, as part of the commit; the event feed tells it too where the
    /// change has a job.
    pub(crate) fn audit(
        &mut self,
        at: Timestamp,
        actor: &str,
        action: &str,
        subject: &str,
        detail: &str,
    ) {
        self.tx.audit(at, actor, action, subject, detail);
    }

    /// Asks for the read side to be told about `subject` (`package:core`, `matrix`).
    pub(crate) async fn add_job(&mut self, subject: &str) -> Result<(), DbError> {
        self.is_seen = true;
        sqlx::query(
            "INSERT INTO jobs (serial, subject) VALUES ($1, $2) \
             ON CONFLICT (serial, subject) DO NOTHING",
        )
        .bind(signed(self.serial))
        .bind(subject.to_owned())
        .execute(self.tx.connection())
        .await?;
        if let Some(package) = subject.strip_prefix("package:") {
            search::mark_stale(self.tx.connection(), package).await?;
        }
        Ok(())
    }

    /// Notes where [`WriteTx::back_to_savepoint`] returns to.
    pub(crate) async fn set_savepoint(&mut self) -> Result<(), DbError> {
        self.connection().execute("SAVEPOINT one").await?;
        Ok(())
    }

    /// Takes back what was written since the last savepoint. Only for transactions that are
    /// taken back as a whole afterwards: their audit rows are none.
    pub(crate) async fn back_to_savepoint(&mut self) -> Result<(), DbError> {
        self.connection()
            .execute("ROLLBACK TO SAVEPOINT one")
            .await?;
        Ok(())
    }

    /// Takes everything back at once, so that the next writer need not wait.
    pub(crate) async fn rollback(self) -> Result<(), DbError> {
        self.tx.rollback().await
    }

    /// Makes the change durable.
    pub(crate) async fn commit(self) -> Result<u64, DbError> {
        let flusher = Arc::clone(&self.tx.flusher);
        let serial = self.commit_hastily().await?;
        flusher.flush().await?;
        Ok(serial)
    }

    /// Makes the change visible to other transactions; a power failure may still take it
    /// back until the next [`Db::flush`]. Showing it on the read side flushes first.
    pub(crate) async fn commit_hastily(self) -> Result<u64, DbError> {
        self.tx
            .commit_at(Place::Change {
                serial: self.serial,
                is_seen: self.is_seen,
            })
            .await?;
        Ok(self.serial)
    }
}

async fn pool(url: &str, pragmas: Option<&'static str>) -> Result<AnyPool, DbError> {
    let mut options = AnyPoolOptions::new()
        .max_connections(CONNECTIONS_MAX)
        .acquire_timeout(CONNECTION_WAIT)
        // By default each use asks first whether the connection lives: one more round trip for
        // each statement. One that was in use a moment ago lives, or fails like any other.
        .test_before_acquire(false)
        .before_acquire(|connection, about| {
            Box::pin(async move {
                if about.idle_for > TRUSTED_FOR {
                    connection.ping().await?;
                }
                Ok(true)
            })
        });
    if let Some(pragmas) = pragmas {
        options = options.after_connect(move |connection, _| {
            Box::pin(async move { connection.execute(pragmas).await.map(drop) })
        });
    }
    Ok(options.connect(url).await?)
}

/// SQLite's write-ahead log; `None` for a database that has no file.
async fn log_of(pool: &AnyPool) -> Result<Option<PathBuf>, DbError> {
    let (file,): (String,) =
        sqlx::query_as("SELECT file FROM pragma_database_list WHERE name = 'main'")
            .fetch_one(pool)
            .await?;
    Ok((!file.is_empty()).then(|| PathBuf::from(format!("{file}-wal"))))
}

fn sqlite_url(file: &Path) -> String {
    // `%`, `?` and `#` would otherwise end the path of the URL.
    let path = file
        .to_string_lossy()
        .replace('%', "%25")
        .replace('?', "%3f")
        .replace('#', "%23");
    format!("sqlite://{path}?mode=rwc")
}

/// A number as the database keeps it. Ours count bytes and changes: far below 2^63.
pub(crate) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A number that the database keeps and that cannot be negative.
pub(crate) fn unsigned(value: i64) -> Result<u64, DbError> {
    u64::try_from(value).map_err(|_| DbError::Value {
        value: value.to_string(),
        expected: "a number that is not negative",
    })
}

/// Reads a value that the database keeps as text.
pub(crate) fn parsed<T: std::str::FromStr>(
    text: &str,
    expected: &'static str,
) -> Result<T, DbError> {
    text.parse().map_err(|_| DbError::Value {
        value: text.to_owned(),
        expected,
    })
}

/// Reads a value that the database keeps as JSON.
pub(crate) fn from_json<T: DeserializeOwned>(
    text: &str,
    expected: &'static str,
) -> Result<T, DbError> {
    serde_json::from_str(text).map_err(|_| DbError::Value {
        value: text.to_owned(),
        expected,
    })
}

/// Reads a digest that the database keeps as hexadecimal digits.
pub(crate) fn digest(hex: &str) -> Result<Digest, DbError> {
    Digest::from_hex(hex).map_err(|_| DbError::Value {
        value: hex.to_owned(),
        expected: "a digest",
    })
}

/// Writes a value as the JSON that the database keeps.
pub(crate) fn to_json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("our shapes have string keys and no failing serialisers")
}
