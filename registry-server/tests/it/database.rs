//! The same tests on either database. `PROVISIONING_TEST_POSTGRES` names a PostgreSQL server
//! (`postgres://postgres@127.0.0.1:5432`; `scripts/with-postgres` starts one). Tests that need it
//! use a fresh database there, and with `PROVISIONING_TEST_DATABASE=postgres` all of them do:
//! one for each folder, with archives in memory where the test does not start its server again.
#![expect(
    clippy::disallowed_methods,
    reason = "a test may ask the environment where its database is"
)]

use std::path::Path;

use provisioning_package::Digest;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Executor as _};

const NEEDS_POSTGRES: &str = "this test needs PostgreSQL: run it through scripts/with-postgres";

/// The flags that point a registry in `folder` to its database.
pub(crate) fn arguments(folder: &Path) -> Vec<String> {
    if !is_postgres() {
        return Vec::new();
    }
    let folder = folder.file_name().unwrap().to_str().unwrap();
    let url = postgres(folder).unwrap_or_else(|| panic!("{NEEDS_POSTGRES}"));
    vec!["--database".to_owned(), url]
}

/// The flags that point a registry to archives that end with it, where the tests run so.
pub(crate) fn storage_arguments() -> Vec<String> {
    if is_postgres() {
        vec!["--storage".to_owned(), "memory:".to_owned()]
    } else {
        Vec::new()
    }
}

/// Whether every test runs on PostgreSQL.
pub(crate) fn is_postgres() -> bool {
    std::env::var("PROVISIONING_TEST_DATABASE").is_ok_and(|it| it == "postgres")
}

/// The URL of a PostgreSQL database for `name`, made if it is not there. `None` where there is
/// no server, which only a run that may skip tests is allowed to have.
pub(crate) fn postgres(name: &str) -> Option<String> {
    let Ok(server) = std::env::var("PROVISIONING_TEST_POSTGRES") else {
        let demanded = std::env::var("PROVISIONING_TEST_REQUIRE_ALL").is_ok_and(|it| it == "1");
        assert!(!demanded, "{NEEDS_POSTGRES}");
        return None;
    };
    // A digest, since the names of databases fold case.
    let digest = Digest::of(name.as_bytes()).hex();
    let name = format!("t{}", &digest[..32]);
    let server = server.trim_end_matches('/').to_owned();
    let url = format!("{server}/{name}");
    // Some callers are inside a runtime and cannot wait for another one.
    std::thread::spawn(move || create(&server, &name))
        .join()
        .unwrap();
    Some(url)
}

fn create(server: &str, name: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        sqlx::any::install_default_drivers();
        let url = format!("{server}/postgres");
        let mut connection = AnyConnection::connect(&url).await.unwrap();
        let found: Option<(String,)> =
            sqlx::query_as("SELECT CAST(datname AS TEXT) FROM pg_database WHERE datname = $1")
                .bind(name.to_owned())
                .fetch_optional(&mut connection)
                .await
                .unwrap();
        if found.is_none() {
            let statement = AssertSqlSafe(format!("CREATE DATABASE {name}"));
            connection.execute(statement).await.unwrap();
        }
    });
}
