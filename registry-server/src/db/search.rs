//! Search: a projection of packages and their versions, with the full text search of the
//! database that is used (FTS5, or PostgreSQL's own).
//!
//! A change marks its package as stale in its own transaction; whoever searches next, or
//! the job beside the requests, reads the package again. So publishing pays one small row,
//! and no search misses what was visible before it began.

use jiff::Timestamp;
use provisioning_package::{ExtensionType, Kind, PackageName};
use provisioning_registry_api::index::{IndexEntry, PackageState};
use sqlx::{AnyConnection, AssertSqlSafe, Executor as _};

use super::{Db, DbError, QuietTx, from_json, signed, to_json, unsigned};
use crate::read_side::newest;
use crate::rules::search_query::{fts5, tsquery, words};

/// SQLite's words; they are not copied with the rows, but made again from them.
const SQLITE_WORDS: &str = "CREATE VIRTUAL TABLE IF NOT EXISTS search_words USING fts5(\
     name, keywords, description, tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3')";

/// What PostgreSQL searches: name, then keywords, then description.
const POSTGRES_WORDS: &str = "(setweight(to_tsvector('simple', name || ' ' || \
     replace(name, '-', ' ')), 'A') || setweight(to_tsvector('simple', keywords), 'B') || \
     setweight(to_tsvector('simple', description), 'C'))";

/// Stale packages that are read again at a time.
const STALE_MAX: u64 = 500;

/// What a search asks for.
#[derive(Debug, Clone, Default)]
pub(crate) struct SearchAsked {
    pub(crate) text: String,
    pub(crate) kind: Option<Kind>,
    pub(crate) extension_type: Option<ExtensionType>,
    pub(crate) keyword: Option<String>,
    pub(crate) order: SearchOrder,
    /// Downloads before this day do not count.
    pub(crate) since: String,
}

/// What comes first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum SearchOrder {
    /// The name that was typed, names that begin with it, then how well the words fit.
    #[default]
    Relevance,
    /// By name.
    Name,
    /// The package with the youngest version.
    Newest,
    /// The package that was asked for most.
    Downloads,
}

/// A package that was found.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) entry: IndexEntry,
    pub(crate) downloads: u64,
}

/// Marks a package as changed.
pub(crate) async fn mark_stale(
    connection: &mut AnyConnection,
    package: &str,
) -> Result<(), DbError> {
    sqlx::query("INSERT INTO search_stale (name) VALUES ($1) ON CONFLICT (name) DO NOTHING")
        .bind(package.to_owned())
        .execute(connection)
        .await?;
    Ok(())
}

/// Makes what the migrations cannot: each database's own words.
pub(super) async fn prepare(db: &Db) -> Result<(), DbError> {
    if db.is_sqlite() {
        db.pool().execute(SQLITE_WORDS).await?;
        return Ok(());
    }
    let index = format!(
        "CREATE INDEX IF NOT EXISTS search_documents_words ON search_documents USING gin \
         ({POSTGRES_WORDS})"
    );
    if let Err(error) = db.pool().execute(AssertSqlSafe(index)).await {
        // Two servers that start at once; searching works without, only slower.
        tracing::warn!(error = %error, "the index for searching is not there yet: {error}");
    }
    Ok(())
}

impl Db {
    /// Reads changed packages again; `true` where there may be more.
    pub(crate) async fn refresh_search(&self) -> Result<bool, DbError> {
        let rows: Vec<(String,)> =
            sqlx::query_as("SELECT name FROM search_stale ORDER BY name LIMIT $1")
                .bind(signed(STALE_MAX))
                .fetch_all(self.pool())
                .await?;
        if rows.is_empty() {
            return Ok(false);
        }
        let more = rows.len() as u64 == STALE_MAX;
        let mut tx = self.write_quietly().await?;
        for (name,) in rows {
            // Before it is read: whoever changes it from here on marks it again.
            sqlx::query("DELETE FROM search_stale WHERE name = $1")
                .bind(name.clone())
                .execute(tx.connection())
                .await?;
            let package = PackageName::parse(&name).map_err(|_| DbError::Value {
                value: name.clone(),
                expected: "a package name",
            })?;
            let entry = self.index_entry(&package).await?;
            self.replace_document(&mut tx, &name, entry.as_ref())
                .await?;
        }
        tx.commit().await?;
        Ok(more)
    }

    /// Marks every package as changed, and forgets what was found before: for a database
    /// that was restored, copied or repaired.
    pub(crate) async fn rebuild_search(&self) -> Result<(), DbError> {
        let mut tx = self.write_quietly().await?;
        for statement in [
            "DELETE FROM search_documents",
            "INSERT INTO search_stale (name) SELECT name FROM packages WHERE true \
             ON CONFLICT (name) DO NOTHING",
        ] {
            tx.connection().execute(statement).await?;
        }
        if self.is_sqlite() {
            tx.connection().execute("DELETE FROM search_words").await?;
        }
        tx.commit().await?;
        while self.refresh_search().await? {}
        Ok(())
    }

    /// Makes SQLite's words again from the documents: they are not copied with the rows.
    pub(crate) async fn refill_words(&self) -> Result<(), DbError> {
        if !self.is_sqlite() {
            return Ok(());
        }
        let mut tx = self.write_quietly().await?;
        for statement in [
            "DELETE FROM search_words",
            "INSERT INTO search_words (name, keywords, description) \
             SELECT name, keywords, description FROM search_documents",
        ] {
            tx.connection().execute(statement).await?;
        }
        tx.commit().await
    }

    /// Packages that search does not show as they are, or at all.
    pub(crate) async fn search_differences(&self) -> Result<Vec<String>, DbError> {
        while self.refresh_search().await? {}
        let words = if self.is_sqlite() {
            "UNION SELECT name FROM search_documents WHERE name NOT IN \
             (SELECT name FROM search_words)"
        } else {
            ""
        };
        let sql = format!(
            "SELECT name FROM packages WHERE name NOT IN (SELECT name FROM search_documents) \
             UNION SELECT name FROM search_documents WHERE name NOT IN \
             (SELECT name FROM packages) {words} ORDER BY name"
        );
        let rows: Vec<(String,)> = sqlx::query_as(AssertSqlSafe(sql))
            .fetch_all(self.pool())
            .await?;
        Ok(rows.into_iter().map(|(name,)| name).collect())
    }

    async fn replace_document(
        &self,
        tx: &mut QuietTx,
        name: &str,
        entry: Option<&IndexEntry>,
    ) -> Result<(), DbError> {
        sqlx::query("DELETE FROM search_documents WHERE name = $1")
            .bind(name.to_owned())
            .execute(tx.connection())
            .await?;
        if self.is_sqlite() {
            sqlx::query("DELETE FROM search_words WHERE name = $1")
                .bind(name.to_owned())
                .execute(tx.connection())
                .await?;
        }
        let Some(entry) = entry else { return Ok(()) };
        let keywords = format!("\n{}\n", entry.keywords.join("\n").to_lowercase());
        let description = entry.description.clone().unwrap_or_default();
        let youngest = entry.versions.iter().map(|it| it.published_at).max();
        sqlx::query(
            "INSERT INTO search_documents (name, kind, extension_type, state, keywords, \
             description, published_at, entry) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(name.to_owned())
        .bind(entry.kind.as_str().to_owned())
        .bind(
            entry
                .extension_type
                .map_or("", ExtensionType::as_str)
                .to_owned(),
        )
        .bind(state_word(entry.status.state).to_owned())
        .bind(keywords.clone())
        .bind(description.clone())
        .bind(youngest.unwrap_or(Timestamp::UNIX_EPOCH).to_string())
        .bind(to_json(entry))
        .execute(tx.connection())
        .await?;
        if self.is_sqlite() {
            sqlx::query(
                "INSERT INTO search_words (name, keywords, description) VALUES ($1, $2, $3)",
            )
            .bind(name.to_owned())
            .bind(keywords)
            .bind(description)
            .execute(tx.connection())
            .await?;
        }
        Ok(())
    }

    /// Packages that a question finds, best first, from the `offset`th on.
    pub(crate) async fn search(
        &self,
        asked: &SearchAsked,
        (offset, limit): (u64, u64),
    ) -> Result<Vec<Found>, DbError> {
        let text = asked.text.to_lowercase();
        let words = words(&text);
        let query = if self.is_sqlite() {
            fts5(&words)
        } else {
            tsquery(&words)
        };
        let sql = statement(self.is_sqlite(), query.is_some(), asked.order);
        let escaped = like_escaped(&text);
        let keyword = asked.keyword.as_deref().map_or_else(String::new, |it| {
            format!("%\n{}\n%", like_escaped(&it.to_lowercase()))
        });
        let rows: Vec<(String, i64)> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(text.clone())
            .bind(format!("%{escaped}%"))
            .bind(format!("{escaped}%"))
            .bind(asked.kind.map_or("", Kind::as_str).to_owned())
            .bind(
                asked
                    .extension_type
                    .map_or("", ExtensionType::as_str)
                    .to_owned(),
            )
            .bind(keyword)
            .bind(asked.since.clone())
            .bind(signed(limit))
            .bind(signed(offset))
            .bind(query.unwrap_or_default())
            .fetch_all(self.pool())
            .await?;
        rows.into_iter()
            .map(|(entry, downloads)| {
                Ok(Found {
                    entry: from_json(&entry, "an index entry")?,
                    downloads: unsigned(downloads)?,
                })
            })
            .collect()
    }
}

/// One statement for both databases, but for how words are found and ranked.
fn statement(is_sqlite: bool, has_words: bool, order: SearchOrder) -> String {
    let ranked = match (is_sqlite, has_words) {
        // The LIMIT keeps SQLite from taking the query apart, where `bm25` means nothing.
        (true, true) => {
            "SELECT name, bm25(search_words, 10.0, 5.0, 1.0) AS rank FROM search_words \
             WHERE search_words MATCH $10 ORDER BY rank LIMIT 10000"
                .to_owned()
        }
        (false, true) => format!(
            "SELECT name, -ts_rank({POSTGRES_WORDS}, to_tsquery('simple', $10)) AS rank \
             FROM search_documents WHERE {POSTGRES_WORDS} @@ to_tsquery('simple', $10)"
        ),
        (_, false) => {
            "SELECT name, 0 AS rank FROM search_documents WHERE CAST($10 AS TEXT) <> ''".to_owned()
        }
    };
    let order = match order {
        SearchOrder::Relevance => {
            "CASE WHEN d.name = CAST($1 AS TEXT) THEN 0 WHEN d.name LIKE $3 ESCAPE '!' THEN 1 \
             WHEN f.name IS NOT NULL THEN 2 ELSE 3 END, \
             CASE WHEN d.name LIKE $3 ESCAPE '!' THEN 0 ELSE f.rank END, d.name"
        }
        SearchOrder::Name => "d.name",
        SearchOrder::Newest => "d.published_at DESC, d.name",
        SearchOrder::Downloads => "COALESCE(c.total, 0) DESC, d.name",
    };
    // Every placeholder is used in every form: PostgreSQL must be able to tell its type.
    format!(
        "SELECT d.entry, COALESCE(c.total, 0) FROM search_documents d \
         LEFT JOIN ({ranked}) f ON f.name = d.name \
         LEFT JOIN (SELECT package, CAST(SUM(count) AS BIGINT) AS total FROM downloads \
                    WHERE day >= $7 GROUP BY package) c ON c.package = d.name \
         WHERE (CAST($1 AS TEXT) = '' OR f.name IS NOT NULL OR d.name LIKE $2 ESCAPE '!' \
                OR d.keywords LIKE $2 ESCAPE '!' OR d.name LIKE $3 ESCAPE '!') \
           AND d.state <> 'quarantined' \
           AND (CAST($4 AS TEXT) = '' OR d.kind = CAST($4 AS TEXT)) \
           AND (CAST($5 AS TEXT) = '' OR d.extension_type = CAST($5 AS TEXT)) \
           AND (CAST($6 AS TEXT) = '' OR d.keywords LIKE CAST($6 AS TEXT) ESCAPE '!') \
         ORDER BY {order} LIMIT $8 OFFSET $9"
    )
}

const fn state_word(state: PackageState) -> &'static str {
    match state {
        PackageState::Active => "active",
        PackageState::Deprecated => "deprecated",
        PackageState::Archived => "archived",
        PackageState::Quarantined => "quarantined",
    }
}

fn like_escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '!' | '%' | '_') {
            escaped.push('!');
        }
        escaped.push(character);
    }
    escaped
}

/// When a package's newest version became visible.
pub(crate) fn newest_published(entry: &IndexEntry) -> Option<Timestamp> {
    newest(&entry.versions).map(|it| it.published_at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_are_taken_literally() {
        assert_eq!(like_escaped("100%_!"), "100!%!_!!");
    }
}
