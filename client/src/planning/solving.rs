//! One question to the solver: everything that was asked for, now and earlier.

use std::collections::{BTreeMap, BTreeSet};

use provisioning_bundles::foreign_digests;
use provisioning_compat::{
    Hold, Index, NoSolution, Owner, Request, Solution, Wanted, solve_within,
};
use provisioning_installers::{Choice, Generation, NewState, Plan, Requests, Unpacks, plan};
use provisioning_package::{PackageName, Selector, Spec, Target, VersionReq};

use super::consult::consult;
use super::registry::Registry;
use super::specs::Asked;
use super::unknown;
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::registry::explain;

/// How to solve.
#[derive(Debug, Clone)]
pub(crate) struct SolveOptions {
    /// The machine to install on.
    pub(crate) target: Target,
    /// Refuse versions that the matrix does not list.
    pub(crate) strict: bool,
    /// Let pre-releases in everywhere.
    pub(crate) pre: bool,
    /// Choose the oldest versions that fit.
    pub(crate) minimal: bool,
}

impl SolveOptions {
    /// For this machine, with nothing unusual.
    pub(crate) fn of_this_machine() -> Self {
        Self {
            target: Target::host().unwrap_or(Target::Any),
            strict: false,
            pre: false,
            minimal: false,
        }
    }
}

/// Which installed packages may move although nobody asks it of them.
#[derive(Debug, Clone)]
pub(crate) enum Moves {
    /// None, if that can be.
    Asked,
    /// These.
    Only(BTreeSet<PackageName>),
    /// Every one.
    Everything,
}

/// A solution, with the requests that it answers.
#[derive(Debug)]
pub(crate) struct Solved {
    pub(crate) solution: Solution,
    requests: Requests,
    warnings: Vec<String>,
}

impl Solved {
    /// What the user should know.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let moved = self.solution.moved.iter().map(ToString::to_string);
        let found = self.solution.warnings.iter().map(ToString::to_string);
        self.warnings
            .iter()
            .cloned()
            .chain(found)
            .chain(moved)
            .collect()
    }

    /// The plan that leads there.
    pub(crate) fn into_plan(self, current: Option<&Generation>, reason: String) -> Plan {
        plan(current, self.into_state(reason))
    }

    /// The state that it is.
    pub(crate) fn into_state(self, reason: String) -> NewState {
        let warnings = self.warnings();
        let packages = self
            .solution
            .packages
            .into_iter()
            .map(|(name, it)| Choice {
                kind: it.kind,
                name,
                version: it.version,
                target: it.archive.target,
                digest: it.archive.digest,
                size: it.archive.size,
                unpacks: Some(Unpacks {
                    bytes: it.archive.unpacked,
                    entries: it.archive.entries,
                }),
            })
            .collect();
        NewState {
            packages,
            requests: self.requests,
            reason,
            warnings,
        }
    }
}

/// Finds versions that fit.
pub(crate) async fn solve(
    context: &Context,
    registry: &mut Registry,
    current: Option<&Generation>,
    asked: Asked,
    options: &SolveOptions,
    moves: &Moves,
) -> Outcome<Solved> {
    let request = request(context, &asked, current, options, moves);
    let solution = search(context, registry, &asked, &request, |it, _| it).await?;
    Ok(Solved {
        solution,
        requests: asked.requests,
        warnings: asked.warnings,
    })
}

/// Finds versions that fit, and hands them to `take` while the index is at hand.
pub(crate) async fn search<T>(
    context: &Context,
    registry: &mut Registry,
    asked: &Asked,
    request: &Request,
    take: impl FnOnce(Solution, &dyn Index) -> T,
) -> Outcome<T> {
    let mut request = request.clone();
    request.reach = registry.reader(context).await?.reach().cloned();
    let request = &request;
    let found = consult(context, registry, request, |at_hand| {
        let is_unknown = |it: &&PackageName| {
            at_hand.index.entry(it).is_none() && at_hand.index.refusal(it).is_none()
        };
        if let Some(name) = asked.now.iter().find(is_unknown) {
            return Found::Unknown(name.clone());
        }
        match solve_within(request, at_hand.matrix, at_hand.index, &at_hand.budget) {
            Err(problem) => Found::Nothing(problem),
            Ok(solution) => match foreign(asked, &solution) {
                Some(failure) => Found::Foreign(failure),
                None => Found::Solution(take(solution, at_hand.index)),
            },
        }
    })
    .await?;
    match found {
        Found::Solution(taken) => Ok(taken),
        Found::Foreign(failure) => Err(failure),
        Found::Nothing(problem) => {
            // Looking for other bundles may miss some too, which is no cause of this.
            let unreached = registry.reader(context).await?.unreached().to_vec();
            let problem = problem.with_bundles(request, &known_bundles(registry, context).await);
            let failure = no_solution(&problem, asked);
            Err(match &request.reach {
                Some(reach) => explain(failure, &unreached, reach.because),
                None => failure,
            })
        }
        Found::Unknown(name) => {
            let reader = registry.reader(context).await?;
            Err(unknown::package(context, reader, name.as_str(), &asked.requests).await)
        }
    }
}

/// What a search came to.
enum Found<T> {
    Solution(T),
    Foreign(Failure),
    Nothing(NoSolution),
    Unknown(PackageName),
}

/// What is asked for into an empty prefix, as the solver takes it.
pub(crate) fn fresh(context: &Context, asked: &Asked, options: &SolveOptions) -> Request {
    request(context, asked, None, options, &Moves::Asked)
}

/// Everything that was asked for, as the solver takes it.
fn request(
    context: &Context,
    asked: &Asked,
    current: Option<&Generation>,
    options: &SolveOptions,
    moves: &Moves,
) -> Request {
    let mut request = Request::new(wanted(asked, current), options.target, context.now());
    request.strict = options.strict;
    request.pre = options.pre;
    request.minimal = options.minimal;
    request.min_age = context.settings.min_age;
    request.pins = asked.requests.pinned();
    if let Some(current) = current {
        let held = &current.requests.pins;
        let asked_pins = asked.requests.pins.iter();
        let new = asked_pins.filter(|(name, text)| held.get(name) != Some(text));
        request.new_pins = new.map(|(name, _)| name.clone()).collect();
        request.installed = staying(current, moves);
        request.hold = match moves {
            Moves::Everything => Hold::Free,
            Moves::Asked | Moves::Only(_) => Hold::Held,
        };
    }
    request
}

/// What was asked for earlier and is installed now: what a question about it starts from.
pub(crate) fn standing(context: &Context, current: &Generation) -> Request {
    let asked = Asked::again(current.requests.clone());
    let options = SolveOptions::of_this_machine();
    request(context, &asked, Some(current), &options, &Moves::Asked)
}

/// Everything that must be in the solution, and who says so.
fn wanted(asked: &Asked, current: Option<&Generation>) -> Vec<Wanted> {
    let mut wanted = Vec::new();
    for (name, it) in &asked.requests.specs {
        let typed = it.spec.parse::<Spec>().ok();
        let selector = typed.map_or(Selector::Any, |it| it.selector().clone());
        let spec = it.spec.clone();
        let (selector, owner) = match (asked.now.contains(name), selector) {
            (true, selector) => (selector, Owner::You { spec }),
            // `latest` meant the newest of that day.
            (false, Selector::Latest) => (Selector::Any, Owner::Earlier { spec }),
            (false, selector) => (
                stay_on_pre_release(selector, current, name),
                Owner::Earlier { spec },
            ),
        };
        wanted.push(Wanted::new(name.clone(), selector, owner));
    }
    if let Some(bundle) = &asked.requests.bundle {
        let members = bundle.members.iter().map(|it| (it, false));
        let optional = bundle.optional.iter().map(|it| (it, true));
        for ((name, version), optional) in members.chain(optional) {
            if bundle.without.contains(name) {
                continue;
            }
            let owner = Owner::Bundle {
                name: bundle.name.clone(),
                sequence: bundle.sequence,
            };
            let selector = Selector::Exact(version.clone());
            wanted.push(Wanted {
                optional,
                ..Wanted::new(name.clone(), selector, owner)
            });
        }
    }
    // What nobody asked for any more and nothing needs stays until it is taken away.
    for it in current.iter().flat_map(|it| it.unneeded()) {
        if !wanted.iter().any(|other| other.name == it.name) {
            let spec = it.name.to_string();
            wanted.push(Wanted::new(
                it.name.clone(),
                Selector::Any,
                Owner::Earlier { spec },
            ));
        }
    }
    wanted
}

/// A pre-release that `--pre` once let in does not leave because a later command does not
/// say `--pre`: from there on, it and what comes after it will do.
fn stay_on_pre_release(
    selector: Selector,
    current: Option<&Generation>,
    name: &PackageName,
) -> Selector {
    let installed = current
        .and_then(|it| it.package(name))
        .map(|it| &it.version)
        .filter(|it| !it.pre.is_empty() && !selector.requirement().matches(it));
    installed
        .and_then(|it| VersionReq::parse(&format!(">={it}")).ok())
        .map_or(selector, Selector::Requirement)
}

/// What is installed and not asked to move.
fn staying(
    current: &Generation,
    moves: &Moves,
) -> BTreeMap<PackageName, provisioning_package::Version> {
    current
        .packages
        .iter()
        .filter(|it| match moves {
            Moves::Asked => true,
            Moves::Only(names) => !names.contains(&it.name),
            Moves::Everything => false,
        })
        .map(|it| (it.name.clone(), it.version.clone()))
        .collect()
}

/// Published bundles that a refusal may offer. What cannot be read is left out.
async fn known_bundles(
    registry: &mut Registry,
    context: &Context,
) -> Vec<provisioning_registry_api::bundle::BundleDocument> {
    let Ok(reader) = registry.reader(context).await else {
        return Vec::new();
    };
    let mut names = BTreeSet::new();
    if let Ok(channels) = reader.channels().await {
        names.extend(channels.channels.into_values().map(|it| it.bundle));
    }
    if let Ok(matrix) = reader.matrix().await {
        names.extend(matrix.read.bundles.into_keys());
    }
    let mut documents = Vec::new();
    for name in names {
        documents.extend(reader.bundle(&name).await.ok().flatten());
    }
    documents
}

/// The refusal, as every command says it.
pub(crate) fn no_solution(problem: &NoSolution, asked: &Asked) -> Failure {
    let failure = Failure::new("no-solution", problem.summary.clone())
        .with_exit(Exit::NoSolution)
        .with_causes(problem.causes())
        .with_explanation(problem.to_json())
        .with_hints(problem.hints());
    let failure = match &asked.requests.bundle {
        Some(bundle) if !asked.now.is_empty() => failure.with_hint(format!(
            "bundle `{}` is followed and its pins hold; `--leave-bundle` stops that and keeps its packages",
            bundle.name
        )),
        _ => failure,
    };
    failure.with_hint("nothing was changed")
}

/// A bundle pins digests, so that an index that was changed behind its back is noticed.
fn foreign(asked: &Asked, solution: &Solution) -> Option<Failure> {
    let other = foreign_digests(asked.sequence.as_ref()?, solution);
    let (name, pinned, found) = other.first()?;
    Some(
        Failure::new(
            "digest-mismatch",
            format!(
                "the bundle pins `{name}` as {}, the index says {}",
                pinned.prefixed(),
                found.prefixed()
            ),
        )
        .with_exit(Exit::Verification)
        .with_hint("tell the registry's operator; nothing was changed"),
    )
}
