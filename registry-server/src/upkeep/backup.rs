//! One file with all of a registry: rows, archives, signed files and, unless told otherwise,
//! signing keys; and a registry from such a file.
//!
//! It is taken beside a running server. The signed state is read first and the rows after
//! it: rows that are newer than what is signed are signed at the next start, while the other
//! way round a restored server would take back what people have seen. Rows are written as
//! JSON, so a backup of SQLite restores into PostgreSQL and back.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use jiff::Timestamp;
use provisioning_package::{Digest, ExportReader, ExportWriter, Hasher, export_order};
use provisioning_registry_api::paths;
use serde::{Deserialize, Serialize};
use tokio_util::io::{StreamReader, SyncIoBridge};

use super::{
    Place, Upkeep, UpkeepError, blocking, open_storage, signed_state, signed_targets, target_path,
};
use crate::db::rows::{self, Cell, TABLES};
use crate::db::{Db, to_json};
use crate::read_side::TIMESTAMP;
use crate::setup::make_folder;
use crate::storage::{ByteRange, Storage, sync_folder};

/// What a backup says of itself, before everything else in it.
const CONTENTS: &str = "backup.json";
/// Rows in one file of a backup.
const PAGE_ROWS: u64 = 1000;
/// Files of the read side that have no digest in their name are small; so are row pages.
const SMALL_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// What a backup holds, or a restored registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackedUp {
    /// The form of the file.
    pub schema: u32,
    /// When it was taken.
    pub taken_at: Timestamp,
    /// The last change that it holds.
    pub serial: u64,
    /// Rows of each table.
    pub rows: BTreeMap<String, u64>,
    /// How many archives it holds.
    pub archives: u64,
    /// Whether it holds the signing keys: then it must be kept as they are.
    pub has_keys: bool,
}

/// Where the bytes of a file of a backup come from.
enum Source {
    Bytes(Bytes),
    Object(u64),
    File(PathBuf),
}

/// A page of a table.
#[derive(Serialize, Deserialize)]
struct RowPage {
    columns: Vec<String>,
    rows: Vec<Vec<Cell>>,
}

impl Upkeep {
    /// Writes a backup to `file`, which must not exist.
    pub async fn backup(
        &self,
        place: &Place,
        file: &Path,
        with_keys: bool,
    ) -> Result<BackedUp, UpkeepError> {
        let mut sources = self.read_side_sources().await?;
        let mut rows = BTreeMap::new();
        let serial = self.row_sources(&mut sources, &mut rows).await?;
        let archives = self.archive_sources(&mut sources).await?;
        if with_keys {
            key_sources(&place.data, &mut sources)?;
        }
        let contents = BackedUp {
            schema: 1,
            taken_at: self.now(),
            serial,
            rows,
            archives,
            has_keys: with_keys,
        };
        let text = to_json(&contents);
        sources.insert(CONTENTS.to_owned(), Source::Bytes(text.into()));
        let storage = self.storage.clone();
        let file = file.to_owned();
        let handle = tokio::runtime::Handle::current();
        blocking(move || write(&file, sources, &storage, &handle)).await?;
        Ok(contents)
    }

    async fn read_side_sources(&self) -> Result<BTreeMap<String, Source>, UpkeepError> {
        let state = signed_state(&self.storage).await?;
        let mut sources = BTreeMap::new();
        for name in state.repository.files() {
            let path = format!("{}{name}", paths::METADATA);
            let bytes = match state.metadata.get(&name) {
                Some(bytes) => bytes.clone(),
                None => self.needed(&path).await?,
            };
            sources.insert(path, Source::Bytes(bytes));
        }
        for (target, digest) in signed_targets(&state.repository) {
            let bytes = self.signed_bytes(&target, &digest).await?;
            sources.insert(target_path(&target, &digest), Source::Bytes(bytes));
        }
        if let Some(bytes) = self.read(paths::DISCOVERY).await? {
            sources.insert(paths::DISCOVERY.to_owned(), Source::Bytes(bytes));
        }
        Ok(sources)
    }

    async fn needed(&self, path: &str) -> Result<Bytes, UpkeepError> {
        let bytes = self.read(path).await?;
        bytes.ok_or_else(|| UpkeepError::Damaged {
            path: path.to_owned(),
            problem: "is missing",
        })
    }

    /// Every row, as it is at one moment; gives the serial of that moment.
    async fn row_sources(
        &self,
        sources: &mut BTreeMap<String, Source>,
        counts: &mut BTreeMap<String, u64>,
    ) -> Result<u64, UpkeepError> {
        let mut tx = self.db.write_quietly().await?;
        rows::freeze(&mut tx, self.db.is_sqlite()).await?;
        let serial = rows::serial(tx.connection()).await?;
        for table in TABLES {
            let columns = self.db.columns(table).await?;
            let mut count = 0;
            loop {
                let range = (count, PAGE_ROWS);
                let rows = rows::page(tx.connection(), table, &columns, range).await?;
                let found = rows.len() as u64;
                if found > 0 {
                    let page = RowPage {
                        columns: columns.iter().map(|it| it.name.clone()).collect(),
                        rows,
                    };
                    let text = to_json(&page);
                    let path = format!("database/{}/{count:012}.json", table.name);
                    sources.insert(path, Source::Bytes(text.into()));
                }
                count += found;
                if found < PAGE_ROWS {
                    break;
                }
            }
            counts.insert(table.name.to_owned(), count);
        }
        tx.rollback().await?;
        Ok(serial)
    }

    /// Every archive that a version uses.
    async fn archive_sources(
        &self,
        sources: &mut BTreeMap<String, Source>,
    ) -> Result<u64, UpkeepError> {
        let mut count = 0;
        for row in self.db.kept_archives().await? {
            let path = paths::archive(&row.digest);
            match self.look(&path).await?.map(|it| it.size) {
                Some(size) if size == row.size => {
                    sources.insert(path, Source::Object(size));
                    count += 1;
                }
                Some(_) | None if row.needed_by.is_none() => {}
                Some(_) => {
                    return Err(UpkeepError::Damaged {
                        path,
                        problem: "has another size than was published",
                    });
                }
                None => {
                    return Err(UpkeepError::Damaged {
                        path,
                        problem: "is missing",
                    });
                }
            }
        }
        Ok(count)
    }
}

/// The files of the `keys` folder.
fn key_sources(data: &Path, sources: &mut BTreeMap<String, Source>) -> Result<(), UpkeepError> {
    let folder = data.join("keys");
    let failed = |source| UpkeepError::File {
        path: folder.clone(),
        source,
    };
    for entry in fs::read_dir(&folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        sources.insert(format!("keys/{name}"), Source::File(entry.path()));
    }
    Ok(())
}

fn write(
    file: &Path,
    sources: BTreeMap<String, Source>,
    storage: &Storage,
    handle: &tokio::runtime::Handle,
) -> Result<(), UpkeepError> {
    let failed = |source| UpkeepError::File {
        path: file.to_owned(),
        source,
    };
    if file.exists() {
        return Err(failed(io::ErrorKind::AlreadyExists.into()));
    }
    let beside = file.with_extension("part");
    let out = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)
        .map_err(failed)?;
    let mut writer = ExportWriter::new(BufWriter::new(out));
    let mut sources: Vec<_> = sources.into_iter().collect();
    sources.sort_by(|(left, _), (right, _)| export_order(left, right));
    for (path, source) in sources {
        match source {
            Source::Bytes(bytes) => writer.add(&path, bytes.len() as u64, &mut &bytes[..])?,
            Source::File(from) => {
                let bytes = fs::read(&from).map_err(failed)?;
                writer.add(&path, bytes.len() as u64, &mut &bytes[..])?;
            }
            Source::Object(length) => {
                let range = ByteRange { start: 0, length };
                let stream = handle.block_on(storage.stream(&path, range));
                let stream = stream.map_err(|source| UpkeepError::at(&path, source))?;
                let reader =
                    SyncIoBridge::new_with_handle(StreamReader::new(stream), handle.clone());
                let mut hashed = Hashed::new(reader);
                writer.add(&path, length, &mut hashed)?;
                if !path.ends_with(&hashed.digest().hex()) {
                    return Err(UpkeepError::Damaged {
                        path,
                        problem: "has other bytes than were published",
                    });
                }
            }
        }
    }
    let out = writer.finish()?.into_inner();
    let out = out.map_err(|error| failed(error.into_error()))?;
    out.sync_all().map_err(failed)?;
    fs::rename(&beside, file).map_err(failed)?;
    let folder = file.parent().filter(|it| !it.as_os_str().is_empty());
    sync_folder(folder.unwrap_or(Path::new("."))).map_err(failed)
}

/// Makes a registry from a backup, where there is none yet, and checks every byte of it.
pub async fn restore(place: &Place, file: &Path) -> Result<BackedUp, UpkeepError> {
    let data = make_folder(&place.data).map_err(UpkeepError::Setup)?;
    let db = Db::open(place.database.as_deref(), &data).await?;
    let storage = open_storage(place, place.storage.as_deref())?;
    let signed = storage.length(TIMESTAMP).await;
    let signed = signed.map_err(|source| UpkeepError::at(TIMESTAMP, source))?;
    if signed.is_some() || data.join("keys").exists() || data.join("admin-token").exists() {
        return Err(UpkeepError::InUse(data));
    }
    let mut tx = db.write_quietly().await?;
    for table in TABLES {
        let rows = rows::count(tx.connection(), table).await?;
        if rows > table.seeds {
            return Err(UpkeepError::NotEmpty { table: table.name });
        }
    }
    for table in TABLES.iter().rev() {
        rows::clear(&mut tx, table).await?;
    }
    let mut restoring = Restoring {
        data,
        storage,
        contents: None,
        pages: BTreeMap::new(),
        keys: BTreeMap::new(),
        timestamp: None,
    };
    restoring.unpack(file).await?;
    let contents = restoring.contents.take().ok_or(UpkeepError::NoBackup)?;
    for table in TABLES {
        let columns = db.columns(table).await?;
        let mut found = 0;
        for page in restoring.pages.remove(table.name).unwrap_or_default() {
            found += page.rows.len() as u64;
            rows::insert_page(&mut tx, table, &columns, &page.columns, page.rows).await?;
        }
        let there = contents.rows.get(table.name).copied().unwrap_or(0);
        if found != there {
            return Err(UpkeepError::CopyDiffers {
                table: table.name,
                from: there,
                to: found,
            });
        }
    }
    tx.commit().await?;
    // A backup of an earlier version has no rows of what search reads.
    db.rebuild_search().await?;
    restoring.save_keys()?;
    // Last, as everywhere: without it the folder is no registry yet.
    if let Some(bytes) = restoring.timestamp {
        let written = restoring.storage.put(TIMESTAMP, bytes).await;
        written.map_err(|source| UpkeepError::at(TIMESTAMP, source))?;
    }
    db.close().await;
    Ok(contents)
}

struct Restoring {
    data: PathBuf,
    storage: Storage,
    contents: Option<BackedUp>,
    pages: BTreeMap<String, Vec<RowPage>>,
    keys: BTreeMap<String, Bytes>,
    timestamp: Option<Bytes>,
}

/// A file of a backup that was read.
enum Unpacked {
    Small(String, Bytes),
    /// An archive, in a temporary file, its digest checked.
    Archive(String, tempfile::TempPath),
}

impl Restoring {
    async fn unpack(&mut self, file: &Path) -> Result<(), UpkeepError> {
        let opened = File::open(file).map_err(|source| UpkeepError::File {
            path: file.to_owned(),
            source,
        })?;
        let mut reader = ExportReader::new(BufReader::new(opened));
        let folder = self.data.clone();
        loop {
            let folder = folder.clone();
            let (back, found) = blocking(move || {
                let next = next(&mut reader, &folder);
                (reader, next)
            })
            .await;
            reader = back;
            match found? {
                None => return Ok(()),
                Some(Unpacked::Archive(path, staged)) => {
                    let moved = self.storage.put_file(&path, &staged).await;
                    moved.map_err(|source| UpkeepError::at(&path, source))?;
                }
                Some(Unpacked::Small(path, bytes)) => self.small(path, bytes).await?,
            }
        }
    }

    async fn small(&mut self, path: String, bytes: Bytes) -> Result<(), UpkeepError> {
        let no_json = |_| UpkeepError::Damaged {
            path: path.clone(),
            problem: "is not what a backup holds",
        };
        if path == CONTENTS {
            self.contents = Some(serde_json::from_slice(&bytes).map_err(no_json)?);
        } else if let Some(rest) = path.strip_prefix("database/") {
            let table = rest.split('/').next().unwrap_or(rest).to_owned();
            let page = serde_json::from_slice(&bytes).map_err(no_json)?;
            self.pages.entry(table).or_default().push(page);
        } else if let Some(name) = path.strip_prefix("keys/") {
            self.keys.insert(name.to_owned(), bytes);
        } else if path == TIMESTAMP {
            self.timestamp = Some(bytes);
        } else {
            let written = self.storage.put(&path, bytes).await;
            written.map_err(|source| UpkeepError::at(&path, source))?;
        }
        Ok(())
    }
}

impl Restoring {
    fn save_keys(&self) -> Result<(), UpkeepError> {
        if self.keys.is_empty() {
            return Ok(());
        }
        let folder = self.data.join("keys");
        let failed = |source| UpkeepError::File {
            path: folder.clone(),
            source,
        };
        fs::create_dir(&folder).map_err(failed)?;
        for (name, bytes) in &self.keys {
            let mut options = OpenOptions::new();
            options.write(true).create_new(true).mode(0o600);
            let mut key = options.open(folder.join(name)).map_err(failed)?;
            key.write_all(bytes).map_err(failed)?;
            key.sync_all().map_err(failed)?;
        }
        sync_folder(&folder).map_err(failed)
    }
}

fn next(
    reader: &mut ExportReader<BufReader<File>>,
    folder: &Path,
) -> Result<Option<Unpacked>, UpkeepError> {
    let Some(entry) = reader.next_entry()? else {
        return Ok(None);
    };
    let failed = |source| UpkeepError::File {
        path: folder.to_owned(),
        source,
    };
    if !entry.path.starts_with(paths::ARCHIVES) {
        if entry.size > SMALL_BYTES_MAX {
            return Err(UpkeepError::Damaged {
                path: entry.path,
                problem: "is larger than anything that a backup holds there",
            });
        }
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).map_err(failed)?;
        return Ok(Some(Unpacked::Small(entry.path, bytes.into())));
    }
    let mut staged = tempfile::Builder::new()
        .prefix("restore-")
        .tempfile_in(folder)
        .map_err(failed)?;
    let mut hashed = Hashed::new(reader);
    io::copy(&mut hashed, staged.as_file_mut()).map_err(failed)?;
    if !entry.path.ends_with(&hashed.digest().hex()) {
        return Err(UpkeepError::Damaged {
            path: entry.path,
            problem: "has other bytes than were published",
        });
    }
    staged.as_file().sync_all().map_err(failed)?;
    Ok(Some(Unpacked::Archive(entry.path, staged.into_temp_path())))
}

/// A reader that knows the digest of what went through it.
struct Hashed<R> {
    inner: R,
    hasher: Hasher,
}

impl<R: Read> Hashed<R> {
    fn new(inner: R) -> Self {
        Self {
            inner,
            hasher: Hasher::new(),
        }
    }

    fn digest(self) -> Digest {
        self.hasher.finish().0
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        Ok(count)
    }
}
