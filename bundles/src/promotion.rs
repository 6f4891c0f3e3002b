//! Moving a published sequence forward: which states it goes through, which gates those are,
//! and what it is afterwards.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;
use provisioning_registry_api::bundle::{BundleSequence, BundleState, Withdrawn};

use crate::gate::{GateName, GateVerdict, Judgement, KnownEvidence, judge};

/// Why a sequence does not move.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PromotionProblem {
    /// It was taken back.
    #[error("it was withdrawn: {0}")]
    Withdrawn(String),
    /// It is there already, or further.
    #[error("it is `{}` already", .0.as_str())]
    Already(BundleState),
    /// There is nothing after its state unless somebody says so.
    #[error("it is `{}`; say `lts` or `eol` where it should go on", .0.as_str())]
    AtItsEnd(BundleState),
    /// Nothing is promoted to this state.
    #[error("no bundle is promoted to `{}`", .0.as_str())]
    NoSuchStep(BundleState),
    /// Long support needs its last day.
    #[error("it names no day until which it is supported")]
    NoSupportDay,
    /// A waiver is for a gate that does not exist, or that is not in the way.
    #[error("the waiver is for gate `{gate}`, which is not in the way from `{}`", .from.as_str())]
    IdleWaiver {
        /// The gate, as it was written.
        gate: String,
        /// Where the sequence is.
        from: BundleState,
    },
    /// A waiver does not say why.
    #[error("the waiver of gate `{0}` gives no reason")]
    SilentWaiver(String),
    /// Something else than evidence speaks against it.
    #[error("its `{0}` is failed: publish a bundle of what can be had")]
    Degraded(String),
    /// Gates do not let it through.
    #[error("{}", blocked(.0))]
    Blocked(Vec<Judgement>),
}

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct Promotion<'a> {
    /// How far; the next state where absent.
    pub to: Option<BundleState>,
    /// Gates that are waived, and why.
    pub waivers: BTreeMap<String, String>,
    /// The day until which it is supported, where the sequence names none.
    pub lts_until: Option<Date>,
    /// The checks that the bundle's draft names.
    pub tests: BTreeSet<String>,
    /// Evidence whose signature holds.
    pub known: &'a [KnownEvidence],
    /// Who asks.
    pub by: &'a str,
    /// When.
    pub now: Option<Timestamp>,
}

/// The sequence as it is after a promotion. Nothing is half promoted: through every gate that
/// is asked for, or none.
pub fn promote(
    sequence: &BundleSequence,
    asked: &Promotion<'_>,
) -> Result<BundleSequence, PromotionProblem> {
    if let Some(withdrawn) = &sequence.withdrawn {
        return Err(PromotionProblem::Withdrawn(withdrawn.reason.clone()));
    }
    let degraded = sequence
        .gates
        .iter()
        .find(|it| it.verdict == "failed" && GateName::parse(&it.name).is_none());
    if let (Some(gate), true) = (degraded, asked.to != Some(BundleState::Eol)) {
        return Err(PromotionProblem::Degraded(gate.name.clone()));
    }
    let mut moved = sequence.clone();
    moved.lts_until = moved.lts_until.or(asked.lts_until);
    let to = destination(&moved, asked.to)?;
    let gates = gates_between(sequence.state, to);
    for (gate, reason) in &asked.waivers {
        let is_met = GateName::parse(gate).is_some_and(|it| gates.contains(&it));
        if !is_met {
            return Err(PromotionProblem::IdleWaiver {
                gate: gate.clone(),
                from: sequence.state,
            });
        }
        if reason.trim().is_empty() {
            return Err(PromotionProblem::SilentWaiver(gate.clone()));
        }
    }
    let mut blocked = Vec::new();
    for gate in gates {
        let waiver = asked.waivers.get(gate.as_str());
        let judged = judge(gate, sequence, &asked.tests, asked.known);
        moved.gates.retain(|it| it.name != gate.as_str());
        for judgement in judged {
            match (judgement.is_passed(), waiver) {
                (true, _) => moved.gates.push(judgement.as_gate()),
                (false, None) => blocked.push(judgement),
                (false, Some(reason)) => moved.gates.push(waived(&judgement, reason, asked)),
            }
        }
    }
    if !blocked.is_empty() {
        return Err(PromotionProblem::Blocked(blocked));
    }
    if to != BundleState::Lts && sequence.lts_until.is_none() {
        moved.lts_until = None;
    }
    moved.state = to;
    Ok(moved)
}

fn waived(
    judgement: &Judgement,
    reason: &str,
    asked: &Promotion<'_>,
) -> provisioning_registry_api::bundle::Gate {
    provisioning_registry_api::bundle::Gate {
        verdict: GateVerdict::Waived.as_str().to_owned(),
        by: Some(asked.by.to_owned()),
        reason: Some(reason.to_owned()),
        when: asked.now,
        ..judgement.as_gate()
    }
}

/// Where a promotion leads.
fn destination(
    sequence: &BundleSequence,
    to: Option<BundleState>,
) -> Result<BundleState, PromotionProblem> {
    let state = sequence.state;
    let after_gates = if sequence.lts_until.is_some() {
        BundleState::Lts
    } else {
        BundleState::Stable
    };
    let to = match (to, state) {
        (Some(to), _) => to,
        (None, BundleState::Draft) => BundleState::Testing,
        (None, BundleState::Testing) => BundleState::Candidate,
        (None, BundleState::Candidate) => after_gates,
        (None, BundleState::Stable | BundleState::Lts) => {
            return Err(PromotionProblem::AtItsEnd(state));
        }
        (None, BundleState::Eol | BundleState::Withdrawn) => {
            return Err(PromotionProblem::Already(state));
        }
    };
    match to {
        BundleState::Draft | BundleState::Testing | BundleState::Withdrawn
            if to > state || to == BundleState::Withdrawn =>
        {
            Err(PromotionProblem::NoSuchStep(to))
        }
        _ if to <= state => Err(PromotionProblem::Already(state)),
        BundleState::Lts if sequence.lts_until.is_none() => Err(PromotionProblem::NoSupportDay),
        BundleState::Eol if state < BundleState::Stable => Err(PromotionProblem::NoSuchStep(to)),
        BundleState::Draft
        | BundleState::Testing
        | BundleState::Candidate
        | BundleState::Stable
        | BundleState::Lts
        | BundleState::Eol
        | BundleState::Withdrawn => Ok(to),
    }
}

/// The gates on the way, in order.
fn gates_between(from: BundleState, to: BundleState) -> Vec<GateName> {
    GateName::ALL
        .into_iter()
        .filter(|gate| !gate.is_behind(from) && gate.is_behind(to))
        .collect()
}

/// The sequence as it is after it was taken back.
pub fn withdraw(sequence: &BundleSequence, withdrawn: Withdrawn) -> BundleSequence {
    BundleSequence {
        state: BundleState::Withdrawn,
        withdrawn: Some(withdrawn),
        ..sequence.clone()
    }
}

fn blocked(judged: &[Judgement]) -> String {
    let texts: Vec<String> = judged.iter().map(ToString::to_string).collect();
    texts.join("; ")
}

impl std::fmt::Display for Judgement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "gate `{}` is {} for `{}`: {}",
            self.gate,
            self.verdict.as_str(),
            self.target,
            self.reasons.join("; ")
        )
    }
}

#[cfg(test)]
mod tests;
