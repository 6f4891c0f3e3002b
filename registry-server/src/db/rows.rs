//! Whole tables, for copying a registry from one database to another.
//!
//! Every column of ours is BIGINT or TEXT, so a row is read without knowing what it means.

use serde::{Deserialize, Serialize};
use sqlx::{Any, AnyConnection, AssertSqlSafe, Row as _};

use super::{Db, DbError, QuietTx};

/// Every table in an order in which each comes after those that it refers to, and the
/// columns that order its rows. A test compares it with the schema.
pub(crate) const TABLES: &[Table] = &[
    Table::seeded("registry", "only_row", 1),
    Table::new("tokens", "id"),
    Table::new("names", "name"),
    Table::new("packages", "name"),
    Table::new("archives", "digest"),
    Table::new("sessions", "id"),
    Table::new("reservations", "package, precedence"),
    Table::new("settings", "name"),
    Table::new("users", "name"),
    Table::new("teams", "name"),
    Table::new("team_members", "team, user_name"),
    Table::new("namespaces", "kind"),
    Table::new("owners", "package, holder"),
    Table::new("invitations", "id"),
    Table::seeded("oidc_issuers", "name", 2),
    Table::new("trusted_publishers", "id"),
    Table::new("oidc_seen", "issuer, token"),
    Table::new("versions", "package, version"),
    Table::new("version_archives", "package, version, target"),
    Table::new("tombstones", "package, precedence"),
    Table::new("quotas", "package"),
    Table::new("matrices", "serial"),
    Table::new("bundle_sequences", "bundle, sequence"),
    Table::new("testers", "name"),
    Table::new("evidence", "digest"),
    Table::new("updates", "id"),
    Table::new("audit", "serial, position"),
    Table::new("audit_head", "only_row"),
    Table::new("jobs", "serial, subject"),
    Table::new("proposals", "id"),
    Table::new("proposal_signatures", "proposal, keyid"),
    Table::new("switches", "name"),
    Table::new("webhooks", "id"),
    Table::new("webhook_attempts", "webhook, attempt"),
    Table::new("downloads", "package, version, day"),
    Table::new("search_documents", "name"),
    Table::new("search_stale", "name"),
];

/// Tables that say what the servers of one database and storage do at the moment. A copy
/// begins without them: its first server takes over what the storage's timestamp shows.
#[cfg(test)]
const NOT_COPIED: &[&str] = &["fresh_archives", "leases", "signing", "signing_keys"];

/// A table of ours.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    /// The columns of its primary key.
    key: &'static str,
    /// Rows that a fresh schema has by itself.
    pub(crate) seeds: u64,
}

/// A value of a row; what is null is of no kind until it meets its column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Cell {
    Number(Option<i64>),
    Text(Option<String>),
}

/// A column: its name, and whether it holds numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    is_number: bool,
}

impl Default for Cell {
    fn default() -> Self {
        Self::Text(None)
    }
}

impl Cell {
    /// The value as the column has it.
    fn in_column(self, column: &Column) -> Result<Self, DbError> {
        match (self, column.is_number) {
            (Self::Number(None) | Self::Text(None), true) => Ok(Self::Number(None)),
            (Self::Number(None) | Self::Text(None), false) => Ok(Self::Text(None)),
            (cell @ Self::Number(_), true) | (cell @ Self::Text(_), false) => Ok(cell),
            (Self::Number(value), false) => Err(DbError::Value {
                value: format!("{value:?}"),
                expected: "text",
            }),
            (Self::Text(value), true) => Err(DbError::Value {
                value: value.unwrap_or_default(),
                expected: "a number",
            }),
        }
    }
}

impl Table {
    const fn new(name: &'static str, key: &'static str) -> Self {
        Self::seeded(name, key, 0)
    }

    const fn seeded(name: &'static str, key: &'static str, seeds: u64) -> Self {
        Self { name, key, seeds }
    }
}

impl Db {
    /// The columns of a table, by name.
    pub(crate) async fn columns(&self, table: &Table) -> Result<Vec<Column>, DbError> {
        let sql = if self.is_sqlite() {
            "SELECT name, upper(type) FROM pragma_table_info($1) ORDER BY name"
        } else {
            "SELECT column_name::text, upper(data_type::text) FROM information_schema.columns \
             WHERE table_schema = current_schema() AND table_name = $1 ORDER BY column_name"
        };
        let rows: Vec<(String, String)> = sqlx::query_as(sql)
            .bind(table.name.to_owned())
            .fetch_all(self.pool())
            .await?;
        Ok(rows
            .into_iter()
            .map(|(name, kind)| Column {
                name,
                is_number: kind == "BIGINT",
            })
            .collect())
    }
}

/// How many rows a table has.
pub(crate) async fn count(connection: &mut AnyConnection, table: &Table) -> Result<u64, DbError> {
    let sql = format!("SELECT COUNT(*) FROM {}", table.name);
    let (count,): (i64,) = sqlx::query_as(AssertSqlSafe(sql))
        .fetch_one(connection)
        .await?;
    super::unsigned(count)
}

/// A page of a table's rows in the order of its key.
pub(crate) async fn page(
    connection: &mut AnyConnection,
    table: &Table,
    columns: &[Column],
    (offset, limit): (u64, u64),
) -> Result<Vec<Vec<Cell>>, DbError> {
    let names = names(columns);
    let sql = format!(
        "SELECT {names} FROM {} ORDER BY {} LIMIT $1 OFFSET $2",
        table.name, table.key
    );
    let rows = sqlx::query(AssertSqlSafe(sql))
        .bind(super::signed(limit))
        .bind(super::signed(offset))
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| {
            let cells = columns.iter().enumerate();
            cells
                .map(|(at, column)| {
                    Ok(if column.is_number {
                        Cell::Number(row.try_get(at)?)
                    } else {
                        Cell::Text(row.try_get(at)?)
                    })
                })
                .collect::<Result<_, DbError>>()
        })
        .collect()
}

/// Holds what is read from now on at this moment, whatever others write.
pub(crate) async fn freeze(tx: &mut QuietTx, is_sqlite: bool) -> Result<(), DbError> {
    // SQLite's writer is alone anyway.
    if !is_sqlite {
        sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            .execute(tx.connection())
            .await?;
    }
    Ok(())
}

/// The serial of the last change, as this transaction sees it.
pub(crate) async fn serial(connection: &mut AnyConnection) -> Result<u64, DbError> {
    let (serial,): (i64,) = sqlx::query_as("SELECT serial FROM registry WHERE only_row = 1")
        .fetch_one(connection)
        .await?;
    super::unsigned(serial)
}

/// Adds rows whose cells are in the order of `names`, which may be another than the
/// table's; columns that a newer schema added stay empty.
pub(crate) async fn insert_page(
    tx: &mut QuietTx,
    table: &Table,
    columns: &[Column],
    names: &[String],
    rows: Vec<Vec<Cell>>,
) -> Result<(), DbError> {
    let known: Vec<(usize, Column)> = names
        .iter()
        .enumerate()
        .filter_map(|(at, name)| {
            let column = columns.iter().find(|it| it.name == *name)?;
            Some((at, column.clone()))
        })
        .collect();
    if known.len() < names.len() {
        return Err(DbError::Value {
            value: names.join(", "),
            expected: "columns of this version's schema",
        });
    }
    let into: Vec<Column> = known.iter().map(|(_, column)| column.clone()).collect();
    for mut row in rows {
        let cells = known.iter().map(|(at, column)| {
            let cell = row.get_mut(*at).map(std::mem::take).unwrap_or_default();
            cell.in_column(column)
        });
        let cells = cells.collect::<Result<Vec<_>, _>>()?;
        insert(tx, table, &into, cells).await?;
    }
    Ok(())
}

/// Empties a table that a fresh schema fills by itself.
pub(crate) async fn clear(tx: &mut QuietTx, table: &Table) -> Result<(), DbError> {
    let sql = format!("DELETE FROM {}", table.name);
    sqlx::query(AssertSqlSafe(sql))
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// Adds a row.
pub(crate) async fn insert(
    tx: &mut QuietTx,
    table: &Table,
    columns: &[Column],
    row: Vec<Cell>,
) -> Result<(), DbError> {
    let places: Vec<String> = (1..=columns.len()).map(|at| format!("${at}")).collect();
    let sql = format!(
        "INSERT INTO {} ({}) VALUES ({})",
        table.name,
        names(columns),
        places.join(", ")
    );
    let mut query = sqlx::query::<Any>(AssertSqlSafe(sql));
    for cell in row {
        query = match cell {
            Cell::Number(value) => query.bind(value),
            Cell::Text(value) => query.bind(value),
        };
    }
    query.execute(tx.connection()).await?;
    Ok(())
}

fn names(columns: &[Column]) -> String {
    let names: Vec<&str> = columns.iter().map(|it| it.name.as_str()).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_table_of_the_schema_is_copied() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(None, folder.path()).await.unwrap();
        let copied = TABLES.iter().map(|it| it.name);
        let mut listed: Vec<_> = copied
            .chain(NOT_COPIED.iter().copied())
            .map(str::to_owned)
            .collect();
        listed.sort();
        let rows: Vec<(String,)> = sqlx::query_as(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> '_sqlx_migrations' \
             AND name NOT LIKE 'search!_words%' ESCAPE '!' \
             ORDER BY name",
        )
        .fetch_all(db.pool())
        .await
        .unwrap();
        let tables: Vec<String> = rows.into_iter().map(|(name,)| name).collect();
        assert_eq!(tables, listed);
        let mut connection = db.pool().acquire().await.unwrap();
        for table in TABLES {
            let rows = count(&mut connection, table).await.unwrap();
            assert_eq!(rows, table.seeds, "rows of a fresh `{}`", table.name);
        }
        drop(connection);
        for table in TABLES {
            let columns = db.columns(table).await.unwrap();
            for key in table.key.split(", ") {
                assert!(columns.iter().any(|it| it.name == key), "{key}");
            }
        }
    }
}
