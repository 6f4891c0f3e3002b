//! The cache against a folder that lies, a disk that rots and a server that hangs up.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::env::tests::bare;
use crate::settings::RegistryLocation;

fn content() -> Vec<u8> {
    (0..600_000_u32).flat_map(u32::to_le_bytes).collect()
}

fn wanted(bytes: &[u8]) -> WantedArchive {
    WantedArchive {
        label: "sample 1.0.0".to_owned(),
        digest: Digest::of(bytes),
        size: bytes.len() as u64,
    }
}

/// A registry's folder that serves `served` as the archive `wanted`.
fn folder_with(served: &[u8], wanted: &WantedArchive) -> (tempfile::TempDir, Source) {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("archives/sha256");
    std::fs::create_dir_all(&place).unwrap();
    std::fs::write(place.join(wanted.digest.hex()), served).unwrap();
    let address = format!("file://{}", folder.path().display());
    let location = RegistryLocation::parse(&address, &bare(&[])).unwrap();
    (folder, Source::open(&location).unwrap())
}

async fn fetch(cache: &Path, source: Option<&Source>, wanted: &WantedArchive) -> Outcome<PathBuf> {
    let cache = ArchiveCache::new(cache);
    let (all, progress) = (std::slice::from_ref(wanted), Progress::hidden());
    let mut places = cache.fetch_all(source, "archives/", all, &progress).await?;
    Ok(places.remove(0))
}

fn names(cache: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(cache.join("archives/sha256")).unwrap();
    entries
        .map(|it| it.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[tokio::test]
async fn a_fetched_archive_is_in_the_cache_and_then_needs_no_source() {
    let bytes = content();
    let wanted = wanted(&bytes);
    let (_folder, source) = folder_with(&bytes, &wanted);
    let cache = tempfile::tempdir().unwrap();
    let missing = fetch(cache.path(), None, &wanted).await.unwrap_err();
    assert_eq!(missing.exit(), Exit::Unreachable);
    let place = fetch(cache.path(), Some(&source), &wanted).await.unwrap();
    assert_eq!(std::fs::read(&place).unwrap(), bytes);
    assert_eq!(names(cache.path()), [wanted.digest.hex()]);
    assert_eq!(fetch(cache.path(), None, &wanted).await.unwrap(), place);
}

#[tokio::test]
async fn changed_longer_and_shorter_archives_are_refused_and_leave_nothing() {
    let bytes = content();
    let wanted = wanted(&bytes);
    let mut changed = bytes.clone();
    changed[1000] ^= 1;
    let mut longer = bytes.clone();
    longer.push(0);
    for served in [&changed[..], &longer[..], &bytes[..bytes.len() - 1], b""] {
        let (_folder, source) = folder_with(served, &wanted);
        let cache = tempfile::tempdir().unwrap();
        let failure = fetch(cache.path(), Some(&source), &wanted)
            .await
            .unwrap_err();
        assert_eq!(failure.exit(), Exit::Verification, "{failure}");
        assert!(names(cache.path()).is_empty());
    }
}

#[tokio::test]
async fn an_archive_that_rotted_in_the_cache_is_fetched_again() {
    let bytes = content();
    let wanted = wanted(&bytes);
    let (_folder, source) = folder_with(&bytes, &wanted);
    let cache = tempfile::tempdir().unwrap();
    let place = fetch(cache.path(), Some(&source), &wanted).await.unwrap();
    std::fs::write(&place, b"rot").unwrap();
    let again = fetch(cache.path(), Some(&source), &wanted).await.unwrap();
    assert_eq!(std::fs::read(again).unwrap(), bytes);
}

#[tokio::test]
async fn what_arrived_before_is_taken_up_unless_it_was_wrong() {
    let bytes = content();
    let wanted = wanted(&bytes);
    let (_folder, source) = folder_with(&bytes, &wanted);
    for before in [&bytes[..70_000], b"something else entirely"] {
        let cache = tempfile::tempdir().unwrap();
        let folder = cache.path().join("archives/sha256");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{}.part", wanted.digest.hex())), before).unwrap();
        let place = fetch(cache.path(), Some(&source), &wanted).await.unwrap();
        assert_eq!(std::fs::read(place).unwrap(), bytes);
    }
}

#[tokio::test]
async fn two_that_fetch_the_same_archive_at_once_both_get_it() {
    let bytes = content();
    let wanted = wanted(&bytes);
    let (_folder, source) = folder_with(&bytes, &wanted);
    let cache = tempfile::tempdir().unwrap();
    let (one, two) = tokio::join!(
        fetch(cache.path(), Some(&source), &wanted),
        fetch(cache.path(), Some(&source), &wanted)
    );
    assert_eq!(std::fs::read(one.unwrap()).unwrap(), bytes);
    assert_eq!(std::fs::read(two.unwrap()).unwrap(), bytes);
    assert_eq!(names(cache.path()), [wanted.digest.hex()]);
}

/// Serves `bytes` with `Range`, but hangs up after `portion` bytes of every answer.
async fn impatient_server(bytes: Arc<Vec<u8>>, portion: usize) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&requests);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::Relaxed);
            let mut head = vec![0; 4096];
            let count = socket.read(&mut head).await.unwrap();
            let head = String::from_utf8_lossy(&head[..count]).to_lowercase();
            let from: usize = head
                .split_once("range: bytes=")
                .and_then(|(_, rest)| rest.split_once('-'))
                .map_or(0, |(first, _)| first.parse().unwrap());
            let status = match from {
                0 => "200 OK".to_owned(),
                _ => format!(
                    "206 Partial Content\r\ncontent-range: bytes {from}-{}/{}",
                    bytes.len() - 1,
                    bytes.len()
                ),
            };
            let length = bytes.len() - from;
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n");
            socket.write_all(answer.as_bytes()).await.unwrap();
            let end = (from + portion).min(bytes.len());
            let _ = socket.write_all(&bytes[from..end]).await;
            let _ = socket.shutdown().await;
        }
    });
    (address, requests)
}

#[tokio::test]
async fn a_transfer_that_breaks_off_goes_on_where_it_stopped() {
    let bytes = Arc::new(content());
    let wanted = wanted(&bytes);
    let (address, requests) = impatient_server(Arc::clone(&bytes), 900_000).await;
    let location = RegistryLocation::parse(&address, &bare(&[])).unwrap();
    let source = Source::open(&location).unwrap();
    let cache = tempfile::tempdir().unwrap();
    let place = fetch(cache.path(), Some(&source), &wanted).await.unwrap();
    assert_eq!(std::fs::read(place).unwrap(), *bytes);
    assert_eq!(requests.load(Ordering::Relaxed), 3);
}

/// Says that whatever lands is right, without looking at it.
struct Blind;

impl Landing for Blind {
    fn land(&self, _digest: &Digest, chunks: &mut dyn provisioning_package::Chunks) -> Landed {
        while let Ok(Some(_)) = chunks.next_chunk() {}
        Landed::Right
    }
}

#[tokio::test]
async fn only_a_large_archive_that_comes_fast_is_not_kept() {
    let (small, large) = (part::KEPT_BYTES_MAX, part::KEPT_BYTES_MAX + 1);
    let mib = 1024 * 1024;
    for (size, count, seconds, is_kept) in [
        (large, 16 * mib, 2, false),
        (large, 16 * mib, 3, true),
        (large, 15 * mib, 0, true),
        (small, 16 * mib, 0, true),
    ] {
        let cache = tempfile::tempdir().unwrap();
        let mut wanted = wanted(b"x");
        wanted.size = size;
        let landing: Arc<dyn Landing> = Arc::new(Blind);
        let mut part = Part::open(cache.path(), &wanted, Some(&landing))
            .await
            .unwrap();
        part.judge_speed(count, std::time::Duration::from_secs(seconds));
        assert_eq!(part.is_kept(), is_kept, "{size} {count} {seconds}");
        let left = std::fs::read_dir(cache.path()).unwrap().count();
        assert_eq!(left, usize::from(is_kept));
    }
}

#[tokio::test]
async fn what_the_cache_holds_lands_without_a_source_and_rot_is_told() {
    let bytes = content();
    let (wanted, absent) = (wanted(&bytes), wanted(b"absent"));
    let (_folder, source) = folder_with(&bytes, &wanted);
    let cache = tempfile::tempdir().unwrap();
    let place = fetch(cache.path(), Some(&source), &wanted).await.unwrap();
    let landing: Arc<dyn Landing> = Arc::new(Honest);
    let all = [absent, wanted];
    let cache = ArchiveCache::new(cache.path());
    let others = cache.land_cached(&all, &landing).await.unwrap();
    assert_eq!(others.len(), 1);
    assert_eq!(others[0].digest, all[0].digest);
    std::fs::write(&place, b"rot").unwrap();
    let others = cache.land_cached(&all, &landing).await.unwrap();
    assert_eq!(others.len(), 2);
    assert!(!place.exists());
}

/// Looks at what lands.
struct Honest;

impl Landing for Honest {
    fn land(&self, digest: &Digest, chunks: &mut dyn provisioning_package::Chunks) -> Landed {
        let mut hasher = provisioning_package::Hasher::new();
        while let Ok(Some(chunk)) = chunks.next_chunk() {
            hasher.update(&chunk);
        }
        let found = hasher.finish();
        if found.0 == *digest {
            Landed::Right
        } else {
            Landed::Wrong { found: Some(found) }
        }
    }
}
