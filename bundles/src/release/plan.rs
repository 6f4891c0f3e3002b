//! What is released, as which version, and what waits for what.
//!
//! Minor and patch releases come out independently. A major of one coordinated package waits
//! until every other one has a major too: whoever upgrades meets one break, not several. A
//! package whose requirement does not let in what another becomes must be released with it.

use std::collections::{BTreeMap, BTreeSet};

use provisioning_package::{PackageName, Version, VersionReq};
use serde::Serialize;

use super::bump::{Bump, bumped};
use super::change::Change;

/// What is known of one package since its last release.
#[derive(Debug, Clone, Default)]
pub struct PackageHistory {
    /// The last release; `None` where there was none.
    pub last: Option<Version>,
    /// The version that its files state now.
    pub stated: Option<Version>,
    /// Every change since, newest first.
    pub changes: Vec<Change>,
    /// What it requires of others.
    pub requires: BTreeMap<PackageName, VersionReq>,
}

/// What becomes of one package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Planned {
    /// The package.
    pub name: PackageName,
    /// Its last release.
    pub from: Option<Version>,
    /// Its next; `None` where nothing is released.
    pub to: Option<Version>,
    /// How far it moves.
    pub bump: Bump,
    /// Why that far, the weightiest first.
    pub reasons: Vec<String>,
    /// Packages that it waits for.
    pub waits_for: Vec<PackageName>,
    /// Packages that must be released with it, because their requirement does not let it in.
    pub needs_release_of: Vec<PackageName>,
    /// What somebody ought to look at.
    pub doubts: Vec<String>,
    /// How many changes there are.
    pub changes: usize,
}

/// Every package, the core first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReleasePlan {
    /// What becomes of each.
    pub packages: Vec<Planned>,
    /// Whether something can be released now.
    pub ready: bool,
}

/// How many reasons are told.
const REASONS_MAX: usize = 5;

/// Makes the plan. `bumps` are what people say, against what the changes say.
pub fn plan_release(
    histories: &BTreeMap<PackageName, PackageHistory>,
    coordinated: &BTreeSet<PackageName>,
    bumps: &BTreeMap<PackageName, Bump>,
) -> ReleasePlan {
    let mut planned: Vec<Planned> = histories
        .iter()
        .map(|(name, history)| plan_one(name, history, bumps.get(name).copied()))
        .collect();
    planned.sort_by(|left, right| {
        (left.name.kind(), &left.name).cmp(&(right.name.kind(), &right.name))
    });
    hold_majors(&mut planned, coordinated);
    require_others(&mut planned, histories);
    let ready = planned
        .iter()
        .any(|it| it.to.is_some() && it.waits_for.is_empty());
    ReleasePlan {
        packages: planned,
        ready,
    }
}

fn plan_one(name: &PackageName, history: &PackageHistory, said: Option<Bump>) -> Planned {
    let found = history.changes.iter().map(|it| it.bump).max();
    let found = found.unwrap_or(Bump::None);
    let bump = said.unwrap_or(found);
    let named = history.changes.iter().find_map(|it| it.release_as.clone());
    let to = match (&history.last, named) {
        (_, Some(version)) if said.is_none() => Some(version),
        (Some(last), _) if bump > Bump::None => Some(bumped(last, bump)),
        (Some(_), _) => None,
        // The first release is what its files state.
        (None, _) => Some(
            history
                .stated
                .clone()
                .unwrap_or_else(|| Version::new(0, 1, 0)),
        ),
    };
    let to = to.filter(|it| history.last.as_ref().is_none_or(|last| it > last));
    let bump = match (&history.last, &to) {
        (Some(last), Some(to)) => distance(last, to),
        (None, Some(_)) => Bump::Minor,
        (_, None) => Bump::None,
    };
    let mut reasons: Vec<String> = Vec::new();
    if let Some(said) = said {
        reasons.push(format!("`--bump {name}={}` says so", said.as_str()));
    }
    if history.last.is_none() {
        reasons.push("it was never released".to_owned());
    }
    let mut weighty: Vec<&Change> = history.changes.iter().collect();
    weighty.sort_by_key(|it| std::cmp::Reverse(it.bump));
    reasons.extend(weighty.iter().take(REASONS_MAX).map(|it| {
        let short: String = it.commit.chars().take(9).collect();
        format!("{} {short}: {}", it.bump.as_str(), it.text)
    }));
    let doubtful = history
        .changes
        .iter()
        .filter(|it| it.doubtful && bump < Bump::Major);
    let mut doubts: Vec<String> = doubtful
        .map(|it| {
            format!(
                "`{}` may break something: `--bump {name}=major` if it does",
                it.text
            )
        })
        .collect();
    if !history.changes.is_empty() && !history.changes.iter().any(|it| it.conventional) {
        doubts.push("no commit says what it changes, so the first words were read".to_owned());
    }
    Planned {
        name: name.clone(),
        from: history.last.clone(),
        to,
        bump,
        reasons,
        waits_for: Vec::new(),
        needs_release_of: Vec::new(),
        doubts,
        changes: history.changes.len(),
    }
}

/// How far two versions are apart.
fn distance(from: &Version, to: &Version) -> Bump {
    if bumped(from, Bump::Major) <= *to && from.major > 0 {
        Bump::Major
    } else if (from.major, from.minor) != (to.major, to.minor) {
        Bump::Minor
    } else {
        Bump::Patch
    }
}

/// A major of one coordinated package waits for a major of all.
fn hold_majors(planned: &mut [Planned], coordinated: &BTreeSet<PackageName>) {
    let is_coordinated = |it: &Planned| coordinated.contains(&it.name);
    let majors: BTreeSet<PackageName> = planned
        .iter()
        .filter(|it| is_coordinated(it) && it.bump == Bump::Major)
        .map(|it| it.name.clone())
        .collect();
    if majors.is_empty() {
        return;
    }
    // What was never released has nothing to break.
    let missing: Vec<PackageName> = planned
        .iter()
        .filter(|it| is_coordinated(it) && !majors.contains(&it.name) && it.from.is_some())
        .map(|it| it.name.clone())
        .collect();
    for it in planned.iter_mut().filter(|it| majors.contains(&it.name)) {
        it.waits_for.clone_from(&missing);
    }
}

/// Who must be released with whom: a requirement that does not let in what another becomes.
fn require_others(planned: &mut [Planned], histories: &BTreeMap<PackageName, PackageHistory>) {
    let next: BTreeMap<PackageName, Version> = planned
        .iter()
        .filter_map(|it| Some((it.name.clone(), it.to.clone()?)))
        .collect();
    let mut waiting: BTreeMap<PackageName, BTreeSet<PackageName>> = BTreeMap::new();
    for (name, history) in histories {
        for (other, req) in &history.requires {
            let becomes = next.get(other);
            let Some(becomes) = becomes.filter(|it| !req.matches(it)) else {
                continue;
            };
            let Some(it) = planned.iter_mut().find(|it| it.name == *other) else {
                continue;
            };
            it.needs_release_of.push(name.clone());
            it.doubts.push(format!(
                "{name} requires {other} {req}, which is not {becomes}"
            ));
            if !next.contains_key(name) {
                waiting
                    .entry(other.clone())
                    .or_default()
                    .insert(name.clone());
            }
        }
    }
    for (name, others) in waiting {
        let it = planned.iter_mut().find(|it| it.name == name);
        if let Some(it) = it {
            let new = others
                .into_iter()
                .filter(|other| !it.waits_for.contains(other));
            let new: Vec<PackageName> = new.collect();
            it.waits_for.extend(new);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::change::tests::commit;
    use crate::release::read_commit;

    fn name(text: &str) -> PackageName {
        PackageName::parse(text).unwrap()
    }

    fn history(last: &str, messages: &[&str]) -> PackageHistory {
        PackageHistory {
            last: Some(last.parse().unwrap()),
            stated: None,
            changes: messages
                .iter()
                .filter_map(|it| read_commit(&commit(it)))
                .collect(),
            requires: BTreeMap::new(),
        }
    }

    /// `core 3.3.0`, `platform waits for core`, `redis -`.
    fn planned(packages: &[(&str, PackageHistory)], bumps: &[(&str, Bump)]) -> Vec<String> {
        let histories = packages
            .iter()
            .map(|(it, history)| (name(it), history.clone()))
            .collect();
        let coordinated = ["core", "platform", "workspace"].map(name).into();
        let bumps = bumps.iter().map(|(it, bump)| (name(it), *bump)).collect();
        let plan = plan_release(&histories, &coordinated, &bumps);
        let line = |it: &Planned| {
            let to = it.to.as_ref().map_or("-".to_owned(), ToString::to_string);
            let waits: Vec<&str> = it.waits_for.iter().map(PackageName::as_str).collect();
            match waits.as_slice() {
                [] => format!("{} {to}", it.name),
                waits => format!("{} {to} waits for {}", it.name, waits.join(" ")),
            }
        };
        plan.packages.iter().map(line).collect()
    }

    #[test]
    fn minors_and_patches_come_out_independently() {
        let found = planned(
            &[
                ("platform", history("2.5.3", &["fix: x", "feat: y"])),
                ("core", history("3.2.1", &["fix: x"])),
                ("workspace", history("1.4.0", &["docs: x"])),
                ("redis", history("1.1.0", &[])),
            ],
            &[],
        );
        assert_eq!(
            found,
            ["core 3.2.2", "platform 2.6.0", "redis -", "workspace -"]
        );
    }

    #[test]
    fn a_major_of_one_waits_for_all() {
        let packages = [
            ("core", history("3.2.1", &["feat!: x"])),
            ("platform", history("2.5.3", &["fix: y"])),
            ("workspace", history("1.4.0", &[])),
            ("redis", history("1.1.0", &["feat!: z"])),
        ];
        let found = planned(&packages, &[]);
        let held = "core 4.0.0 waits for platform workspace";
        assert_eq!(
            found,
            [held, "platform 2.5.4", "redis 2.0.0", "workspace -"]
        );
        let all = [("platform", Bump::Major), ("workspace", Bump::Major)];
        let found = planned(&packages, &all);
        assert_eq!(
            found,
            [
                "core 4.0.0",
                "platform 3.0.0",
                "redis 2.0.0",
                "workspace 2.0.0"
            ]
        );
    }

    #[test]
    fn what_does_not_let_a_release_in_must_come_with_it() {
        let mut platform = history("2.5.3", &[]);
        platform.requires = [(name("core"), "~3.2".parse().unwrap())].into();
        let core = history("3.2.1", &["feat: x"]);
        let found = planned(
            &[("core", core.clone()), ("platform", platform.clone())],
            &[],
        );
        assert_eq!(found, ["core 3.3.0 waits for platform", "platform -"]);
        // Released together, it may have widened its requirement: that is told, not refused.
        let found = planned(
            &[("core", core), ("platform", platform)],
            &[("platform", Bump::Patch)],
        );
        assert_eq!(found, ["core 3.3.0", "platform 2.5.4"]);
    }

    #[test]
    fn a_first_release_is_what_its_files_state_and_a_trailer_names_another() {
        let first = PackageHistory {
            stated: Some("1.0.0".parse().unwrap()),
            ..PackageHistory::default()
        };
        assert_eq!(planned(&[("core", first)], &[]), ["core 1.0.0"]);
        let named = history("3.2.1", &["fix: x\n\nRelease-As: 3.5.0"]);
        assert_eq!(planned(&[("core", named)], &[]), ["core 3.5.0"]);
        let backwards = history("3.2.1", &["fix: x\n\nRelease-As: 3.0.0"]);
        assert_eq!(planned(&[("core", backwards)], &[]), ["core -"]);
    }
}
