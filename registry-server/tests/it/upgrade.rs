//! A registry that an earlier version left behind keeps everything under this one.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use provisioning_package::Digest;
use provisioning_registry_api::session::SessionState;
use reqwest::Method;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Executor as _, Row as _};
use tempfile::TempDir;

use crate::database;
use crate::registry::{Registry, archive};

/// What must be there afterwards, row by row, in the columns that it had.
const TABLES: [&str; 9] = [
    "tokens",
    "names",
    "packages",
    "archives",
    "versions",
    "version_archives",
    "matrices",
    "bundle_sequences",
    "audit",
];

#[tokio::test]
async fn every_released_schema_upgrades_on_sqlite_and_keeps_everything() {
    for fixture in fixtures() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("registry.sqlite");
        let url = format!("sqlite://{}?mode=rwc", file.display());
        upgrade(&fixture, folder, &url, false).await;
    }
}

#[tokio::test]
async fn every_released_schema_upgrades_on_postgresql_and_keeps_everything() {
    for fixture in fixtures() {
        let folder = tempfile::tempdir().unwrap();
        let name = folder.path().file_name().unwrap().to_str().unwrap();
        let Some(url) = database::postgres(name) else {
            return;
        };
        upgrade(&fixture, folder, &url, true).await;
    }
}

async fn upgrade(fixture: &Path, folder: TempDir, url: &str, is_named: bool) {
    let before = old_registry(fixture, folder.path(), url).await;
    let shared = if is_named {
        vec!["--database".to_owned(), url.to_owned()]
    } else {
        Vec::new()
    };
    let registry = Registry::start_sharing(folder, shared);
    let now = rows(url, Some(&before)).await;
    for (table, old) in &before {
        let new = &now.iter().find(|(name, _)| name == table).unwrap().1;
        for row in &old.rows {
            assert!(new.rows.contains(row), "{table}: {row:?}");
        }
    }
    let redis = registry.index("redis").await;
    let versions: Vec<String> = redis
        .versions
        .iter()
        .map(|it| it.version.to_string())
        .collect();
    assert_eq!(versions, ["1.0.0", "1.1.0"]);
    let yanked = redis.versions[0].yanked.as_ref().unwrap();
    assert_eq!(yanked.reason.as_deref(), Some("it lost writes"));
    for version in &redis.versions {
        let digest = version.archives[0].digest;
        assert_eq!(Digest::of(&registry.archive(&digest).await), digest);
    }
    assert_eq!(registry.index("core").await.versions.len(), 1);
    let bundle = registry.get("bundles/stable-3.1.json").await;
    assert_eq!(bundle.status(), 200);
    assert!(
        registry
            .get("versions.toml")
            .await
            .text()
            .await
            .unwrap()
            .contains("3.1.0")
    );
    goes_on(&registry).await;
    let fsck = registry.command(&["fsck"]);
    assert!(
        fsck.status.success(),
        "{}",
        String::from_utf8_lossy(&fsck.stdout)
    );
}

/// Tokens work, and so does the next publish.
async fn goes_on(registry: &Registry) {
    let robot = std::fs::read_to_string(registry.file("robot-token")).unwrap();
    let open = serde_json::json!({ "versions": [{
        "kind": "extension", "name": "etcd", "version": "1.0.0",
        "archives": [{ "target": "any", "digest": Digest::of(b"x").prefixed(), "size": 1 }],
    }]});
    let opened = registry
        .send_as(robot.trim(), Method::POST, "sessions", &open)
        .await;
    assert_eq!(opened.status(), 201);
    let next = archive("redis@1.2.0", "next");
    let status = registry.publish("redis@1.2.0", &[next]).await.unwrap();
    assert_eq!(status.state, SessionState::Visible);
    assert!(status.serial.unwrap() > 7);
    assert_eq!(registry.index("redis").await.versions.len(), 3);
}

#[derive(Debug)]
struct Rows {
    columns: Vec<String>,
    rows: BTreeSet<Vec<Option<String>>>,
}

/// Makes the registry as the earlier version left it; gives its rows.
async fn old_registry(fixture: &Path, folder: &Path, url: &str) -> Vec<(String, Rows)> {
    let unpacked = Command::new("tar")
        .arg("-xzf")
        .arg(fixture.join("files.tar.gz"))
        .arg("-C")
        .arg(folder)
        .status()
        .unwrap();
    assert!(unpacked.success());
    let newest: i64 = {
        let name = fixture.file_name().unwrap().to_str().unwrap();
        name.strip_prefix("schema-").unwrap().parse().unwrap()
    };
    sqlx::any::install_default_drivers();
    let mut connection = AnyConnection::connect(url).await.unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let mut migrator = sqlx::migrate::Migrator::new(folder).await.unwrap();
    migrator
        .migrations
        .to_mut()
        .retain(|it| it.version <= newest);
    migrator
        .run_direct(None, &mut connection, false)
        .await
        .unwrap();
    let text = std::fs::read_to_string(fixture.join("rows.sql")).unwrap();
    connection.execute(AssertSqlSafe(text)).await.unwrap();
    connection.close().await.unwrap();
    rows(url, None).await
}

/// The rows of each table, in all columns or in those that it had before.
async fn rows(url: &str, before: Option<&[(String, Rows)]>) -> Vec<(String, Rows)> {
    let mut connection = AnyConnection::connect(url).await.unwrap();
    let mut found = Vec::new();
    for table in TABLES {
        let old = before.and_then(|all| all.iter().find(|(name, _)| name == table));
        let columns = match old {
            Some((_, rows)) => rows.columns.clone(),
            None => columns(&mut connection, table).await,
        };
        let texts: Vec<String> = columns
            .iter()
            .map(|it| format!("CAST({it} AS TEXT)"))
            .collect();
        let sql = format!("SELECT {} FROM {table}", texts.join(", "));
        let fetched = sqlx::query(AssertSqlSafe(sql))
            .fetch_all(&mut connection)
            .await;
        let rows = fetched
            .unwrap()
            .iter()
            .map(|row| (0..columns.len()).map(|at| row.get(at)).collect())
            .collect();
        found.push((table.to_owned(), Rows { columns, rows }));
    }
    connection.close().await.unwrap();
    found
}

/// The columns of `table`, as a row of it names them.
async fn columns(connection: &mut AnyConnection, table: &str) -> Vec<String> {
    use sqlx::Column as _;
    let sql = format!("SELECT * FROM {table} LIMIT 1");
    let row = sqlx::query(AssertSqlSafe(sql)).fetch_one(connection).await;
    row.unwrap()
        .columns()
        .iter()
        .map(|it| it.name().to_owned())
        .collect()
}

fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|it| it.unwrap().path())
        .filter(|it| it.is_dir())
        .collect();
    found.sort();
    assert!(!found.is_empty());
    found
}
