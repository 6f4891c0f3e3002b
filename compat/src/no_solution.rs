//! Why there is no answer, as data first and then as sentences.
//!
//! Each [`Cause`] is one requirement that takes part, with its owner, or one fact about
//! what the registry has. They are listed from the request to what it brings, so that a
//! reader can follow; hints are commands to try.

mod availability;
mod derivation;
mod hints;
mod sentences;

use std::fmt;

use provisioning_package::{BundleName, PackageName};
use provisioning_registry_api::bundle::BundleDocument;
use serde::Serialize;

use crate::request::Request;
use crate::solver::proof::Proof;
use crate::solver::universe::Universe;
pub use derivation::{Derivation, Excluded, ProofNode, ProofStep};

pub(crate) use sentences::{owner_phrase, selector_text, wanted_sentence};

/// Why a request has no solution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NoSolution {
    /// What sort of refusal it is.
    pub kind: NoSolutionKind,
    /// The refusal in one line.
    pub summary: String,
    /// Why, as a tree and as lines.
    #[serde(flatten)]
    pub derivation: Box<Derivation>,
    /// Everything that takes part, in reading order: the tree's ends.
    #[serde(skip)]
    pub causes: Vec<Cause>,
    /// Bundles that would do, if any were given and would.
    pub bundles: Vec<BundleName>,
    /// What to try, as sentences with commands.
    pub hints: Vec<String>,
}

/// What sort of refusal it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoSolutionKind {
    /// Requirements exclude each other.
    Conflict,
    /// The registry lacks a package that is needed.
    Missing,
    /// Versions that would do exist but cannot be taken.
    Unavailable,
    /// The search was cancelled before it ended.
    GaveUp,
}

/// One requirement, or one fact about the registry, that takes part in a refusal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// What sort of cause it is.
    pub kind: CauseKind,
    /// Who requires it: `you`, `you-earlier`, `bundle NAME`, `pin`, `lock`, the place of a row
    /// of the matrix, or a package with its versions; `registry` for a fact.
    pub owner: String,
    /// The package that requires, or that the fact is about; `None` where it is the
    /// request that requires.
    pub package: Option<PackageName>,
    /// Which of its versions, as text.
    pub versions: Option<String>,
    /// The package that is required.
    pub on: Option<PackageName>,
    /// What is required of it, as text.
    pub requirement: Option<String>,
    /// The whole cause as a sentence.
    pub text: String,
}

/// What sort of cause something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CauseKind {
    /// You asked for it, now.
    Asked,
    /// You asked for it, earlier.
    AskedEarlier,
    /// A bundle pins it.
    Bundle,
    /// A pin ties it.
    Pin,
    /// A lockfile ties it.
    Lock,
    /// A package needs it.
    Requirement,
    /// A package bounds it where it is there.
    OptionalRequirement,
    /// A row of the matrix bounds it.
    Row,
    /// A row of the matrix bounds the API of extensions.
    ExtensionApi,
    /// The registry has no such package.
    MissingPackage,
    /// The registry does not let this user read about the package.
    NotAuthorised,
    /// The registry has no version that meets the requirement.
    NoVersion,
    /// A version would do but is yanked.
    Yanked,
    /// A version would do but a moderator holds its package.
    Quarantined,
    /// A version would do but has no archive for the target.
    OtherTarget,
    /// A version would do but is too young.
    TooYoung,
    /// A version would do but cannot be had offline, or from this copy of the registry.
    OutOfReach,
    /// A version would do but the matrix does not list it, and that was refused.
    Unlisted,
    /// A version would do but is a pre-release that nothing names.
    PreRelease,
    /// A version would do but cannot be used: it needs what no registry can have, or what it
    /// says is not understood.
    Unreadable,
    /// No cause but what follows from others.
    Step,
}

/// Says why a search failed.
pub(crate) fn explain<'a>(
    universe: &Universe<'a>,
    proof: &Proof<'a>,
    cancelled: &dyn Fn() -> bool,
) -> NoSolution {
    let (causes, derivation) = derivation::of_proof(universe, proof);
    let kind = kind_of(&causes);
    NoSolution {
        kind,
        summary: summary(universe.request, kind, &causes),
        hints: hints::for_proof(universe, proof, &causes, cancelled),
        derivation: Box::new(derivation),
        causes,
        bundles: Vec::new(),
    }
}

impl NoSolution {
    /// Nothing that was asked for under `name` exists.
    pub fn unknown(name: &PackageName, spec: &str) -> Self {
        let asked = Cause {
            kind: CauseKind::Asked,
            owner: "you".to_owned(),
            package: None,
            versions: None,
            on: Some(name.clone()),
            requirement: None,
            text: format!("you asked for `{spec}`"),
        };
        let missing = Cause {
            kind: CauseKind::MissingPackage,
            owner: "registry".to_owned(),
            package: Some(name.clone()),
            on: None,
            text: format!("this registry has no package and no bundle `{name}`"),
            ..asked.clone()
        };
        let causes = vec![asked, missing];
        Self {
            kind: NoSolutionKind::Missing,
            summary: format!("the registry has no package and no bundle `{name}`"),
            derivation: Box::new(Derivation {
                because: causes.iter().cloned().map(ProofNode::Cause).collect(),
                lines: causes.iter().map(|it| it.text.clone()).collect(),
            }),
            causes,
            bundles: Vec::new(),
            hints: Vec::new(),
        }
    }

    /// The derivation as sentences.
    pub fn causes(&self) -> Vec<String> {
        self.derivation.lines.clone()
    }

    /// What to try.
    pub fn hints(&self) -> Vec<String> {
        self.hints.clone()
    }

    /// Everything, for `--json`.
    pub fn to_json(&self) -> serde_json::Value {
        // Strings and lists of strings always serialise.
        serde_json::to_value(self).unwrap_or_default()
    }

    /// Names the bundles among `documents` that have what `request` asks for.
    #[must_use]
    pub fn with_bundles(mut self, request: &Request, documents: &[BundleDocument]) -> Self {
        let nearest = hints::nearest_bundles(request, documents);
        for (bundle, members) in nearest {
            self.hints.push(format!(
                "bundle `{bundle}` has {members}: `provisioning install {bundle}`"
            ));
            self.bundles.push(bundle);
        }
        self
    }
}

impl fmt::Display for NoSolution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.summary)?;
        for line in &self.derivation.lines {
            writeln!(f, "  - {line}")?;
        }
        for hint in &self.hints {
            writeln!(f, "help: {hint}")?;
        }
        write!(f, "nothing was changed")
    }
}

impl std::error::Error for NoSolution {}

/// The search ended before there was an answer.
pub(crate) fn gave_up() -> NoSolution {
    NoSolution {
        kind: NoSolutionKind::GaveUp,
        summary: "the search for versions that fit took too long and was given up".to_owned(),
        derivation: Box::default(),
        causes: Vec::new(),
        bundles: Vec::new(),
        hints: vec![
            "name exact versions of what matters, as in `provisioning install core@3.2.1`: that \
             leaves less to search"
                .to_owned(),
        ],
    }
}

fn kind_of(causes: &[Cause]) -> NoSolutionKind {
    let has = |kinds: &[CauseKind]| causes.iter().any(|it| kinds.contains(&it.kind));
    if has(&[CauseKind::MissingPackage]) {
        NoSolutionKind::Missing
    } else if has(&[
        CauseKind::NotAuthorised,
        CauseKind::Yanked,
        CauseKind::Quarantined,
        CauseKind::OtherTarget,
        CauseKind::TooYoung,
        CauseKind::OutOfReach,
        CauseKind::Unlisted,
        CauseKind::PreRelease,
        CauseKind::Unreadable,
    ]) {
        NoSolutionKind::Unavailable
    } else {
        NoSolutionKind::Conflict
    }
}

/// The package that the registry keeps from this user, where that is all that is wrong.
fn not_authorised(causes: &[Cause]) -> Option<&PackageName> {
    let facts = causes.iter().filter(|it| it.owner == "registry");
    let mut kept = facts.map(|it| (it.kind == CauseKind::NotAuthorised).then_some(it));
    let first = kept.next()??;
    kept.all(|it| it.is_some()).then_some(())?;
    first.package.as_ref()
}

fn summary(request: &Request, kind: NoSolutionKind, causes: &[Cause]) -> String {
    let asked: Vec<String> = sentences::specs_of_user(request)
        .into_iter()
        .map(|it| format!("`{it}`"))
        .collect();
    let asked = if asked.is_empty() {
        "what is requested".to_owned()
    } else {
        derivation::joined(&asked)
    };
    match kind {
        NoSolutionKind::Missing => {
            let missing: Vec<String> = causes
                .iter()
                .filter(|it| it.kind == CauseKind::MissingPackage)
                .filter_map(|it| it.package.as_ref().map(|it| format!("`{it}`")))
                .collect();
            let what = if missing.len() == 1 {
                "package"
            } else {
                "packages"
            };
            let missing = derivation::joined(&missing);
            format!("no solution for {asked}: this registry has no {what} {missing}")
        }
        NoSolutionKind::Unavailable => match not_authorised(causes) {
            Some(name) => {
                format!("no solution for {asked}: the registry does not let you read about {name}")
            }
            None => format!("no solution for {asked}: a version that would do cannot be taken"),
        },
        NoSolutionKind::Conflict | NoSolutionKind::GaveUp => {
            let unmet = causes.iter().find(|it| it.kind == CauseKind::NoVersion);
            match unmet.and_then(|it| it.on.as_ref().zip(it.requirement.as_ref())) {
                Some((name, req)) if req == "*" => {
                    format!("no solution for {asked}: this registry has no version of {name}")
                }
                Some((name, req)) => {
                    format!("no solution for {asked}: no version of {name} meets `{req}`")
                }
                None => format!("no solution for {asked}: these cannot all hold"),
            }
        }
    }
}
