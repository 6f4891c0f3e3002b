//! The read side as a projection of the database.
//!
//! A change is acknowledged when it is committed *and* readable: index entries and other
//! targets are written first, then the TUF metadata that lists them, its timestamp last.
//! Bringing the read side up to date is idempotent: killed at any point, doing it again
//! gives the same result, because nothing that is written before the timestamp is
//! referenced by anything that a client trusts.
//!
//! Changes that commit while another one is being signed are signed together.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use provisioning_package::Digest;
use provisioning_registry_api::discovery::{Discovery, PROTOCOL};
use provisioning_registry_api::paths;
use provisioning_trust::{KeySet, MetadataFile, Repository, SignError, TargetChange, TargetFacts};
use tokio::sync::Mutex;

use crate::app::App;
use crate::db::Db;
use crate::problem::{Code, Refusal, ServerError};
use crate::settings::CrashPoint;
use crate::storage::Storage;

mod render;
mod subject;

pub(crate) use render::{ScriptFacts, Site, newest, render};
pub(crate) use subject::Subject;

/// Files that are written at once; each waits for the disk.
const WRITES_AT_ONCE: usize = 8;

/// The file whose writing makes a change visible.
pub(crate) const TIMESTAMP: &str = "metadata/timestamp.json";

/// A target as it should be.
#[derive(Debug, Clone)]
pub(crate) struct Rendered {
    pub(crate) path: String,
    pub(crate) bytes: Bytes,
}

/// What clients can read now.
#[derive(Clone)]
pub(crate) struct View {
    /// Every change up to this serial is readable.
    pub(crate) serial: u64,
    /// What the metadata lists.
    pub(crate) repository: Repository,
}

/// Signs, and knows what is readable.
pub(crate) struct ReadSide {
    keys: Arc<KeySet>,
    name: String,
    public_url: String,
    /// The state on disk; `None` after a write that may or may not have landed.
    signing: Mutex<Option<Repository>>,
    view: RwLock<Arc<View>>,
    /// Whether everything was compared with the database since the start.
    is_complete: AtomicBool,
}

impl ReadSide {
    /// Takes over the metadata that is stored, or makes the first.
    pub(crate) async fn open(
        storage: &Storage,
        keys: KeySet,
        (name, public_url): (String, String),
        (serial, now): (u64, Timestamp),
    ) -> Result<Self, ServerError> {
        let repository = match storage.read(TIMESTAMP).await? {
            Some(_) => load(storage).await?,
            // The first start, or one that was killed before its timestamp: nobody has
            // seen anything yet.
            None if serial == 0 => {
                let (repository, files) = Repository::create(&keys, now)?;
                write_metadata(storage, files, || ()).await?;
                repository
            }
            None => {
                return Err(ServerError::Failed(
                    "the database has packages, but `metadata/timestamp.json` is missing from \
                     the storage: is `--storage` right?"
                        .to_owned(),
                ));
            }
        };
        Ok(Self {
            keys: Arc::new(keys),
            name,
            public_url,
            view: RwLock::new(Arc::new(View {
                serial: 0,
                repository: repository.clone(),
            })),
            signing: Mutex::new(Some(repository)),
            is_complete: AtomicBool::new(false),
        })
    }

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
        Arc::clone(&self.view.read().unwrap_or_else(PoisonError::into_inner))
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
        let mut signing = self.signing.lock().await;
        if self.view().serial >= serial {
            // Whoever held the lock before signed this change too.
            return Ok(());
        }
        let newest = app.db.serial().await?;
        let jobs = app.db.open_jobs().await?;
        let subjects = jobs.iter().filter_map(|it| Subject::parse(it)).collect();
        self.show(app, &mut signing, &subjects, newest).await?;
        app.db.close_jobs(newest).await?;
        Ok(())
    }

    /// Compares everything with the database, as a start does.
    pub(crate) async fn bring_all_up(&self, app: &App) -> Result<(), ServerError> {
        let mut signing = self.signing.lock().await;
        let newest = app.db.serial().await?;
        let mut subjects = BTreeSet::from([Subject::Matrix, Subject::Bundles, Subject::Scripts]);
        let names = app.db.package_names().await?;
        subjects.extend(names.into_iter().map(Subject::Package));
        self.show(app, &mut signing, &subjects, newest).await?;
        app.db.close_jobs(newest).await?;
        let discovery = serde_json::to_vec(&self.discovery(None))
            .expect("the discovery document has string keys");
        if app.storage.read(paths::DISCOVERY).await?.as_deref() != Some(&discovery[..]) {
            app.storage.put(paths::DISCOVERY, discovery).await?;
        }
        self.is_complete.store(true, Ordering::Release);
        Ok(())
    }

    /// Signs again what is near its expiry: the timestamp hourly, others in their time.
    pub(crate) async fn refresh(&self, app: &App) -> Result<(), ServerError> {
        let mut signing = self.signing.lock().await;
        let mut repository = self.current(app, &mut signing).await?;
        let files = repository.refresh(&self.keys, app.now())?;
        write_metadata(&app.storage, files, || ()).await?;
        let serial = self.view().serial;
        self.switch(&mut signing, repository, serial);
        Ok(())
    }

    async fn show(
        &self,
        app: &App,
        signing: &mut Option<Repository>,
        subjects: &BTreeSet<Subject>,
        serial: u64,
    ) -> Result<(), ServerError> {
        let repository = self.current(app, signing).await?;
        let rendered = {
            let site = Site {
                public_url: &self.public_url,
                name: &self.name,
            };
            render(&app.db, Some(site), &repository, subjects).await?
        };
        let changes = write_targets(app, &repository, rendered).await?;
        app.may_crash(CrashPoint::TargetsWritten);
        let keys = Arc::clone(&self.keys);
        let now = app.now();
        let signed = tokio::task::spawn_blocking(move || {
            let mut next = repository;
            let files = next.apply(&keys, &changes, now)?;
            Ok::<_, SignError>((next, files))
        });
        let (next, files) = signed
            .await
            .map_err(|failure| ServerError::Failed(format!("signing failed: {failure}")))??;
        write_metadata(&app.storage, files, || {
            app.may_crash(CrashPoint::BeforeTimestamp);
        })
        .await?;
        self.switch(signing, next, serial);
        Ok(())
    }

    /// The state on disk. It is taken out: an error or a dropped future in the middle of
    /// writing leaves `None`, and the next writer reads what really landed.
    async fn current(
        &self,
        app: &App,
        signing: &mut Option<Repository>,
    ) -> Result<Repository, ServerError> {
        match signing.take() {
            Some(repository) => Ok(repository),
            None => load(&app.storage).await,
        }
    }

    fn switch(&self, signing: &mut Option<Repository>, repository: Repository, serial: u64) {
        let view = Arc::new(View {
            serial,
            repository: repository.clone(),
        });
        *signing = Some(repository);
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = view;
    }
}

/// Writes every target that the metadata does not list with these bytes.
async fn write_targets(
    app: &App,
    repository: &Repository,
    rendered: Vec<Rendered>,
) -> Result<Vec<TargetChange>, ServerError> {
    let changed = rendered.into_iter().filter_map(|it| {
        let digest = Digest::of(&it.bytes);
        let listed = repository.target(&it.path).map(|facts| facts.digest);
        (listed != Some(digest)).then_some((it, digest))
    });
    futures_util::stream::iter(changed.collect::<Vec<_>>())
        .map(|(target, digest)| async move {
            let length = target.bytes.len() as u64;
            let file = paths::consistent(&target.path, &digest);
            let file = format!("{}{file}", paths::TARGETS);
            app.storage.put(&file, target.bytes).await?;
            Ok::<_, ServerError>(TargetChange {
                path: target.path,
                facts: Some(TargetFacts { length, digest }),
            })
        })
        .buffered(WRITES_AT_ONCE)
        .try_collect()
        .await
}

/// Writes metadata, its last file (the timestamp) after all others are durable.
async fn write_metadata(
    storage: &Storage,
    mut files: Vec<MetadataFile>,
    before_last: impl FnOnce(),
) -> Result<(), ServerError> {
    let Some(last) = files.pop() else {
        return Ok(());
    };
    let write = |file: MetadataFile| async move {
        let path = format!("{}{}", paths::METADATA, file.name);
        storage.put(&path, file.bytes).await
    };
    futures_util::stream::iter(files)
        .map(write)
        .buffer_unordered(WRITES_AT_ONCE)
        .try_collect::<()>()
        .await?;
    before_last();
    write(last).await?;
    Ok(())
}

async fn load(storage: &Storage) -> Result<Repository, ServerError> {
    let storage = storage.clone();
    let handle = tokio::runtime::Handle::current();
    let loaded = tokio::task::spawn_blocking(move || {
        Repository::load(&|name| {
            let path = format!("{}{name}", paths::METADATA);
            let found = handle.block_on(storage.read(&path));
            Ok(found.map_err(std::io::Error::other)?.map(Into::into))
        })
    });
    let loaded = loaded
        .await
        .map_err(|failure| ServerError::Failed(format!("loading failed: {failure}")))?;
    Ok(loaded?)
}
