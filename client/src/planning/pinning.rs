//! Pins: what a package is tied to until `unpin`.
//!
//! A pin is part of what was asked for, so making one is a new generation like every other
//! change: crash-safe, in `history`, and undone by `rollback`. A pin asks for nothing; it
//! bounds its package wherever something else brings it.

use std::collections::BTreeMap;

use provisioning_installers::{Choice, Generation, NewState, Plan, plan};
use provisioning_package::{PackageName, Selector, Spec};

use super::registry::Registry;
use super::solving::{Moves, SolveOptions, solve};
use super::specs::Asked;
use super::{Intent, installed, nothing_installed};
use crate::context::Context;
use crate::failure::{Failure, Outcome};

/// The plan that ties packages to versions. Where everything installed meets the pins, no
/// registry is asked; else the packages move to what does.
pub(super) async fn plan_pin(
    intent: &Intent,
    specs: &[Spec],
    context: &Context,
    registry: &mut Registry,
    current: Option<&Generation>,
) -> Outcome<Plan> {
    let Some(current) = current else {
        let names: Vec<_> = specs.iter().map(Spec::name).collect();
        return Err(nothing_installed(&names.join("`, `")));
    };
    let mut requests = current.requests.clone();
    let mut is_met = true;
    for spec in specs {
        let (name, text) = pin_of(current, spec)?;
        let there = &current.package(&name).expect("`pin_of` found it").version;
        is_met &= match spec.selector() {
            Selector::Any | Selector::Latest => true,
            Selector::Exact(version) => version == there,
            Selector::Requirement(req) => req.matches(there),
        };
        requests.pins.insert(name, text);
    }
    if is_met {
        return Ok(same_packages(current, requests, intent.reason()));
    }
    let asked = Asked::again(requests);
    let options = SolveOptions::of_this_machine();
    let moves = Moves::Asked;
    let solved = solve(context, registry, Some(current), asked, &options, &moves).await?;
    Ok(solved.into_plan(Some(current), intent.reason()))
}

/// The plan that unties packages. Nothing moves.
pub(super) fn plan_unpin(
    intent: &Intent,
    names: &[String],
    current: Option<&Generation>,
) -> Outcome<Plan> {
    let pins = current.map_or_else(BTreeMap::new, |it| it.requests.pins.clone());
    let (Some(current), false) = (current, pins.is_empty()) else {
        return Err(Failure::new("not-pinned", "nothing is pinned")
            .with_hint("`provisioning pin NAME` ties a package to its version"));
    };
    let mut requests = current.requests.clone();
    for text in names {
        let name = PackageName::from_user(text).ok();
        let was_pinned = name.and_then(|it| requests.pins.remove(&it));
        if was_pinned.is_none() {
            let known: Vec<_> = pins.keys().map(|it| format!("`{it}`")).collect();
            return Err(
                Failure::new("not-pinned", format!("`{text}` is not pinned"))
                    .with_hint(format!("pinned are: {}", known.join(", "))),
            );
        }
    }
    if names.is_empty() {
        requests.pins.clear();
    }
    Ok(same_packages(current, requests, intent.reason()))
}

/// What the user should know when these packages are to move: which of them may not.
pub(super) fn pinned_ones(current: &Generation, moves: &Moves) -> Vec<String> {
    let pins = current.requests.pins.iter();
    let told = pins.filter(|(name, _)| {
        current.package(name).is_some()
            && match moves {
                Moves::Asked => false,
                Moves::Only(names) => names.contains(*name),
                Moves::Everything => true,
            }
    });
    told.map(|(name, text)| {
        format!("`{name}` is pinned to {text}; `provisioning unpin {name}` lets it move")
    })
    .collect()
}

/// Which package a spec ties, and to what.
fn pin_of(current: &Generation, spec: &Spec) -> Outcome<(PackageName, String)> {
    if spec.is_explicit_bundle() {
        return Err(Failure::usage(format!(
            "`{spec}` is a bundle, and only packages can be pinned"
        ))
        .with_hint(
            "a followed bundle pins its members by itself; only a channel moves to another",
        ));
    }
    let name = installed(current, spec.name())?;
    let there = &current.package(&name).expect("it is installed").version;
    let text = match spec.selector() {
        Selector::Any | Selector::Latest if spec.to_string().contains('@') => {
            return Err(Failure::usage(format!("`{spec}` ties `{name}` to nothing"))
                .with_hint(format!("`provisioning pin {name}` ties it to {there}"))
                .with_hint(format!("`provisioning unpin {name}` unties it")));
        }
        Selector::Any | Selector::Latest => there.to_string(),
        Selector::Exact(version) => version.to_string(),
        Selector::Requirement(req) => req.to_string(),
    };
    Ok((name, text))
}

/// The same packages under other requests.
fn same_packages(
    current: &Generation,
    requests: provisioning_installers::Requests,
    reason: String,
) -> Plan {
    plan(
        Some(current),
        NewState {
            packages: current.packages.iter().map(Choice::of).collect(),
            requests,
            reason,
            warnings: Vec::new(),
        },
    )
}
