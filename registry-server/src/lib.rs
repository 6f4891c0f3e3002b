//! The registry: stores what was published, signs it, serves it.
//!
//! The read side is static files under TUF metadata; the database is asked by writers
//! alone. A publish is acknowledged when it is durable and readable.
//!
//! | file | noun |
//! | --- | --- |
//! | `settings` | what an operator may choose |
//! | `setup` | the data folder: lock, keys, admin token |
//! | `server` | from settings to the last request; jobs beside it |
//! | `listener` | connections, and how bad ones end |
//! | `limits` | how often callers may ask |
//! | `switchboard` | what an operator holds back |
//! | `downloads` | how often archives are asked for |
//! | `webhooks` | addresses that are told of changes |
//! | `watch` | what Prometheus reads |
//! | `router` | the route table: path, method, action, handler |
//! | `routes` | handlers, a file for each resource |
//! | `rules` | what is decided: access, declarations, manifests, bundles |
//! | `identity` | changes of users, teams, owners and tokens |
//! | `administration` | the same at the operator's command line |
//! | `oidc` | checks the tokens of other systems' issuers |
//! | `admission` | what may not be added at all |
//! | `gates` | what holds a checked session back |
//! | `publish` | the transaction that makes a session part of the registry |
//! | `db` | SQL, and nowhere else |
//! | `staging` | uploads until they are known to be right |
//! | `storage` | files on disk or in a bucket |
//! | `read_side` | the projection of the database that clients read |
//! | `settling` | making files durable that were written in haste |
//! | `upkeep` | fsck, gc, export and copies, beside a running server |
//! | `page` | the page for browsers |
//! | `problem` | what is answered when it is not that |

mod administration;
mod admission;
mod app;
mod db;
mod downloads;
mod gates;
mod identity;
mod lease;
mod limits;
mod listener;
mod oidc;
mod page;
mod problem;
mod publish;
mod random;
mod read_side;
mod router;
mod routes;
mod rules;
mod server;
mod settings;
mod settling;
mod setup;
mod signing;
mod staging;
mod storage;
mod switchboard;
mod tracing_context;
mod upkeep;
mod watch;
mod webhooks;

use rustix::process::{Resource, getrlimit, setrlimit};

pub use administration::{Administration, TokenOrder};
pub use app::Clock;
pub use db::DbError;
pub use listener::tls::{Tls, TlsError, TlsFiles};
pub use problem::{Code, Refusal, ServerError};
pub use router::{Route, table};
pub use rules::access::{
    Action, Bearer, Denied, Grant, Principal, Scope, Subject, TokenUser, UnknownScope, decide,
};
pub use rules::rate::{BadRate, Rate, RateClass, RateSetting, Rates};
pub use server::{Server, StartError};
pub use settings::{CrashPoint, Limits, Settings};
pub use setup::SetupError;
pub use storage::StorageError;
pub use upkeep::{
    BackedUp, Collected, CopiedTable, Exported, Finding, FindingCode, FsckOptions, GcOptions,
    KeyState, Place, Upkeep, UpkeepError, copy_database, key_states, restore,
};
pub use watch::Metrics;

/// Lets this process open as many files as the system allows: each connection is one, and
/// many systems start with 1,024.
pub fn raise_file_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(error = %error, "the limit of open files stays low: {error}");
    }
}
