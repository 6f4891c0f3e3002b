//! What an operator may choose, with the defaults that need no choosing.

use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use url::Url;

use crate::listener::tls::TlsFiles;
use crate::rules::rate::Rates;
use crate::watch::Metrics;

/// Everything that a server is started with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folder of keys, admin token, staging area and, by default, database and files.
    pub data: PathBuf,
    /// Where to listen: `127.0.0.1:8080`; port 0 takes a free one.
    pub listen: String,
    /// The base URL that the world reaches this registry under; `http://<listen>` if none.
    pub public_url: Option<Url>,
    /// `postgres://…` or `sqlite://…`; an SQLite file in `data` if none.
    pub database: Option<String>,
    /// `s3://bucket/prefix` or a folder; `data/public` if none.
    pub storage: Option<String>,
    /// What people call this registry.
    pub name: String,
    /// `AWS_…` variables for `s3://`.
    pub storage_options: Vec<(String, String)>,
    /// How patient the listener is.
    pub limits: Limits,
    /// The certificate that TLS ends with; plain HTTP if none.
    pub tls: Option<TlsFiles>,
    /// Proxies: what they say about a client's address is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// How often callers may ask.
    pub rates: Rates,
    /// Takes no changes.
    pub read_only: bool,
    /// What this process has counted, to be shown.
    pub metrics: Option<Metrics>,
    /// An address where metrics are shown to everyone who reaches it.
    pub metrics_listen: Option<String>,
    /// Private networks that webhooks may reach.
    pub webhook_networks: Vec<IpNet>,
    /// Where to die, for the tests that kill a server half-way.
    pub crash: Option<CrashPoint>,
}

impl Settings {
    /// The defaults for a registry in a folder, on a free port of this machine.
    pub fn in_folder(data: PathBuf) -> Self {
        Self {
            data,
            listen: "127.0.0.1:0".to_owned(),
            public_url: None,
            database: None,
            storage: None,
            name: "provisioning".to_owned(),
            storage_options: Vec::new(),
            limits: Limits::default(),
            tls: None,
            trusted_proxies: Vec::new(),
            rates: Rates::default(),
            read_only: false,
            metrics: None,
            metrics_listen: None,
            webhook_networks: Vec::new(),
            crash: None,
        }
    }
}

/// How patient the listener is, and how many connections it holds.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// A request's head must be complete after this long; also the longest idle keep-alive.
    pub header: Duration,
    /// The longest wait for the next bytes of a body.
    pub body_stall: Duration,
    /// A body that was waited for this long in sum …
    pub body_window: Duration,
    /// … must have brought this many bytes for each second of it.
    pub body_rate_min: u64,
    /// The longest wait for a client to take bytes of an answer.
    pub write_stall: Duration,
    /// Connections in all.
    pub connections: usize,
    /// Connections from one address.
    pub connections_per_address: usize,
    /// How long requests may go on after a shutdown was asked for.
    pub shutdown: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header: Duration::from_secs(10),
            body_stall: Duration::from_secs(15),
            body_window: Duration::from_secs(20),
            body_rate_min: 1024,
            write_stall: Duration::from_mins(1),
            connections: 4096,
            connections_per_address: 512,
            shutdown: Duration::from_secs(20),
        }
    }
}

/// A step of a publish after which a server under test aborts, as `kill -9` would end it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrashPoint {
    /// The session is open; nothing was sent.
    Opened,
    /// An archive was staged but is not in the store.
    Staged,
    /// An archive is in the store but not in the database.
    Stored,
    /// An archive is in the store and in the database.
    Arrived,
    /// All archives arrived; nothing else happened.
    BeforeCommit,
    /// All rows are written, and not committed.
    InCommit,
    /// The database has the change, the read side does not.
    Committed,
    /// Index entries are written, metadata is not.
    TargetsWritten,
    /// All metadata but the timestamp is written.
    BeforeTimestamp,
    /// The database says that the change is readable, `timestamp.json` does not.
    Switched,
    /// Everyone can see the change; its publisher was not told.
    Visible,
}

impl CrashPoint {
    /// Every point, in the order in which a publish passes them.
    pub const ALL: [Self; 11] = [
        Self::Opened,
        Self::Staged,
        Self::Stored,
        Self::Arrived,
        Self::BeforeCommit,
        Self::InCommit,
        Self::Committed,
        Self::TargetsWritten,
        Self::BeforeTimestamp,
        Self::Switched,
        Self::Visible,
    ];

    /// The word used on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Staged => "staged",
            Self::Stored => "stored",
            Self::Arrived => "arrived",
            Self::BeforeCommit => "before-commit",
            Self::InCommit => "in-commit",
            Self::Committed => "committed",
            Self::TargetsWritten => "targets-written",
            Self::BeforeTimestamp => "before-timestamp",
            Self::Switched => "switched",
            Self::Visible => "visible",
        }
    }
}

impl std::str::FromStr for CrashPoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|it| it.as_str() == text)
            .ok_or_else(|| format!("`{text}` is no crash point"))
    }
}
