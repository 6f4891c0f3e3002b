//! The staging area: where the bytes of an upload lie until they are known to be right.
//!
//! What arrived of an upload that broke off is kept under its session and digest, so that
//! the rest can follow. Taking it away is one rename: two requests never write to one file.
//! The bytes are hashed again when they are taken, so nothing rests on what lay there.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use bytes::BytesMut;
use jiff::{SignedDuration, Timestamp};
use provisioning_package::{Digest, Hasher};
use tempfile::{NamedTempFile, TempPath};

/// Bytes below which a broken upload is not kept: sending them again is cheaper.
pub(crate) const PARTIAL_BYTES_MIN: u64 = 64 * 1024;
/// How long a broken upload is kept.
const PARTIAL_HOURS_MAX: i64 = 24;
/// What the files of running uploads begin with; they end with the server.
const UPLOAD_PREFIX: &str = "upload-";
/// What the files of broken uploads begin with.
const PARTIAL_PREFIX: &str = "partial-";
/// Bytes that are read at a time when a broken upload goes on.
const CHUNK_BYTES: usize = 1024 * 1024;

/// Which upload of which session.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    folder: PathBuf,
    partial: PathBuf,
}

/// The file that an upload is written to; removed when dropped.
#[derive(Debug)]
pub(crate) struct Sink {
    file: NamedTempFile,
    hasher: Hasher,
    length: u64,
}

impl Place {
    /// The place of `digest` in `session`, whose name has been checked.
    pub(crate) fn new(folder: &Path, session: &str, digest: &Digest) -> Self {
        Self {
            folder: folder.to_owned(),
            partial: folder.join(format!("{PARTIAL_PREFIX}{session}-{}", digest.hex())),
        }
    }

    /// How many bytes of it are kept.
    pub(crate) fn length(&self) -> io::Result<u64> {
        match fs::metadata(&self.partial) {
            Ok(facts) => Ok(facts.len()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// Begins at the first byte.
    pub(crate) fn begin(&self) -> io::Result<Sink> {
        let file = tempfile::Builder::new()
            .prefix(UPLOAD_PREFIX)
            .tempfile_in(&self.folder)?;
        Ok(Sink {
            file,
            hasher: Hasher::new(),
            length: 0,
        })
    }

    /// Takes what is kept, to go on with it; an empty file where nothing is.
    pub(crate) fn go_on(&self) -> io::Result<Sink> {
        let taken = tempfile::Builder::new()
            .prefix(UPLOAD_PREFIX)
            .make_in(&self.folder, |path| {
                fs::rename(&self.partial, path)?;
                OpenOptions::new().read(true).append(true).open(path)
            });
        let mut file = match taken {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return self.begin(),
            Err(error) => return Err(error),
        };
        let mut hasher = Hasher::new();
        let mut length = 0;
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            let read = file.read(&mut chunk)?;
            if read == 0 {
                break;
            }
            hasher.update(&chunk[..read]);
            length += read as u64;
        }
        Ok(Sink {
            file,
            hasher,
            length,
        })
    }

    /// Keeps what arrived, unless it is little or more is kept already.
    pub(crate) fn keep(&self, sink: Sink) -> io::Result<()> {
        if sink.length >= PARTIAL_BYTES_MIN && sink.length >= self.length()? {
            sink.file.persist(&self.partial)?;
        }
        Ok(())
    }
}

impl Sink {
    /// Bytes that it holds.
    pub(crate) const fn length(&self) -> u64 {
        self.length
    }

    /// Adds bytes and empties their buffer.
    pub(crate) fn take(mut self, mut chunk: BytesMut) -> io::Result<(Self, BytesMut)> {
        self.hasher.update(&chunk);
        self.file.write_all(&chunk)?;
        self.length += chunk.len() as u64;
        chunk.clear();
        Ok((self, chunk))
    }

    /// Makes it durable, unless something else does (`is_hasty`), and says what it is.
    pub(crate) fn close(self, is_hasty: bool) -> io::Result<(TempPath, Digest)> {
        let (file, path) = self.file.into_parts();
        if !is_hasty {
            file.sync_all()?;
        }
        Ok((path, self.hasher.finish().0))
    }
}

/// Makes the staging area where it is missing, and removes what a dead server was writing.
pub(crate) fn prepare(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    remove_where(folder, |name, _| Ok(!name.starts_with(PARTIAL_PREFIX)))
}

/// Removes broken uploads that nobody went on with.
pub(crate) fn sweep(folder: &Path, now: Timestamp) -> io::Result<()> {
    let then = now - SignedDuration::from_hours(PARTIAL_HOURS_MAX);
    remove_where(folder, |name, file| {
        let changed = Timestamp::try_from(file.metadata()?.modified()?).unwrap_or(now);
        Ok(name.starts_with(PARTIAL_PREFIX) && changed < then)
    })
}

fn remove_where(
    folder: &Path,
    is_stale: impl Fn(&str, &File) -> io::Result<bool>,
) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(&path)?;
            continue;
        }
        let name = entry.file_name();
        let file = match File::open(&path) {
            Ok(file) => file,
            // It was taken meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        if is_stale(&name.to_string_lossy(), &file)? {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(folder: &Path) -> Place {
        Place::new(folder, "0a", &Digest::of(b"x"))
    }

    fn filled(sink: Sink, bytes: &[u8]) -> Sink {
        sink.take(BytesMut::from(bytes)).unwrap().0
    }

    #[test]
    fn a_broken_upload_goes_on_where_it_stopped_and_survives_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        prepare(folder.path()).unwrap();
        let place = place(folder.path());
        let half = vec![7; usize::try_from(PARTIAL_BYTES_MIN).unwrap()];
        place.keep(filled(place.begin().unwrap(), &half)).unwrap();
        let running = place.begin().unwrap();
        std::mem::forget(running);
        prepare(folder.path()).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert_eq!(place.length().unwrap(), PARTIAL_BYTES_MIN);
        let sink = place.go_on().unwrap();
        assert_eq!(sink.length(), PARTIAL_BYTES_MIN);
        assert_eq!(place.length().unwrap(), 0, "nobody else can take it");
        let (path, digest) = filled(sink, b"rest").close(false).unwrap();
        let whole = [half, b"rest".to_vec()].concat();
        assert_eq!(digest, Digest::of(&whole));
        assert_eq!(fs::read(path).unwrap(), whole);
    }

    #[test]
    fn little_is_not_kept_and_less_does_not_replace_more() {
        let folder = tempfile::tempdir().unwrap();
        let place = place(folder.path());
        place
            .keep(filled(place.begin().unwrap(), b"little"))
            .unwrap();
        assert_eq!(place.length().unwrap(), 0);
        let much = vec![1; 200_000];
        place.keep(filled(place.begin().unwrap(), &much)).unwrap();
        place
            .keep(filled(place.begin().unwrap(), &much[..100_000]))
            .unwrap();
        assert_eq!(place.length().unwrap(), 200_000);
        sweep(folder.path(), Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(place.length().unwrap(), 200_000);
        let later = Timestamp::from_second(4_000_000_000).unwrap();
        sweep(folder.path(), later).unwrap();
        assert_eq!(place.length().unwrap(), 0);
    }
}
