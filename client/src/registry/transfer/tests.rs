//! Archives from servers that cut, lie, drip, change, redirect and refuse.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use provisioning_package::{Chunks, Digest};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::context::Context;
use crate::env::tests::bare;
use crate::failure::{Exit, Outcome};
use crate::output::{Output, Progress};
use crate::registry::archives::{ArchiveCache, Landed, Landing, WantedArchive};
use crate::registry::source::Source;
use crate::settings::{GlobalArgs, RegistryLocation, Settings};

/// What a server does with one request: its number, its head in small letters, and where to
/// answer.
type Script = Arc<dyn Fn(usize, &str) -> Answer + Send + Sync>;

/// One answer.
struct Answer {
    head: String,
    body: Vec<u8>,
}

fn answer(status: &str, headers: &[&str], body: &[u8]) -> Answer {
    let mut head = format!("HTTP/1.1 {status}\r\nconnection: close\r\n");
    for header in headers {
        head.push_str(header);
        head.push_str("\r\n");
    }
    Answer {
        head: head + "\r\n",
        body: body.to_vec(),
    }
}

/// The content that every test wants.
fn content() -> Vec<u8> {
    (0..100_000_u32).flat_map(u32::to_le_bytes).collect()
}

fn whole(headers: &[&str]) -> Answer {
    let mut answer = answer("200 OK", headers, &content());
    answer.head = answer.head.replace(
        "\r\n\r\n",
        &format!("\r\ncontent-length: {}\r\n\r\n", content().len()),
    );
    answer
}

/// The rest from `from` on, as a server that knows `Range` sends it.
fn rest(from: usize) -> Answer {
    let all = content();
    let range = format!(
        "content-range: bytes {from}-{}/{}",
        all.len() - 1,
        all.len()
    );
    let length = format!("content-length: {}", all.len() - from);
    answer(
        "206 Partial Content",
        &[&range, &length, "etag: \"one\""],
        &all[from..],
    )
}

/// A whole answer that breaks off after `count` bytes.
fn cut(count: usize) -> Answer {
    let mut answer = whole(&["etag: \"one\""]);
    answer.body.truncate(count);
    answer
}

fn range_of(head: &str) -> Option<usize> {
    let (_, rest) = head.split_once("range: bytes=")?;
    rest.split_once('-')?.0.parse().ok()
}

/// A server, and the requests that it got.
struct Server {
    address: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start(script: impl Fn(usize, &str) -> Answer + Send + Sync + 'static) -> Self {
        let script: Script = Arc::new(script);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/", listener.local_addr().unwrap());
        let heads = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&heads);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let kept = Arc::clone(&kept);
                tokio::spawn(serve(socket, Arc::clone(&script), kept));
            }
        });
        Self { address, heads }
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

async fn serve(mut socket: TcpStream, script: Script, heads: Arc<Mutex<Vec<String>>>) {
    let mut head = Vec::new();
    let mut buffer = [0; 4096];
    while !head.ends_with(b"\r\n\r\n") {
        match socket.read(&mut buffer).await {
            Ok(count) if count > 0 => head.extend_from_slice(&buffer[..count]),
            _ => return,
        }
    }
    let head = String::from_utf8_lossy(&head).to_lowercase();
    let number = {
        let mut heads = heads.lock().unwrap();
        heads.push(head.clone());
        heads.len()
    };
    let answer = script(number, &head);
    let _ = socket.write_all(answer.head.as_bytes()).await;
    let _ = socket.write_all(&answer.body).await;
    let _ = socket.shutdown().await;
}

/// A client's run against `registry`, with these variables.
fn context(registry: &str, variables: &[(&str, &str)]) -> Context {
    let mut all = vec![("PROVISIONING_REGISTRY", registry), ("HOME", "/nowhere")];
    all.extend(variables);
    let env = bare(&all);
    let settings = Settings::read(&env, &GlobalArgs::default()).unwrap();
    Context {
        output: Output::new(&env, &settings),
        settings,
        env,
    }
}

fn wanted() -> WantedArchive {
    WantedArchive {
        label: "sample 1.0.0".to_owned(),
        digest: Digest::of(&content()),
        size: content().len() as u64,
    }
}

async fn fetch_in(context: &Context, cache: &Path) -> Outcome<PathBuf> {
    let location: RegistryLocation = context.settings.registry().unwrap().clone();
    let source = Source::of_context(&location, context).unwrap();
    let (all, progress) = ([wanted()], Progress::hidden());
    let cache = ArchiveCache::new(cache);
    let places = cache
        .fetch_all(Some(&source), "archives/", &all, &progress)
        .await;
    places.map(|mut it| it.remove(0))
}

/// Keeps what lands in memory, and judges it as those do who unpack.
#[derive(Default)]
struct Collected(Mutex<Option<Vec<u8>>>);

impl Landing for Collected {
    fn land(&self, digest: &Digest, chunks: &mut dyn Chunks) -> Landed {
        let mut bytes = Vec::new();
        loop {
            match chunks.next_chunk() {
                Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(_) => return Landed::Wrong { found: None },
            }
        }
        let found = Digest::of(&bytes);
        if found != *digest {
            let found = Some((found, bytes.len() as u64));
            return Landed::Wrong { found };
        }
        let before = self.0.lock().unwrap().replace(bytes);
        assert_eq!(before, None, "an archive lands once");
        Landed::Right
    }
}

/// The same where it is unpacked as it arrives; also gives what is in the cache then.
async fn land_in(context: &Context, cache: &Path) -> Outcome<Vec<u8>> {
    let location: RegistryLocation = context.settings.registry().unwrap().clone();
    let source = Source::of_context(&location, context).unwrap();
    let (all, progress) = ([wanted()], Progress::hidden());
    let collected = Arc::new(Collected::default());
    let landing: Arc<dyn Landing> = collected.clone();
    ArchiveCache::new(cache)
        .land_all(Some(&source), "archives/", &all, &landing, &progress)
        .await?;
    let kept = cache.join("archives/sha256").join(wanted().digest.hex());
    assert_eq!(std::fs::read(kept).unwrap(), content(), "kept too");
    Ok(collected.0.lock().unwrap().take().unwrap())
}

/// Fetches from a server with this script; what became of it, and what was asked. An archive
/// that is unpacked as it arrives fares no differently.
async fn fetch(
    script: impl Fn(usize, &str) -> Answer + Send + Sync + 'static,
) -> (Outcome<Vec<u8>>, Vec<String>) {
    let script = Arc::new(script);
    let again = Arc::clone(&script);
    let server = Server::start(move |number, head| script(number, head)).await;
    let cache = tempfile::tempdir().unwrap();
    let fetched = fetch_in(&context(&server.address, &[]), cache.path()).await;
    let fetched = fetched.map(|it| std::fs::read(it).unwrap());

    let other = Server::start(move |number, head| again(number, head)).await;
    let cache = tempfile::tempdir().unwrap();
    let landed = land_in(&context(&other.address, &[]), cache.path()).await;
    match (&fetched, &landed) {
        (Ok(fetched), Ok(landed)) => assert_eq!(fetched, landed),
        (Err(one), Err(other)) => assert_eq!(one.exit(), other.exit()),
        _ => panic!("fetched: {}, landed: {}", fetched.is_ok(), landed.is_ok()),
    }
    let without_host = |it: &String| it.lines().filter(|it| !it.starts_with("host:")).collect();
    let heads =
        |server: &Server| -> Vec<String> { server.heads().iter().map(without_host).collect() };
    assert_eq!(heads(&server), heads(&other));
    (fetched, server.heads())
}

#[tokio::test]
async fn what_was_cut_goes_on_with_range_and_if_match() {
    let (fetched, heads) = fetch(|number, head| match number {
        1 => cut(150_000),
        _ => rest(range_of(head).unwrap()),
    })
    .await;
    assert_eq!(fetched.unwrap(), content());
    assert_eq!(heads.len(), 2);
    assert!(!heads[0].contains("range"), "{}", heads[0]);
    assert!(heads[1].contains("range: bytes=150000-"), "{}", heads[1]);
    assert!(heads[1].contains("if-match: \"one\""), "{}", heads[1]);
}

#[tokio::test]
async fn a_server_that_ignores_range_gives_the_whole_again() {
    let (fetched, heads) = fetch(|number, _| match number {
        1 => cut(150_000),
        _ => whole(&[]),
    })
    .await;
    assert_eq!(fetched.unwrap(), content());
    assert_eq!(heads.len(), 2);
}

#[tokio::test]
async fn a_changed_file_and_a_range_beyond_its_end_begin_anew() {
    fn changed(number: usize, head: &str) -> Answer {
        match (number, range_of(head)) {
            (1, _) => cut(150_000),
            (_, Some(_)) => answer("412 Precondition Failed", &["content-length: 0"], b""),
            (_, None) => whole(&["etag: \"two\""]),
        }
    }
    fn beyond(number: usize, head: &str) -> Answer {
        match (number, range_of(head)) {
            (1, _) => cut(150_000),
            (_, Some(_)) => answer("416 Range Not Satisfiable", &["content-length: 0"], b""),
            (_, None) => whole(&[]),
        }
    }
    for script in [changed as fn(usize, &str) -> Answer, beyond] {
        let (fetched, heads) = fetch(script).await;
        assert_eq!(fetched.unwrap(), content());
        assert_eq!(heads.len(), 3, "{heads:?}");
    }
}

#[tokio::test]
async fn a_part_of_something_else_is_found_by_its_digest_and_fetched_anew() {
    let (fetched, heads) = fetch(|number, head| match (number, range_of(head)) {
        (1, _) => {
            let mut answer = cut(150_000);
            answer.body[10] ^= 1;
            answer
        }
        (_, Some(from)) => rest(from),
        (_, None) => whole(&[]),
    })
    .await;
    assert_eq!(fetched.unwrap(), content());
    assert_eq!(heads.len(), 3);
}

#[tokio::test]
async fn another_part_than_was_asked_for_is_not_believed() {
    let (fetched, _) = fetch(|number, head| match (number, range_of(head)) {
        (1, _) => cut(150_000),
        (_, Some(_)) => rest(200_000),
        (_, None) => whole(&[]),
    })
    .await;
    assert_eq!(fetched.unwrap(), content());
}

#[tokio::test]
async fn more_than_was_signed_is_not_read_whether_it_is_announced_or_not() {
    let (fetched, _) = fetch(|_, _| answer("200 OK", &["content-length: 99999999999"], b"x")).await;
    assert_eq!(fetched.unwrap_err().exit(), Exit::Verification);
    let (fetched, heads) = fetch(|_, _| {
        let mut endless = content();
        endless.extend(content());
        answer("200 OK", &[], &endless)
    })
    .await;
    assert_eq!(fetched.unwrap_err().exit(), Exit::Verification);
    assert_eq!(heads.len(), 1);
}

#[tokio::test]
async fn a_busy_server_is_asked_again_when_it_said_and_a_refusal_is_final() {
    let started = std::time::Instant::now();
    let (fetched, heads) = fetch(|number, _| match number {
        1 => answer(
            "503 Service Unavailable",
            &["retry-after: 1", "content-length: 0"],
            b"",
        ),
        _ => whole(&[]),
    })
    .await;
    assert_eq!(fetched.unwrap(), content());
    assert_eq!(heads.len(), 2);
    assert!(started.elapsed() >= Duration::from_secs(1));
    let (fetched, heads) = fetch(|_, _| answer("403 Forbidden", &["content-length: 0"], b"")).await;
    let refused = fetched.unwrap_err();
    assert_eq!(
        (refused.code(), refused.exit()),
        ("registry-refused", Exit::Failed)
    );
    assert_eq!(heads.len(), 1);
}

#[tokio::test]
async fn what_arrived_is_kept_for_the_next_run_with_its_etag() {
    let cache = tempfile::tempdir().unwrap();
    let server = Server::start(|number, head| match number {
        1 => cut(150_000),
        2 => answer("404 Not Found", &["content-length: 0"], b""),
        _ => rest(range_of(head).unwrap()),
    })
    .await;
    let context = context(&server.address, &[]);
    fetch_in(&context, cache.path()).await.unwrap_err();
    let folder = cache.path().join("archives/sha256");
    let part = folder.join(format!("{}.part", wanted().digest.hex()));
    assert_eq!(part.metadata().unwrap().len(), 150_000);
    // What is taken up is unpacked from its first byte on.
    let landed = land_in(&context, cache.path()).await.unwrap();
    assert_eq!(landed, content());
    let last = server.heads().pop().unwrap();
    assert!(last.contains("range: bytes=150000-"), "{last}");
    assert!(last.contains("if-match: \"one\""), "{last}");
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 1);
}

#[tokio::test]
async fn mirrors_are_tried_in_turn_and_the_registry_last() {
    let lying = Server::start(|_, _| answer("200 OK", &[], b"lies")).await;
    let empty = Server::start(|_, _| answer("404 Not Found", &["content-length: 0"], b"")).await;
    let good = Server::start(|_, _| whole(&[])).await;
    let registry = Server::start(|_, _| whole(&[])).await;
    let mirrors = format!("{} {} {}", lying.address, empty.address, good.address);
    let context = context(&registry.address, &[("PROVISIONING_MIRRORS", &mirrors)]);
    let cache = tempfile::tempdir().unwrap();
    let landed = land_in(&context, cache.path()).await.unwrap();
    assert_eq!(landed, content());
    assert_eq!((lying.heads().len(), empty.heads().len()), (1, 1));
    assert!(registry.heads().is_empty());
}

#[tokio::test]
async fn where_every_place_fails_each_one_is_named_and_wrong_bytes_weigh_most() {
    let lying = Server::start(|_, _| answer("200 OK", &[], b"lies")).await;
    let empty = Server::start(|_, _| answer("404 Not Found", &["content-length: 0"], b"")).await;
    let context = context(&empty.address, &[("PROVISIONING_MIRRORS", &lying.address)]);
    let cache = tempfile::tempdir().unwrap();
    let failure = fetch_in(&context, cache.path()).await.unwrap_err();
    assert_eq!(failure.exit(), Exit::Verification);
    let text = failure.to_json();
    assert!(
        text.contains(&lying.address) && text.contains(&empty.address),
        "{text}"
    );
    let left = std::fs::read_dir(cache.path().join("archives/sha256")).unwrap();
    assert_eq!(left.count(), 0);
}

#[tokio::test]
async fn a_token_is_shown_once_asked_for_and_never_to_where_a_redirect_leads() {
    let other = Server::start(|_, _| whole(&[])).await;
    let elsewhere = format!("location: {}elsewhere", other.address);
    let registry = Server::start(move |_, head| {
        if head.contains("authorization: bearer s3cret") {
            answer("302 Found", &[&elsewhere, "content-length: 0"], b"")
        } else {
            answer("401 Unauthorized", &["content-length: 0"], b"")
        }
    })
    .await;
    let given = context(&registry.address, &[("PROVISIONING_TOKEN", "s3cret")]);
    let cache = tempfile::tempdir().unwrap();
    fetch_in(&given, cache.path()).await.unwrap();
    assert!(!registry.heads()[0].contains("authorization"));
    assert!(registry.heads()[1].contains("bearer s3cret"));
    assert_eq!(other.heads().len(), 1);
    // The mirror is another server: it never gets the registry's token.
    let mirrored = context(
        &registry.address,
        &[
            ("PROVISIONING_TOKEN", "s3cret"),
            ("PROVISIONING_MIRRORS", &other.address),
        ],
    );
    let cache = tempfile::tempdir().unwrap();
    fetch_in(&mirrored, cache.path()).await.unwrap();
    assert_eq!(other.heads().len(), 2);
    assert!(other.heads().iter().all(|it| !it.contains("authorization")));
}

#[tokio::test]
async fn a_wrong_token_is_refused_without_a_word_of_it() {
    let registry = Server::start(|_, _| answer("401 Nope", &["content-length: 0"], b"")).await;
    let context = context(&registry.address, &[("PROVISIONING_TOKEN", "s3cret")]);
    let cache = tempfile::tempdir().unwrap();
    let failure = fetch_in(&context, cache.path()).await.unwrap_err();
    assert!(!failure.to_json().contains("s3cret"));
    assert!(!format!("{failure:?}").contains("s3cret"));
    assert_eq!(registry.heads().len(), 2);
}
