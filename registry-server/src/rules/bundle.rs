//! When a bundle that is published again is the same one, and how far its state may move.

use provisioning_package::{BundleName, CHANNELS, Kind};
use provisioning_registry_api::bundle::{BundleSequence, BundleState};

use crate::problem::{Code, Refusal};

/// What publishing a composed bundle over its newest sequence means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// It becomes the next sequence.
    New,
    /// The newest sequence has the same content and takes the new state.
    State,
    /// Nothing changes.
    Same,
}

/// Whether a bundle may be called `name` at all.
pub(crate) fn check_name(name: &BundleName) -> Result<(), Refusal> {
    let text = name.as_str();
    let is_kind = Kind::ALL.into_iter().any(|it| it.as_str() == text);
    let why = if CHANNELS.contains(&text) {
        "is a channel's name"
    } else if is_kind || matches!(text, "extensions" | "templates" | "latest") {
        "means a package or version in a spec"
    } else {
        return Ok(());
    };
    Err(Refusal::new(
        Code::NameTaken,
        format!("`{text}` {why}, so no bundle can have it"),
    ))
}

/// The state that a bundle is published in where nobody names one.
pub(crate) const fn state_where_none_is_named(
    without_gates: BundleState,
    is_gated: bool,
) -> BundleState {
    if is_gated {
        BundleState::Testing
    } else {
        without_gates
    }
}

/// Where somebody's evidence counts, nothing gets past a gate by being published there.
pub(crate) fn check_gates(state: BundleState, is_gated: bool) -> Result<(), Refusal> {
    if !is_gated || state < BundleState::Candidate {
        return Ok(());
    }
    let word = state.as_str();
    Err(Refusal::new(
        Code::GateClosed,
        format!("this registry has testers, so a bundle becomes `{word}` through its gates"),
    )
    .hint("leave out `--state`: it is published as `testing`")
    .hint("`provisioning bundle test NAME --submit`, then `provisioning bundle promote NAME`"))
}

/// Compares what is published with the newest sequence.
pub(crate) fn step(
    newest: Option<&BundleSequence>,
    composed: &BundleSequence,
    is_state_named: bool,
) -> Result<Step, Refusal> {
    let Some(newest) = newest else {
        return Ok(Step::New);
    };
    if !is_same_content(newest, composed) || newest.is_withdrawn() {
        return Ok(Step::New);
    }
    if !is_state_named {
        // Published again as it is: how far it has come stays.
        return Ok(Step::Same);
    }
    match composed.state.cmp(&newest.state) {
        std::cmp::Ordering::Equal => Ok(Step::Same),
        std::cmp::Ordering::Greater => Ok(Step::State),
        std::cmp::Ordering::Less => Err(Refusal::new(
            Code::BundleState,
            format!(
                "sequence {} has these members already and is further: a bundle's state only \
                 moves forward",
                newest.sequence
            ),
        )),
    }
}

fn is_same_content(left: &BundleSequence, right: &BundleSequence) -> bool {
    let content = |it: &BundleSequence| BundleSequence {
        sequence: 0,
        state: right.state,
        gates: Vec::new(),
        withdrawn: None,
        ..it.clone()
    };
    content(left) == content(right)
}
