//! Updates: what one collects, what it needs before its bundles become stable together, and
//! when testers have said no.
//!
//! The model is Fedora's Bodhi: karma by testers, days in testing, gates.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use provisioning_package::PackageName;
use provisioning_registry_api::bundle::{BundleDocument, BundleSequence, BundleState};
use provisioning_registry_api::update::{
    Update, UpdateBundle, UpdateCondition, UpdateStatus, UpdateVersion,
};

/// Karma at which an update may be pushed at once, and is pushed by itself.
pub const KARMA_STABLE: i64 = 3;
/// Karma at which an update is rejected by itself.
pub const KARMA_REJECTED: i64 = -3;
/// Days in testing after which an update that nobody speaks against may be pushed.
pub const DAYS_IN_TESTING: i64 = 7;

const SECONDS_PER_DAY: i64 = 24 * 60 * 60;

/// The sequences that wait in testing and bring a version of `packages` that no stable bundle
/// has (every such sequence where none is named), and those versions.
pub fn collect(
    documents: &[BundleDocument],
    packages: &[PackageName],
    taken: &[UpdateBundle],
) -> (Vec<UpdateBundle>, Vec<UpdateVersion>) {
    let versions_of = |it: &BundleSequence| -> BTreeSet<UpdateVersion> {
        let members = it.members.iter();
        members
            .map(|it| UpdateVersion {
                name: it.name.clone(),
                version: it.version.clone(),
            })
            .collect()
    };
    let mut stable = BTreeSet::new();
    for sequence in documents.iter().flat_map(|it| &it.sequences) {
        let is_stable = matches!(sequence.state, BundleState::Stable | BundleState::Lts);
        if is_stable && !sequence.is_withdrawn() {
            stable.extend(versions_of(sequence));
        }
    }
    let mut bundles = Vec::new();
    let mut versions = BTreeSet::new();
    for document in documents {
        let Some(current) = document.current() else {
            continue;
        };
        let waits = matches!(current.state, BundleState::Testing | BundleState::Candidate);
        let bundle = UpdateBundle {
            name: document.name.clone(),
            sequence: current.sequence,
        };
        if !waits || taken.contains(&bundle) {
            continue;
        }
        let new: BTreeSet<UpdateVersion> =
            versions_of(current).difference(&stable).cloned().collect();
        let is_asked = packages.is_empty() || new.iter().any(|it| packages.contains(&it.name));
        if is_asked {
            bundles.push(bundle);
            versions.extend(new);
        }
    }
    (bundles, versions.into_iter().collect())
}

/// The sum of everybody's last word; who made the update has none.
pub fn karma(update: &Update) -> i64 {
    let mut last: BTreeMap<&str, i64> = BTreeMap::new();
    for comment in &update.comments {
        if comment.karma != 0 && comment.by != update.created_by {
            last.insert(&comment.by, i64::from(comment.karma.signum()));
        }
    }
    last.values().sum()
}

/// How an update stands. `closed` are the gates that do not let its bundles through, as
/// sentences.
pub fn update_status(update: &Update, closed: &[String], now: Timestamp) -> UpdateStatus {
    let karma = karma(update);
    let days = now.duration_since(update.created_at).as_secs() / SECONDS_PER_DAY;
    let gates = UpdateCondition {
        name: "gates".to_owned(),
        met: closed.is_empty(),
        text: if closed.is_empty() {
            "every gate lets its bundles through".to_owned()
        } else {
            closed.join("; ")
        },
    };
    let enough = karma >= KARMA_STABLE || (days >= DAYS_IN_TESTING && karma >= 0);
    let feedback = UpdateCondition {
        name: "feedback".to_owned(),
        met: enough,
        text: format!(
            "karma {karma}, {days} days in testing: it needs karma {KARMA_STABLE}, or \
             {DAYS_IN_TESTING} days and nobody against it"
        ),
    };
    UpdateStatus {
        can_push: gates.met && feedback.met,
        conditions: vec![gates, feedback],
        update: update.clone(),
        karma,
        days,
    }
}

#[cfg(test)]
mod tests {
    use provisioning_registry_api::bundle::BUNDLE_SCHEMA;
    use provisioning_registry_api::update::{UpdateComment, UpdateState, UpdateType};

    use super::*;
    use crate::gate::tests::{bundle, sequence};

    fn update(comments: &[(&str, i8)]) -> Update {
        let comment = |(by, karma): &(&str, i8)| UpdateComment {
            by: (*by).to_owned(),
            karma: *karma,
            text: String::new(),
            at: Timestamp::UNIX_EPOCH,
        };
        Update {
            id: 1,
            update_type: UpdateType::Bugfix,
            notes: String::new(),
            bundles: Vec::new(),
            versions: Vec::new(),
            state: UpdateState::Testing,
            created_by: "ada".to_owned(),
            created_at: Timestamp::UNIX_EPOCH,
            comments: comments.iter().map(comment).collect(),
            ended_by: None,
            ended_at: None,
        }
    }

    fn can_push(comments: &[(&str, i8)], days: i64, closed: &[&str]) -> bool {
        let now = Timestamp::from_second(days * SECONDS_PER_DAY).unwrap();
        let closed: Vec<String> = closed.iter().map(|it| (*it).to_owned()).collect();
        update_status(&update(comments), &closed, now).can_push
    }

    #[test]
    fn everybody_has_one_word_and_the_maker_none() {
        assert_eq!(
            karma(&update(&[("ada", 1), ("bob", 1), ("bob", 1), ("eve", -1)])),
            0
        );
        assert_eq!(karma(&update(&[("bob", -1), ("bob", 1), ("eve", 0)])), 1);
    }

    #[test]
    fn an_update_needs_its_gates_and_karma_or_days() {
        let three = [("a", 1), ("b", 1), ("c", 1)];
        assert!(can_push(&three, 0, &[]));
        assert!(!can_push(&three[..2], 6, &[]));
        assert!(can_push(&[], 7, &[]));
        assert!(!can_push(&[("a", -1)], 30, &[]));
        assert!(!can_push(&three, 30, &["gate `tests` is failed"]));
    }

    #[test]
    fn what_waits_in_testing_and_is_new_is_collected_once() {
        let document = |name: &str, state: BundleState, version: &str| {
            let mut only = sequence(state);
            only.members[1].version = version.parse().unwrap();
            BundleDocument {
                schema: BUNDLE_SCHEMA,
                name: bundle(name),
                sequences: vec![only],
            }
        };
        let all = [
            document("a", BundleState::Stable, "1.0.0"),
            document("b", BundleState::Testing, "2.0.0"),
            document("c", BundleState::Candidate, "1.0.0"),
        ];
        let names = |packages: &[&str], taken: &[UpdateBundle]| -> (Vec<String>, Vec<String>) {
            let packages: Vec<_> = packages
                .iter()
                .map(|it| PackageName::parse(it).unwrap())
                .collect();
            let (bundles, versions) = collect(&all, &packages, taken);
            (
                bundles.iter().map(|it| it.name.to_string()).collect(),
                versions
                    .iter()
                    .map(|it| format!("{} {}", it.name, it.version))
                    .collect(),
            )
        };
        assert_eq!(names(&[], &[]).0, ["b", "c"]);
        assert_eq!(
            names(&["platform"], &[]),
            (vec!["b".to_owned()], vec!["platform 2.0.0".to_owned()])
        );
        assert!(names(&["core"], &[]).0.is_empty());
        let taken = UpdateBundle {
            name: bundle("b"),
            sequence: 1,
        };
        assert_eq!(names(&[], &[taken]).0, ["c"]);
    }
}
