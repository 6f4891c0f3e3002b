//! The same tests on either database: SQLite, or, where `PROVISIONING_TEST_POSTGRES` names a
//! server (`postgres://postgres@127.0.0.1:5432`), a fresh PostgreSQL database for each folder.
#![expect(
    clippy::disallowed_methods,
    reason = "a test may ask the environment where its database is"
)]

use std::path::Path;

use provisioning_package::Digest;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Executor as _};

/// The flags that point a registry in `folder` to its database.
pub(crate) fn arguments(folder: &Path) -> Vec<String> {
    let Ok(server) = std::env::var("PROVISIONING_TEST_POSTGRES") else {
        return Vec::new();
    };
    let folder = folder.file_name().unwrap().to_str().unwrap();
    // A digest, since the names of databases fold case.
    let digest = Digest::of(folder.as_bytes()).hex();
    let name = format!("t{}", &digest[..32]);
    let server = server.trim_end_matches('/').to_owned();
    let url = format!("{server}/{name}");
    // Some callers are inside a runtime and cannot wait for another one.
    std::thread::spawn(move || create(&server, &name))
        .join()
        .unwrap();
    vec!["--database".to_owned(), url]
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
