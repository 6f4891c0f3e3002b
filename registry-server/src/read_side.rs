//! The read side as a projection of the database.
//!
//! A change is acknowledged when it is committed, durable *and* readable: index entries and
//! other targets are written first, then the TUF metadata that lists them. Then the database
//! says that this is what counts now, and `timestamp.json`, last, says it to clients. Bringing
//! the read side up to date is idempotent: killed at any point, doing it again gives the same
//! result, because nothing that is written before the switch is referenced by anything that a
//! client trusts.
//!
//! Changes that commit while another one is being signed are signed together. Several servers
//! may sign for one database and storage, one at a time (`turn`): the right to do so comes with
//! a number that nobody else gets, which is the version of all that is signed with it, and it is
//! checked again in the transaction that makes the result count. A server that was taken for
//! dead therefore neither overwrites a file of another one nor shows anything.
//!
//! | file | noun |
//! | --- | --- |
//! | `opening` | what a start finds, and the first metadata |
//! | `render` | the bytes of each target |
//! | `accepted` | what people have signed, put in force |
//! | `beating` | saying that this server lives while it signs |
//! | `files` | writing and reading them |
//! | `keys` | the private keys at hand |
//! | `shared` | signing keys of several servers |
//! | `turn` | whose turn it is to sign |
//! | `view` | what clients can read now |
//! | `subject` | what a change was about |

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};

use bytes::Bytes;
use provisioning_registry_api::discovery::{Discovery, PROTOCOL};
use provisioning_registry_api::paths;
use provisioning_trust::{KeySet, MetadataFile, Repository, SignError};
use tokio::sync::{Mutex, watch};

use crate::app::App;
use crate::db::proposals::ProposalRow;
use crate::db::signing::{Shown, SigningRight, SigningRow};
use crate::db::{Db, DbError};
use crate::problem::{Code, Refusal, ServerError};
use crate::settings::CrashPoint;

mod accepted;
mod beating;
mod files;
mod keys;
mod opening;
mod render;
mod shared;
mod subject;
mod turn;
mod view;

use beating::while_beating;
use files::{load, switch_of, write_metadata, write_targets};
pub(crate) use opening::Opening;
pub(crate) use render::{ScriptFacts, Site, newest, render, render_in};
pub(crate) use subject::Subject;
use turn::Turn;
use view::Newest;
pub(crate) use view::View;

/// The file whose writing makes a change visible.
pub(crate) const TIMESTAMP: &str = "metadata/timestamp.json";

/// How often a round is begun again after another server took the right to sign away.
const ROUND_TRIES_MAX: usize = 8;

/// A target as it should be.
#[derive(Debug, Clone)]
pub(crate) struct Rendered {
    pub(crate) path: String,
    pub(crate) bytes: Bytes,
}

/// Signs, and knows what is readable.
pub(crate) struct ReadSide {
    keys: RwLock<Arc<KeySet>>,
    /// This server among those of one database: the same each time it starts.
    holder: String,
    name: String,
    public_url: String,
    /// One round of this process at a time; those who wait for it are served together.
    turn: Mutex<()>,
    newest: Newest,
    /// Whether everything was compared with the database since the start.
    is_complete: AtomicBool,
    /// Whether files that are listed may be missing, since the last run did not end well.
    is_suspect: AtomicBool,
    /// Whether the storage may have an older timestamp than the one in force.
    is_timestamp_due: AtomicBool,
}

/// What a round is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    /// What the newest changes ask for.
    Jobs,
    /// Everything that the database has.
    All,
    /// Only what grows old.
    Refresh,
}

/// What a round signed: the next state, its files, and the serial that they show.
struct Signed {
    repository: Repository,
    files: Vec<MetadataFile>,
    serial: u64,
    /// What people have signed and this round puts in force.
    accepted: Vec<ProposalRow>,
}

impl ReadSide {
    /// Refuses a database that does not know what is published: an empty one in the place of
    /// a lost one would take other bytes for versions that people have installed.
    pub(crate) async fn refuse_lost_database(&self, db: &Db) -> Result<(), ServerError> {
        let known: BTreeSet<String> = db
            .package_names()
            .await?
            .iter()
            .map(paths::index_target)
            .collect();
        let view = self.view();
        let lost = view
            .repository
            .targets()
            .map(|(_, path)| path)
            .find(|path| path.starts_with("index/") && !known.contains(*path));
        match lost {
            None => Ok(()),
            Some(path) => Err(ServerError::Failed(format!(
                "`{path}` is published, but the database does not know that package: restore the \
                 database from a backup, or correct `--database` or `--storage`"
            ))),
        }
    }

    /// What clients can read now.
    pub(crate) fn view(&self) -> Arc<View> {
        self.newest.get()
    }

    /// Tells when more is visible.
    pub(crate) fn visible(&self) -> watch::Receiver<u64> {
        self.newest.watch()
    }

    /// The base URL without its last slash.
    pub(crate) fn public_url(&self) -> &str {
        &self.public_url
    }

    /// What people call this registry.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Where everything is; `api` is `None` for the copy that lies beside the files.
    pub(crate) fn discovery(&self, api: Option<&str>) -> Discovery {
        let view = self.view();
        Discovery {
            protocol: PROTOCOL,
            name: self.name.clone(),
            metadata: paths::METADATA.to_owned(),
            targets: paths::TARGETS.to_owned(),
            archives: paths::ARCHIVES.to_owned(),
            api: api.map(str::to_owned),
            auth_required: false,
            root_version: view.repository.root_version(),
            root_fingerprint: view.repository.root_fingerprint(),
            origin: None,
            contents: None,
        }
    }

    /// Makes an acknowledged change readable, or tells its author that it is kept and will
    /// be: the jobs beside the requests go on trying.
    pub(crate) async fn show_change(&self, app: &App, serial: u64) -> Result<(), ServerError> {
        self.bring_up_to(app, serial).await.map_err(|error| {
            let why = error.into_refusal().detail;
            let detail = format!("the change is kept, but cannot be shown yet: {why}");
            Refusal::new(Code::NotVisibleYet, detail)
                .hint("the registry goes on trying; the same request again is harmless")
                .into()
        })
    }

    /// Does what is left to do: everything after a start that could not, otherwise what the
    /// newest changes ask for.
    pub(crate) async fn catch_up(&self, app: &App) -> Result<(), ServerError> {
        if self.is_complete.load(Ordering::Acquire) {
            self.bring_up_to(app, app.db.serial().await?).await
        } else {
            self.bring_all_up(app).await
        }
    }

    /// Makes every change up to `serial` readable.
    pub(crate) async fn bring_up_to(&self, app: &App, serial: u64) -> Result<(), ServerError> {
        if self.view().serial >= serial {
            return Ok(());
        }
        let _turn = self.turn.lock().await;
        if self.view().serial >= serial {
            // Whoever had the turn before signed this change too.
            return Ok(());
        }
        self.round(app, Work::Jobs, |row| row.serial >= serial)
            .await
    }

    /// Compares everything with the database, as a start does.
    pub(crate) async fn bring_all_up(&self, app: &App) -> Result<(), ServerError> {
        let _turn = self.turn.lock().await;
        self.round(app, Work::All, |_| false).await?;
        let discovery = serde_json::to_vec(&self.discovery(None))
            .expect("the discovery document has string keys");
        if app.storage.read(paths::DISCOVERY).await?.as_deref() != Some(&discovery[..]) {
            app.storage.put(paths::DISCOVERY, discovery).await?;
        }
        self.is_suspect.store(false, Ordering::Release);
        self.is_complete.store(true, Ordering::Release);
        Ok(())
    }

    /// Signs again what is near its expiry: the timestamp hourly, others in their time.
    pub(crate) async fn refresh(&self, app: &App) -> Result<(), ServerError> {
        let mut state = self.view().repository.clone();
        if state.refresh(&self.keys(), app.now())?.is_empty() {
            return Ok(());
        }
        let _turn = self.turn.lock().await;
        self.round(app, Work::Refresh, |_| false).await
    }

    /// Takes over what another server showed since.
    pub(crate) async fn follow(&self, app: &App) -> Result<(), ServerError> {
        let (shown, serial) = app.db.shown().await?;
        let view = self.view();
        if shown <= view.repository.timestamp_version() && serial <= view.serial {
            return Ok(());
        }
        let row = app.db.signing().await?;
        self.take_over(app, &row).await
    }

    /// Makes files durable that were written without waiting for the disk, and remembers
    /// the state that they are; says whether there were any.
    pub(crate) async fn settle(&self, app: &App) -> Result<bool, ServerError> {
        let view = self.view();
        let is_new = app.storage.settle().await?;
        if is_new {
            let text = String::from_utf8_lossy(&view.timestamp);
            let version = view.repository.timestamp_version();
            app.db.keep_signed(version, &text).await?;
        }
        Ok(is_new)
    }

    /// What this server is called among those of one database.
    pub(crate) fn server(&self) -> &str {
        &self.holder
    }

    /// Writes the timestamp in force to the storage where that may have an older one: a
    /// server may have ended, or been stopped, between the switch and this.
    pub(crate) async fn mend_timestamp(&self, app: &App) -> Result<(), ServerError> {
        let is_due = self.is_timestamp_due.load(Ordering::Acquire);
        if !is_due && app.db.is_sqlite() {
            return Ok(());
        }
        let stored = app.storage.read(TIMESTAMP).await?;
        let row = app.db.signing().await?;
        if row.shown > 0 && stored.as_deref() != Some(row.timestamp.as_bytes()) {
            self.write_timestamp(app, row.shown, row.timestamp.into())
                .await?;
        }
        self.is_timestamp_due.store(false, Ordering::Release);
        Ok(())
    }

    /// Signs when this server's turn comes, unless others do enough of it before.
    async fn round(
        &self,
        app: &App,
        work: Work,
        is_enough: impl Fn(&SigningRow) -> bool,
    ) -> Result<(), ServerError> {
        for _ in 0..ROUND_TRIES_MAX {
            let (right, row) = match turn::wait(&app.db, &self.holder, &is_enough).await? {
                Turn::Shown(row) => return self.take_over(app, &row).await,
                Turn::Mine(right, row) => (right, row),
            };
            let signing = self.sign_and_show(app, (&right, &row), work);
            match while_beating(&app.db, &right, signing).await {
                Ok(true) => return Ok(()),
                Ok(false) => tracing::warn!("another server took the right to sign over"),
                Err(error) => {
                    // If this fails too, the others wait until this server seems dead.
                    let _ = app.db.release_signing(&right).await;
                    return Err(error);
                }
            }
        }
        Err(ServerError::Failed(
            "other servers took the right to sign away again and again".to_owned(),
        ))
    }

    /// `false` where the right to sign was lost on the way.
    async fn sign_and_show(
        &self,
        app: &App,
        (right, row): (&SigningRight, &SigningRow),
        work: Work,
    ) -> Result<bool, ServerError> {
        let mut repository = self.state(app, row).await?;
        repository.number_from(right.number());
        self.take_shared_keys(app, &repository).await?;
        let signed = match work {
            Work::Refresh => self.refreshed(app, repository, row.serial).await?,
            Work::Jobs | Work::All => self.signed(app, repository, work).await?,
        };
        let (timestamp, is_switch) = match switch_of(signed.files) {
            None => (Bytes::from(row.timestamp.clone()), false),
            Some((files, timestamp)) => {
                write_metadata(&app.storage, files).await?;
                (timestamp, true)
            }
        };
        app.may_crash(CrashPoint::BeforeTimestamp);
        let version = signed.repository.timestamp_version();
        let shown = Shown {
            version,
            serial: signed.serial,
            timestamp: String::from_utf8_lossy(&timestamp).into_owned(),
        };
        if !app.db.show_signed(right, &shown).await? {
            return Ok(false);
        }
        let view = View::new(signed.repository, timestamp.clone(), signed.serial);
        self.newest.advance(view);
        app.may_crash(CrashPoint::Switched);
        if is_switch {
            self.write_timestamp(app, version, timestamp).await?;
        }
        self.close(app, &signed.accepted).await?;
        Ok(true)
    }

    /// Renders and signs. Everything is read before the flush begins: nothing that a power
    /// failure could take back is shown, and no number that it could give out again is used.
    async fn signed(
        &self,
        app: &App,
        repository: Repository,
        work: Work,
    ) -> Result<Signed, ServerError> {
        let serial = app.db.serial().await?;
        let subjects = if work == Work::All {
            self.all_subjects(&app.db).await?
        } else {
            let jobs = app.db.open_jobs().await?;
            jobs.iter().filter_map(|it| Subject::parse(it)).collect()
        };
        let site = Site {
            public_url: &self.public_url,
            name: &self.name,
        };
        let rendered = render(&app.db, Some(site), &repository, &subjects).await?;
        let accepted = accepted::usable(app, &repository).await?;
        let keys = self.keys();
        let rendered = accepted::signable(&repository, &keys, &accepted, rendered)?;
        let signing = self.write_and_sign(app, repository, (rendered, &accepted));
        let flushing = async { app.db.flush().await.map_err(ServerError::from) };
        let ((repository, files), ()) = tokio::try_join!(signing, flushing)?;
        Ok(Signed {
            repository,
            files,
            serial,
            accepted,
        })
    }

    async fn write_and_sign(
        &self,
        app: &App,
        repository: Repository,
        (rendered, accepted): (Vec<Rendered>, &[ProposalRow]),
    ) -> Result<(Repository, Vec<MetadataFile>), ServerError> {
        let is_suspect = self.is_suspect.load(Ordering::Acquire);
        let mut changes = write_targets(&app.storage, &repository, rendered, is_suspect).await?;
        app.may_crash(CrashPoint::TargetsWritten);
        // What a proposal lists is no change of ours.
        changes.retain(|it| {
            !accepted
                .iter()
                .any(|row| row.contents.contains_key(&it.path))
        });
        let proposals: Vec<_> = accepted
            .iter()
            .flat_map(|it| it.proposals.iter().cloned())
            .collect();
        let keys = self.keys();
        let now = app.now();
        let signed = tokio::task::spawn_blocking(move || {
            let mut next = repository;
            let files = next.advance(&keys, &proposals, &changes, now)?;
            Ok::<_, SignError>((next, files))
        });
        let signed = signed
            .await
            .map_err(|failure| ServerError::Failed(format!("signing failed: {failure}")))?;
        Ok(signed?)
    }

    async fn refreshed(
        &self,
        app: &App,
        mut repository: Repository,
        serial: u64,
    ) -> Result<Signed, ServerError> {
        app.db.flush().await?;
        let files = repository.refresh(&self.keys(), app.now())?;
        Ok(Signed {
            repository,
            files,
            serial,
            accepted: Vec::new(),
        })
    }

    async fn all_subjects(&self, db: &Db) -> Result<BTreeSet<Subject>, DbError> {
        let mut subjects = BTreeSet::from([Subject::Matrix, Subject::Bundles, Subject::Scripts]);
        let names = db.package_names().await?;
        subjects.extend(names.into_iter().map(Subject::Package));
        Ok(subjects)
    }

    /// The state that the row says is in force.
    async fn state(&self, app: &App, row: &SigningRow) -> Result<Repository, ServerError> {
        let view = self.view();
        if view.repository.timestamp_version() == row.shown {
            return Ok(view.repository.clone());
        }
        let timestamp = Bytes::from(row.timestamp.clone());
        load(&app.storage, timestamp, Some(view.repository.clone())).await
    }

    async fn take_over(&self, app: &App, row: &SigningRow) -> Result<(), ServerError> {
        let repository = self.state(app, row).await?;
        let timestamp = Bytes::from(row.timestamp.clone());
        self.newest
            .advance(View::new(repository, timestamp, row.serial));
        Ok(())
    }

    /// Writes the timestamp for those who read the storage itself. A server that was stopped
    /// on the way here may write an older one over a newer: whoever wrote looks again.
    async fn write_timestamp(
        &self,
        app: &App,
        version: u64,
        timestamp: Bytes,
    ) -> Result<(), ServerError> {
        self.is_timestamp_due.store(true, Ordering::Release);
        let (mut version, mut timestamp) = (version, timestamp);
        loop {
            app.storage.put_hastily(TIMESTAMP, timestamp).await?;
            if app.db.is_sqlite() || app.db.shown().await?.0 == version {
                break;
            }
            let row = app.db.signing().await?;
            (version, timestamp) = (row.shown, row.timestamp.into());
        }
        self.is_timestamp_due.store(false, Ordering::Release);
        Ok(())
    }
}
