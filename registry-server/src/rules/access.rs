//! Who may do what. [`decide`] is the only place that says so: the route table names the
//! action of every route, and handlers ask again with the narrower action that the
//! request's content turns out to need.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What a token may be good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// The first version of a new package.
    PublishNew,
    /// A version of a package that exists.
    Publish,
    /// Yank and unyank.
    Yank,
    /// Who owns a package.
    Owners,
    /// The matrix and bundles.
    Bundles,
    /// Holding packages back.
    Moderate,
    /// Everything.
    Admin,
}

/// Something that a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Reading what everyone may read.
    Read,
    /// Opening, filling, reading or finishing a publish session.
    Publish,
    /// Publishing a version of a package that exists.
    PublishVersion,
    /// Publishing the first version of a package.
    PublishNew,
    /// Yanking and unyanking.
    Yank,
    /// Replacing the compatibility matrix.
    PushMatrix,
    /// Publishing a bundle.
    PublishBundle,
    /// Looking at what waits for a review, and letting it go on.
    Moderate,
    /// Changing the registry's settings.
    Administer,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// Nobody in particular: no token was sent.
    Anonymous,
    /// The holder of a token.
    Token {
        /// The token's identifier.
        id: String,
        /// What its maker called it.
        name: String,
        /// What it is good for.
        scopes: Vec<Scope>,
        /// When it ends.
        expires_at: Option<Timestamp>,
        /// Whether it was taken back.
        is_revoked: bool,
    },
}

/// Why an action is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// The action needs a token.
    NoToken,
    /// The token was taken back.
    Revoked,
    /// The token's time is over.
    Expired,
    /// The token is good, but not for this: it needs one of these scopes.
    Scope(&'static [Scope]),
}

/// Decides whether `who` may do `action` at `now`.
pub fn decide(who: &Principal, action: Action, now: Timestamp) -> Result<(), Denied> {
    let needed: &[Scope] = match action {
        Action::Read => return Ok(()),
        Action::Publish => &[Scope::Publish, Scope::PublishNew],
        Action::PublishVersion => &[Scope::Publish],
        Action::PublishNew => &[Scope::PublishNew],
        Action::Yank => &[Scope::Yank],
        Action::PushMatrix | Action::PublishBundle => &[Scope::Bundles],
        Action::Moderate => &[Scope::Moderate],
        Action::Administer => &[Scope::Admin],
    };
    match who {
        Principal::Anonymous => Err(Denied::NoToken),
        Principal::Token {
            is_revoked: true, ..
        } => Err(Denied::Revoked),
        Principal::Token {
            expires_at: Some(end),
            ..
        } if *end <= now => Err(Denied::Expired),
        Principal::Token { scopes, .. } => {
            let has = |scope| scopes.contains(scope);
            if has(&Scope::Admin) || needed.iter().any(has) {
                Ok(())
            } else {
                Err(Denied::Scope(needed))
            }
        }
    }
}

impl Principal {
    /// What the audit log calls it.
    pub fn name(&self) -> &str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Token { name, .. } => name,
        }
    }

    /// The token's identifier; empty where there is none.
    pub fn id(&self) -> &str {
        match self {
            Self::Anonymous => "",
            Self::Token { id, .. } => id,
        }
    }
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 7] = [
        Self::PublishNew,
        Self::Publish,
        Self::Yank,
        Self::Owners,
        Self::Bundles,
        Self::Moderate,
        Self::Admin,
    ];

    /// The word used on the command line and in messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PublishNew => "publish-new",
            Self::Publish => "publish",
            Self::Yank => "yank",
            Self::Owners => "owners",
            Self::Bundles => "bundles",
            Self::Moderate => "moderate",
            Self::Admin => "admin",
        }
    }
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 9] = [
        Self::Read,
        Self::Publish,
        Self::PublishVersion,
        Self::PublishNew,
        Self::Yank,
        Self::PushMatrix,
        Self::PublishBundle,
        Self::Moderate,
        Self::Administer,
    ];
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The text is no scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a scope: expected `publish-new`, `publish`, `yank`, `owners`, `bundles`, \
     `moderate` or `admin`"
)]
pub struct UnknownScope(String);

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|it| it.as_str() == text)
            .ok_or_else(|| UnknownScope(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(scopes: &[Scope]) -> Principal {
        Principal::Token {
            id: "t".to_owned(),
            name: "n".to_owned(),
            scopes: scopes.to_vec(),
            expires_at: None,
            is_revoked: false,
        }
    }

    #[test]
    fn a_stranger_may_read_and_nothing_else() {
        for action in Action::ALL {
            let answer = decide(&Principal::Anonymous, action, Timestamp::UNIX_EPOCH);
            assert_eq!(answer.is_ok(), action == Action::Read, "{action:?}");
        }
    }

    #[test]
    fn the_admin_scope_covers_every_action() {
        for action in Action::ALL {
            decide(&holder(&[Scope::Admin]), action, Timestamp::UNIX_EPOCH).unwrap();
        }
    }

    #[test]
    fn publishing_versions_does_not_allow_new_names() {
        let publisher = holder(&[Scope::Publish]);
        let now = Timestamp::UNIX_EPOCH;
        decide(&publisher, Action::Publish, now).unwrap();
        decide(&publisher, Action::PublishVersion, now).unwrap();
        assert_eq!(
            decide(&publisher, Action::PublishNew, now),
            Err(Denied::Scope(&[Scope::PublishNew]))
        );
        assert!(decide(&publisher, Action::Yank, now).is_err());
        assert!(decide(&publisher, Action::PushMatrix, now).is_err());
    }

    #[test]
    fn an_expired_or_revoked_token_is_good_for_nothing() {
        let now = Timestamp::UNIX_EPOCH;
        let Principal::Token {
            id, name, scopes, ..
        } = holder(&[Scope::Admin])
        else {
            unreachable!("a token was made");
        };
        let expired = Principal::Token {
            id: id.clone(),
            name: name.clone(),
            scopes: scopes.clone(),
            expires_at: Some(now),
            is_revoked: false,
        };
        let revoked = Principal::Token {
            id,
            name,
            scopes,
            expires_at: None,
            is_revoked: true,
        };
        assert_eq!(decide(&expired, Action::Yank, now), Err(Denied::Expired));
        assert_eq!(decide(&revoked, Action::Yank, now), Err(Denied::Revoked));
    }
}
