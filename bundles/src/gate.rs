//! The two gates between a published sequence and `stable`, and what passes them.
//!
//! `tests` stands between `testing` and `candidate`: the members, installed together from an
//! empty prefix, answer, and every check of the bundle passes. `upgrades` stands between
//! `candidate` and `stable`: the way from each bundle that it says it upgrades from, and the
//! way back. Each gate judges each promised target by its newest evidence. What is unknown or
//! failed never promotes; a waiver says who takes it on themselves, and why.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;
use provisioning_package::{Digest, Target};
use provisioning_registry_api::bundle::{BundleSequence, BundleState, Gate};
use provisioning_registry_api::evidence::{Evidence, EvidenceRun, RunKind};

/// A gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum GateName {
    /// Between `testing` and `candidate`.
    Tests,
    /// Between `candidate` and `stable` or `lts`.
    Upgrades,
}

/// What a gate says of one target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GateVerdict {
    /// The newest evidence says so.
    Passed,
    /// The newest evidence says the contrary.
    Failed,
    /// There is no evidence, or it does not say.
    Unknown,
    /// Somebody took it on themselves.
    Waived,
}

/// Evidence whose signature holds.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownEvidence {
    /// Its digest.
    pub digest: Digest,
    /// Who signed it.
    pub tester: String,
    /// When the registry took it.
    pub received_at: Timestamp,
    /// What it says.
    pub evidence: Evidence,
}

/// What a gate says of one promised target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The gate.
    pub gate: GateName,
    /// The target.
    pub target: Target,
    /// What it says.
    pub verdict: GateVerdict,
    /// Why, where it did not pass.
    pub reasons: Vec<String>,
    /// The evidence that it judged by, its tester and its time.
    pub by: Option<(Digest, String, Timestamp)>,
}

impl GateName {
    /// Every gate, in the order in which a bundle meets them.
    pub const ALL: [Self; 2] = [Self::Tests, Self::Upgrades];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tests => "tests",
            Self::Upgrades => "upgrades",
        }
    }

    /// Reads the word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == text)
    }

    /// The gate that a sequence in `state` stands before.
    pub const fn before(state: BundleState) -> Option<Self> {
        match state {
            BundleState::Testing => Some(Self::Tests),
            BundleState::Candidate => Some(Self::Upgrades),
            BundleState::Draft
            | BundleState::Stable
            | BundleState::Lts
            | BundleState::Eol
            | BundleState::Withdrawn => None,
        }
    }

    /// Whether a sequence in `state` has it behind itself: its verdict is history then.
    pub const fn is_behind(self, state: BundleState) -> bool {
        match state {
            BundleState::Draft | BundleState::Testing => false,
            BundleState::Candidate => matches!(self, Self::Tests),
            BundleState::Stable | BundleState::Lts | BundleState::Eol | BundleState::Withdrawn => {
                true
            }
        }
    }
}

impl fmt::Display for GateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl GateVerdict {
    /// The word for it, as JSON writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Waived => "waived",
        }
    }
}

/// Whether evidence is about exactly these archives: every member, in the archive that the
/// promised target gets. The target that it was made on may be another one with the same
/// archives (`any`).
pub fn covers(sequence: &BundleSequence, target: Target, evidence: &Evidence) -> bool {
    !sequence.members.is_empty()
        && sequence.members.iter().all(|member| {
            let digest = member.digests.get(&target);
            let digest = digest.or_else(|| member.digests.get(&Target::Any));
            digest.is_some_and(|digest| {
                evidence.members.iter().any(|it| {
                    it.name == member.name && it.version == member.version && it.digest == *digest
                })
            })
        })
}

/// What a gate says of each promised target. `tests` are the checks that the bundle's draft
/// names.
pub fn judge(
    gate: GateName,
    sequence: &BundleSequence,
    tests: &BTreeSet<String>,
    known: &[KnownEvidence],
) -> Vec<Judgement> {
    let targets = sequence.targets.iter();
    targets
        .map(|target| judge_target(gate, sequence, *target, tests, known))
        .collect()
}

fn judge_target(
    gate: GateName,
    sequence: &BundleSequence,
    target: Target,
    tests: &BTreeSet<String>,
    known: &[KnownEvidence],
) -> Judgement {
    // Of two that arrived in one second, the one that failed counts.
    let newest = known
        .iter()
        .filter(|it| covers(sequence, target, &it.evidence))
        .max_by_key(|it| {
            let evidence = &it.evidence;
            (
                it.received_at,
                evidence.finished_at,
                !evidence.passed,
                it.digest,
            )
        });
    let Some(newest) = newest else {
        return Judgement {
            gate,
            target,
            verdict: GateVerdict::Unknown,
            reasons: vec![format!("no evidence was submitted for `{target}`")],
            by: None,
        };
    };
    let (verdict, reasons) = match gate {
        GateName::Tests => judge_tests(tests, &newest.evidence),
        GateName::Upgrades => judge_upgrades(sequence, &newest.evidence),
    };
    Judgement {
        gate,
        target,
        verdict,
        reasons,
        by: Some((newest.digest, newest.tester.clone(), newest.received_at)),
    }
}

fn judge_tests(tests: &BTreeSet<String>, evidence: &Evidence) -> (GateVerdict, Vec<String>) {
    let runs: Vec<&EvidenceRun> = evidence
        .runs
        .iter()
        .filter(|it| it.from.is_none())
        .collect();
    let failed = failures(runs.iter().copied());
    if !failed.is_empty() {
        return (GateVerdict::Failed, failed);
    }
    let mut missing = Vec::new();
    if !runs.iter().any(|it| it.what == RunKind::Install) {
        missing.push("the evidence has no install from an empty prefix".to_owned());
    }
    for test in tests {
        let is_run = runs
            .iter()
            .any(|it| it.what == RunKind::Check && it.name == *test);
        if !is_run {
            missing.push(format!(
                "the evidence has no run of the bundle's test `{test}`"
            ));
        }
    }
    // Evidence that says it failed and shows no failed run fails here too, unless only what
    // the next gate judges failed.
    let elsewhere = evidence.runs.iter().any(|it| !it.passed);
    decided(missing, evidence.passed || elsewhere)
}

fn judge_upgrades(sequence: &BundleSequence, evidence: &Evidence) -> (GateVerdict, Vec<String>) {
    let failed = failures(evidence.runs.iter());
    if !failed.is_empty() {
        return (GateVerdict::Failed, failed);
    }
    let mut missing = Vec::new();
    for from in &sequence.upgrades_from {
        for what in [RunKind::Upgrade, RunKind::Rollback] {
            let is_run = evidence
                .runs
                .iter()
                .any(|it| it.what == what && it.from.as_ref() == Some(from));
            if !is_run {
                let what = what.as_str();
                missing.push(format!("the evidence has no {what} from and to `{from}`"));
            }
        }
    }
    decided(missing, evidence.passed)
}

fn decided(missing: Vec<String>, says_passed: bool) -> (GateVerdict, Vec<String>) {
    if !missing.is_empty() {
        (GateVerdict::Unknown, missing)
    } else if says_passed {
        (GateVerdict::Passed, Vec::new())
    } else {
        let reason = "the evidence itself says that the test failed".to_owned();
        (GateVerdict::Failed, vec![reason])
    }
}

fn failures<'e>(runs: impl Iterator<Item = &'e EvidenceRun>) -> Vec<String> {
    runs.filter(|it| !it.passed)
        .map(|it| {
            let from = it
                .from
                .as_ref()
                .map_or_else(String::new, |from| format!(", coming from `{from}`"));
            let exit = it.exit.map_or_else(
                || "did not end".to_owned(),
                |exit| format!("ended with {exit}"),
            );
            format!(
                "{} of `{}`{from}: `{}` {exit}",
                it.what.as_str(),
                it.name,
                it.command.join(" ")
            )
        })
        .collect()
}

/// The gates of a sequence as evidence has them now: what is behind it, and what was waived,
/// stays as it was written.
pub fn gates_now(
    sequence: &BundleSequence,
    tests: &BTreeSet<String>,
    known: &[KnownEvidence],
) -> Vec<Gate> {
    let is_ours = |it: &&Gate| GateName::parse(&it.name).is_some();
    // Other judgements, such as that a member was deleted, are not evidence's to change.
    let others = sequence.gates.iter().filter(|it| !is_ours(it));
    let mut gates: Vec<Gate> = others.cloned().collect();
    for gate in GateName::ALL {
        if gate.is_behind(sequence.state) {
            let written = sequence.gates.iter().filter(|it| it.name == gate.as_str());
            gates.extend(written.cloned());
            continue;
        }
        let judged = judge(gate, sequence, tests, known);
        gates.extend(
            judged
                .iter()
                .filter(|it| it.by.is_some())
                .map(Judgement::as_gate),
        );
    }
    gates
}

/// The word for what gate `upgrades` says of a published sequence, all its targets together:
/// `passed`, `waived`, `failed` or `unknown`.
pub fn covers_upgrade(sequence: &BundleSequence) -> &'static str {
    let of = |target: &Target| {
        let mut written = sequence.gates.iter();
        written
            .find(|it| it.name == GateName::Upgrades.as_str() && it.target == Some(*target))
            .map_or("unknown", |it| it.verdict.as_str())
    };
    let verdicts: Vec<&str> = sequence.targets.iter().map(of).collect();
    ["failed", "unknown", "waived", "passed"]
        .into_iter()
        .find(|word| verdicts.contains(word))
        .unwrap_or("unknown")
}

impl Judgement {
    /// Whether it lets a bundle through.
    pub fn is_passed(&self) -> bool {
        matches!(self.verdict, GateVerdict::Passed | GateVerdict::Waived)
    }

    /// The same as the bundle's document has it.
    pub fn as_gate(&self) -> Gate {
        Gate {
            name: self.gate.as_str().to_owned(),
            verdict: self.verdict.as_str().to_owned(),
            evidence: self.by.as_ref().map(|it| it.0),
            when: self.by.as_ref().map(|it| it.2),
            target: Some(self.target),
            by: self.by.as_ref().map(|it| it.1.clone()),
            reason: (!self.reasons.is_empty()).then(|| self.reasons.join("; ")),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
