//! The gates of a bundle: evidence, promotion, waivers, withdrawal.

use jiff::Timestamp;
use provisioning_package::{BundleName, Digest, PackageName, Target};
use provisioning_registry_api::bundle::{BundleDocument, BundleState, ChannelsDocument};
use provisioning_registry_api::command::{
    BundleMoved, BundlePublished, PromoteBundle, Waiver, WithdrawBundle,
};
use provisioning_registry_api::evidence::{
    AddTester, EVIDENCE_SCHEMA, Evidence, EvidenceAccepted, EvidenceMachine, EvidenceMember,
    EvidenceRun, EvidenceSignature, EvidenceSubject, RunKind, SignedEvidence, Testers,
};
use provisioning_registry_api::update::{
    CommentUpdate, CreateUpdate, UpdateState, UpdateStatus, UpdateType,
};
use provisioning_trust::SigningKey;
use reqwest::Method;

use crate::bundles::bundle;
use crate::registry::{Registry, answer, archive, json, problem};

const BUNDLE: &str = "bundles/stable-3.1";
const PROMOTE: &str = "bundles/stable-3.1/promote";
const WITHDRAW: &str = "bundles/stable-3.1/withdraw";

/// A registry with a core, a tester, and a bundle that waits in `testing`.
struct Gated {
    registry: Registry,
    core: Digest,
    key: SigningKey,
}

impl Gated {
    async fn start() -> Self {
        let registry = Registry::start_lasting();
        let core = archive("core@3.1.0", "x");
        let digest = core.digest;
        registry.publish("core@3.1.0", &[core]).await.unwrap();
        let key = SigningKey::generate().unwrap();
        let gated = Self {
            registry,
            core: digest,
            key,
        };
        gated.add_tester("ada").await;
        let mut sent = bundle(&["core@3.1.0"]);
        sent.state = None;
        let published = gated.registry.send(Method::POST, BUNDLE, &sent).await;
        let published: BundlePublished = answer(published).await.unwrap();
        assert_eq!(published.state, BundleState::Testing);
        gated
    }

    async fn add_tester(&self, name: &str) {
        let tester = AddTester {
            public_key: self.key.verifying_key().to_hex(),
        };
        let path = format!("testers/{name}");
        let added = self.registry.send(Method::PUT, &path, &tester).await;
        answer::<Testers>(added).await.unwrap();
    }

    fn evidence(&self, passed: bool) -> Evidence {
        Evidence {
            schema: EVIDENCE_SCHEMA,
            subject: EvidenceSubject::Bundle(BundleName::parse("stable-3.1").unwrap()),
            target: Target::LinuxX86_64,
            members: vec![EvidenceMember {
                name: PackageName::parse("core").unwrap(),
                version: "3.1.0".parse().unwrap(),
                digest: self.core,
            }],
            runs: vec![EvidenceRun {
                what: RunKind::Install,
                name: "stable-3.1".to_owned(),
                from: None,
                command: vec!["provisioning".to_owned(), "install".to_owned()],
                exit: Some(i32::from(!passed)),
                output: Digest::of(b""),
                milliseconds: 10,
                passed,
            }],
            machine: EvidenceMachine {
                system: "linux".to_owned(),
                processor: "x86_64".to_owned(),
                release: None,
                client: "0.1.0".parse().unwrap(),
            },
            started_at: Timestamp::UNIX_EPOCH,
            finished_at: Timestamp::UNIX_EPOCH,
            passed,
        }
    }

    fn signed(&self, evidence: &Evidence) -> SignedEvidence {
        let signed = serde_json::to_value(evidence).unwrap();
        let (keyid, sig) = self.key.sign_document(&signed).unwrap();
        SignedEvidence {
            signed,
            signatures: vec![EvidenceSignature { keyid, sig }],
        }
    }

    async fn submit(&self, passed: bool) -> EvidenceAccepted {
        let sent = self.signed(&self.evidence(passed));
        let sent = self.registry.send(Method::POST, "evidence", &sent).await;
        answer(sent).await.unwrap()
    }

    async fn promote(&self, asked: &PromoteBundle) -> Result<BundleMoved, String> {
        let sent = self.registry.send(Method::POST, PROMOTE, asked).await;
        answer(sent).await.map_err(|it| it.code)
    }

    async fn document(&self) -> BundleDocument {
        json(self.registry.get("bundles/stable-3.1.json").await).await
    }
}

#[tokio::test]
async fn a_bundle_becomes_stable_through_both_gates_alone() {
    let gated = Gated::start().await;
    let next = PromoteBundle::default();
    assert_eq!(gated.promote(&next).await.unwrap_err(), "gate-closed");
    let accepted = gated.submit(true).await;
    assert_eq!(
        (accepted.tester.as_str(), accepted.sequences),
        ("ada", vec![1])
    );
    let shown = gated.document().await;
    assert_eq!(shown.sequences[0].state, BundleState::Testing);
    let verdicts: Vec<_> = shown.sequences[0]
        .gates
        .iter()
        .map(|it| (&*it.name, &*it.verdict))
        .collect();
    assert_eq!(verdicts.first(), Some(&("tests", "passed")));
    let candidate = gated.promote(&next).await.unwrap();
    assert_eq!(candidate.sequences[0].state, BundleState::Candidate);
    let stable = gated.promote(&next).await.unwrap();
    assert_eq!(stable.sequences[0].state, BundleState::Stable);
    let heads: Vec<_> = stable.channels.keys().map(BundleName::as_str).collect();
    assert_eq!(heads, ["stable"]);
    assert_eq!(gated.promote(&next).await.unwrap_err(), "bundle-state");
    let evidence = gated
        .registry
        .get(&format!("api/v1/evidence/{}", accepted.digest.hex()))
        .await;
    let evidence: SignedEvidence = json(evidence).await;
    let key = gated.key.verifying_key();
    assert!(key.has_signed(&evidence.signed, &evidence.signatures[0].sig));
}

#[tokio::test]
async fn nothing_is_published_past_a_gate() {
    let gated = Gated::start().await;
    for state in [
        BundleState::Candidate,
        BundleState::Stable,
        BundleState::Lts,
    ] {
        let mut sent = bundle(&["core@3.1.0"]);
        sent.state = Some(state);
        let refused = gated.registry.send(Method::POST, BUNDLE, &sent).await;
        assert_eq!(problem(refused).await.code, "gate-closed", "{state:?}");
    }
    gated.submit(true).await;
    let stable = PromoteBundle {
        to: Some(BundleState::Stable),
        ..PromoteBundle::default()
    };
    gated.promote(&stable).await.unwrap();
    // Published again as it is, it stays where it is.
    for state in [None, Some(BundleState::Stable)] {
        let mut again = bundle(&["core@3.1.0"]);
        again.state = state;
        let again = gated.registry.send(Method::POST, BUNDLE, &again).await;
        let again: BundlePublished = answer(again).await.unwrap();
        assert_eq!((again.sequence, again.state), (1, BundleState::Stable));
    }
    // Another content is another sequence, which begins before the gates.
    let mut other = bundle(&["core@3.1.0"]);
    other.title = "Another".to_owned();
    let refused = gated.registry.send(Method::POST, BUNDLE, &other).await;
    assert_eq!(problem(refused).await.code, "gate-closed");
}

#[tokio::test]
async fn failed_evidence_closes_the_gate_and_newer_evidence_opens_it() {
    let gated = Gated::start().await;
    gated.submit(true).await;
    gated.submit(false).await;
    let next = PromoteBundle::default();
    assert_eq!(gated.promote(&next).await.unwrap_err(), "gate-closed");
    let mut again = gated.evidence(true);
    again.finished_at = Timestamp::from_second(9).unwrap();
    let sent = gated.signed(&again);
    let sent = gated.registry.send(Method::POST, "evidence", &sent).await;
    answer::<EvidenceAccepted>(sent).await.unwrap();
    gated.promote(&next).await.unwrap();
}

#[tokio::test]
async fn evidence_that_was_tampered_with_or_is_a_strangers_is_refused() {
    let gated = Gated::start().await;
    let mut forged = gated.signed(&gated.evidence(false));
    forged.signed["passed"] = true.into();
    forged.signed["runs"][0]["passed"] = true.into();
    let refused = gated.registry.send(Method::POST, "evidence", &forged).await;
    assert_eq!(problem(refused).await.code, "evidence-invalid");
    let mut contradicting = gated.evidence(true);
    contradicting.runs[0].passed = false;
    let contradicting = gated.signed(&contradicting);
    let refused = gated
        .registry
        .send(Method::POST, "evidence", &contradicting)
        .await;
    assert_eq!(problem(refused).await.code, "evidence-invalid");
    let stranger = Gated {
        key: SigningKey::generate().unwrap(),
        ..gated
    };
    let strange = stranger.signed(&stranger.evidence(true));
    let refused = stranger
        .registry
        .send(Method::POST, "evidence", &strange)
        .await;
    let refused = problem(refused).await;
    assert_eq!(refused.code, "tester-unknown");
    assert!(
        refused.hints[0].contains("tester add"),
        "{:?}",
        refused.hints
    );
}

#[tokio::test]
async fn a_former_testers_evidence_counts_no_more() {
    let gated = Gated::start().await;
    gated.submit(true).await;
    let gone = gated
        .registry
        .send(Method::DELETE, "testers/ada", &())
        .await;
    let testers: Testers = answer(gone).await.unwrap();
    assert!(testers.testers["ada"].removed_at.is_some());
    let refused = gated.promote(&PromoteBundle::default()).await.unwrap_err();
    assert_eq!(refused, "gate-closed");
    let gone = gated
        .registry
        .send(Method::DELETE, "testers/ada", &())
        .await;
    assert_eq!(problem(gone).await.code, "not-found");
    gated.add_tester("ada").await;
    gated.promote(&PromoteBundle::default()).await.unwrap();
}

#[tokio::test]
async fn a_waiver_has_a_name_a_reason_and_an_audit_row() {
    let gated = Gated::start().await;
    let waiving = |gate: &str, reason: &str| PromoteBundle {
        waivers: vec![Waiver {
            gate: gate.to_owned(),
            reason: reason.to_owned(),
        }],
        ..PromoteBundle::default()
    };
    assert_eq!(
        gated.promote(&waiving("tests", " ")).await.unwrap_err(),
        "bad-request"
    );
    assert_eq!(
        gated.promote(&waiving("moon", "x")).await.unwrap_err(),
        "bundle-state"
    );
    let moved = gated
        .promote(&waiving("tests", "the lab is closed"))
        .await
        .unwrap();
    let gate = &moved.sequences[0].gates[0];
    assert_eq!(
        (&*gate.verdict, gate.reason.as_deref()),
        ("waived", Some("the lab is closed"))
    );
    // The first token of a server that shares a database also bears the server's name.
    let by = gate.by.as_deref().unwrap();
    assert!(by.starts_with("admin-token"), "{by}");
    let shown = gated.document().await;
    assert_eq!(shown.sequences[0].gates, moved.sequences[0].gates);
    let backup = gated.registry.file("backup");
    let made = gated
        .registry
        .command(&["backup", backup.to_str().unwrap()]);
    assert!(made.status.success());
    let bytes = std::fs::read(backup).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains("waive-gate") && text.contains("the lab is closed"));
}

#[tokio::test]
async fn a_withdrawn_bundle_says_why_and_heads_no_channel() {
    let gated = Gated::start().await;
    gated.submit(true).await;
    let stable = PromoteBundle {
        to: Some(BundleState::Stable),
        ..PromoteBundle::default()
    };
    gated.promote(&stable).await.unwrap();
    let mut why = WithdrawBundle {
        sequence: None,
        reason: String::new(),
        replacement: None,
    };
    let refused = gated.registry.send(Method::POST, WITHDRAW, &why).await;
    assert_eq!(problem(refused).await.code, "bad-request");
    why.reason = "it loses data".to_owned();
    why.replacement = Some(BundleName::parse("stable-9").unwrap());
    let refused = gated.registry.send(Method::POST, WITHDRAW, &why).await;
    assert_eq!(problem(refused).await.code, "bundle-unknown");
    why.replacement = None;
    let gone = gated.registry.send(Method::POST, WITHDRAW, &why).await;
    let gone: BundleMoved = answer(gone).await.unwrap();
    assert_eq!(gone.sequences[0].state, BundleState::Withdrawn);
    let channels: ChannelsDocument = json(gated.registry.get("channels.json").await).await;
    assert!(channels.channels.is_empty(), "{channels:?}");
    // The first reason stays.
    why.reason = "another".to_owned();
    let again = gated.registry.send(Method::POST, WITHDRAW, &why).await;
    let again: BundleMoved = answer(again).await.unwrap();
    assert_eq!(again.serial, gone.serial);
    let withdrawn = gated.document().await.sequences[0]
        .withdrawn
        .clone()
        .unwrap();
    assert_eq!(withdrawn.reason, "it loses data");
    assert_eq!(
        gated.promote(&PromoteBundle::default()).await.unwrap_err(),
        "bundle-state"
    );
    let path = "bundles/stable-9/withdraw";
    let refused = gated.registry.send(Method::POST, path, &why).await;
    assert_eq!(problem(refused).await.code, "bundle-unknown");
}

#[tokio::test]
async fn two_testers_cannot_share_a_key() {
    let gated = Gated::start().await;
    let same = AddTester {
        public_key: gated.key.verifying_key().to_hex(),
    };
    let refused = gated.registry.send(Method::PUT, "testers/eve", &same).await;
    assert_eq!(problem(refused).await.code, "name-taken");
    for (name, public_key) in [("eve", "zz"), ("e%20ve", &*same.public_key)] {
        let bad = AddTester {
            public_key: public_key.to_owned(),
        };
        let path = format!("testers/{name}");
        let refused = gated.registry.send(Method::PUT, &path, &bad).await;
        assert_eq!(problem(refused).await.code, "bad-request", "{name}");
    }
}

/// An update of `stable-3.1`, which has no evidence yet, and of `stable-3.2`, which has.
async fn an_update_of_two(gated: &Gated) -> UpdateStatus {
    let core = archive("core@3.2.0", "y");
    let digest = core.digest;
    gated.registry.publish("core@3.2.0", &[core]).await.unwrap();
    let mut second = bundle(&["core@3.2.0"]);
    second.state = None;
    let path = "bundles/stable-3.2";
    let sent = gated.registry.send(Method::POST, path, &second).await;
    answer::<BundlePublished>(sent).await.unwrap();
    let mut evidence = gated.evidence(true);
    evidence.subject = EvidenceSubject::Bundle(BundleName::parse("stable-3.2").unwrap());
    evidence.members[0].version = "3.2.0".parse().unwrap();
    evidence.members[0].digest = digest;
    let evidence = gated.signed(&evidence);
    let sent = gated
        .registry
        .send(Method::POST, "evidence", &evidence)
        .await;
    answer::<EvidenceAccepted>(sent).await.unwrap();
    let sent = gated
        .registry
        .send(Method::POST, "updates", &two_at_once())
        .await;
    answer(sent).await.unwrap()
}

fn two_at_once() -> CreateUpdate {
    CreateUpdate {
        packages: Vec::new(),
        update_type: UpdateType::Bugfix,
        notes: "two at once".to_owned(),
    }
}

fn works() -> CommentUpdate {
    CommentUpdate {
        karma: 1,
        text: "works".to_owned(),
    }
}

#[tokio::test]
async fn an_update_that_lacks_something_moves_none_of_its_bundles() {
    let gated = Gated::start().await;
    let made = an_update_of_two(&gated).await;
    assert_eq!(made.update.bundles.len(), 2);
    assert!(!made.can_push);
    let again = gated
        .registry
        .send(Method::POST, "updates", &two_at_once())
        .await;
    assert_eq!(problem(again).await.code, "update-empty");
    let path = format!("updates/{}/push", made.update.id);
    let refused = gated.registry.send(Method::POST, &path, &()).await;
    let refused = problem(refused).await;
    assert_eq!(refused.code, "update-not-ready");
    assert!(refused.detail.contains("stable-3.1"), "{}", refused.detail);
    let other: BundleDocument = json(gated.registry.get("bundles/stable-3.2.json").await).await;
    assert_eq!(other.sequences[0].state, BundleState::Testing);
    let unknown = gated
        .registry
        .send(Method::POST, "updates/9/push", &())
        .await;
    assert_eq!(problem(unknown).await.code, "not-found");
}

#[tokio::test]
async fn an_update_is_pushed_by_itself_once_testers_said_so() {
    let gated = Gated::start().await;
    let made = an_update_of_two(&gated).await;
    gated.submit(true).await;
    let comments = format!("updates/{}/comments", made.update.id);
    for tester in ["bob", "eve", "ida"] {
        let words = ["token", "create", "--name", tester, "--scope", "bundles"];
        let token = String::from_utf8(gated.registry.command(&words).stdout).unwrap();
        let sent = gated
            .registry
            .send_as(token.trim(), Method::POST, &comments, &works())
            .await;
        answer::<UpdateStatus>(sent).await.unwrap();
    }
    let path = format!("api/v1/updates/{}", made.update.id);
    let shown: UpdateStatus = json(gated.registry.get(&path).await).await;
    assert_eq!(shown.update.state, UpdateState::Stable);
    assert_eq!(shown.update.ended_by.as_deref(), Some("automatic"));
    assert_eq!(
        gated.document().await.sequences[0].state,
        BundleState::Stable
    );
    let other: BundleDocument = json(gated.registry.get("bundles/stable-3.2.json").await).await;
    assert_eq!(other.sequences[0].state, BundleState::Stable);
    let late = gated.registry.send(Method::POST, &comments, &works()).await;
    assert_eq!(problem(late).await.code, "update-ended");
}
