//! Tokens: who may write. Only a token's hash is kept.

use jiff::{SignedDuration, Timestamp};
use provisioning_package::Digest;
use provisioning_registry_api::identity::{Binding, Token};
use sqlx::AnyConnection;

use super::{Db, DbError, from_json, parsed, signed, to_json};
use crate::rules::access::{Bearer, Grant, Principal, TokenUser};

/// How exactly a token's last use is kept: writing it at each request would cost one write
/// for each read.
const LAST_USED_EXACT_TO: SignedDuration = SignedDuration::from_hours(1);

/// A token that is about to be kept.
#[derive(Debug, Clone)]
pub(crate) struct NewTokenRow {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) grants: Vec<Grant>,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) user: Option<String>,
    pub(crate) bound: Option<Binding>,
}

type Columns = (
    String,
    String,
    String,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    String,
    Option<String>,
);

const COLUMNS: &str =
    "id, name, scopes, expires_at, revoked_at, user_name, bound, created_at, last_used_at";

/// Keeps a new token.
pub(crate) async fn insert_token(
    connection: &mut AnyConnection,
    token: &NewTokenRow,
    hash: &Digest,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO tokens (id, name, hash, scopes, created_at, expires_at, user_name, bound) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(token.id.clone())
    .bind(token.name.clone())
    .bind(hash.hex())
    .bind(to_json(&token.grants))
    .bind(now.to_string())
    .bind(token.expires_at.map(|it| it.to_string()))
    .bind(token.user.clone())
    .bind(token.bound.as_ref().map(to_json))
    .execute(connection)
    .await?;
    Ok(())
}

/// Ends a token; `false` where there is none, or it has ended already.
pub(crate) async fn revoke_token(
    connection: &mut AnyConnection,
    id: &str,
    now: Timestamp,
) -> Result<bool, DbError> {
    let result =
        sqlx::query("UPDATE tokens SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL")
            .bind(now.to_string())
            .bind(id.to_owned())
            .execute(connection)
            .await?;
    Ok(result.rows_affected() == 1)
}

impl Db {
    /// Ends every token of the operator called `name`.
    pub(crate) async fn revoke_tokens(&self, name: &str, now: Timestamp) -> Result<(), DbError> {
        sqlx::query(
            "UPDATE tokens SET revoked_at = $1 \
             WHERE name = $2 AND revoked_at IS NULL AND user_name IS NULL",
        )
        .bind(now.to_string())
        .bind(name.to_owned())
        .execute(self.pool())
        .await?;
        Ok(())
    }

    /// Who the token whose text hashes to `hash` makes of its holder.
    pub(crate) async fn principal(
        &self,
        hash: &Digest,
        now: Timestamp,
    ) -> Result<Option<Principal>, DbError> {
        type Found = (
            String,
            String,
            String,
            Option<String>,
            Option<String>,
            Option<String>,
            Option<String>,
            Option<String>,
            Option<String>,
            Option<String>,
        );
        let row: Option<Found> = sqlx::query_as(
            "SELECT t.id, t.name, t.scopes, t.expires_at, t.revoked_at, t.bound, \
             t.last_used_at, t.user_name, u.roles, u.disabled_at \
             FROM tokens t LEFT JOIN users u ON u.name = t.user_name WHERE t.hash = $1",
        )
        .bind(hash.hex())
        .fetch_optional(self.pool())
        .await?;
        let Some((id, name, scopes, expires, revoked, bound, last, user, roles, disabled)) = row
        else {
            return Ok(None);
        };
        // Not being able to write this down must not keep anybody out.
        if let Err(error) = self.note_use(&id, last.as_deref(), now).await {
            tracing::debug!("the last use of token {id} is not kept: {error}");
        }
        let user = user
            .map(|name| {
                Ok::<_, DbError>(TokenUser {
                    name,
                    // A user who is gone keeps no rights.
                    is_disabled: disabled.is_some() || roles.is_none(),
                    roles: from_json(roles.as_deref().unwrap_or("[]"), "a list of roles")?,
                })
            })
            .transpose()?;
        Ok(Some(Principal::of(Bearer {
            id,
            name,
            grants: from_json(&scopes, "a list of scopes")?,
            binding: read_bound(bound)?,
            expires_at: read_time(expires)?,
            is_revoked: revoked.is_some(),
            user,
        })))
    }

    async fn note_use(
        &self,
        id: &str,
        before: Option<&str>,
        now: Timestamp,
    ) -> Result<(), DbError> {
        let before: Option<Timestamp> =
            before.map(|it| parsed(it, "a point in time")).transpose()?;
        if before.is_some_and(|it| it > now - LAST_USED_EXACT_TO) {
            return Ok(());
        }
        let mut tx = self.write_quietly().await?;
        sqlx::query("UPDATE tokens SET last_used_at = $1 WHERE id = $2")
            .bind(now.to_string())
            .bind(id.to_owned())
            .execute(tx.connection())
            .await?;
        tx.commit().await
    }

    /// One token.
    pub(crate) async fn token(&self, id: &str) -> Result<Option<Token>, DbError> {
        let sql = format!("SELECT {COLUMNS} FROM tokens WHERE id = $1");
        let row: Option<Columns> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(id.to_owned())
            .fetch_optional(self.pool())
            .await?;
        row.map(read).transpose()
    }

    /// Tokens, newest first: a user's, or everyone's where `user` is `None`.
    pub(crate) async fn tokens(
        &self,
        user: Option<&str>,
        limit: u64,
    ) -> Result<Vec<Token>, DbError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM tokens WHERE $1 = '' OR user_name = $1 \
             ORDER BY created_at DESC, id LIMIT $2"
        );
        let rows: Vec<Columns> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(user.unwrap_or_default().to_owned())
            .bind(signed(limit))
            .fetch_all(self.pool())
            .await?;
        rows.into_iter().map(read).collect()
    }
}

fn read(row: Columns) -> Result<Token, DbError> {
    let (id, name, scopes, expires, revoked, user, bound, created, last) = row;
    Ok(Token {
        id,
        name,
        user,
        scopes: from_json(&scopes, "a list of scopes")?,
        bound: read_bound(bound)?,
        created_at: parsed(&created, "a point in time")?,
        expires_at: read_time(expires)?,
        last_used_at: read_time(last)?,
        revoked_at: read_time(revoked)?,
    })
}

fn read_bound(text: Option<String>) -> Result<Option<Binding>, DbError> {
    text.map(|it| from_json(&it, "what a token is bound to"))
        .transpose()
}

fn read_time(text: Option<String>) -> Result<Option<Timestamp>, DbError> {
    text.map(|it| parsed(&it, "a point in time")).transpose()
}
