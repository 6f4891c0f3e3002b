use super::*;
use crate::gate::tests::{evidence, known, sequence, whole};

fn asked(known: &[KnownEvidence]) -> Promotion<'_> {
    Promotion {
        known,
        by: "ada",
        now: Some(Timestamp::UNIX_EPOCH),
        ..Promotion::default()
    }
}

#[test]
fn a_sequence_goes_through_both_gates_with_good_evidence() {
    let good = [known(1, evidence(whole()))];
    let candidate = promote(&sequence(BundleState::Testing), &asked(&good)).unwrap();
    assert_eq!(candidate.state, BundleState::Candidate);
    assert_eq!(candidate.gates.len(), 1);
    let stable = promote(&candidate, &asked(&good)).unwrap();
    assert_eq!(stable.state, BundleState::Stable);
    assert_eq!(stable.gates.len(), 2);
    assert_eq!(
        promote(&stable, &asked(&good)),
        Err(PromotionProblem::AtItsEnd(BundleState::Stable))
    );
    let both = Promotion {
        to: Some(BundleState::Stable),
        ..asked(&good)
    };
    assert_eq!(promote(&sequence(BundleState::Testing), &both), Ok(stable));
}

#[test]
fn unknown_or_failed_evidence_promotes_nothing() {
    let mut runs = whole();
    runs[0].passed = false;
    let failed = vec![known(1, evidence(runs))];
    for known in [Vec::<KnownEvidence>::new(), failed] {
        let refused = promote(&sequence(BundleState::Testing), &asked(&known));
        assert!(
            matches!(refused, Err(PromotionProblem::Blocked(_))),
            "{refused:?}"
        );
    }
    // The second gate blocks, so the first is not passed either.
    let mut runs = whole();
    runs[3].passed = false;
    let known = [known(1, evidence(runs))];
    let both = Promotion {
        to: Some(BundleState::Stable),
        ..asked(&known)
    };
    let refused = promote(&sequence(BundleState::Testing), &both).unwrap_err();
    assert!(refused.to_string().contains("upgrades"), "{refused}");
}

#[test]
fn a_waiver_names_who_and_why() {
    let waiving = |reason: &str, gate: &str| Promotion {
        waivers: [(gate.to_owned(), reason.to_owned())].into(),
        ..asked(&[])
    };
    let testing = sequence(BundleState::Testing);
    let candidate = promote(&testing, &waiving("no arm machine", "tests")).unwrap();
    let gate = &candidate.gates[0];
    assert_eq!(gate.verdict, "waived");
    assert_eq!(gate.by.as_deref(), Some("ada"));
    assert_eq!(gate.reason.as_deref(), Some("no arm machine"));
    assert!(gate.when.is_some());
    for (reason, gate) in [(" ", "tests"), ("why", "upgrades"), ("why", "moon")] {
        assert!(promote(&testing, &waiving(reason, gate)).is_err(), "{gate}");
    }
}

#[test]
fn long_support_needs_its_last_day() {
    let good = [known(1, evidence(whole()))];
    let mut long = sequence(BundleState::Candidate);
    long.lts_until = Some(Date::constant(2030, 1, 1));
    assert_eq!(
        promote(&long, &asked(&good)).unwrap().state,
        BundleState::Lts
    );
    let stable = sequence(BundleState::Stable);
    let to_lts = Promotion {
        to: Some(BundleState::Lts),
        ..asked(&good)
    };
    assert_eq!(
        promote(&stable, &to_lts),
        Err(PromotionProblem::NoSupportDay)
    );
    let dated = Promotion {
        lts_until: Some(Date::constant(2030, 1, 1)),
        ..to_lts
    };
    let lts = promote(&stable, &dated).unwrap();
    assert_eq!(
        (lts.state, lts.lts_until),
        (BundleState::Lts, dated.lts_until)
    );
    let over = Promotion {
        to: Some(BundleState::Eol),
        ..asked(&good)
    };
    assert_eq!(promote(&lts, &over).unwrap().state, BundleState::Eol);
    assert!(promote(&sequence(BundleState::Testing), &over).is_err());
}

#[test]
fn nothing_goes_back_and_nothing_withdrawn_moves() {
    let good = [known(1, evidence(whole()))];
    for to in [
        BundleState::Draft,
        BundleState::Testing,
        BundleState::Candidate,
        BundleState::Withdrawn,
    ] {
        let back = Promotion {
            to: Some(to),
            ..asked(&good)
        };
        assert!(
            promote(&sequence(BundleState::Stable), &back).is_err(),
            "{to:?}"
        );
    }
    let withdrawn = withdraw(
        &sequence(BundleState::Testing),
        Withdrawn {
            reason: "it loses data".to_owned(),
            at: Timestamp::UNIX_EPOCH,
            replacement: None,
        },
    );
    let refused = promote(&withdrawn, &asked(&good)).unwrap_err();
    assert!(refused.to_string().contains("it loses data"), "{refused}");
}
