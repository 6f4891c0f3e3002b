//! Many clients at two servers, one of which is killed again and again: what was acknowledged is
//! there afterwards, byte for byte.
//!
//! `scripts/mixed-load` runs this for ten minutes; here it is as short as a test may be.
#![expect(
    clippy::disallowed_methods,
    reason = "a test may ask the environment how long it shall run"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use provisioning_package::Digest;
use provisioning_registry_api::index::IndexEntry;
use provisioning_registry_api::session::SessionState;
use sqlx::{AnyConnection, Connection as _};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::database;
use crate::registry::{Archive, Registry, answer, archive, program};

const CLIENTS: usize = 64;
/// A client publishes this often for each time that it only reads.
const PUBLISHES: usize = 2;

/// How long the load goes on, and how often a server is killed.
struct Length {
    load: Duration,
    between_kills: Duration,
}

impl Length {
    fn read() -> Self {
        let seconds = |name: &str, default| {
            let value = std::env::var(name).ok();
            Duration::from_secs(value.map_or(default, |it| it.parse().unwrap()))
        };
        Self {
            load: seconds("PROVISIONING_TEST_LOAD_SECONDS", 20),
            between_kills: seconds("PROVISIONING_TEST_KILL_SECONDS", 4),
        }
    }
}

/// What the clients share.
struct Load {
    servers: [Registry; 2],
    is_over: AtomicBool,
    repeated: AtomicUsize,
    reads: AtomicUsize,
}

/// What a client was told is published.
type Acknowledged = BTreeMap<String, Archive>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_while_servers_are_killed_under_load() {
    let storage = tempfile::tempdir().unwrap();
    let name = storage.path().file_name().unwrap().to_str().unwrap();
    let Some(database) = database::postgres(name) else {
        return;
    };
    let length = Length::read();
    let load = Arc::new(Load {
        servers: [
            Registry::start_beside(&database, storage.path()),
            Registry::start_beside(&database, storage.path()),
        ],
        is_over: AtomicBool::new(false),
        repeated: AtomicUsize::new(0),
        reads: AtomicUsize::new(0),
    });
    let killing = tokio::spawn(kill_in_turn(Arc::clone(&load), length.between_kills));
    let clients = (0..CLIENTS).map(|number| tokio::spawn(client(Arc::clone(&load), number)));
    let clients: Vec<_> = clients.collect();
    let started = Instant::now();
    tokio::time::sleep(length.load).await;
    load.is_over.store(true, Ordering::Relaxed);
    let told: Vec<Acknowledged> = join_all(clients)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    let (kills, _running) = killing.await.unwrap();
    let all: Vec<(&String, &Archive)> = told.iter().flatten().collect();
    println!(
        "{} publishes acknowledged in {:?}, {} of them after repetitions, {} reads, {kills} kills",
        all.len(),
        started.elapsed(),
        load.repeated.load(Ordering::Relaxed),
        load.reads.load(Ordering::Relaxed),
    );
    assert!(kills > 0);
    assert!(!all.is_empty());
    for server in &load.servers {
        is_all_there(server, &told).await;
    }
    assert_eq!(
        published(&database).await,
        all.iter().map(|it| it.0.clone()).collect()
    );
    let fsck = load.servers[0].command(&["fsck"]);
    assert!(
        fsck.status.success(),
        "{}",
        String::from_utf8_lossy(&fsck.stdout)
    );
}

/// Publishes and reads until the load is over; a publish that was begun is always finished.
async fn client(load: Arc<Load>, number: usize) -> Acknowledged {
    let mut told = Acknowledged::new();
    let name = format!("load-{number}");
    for turn in 0.. {
        if load.is_over.load(Ordering::Relaxed) {
            return told;
        }
        let server = &load.servers[(number + turn) % 2];
        if turn % (PUBLISHES + 1) == PUBLISHES {
            read(&load, server, &name, &told).await;
            continue;
        }
        let spec = format!("{name}@0.{turn}.0");
        let one = archive(&spec, &format!("{spec} of {:?}", Instant::now()));
        publish(&load, number + turn, &spec, &one).await;
        told.insert(spec, one);
    }
    told
}

async fn publish(load: &Load, first: usize, spec: &str, one: &Archive) {
    for attempt in 0.. {
        let server = &load.servers[(first + attempt) % 2];
        match server.publish(spec, std::slice::from_ref(one)).await {
            Ok(status) if status.state == SessionState::Visible => return,
            Ok(_) => {}
            // Another holder's session reserved the version: the same token's, at the server
            // that was killed. It goes on there.
            Err(problem) => assert!(
                problem.status == 0 || problem.status >= 500 || problem.status == 409,
                "{spec}: {problem:?}"
            ),
        }
        if attempt == 0 {
            load.repeated.fetch_add(1, Ordering::Relaxed);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Reads back something that was acknowledged, where the server is there.
async fn read(load: &Load, server: &Registry, name: &str, told: &Acknowledged) {
    let Some((_, one)) = told.last_key_value() else {
        return;
    };
    let path = format!("archives/sha256/{}", one.digest.hex());
    if let Some(bytes) = try_get(server, &path).await {
        assert_eq!(bytes, one.bytes, "{path}");
        load.reads.fetch_add(1, Ordering::Relaxed);
    }
    if let Some(bytes) = try_get(server, &format!("index/extension/{name}.json")).await {
        serde_json::from_slice::<IndexEntry>(&bytes).unwrap();
        load.reads.fetch_add(1, Ordering::Relaxed);
    }
}

/// `None` where the server was killed meanwhile.
async fn try_get(server: &Registry, path: &str) -> Option<Vec<u8>> {
    let answer = server
        .http
        .get(format!("{}/{path}", server.base))
        .send()
        .await
        .ok()?;
    assert!(answer.status() != 500, "{path}");
    if answer.status() != 200 {
        return None;
    }
    Some(answer.bytes().await.ok()?.to_vec())
}

/// The servers that were started again; they end with the test.
struct Restarted([Option<Child>; 2]);

impl Drop for Restarted {
    fn drop(&mut self) {
        for child in self.0.iter_mut().flatten() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Kills one server after the other and starts each again at its address.
async fn kill_in_turn(load: Arc<Load>, pause: Duration) -> (usize, Restarted) {
    let mut restarted = Restarted([None, None]);
    let mut kills = 0;
    loop {
        tokio::time::sleep(pause).await;
        if load.is_over.load(Ordering::Relaxed) {
            return (kills, restarted);
        }
        let number = kills % 2;
        let server = &load.servers[number];
        let running = &mut restarted.0[number];
        let pid = running.as_ref().map_or_else(|| server.pid(), Child::id);
        let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        if let Some(mut child) = running.take() {
            child.wait().unwrap();
        }
        restarted.0[number] = Some(start_again(server).await);
        kills += 1;
    }
}

/// Starts a killed server again where its clients look for it.
async fn start_again(server: &Registry) -> Child {
    loop {
        let mut process = program()
            .args([
                "serve",
                "--listen",
                server.base.strip_prefix("http://").unwrap(),
            ])
            .arg("--data")
            .arg(server.file(""))
            .args(server.shared())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stdout = process.stdout.take().unwrap();
        let stdout = tokio::process::ChildStdout::from_std(stdout).unwrap();
        let line = BufReader::new(stdout).lines().next_line().await.unwrap();
        if line.is_some_and(|it| it.starts_with("listening on ")) {
            return process;
        }
        // The dead one's lock may be there for a moment longer.
        process.wait().unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn is_all_there(server: &Registry, told: &[Acknowledged]) {
    let some = told.iter().enumerate().filter(|(_, it)| !it.is_empty());
    for (number, told) in some {
        let entry: IndexEntry = loop {
            let found = server
                .get(&format!("index/extension/load-{number}.json"))
                .await;
            let entry: IndexEntry = answer(found).await.unwrap();
            // The server that did not sign last follows the other one.
            if entry.versions.len() >= told.len() {
                break entry;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        assert_eq!(entry.versions.len(), told.len());
        for (spec, one) in told {
            let version = spec.split_once('@').unwrap().1.parse().unwrap();
            let listed = entry.version(&version).unwrap();
            assert_eq!(listed.archives[0].digest, one.digest, "{spec}");
            let bytes = server.archive(&one.digest).await;
            assert_eq!(Digest::of(&bytes), one.digest, "{spec}");
        }
    }
}

/// Every version that the database has.
async fn published(url: &str) -> BTreeSet<String> {
    sqlx::any::install_default_drivers();
    let mut connection = AnyConnection::connect(url).await.unwrap();
    let rows: Vec<(String,)> = sqlx::query_as("SELECT package || '@' || version FROM versions")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    rows.into_iter().map(|(it,)| it).collect()
}
