//! The client's trusted state on disk: pinned root, newest verified metadata, cached targets.
//!
//! Everything read from here is verified again, so a damaged or forged file can delay but
//! never persuade. What must not be lost is the floor against rollback, so metadata is
//! durable before it counts, and a process that is behind never overwrites what another
//! process has learned since.
//!
//! ```text
//! root.json timestamp.json snapshot.json targets.json <role>.json    newest verified
//! root_history/<n>.root.json                                         the chain of roots
//! targets/<sha256 of the path>                                       cached target bytes
//! contact/root.json contact/fetched contact/lock                     first contact, last one
//! contact/imported                                                   known from a copy alone
//! ```

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use provisioning_package::Digest;
use serde::Deserialize;
use sigstore_tuf::cache::MetadataStore;

use crate::durable;
use crate::error::TrustError;

/// No file of the trusted state is larger: targets are capped well below by the verifier.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Says that the state came from a copy alone.
const IMPORTED: &str = "contact/imported";

/// The trusted state of one registry.
#[derive(Debug)]
pub(crate) struct TrustStore {
    folder: PathBuf,
    /// What a run that must write nothing has learned: it lies over the folder, and goes
    /// with the process.
    overlay: Option<Mutex<HashMap<PathBuf, Vec<u8>>>>,
    /// Whether targets are kept, and looked for here.
    keeps_targets: bool,
    /// What this process has read or written of each file, to tell another's writes.
    seen: Mutex<HashMap<PathBuf, Digest>>,
    /// The first failure to keep metadata, which the verifier only logs.
    failure: Mutex<Option<TrustError>>,
}

impl TrustStore {
    /// Opens the state in `folder`, which is made where it is missing.
    pub(crate) fn open(folder: &Path) -> Result<Self, TrustError> {
        let parts = ["root_history", "targets", "contact"].map(|part| folder.join(part));
        for path in [folder.to_owned()].into_iter().chain(parts) {
            durable::create_private_folder(&path)
                .map_err(|source| TrustError::state(&path, source))?;
            durable::sweep(&path);
        }
        Ok(Self::over(folder))
    }

    /// The state in `folder`, which need not exist, for a run that writes nothing: what it
    /// learns is believed as always and forgotten with the process.
    pub(crate) fn untouched(folder: &Path) -> Self {
        Self {
            overlay: Some(Mutex::default()),
            ..Self::over(folder)
        }
    }

    fn over(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            overlay: None,
            keeps_targets: true,
            seen: Mutex::default(),
            failure: Mutex::default(),
        }
    }

    /// The same, without copies of targets: where those can be read as easily from where
    /// they come, looking for a copy and writing one is all that it costs.
    pub(crate) fn without_targets(self) -> Self {
        Self {
            keeps_targets: false,
            ..self
        }
    }

    /// Where the state lies.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The root that was pinned at first contact.
    pub(crate) fn pinned_root(&self) -> Result<Option<Vec<u8>>, TrustError> {
        self.read(&self.folder.join("contact/root.json"))
    }

    /// Pins `bytes`, unless another process was first; returns what is pinned now.
    pub(crate) fn pin_root(&self, bytes: &[u8]) -> Result<Vec<u8>, TrustError> {
        let path = self.folder.join("contact/root.json");
        let fail = |source| TrustError::state(&path, source);
        let _lock = self.lock().map_err(fail)?;
        if let Some(pinned) = self.pinned_root()? {
            return Ok(pinned);
        }
        self.write(&path, bytes, durable::write_file)
            .map_err(fail)?;
        Ok(bytes.to_vec())
    }

    /// A root that was verified before, by version.
    pub(crate) fn known_root(&self, version: u64) -> Result<Option<Vec<u8>>, TrustError> {
        self.read(
            &self
                .folder
                .join(format!("root_history/{version}.root.json")),
        )
    }

    /// The newest verified metadata file called `name` (`timestamp.json`); unreadable is
    /// absent.
    pub(crate) fn metadata(&self, name: &str) -> Option<Vec<u8>> {
        self.load(name).ok().flatten()
    }

    /// When metadata was last fetched and verified.
    pub(crate) fn fetched(&self) -> Result<Option<Timestamp>, TrustError> {
        let bytes = self.read(&self.folder.join("contact/fetched"))?;
        Ok(bytes.and_then(|bytes| String::from_utf8(bytes).ok()?.trim().parse().ok()))
    }

    /// Notes that metadata was fetched and verified. Losing this with the power only makes
    /// offline use end earlier.
    pub(crate) fn note_fetched(&self, now: Timestamp) -> Result<(), TrustError> {
        let path = self.folder.join("contact/fetched");
        self.write(&path, now.to_string().as_bytes(), durable::write_cache)
            .map_err(|source| TrustError::state(&path, source))
    }

    /// Notes that all of this came from a copy, and that nobody was ever asked.
    pub(crate) fn note_imported(&self) -> Result<(), TrustError> {
        let path = self.folder.join(IMPORTED);
        self.write(&path, b"", durable::write_file)
            .map_err(|source| TrustError::state(&path, source))
    }

    /// Whether the state in `folder` came from a copy alone.
    pub(crate) fn is_imported(folder: &Path) -> bool {
        folder.join(IMPORTED).symlink_metadata().is_ok()
    }

    /// Takes the note away.
    pub(crate) fn forget_import(folder: &Path) -> Result<(), TrustError> {
        let path = folder.join(IMPORTED);
        match std::fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(TrustError::state(&path, source))
            }
            _ => Ok(()),
        }
    }

    /// Cached bytes of a target, not verified here.
    pub(crate) fn cached_target(&self, path: &str) -> Option<Vec<u8>> {
        self.load(&format!("targets/{path}")).ok().flatten()
    }

    /// Whether a metadata file could not be kept since this was last asked.
    pub(crate) fn take_failure(&self) -> Result<(), TrustError> {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.take().map_or(Ok(()), Err)
    }

    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, TrustError> {
        self.read_file(path)
            .map_err(|source| TrustError::state(path, source))
    }

    fn read_file(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        let bytes = self.current(path)?;
        if let Some(bytes) = &bytes {
            self.saw(path, bytes);
        }
        Ok(bytes)
    }

    /// What `path` holds for this process.
    fn current(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        if let Some(overlay) = &self.overlay {
            let overlay = overlay.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(bytes) = overlay.get(path) {
                return Ok(Some(bytes.clone()));
            }
        }
        durable::read_file(path, FILE_BYTES_MAX)
    }

    /// Writes a file by `way`, or notes its bytes where nothing may be written.
    fn write(
        &self,
        path: &Path,
        bytes: &[u8],
        way: fn(&Path, &[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        let Some(overlay) = &self.overlay else {
            return way(path, bytes);
        };
        let mut overlay = overlay.lock().unwrap_or_else(PoisonError::into_inner);
        overlay.insert(path.to_owned(), bytes.to_vec());
        Ok(())
    }

    fn saw(&self, path: &Path, bytes: &[u8]) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert(path.to_owned(), Digest::of(bytes));
    }

    /// Holds off the other processes while files are compared and replaced; nobody where
    /// nothing is written.
    fn lock(&self) -> io::Result<Option<File>> {
        if self.overlay.is_some() {
            return Ok(None);
        }
        let file = durable::open_lock(&self.folder.join("contact/lock"))?;
        file.lock()?;
        Ok(Some(file))
    }

    /// Replaces a metadata file, unless another process has put a newer one there.
    ///
    /// A lower version over what this process itself has read is right: it happens when a new
    /// root rotates a role's key and its numbers start anew (fast-forward recovery).
    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let _lock = self.lock()?;
        if let Ok(Some(current)) = self.current(path) {
            if current == bytes {
                self.saw(path, bytes);
                return Ok(());
            }
            let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let foreign = seen.get(path) != Some(&Digest::of(&current));
            if foreign && version_of(&current) > version_of(bytes) {
                return Ok(());
            }
        }
        let way = if is_floor(path) {
            durable::write_file
        } else {
            durable::write_cache
        };
        self.write(path, bytes, way)?;
        self.saw(path, bytes);
        Ok(())
    }

    /// Where the verifier's `name` lies; `None` for what is not kept.
    fn place(&self, name: &str) -> Option<Place> {
        if let Some(path) = name.strip_prefix("targets/") {
            if !self.keeps_targets {
                return None;
            }
            // Hashed, so that no spelling of a target's path reaches the file system.
            let file = Digest::of(path.as_bytes()).hex();
            return Some(Place::Target(self.folder.join("targets").join(file)));
        }
        let (folder, file) = match name.split_once('/') {
            Some(("root_history", file)) => (self.folder.join("root_history"), file),
            Some(_) => return None,
            None if versioned(name).is_some() => return None,
            None => (self.folder.clone(), name),
        };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~%".contains(&byte);
        let safe =
            Path::new(file).extension().is_some_and(|x| x == "json") && file.bytes().all(plain);
        safe.then(|| Place::Metadata(folder.join(file)))
    }
}

enum Place {
    Metadata(PathBuf),
    Target(PathBuf),
}

impl MetadataStore for TrustStore {
    fn load(&self, name: &str) -> sigstore_tuf::Result<Option<Vec<u8>>> {
        let Some(Place::Metadata(path) | Place::Target(path)) = self.place(name) else {
            return Ok(None);
        };
        self.read_file(&path).map_err(|source| {
            sigstore_tuf::Error::io(format!("reading `{}`", path.display()), source)
        })
    }

    fn store(&self, name: &str, bytes: &[u8]) -> sigstore_tuf::Result<()> {
        let result = match self.place(name) {
            None => return Ok(()),
            // A cached target is checked by digest when it is read: it need not be durable.
            Some(Place::Target(path)) => {
                let _uncached = self.write(&path, bytes, durable::write_cache);
                return Ok(());
            }
            Some(Place::Metadata(path)) => self
                .replace(&path, bytes)
                .map_err(|source| TrustError::state(&path, source)),
        };
        if let Err(error) = result {
            let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
            failure.get_or_insert(error);
        }
        Ok(())
    }
}

/// Whether a metadata file is what a rollback is told by. The snapshot holds the numbers of
/// all others, so a delegated role that a power cut takes away is fetched again, and an
/// older one in its place is refused.
fn is_floor(path: &Path) -> bool {
    let floor = [
        "root.json",
        "timestamp.json",
        "snapshot.json",
        "targets.json",
    ];
    let is_root = path.parent().is_some_and(|it| it.ends_with("root_history"));
    is_root
        || path
            .file_name()
            .is_some_and(|it| floor.iter().any(|floor| it == *floor))
}

/// `7.release.json` is version 7 of `release.json`; roots are not looked at this way.
pub(crate) fn versioned(name: &str) -> Option<(u64, &str)> {
    let (version, file) = name.split_once('.')?;
    let digits = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit());
    (digits && file != "json" && file != "root.json")
        .then(|| Some((version.parse().ok()?, file)))
        .flatten()
}

/// The version that metadata claims, before any of it is verified.
pub(crate) fn version_of(bytes: &[u8]) -> Option<u64> {
    #[derive(Deserialize)]
    struct Peek {
        signed: Version,
    }
    #[derive(Deserialize)]
    struct Version {
        version: u64,
    }
    let peek: Peek = serde_json::from_slice(bytes).ok()?;
    Some(peek.signed.version)
}
