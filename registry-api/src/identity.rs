//! Who people are to a registry: users, teams, owners, invitations, tokens.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use provisioning_package::{Digest, Kind, PackageName};
use semver::Version;
use serde::{Deserialize, Serialize};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[serde(rename_all = "kebab-case")]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// Every value, the least first.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word used in JSON, on the command line and in messages.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                let found = Self::ALL.iter().find(|it| it.as_str() == text);
                found.copied().ok_or_else(|| UnknownWord {
                    word: text.to_owned(),
                    expected: [$(concat!("`", $word, "`")),*].join(", "),
                })
            }
        }
    };
}

/// A text that is none of a few words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{word}` is not one of {expected}")]
pub struct UnknownWord {
    /// What was read.
    pub word: String,
    /// What it may be.
    pub expected: String,
}

words! {
    /// What somebody may do with one package; each includes those before it.
    PackageRole {
        /// Sees its publish sessions and settings.
        Reader = "reader",
        /// Publishes versions, and yanks them.
        Publisher = "publisher",
        /// Deprecates and archives it, and says which CI may publish it.
        Maintainer = "maintainer",
        /// Says who else has a role, and deletes what may be deleted.
        Owner = "owner",
    }
}

words! {
    /// What somebody may do in the whole registry.
    RegistryRole {
        /// Reviews, and quarantines packages.
        Moderator = "moderator",
        /// Publishes bundles, the matrix, and packages of the registry's own kinds.
        ReleaseEngineer = "release-engineer",
        /// Everything.
        Administrator = "administrator",
    }
}

words! {
    /// What somebody is in a team.
    TeamRole {
        /// Has the team's roles.
        Member = "member",
        /// Says who else belongs to it, too.
        Maintainer = "maintainer",
    }
}

words! {
    /// What an invitation is answered with.
    InvitationAnswer {
        /// Yes.
        Accept = "accept",
        /// No.
        Decline = "decline",
    }
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct User {
    /// The user's name.
    pub name: String,
    /// What they may do in the whole registry.
    pub roles: Vec<RegistryRole>,
    /// Whether they may do nothing at all now.
    pub disabled: bool,
    /// Since when they are known.
    pub created_at: Timestamp,
}

/// Body of `POST users`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewUser {
    /// The user's name.
    pub name: String,
    /// What they may do in the whole registry.
    #[serde(default)]
    pub roles: Vec<RegistryRole>,
}

/// Body of `PUT users/{user}`: what is absent stays.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChangeUser {
    /// What they may do in the whole registry.
    #[serde(default)]
    pub roles: Option<Vec<RegistryRole>>,
    /// Whether they may do nothing at all from now on.
    #[serde(default)]
    pub disabled: Option<bool>,
}

/// Answer of `GET users`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UserList {
    /// The users, by name.
    pub users: Vec<User>,
}

/// Who asks: answer of `GET me`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Me {
    /// The user whose token it is; `None` for a token of the registry's operator.
    pub user: Option<String>,
    /// What the user may do in the whole registry.
    pub roles: Vec<RegistryRole>,
    /// The token that was sent.
    pub token: Token,
    /// The user's teams.
    pub teams: Vec<Membership>,
    /// Packages that the user has a role in, also through teams.
    pub packages: Vec<OwnedPackage>,
}

/// A team that somebody belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Membership {
    /// The team.
    pub team: String,
    /// What they are in it.
    pub role: TeamRole,
}

/// A package that somebody has a role in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OwnedPackage {
    /// Its kind.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::KindText))]
    pub kind: Kind,
    /// Its name.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::NameText))]
    pub name: PackageName,
    /// The role.
    pub role: PackageRole,
}

/// A team and who belongs to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Team {
    /// Its name.
    pub name: String,
    /// The kinds whose packages are the team's.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<crate::openapi::KindText>))]
    pub namespaces: Vec<Kind>,
    /// Who belongs to it.
    pub members: Vec<Member>,
}

/// Somebody in a team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Member {
    /// The user.
    pub user: String,
    /// What they are in it.
    pub role: TeamRole,
}

/// Body of `POST teams`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewTeam {
    /// Its name.
    pub name: String,
}

/// Answer of `GET teams`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TeamList {
    /// The teams, by name.
    pub teams: Vec<Team>,
}

/// Body of `PUT teams/{team}/members/{user}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GiveTeamRole {
    /// What they shall be in it.
    pub role: TeamRole,
}

/// Which team each of the registry's own kinds belongs to; answer of `GET namespaces`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Namespaces {
    /// Kinds and their teams.
    pub namespaces: Vec<Namespace>,
}

/// A kind and the team that its package belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Namespace {
    /// The kind.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::KindText))]
    pub kind: Kind,
    /// The team.
    pub team: String,
}

/// Body of `PUT namespaces/{kind}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GiveNamespace {
    /// The team; `None` takes the kind away from its team.
    pub team: Option<String>,
}

/// Who has a role in a package: a user, or a team, written `team:NAME`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Holder {
    /// A user.
    User(String),
    /// A team.
    Team(String),
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(name) => f.write_str(name),
            Self::Team(name) => write!(f, "team:{name}"),
        }
    }
}

impl FromStr for Holder {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        match text.strip_prefix("team:") {
            Some(team) => check_name(team).map(|()| Self::Team(team.to_owned())),
            None => check_name(text).map(|()| Self::User(text.to_owned())),
        }
    }
}

/// A text that cannot be the name of a user or team.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` cannot name a user or team: small letters, digits and single `-` inside, at most \
     {NAME_CHARS_MAX}"
)]
pub struct InvalidName(pub String);

/// Characters of a user's or team's name.
pub const NAME_CHARS_MAX: usize = 39;

/// Whether a user or team may be called `text`.
pub fn check_name(text: &str) -> Result<(), InvalidName> {
    let is_edge = |it: Option<char>| it.is_some_and(|it| it != '-');
    let is_right = text.len() <= NAME_CHARS_MAX
        && text
            .chars()
            .all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '-')
        && is_edge(text.chars().next())
        && is_edge(text.chars().last())
        && !text.contains("--");
    if is_right {
        Ok(())
    } else {
        Err(InvalidName(text.to_owned()))
    }
}

/// Who has which role in a package; answer of `GET …/owners`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Owners {
    /// Its kind.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::KindText))]
    pub kind: Kind,
    /// Its name.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::NameText))]
    pub name: PackageName,
    /// Who has a role.
    pub owners: Vec<OwnerEntry>,
    /// Who is invited and has not answered.
    pub invited: Vec<OwnerEntry>,
}

/// Somebody's role in a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OwnerEntry {
    /// A user, or `team:NAME`.
    pub holder: String,
    /// The role.
    pub role: PackageRole,
}

/// Body of `PUT …/owners/{holder}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GiveRole {
    /// The role.
    pub role: PackageRole,
}

/// An invitation that waits for an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Invitation {
    /// Its identifier.
    pub id: String,
    /// What it is to: `package:NAME` or `team:NAME`.
    pub subject: String,
    /// Who is invited.
    pub user: String,
    /// The role that they would have.
    pub role: String,
    /// Who invites.
    pub invited_by: String,
    /// When it ends by itself.
    pub expires_at: Timestamp,
}

/// Answer of `GET me/invitations`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct InvitationList {
    /// The invitations, oldest first.
    pub invitations: Vec<Invitation>,
}

/// Body of `POST me/invitations/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AnswerInvitation {
    /// Yes or no.
    pub answer: InvitationAnswer,
}

/// A token as its holder sees it; never its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Token {
    /// Its identifier.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// Whose it is; `None` for a token of the registry's operator.
    pub user: Option<String>,
    /// What it is good for: `publish:mongodb*`.
    pub scopes: Vec<String>,
    /// The one version, and archive, that it is good for.
    #[serde(default)]
    pub bound: Option<Binding>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to the hour.
    #[serde(default)]
    pub last_used_at: Option<Timestamp>,
    /// When it was taken back.
    #[serde(default)]
    pub revoked_at: Option<Timestamp>,
}

/// What a token is bound to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Binding {
    /// The package.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::openapi::NameText))]
    pub name: PackageName,
    /// The one version.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<crate::openapi::VersionText>))]
    pub version: Option<Version>,
    /// The one archive.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<crate::openapi::DigestText>))]
    pub digest: Option<Digest>,
}

/// Answer of `GET tokens`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TokenList {
    /// The tokens, newest first.
    pub tokens: Vec<Token>,
}

/// Body of `POST tokens`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewToken {
    /// What it is called.
    pub name: String,
    /// What it is good for: `publish`, `publish:mongodb*`.
    pub scopes: Vec<String>,
    /// When it ends; 90 days from now where absent.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
    /// The one version, and archive, that it is good for.
    #[serde(default)]
    pub bound: Option<Binding>,
}

/// Answer of `POST tokens`: the only time that the text is shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TokenMade {
    /// What was made.
    pub token: Token,
    /// The text, a secret.
    pub secret: String,
}

impl fmt::Debug for TokenMade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenMade")
            .field("token", &self.token)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_ordered_and_read_back() {
        assert!(PackageRole::Owner > PackageRole::Reader);
        for role in PackageRole::ALL {
            assert_eq!(role.as_str().parse(), Ok(*role));
            let json = serde_json::to_string(role).unwrap();
            assert_eq!(json, format!("\"{role}\""));
        }
        for role in RegistryRole::ALL {
            assert_eq!(serde_json::to_string(role).unwrap(), format!("\"{role}\""));
        }
        let error = "king".parse::<PackageRole>().unwrap_err();
        assert!(error.to_string().contains("`maintainer`"));
    }

    #[test]
    fn names_of_users_and_teams_are_simple() {
        for good in ["ada", "a", "ada-lovelace", "0x", "team:core"] {
            let holder: Holder = good.parse().unwrap();
            assert_eq!(holder.to_string(), good);
        }
        let long = "a".repeat(NAME_CHARS_MAX + 1);
        for bad in [
            "", "-a", "a-", "a--b", "Ada", "ä", "a b", "team:", "a:b", &long,
        ] {
            assert!(bad.parse::<Holder>().is_err(), "{bad}");
        }
    }
}
