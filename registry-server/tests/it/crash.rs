//! A server that is killed at each step of a publish loses nothing that it acknowledged,
//! and the same publish, again, succeeds.

use provisioning_registry_api::index::IndexEntry;
use provisioning_registry_api::session::SessionState;
use provisioning_registry_server::CrashPoint;

use crate::registry::{Registry, archive, json};

#[tokio::test]
async fn a_publish_killed_at_any_step_succeeds_when_it_is_tried_again() {
    let mut registry = Registry::start();
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
    let mut registry = Registry::start();
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
    let mut registry = Registry::start();
    std::fs::write(registry.file("staging/upload-left"), "left behind").unwrap();
    registry.kill_and_restart(&[]);
    assert!(!registry.file("staging/upload-left").exists());
}
