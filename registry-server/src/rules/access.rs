//! Who may do what. [`decide`] is the only place that says so: the route table names the
//! action of every route, the gate before each handler asks about what its path names, and
//! handlers ask again with the narrower action that the request's content turns out to need.
//!
//! Three things must allow an action: the token is good (not expired, not taken back), the
//! token is good *for this* (its scopes, patterns and binding), and, where a user stands
//! behind it, the user may do it. Tokens that the operator makes have no user: their scopes
//! are all there is.

use jiff::Timestamp;
use provisioning_package::{Digest, Kind, PackageName, Version};
use provisioning_registry_api::identity::{Binding, PackageRole, RegistryRole, TeamRole};

pub use super::grant::{Grant, Scope, UnknownScope};

/// Something that a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Reading what everyone may read.
    Read,
    /// Exchanging the proof of another system for a token; checks itself.
    Exchange,
    /// Opening, filling, reading or finishing a publish session.
    Publish,
    /// Publishing a version of a package that exists.
    PublishVersion,
    /// Publishing the first version of a package.
    PublishNew,
    /// Looking at a publish session.
    ReadSession,
    /// Yanking and unyanking.
    Yank,
    /// Deprecating, archiving and their opposite.
    Describe,
    /// Seeing and saying which CI may publish a package.
    TrustPublisher,
    /// Saying who has a role in a package.
    ChangeOwners,
    /// Deleting a version by the written rule.
    DeleteVersion,
    /// Replacing the compatibility matrix.
    PushMatrix,
    /// Publishing a bundle.
    PublishBundle,
    /// Looking at what waits for a `release` signature, and adding one.
    SignRelease,
    /// Reviewing, and quarantining.
    Moderate,
    /// Settings, users, everyone's tokens.
    Administer,
    /// Seeing oneself and one's own things, answering invitations, ending one's tokens.
    OwnAccount,
    /// Making a token of one's own, or a team.
    MakeOwn,
    /// Saying who belongs to a team.
    ChangeTeam,
    /// Moving a bundle through its gates, or taking it back.
    PromoteBundle,
    /// Sending evidence of a test, which its tester signed.
    SubmitEvidence,
    /// Deciding whose evidence counts.
    ManageTesters,
    /// Saying whether an update works.
    CommentUpdate,
}

/// What an action is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject<'a> {
    /// Not known yet: the narrower question follows.
    Any,
    /// The registry as a whole, or something that is nobody's.
    Registry,
    /// A package, and what the one who asks is in it (also through teams).
    Package {
        /// Its name.
        name: &'a PackageName,
        /// The user's role in it.
        role: Option<PackageRole>,
        /// The version, where it is about one.
        version: Option<&'a Version>,
        /// The archives, where it is about some.
        digests: &'a [Digest],
    },
    /// A bundle.
    Bundle(&'a str),
    /// A team, and what the one who asks is in it.
    Team(Option<TeamRole>),
}

/// The user behind a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenUser {
    /// The name.
    pub name: String,
    /// What they may do in the whole registry.
    pub roles: Vec<RegistryRole>,
    /// Whether they may do nothing now.
    pub is_disabled: bool,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// Nobody in particular: no token was sent.
    Anonymous,
    /// The holder of a token.
    Token(Box<Bearer>),
}

/// A token, as far as it decides what its holder may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearer {
    /// The token's identifier.
    pub id: String,
    /// What its maker called it.
    pub name: String,
    /// What it is good for.
    pub grants: Vec<Grant>,
    /// The one version that it is good for.
    pub binding: Option<Binding>,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// Whether it was taken back.
    pub is_revoked: bool,
    /// Whose it is; `None` for the operator's.
    pub user: Option<TokenUser>,
}

/// Why an action is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denied {
    /// The action needs a token.
    NoToken,
    /// The token was taken back.
    Revoked,
    /// The token's time is over.
    Expired,
    /// The user may do nothing now.
    Disabled(String),
    /// The token is good, but not for this: it needs one of these scopes.
    Scope(&'static [Scope]),
    /// The token has the scope, but for other packages than this one.
    Pattern(String),
    /// The token is bound to another version or archive.
    Bound(Box<Binding>),
    /// The token's user may not do this: what they would have to be.
    Role(&'static str),
}

/// Decides whether `who` may do `action` to `subject` at `now`.
pub fn decide(
    who: &Principal,
    action: Action,
    subject: Subject<'_>,
    now: Timestamp,
) -> Result<(), Denied> {
    if matches!(action, Action::Read | Action::Exchange) {
        return Ok(());
    }
    let Principal::Token(token) = who else {
        return Err(Denied::NoToken);
    };
    if token.is_revoked {
        return Err(Denied::Revoked);
    }
    if token.expires_at.is_some_and(|end| end <= now) {
        return Err(Denied::Expired);
    }
    if let Some(user) = token.user.as_ref().filter(|it| it.is_disabled) {
        return Err(Denied::Disabled(user.name.clone()));
    }
    check_grants(&token.grants, action, subject)?;
    if let Some(binding) = &token.binding {
        check_binding(binding, action, subject)?;
    }
    match &token.user {
        Some(user) => check_user(user, action, subject),
        None => Ok(()),
    }
}

/// The scopes of which an action needs one; empty where any good token will do.
const fn scopes(action: Action) -> &'static [Scope] {
    match action {
        Action::Read | Action::Exchange | Action::OwnAccount => &[],
        Action::Publish => &[Scope::Publish, Scope::PublishNew],
        Action::ReadSession => &[Scope::Publish, Scope::PublishNew, Scope::Moderate],
        Action::PublishVersion => &[Scope::Publish],
        Action::PublishNew => &[Scope::PublishNew],
        Action::Yank | Action::Describe => &[Scope::Yank],
        Action::ChangeOwners | Action::TrustPublisher | Action::ChangeTeam => &[Scope::Owners],
        Action::PushMatrix | Action::PublishBundle | Action::PromoteBundle => &[Scope::Bundles],
        Action::SubmitEvidence | Action::CommentUpdate => &[Scope::Bundles, Scope::Publish],
        // The key that signs is the right that counts: this only keeps strangers from looking.
        Action::SignRelease => &[Scope::Publish, Scope::Bundles],
        Action::Moderate => &[Scope::Moderate],
        // A token that leaks must not make others that outlive it.
        // Whoever publishes bundles does not also choose who judges them.
        Action::DeleteVersion | Action::Administer | Action::MakeOwn | Action::ManageTesters => {
            &[Scope::Admin]
        }
    }
}

fn check_grants(grants: &[Grant], action: Action, subject: Subject<'_>) -> Result<(), Denied> {
    let needed = scopes(action);
    if needed.is_empty() {
        return Ok(());
    }
    let mut fitting = grants
        .iter()
        .filter(|it| it.scope() == Scope::Admin || needed.contains(&it.scope()))
        .peekable();
    if fitting.peek().is_none() {
        return Err(Denied::Scope(needed));
    }
    let (is_covered, name) = match subject {
        Subject::Any => return Ok(()),
        Subject::Package { name, .. } => {
            (fitting.any(|it| it.covers(name.as_str())), name.as_str())
        }
        Subject::Bundle(name) => (fitting.any(|it| it.covers(name)), name),
        // A token for some packages is no token for the registry or for teams.
        Subject::Registry | Subject::Team(_) => {
            (fitting.any(|it| !it.is_limited()), "the registry")
        }
    };
    if is_covered {
        Ok(())
    } else {
        Err(Denied::Pattern(name.to_owned()))
    }
}

/// A bound token publishes one thing and does nothing else but look and end itself.
fn check_binding(binding: &Binding, action: Action, subject: Subject<'_>) -> Result<(), Denied> {
    let is_publishing = matches!(
        action,
        Action::Publish | Action::PublishVersion | Action::PublishNew
    );
    let is_looking = matches!(action, Action::OwnAccount | Action::ReadSession);
    let is_right = is_looking
        || is_publishing
            && match subject {
                Subject::Any => true,
                Subject::Package {
                    name,
                    version,
                    digests,
                    ..
                } => {
                    *name == binding.name
                        && (binding.version.is_none() || binding.version.as_ref() == version)
                        && binding
                            .digest
                            .is_none_or(|digest| digests.iter().all(|it| *it == digest))
                }
                Subject::Registry | Subject::Bundle(_) | Subject::Team(_) => false,
            };
    if is_right {
        Ok(())
    } else {
        Err(Denied::Bound(Box::new(binding.clone())))
    }
}

fn check_user(user: &TokenUser, action: Action, subject: Subject<'_>) -> Result<(), Denied> {
    if user.roles.contains(&RegistryRole::Administrator) {
        return Ok(());
    }
    let is_moderator = user.roles.contains(&RegistryRole::Moderator);
    let is_release_engineer = user.roles.contains(&RegistryRole::ReleaseEngineer);
    let (is_allowed, needed) = match action {
        Action::Read
        | Action::Exchange
        | Action::OwnAccount
        | Action::MakeOwn
        | Action::ReadSession
        // Evidence is believed for its signature, and a comment has one voice a user.
        | Action::SubmitEvidence
        | Action::CommentUpdate => (true, ""),
        Action::PushMatrix | Action::PublishBundle | Action::PromoteBundle | Action::SignRelease => {
            (is_release_engineer, "a release engineer")
        }
        Action::Moderate => (is_moderator, "a moderator"),
        Action::Administer | Action::ManageTesters => (false, "an administrator"),
        Action::ChangeTeam => match subject {
            Subject::Team(role) => (
                role == Some(TeamRole::Maintainer),
                "a maintainer of the team",
            ),
            Subject::Any | Subject::Registry | Subject::Package { .. } | Subject::Bundle(_) => {
                (subject == Subject::Any, "a maintainer of the team")
            }
        },
        Action::Publish
        | Action::PublishVersion
        | Action::PublishNew
        | Action::Yank
        | Action::Describe
        | Action::TrustPublisher
        | Action::ChangeOwners
        | Action::DeleteVersion => match subject {
            Subject::Package { name, role, .. } => {
                let (is_allowed, needed) = in_package(action, name.kind(), role);
                let is_first_party = name.kind() != Kind::Extension;
                let publishes = matches!(
                    action,
                    Action::Publish | Action::PublishVersion | Action::PublishNew | Action::Yank
                );
                let by_office = publishes && is_first_party && is_release_engineer;
                (is_allowed || by_office, needed)
            }
            Subject::Any | Subject::Registry | Subject::Bundle(_) | Subject::Team(_) => {
                (subject == Subject::Any, "one of the package's owners")
            }
        },
    };
    if is_allowed {
        Ok(())
    } else {
        Err(Denied::Role(needed))
    }
}

/// What a role in a package allows.
fn in_package(action: Action, kind: Kind, role: Option<PackageRole>) -> (bool, &'static str) {
    let at_least = |least: PackageRole| role.is_some_and(|it| it >= least);
    match action {
        // Repeating what is published already; content was checked then.
        Action::Publish => (true, ""),
        Action::PublishNew if kind == Kind::Extension => (true, ""),
        Action::PublishNew => (
            at_least(PackageRole::Publisher),
            "a member of the team that the kind belongs to",
        ),
        Action::PublishVersion | Action::Yank => (
            at_least(PackageRole::Publisher),
            "a publisher, maintainer or owner of the package",
        ),
        Action::Describe | Action::TrustPublisher => (
            at_least(PackageRole::Maintainer),
            "a maintainer or owner of the package",
        ),
        Action::ChangeOwners
        | Action::DeleteVersion
        | Action::Read
        | Action::Exchange
        | Action::ReadSession
        | Action::PushMatrix
        | Action::PublishBundle
        | Action::SignRelease
        | Action::PromoteBundle
        | Action::SubmitEvidence
        | Action::ManageTesters
        | Action::CommentUpdate
        | Action::Moderate
        | Action::Administer
        | Action::OwnAccount
        | Action::MakeOwn
        | Action::ChangeTeam => (at_least(PackageRole::Owner), "an owner of the package"),
    }
}

impl Principal {
    /// The holder of a token.
    pub fn of(token: Bearer) -> Self {
        Self::Token(Box::new(token))
    }

    fn token(&self) -> Option<&Bearer> {
        match self {
            Self::Anonymous => None,
            Self::Token(token) => Some(token),
        }
    }

    /// What the audit log calls it: the user, or what the operator called the token.
    pub fn name(&self) -> &str {
        match self.token() {
            None => "anonymous",
            Some(token) => self.user().unwrap_or(&token.name),
        }
    }

    /// The token's identifier; empty where there is none.
    pub fn id(&self) -> &str {
        self.token().map_or("", |it| &it.id)
    }

    /// The name of the user whose token it is.
    pub fn user(&self) -> Option<&str> {
        let user = self.token()?.user.as_ref()?;
        Some(&user.name)
    }

    /// Whether it may do everything: the operator's own token, or an administrator's.
    pub fn is_administrator(&self, now: Timestamp) -> bool {
        decide(self, Action::Administer, Subject::Registry, now).is_ok()
    }
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 23] = [
        Self::Read,
        Self::Exchange,
        Self::Publish,
        Self::PublishVersion,
        Self::PublishNew,
        Self::ReadSession,
        Self::Yank,
        Self::Describe,
        Self::TrustPublisher,
        Self::ChangeOwners,
        Self::DeleteVersion,
        Self::PushMatrix,
        Self::PublishBundle,
        Self::SignRelease,
        Self::Moderate,
        Self::Administer,
        Self::OwnAccount,
        Self::MakeOwn,
        Self::ChangeTeam,
        Self::PromoteBundle,
        Self::SubmitEvidence,
        Self::ManageTesters,
        Self::CommentUpdate,
    ];
}

#[cfg(test)]
mod tests;
