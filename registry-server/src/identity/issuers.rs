//! Issuers whose tokens of CI jobs are taken.

use provisioning_registry_api::identity::check_name;
use provisioning_registry_api::trusted::PutIssuer;
use url::Url;

use super::Acting;
use crate::db::trusted::{put_issuer, remove_issuer};
use crate::oidc;
use crate::problem::{Code, Refusal, ServerError};

impl Acting<'_> {
    /// Adds an issuer, or changes it.
    pub(crate) async fn put_issuer(
        &self,
        name: &str,
        issuer: &PutIssuer,
    ) -> Result<(), ServerError> {
        let invalid = |detail: String| Refusal::new(Code::PublisherInvalid, detail);
        check_name(name).map_err(|error| invalid(error.to_string()))?;
        let url: Option<Url> = issuer.url.parse().ok();
        let is_right = url.is_some_and(|it| {
            oidc::is_safe(&it) && it.query().is_none() && it.fragment().is_none()
        });
        if !is_right {
            let detail = format!("`{}` is not `https://HOST[/PATH]`", issuer.url);
            return Err(invalid(detail).into());
        }
        let mut tx = self.db.write().await?;
        if !put_issuer(tx.connection(), name, issuer).await? {
            let detail = format!("`{}` is known under another name already", issuer.url);
            return Err(invalid(detail).into());
        }
        self.audit(&mut tx, "put-issuer", &subject(name), &issuer.url);
        tx.commit().await?;
        Ok(())
    }

    /// Forgets an issuer.
    pub(crate) async fn remove_issuer(&self, name: &str) -> Result<(), ServerError> {
        let mut tx = self.db.write().await?;
        if !remove_issuer(tx.connection(), name).await? {
            return Err(unknown_issuer(name).into());
        }
        self.audit(&mut tx, "remove-issuer", &subject(name), "");
        tx.commit().await?;
        Ok(())
    }
}

fn subject(name: &str) -> String {
    format!("issuer:{name}")
}

/// No issuer of that name.
pub(crate) fn unknown_issuer(name: &str) -> Refusal {
    Refusal::new(
        Code::NotFound,
        format!("this registry knows no issuer `{name}`"),
    )
    .hint("`GET /api/v1/issuers` lists them")
}
