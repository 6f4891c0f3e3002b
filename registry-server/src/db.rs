//! The database: what was acknowledged. Every SQL statement of the server is below this
//! module, in one text that SQLite and PostgreSQL both take.
//!
//! Readers use the pool. Writers go through [`Db::write`], which takes the registry's row
//! first, so that two of them (also in two processes) never interleave.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use provisioning_package::Digest;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::any::AnyPoolOptions;
use sqlx::{Any, AnyConnection, AnyPool, Connection as _, Executor as _, Transaction};
use tokio::sync::{Mutex, OwnedMutexGuard};

pub(crate) mod archives;
pub(crate) mod bundles;
pub(crate) mod matrix;
pub(crate) mod packages;
pub(crate) mod policy;
pub(crate) mod reservations;
pub(crate) mod rows;
pub(crate) mod sessions;
pub(crate) mod tokens;
pub(crate) mod upkeep;
pub(crate) mod versions;

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

/// Connections that one server keeps to its database.
const CONNECTIONS_MAX: u32 = 8;
/// How long a request waits for one of them before it is told to come again.
const CONNECTION_WAIT: Duration = Duration::from_secs(10);

/// What SQLite must be told on each connection: it neither waits, nor checks foreign
/// keys, nor (in WAL mode) syncs every commit by itself.
const SQLITE_PRAGMAS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
     PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 15000;";

/// Why the database did not answer.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// The database itself refused or failed.
    #[error("the database failed")]
    Sql(#[from] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("the database's schema could not be brought up to date")]
    Migrate(#[from] sqlx::migrate::MigrateError),
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
    begin: &'static str,
    is_sqlite: bool,
    /// One writer of this process at a time: waiting here costs no connection, so that a
    /// writer that also reads always finds one. The database keeps other processes out.
    gate: Arc<Mutex<()>>,
}

/// A writing transaction; dropped without [`WriteTx::commit`], nothing happened.
pub(crate) struct WriteTx {
    tx: QuietTx,
    serial: u64,
    audited: i64,
}

/// A transaction that leaves the serial as it is; dropped without
/// [`QuietTx::commit`], nothing happened.
pub(crate) struct QuietTx {
    // Before the gate, so that it ends before the next writer starts.
    tx: Transaction<'static, Any>,
    _gate: OwnedMutexGuard<()>,
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
        let mut options = AnyPoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            .acquire_timeout(CONNECTION_WAIT);
        if is_sqlite {
            options = options.after_connect(|connection, _| {
                Box::pin(async move { connection.execute(SQLITE_PRAGMAS).await.map(drop) })
            });
        }
        let pool = options.connect(&url).await?;
        MIGRATIONS.run(&pool).await?;
        // A deferred SQLite transaction that reads and then writes fails at once when
        // another writer came between; an immediate one waits its turn.
        let begin = if is_sqlite {
            "BEGIN IMMEDIATE"
        } else {
            "BEGIN"
        };
        Ok(Self {
            pool,
            begin,
            is_sqlite,
            gate: Arc::default(),
        })
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
            audited: 0,
        })
    }

    /// Starts a change that nobody sees (a session, a token): the serial stays.
    pub(crate) async fn write_quietly(&self) -> Result<QuietTx, DbError> {
        let gate = Arc::clone(&self.gate).lock_owned().await;
        Ok(QuietTx {
            tx: self.pool.begin_with(self.begin).await?,
            _gate: gate,
        })
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

    /// Forgets the jobs of every change up to `serial`: the read side shows them.
    pub(crate) async fn close_jobs(&self, serial: u64) -> Result<(), DbError> {
        sqlx::query("DELETE FROM jobs WHERE serial <= $1")
            .bind(signed(serial))
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Closes every connection; SQLite's write-ahead log is folded into its file.
    pub(crate) async fn close(&self) {
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

    /// Makes the change durable.
    pub(crate) async fn commit(self) -> Result<(), DbError> {
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

    /// Writes down who did what.
    pub(crate) async fn audit(
        &mut self,
        at: Timestamp,
        actor: &str,
        action: &str,
        subject: &str,
        detail: &str,
    ) -> Result<(), DbError> {
        self.audited += 1;
        sqlx::query(
            "INSERT INTO audit (serial, position, at, actor, action, subject, detail) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(signed(self.serial))
        .bind(self.audited)
        .bind(at.to_string())
        .bind(actor.to_owned())
        .bind(action.to_owned())
        .bind(subject.to_owned())
        .bind(detail.to_owned())
        .execute(self.tx.connection())
        .await?;
        Ok(())
    }

    /// Asks for the read side to be told about `subject` (`package:core`, `matrix`).
    pub(crate) async fn add_job(&mut self, subject: &str) -> Result<(), DbError> {
        sqlx::query(
            "INSERT INTO jobs (serial, subject) VALUES ($1, $2) \
             ON CONFLICT (serial, subject) DO NOTHING",
        )
        .bind(signed(self.serial))
        .bind(subject.to_owned())
        .execute(self.tx.connection())
        .await?;
        Ok(())
    }

    /// Takes everything back at once, so that the next writer need not wait.
    pub(crate) async fn rollback(self) -> Result<(), DbError> {
        self.tx.rollback().await
    }

    /// Makes the change durable.
    pub(crate) async fn commit(self) -> Result<u64, DbError> {
        self.tx.commit().await?;
        Ok(self.serial)
    }
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
