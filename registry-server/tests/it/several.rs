//! Several servers over one PostgreSQL database and one place for files.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use provisioning_registry_api::session::SessionState;
use sqlx::{AnyConnection, Connection as _};
use tempfile::TempDir;

use crate::database;
use crate::registry::{Archive, Registry, archive};

/// How many publishers want the same version.
const RIVALS: usize = 50;

/// Two servers, each with a folder of its own, and what they share.
struct Pair {
    servers: [Registry; 2],
    database: String,
    _storage: TempDir,
}

impl Pair {
    /// `None` where there is no PostgreSQL.
    fn start() -> Option<Self> {
        let storage = tempfile::tempdir().unwrap();
        let name = storage.path().file_name().unwrap().to_str().unwrap();
        let database = database::postgres(name)?;
        Some(Self {
            servers: [
                Registry::start_beside(&database, storage.path()),
                Registry::start_beside(&database, storage.path()),
            ],
            database,
            _storage: storage,
        })
    }

    async fn count(&self, sql: &'static str) -> i64 {
        sqlx::any::install_default_drivers();
        let mut connection = AnyConnection::connect(&self.database).await.unwrap();
        let (count,): (i64,) = sqlx::query_as(sql)
            .fetch_one(&mut connection)
            .await
            .unwrap();
        count
    }

    /// Publishes each of `archives` as one version, half of them through each server.
    async fn race(&self, spec: &str, archives: &[Archive]) -> Vec<bool> {
        let racing = archives.iter().enumerate().map(|(number, one)| {
            let server = &self.servers[number % 2];
            server.publish(spec, std::slice::from_ref(one))
        });
        join_all(racing)
            .await
            .into_iter()
            .map(|it| match it {
                Ok(status) => {
                    assert_eq!(status.state, SessionState::Visible);
                    true
                }
                Err(problem) => {
                    assert_eq!(problem.status, 409, "{problem:?}");
                    false
                }
            })
            .collect()
    }
}

#[tokio::test]
async fn of_fifty_rivals_at_two_servers_exactly_one_wins_and_leaves_one_serial() {
    let Some(pair) = Pair::start() else { return };
    let serial = pair.count("SELECT serial FROM registry").await;
    let archives: Vec<Archive> = (0..RIVALS)
        .map(|number| archive("redis@1.0.0", &format!("of rival {number}")))
        .collect();
    let won = pair.race("redis@1.0.0", &archives).await;
    let winners: Vec<usize> = (0..RIVALS).filter(|it| won[*it]).collect();
    assert_eq!(winners.len(), 1);
    let winner = &archives[winners[0]];
    for server in &pair.servers {
        // The other server looks every 100 ms.
        let entry = eventually(async || {
            let entry = server.get("index/extension/redis.json").await;
            (entry.status() == 200).then_some(())
        });
        entry.await;
        let entry = server.index("redis").await;
        assert_eq!(entry.versions.len(), 1);
        assert_eq!(entry.versions[0].archives[0].digest, winner.digest);
        assert_eq!(server.archive(&winner.digest).await, winner.bytes);
    }
    assert_eq!(pair.count("SELECT COUNT(*) FROM versions").await, 1);
    let published = "SELECT COUNT(*) FROM audit WHERE action = 'publish'";
    assert_eq!(pair.count(published).await, 1);
    assert_eq!(pair.count("SELECT serial FROM registry").await, serial + 1);
    let fsck = pair.servers[0].command(&["fsck"]);
    assert!(
        fsck.status.success(),
        "{}",
        String::from_utf8_lossy(&fsck.stdout)
    );
}

#[tokio::test]
async fn fifty_equal_publishes_at_two_servers_all_succeed_as_one() {
    let Some(pair) = Pair::start() else { return };
    let serial = pair.count("SELECT serial FROM registry").await;
    let archives = vec![archive("redis@1.0.0", "the same"); RIVALS];
    let won = pair.race("redis@1.0.0", &archives).await;
    assert!(won.iter().all(|it| *it));
    assert_eq!(pair.count("SELECT COUNT(*) FROM versions").await, 1);
    let published = "SELECT COUNT(*) FROM audit WHERE action = 'publish'";
    assert_eq!(pair.count(published).await, 1);
    assert_eq!(pair.count("SELECT serial FROM registry").await, serial + 1);
}

#[tokio::test]
async fn what_one_server_published_the_other_serves_and_goes_on_from_there() {
    let Some(pair) = Pair::start() else { return };
    let mut expected = BTreeSet::new();
    for number in 0..6 {
        let spec = format!("redis@1.0.{number}");
        let one = archive(&spec, &spec);
        let server = &pair.servers[number % 2];
        server
            .publish(&spec, std::slice::from_ref(&one))
            .await
            .unwrap();
        expected.insert(one.digest);
        // Whoever published is answered only once it is readable there.
        let entry = server.index("redis").await;
        let listed: BTreeSet<_> = entry
            .versions
            .iter()
            .map(|it| it.archives[0].digest)
            .collect();
        assert_eq!(listed, expected);
    }
    let other = &pair.servers[0];
    eventually(async || (other.index("redis").await.versions.len() == 6).then_some(())).await;
    let timestamp = |server: &Registry| {
        let url = format!("{}/metadata/timestamp.json", server.base);
        let http = server.http.clone();
        async move { http.get(url).send().await.unwrap().bytes().await.unwrap() }
    };
    let first = timestamp(&pair.servers[0]).await;
    let second = eventually(async || {
        let second = timestamp(&pair.servers[1]).await;
        (second == first).then_some(second)
    });
    assert_eq!(second.await, first);
}

/// Asks again until there is an answer; the test's own limit ends it.
async fn eventually<T>(ask: impl AsyncFn() -> Option<T>) -> T {
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
