//! What a release run has done, on disk: `.release/journal.json` beside `release.toml`.
//!
//! It is replaced whole before and after every step, and is durable each time. A step that is
//! `done` is never done again; one that had begun when the run was killed begins again, and
//! every step is made so that this gives the same.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use provisioning_package::{BundleName, PackageName, Version};
use serde::{Deserialize, Serialize};

use crate::durable::{Readers, replace_file};
use crate::failure::{Exit, Failure, Outcome};

/// The folder of everything that a run keeps.
const FOLDER: &str = ".release";
/// The newest form of journal that this code writes.
const JOURNAL_SCHEMA: u32 = 1;

/// A run, as far as it has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// [`JOURNAL_SCHEMA`] when it was written.
    pub(crate) schema: u32,
    /// When it began.
    pub(crate) began: Timestamp,
    /// What is released.
    pub(crate) versions: BTreeMap<PackageName, Version>,
    /// The bundle that comes of it.
    pub(crate) bundle: Option<BundleName>,
    /// The bundle that it begins with.
    pub(crate) base: Option<BundleName>,
    /// What is tried together before anything is public: `core@3.3.0`.
    #[serde(default)]
    pub(crate) proof: Vec<String>,
    /// The day of the release.
    pub(crate) day: String,
    /// Each step, in order.
    pub(crate) steps: Vec<StepRecord>,
}

/// One step of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StepRecord {
    /// What it is called: `build core`.
    pub(crate) name: String,
    /// How far it has come.
    pub(crate) state: StepState,
    /// What it gave, for later steps.
    #[serde(default)]
    pub(crate) result: Option<String>,
}

/// How far a step has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum StepState {
    /// It was not begun.
    Open,
    /// It was begun, and may have been broken off.
    Begun,
    /// It failed, and nothing after it was begun.
    Failed,
    /// It is done.
    Done,
}

/// The journal of one run, held by this process alone.
#[derive(Debug)]
pub(crate) struct Journal {
    folder: PathBuf,
    /// What it says.
    pub(crate) record: Record,
    _lock: File,
}

impl Journal {
    /// The run that is open, if one is; what it leaves is this process's from now on.
    pub(crate) fn open(workplace: &Path) -> Outcome<(Option<Record>, File)> {
        let folder = workplace.join(FOLDER);
        std::fs::create_dir_all(&folder).map_err(|it| Failure::io("make", &folder, &it))?;
        let lock = lock(&folder)?;
        Ok((read(&folder)?, lock))
    }

    /// Begins a run, or goes on with one.
    pub(crate) fn keep(workplace: &Path, record: Record, lock: File) -> Outcome<Self> {
        let journal = Self {
            folder: workplace.join(FOLDER),
            record,
            _lock: lock,
        };
        let ignore = journal.folder.join(".gitignore");
        if !ignore.exists() {
            replace_file(&ignore, b"*\n", Readers::Everyone)?;
        }
        journal.write()?;
        Ok(journal)
    }

    /// The folder of the archives that a run builds.
    pub(crate) fn archives(&self) -> PathBuf {
        self.folder.join("archives")
    }

    /// The folder where a package is put together.
    pub(crate) fn stage(&self, name: &PackageName) -> PathBuf {
        self.folder.join("stage").join(name.as_str())
    }

    /// Writes down how far a step has come.
    pub(crate) fn note(
        &mut self,
        step: usize,
        state: StepState,
        result: Option<String>,
    ) -> Outcome<()> {
        let record = &mut self.record.steps[step];
        record.state = state;
        if result.is_some() {
            record.result = result;
        }
        self.write()
    }

    /// Ends the run: nothing is left to go on with.
    pub(crate) fn end(self) -> Outcome<PathBuf> {
        let name = format!("{}.json", self.record.began.as_second());
        let kept = self.folder.join(name);
        let path = self.folder.join("journal.json");
        std::fs::rename(&path, &kept).map_err(|it| Failure::io("rename", &path, &it))?;
        crate::durable::sync_folder(&self.folder)?;
        for leftover in [self.folder.join("stage"), self.archives()] {
            // Archives are in the registry now; what cannot be removed harms nobody.
            let _ = std::fs::remove_dir_all(leftover);
        }
        Ok(kept)
    }

    fn write(&self) -> Outcome<()> {
        let mut text = serde_json::to_string_pretty(&self.record).expect("a journal has text keys");
        text.push('\n');
        let path = self.folder.join("journal.json");
        replace_file(&path, text.as_bytes(), Readers::Everyone)
    }
}

/// Forgets the run that is open.
pub(crate) fn abandon(workplace: &Path) -> Outcome<bool> {
    let (open, _lock) = Journal::open(workplace)?;
    if open.is_none() {
        return Ok(false);
    }
    let path = workplace.join(FOLDER).join("journal.json");
    std::fs::remove_file(&path).map_err(|it| Failure::io("remove", &path, &it))?;
    Ok(true)
}

fn lock(folder: &Path) -> Outcome<File> {
    let path = folder.join("lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|it| Failure::io("open", &path, &it))?;
    file.try_lock().map_err(|_| {
        Failure::new("locked", "another `release run` works here")
            .with_exit(Exit::Locked)
            .with_hint("wait for it to end; nothing was changed")
    })?;
    Ok(file)
}

fn read(folder: &Path) -> Outcome<Option<Record>> {
    let path = folder.join("journal.json");
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(it) if it.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(it) => return Err(Failure::io("read", &path, &it)),
    };
    let record: Record = serde_json::from_str(&text).map_err(|problem| {
        Failure::new(
            "invalid-journal",
            format!("`{}` is no journal", path.display()),
        )
        .with_cause(problem.to_string())
        .with_hint("`provisioning release run --abandon` forgets the run")
    })?;
    if record.schema > JOURNAL_SCHEMA {
        return Err(Failure::new(
            "invalid-journal",
            format!("`{}` was written by a newer client", path.display()),
        )
        .with_hint("`provisioning self update`"));
    }
    Ok(Some(record))
}

impl Record {
    /// A run that has done nothing yet.
    pub(crate) fn new(
        began: Timestamp,
        versions: BTreeMap<PackageName, Version>,
        (bundle, base): (Option<BundleName>, Option<BundleName>),
        day: String,
        steps: Vec<String>,
    ) -> Self {
        let open = |name: String| StepRecord {
            name,
            state: StepState::Open,
            result: None,
        };
        Self {
            schema: JOURNAL_SCHEMA,
            began,
            versions,
            bundle,
            base,
            proof: Vec::new(),
            day,
            steps: steps.into_iter().map(open).collect(),
        }
    }
}
