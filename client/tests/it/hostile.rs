//! A proxy between client and registry that spoils one thing at a time. Nothing spoilt is
//! believed, each is told in its own words, and afterwards the truth is read as if nothing had
//! happened.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use provisioning_trust::{KeySet, SigningKey, canonical_json};
use serde_json::Value;

use crate::registry_fixture::{Client, Registry, Sample, copy_folder};

/// What is done to an answer.
type Lie = Box<dyn Fn(&str, &Served) -> Option<Reply> + Send + Sync>;

/// What the registry answered.
struct Served {
    status: u16,
    body: Vec<u8>,
}

/// What the client gets instead.
enum Reply {
    Bytes(Vec<u8>),
    Missing,
    /// A body without an end.
    Endless,
    /// A body that is shorter than its headers say.
    Torn(Vec<u8>),
}

/// A server that asks the registry and tells something else where it is told to.
struct Proxy {
    address: String,
    lie: Arc<Mutex<Option<Lie>>>,
}

impl Proxy {
    fn before(registry: &Registry) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let upstream = registry.url().trim_start_matches("http://").to_owned();
        let lie: Arc<Mutex<Option<Lie>>> = Arc::default();
        let shared = Arc::clone(&lie);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (upstream, lie) = (upstream.clone(), Arc::clone(&shared));
                std::thread::spawn(move || {
                    // A client that goes away in the middle is no failure.
                    let _ = answer(&stream, &upstream, &lie);
                });
            }
        });
        Self { address, lie }
    }

    fn lie(&self, lie: Lie) {
        *self.lie.lock().unwrap() = Some(lie);
    }

    fn tell_the_truth(&self) {
        *self.lie.lock().unwrap() = None;
    }
}

fn answer(mut stream: &TcpStream, upstream: &str, lie: &Mutex<Option<Lie>>) -> std::io::Result<()> {
    let mut head = BufReader::new(stream).lines();
    let first = head.next().unwrap_or_else(|| Ok(String::new()))?;
    while head
        .next()
        .is_some_and(|it| it.is_ok_and(|it| !it.is_empty()))
    {}
    let path = first.split(' ').nth(1).unwrap_or("/").to_owned();
    let served = ask(upstream, &path)?;
    let lied = lie
        .lock()
        .unwrap()
        .as_ref()
        .and_then(|lie| lie(&path, &served));
    let (status, body, length) = match lied {
        None => {
            let length = served.body.len();
            (served.status, served.body, length)
        }
        Some(Reply::Bytes(body)) => {
            let length = body.len();
            (200, body, length)
        }
        Some(Reply::Missing) => (404, Vec::new(), 0),
        Some(Reply::Torn(body)) => {
            let length = body.len() + 100;
            (200, body, length)
        }
        Some(Reply::Endless) => {
            write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
            loop {
                stream.write_all(&[b'x'; 8192])?;
            }
        }
    };
    write!(
        stream,
        "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    )?;
    stream.write_all(&body)
}

fn ask(upstream: &str, path: &str) -> std::io::Result<Served> {
    let mut stream = TcpStream::connect(upstream)?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {upstream}\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let end = answer
        .windows(4)
        .position(|it| it == b"\r\n\r\n")
        .unwrap_or(0);
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|it| it.parse().ok());
    Ok(Served {
        status: status.unwrap_or(500),
        body: answer.split_off((end + 4).min(answer.len())),
    })
}

/// A world with a past: what was served before, to be replayed.
struct World {
    registry: Registry,
    client: Client,
    proxy: Proxy,
    /// Files of the registry as they were when the client first looked.
    past: Vec<(String, Vec<u8>)>,
    /// A timestamp from before that. The one that the client knows already is no rollback:
    /// it is good until it ends.
    older_timestamp: Vec<u8>,
    keys: KeySet,
}

impl World {
    fn new() -> Self {
        let registry = Registry::start();
        let author = Client::of(&registry);
        author.publish(&Sample::first_party("core", "3.1.0"));
        let older_timestamp = timestamp_of(&registry);
        author.publish(&Sample::extension("redis", "1.0.0"));
        author.publish(&Sample::extension("mongodb", "1.0.0"));
        let proxy = Proxy::before(&registry);
        let client = Client::alone().with("PROVISIONING_REGISTRY", &proxy.address);
        assert_eq!(version_of(&client, "redis"), "1.0.0");
        assert_eq!(version_of(&client, "core"), "3.1.0");
        let keys = KeySet::load(&registry.data().join("keys")).unwrap();
        let mut world = Self {
            registry,
            client,
            proxy,
            past: Vec::new(),
            older_timestamp,
            keys,
        };
        world.past = world.files();
        author.publish(&Sample::first_party("core", "3.2.0"));
        author.publish(&Sample::extension("redis", "1.1.0"));
        world
    }

    /// The metadata and targets that are served now.
    fn files(&self) -> Vec<(String, Vec<u8>)> {
        let public = self.registry.data().join("public");
        let mut found = Vec::new();
        let mut open = vec![public.join("metadata"), public.join("targets")];
        while let Some(folder) = open.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    open.push(path);
                } else {
                    let name = path.strip_prefix(&public).unwrap().to_str().unwrap();
                    found.push((format!("/{name}"), std::fs::read(&path).unwrap()));
                }
            }
        }
        found
    }

    /// The newest file of the past whose name ends so.
    fn past(&self, end: &str) -> Vec<u8> {
        let mut all: Vec<_> = self
            .past
            .iter()
            .filter(|(name, _)| name.ends_with(end))
            .collect();
        all.sort_by_key(|(name, _)| number(name));
        all.last().unwrap_or_else(|| panic!("no {end}")).1.clone()
    }

    /// Metadata that is signed again after `edit`, by a key of the registry or a stranger's.
    fn resigned(&self, bytes: &[u8], label: Option<&str>, edit: impl Fn(&mut Value)) -> Vec<u8> {
        let mut file: Value = serde_json::from_slice(bytes).unwrap();
        edit(&mut file["signed"]);
        let message = canonical_json(&file["signed"]).unwrap();
        let stranger = SigningKey::generate().unwrap();
        let key = label.map_or(&stranger, |label| self.keys.key(label).unwrap());
        file["signatures"] = serde_json::to_value([key.sign(&message)]).unwrap();
        serde_json::to_vec(&file).unwrap()
    }
}

/// The timestamp that is served now.
fn timestamp_of(registry: &Registry) -> Vec<u8> {
    std::fs::read(registry.data().join("public/metadata/timestamp.json")).unwrap()
}

/// `7` of `/metadata/7.release.json`.
fn number(name: &str) -> u64 {
    let file = name.rsplit('/').next().unwrap();
    file.split('.').next().unwrap().parse().unwrap_or(0)
}

fn version_of(client: &Client, name: &str) -> String {
    let document = client.json(&["resolve", name]);
    document["packages"][0]["version"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// A mutation: its name, the codes that it may be told with, and how it lies.
type Mutation = (&'static str, &'static [&'static str], Lie);

/// Answers paths that end so with `reply`.
fn at(end: &str, reply: impl Fn(&Served) -> Reply + Send + Sync + 'static) -> Lie {
    let end = end.to_owned();
    Box::new(move |path, served| {
        let is_meant = path.ends_with(&end) && served.status == 200;
        is_meant.then(|| reply(served))
    })
}

/// The same for paths that the registry has not got.
fn invent(end: &str, body: Vec<u8>) -> Lie {
    let end = end.to_owned();
    Box::new(move |path, _| path.ends_with(&end).then(|| Reply::Bytes(body.clone())))
}

fn cut(served: &Served) -> Reply {
    Reply::Bytes(served.body[..served.body.len() / 2].to_vec())
}

fn flip(served: &Served) -> Reply {
    let mut body = served.body.clone();
    let middle = body.len() / 2;
    body[middle] ^= 1;
    Reply::Bytes(body)
}

fn expired(signed: &mut Value) {
    signed["expires"] = "2020-01-01T00:00:00Z".into();
}

const MALFORMED: &[&str] = &["malformed-metadata"];
const SIGNATURE: &[&str] = &["bad-signature"];
const MISMATCH: &[&str] = &["digest-mismatch", "too-large"];
const MISSING: &[&str] = &["metadata-missing"];
const ENDLESS: &[&str] = &["too-large"];

fn timestamps(world: &World) -> Vec<Mutation> {
    let end = "/timestamp.json";
    let now = timestamp_of(&world.registry);
    let old = world.older_timestamp.clone();
    let past_end = world.resigned(&now, Some("timestamp"), expired);
    let stranger = world.resigned(&now, None, |_| ());
    let unsigned = {
        let mut file: Value = serde_json::from_slice(&now).unwrap();
        file["signatures"] = serde_json::json!([]);
        serde_json::to_vec(&file).unwrap()
    };
    let bumped = String::from_utf8(now.clone()).unwrap();
    let bumped = bumped
        .replacen("\"version\":", "\"version\":1", 1)
        .into_bytes();
    let snapshot = world.past("snapshot.json");
    let fixed = |body: Vec<u8>| move |_: &Served| Reply::Bytes(body.clone());
    vec![
        ("timestamp cut short", MALFORMED, at(end, cut)),
        (
            "timestamp empty",
            MALFORMED,
            at(end, |_| Reply::Bytes(Vec::new())),
        ),
        (
            "timestamp is a login page",
            MALFORMED,
            at(end, |_| Reply::Bytes(b"<html>log in</html>".to_vec())),
        ),
        ("timestamp replayed", &["rollback"], at(end, fixed(old))),
        (
            "timestamp without signatures",
            SIGNATURE,
            at(end, fixed(unsigned)),
        ),
        (
            "timestamp signed by a stranger",
            SIGNATURE,
            at(end, fixed(stranger)),
        ),
        (
            "timestamp with another number",
            SIGNATURE,
            at(end, fixed(bumped)),
        ),
        (
            "timestamp that ended",
            &["metadata-expired"],
            at(end, fixed(past_end)),
        ),
        (
            "timestamp is a snapshot",
            &["malformed-metadata", "bad-signature"],
            at(end, fixed(snapshot)),
        ),
        ("timestamp withheld", MISSING, at(end, |_| Reply::Missing)),
        ("timestamp endless", ENDLESS, at(end, |_| Reply::Endless)),
    ]
}

#[expect(
    clippy::too_many_lines,
    reason = "a table of mutations, one after the other"
)]
fn others(world: &World) -> Vec<Mutation> {
    let fixed = |body: Vec<u8>| move |_: &Served| Reply::Bytes(body.clone());
    let snapshot = world.past("snapshot.json");
    let release = world.past("release.json");
    let targets = world.past("targets.json");
    let bin = bin_of("redis");
    let bin = bin.as_str();
    let root = std::fs::read(world.registry.data().join("public/metadata/1.root.json")).unwrap();
    let next = |it: &mut Value| it["version"] = 2.into();
    let gap = |it: &mut Value| it["version"] = 3.into();
    let false_root = world.resigned(&root, None, next);
    let few = world.resigned(&root, Some("root-1"), next);
    let far = world.resigned(&root, Some("root-1"), gap);
    let entry = world.past(".mongodb.json");
    vec![
        ("snapshot cut short", MISMATCH, at(".snapshot.json", cut)),
        (
            "snapshot of another time",
            MISMATCH,
            at(".snapshot.json", fixed(snapshot)),
        ),
        (
            "snapshot withheld",
            MISSING,
            at(".snapshot.json", |_| Reply::Missing),
        ),
        (
            "snapshot endless",
            &["too-large", "digest-mismatch"],
            at(".snapshot.json", |_| Reply::Endless),
        ),
        (
            "root of strangers",
            SIGNATURE,
            invent("/2.root.json", false_root),
        ),
        (
            "root with one signature",
            SIGNATURE,
            invent("/2.root.json", few),
        ),
        (
            "root out of turn",
            &["broken-root-chain", "bad-signature"],
            invent("/2.root.json", far),
        ),
        (
            "root is a login page",
            MALFORMED,
            invent("/2.root.json", b"<html>".to_vec()),
        ),
        (
            "release withheld",
            MISSING,
            at(".release.json", |_| Reply::Missing),
        ),
        (
            "release of another time",
            MISMATCH,
            at(".release.json", fixed(release)),
        ),
        (
            "release with one byte changed",
            MISMATCH,
            at(".release.json", flip),
        ),
        (
            "release is targets",
            MISMATCH,
            at(".release.json", fixed(targets)),
        ),
        (
            "bin of another time",
            &[
                "rollback",
                "digest-mismatch",
                "bad-signature",
                "malformed-metadata",
            ],
            at(bin, fixed(world.past(bin))),
        ),
        (
            "bin with one byte changed",
            &["bad-signature", "malformed-metadata"],
            at(bin, flip),
        ),
        ("bin cut short", MALFORMED, at(bin, cut)),
        ("bin withheld", MISSING, at(bin, |_| Reply::Missing)),
        (
            "entry of another package",
            MISMATCH,
            at(".redis.json", fixed(entry)),
        ),
        (
            "entry of another time",
            MISMATCH,
            at(".redis.json", fixed(world.past(".redis.json"))),
        ),
        ("entry cut short", MISMATCH, at(".redis.json", cut)),
        (
            "entry withheld",
            MISSING,
            at(".redis.json", |_| Reply::Missing),
        ),
        (
            "entry endless",
            &["too-large", "digest-mismatch"],
            at(".redis.json", |_| Reply::Endless),
        ),
    ]
}

/// `.bin-3f.json`, where this extension's entry is listed.
fn bin_of(name: &str) -> String {
    let path = format!("index/extension/{name}.json");
    let hash = provisioning_package::Digest::of(path.as_bytes()).hex();
    format!(".bin-{}.json", &hash[..2])
}

#[test]
fn nothing_that_is_spoilt_on_the_way_is_believed_and_each_is_told_in_its_own_words() {
    let world = World::new();
    let mut mutations = timestamps(&world);
    mutations.extend(others(&world));
    assert!(mutations.len() >= 25, "{}", mutations.len());
    let mut told = BTreeSet::new();
    // Each begins from what the client trusted before the newest publishes.
    let state = world.client.home().join("state");
    let kept = tempfile::tempdir().unwrap();
    copy_folder(&state, kept.path());
    for (what, codes, lie) in mutations {
        std::fs::remove_dir_all(&state).unwrap();
        copy_folder(kept.path(), &state);
        world.proxy.lie(lie);
        let ran = world.client.run(&["--json", "resolve", "redis", "core"]);
        let text = ran.stderr();
        assert_eq!(ran.status(), 4, "{what}: {}{text}", ran.stdout());
        let start = text.find("{\n").unwrap_or_else(|| panic!("{what}: {text}"));
        let error: Value = serde_json::from_str(&text[start..]).unwrap();
        let error = &error["error"];
        let code = error["code"].as_str().unwrap();
        assert!(codes.contains(&code), "{what}: {code}: {error:#}");
        let message = error["message"].as_str().unwrap();
        assert!(message.len() > 40, "{what}: {message}");
        told.insert((code.to_owned(), message.to_owned()));
        // The trusted state is unharmed: the truth is read as if nothing had happened.
        world.proxy.tell_the_truth();
        assert_eq!(version_of(&world.client, "redis"), "1.1.0", "{what}");
        assert_eq!(version_of(&world.client, "core"), "3.2.0", "{what}");
    }
    assert!(told.len() >= 20, "{told:#?}");
}

#[test]
fn an_archive_that_is_spoilt_on_the_way_is_not_installed() {
    let world = World::new();
    let other = world.client.build(&Sample::extension("other", "9.9.9"));
    let other = std::fs::read(other).unwrap();
    let archive = |reply: fn(&Served) -> Reply| -> Lie {
        Box::new(move |path, served| path.starts_with("/archives/").then(|| reply(served)))
    };
    let swapped = move |path: &str, _: &Served| {
        let is_archive = path.starts_with("/archives/");
        is_archive.then(|| Reply::Bytes(other.clone()))
    };
    let longer = |served: &Served| Reply::Bytes([&served.body[..], b"more"].concat());
    let torn = |served: &Served| Reply::Torn(served.body[..10].to_vec());
    for (what, exit, lie) in [
        ("one byte changed", 4, archive(flip)),
        ("longer", 4, archive(longer)),
        ("another archive", 4, Box::new(swapped) as Lie),
        ("withheld", 4, archive(|_| Reply::Missing)),
        ("torn off", 5, archive(torn)),
    ] {
        world.proxy.lie(lie);
        let ran = world.client.run(&["install", "redis"]);
        assert!(
            [exit, 4, 5].contains(&ran.status()),
            "{what}: {}",
            ran.stderr()
        );
        assert_ne!(ran.status(), 0, "{what}");
        assert!(!world.client.prefix().join("share").exists(), "{what}");
        world.proxy.tell_the_truth();
    }
    world.client.ok(&["install", "redis"]);
}
