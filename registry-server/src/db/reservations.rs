//! What open sessions hold against others before any byte is sent.

use provisioning_package::{PackageName, Version};
use sqlx::AnyConnection;

use super::DbError;
use super::versions::precedence;

/// Who has something reserved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reserved {
    pub(crate) session: String,
    pub(crate) holder: String,
}

/// What can be reserved.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Claim<'a> {
    /// The name of a package that does not exist yet.
    Name(&'a PackageName),
    /// A version, whatever its build metadata.
    Version(&'a PackageName, &'a Version),
}

impl Claim<'_> {
    fn key(self) -> (String, String) {
        match self {
            Self::Name(name) => (name.as_str().to_owned(), String::new()),
            Self::Version(name, version) => (name.as_str().to_owned(), precedence(version)),
        }
    }
}

/// Reserves something; whoever has it already where that is somebody else's session.
pub(crate) async fn reserve(
    connection: &mut AnyConnection,
    claim: Claim<'_>,
    own: &Reserved,
) -> Result<Option<Reserved>, DbError> {
    let (package, precedence) = claim.key();
    let added = sqlx::query(
        "INSERT INTO reservations (package, precedence, session, holder) \
         VALUES ($1, $2, $3, $4) ON CONFLICT (package, precedence) DO NOTHING",
    )
    .bind(package.clone())
    .bind(precedence.clone())
    .bind(own.session.clone())
    .bind(own.holder.clone())
    .execute(&mut *connection)
    .await?;
    if added.rows_affected() == 1 {
        return Ok(None);
    }
    let row: Option<(String, String)> = sqlx::query_as(
        "SELECT session, holder FROM reservations WHERE package = $1 AND precedence = $2",
    )
    .bind(package)
    .bind(precedence)
    .fetch_optional(connection)
    .await?;
    Ok(row
        .map(|(session, holder)| Reserved { session, holder })
        .filter(|it| it.session != own.session))
}

/// Frees everything that a session reserved.
pub(crate) async fn release(connection: &mut AnyConnection, session: &str) -> Result<(), DbError> {
    sqlx::query("DELETE FROM reservations WHERE session = $1")
        .bind(session.to_owned())
        .execute(connection)
        .await?;
    Ok(())
}
