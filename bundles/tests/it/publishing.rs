//! What may be published, what is refused, and what a refusal says.

use provisioning_bundles::{check, compose, foreign_digests, from_draft, same_members, wanted};
use provisioning_compat::{MemoryIndex, Owner, Request, VersionsToml, solve};
use provisioning_package::{Target, Version};
use provisioning_registry_api::bundle::BundleState;
use provisioning_registry_api::command::PublishBundle;

use crate::shelf::{add, bundle, digest, index, matrix, name, quarantine, request, sample, yank};

fn problems(request: &PublishBundle, index: &MemoryIndex) -> String {
    problems_as("stable-3.2", request, index)
}

fn problems_as(called: &str, request: &PublishBundle, index: &MemoryIndex) -> String {
    let refused = compose(&bundle(called), request, 1, &matrix(), index).unwrap_err();
    let lines: Vec<String> = refused
        .iter()
        .map(|it| format!("{}: {it}", it.code()))
        .collect();
    lines.join("\n")
}

#[test]
fn the_sample_bundles_are_publishable_with_every_digest_filled_in() {
    let read = sample();
    for (called, draft) in &read.bundles {
        assert_eq!(check(draft, called, &read.matrix, &index()), []);
    }
    let called = bundle("stable-3.2");
    let draft = &read.bundles[&called];
    let request = from_draft(draft, None);
    let (sequence, warnings) = compose(&called, &request, 7, &read.matrix, &index()).unwrap();
    assert_eq!(warnings, Vec::<String>::new());
    assert_eq!(
        (sequence.sequence, sequence.state),
        (7, BundleState::Stable)
    );
    assert_eq!(sequence.targets, [Target::LinuxX86_64, Target::LinuxArm64]);
    let names: Vec<&str> = sequence.members.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(
        names,
        ["core", "platform", "azure", "mongodb", "redis", "workspace"]
    );
    let platform = &sequence.members[1];
    assert_eq!(platform.digests.len(), 2);
    let expected = digest("platform", "2.5.3", Target::LinuxArm64);
    assert_eq!(platform.digests[&Target::LinuxArm64], expected);
}

#[test]
fn a_draft_with_an_end_of_support_is_published_as_lts_with_its_warnings() {
    let read = sample();
    let called = bundle("lts-3.1");
    let draft = &read.bundles[&called];
    let request = from_draft(draft, None);
    let (sequence, warnings) = compose(&called, &request, 1, &read.matrix, &index()).unwrap();
    assert_eq!(sequence.state, BundleState::Lts);
    insta::assert_snapshot!(warnings.join("\n"), @"core 3.1.5, platform 2.4.8 are unlisted: the compatibility matrix has no row for them, so nothing was said about what goes with them");
}

#[test]
fn what_is_missing_is_named_with_what_exists() {
    let request = request(&["core@3.9.0", "mongdb@1.0.0", "zzz@1.0.0"]);
    insta::assert_snapshot!(problems(&request, &index()), @r"
    bundle-member-missing: member `core@3.9.0`: this registry has no such version; the newest are 3.2.1, 3.2.0, 3.1.5, 3.1.0; publish it first
    bundle-member-missing: member `mongdb`: this registry has no such package; did you mean `mongodb`?
    bundle-member-missing: member `zzz`: this registry has no such package; publish it first
    ");
}

#[test]
fn yanked_and_quarantined_members_are_refused_with_their_reasons() {
    let mut index = index();
    yank(&mut index, "core", "3.2.1", "loses data");
    quarantine(&mut index, "redis", "under investigation");
    let request = request(&["core@3.2.1", "redis@1.1.0"]);
    insta::assert_snapshot!(problems(&request, &index), @r"
    bundle-member-yanked: member `core@3.2.1` is yanked: loses data; name another version
    bundle-member-quarantined: member `redis` is held by a moderator: under investigation; leave it out until it is released
    ");
}

#[test]
fn members_that_the_matrix_keeps_apart_are_refused_by_row() {
    let request = request(&["core@3.1.0", "platform@2.5.3"]);
    insta::assert_snapshot!(problems(&request, &index()), @r"
    bundle-incompatible: members do not go together: the matrix row of platform 2.5.3 (line 6) wants core `^3.2`, not 3.1.0; change one of them or the matrix
    bundle-incompatible: members do not go together: the matrix row of platform 2.5.3 (line 6) wants core `>=3.2.0`, not 3.1.0; change one of them or the matrix
    ");
}

#[test]
fn a_need_that_nothing_in_the_registry_meets_is_refused() {
    let mut index = index();
    add(
        &mut index,
        "kafka",
        "1.0.0",
        &[Target::Any],
        Some(("zookeeper", "^3")),
    );
    let request = request(&["kafka@1.0.0"]);
    insta::assert_snapshot!(problems(&request, &index), @"bundle-incompatible: members do not go together: bundle `stable-3.2` (sequence 1) has kafka 1.0.0; kafka 1.0.0 needs zookeeper `^3`; this registry has no package `zookeeper`; change one of them or the matrix");
}

#[test]
fn a_need_that_only_another_package_meets_is_told_as_a_warning() {
    let request = request(&["mongodb@1.2.0"]);
    let (_, warnings) = compose(&bundle("small"), &request, 1, &matrix(), &index()).unwrap();
    insta::assert_snapshot!(warnings.join("\n"), @"core is no member but mongodb 1.2.0 brings it: its version is not pinned");
}

#[test]
fn a_promised_target_that_a_member_lacks_is_refused() {
    let mut promising = request(&["core@3.2.1", "platform@2.5.3"]);
    promising.targets = vec![Target::LinuxX86_64, Target::MacosArm64];
    insta::assert_snapshot!(problems(&promising, &index()), @"bundle-target-lacking: member `platform@2.5.3` has no archive for `macos-arm64`, which the bundle promises (it has linux-x86_64, linux-arm64); publish a version that has one, or leave the target out of `targets`");
    promising.targets = vec![Target::LinuxX86_64];
    let composed = compose(&bundle("x"), &promising, 1, &matrix(), &index()).unwrap();
    assert_eq!(composed.0.targets, [Target::LinuxX86_64]);
}

#[test]
fn members_that_share_no_target_are_refused() {
    let mut index = index();
    add(&mut index, "apple", "1.0.0", &[Target::MacosArm64], None);
    let request = request(&["platform@2.5.3", "apple@1.0.0"]);
    insta::assert_snapshot!(problems(&request, &index), @"bundle-target-lacking: the members share no target: `apple` has macos-arm64; `platform` has linux-x86_64, linux-arm64");
}

#[test]
fn a_bundle_may_not_take_the_name_of_a_channel_or_a_package() {
    let request = request(&["core@3.2.1"]);
    insta::assert_snapshot!(problems_as("stable", &request, &index()), @"bundle-name-taken: a bundle cannot be called `stable`: that is a channel; choose another name");
    insta::assert_snapshot!(problems_as("core", &request, &index()), @"bundle-name-taken: a bundle cannot be called `core`: that is a package; choose another name");
    insta::assert_snapshot!(problems_as("mongodb", &request, &index()), @"bundle-name-taken: a bundle cannot be called `mongodb`: that is a package; choose another name");
}

#[test]
fn forms_that_make_no_sense_are_refused_all_at_once() {
    let mut odd = request(&["core@3.2.1", "core@3.2.0", "client@1.0.0"]);
    odd.state = Some(BundleState::Eol);
    insta::assert_snapshot!(problems(&odd, &index()), @r"
    bundle-state: a bundle cannot be published as `eol`; use `testing`, `candidate`, `stable` or `lts`
    bundle-member-twice: member `core` is named more than once; keep one version of it
    bundle-has-client: member `client` does not belong in a bundle: `provisioning self update` moves the client
    bundle-member-missing: member `client`: this registry has no such package; publish it first
    ");
    insta::assert_snapshot!(problems(&request(&[]), &index()), @r#"bundle-empty: bundle `stable-3.2` has no members; add `core = "VERSION"` or others"#);
}

#[test]
fn the_same_content_again_is_the_same_whatever_its_state() {
    let composed = |request: &PublishBundle, sequence| {
        compose(&bundle("x"), request, sequence, &matrix(), &index())
            .unwrap()
            .0
    };
    let first = composed(&request(&["core@3.2.1", "redis@1.1.0"]), 1);
    let mut promoted = request(&["redis@1.1.0", "core@3.2.1"]);
    promoted.state = Some(BundleState::Lts);
    assert!(same_members(&first, &composed(&promoted, 2)));
    assert!(!same_members(
        &first,
        &composed(&request(&["core@3.2.1"]), 2)
    ));
    let optional = request(&["core@3.2.1", "redis@1.1.0?"]);
    assert!(!same_members(&first, &composed(&optional, 2)));
}

#[test]
fn installing_a_bundle_asks_for_each_member_exactly_and_brings_the_required() {
    let request = request(&["core@3.2.0", "redis@1.1.0?"]);
    let (sequence, _) = compose(&bundle("x"), &request, 3, &matrix(), &index()).unwrap();
    let wanted = wanted(&bundle("x"), &sequence);
    assert!(wanted.iter().all(|it| matches!(
        &it.owner,
        Owner::Bundle { name, sequence: 3 } if name.as_str() == "x"
    )));
    let install = Request::new(wanted, Target::LinuxX86_64, jiff::Timestamp::UNIX_EPOCH);
    let solution = solve(&install, &matrix(), &index()).unwrap();
    assert_eq!(solution.packages.len(), 1);
    assert_eq!(
        solution.packages[&name("core")].version,
        Version::new(3, 2, 0)
    );
    assert_eq!(foreign_digests(&sequence, &solution), []);
}

#[test]
fn an_index_with_other_bytes_than_the_bundle_is_noticed() {
    let request = request(&["core@3.2.0"]);
    let (mut sequence, _) = compose(&bundle("x"), &request, 1, &matrix(), &index()).unwrap();
    let other = digest("something", "else", Target::Any);
    sequence.members[0].digests.insert(Target::Any, other);
    let wanted = wanted(&bundle("x"), &sequence);
    let install = Request::new(wanted, Target::LinuxX86_64, jiff::Timestamp::UNIX_EPOCH);
    let solution = solve(&install, &matrix(), &index()).unwrap();
    let found = digest("core", "3.2.0", Target::Any);
    assert_eq!(
        foreign_digests(&sequence, &solution),
        [(name("core"), other, found)]
    );
}

#[test]
fn a_draft_keeps_its_optional_members_and_promises() {
    let text = "[bundles.x]\ncore = \"3.2.1\"\noptional = [\"redis@1.1.0\"]\n\
                targets = [\"linux-arm64\"]\nupgrades-from = [\"lts-3.1\"]\n";
    let read = VersionsToml::parse(text, None).unwrap();
    let request = from_draft(&read.bundles[&bundle("x")], Some(BundleState::Testing));
    assert_eq!(request.title, "x");
    assert_eq!(request.targets, [Target::LinuxArm64]);
    assert_eq!(request.upgrades_from, [bundle("lts-3.1")]);
    let required: Vec<bool> = request.members.iter().map(|it| it.required).collect();
    assert_eq!(required, [true, false]);
}
