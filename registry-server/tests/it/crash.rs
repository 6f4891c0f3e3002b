//! A server that is killed at each step of a publish loses nothing that it acknowledged,
//! and the same publish, again, succeeds.

use provisioning_registry_api::index::IndexEntry;
use provisioning_registry_api::session::SessionState;
use provisioning_registry_server::CrashPoint;

use sqlx::{AnyConnection, Connection as _};

use crate::registry::{Registry, archive, json};

#[tokio::test]
async fn a_publish_killed_at_any_step_succeeds_when_it_is_tried_again() {
    let mut registry = Registry::start_lasting();
    let before = archive("core@1.0.0", "acknowledged");
    registry
        .publish("core@1.0.0", std::slice::from_ref(&before))
        .await
        .unwrap();
    for (number, point) in CrashPoint::ALL.into_iter().enumerate() {
        registry.kill_and_restart(&["--crash-at", point.as_str()]);
        let spec = format!("redis@1.0.{number}");
        let redis = archive(&spec, point.as_str());
        let broken = registry
            .publish(&spec, std::slice::from_ref(&redis))
            .await
            .unwrap_err();
        assert_eq!(broken.code, "broken", "{point:?}: {broken:?}");
        assert!(!registry.wait().success(), "{point:?}");

        registry.restart(&[]);
        let found = registry.get("index/extension/redis.json").await;
        let entry: Option<IndexEntry> = match found.status().as_u16() {
            200 => Some(json(found).await),
            404 => None,
            other => panic!("{point:?}: {other}"),
        };
        let is_listed = entry.is_some_and(|it| it.version(&declared(number)).is_some());
        let is_committed = matches!(
            point,
            CrashPoint::Committed
                | CrashPoint::TargetsWritten
                | CrashPoint::BeforeTimestamp
                | CrashPoint::Switched
                | CrashPoint::Visible
        );
        assert_eq!(is_listed, is_committed, "{point:?}");
        let status = registry
            .publish(&spec, std::slice::from_ref(&redis))
            .await
            .unwrap();
        assert_eq!(status.state, SessionState::Visible, "{point:?}");
        assert_eq!(registry.archive(&redis.digest).await, redis.bytes);
        assert_eq!(registry.archive(&before.digest).await, before.bytes);
        assert_eq!(registry.index("core").await.versions.len(), 1);
    }
}

fn declared(number: usize) -> semver::Version {
    format!("1.0.{number}").parse().unwrap()
}

#[tokio::test]
async fn a_server_killed_at_random_serves_all_that_it_acknowledged() {
    let mut registry = Registry::start_lasting();
    let mut acknowledged = Vec::new();
    for round in 0..6_u64 {
        let pid = registry.pid();
        // Later each round, so that the kill meets different steps.
        let killer = tokio::task::spawn_blocking(move || {
            std::thread::sleep(std::time::Duration::from_millis(60 + 35 * round));
            let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        });
        let mut last = None;
        for number in 0.. {
            let spec = format!("redis@{round}.{number}.0");
            let redis = archive(&spec, &spec);
            let published = registry.publish(&spec, std::slice::from_ref(&redis)).await;
            if published.is_err() {
                last = Some((spec, redis));
                break;
            }
            acknowledged.push((spec, redis));
        }
        killer.await.unwrap();
        registry.kill_and_restart(&[]);
        let (spec, redis) = last.unwrap();
        registry
            .publish(&spec, std::slice::from_ref(&redis))
            .await
            .unwrap();
        acknowledged.push((spec, redis));
    }
    let entry = registry.index("redis").await;
    assert_eq!(entry.versions.len(), acknowledged.len());
    for (spec, redis) in &acknowledged {
        let version = spec.strip_prefix("redis@").unwrap().parse().unwrap();
        let listed = entry.version(&version).unwrap();
        assert_eq!(listed.archives[0].digest, redis.digest);
        assert_eq!(registry.archive(&redis.digest).await, redis.bytes);
    }
}

#[tokio::test]
async fn uploads_of_a_killed_server_are_removed_by_the_next_one() {
    let mut registry = Registry::start_lasting();
    std::fs::write(registry.file("staging/upload-left"), "left behind").unwrap();
    registry.kill_and_restart(&[]);
    assert!(!registry.file("staging/upload-left").exists());
}

/// What the database says of the read side: what is in force, what is durable, and the archives
/// whose files need not be there yet.
struct Haste {
    shown: i64,
    kept: i64,
    fresh: Vec<String>,
}

async fn haste(registry: &Registry) -> Haste {
    sqlx::any::install_default_drivers();
    let file = registry.file("registry.sqlite");
    let url = format!("sqlite://{}", file.display());
    let mut connection = AnyConnection::connect(&url).await.unwrap();
    let (shown, kept): (i64, i64) = sqlx::query_as("SELECT shown, kept FROM signing")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    let fresh: Vec<(String,)> = sqlx::query_as("SELECT digest FROM fresh_archives")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    Haste {
        shown,
        kept,
        fresh: fresh.into_iter().map(|(it,)| it).collect(),
    }
}

#[tokio::test]
async fn files_that_a_power_failure_took_back_are_made_again() {
    if crate::database::is_postgres() {
        // The database is not in the folder.
        return;
    }
    let mut registry = Registry::start_lasting();
    let mut published = Vec::new();
    let lost = loop {
        let number = published.len();
        let spec = format!("redis@1.0.{number}");
        let redis = archive(&spec, &spec);
        registry
            .publish(&spec, std::slice::from_ref(&redis))
            .await
            .unwrap();
        published.push(redis);
        registry.kill();
        let haste = haste(&registry).await;
        // Otherwise everything reached the disk just before the end: once more.
        if haste.kept > 0 && haste.kept < haste.shown && !haste.fresh.is_empty() {
            break haste;
        }
        registry.restart(&[]);
    };
    // What no sync has seen: names are there and bytes are not.
    for entry in std::fs::read_dir(registry.file("public/metadata")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let number = name
            .split_once('.')
            .and_then(|(it, _)| it.parse::<i64>().ok());
        if number.is_none_or(|it| it > lost.kept) {
            std::fs::write(&path, "").unwrap();
        }
    }
    for hex in &lost.fresh {
        std::fs::write(registry.file(&format!("public/archives/sha256/{hex}")), "").unwrap();
    }
    let newest = std::fs::read_dir(registry.file("public/targets/index/extension")).unwrap();
    let newest = newest
        .map(|it| it.unwrap().path())
        .max_by_key(|it| it.metadata().unwrap().len())
        .unwrap();
    std::fs::remove_file(newest).unwrap();

    registry.restart(&[]);
    assert_eq!(
        registry.index("redis").await.versions.len(),
        published.len()
    );
    for redis in &published {
        assert_eq!(registry.archive(&redis.digest).await, redis.bytes);
    }
    let fsck = registry.command(&["fsck"]);
    assert!(
        fsck.status.success(),
        "{}",
        String::from_utf8_lossy(&fsck.stdout)
    );
    let timestamp = registry
        .get("metadata/timestamp.json")
        .await
        .bytes()
        .await
        .unwrap();
    let timestamp: serde_json::Value = serde_json::from_slice(&timestamp).unwrap();
    assert!(timestamp["signed"]["version"].as_i64().unwrap() > lost.shown);
}
