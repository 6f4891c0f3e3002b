//! Making a published sequence of a bundle, or saying everything that is wrong with it.
//!
//! A published bundle never names something that is missing, yanked, quarantined or
//! incompatible, and every target that it promises has every member's archive.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use provisioning_compat::{BundleDraft, Index, Matrix, Request, misfits, nearest_names, solve};
use provisioning_package::{BundleName, CHANNELS, Kind, PackageName, Target, Version};
use provisioning_registry_api::bundle::{BundleMember, BundleSequence, BundleState};
use provisioning_registry_api::command::{DeclaredMember, PublishBundle};
use provisioning_registry_api::index::{IndexVersion, PackageState};

use crate::problem::BundleProblem;
use crate::request::wanted;

/// Everything that would keep a draft from being published.
pub fn check(
    draft: &BundleDraft,
    name: &BundleName,
    matrix: &Matrix,
    index: &dyn Index,
) -> Vec<BundleProblem> {
    let request = from_draft(draft, None);
    compose(name, &request, 1, matrix, index)
        .err()
        .unwrap_or_default()
}

/// The state that a bundle is published in where nobody names one and no gate is in the way.
pub const fn default_state(request: &PublishBundle) -> BundleState {
    if request.lts_until.is_some() {
        BundleState::Lts
    } else {
        BundleState::Stable
    }
}

/// The request that publishes a draft; the registry decides the state where none is named.
pub fn from_draft(draft: &BundleDraft, state: Option<BundleState>) -> PublishBundle {
    let member = |required: bool| {
        move |(name, version): &(PackageName, Version)| DeclaredMember {
            name: name.clone(),
            version: version.clone(),
            required,
        }
    };
    let required = draft.members.iter().map(member(true));
    let optional = draft.optional.iter().map(member(false));
    PublishBundle {
        title: draft.title.clone(),
        release_date: draft.release_date,
        lts_until: draft.lts_until,
        targets: draft.targets.clone(),
        members: required.chain(optional).collect(),
        upgrades_from: draft.upgrades_from.clone(),
        state,
    }
}

/// The sequence that a publish makes, with what its author should know; or every reason to
/// refuse it.
pub fn compose(
    name: &BundleName,
    request: &PublishBundle,
    sequence: u64,
    matrix: &Matrix,
    index: &dyn Index,
) -> Result<(BundleSequence, Vec<String>), Vec<BundleProblem>> {
    let mut problems = problems_of_form(name, request, index);
    let found = find_members(request, index, &mut problems);
    let targets = promised(request, &found, &mut problems);
    if problems.is_empty() {
        problems.extend(problems_between(matrix, &found));
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let sequence = BundleSequence {
        sequence,
        title: request.title.clone(),
        release_date: request.release_date,
        lts_until: request.lts_until,
        targets,
        members: members(request, &found),
        upgrades_from: request.upgrades_from.clone(),
        state: request.state.unwrap_or_else(|| default_state(request)),
        gates: Vec::new(),
        withdrawn: None,
    };
    let warnings = try_out(name, &sequence, matrix, index)?;
    Ok((sequence, warnings))
}

/// Whether two sequences say the same of the same members: publishing the second again
/// gives the first. How far each has come does not count.
pub fn same_members(left: &BundleSequence, right: &BundleSequence) -> bool {
    let content = |it: &BundleSequence| BundleSequence {
        sequence: 0,
        state: BundleState::Draft,
        gates: Vec::new(),
        withdrawn: None,
        ..it.clone()
    };
    content(left) == content(right)
}

fn problems_of_form(
    name: &BundleName,
    request: &PublishBundle,
    index: &dyn Index,
) -> Vec<BundleProblem> {
    let mut problems = Vec::new();
    if let Some(what) = taken(name, index) {
        let name = name.clone();
        problems.push(BundleProblem::NameTaken { name, what });
    }
    let state = match request.state {
        Some(BundleState::Draft) => Some("draft"),
        Some(BundleState::Eol) => Some("eol"),
        Some(BundleState::Withdrawn) => Some("withdrawn"),
        None
        | Some(
            BundleState::Testing | BundleState::Candidate | BundleState::Stable | BundleState::Lts,
        ) => None,
    };
    problems.extend(state.map(|state| BundleProblem::State { state }));
    if request.members.is_empty() {
        let name = name.clone();
        problems.push(BundleProblem::Empty { name });
    }
    let mut seen = BTreeSet::new();
    for member in &request.members {
        if !seen.insert(&member.name) {
            let member = member.name.clone();
            problems.push(BundleProblem::Twice { member });
        }
        if member.name.kind() == Kind::Client {
            problems.push(BundleProblem::Client);
        }
    }
    problems
}

/// What a name means already, if anything.
fn taken(name: &BundleName, index: &dyn Index) -> Option<&'static str> {
    if CHANNELS.contains(&name.as_str()) {
        return Some("a channel");
    }
    let text = name.as_str();
    if text.starts_with("provisioning-") || text.starts_with("ext-") {
        // Specs take full names too, and a bundle's name hides a package's.
        return Some("what full names of packages begin with");
    }
    let package = PackageName::from_user(text).ok()?;
    let is_package = package.kind() != Kind::Extension || index.entry(&package).is_some();
    is_package.then_some(if package.as_str() == text {
        "a package"
    } else {
        "another spelling of a package"
    })
}

type Found<'i> = BTreeMap<PackageName, &'i IndexVersion>;

fn find_members<'i>(
    request: &PublishBundle,
    index: &'i dyn Index,
    problems: &mut Vec<BundleProblem>,
) -> Found<'i> {
    let mut found = Found::new();
    for member in &request.members {
        match find_member(member, index) {
            Ok(version) => {
                found.insert(member.name.clone(), version);
            }
            Err(problem) => problems.push(problem),
        }
    }
    found
}

fn find_member<'i>(
    member: &DeclaredMember,
    index: &'i dyn Index,
) -> Result<&'i IndexVersion, BundleProblem> {
    let name = member.name.clone();
    let Some(entry) = index.entry(&name) else {
        return Err(BundleProblem::MissingPackage {
            nearest: nearest_names(name.as_str(), &index.names()),
            member: name,
        });
    };
    if entry.status.state == PackageState::Quarantined {
        return Err(BundleProblem::Quarantined {
            member: name,
            reason: entry.status.reason.clone(),
        });
    }
    let Some(version) = entry.version(&member.version) else {
        let mut known: Vec<Version> = entry.versions.iter().map(|it| it.version.clone()).collect();
        known.sort();
        return Err(BundleProblem::MissingVersion {
            member: name,
            version: member.version.clone(),
            known,
        });
    };
    match &version.yanked {
        None => Ok(version),
        Some(yanked) => Err(BundleProblem::Yanked {
            member: name,
            version: member.version.clone(),
            reason: yanked.reason.clone(),
        }),
    }
}

/// The targets that the bundle promises; where it names none, every one that its members
/// share.
fn promised(
    request: &PublishBundle,
    found: &Found<'_>,
    problems: &mut Vec<BundleProblem>,
) -> Vec<Target> {
    if request.targets.is_empty() {
        let shared: Vec<Target> = Target::ALL
            .into_iter()
            .filter(|it| *it != Target::Any)
            .filter(|it| {
                found
                    .values()
                    .all(|version| version.archive_for(*it).is_some())
            })
            .collect();
        if shared.is_empty() {
            let members = found.iter();
            let members = members.map(|(name, it)| (name.clone(), targets_of(it)));
            problems.push(BundleProblem::NoCommonTarget {
                members: members.collect(),
            });
        }
        return shared;
    }
    let targets: BTreeSet<Target> = request.targets.iter().copied().collect();
    for target in &targets {
        let lacking = found
            .iter()
            .filter(|(_, version)| version.archive_for(*target).is_none());
        problems.extend(
            lacking.map(|(member, version)| BundleProblem::TargetLacking {
                member: member.clone(),
                version: version.version.clone(),
                target: *target,
                has: targets_of(version),
            }),
        );
    }
    targets.into_iter().collect()
}

fn targets_of(version: &IndexVersion) -> Vec<Target> {
    let targets: BTreeSet<Target> = version.archives.iter().map(|it| it.target).collect();
    targets.into_iter().collect()
}

/// Members that exclude each other. What a member needs besides them is the solver's to
/// find, in [`try_out`].
fn problems_between(matrix: &Matrix, found: &Found<'_>) -> Vec<BundleProblem> {
    misfits(matrix, found)
        .into_iter()
        .filter(|it| found.contains_key(&it.other))
        .map(|it| BundleProblem::Incompatible { text: it.text })
        .collect()
}

fn members(request: &PublishBundle, found: &Found<'_>) -> Vec<BundleMember> {
    let mut members: Vec<BundleMember> = request
        .members
        .iter()
        .filter_map(|member| {
            let version = found.get(&member.name)?;
            let archives = version.archives.iter();
            Some(BundleMember {
                kind: member.name.kind(),
                name: member.name.clone(),
                version: member.version.clone(),
                required: member.required,
                digests: archives.map(|it| (it.target, it.digest)).collect(),
            })
        })
        .collect();
    // In the order in which people read them, whatever order they were declared in.
    members.sort_by(|left, right| (left.kind, &left.name).cmp(&(right.kind, &right.name)));
    members
}

/// Solves the bundle for each promised target, as an install into an empty prefix would.
fn try_out(
    name: &BundleName,
    sequence: &BundleSequence,
    matrix: &Matrix,
    index: &dyn Index,
) -> Result<Vec<String>, Vec<BundleProblem>> {
    let mut warnings: Vec<String> = Vec::new();
    let mut problems = Vec::new();
    for target in &sequence.targets {
        // Publishing asks for no least age, so the time does not matter.
        let request = Request::new(wanted(name, sequence), *target, Timestamp::UNIX_EPOCH);
        match solve(&request, matrix, index) {
            Ok(solution) => {
                let mut found: Vec<String> =
                    solution.warnings.iter().map(ToString::to_string).collect();
                let brought_by = solution.brought_by();
                let members = &sequence.members;
                let others = solution
                    .packages
                    .iter()
                    .filter(|(it, _)| !members.iter().any(|member| member.name == **it));
                found.extend(others.map(|(other, _)| {
                    let by = brought_by[other].join(" and ");
                    format!("{other} is no member but {by} brings it: its version is not pinned")
                }));
                found.retain(|it| !warnings.contains(it));
                warnings.extend(found);
            }
            Err(refusal) => {
                let text = refusal.causes().join("; ");
                let problem = BundleProblem::Incompatible { text };
                if !problems.contains(&problem) {
                    problems.push(problem);
                }
            }
        }
    }
    if problems.is_empty() {
        Ok(warnings)
    } else {
        Err(problems)
    }
}
