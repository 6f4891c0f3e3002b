//! `tuf-client`, the program that the public conformance suite drives.
#![expect(
    clippy::disallowed_methods,
    reason = "the program reads the real clock, so the registry must be signed by it"
)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use crate::registry::{TestRegistry, Wire};
use jiff::Timestamp;

/// Serves the files of a [`Wire`] over HTTP until the test ends.
fn serve(wire: Arc<Wire>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let first = lines.next().unwrap().unwrap();
            while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
            let path = first.split(' ').nth(1).unwrap();
            let found = wire.files.lock().unwrap().get(&path[1..]).cloned();
            let status = if found.is_some() { 200 } else { 404 };
            let body = found.unwrap_or_default();
            let length = body.len();
            write!(
                stream,
                "HTTP/1.0 {status} X\r\nContent-Length: {length}\r\n\r\n"
            )
            .unwrap();
            stream.write_all(&body).unwrap();
        }
    });
    base
}

fn tuf_client(state: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tuf-client"))
        .arg("--metadata-dir")
        .arg(state)
        .args(arguments)
        .output()
        .unwrap()
}

#[test]
fn the_conformance_program_inits_refreshes_and_downloads() {
    let mut registry = TestRegistry::new_at(Timestamp::now());
    registry.publish(&[
        ("index/core/core.json", "core"),
        ("index/extension/redis.json", "redis"),
    ]);
    let base = serve(registry.wire.clone());
    let state = tempfile::tempdir().unwrap();
    let out = tempfile::tempdir().unwrap();
    let root = out.path().join("trusted");
    std::fs::write(&root, registry.wire.get("metadata/1.root.json")).unwrap();
    let metadata = format!("{base}/metadata");
    let targets = format!("{base}/targets");

    let refused = tuf_client(state.path(), &["--metadata-url", &metadata, "refresh"]);
    assert_eq!(refused.status.code(), Some(1), "nothing is pinned yet");
    let init = tuf_client(state.path(), &["init", root.to_str().unwrap()]);
    assert_eq!(init.status.code(), Some(0), "{init:?}");
    let refresh = tuf_client(state.path(), &["--metadata-url", &metadata, "refresh"]);
    assert_eq!(refresh.status.code(), Some(0), "{refresh:?}");
    for (file, served) in [
        ("root.json", "1.root.json"),
        ("timestamp.json", "timestamp.json"),
        ("snapshot.json", "2.snapshot.json"),
        ("targets.json", "1.targets.json"),
    ] {
        let kept = std::fs::read(state.path().join(file)).unwrap();
        assert_eq!(kept, registry.wire.get(&format!("metadata/{served}")));
    }
    let download = |name: &str| {
        let folder = out.path().to_str().unwrap();
        let mut arguments = vec!["--metadata-url", &metadata, "--target-name", name];
        arguments.extend(["--target-base-url", &targets, "--target-dir", folder]);
        arguments.push("download");
        tuf_client(state.path(), &arguments).status.code()
    };
    assert_eq!(download("index/core/core.json"), Some(0));
    assert_eq!(download("index/extension/redis.json"), Some(0));
    assert_eq!(download("index/extension/absent.json"), Some(1));
    let core = std::fs::read(out.path().join("index%2Fcore%2Fcore.json")).unwrap();
    assert_eq!(core, b"core");

    let replayed = registry.wire.get("metadata/timestamp.json");
    registry.publish(&[("index/core/core.json", "again")]);
    assert_eq!(download("index/core/core.json"), Some(0));
    registry.wire.put("metadata/timestamp.json", &replayed);
    assert_eq!(download("index/core/core.json"), Some(1), "a rollback");
}
