//! How the errors of other crates become a [`Failure`]: one `From` for each, and with it
//! the code and exit status that users see.

use provisioning_installers::{InstallError, ScaffoldError};
use provisioning_package::{ArchiveError, InvalidName, InvalidSpec, UnknownTarget};
use provisioning_registry_api::problem::Problem;
use provisioning_sources::SourceError;
use provisioning_trust::{SignError, TrustError};

use super::{Exit, Failure};

/// What helps where a registry does not let us read.
pub(crate) const NOT_AUTHORISED: &str = "`provisioning login` stores a token, `PROVISIONING_TOKEN` gives one for a run; who may read is for \
     whoever runs the registry to say";

impl From<InvalidName> for Failure {
    fn from(problem: InvalidName) -> Self {
        Self::new("invalid-name", problem.to_string()).with_exit(Exit::Usage)
    }
}

impl From<InvalidSpec> for Failure {
    fn from(problem: InvalidSpec) -> Self {
        Self::new("invalid-spec", problem.to_string()).with_exit(Exit::Usage)
    }
}

impl From<UnknownTarget> for Failure {
    fn from(problem: UnknownTarget) -> Self {
        Self::new("unknown-target", problem.to_string()).with_exit(Exit::Usage)
    }
}

impl From<ArchiveError> for Failure {
    fn from(problem: ArchiveError) -> Self {
        let exit = if problem.is_refusal() {
            Exit::Verification
        } else {
            Exit::Failed
        };
        let failure = Self::new(problem.code(), problem.to_string())
            .with_exit(exit)
            .with_hint(way_out(&problem));
        match std::error::Error::source(&problem) {
            Some(source) => failure.with_chain(source),
            None => failure,
        }
    }
}

/// What to do about an archive or a tree that cannot be had.
fn way_out(problem: &ArchiveError) -> &'static str {
    match problem {
        ArchiveError::Refused { entry: None, .. } => {
            "it was cut short or changed on the way, or is none of ours: fetch or make it again"
        }
        ArchiveError::Refused { .. } => {
            "in a folder of yours: take it out, or leave it out with `[install] exclude`; an \
             archive that somebody made: tell its author, nothing like it is ever unpacked"
        }
        ArchiveError::Occupied { .. } => "unpack into another folder, or move away what is there",
        ArchiveError::Changed { .. } => "run the same command again when nobody writes to it",
        ArchiveError::NotPromised { .. }
        | ArchiveError::TooLong
        | ArchiveError::BrokenOff { .. } => {
            "fetch it again, or from another mirror: nothing of it was kept"
        }
        ArchiveError::BeyondPromise { .. } => {
            "tell the package's author: it is not as it was signed"
        }
        ArchiveError::Glob(_) => "`config/*.toml` and `tests/**` are globs, for instance",
        ArchiveError::Io { .. } | ArchiveError::Output { .. } => {
            "check the path and the disk, then run the same command again"
        }
    }
}

impl From<InstallError> for Failure {
    fn from(problem: InstallError) -> Self {
        let exit = if problem.is_locked() {
            Exit::Locked
        } else if problem.is_verification() {
            Exit::Verification
        } else {
            Exit::Failed
        };
        let failure = Self::new(problem.code(), problem.to_string())
            .with_exit(exit)
            .with_hints(problem.hints());
        let failure = if let InstallError::Unfinished { generation, .. } = &problem {
            failure.with_changed(format!("generation {generation} is current"))
        } else {
            failure
        };
        match std::error::Error::source(&problem) {
            Some(source) => failure.with_chain(source),
            None => failure,
        }
    }
}

impl From<ScaffoldError> for Failure {
    fn from(problem: ScaffoldError) -> Self {
        let failure = match &problem {
            ScaffoldError::Io {
                action,
                path,
                source,
            } => return Self::io(action, path, source),
            ScaffoldError::Busy(_) => Self::new(problem.code(), problem.to_string())
                .with_exit(Exit::Locked)
                .with_hint("wait for it, then run the same command again"),
            ScaffoldError::Occupied(_)
            | ScaffoldError::Clashes(_)
            | ScaffoldError::Settings(_)
            | ScaffoldError::Render { .. }
            | ScaffoldError::Path { .. } => Self::new(problem.code(), problem.to_string()),
        };
        match std::error::Error::source(&problem) {
            Some(source) => failure.with_chain(source),
            None => failure,
        }
    }
}

impl From<SourceError> for Failure {
    fn from(problem: SourceError) -> Self {
        let failure = Self::new("invalid-source", problem.to_string());
        match std::error::Error::source(&problem) {
            Some(source) => failure.with_chain(source),
            None => failure,
        }
    }
}

impl From<TrustError> for Failure {
    fn from(problem: TrustError) -> Self {
        let exit = if problem.is_unreachable() || matches!(problem, TrustError::NeverMet) {
            Exit::Unreachable
        } else if matches!(
            problem,
            TrustError::State { .. } | TrustError::Refused { .. }
        ) {
            Exit::Failed
        } else {
            Exit::Verification
        };
        let failure = Self::new(problem.code(), problem.to_string()).with_exit(exit);
        let failure = match std::error::Error::source(&problem) {
            Some(source) => failure.with_chain(source),
            None => failure,
        };
        if matches!(problem, TrustError::Refused { .. }) {
            return failure.with_hint(NOT_AUTHORISED);
        }
        match way_out_of(&problem) {
            Some(hint) => failure.with_hint(hint),
            None => failure,
        }
    }
}

/// What to do where a registry is not believed; `None` where the message says it.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "what is not named here says in its message what to do"
)]
fn way_out_of(problem: &TrustError) -> Option<&'static str> {
    match problem {
        TrustError::RootChanged { .. } => Some(
            "if the registry's operator confirms it, `provisioning registry remove URL` \
             forgets the old root",
        ),
        TrustError::Expired { .. } => {
            Some("check the clock (`date`); else tell the registry's operator")
        }
        TrustError::Rollback { .. }
        | TrustError::BrokenRootChain { .. }
        | TrustError::BadSignature { .. }
        | TrustError::Mismatch { .. }
        | TrustError::Missing { .. }
        | TrustError::Unlisted { .. }
        | TrustError::TooLarge { .. }
        | TrustError::Malformed { .. } => Some(
            "nothing of it is believed: try again later or without the mirror, then tell the \
             registry's operator",
        ),
        TrustError::Unreachable { .. } => {
            Some("run the same command again; `provisioning doctor` says what is wrong on the way")
        }
        _ => None,
    }
}

impl From<SignError> for Failure {
    fn from(problem: SignError) -> Self {
        let failure = Self::new(problem.code(), problem.to_string());
        match std::error::Error::source(&problem) {
            Some(source) => failure.with_chain(source),
            None => failure,
        }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        let exit = match problem.status {
            502..=504 => Exit::Unreachable,
            _ => Exit::Failed,
        };
        let failure = Self::new(problem.code, problem.detail)
            .with_exit(exit)
            .with_causes(problem.causes)
            .with_hints(problem.hints);
        match problem.request_id {
            Some(id) if problem.status >= 500 => {
                failure.with_cause(format!("the registry calls this request `{id}`"))
            }
            Some(_) | None => failure,
        }
    }
}
