//! Bundles that pin a version which is being taken away. Pure.

use jiff::Timestamp;
use provisioning_package::{BundleName, PackageName, Version};
use provisioning_registry_api::bundle::{BundleDocument, BundleSequence, BundleState, Gate};

/// The gate that says whether everything that a bundle pins can still be recommended.
pub(crate) const MEMBERS_GATE: &str = "members-available";

/// The sequences that people who follow a bundle have, and that pin `version`.
pub(crate) fn living<'a>(
    bundles: &'a [BundleDocument],
    package: &PackageName,
    version: &Version,
) -> Vec<(&'a BundleName, &'a BundleSequence)> {
    bundles
        .iter()
        .filter_map(|it| Some((&it.name, it.current()?)))
        .filter(|(_, sequence)| is_living(sequence.state))
        .filter(|(_, sequence)| {
            let mut members = sequence.members.iter();
            members.any(|it| it.name == *package && it.version == *version)
        })
        .collect()
}

const fn is_living(state: BundleState) -> bool {
    match state {
        BundleState::Testing | BundleState::Candidate | BundleState::Stable | BundleState::Lts => {
            true
        }
        BundleState::Draft | BundleState::Eol | BundleState::Withdrawn => false,
    }
}

/// The sequence with a new judgement in the place of the gate's earlier one.
pub(crate) fn judged(sequence: &BundleSequence, verdict: &str, now: Timestamp) -> BundleSequence {
    let mut next = sequence.clone();
    next.gates.retain(|it| it.name != MEMBERS_GATE);
    next.gates.push(Gate {
        name: MEMBERS_GATE.to_owned(),
        verdict: verdict.to_owned(),
        evidence: None,
        when: Some(now),
        target: None,
        by: None,
        reason: None,
    });
    next
}

/// Whether a sequence is marked as degraded.
pub(crate) fn is_degraded(sequence: &BundleSequence) -> bool {
    let mut gates = sequence.gates.iter();
    gates.any(|it| it.name == MEMBERS_GATE && it.verdict == "failed")
}
