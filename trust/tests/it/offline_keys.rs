//! Keys that people hold: the ceremony, proposals, thresholds, and what is refused.

use provisioning_trust::{
    Change, KeyChange, KeySet, PublicKey, RoleFiles, SignError, SigningKey, TargetChange,
};

use crate::registry::{TestRegistry, facts, hours};

/// A registry whose root, targets, extensions and release keys are elsewhere.
struct Offline {
    registry: TestRegistry,
    /// What people hold, by the label that the ceremony gives.
    people: KeySet,
}

fn keys(count: usize) -> Vec<SigningKey> {
    (0..count)
        .map(|_| SigningKey::generate().unwrap())
        .collect()
}

fn publics(keys: &[SigningKey]) -> Vec<PublicKey> {
    keys.iter().map(SigningKey::public_key).collect()
}

async fn role_files(registry: &TestRegistry) -> RoleFiles {
    let state = tempfile::tempdir().unwrap();
    let mut client = registry.client(state.path()).await.unwrap();
    client.role_files(registry.now).await.unwrap()
}

async fn take_offline(mut registry: TestRegistry, release_keys: usize, needed: usize) -> Offline {
    let files = role_files(&registry).await;
    let (root, rest, release) = (keys(3), keys(2), keys(release_keys));
    let mut draft = KeyChange::over(&files).unwrap();
    draft.set("root", &publics(&root), 2).unwrap();
    draft.set("targets", &publics(&rest[..1]), 1).unwrap();
    draft.set("extensions", &publics(&rest[1..]), 1).unwrap();
    draft.set("release", &publics(&release), needed).unwrap();
    let mut change = draft.finish(registry.now).unwrap();
    for key in root.iter().chain(&rest).chain(&release) {
        change.sign(key, &files).unwrap();
    }
    assert!(
        !change.is_met(&files).unwrap(),
        "the old root has not signed"
    );
    for proposal in &mut change.proposals {
        if proposal.role() == "root" {
            let repository = &registry.repository;
            repository.countersign(&registry.keys, proposal).unwrap();
        }
    }
    assert!(change.is_met(&files).unwrap());
    let written = registry
        .repository
        .accept(&registry.keys, &change.proposals, registry.now)
        .unwrap();
    registry.write(&written);
    for label in registry.repository.superfluous(&registry.keys).unwrap() {
        registry.keys.remove(&label);
    }
    let mut people = KeySet::default();
    for (number, key) in root.into_iter().enumerate() {
        people.insert(&format!("root-{number}"), key);
    }
    for (label, key) in ["targets", "extensions"].into_iter().zip(rest) {
        people.insert(label, key);
    }
    for (number, key) in release.into_iter().enumerate() {
        people.insert(&format!("release-{number}"), key);
    }
    Offline { registry, people }
}

fn core(text: &str) -> TargetChange {
    TargetChange {
        path: "index/core/core.json".to_owned(),
        facts: Some(facts(text.as_bytes())),
    }
}

#[tokio::test]
async fn after_the_ceremony_the_server_holds_online_keys_alone_and_clients_follow() {
    let mut registry = TestRegistry::new();
    registry.publish(&[
        ("index/core/core.json", "core"),
        ("index/extension/redis.json", "redis"),
    ]);
    let state = tempfile::tempdir().unwrap();
    registry.client(state.path()).await.unwrap();

    let Offline { mut registry, .. } = take_offline(registry, 1, 1).await;
    let left: Vec<_> = registry.keys.labels().collect();
    assert_eq!(left, ["bins", "snapshot", "timestamp"]);
    let mut client = registry.client(state.path()).await.unwrap();
    let core_entry = client.target("index/core/core.json", registry.now).await;
    assert_eq!(core_entry.unwrap().as_deref(), Some(&b"core"[..]));

    // Community extensions go on without anyone, first-party ones do not.
    registry.publish(&[("index/extension/redis.json", "redis again")]);
    client.refresh(registry.now).await.unwrap();
    let redis = client
        .target("index/extension/redis.json", registry.now)
        .await;
    assert_eq!(redis.unwrap().as_deref(), Some(&b"redis again"[..]));
    let refused = registry
        .repository
        .apply(&registry.keys, &[core("next")], registry.now);
    assert!(matches!(refused, Err(SignError::MissingKey { .. })));
    let can = |path| registry.repository.can_sign(&registry.keys, path).unwrap();
    assert!(can("index/extension/redis.json") && !can("bundles/stable-3.2.json"));
}

#[tokio::test]
async fn a_release_is_in_force_once_enough_engineers_have_signed_it() {
    let Offline {
        mut registry,
        people,
    } = take_offline(TestRegistry::new(), 3, 2).await;
    let proposed = registry
        .repository
        .propose_release(&[core("core")], registry.now);
    let mut proposal = proposed.unwrap().unwrap();
    registry.wire.put(
        &crate::registry::served_at("index/core/core.json", &facts(b"core")),
        b"core",
    );
    proposal.sign(people.key("release-0").unwrap()).unwrap();
    // A key that is none of theirs adds nothing, nor does the same key twice.
    proposal.sign(people.key("root-0").unwrap()).unwrap();
    proposal.sign(people.key("release-0").unwrap()).unwrap();
    let refused = registry.repository.accept(
        &registry.keys,
        std::slice::from_ref(&proposal),
        registry.now,
    );
    let Err(SignError::Unsigned {
        present: 1,
        threshold: 2,
        missing,
        ..
    }) = refused
    else {
        panic!("{refused:?}");
    };
    assert_eq!(missing.len(), 2);

    proposal.sign(people.key("release-2").unwrap()).unwrap();
    let written = registry
        .repository
        .accept(
            &registry.keys,
            std::slice::from_ref(&proposal),
            registry.now,
        )
        .unwrap();
    let names: Vec<_> = written.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names.last(), Some(&"timestamp.json"));
    assert_eq!(names.len(), 3, "{names:?}");
    registry.write(&written);
    let state = tempfile::tempdir().unwrap();
    let mut client = registry.client(state.path()).await.unwrap();
    let read = client
        .target("index/core/core.json", registry.now)
        .await
        .unwrap();
    assert_eq!(read.as_deref(), Some(&b"core"[..]));

    // Taking the same in again, as after a crash, changes nothing.
    let again = registry
        .repository
        .accept(&registry.keys, &[proposal], registry.now)
        .unwrap();
    assert_eq!(again, []);
    // What the signer loads from disk is what it kept in memory.
    assert_eq!(registry.reload().roles(), registry.repository.roles());
}

#[tokio::test]
async fn a_release_that_says_more_than_it_may_is_refused_whoever_signed_it() {
    let Offline {
        mut registry,
        people,
    } = take_offline(TestRegistry::new(), 1, 1).await;
    let proposed = registry
        .repository
        .propose_release(&[core("core")], registry.now);
    let honest = proposed.unwrap().unwrap();
    let text = String::from_utf8(honest.message().unwrap()).unwrap();
    for (from, to, word) in [
        (
            "index/core/core.json",
            "index/extension/core.json",
            "no role may sign",
        ),
        (
            "index/core/core.json",
            "index/core/../x",
            "cannot be a target",
        ),
        ("\"version\":3", "\"version\":9", "older state"),
        ("\"version\":3", "\"version\":2", "older state"),
        (
            "\"expires\":\"2026",
            "\"expires\":\"2036",
            "longer than such a role may",
        ),
        ("\"expires\":\"2026", "\"expires\":\"2016", "expired"),
        (
            "\"_type\":\"targets\"",
            "\"_type\":\"targets\",\"x\":1",
            "does not know",
        ),
    ] {
        let spoilt = text.replacen(from, to, 1);
        assert_ne!(spoilt, text, "{from} is not in {text}");
        let mut proposal =
            provisioning_trust::Proposal::from_message("release", spoilt.as_bytes()).unwrap();
        proposal.sign(people.key("release-0").unwrap()).unwrap();
        let before = registry.repository.roles();
        let refused = registry
            .repository
            .accept(&registry.keys, &[proposal], registry.now);
        let words = refused.unwrap_err().to_string();
        assert!(words.contains(word), "{to}: {words}");
        assert_eq!(registry.repository.roles(), before);
    }
}

#[tokio::test]
async fn a_root_needs_the_old_keys_and_its_own() {
    let Offline {
        mut registry,
        people,
    } = take_offline(TestRegistry::new(), 1, 1).await;
    let files = role_files(&registry).await;
    let lost = people.key("root-0").unwrap().key_id().to_owned();
    let new = SigningKey::generate().unwrap();
    let mut draft = KeyChange::over(&files).unwrap();
    draft.add("root", &new.public_key()).unwrap();
    draft.remove("root", &lost).unwrap();
    draft.threshold("root", 3).unwrap();
    let change = draft.finish(registry.now).unwrap();
    let roles: Vec<_> = change
        .proposals
        .iter()
        .map(|it| it.role().to_owned())
        .collect();
    assert_eq!(roles, ["root"]);
    // It travels as a file.
    let mut change = Change::read(change.to_json().unwrap().as_bytes()).unwrap();
    let told = change.describe(&files).unwrap().join("\n");
    assert!(
        told.contains(&lost) && told.contains(new.key_id()),
        "{told}"
    );
    assert!(
        told.contains("3 signatures are needed instead of 2"),
        "{told}"
    );

    for (label, met) in [("root-1", false), ("root-2", false)] {
        change.sign(people.key(label).unwrap(), &files).unwrap();
        assert_eq!(change.is_met(&files).unwrap(), met);
    }
    let refused = registry
        .repository
        .accept(&registry.keys, &change.proposals, registry.now);
    assert!(matches!(
        refused,
        Err(SignError::Unsigned {
            present: 2,
            threshold: 3,
            ..
        })
    ));
    assert_eq!(change.sign(&new, &files).unwrap(), ["root"]);
    assert!(change.is_met(&files).unwrap());
    let written = registry
        .repository
        .accept(&registry.keys, &change.proposals, registry.now);
    registry.write(&written.unwrap());
    assert_eq!(registry.repository.root_version(), 3);

    let state = tempfile::tempdir().unwrap();
    registry.client(state.path()).await.unwrap();
    // The change was made over what is now an older state.
    let after = role_files(&registry).await;
    assert!(matches!(
        change.standings(&after),
        Err(SignError::BaseMoved { .. })
    ));
}

#[tokio::test]
async fn a_new_engineers_key_needs_the_targets_key_and_a_removed_one_ends_at_once() {
    let Offline {
        mut registry,
        people,
    } = take_offline(TestRegistry::new(), 1, 1).await;
    let files = role_files(&registry).await;
    let new = SigningKey::generate().unwrap();
    let mut draft = KeyChange::over(&files).unwrap();
    draft.add("release", &new.public_key()).unwrap();
    let mut change = draft.finish(registry.now).unwrap();
    // Who could sign before still can, so `release` itself stays as it is.
    assert_eq!(change.proposals.len(), 1);
    change.sign(people.key("targets").unwrap(), &files).unwrap();
    let written = registry
        .repository
        .accept(&registry.keys, &change.proposals, registry.now);
    registry.write(&written.unwrap());

    let files = role_files(&registry).await;
    let old = people.key("release-0").unwrap();
    let mut draft = KeyChange::over(&files).unwrap();
    draft.remove("release", old.key_id()).unwrap();
    let mut change = draft.finish(registry.now).unwrap();
    // Now the release that the old key signed must be signed by the new one.
    assert!(change.proposal("release").is_some());
    change.sign(people.key("targets").unwrap(), &files).unwrap();
    change.sign(old, &files).unwrap();
    let refused = registry
        .repository
        .accept(&registry.keys, &change.proposals, registry.now);
    assert!(matches!(refused, Err(SignError::Unsigned { .. })));
    change.sign(&new, &files).unwrap();
    let written = registry
        .repository
        .accept(&registry.keys, &change.proposals, registry.now);
    registry.write(&written.unwrap());
    let state = tempfile::tempdir().unwrap();
    registry.client(state.path()).await.unwrap();
}

#[tokio::test]
async fn a_release_that_grows_old_is_proposed_again_unchanged() {
    let Offline {
        mut registry,
        people,
    } = take_offline(TestRegistry::new(), 1, 1).await;
    assert!(
        registry
            .repository
            .propose_release(&[], registry.now)
            .unwrap()
            .is_none()
    );
    registry.pass(hours(24 * 100));
    let proposed = registry
        .repository
        .propose_release(&[], registry.now)
        .unwrap();
    let mut proposal = proposed.unwrap();
    proposal.sign(people.key("release-0").unwrap()).unwrap();
    let written = registry
        .repository
        .accept(&registry.keys, &[proposal], registry.now);
    registry.write(&written.unwrap());
    assert!(
        registry
            .repository
            .propose_release(&[], registry.now)
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn the_rehearsal_goes_as_it_must() {
    let state = tempfile::tempdir().unwrap();
    let steps = provisioning_trust::drill(state.path(), crate::registry::start())
        .await
        .unwrap();
    assert_eq!(steps.len(), 16, "{steps:#?}");
}

#[test]
fn a_key_comes_back_from_its_file_and_from_paper_and_from_nothing_else() {
    let key = SigningKey::generate().unwrap();
    let file = key.to_protected_pem("correct horse").unwrap();
    assert!(SigningKey::is_protected(&file) && !SigningKey::is_protected(&key.to_pem().unwrap()));
    let back = SigningKey::from_protected_pem(&file, "correct horse").unwrap();
    assert_eq!(back.key_id(), key.key_id());
    let wrong = SigningKey::from_protected_pem(&file, "battery staple");
    assert!(matches!(wrong, Err(SignError::Passphrase)));

    let words = key.paper_words();
    let typed = words.to_uppercase().replace(' ', "\n  ");
    assert_eq!(
        SigningKey::from_paper_words(&typed).unwrap().key_id(),
        key.key_id()
    );
    let mut swapped: Vec<&str> = words.split(' ').collect();
    let other = if swapped[0] == "zoo" {
        "abandon"
    } else {
        "zoo"
    };
    swapped[0] = other;
    // One wrong word passes the eight bits of checksum once in 256 times; then it is another key.
    match SigningKey::from_paper_words(&swapped.join(" ")) {
        Err(SignError::Words { problem }) => assert!(problem.contains("checksum"), "{problem}"),
        Ok(misread) => assert_ne!(misread.key_id(), key.key_id()),
        Err(other) => panic!("{other}"),
    }
    let unknown = words.replacen(words.split(' ').next().unwrap(), "provisioning", 1);
    let problem = SigningKey::from_paper_words(&unknown)
        .unwrap_err()
        .to_string();
    assert!(problem.contains("word 1"), "{problem}");
    let short = SigningKey::from_paper_words("zoo zoo")
        .unwrap_err()
        .to_string();
    assert!(short.contains("24 words"), "{short}");
}

#[test]
fn a_public_key_reads_back_from_its_text() {
    let key = SigningKey::generate().unwrap().public_key();
    assert_eq!(key.to_string().parse::<PublicKey>().unwrap(), key);
    for bad in [
        "",
        "ed25519:",
        "ed25519:00",
        "rsa:00",
        &format!("rsa:{}", "0".repeat(64)),
    ] {
        assert!(bad.parse::<PublicKey>().is_err(), "{bad}");
    }
}
