//! Trusted publishing: CI systems that prove who they are instead of keeping a token.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use provisioning_package::{Kind, PackageName};
use serde::{Deserialize, Serialize};

use crate::identity::Binding;

/// How the claims of an issuer's tokens are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum IssuerKind {
    /// GitHub Actions.
    Github,
    /// GitLab CI.
    Gitlab,
    /// Any other `OpenID` Connect issuer: claims are compared under their own names.
    Generic,
}

impl IssuerKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Github, Self::Gitlab, Self::Generic];

    /// The word used in JSON and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Github => "github",
            Self::Gitlab => "gitlab",
            Self::Generic => "generic",
        }
    }
}

impl std::str::FromStr for IssuerKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|it| it.as_str() == text);
        found.ok_or_else(|| format!("`{text}` is not `github`, `gitlab` or `generic`"))
    }
}

/// An issuer whose tokens the registry takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Issuer {
    /// What the registry calls it: `github`.
    pub name: String,
    /// The `iss` of its tokens.
    pub url: String,
    /// How its claims are read.
    pub kind: IssuerKind,
    /// What the `aud` of a token for this registry must be.
    pub audience: String,
}

/// Answer of `GET issuers`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct IssuerList {
    /// The issuers, by name.
    pub issuers: Vec<Issuer>,
}

/// Body of `PUT issuers/{issuer}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PutIssuer {
    /// The `iss` of its tokens: `https://…`.
    pub url: String,
    /// How its claims are read.
    pub kind: IssuerKind,
    /// What the `aud` must be; the registry's public URL where absent.
    #[serde(default)]
    pub audience: Option<String>,
}

/// A CI that may publish a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TrustedPublisher {
    /// Its identifier.
    pub id: String,
    /// The package's kind.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::KindText))]
    pub kind: Kind,
    /// The package.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::NameText))]
    pub name: PackageName,
    /// The issuer, as the registry calls it.
    pub issuer: String,
    /// What its tokens must say: `repository`, `workflow`, `environment`.
    pub claims: BTreeMap<String, String>,
    /// Whether it waits for the first release of a package that does not exist yet.
    pub pending: bool,
    /// Who said so.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// When it was last used.
    #[serde(default)]
    pub last_used_at: Option<Timestamp>,
}

/// Body of `POST …/publishers`, and, with `name`, of `POST me/publishers`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewTrustedPublisher {
    /// The package, where the path does not name it.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<crate::openapi::NameText>))]
    pub name: Option<PackageName>,
    /// The issuer, as the registry calls it.
    pub issuer: String,
    /// What its tokens must say.
    pub claims: BTreeMap<String, String>,
}

/// Answer of `GET …/publishers`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TrustedPublisherList {
    /// The publishers, oldest first.
    pub publishers: Vec<TrustedPublisher>,
}

/// Body of `POST oidc/token`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Exchange {
    /// The issuer's token.
    pub token: String,
    /// Binds the new token to one version and archive.
    #[serde(default)]
    pub bound: Option<Binding>,
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Exchange(hidden)")
    }
}

/// Answer of `POST oidc/token`: a token that lives for some minutes.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Exchanged {
    /// The text, a secret.
    pub secret: String,
    /// When it ends.
    pub expires_at: Timestamp,
    /// What it is good for.
    pub scopes: Vec<String>,
}

impl fmt::Debug for Exchanged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchanged")
            .field("expires_at", &self.expires_at)
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}
