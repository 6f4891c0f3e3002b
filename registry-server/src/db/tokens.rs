//! Tokens: who may write. Only a token's hash is kept.

use jiff::Timestamp;
use provisioning_package::Digest;

use super::{Db, DbError, from_json, parsed, to_json};
use crate::rules::access::Scope;

/// A token as the database knows it.
#[derive(Debug, Clone)]
pub(crate) struct TokenRow {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) scopes: Vec<Scope>,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) is_revoked: bool,
}

type Columns = (String, String, String, Option<String>, Option<String>);

impl Db {
    /// Keeps a new token.
    pub(crate) async fn insert_token(
        &self,
        token: &TokenRow,
        hash: &Digest,
        now: Timestamp,
    ) -> Result<(), DbError> {
        sqlx::query(
            "INSERT INTO tokens (id, name, hash, scopes, created_at, expires_at) \
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(token.id.clone())
        .bind(token.name.clone())
        .bind(hash.hex())
        .bind(to_json(&token.scopes))
        .bind(now.to_string())
        .bind(token.expires_at.map(|it| it.to_string()))
        .execute(self.pool())
        .await?;
        Ok(())
    }

    /// Ends every token called `name`.
    pub(crate) async fn revoke_tokens(&self, name: &str, now: Timestamp) -> Result<(), DbError> {
        sqlx::query("UPDATE tokens SET revoked_at = $1 WHERE name = $2 AND revoked_at IS NULL")
            .bind(now.to_string())
            .bind(name.to_owned())
            .execute(self.pool())
            .await?;
        Ok(())
    }

    /// The token whose text hashes to `hash`.
    pub(crate) async fn token(&self, hash: &Digest) -> Result<Option<TokenRow>, DbError> {
        let row: Option<Columns> = sqlx::query_as(
            "SELECT id, name, scopes, expires_at, revoked_at FROM tokens WHERE hash = $1",
        )
        .bind(hash.hex())
        .fetch_optional(self.pool())
        .await?;
        let Some((id, name, scopes, expires_at, revoked_at)) = row else {
            return Ok(None);
        };
        Ok(Some(TokenRow {
            id,
            name,
            scopes: from_json(&scopes, "a list of scopes")?,
            expires_at: expires_at
                .map(|it| parsed(&it, "a point in time"))
                .transpose()?,
            is_revoked: revoked_at.is_some(),
        }))
    }
}
