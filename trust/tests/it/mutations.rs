//! Every file that a client fetches, spoilt in many ways by a proxy: whatever happens, what is
//! read is the truth, or nothing is.

use crate::registry::{Files, TestRegistry};

const PATHS: [(&str, &str); 3] = [
    ("versions.toml", "matrix"),
    ("index/core/core.json", "core"),
    ("index/extension/redis.json", "redis"),
];

/// The ways to spoil a file; `others` are the files that could be served in its place.
fn spoilt(honest: &[u8], others: &Files) -> Vec<Vec<u8>> {
    let mut ways = vec![
        Vec::new(),
        b"{}".to_vec(),
        b"<html>log in to this network</html>".to_vec(),
        [honest, honest].concat(),
        [honest, b" "].concat(),
        [b"\xef\xbb\xbf", honest].concat(),
    ];
    for part in 1..8 {
        let at = honest.len() * part / 8;
        ways.push(honest[..at].to_vec());
        let mut flipped = honest.to_vec();
        flipped[at] ^= 1;
        ways.push(flipped);
    }
    let text = String::from_utf8_lossy(honest).into_owned();
    for (from, to) in [
        ("\"version\":1", "\"version\":2"),
        ("\"version\":2", "\"version\":1"),
        ("\"threshold\":2", "\"threshold\":0"),
        ("\"threshold\":1", "\"threshold\":0"),
        ("\"terminating\":true", "\"terminating\":false"),
        ("2026", "2126"),
        ("\"signatures\":[", "\"signatures\":[],\"more\":["),
        ("\"length\":", "\"length\":1"),
    ] {
        if text.contains(from) {
            ways.push(text.replace(from, to).into_bytes());
        }
    }
    ways.extend(others.values().filter(|other| *other != honest).cloned());
    ways
}

/// Reads everything with a new client; `None` where anything was refused.
async fn read(registry: &TestRegistry) -> Option<Vec<Option<Vec<u8>>>> {
    let state = tempfile::tempdir().unwrap();
    let mut client = registry.client(state.path()).await.ok()?;
    let paths = PATHS.map(|(path, _)| path.to_owned());
    client.targets(&paths, registry.now).await.ok()
}

#[tokio::test]
async fn no_spoilt_file_makes_a_client_believe_anything_false() {
    let mut registry = TestRegistry::new();
    registry.publish(&PATHS);
    let truth: Vec<_> = PATHS
        .iter()
        .map(|(_, text)| Some(text.as_bytes().to_vec()))
        .collect();
    registry.wire.take_asked();
    assert_eq!(read(&registry).await.as_ref(), Some(&truth));
    let asked = registry.wire.take_asked();
    let files = registry.wire.files.lock().unwrap().clone();
    let fetched: Files = asked
        .iter()
        .filter_map(|path| Some((path.clone(), files.get(path)?.clone())))
        .collect();
    assert_eq!(fetched.len(), 10, "{asked:?}");
    let (mut refused, mut harmless) = (0, 0);
    for (path, honest) in &fetched {
        for lie in spoilt(honest, &fetched) {
            let end = path.clone();
            registry.wire.lie(move |path, honest| {
                if path == end {
                    Some(lie.clone())
                } else {
                    honest
                }
            });
            match read(&registry).await {
                None => refused += 1,
                Some(found) => {
                    assert_eq!(found, truth, "{path}");
                    harmless += 1;
                }
            }
        }
    }
    // A blank after the document changes no meaning where no digest pins the bytes.
    assert!(refused > 200, "{refused} refused");
    assert!(harmless < 10, "{harmless} harmless");
}
