//! Tokens: made and ended.

use jiff::{SignedDuration, Timestamp};
use provisioning_registry_api::identity::{Token, TokenMade};
use provisioning_registry_api::token::TokenText;

use super::Acting;
use crate::db::tokens::{NewTokenRow, insert_token, revoke_token};
use crate::problem::{Code, Refusal, ServerError};
use crate::random::{random_bytes, random_hex};
use crate::rules::access::Grant;
use crate::rules::text::{self, TITLE_CHARS_MAX};

/// How long a token lives that does not say.
const TOKEN_DAYS_DEFAULT: i64 = 90;
/// The longest that a user's token may live.
const TOKEN_DAYS_MAX: i64 = 366;

/// When a user's token ends, by what was asked for.
pub(crate) fn token_expiry(asked: Option<Timestamp>, now: Timestamp) -> Result<Timestamp, Refusal> {
    let days = |days: i64| now + SignedDuration::from_hours(24 * days);
    let end = asked.unwrap_or_else(|| days(TOKEN_DAYS_DEFAULT));
    if end <= now || end > days(TOKEN_DAYS_MAX) {
        return Err(Refusal::new(
            Code::IdentityInvalid,
            format!("`{end}` is not within {TOKEN_DAYS_MAX} days from now"),
        ));
    }
    Ok(end)
}

/// Reads scopes as people write them.
pub(crate) fn read_grants(texts: &[String]) -> Result<Vec<Grant>, Refusal> {
    let mut grants = texts
        .iter()
        .map(|it| it.parse())
        .collect::<Result<Vec<Grant>, _>>()
        .map_err(|error| Refusal::new(Code::IdentityInvalid, error.to_string()))?;
    grants.sort_unstable();
    grants.dedup();
    if grants.is_empty() {
        return Err(Refusal::new(
            Code::IdentityInvalid,
            "a token needs at least one scope",
        ));
    }
    Ok(grants)
}

impl Acting<'_> {
    /// Makes a token and keeps its hash.
    pub(crate) async fn make_token(&self, new: NewTokenRow) -> Result<TokenMade, ServerError> {
        text::check(Code::IdentityInvalid, "name", &new.name, TITLE_CHARS_MAX)?;
        if new.name.trim().is_empty() {
            return Err(Refusal::new(Code::IdentityInvalid, "a token needs a name").into());
        }
        if let Some(user) = &new.user {
            self.require_user(user).await?;
        }
        let secret = TokenText::from_random(random_bytes());
        let mut tx = self.db.write().await?;
        insert_token(tx.connection(), &new, &secret.hash(), self.now).await?;
        let scopes: Vec<String> = new.grants.iter().map(ToString::to_string).collect();
        let subject = format!("token:{}", new.id);
        let detail = format!("{} {}", new.name, scopes.join(","));
        self.audit(&mut tx, "make-token", &subject, &detail);
        tx.commit().await?;
        Ok(TokenMade {
            token: Token {
                id: new.id,
                name: new.name,
                user: new.user,
                scopes,
                bound: new.bound,
                created_at: self.now,
                expires_at: new.expires_at,
                last_used_at: None,
                revoked_at: None,
            },
            secret: secret.reveal().to_owned(),
        })
    }

    /// Ends a token; ending it again is no error.
    pub(crate) async fn revoke_token(&self, id: &str) -> Result<Token, ServerError> {
        let unknown = || {
            Refusal::new(Code::TokenUnknown, format!("there is no token `{id}`"))
                .hint("`provisioning token list` shows them")
        };
        self.db.token(id).await?.ok_or_else(unknown)?;
        let mut tx = self.db.write().await?;
        if revoke_token(tx.connection(), id, self.now).await? {
            let subject = format!("token:{id}");
            self.audit(&mut tx, "revoke-token", &subject, "");
            tx.commit().await?;
        } else {
            tx.rollback().await?;
        }
        Ok(self.db.token(id).await?.ok_or_else(unknown)?)
    }
}

/// An identifier for a new token.
pub(crate) fn token_id() -> String {
    random_hex::<8>()
}
