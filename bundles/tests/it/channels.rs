//! Which bundle each channel points at.

use jiff::civil::date;
use provisioning_bundles::{compose, heads};
use provisioning_registry_api::bundle::{
    BUNDLE_SCHEMA, BundleDocument, BundleSequence, BundleState, Withdrawn,
};

use crate::shelf::{bundle, index, matrix, request};

fn sequence(number: u64, core: &str, state: BundleState) -> BundleSequence {
    let mut request = request(&[&format!("core@{core}")]);
    request.state = Some(state);
    compose(&bundle("any"), &request, number, &matrix(), &index())
        .unwrap()
        .0
}

fn document(called: &str, sequences: Vec<BundleSequence>) -> BundleDocument {
    BundleDocument {
        schema: BUNDLE_SCHEMA,
        name: bundle(called),
        sequences,
    }
}

fn heads_of(documents: &[BundleDocument]) -> String {
    let channels = heads(documents).channels;
    let lines: Vec<String> = channels
        .iter()
        .map(|(channel, head)| format!("{channel} -> {} {}", head.bundle, head.sequence))
        .collect();
    lines.join(", ")
}

#[test]
fn each_channel_follows_the_newest_core_in_its_state() {
    let documents = [
        document(
            "stable-3.2",
            vec![sequence(1, "3.2.1", BundleState::Stable)],
        ),
        document(
            "stable-3.1",
            vec![sequence(1, "3.1.5", BundleState::Stable)],
        ),
        document("lts-3.1", vec![sequence(1, "3.1.5", BundleState::Lts)]),
        document("next", vec![sequence(1, "3.2.0", BundleState::Candidate)]),
    ];
    let expected = "lts -> lts-3.1 1, stable -> stable-3.2 1, testing -> next 1";
    assert_eq!(heads_of(&documents), expected);
    let mut reversed = documents;
    reversed.reverse();
    assert_eq!(heads_of(&reversed), expected);
}

#[test]
fn equal_cores_are_told_apart_by_release_date_and_then_by_sequence() {
    let mut early = sequence(5, "3.2.1", BundleState::Stable);
    early.release_date = Some(date(2025, 1, 1));
    let mut late = sequence(1, "3.2.1", BundleState::Stable);
    late.release_date = Some(date(2025, 6, 1));
    let documents = [document("a", vec![late]), document("b", vec![early])];
    assert_eq!(heads_of(&documents), "stable -> a 1");
    let both = vec![
        sequence(1, "3.2.1", BundleState::Stable),
        sequence(2, "3.2.1", BundleState::Stable),
    ];
    assert_eq!(heads_of(&[document("a", both)]), "stable -> a 2");
}

#[test]
fn what_was_withdrawn_or_has_ended_heads_nothing() {
    let mut withdrawn = sequence(2, "3.2.1", BundleState::Stable);
    withdrawn.withdrawn = Some(Withdrawn {
        reason: "breaks".to_owned(),
        at: jiff::Timestamp::UNIX_EPOCH,
        replacement: None,
    });
    let mut ended = sequence(1, "3.1.0", BundleState::Lts);
    ended.state = BundleState::Eol;
    let kept = sequence(1, "3.1.5", BundleState::Stable);
    let documents = [
        document("a", vec![kept, withdrawn]),
        document("b", vec![ended]),
    ];
    assert_eq!(heads_of(&documents), "stable -> a 1");
    assert_eq!(heads_of(&[]), "");
}
