use provisioning_package::{BundleName, Kind, PackageName};
use provisioning_registry_api::bundle::BundleMember;
use provisioning_registry_api::evidence::{
    EVIDENCE_SCHEMA, EvidenceMachine, EvidenceMember, EvidenceSubject,
};

use super::*;

pub(crate) fn sequence(state: BundleState) -> BundleSequence {
    let digest = |word: &str| Digest::of(word.as_bytes());
    let member = |kind: Kind, name: &str, target, word: &str| BundleMember {
        kind,
        name: PackageName::parse(name).unwrap(),
        version: "3.3.0".parse().unwrap(),
        required: true,
        digests: [(target, digest(word))].into(),
    };
    BundleSequence {
        sequence: 1,
        title: "t".to_owned(),
        release_date: None,
        lts_until: None,
        targets: vec![Target::LinuxX86_64],
        members: vec![
            member(Kind::Core, "core", Target::Any, "core"),
            member(Kind::Platform, "platform", Target::LinuxX86_64, "platform"),
        ],
        upgrades_from: vec![bundle("stable-3.2")],
        state,
        gates: Vec::new(),
        withdrawn: None,
    }
}

pub(crate) fn bundle(name: &str) -> BundleName {
    BundleName::parse(name).unwrap()
}

pub(crate) fn run(what: RunKind, name: &str, from: Option<&str>, passed: bool) -> EvidenceRun {
    EvidenceRun {
        what,
        name: name.to_owned(),
        from: from.map(bundle),
        command: vec!["x".to_owned()],
        exit: Some(i32::from(!passed)),
        output: Digest::of(b""),
        milliseconds: 1,
        passed,
    }
}

pub(crate) fn evidence(runs: Vec<EvidenceRun>) -> Evidence {
    let sequence = sequence(BundleState::Testing);
    Evidence {
        schema: EVIDENCE_SCHEMA,
        subject: EvidenceSubject::Bundle(bundle("stable-3.3")),
        target: Target::LinuxX86_64,
        members: sequence
            .members
            .iter()
            .map(|it| EvidenceMember {
                name: it.name.clone(),
                version: it.version.clone(),
                digest: *it.digests.values().next().unwrap(),
            })
            .collect(),
        passed: runs.iter().all(|it| it.passed),
        runs,
        machine: EvidenceMachine {
            system: "linux".to_owned(),
            processor: "x86_64".to_owned(),
            release: None,
            client: "0.1.0".parse().unwrap(),
        },
        started_at: Timestamp::UNIX_EPOCH,
        finished_at: Timestamp::UNIX_EPOCH,
    }
}

pub(crate) fn known(second: i64, evidence: Evidence) -> KnownEvidence {
    KnownEvidence {
        digest: Digest::of(second.to_string().as_bytes()),
        tester: "ada".to_owned(),
        received_at: Timestamp::from_second(second).unwrap(),
        evidence,
    }
}

pub(crate) fn whole() -> Vec<EvidenceRun> {
    vec![
        run(RunKind::Install, "stable-3.3", None, true),
        run(RunKind::Smoke, "core", None, true),
        run(RunKind::Check, "together", None, true),
        run(RunKind::Upgrade, "stable-3.3", Some("stable-3.2"), true),
        run(RunKind::Rollback, "stable-3.2", Some("stable-3.2"), true),
    ]
}

fn verdict(gate: GateName, tests: &[&str], known: &[KnownEvidence]) -> (GateVerdict, String) {
    let tests = tests.iter().map(|it| (*it).to_owned()).collect();
    let mut judged = judge(gate, &sequence(BundleState::Testing), &tests, known);
    let judged = judged.remove(0);
    (judged.verdict, judged.reasons.join("; "))
}

#[test]
fn without_evidence_nothing_is_known() {
    for gate in GateName::ALL {
        assert_eq!(verdict(gate, &[], &[]).0, GateVerdict::Unknown);
    }
}

#[test]
fn evidence_about_other_bytes_does_not_count() {
    let mut other = evidence(whole());
    other.members[0].digest = Digest::of(b"another core");
    assert_eq!(
        verdict(GateName::Tests, &[], &[known(1, other)]).0,
        GateVerdict::Unknown
    );
    let mut lacking = evidence(whole());
    lacking.members.pop();
    assert_eq!(
        verdict(GateName::Tests, &[], &[known(1, lacking)]).0,
        GateVerdict::Unknown
    );
}

#[test]
fn each_gate_judges_its_own_runs() {
    let good = known(1, evidence(whole()));
    for gate in GateName::ALL {
        assert_eq!(
            verdict(gate, &["together"], std::slice::from_ref(&good)),
            (GateVerdict::Passed, String::new())
        );
    }
    let mut runs = whole();
    runs[4].passed = false;
    let bad_way_back = known(1, evidence(runs));
    let found = verdict(
        GateName::Tests,
        &["together"],
        std::slice::from_ref(&bad_way_back),
    );
    assert_eq!(found, (GateVerdict::Passed, String::new()));
    let (found, why) = verdict(GateName::Upgrades, &[], &[bad_way_back]);
    assert_eq!(found, GateVerdict::Failed);
    assert!(
        why.contains("rollback") && why.contains("stable-3.2"),
        "{why}"
    );
}

#[test]
fn a_check_that_was_not_run_leaves_its_gate_unknown() {
    let good = known(1, evidence(whole()));
    let (found, why) = verdict(GateName::Tests, &["together", "load"], &[good]);
    assert_eq!(found, GateVerdict::Unknown);
    assert!(why.contains("`load`"), "{why}");
    let short = known(1, evidence(whole()[..3].to_vec()));
    let (found, why) = verdict(GateName::Upgrades, &[], &[short]);
    assert_eq!(found, GateVerdict::Unknown);
    assert!(why.contains("stable-3.2"), "{why}");
}

#[test]
fn the_newest_evidence_decides() {
    let mut runs = whole();
    runs[1].passed = false;
    let (good, bad) = (evidence(whole()), evidence(runs));
    let last_bad = [known(2, bad.clone()), known(1, good.clone())];
    assert_eq!(
        verdict(GateName::Tests, &[], &last_bad).0,
        GateVerdict::Failed
    );
    let last_good = [known(1, bad), known(2, good)];
    assert_eq!(
        verdict(GateName::Tests, &[], &last_good).0,
        GateVerdict::Passed
    );
}

#[test]
fn evidence_that_calls_itself_failed_passes_nothing() {
    let mut lying = evidence(whole());
    lying.passed = false;
    for gate in GateName::ALL {
        assert_eq!(
            verdict(gate, &[], &[known(1, lying.clone())]).0,
            GateVerdict::Failed
        );
    }
}

#[test]
fn one_machine_is_enough_for_targets_that_get_the_same_bytes() {
    let mut both = sequence(BundleState::Testing);
    both.targets = vec![Target::LinuxX86_64, Target::LinuxArm64];
    let good = [known(1, evidence(whole()))];
    let verdicts = |it: &BundleSequence| -> Vec<GateVerdict> {
        let judged = judge(GateName::Tests, it, &BTreeSet::new(), &good);
        judged.iter().map(|it| it.verdict).collect()
    };
    // The platform's archive for arm64 is another one, which nobody tested.
    both.members[1]
        .digests
        .insert(Target::LinuxArm64, Digest::of(b"arm"));
    assert_eq!(verdicts(&both), [GateVerdict::Passed, GateVerdict::Unknown]);
    both.members[1].digests = [(Target::Any, Digest::of(b"platform"))].into();
    assert_eq!(verdicts(&both), [GateVerdict::Passed, GateVerdict::Passed]);
}

#[test]
fn a_verdict_that_is_behind_a_sequence_stays_as_it_was() {
    let mut runs = whole();
    runs[1].passed = false;
    let bad = [known(5, evidence(runs))];
    let mut candidate = sequence(BundleState::Candidate);
    candidate.gates = gates_now(
        &sequence(BundleState::Testing),
        &BTreeSet::new(),
        &[known(1, evidence(whole()))],
    );
    assert_eq!(candidate.gates.len(), 2);
    let now = gates_now(&candidate, &BTreeSet::new(), &bad);
    assert_eq!(
        (now[0].name.as_str(), now[0].verdict.as_str()),
        ("tests", "passed")
    );
    assert_eq!(
        (now[1].name.as_str(), now[1].verdict.as_str()),
        ("upgrades", "failed")
    );
}
