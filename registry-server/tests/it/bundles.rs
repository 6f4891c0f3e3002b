//! Publishing bundles.

use provisioning_package::PackageName;
use provisioning_registry_api::bundle::{BundleDocument, BundleState, ChannelsDocument};
use provisioning_registry_api::command::{BundlePublished, DeclaredMember, PublishBundle};
use reqwest::Method;

use crate::registry::{Registry, answer, archive, json, problem};

pub(crate) fn bundle(members: &[&str]) -> PublishBundle {
    let members = members.iter().map(|spec| {
        let (name, version) = spec.split_once('@').unwrap();
        DeclaredMember {
            name: PackageName::parse(name).unwrap(),
            version: version.parse().unwrap(),
            required: true,
        }
    });
    PublishBundle {
        title: "A bundle".to_owned(),
        release_date: None,
        lts_until: None,
        targets: Vec::new(),
        members: members.collect(),
        upgrades_from: Vec::new(),
        state: Some(BundleState::Stable),
    }
}

async fn with_core() -> Registry {
    let registry = Registry::start();
    for spec in ["core@3.1.0", "core@3.2.0"] {
        registry.publish(spec, &[archive(spec, "x")]).await.unwrap();
    }
    registry
}

#[tokio::test]
async fn a_bundle_gets_digests_a_sequence_and_its_channel() {
    let registry = with_core().await;
    let path = "bundles/stable-3.1";
    let sent = registry
        .send(Method::POST, path, &bundle(&["core@3.1.0"]))
        .await;
    let first: BundlePublished = answer(sent).await.unwrap();
    assert_eq!(first.sequence, 1);
    assert_eq!(first.channels[0].as_str(), "stable");
    let again = registry
        .send(Method::POST, path, &bundle(&["core@3.1.0"]))
        .await;
    let again: BundlePublished = answer(again).await.unwrap();
    assert_eq!((again.sequence, again.serial), (1, first.serial));
    let sent = registry
        .send(Method::POST, path, &bundle(&["core@3.2.0"]))
        .await;
    let second: BundlePublished = answer(sent).await.unwrap();
    assert_eq!(second.sequence, 2);
    let document: BundleDocument = json(registry.get("bundles/stable-3.1.json").await).await;
    assert_eq!(document.sequences.len(), 2);
    assert_eq!(document.sequences[0].members[0].digests.len(), 1);
    let channels: ChannelsDocument = json(registry.get("channels.json").await).await;
    assert_eq!(channels.channels.values().next().unwrap().sequence, 2);
}

#[tokio::test]
async fn a_bundle_that_names_something_missing_is_refused() {
    let registry = with_core().await;
    let sent = bundle(&["core@3.1.0", "redis@1.0.0"]);
    let refused = registry
        .send(Method::POST, "bundles/stable-3.1", &sent)
        .await;
    let refused = problem(refused).await;
    assert_eq!(
        (refused.status, refused.code.as_str()),
        (422, "bundle-invalid")
    );
    assert!(refused.detail.contains("redis"), "{}", refused.detail);
    assert_eq!(registry.get("bundles/stable-3.1.json").await.status(), 404);
}

#[tokio::test]
async fn bundles_and_packages_cannot_share_a_name() {
    let registry = with_core().await;
    let sent = bundle(&["core@3.1.0"]);
    for taken in ["core", "stable", "lts", "extension", "latest", "client"] {
        let path = format!("bundles/{taken}");
        let refused = registry.send(Method::POST, &path, &sent).await;
        assert_eq!(problem(refused).await.code, "name-taken", "{taken}");
    }
    let done = registry.send(Method::POST, "bundles/redis", &sent).await;
    assert_eq!(done.status(), 200);
    let redis = archive("redis@1.0.0", "x");
    let refused = registry.publish("redis@1.0.0", &[redis]).await.unwrap_err();
    assert_eq!(refused.code, "name-taken");
    let redis = archive("mongodb@1.0.0", "x");
    registry.publish("mongodb@1.0.0", &[redis]).await.unwrap();
    let refused = registry.send(Method::POST, "bundles/mongodb", &sent).await;
    assert_eq!(problem(refused).await.code, "name-taken");
}

#[tokio::test]
async fn a_published_state_moves_forward_only() {
    let registry = with_core().await;
    let mut sent = bundle(&["core@3.1.0"]);
    sent.state = Some(BundleState::Testing);
    let done = registry.send(Method::POST, "bundles/b-1", &sent).await;
    assert_eq!(answer::<BundlePublished>(done).await.unwrap().sequence, 1);
    sent.state = Some(BundleState::Stable);
    let done = registry.send(Method::POST, "bundles/b-1", &sent).await;
    let done: BundlePublished = answer(done).await.unwrap();
    assert_eq!((done.sequence, done.state), (1, BundleState::Stable));
    sent.state = Some(BundleState::Testing);
    let refused = registry.send(Method::POST, "bundles/b-1", &sent).await;
    assert_eq!(problem(refused).await.code, "bundle-state");
}

#[tokio::test]
async fn a_bundle_takes_no_other_spelling_of_a_package_and_no_escape_sequence() {
    let registry = with_core().await;
    let redis = archive("redis@1.0.0", "x");
    registry.publish("redis@1.0.0", &[redis]).await.unwrap();
    let mut sent = bundle(&["core@3.1.0"]);
    for taken in [
        "provisioning-core",
        "provisioning-ext-other",
        "ext-redis",
        "redis-taskserv",
    ] {
        let path = format!("bundles/{taken}");
        let refused = registry.send(Method::POST, &path, &sent).await;
        assert_eq!(problem(refused).await.code, "bundle-invalid", "{taken}");
    }
    sent.title = "\u{1b}[2J".to_owned();
    let refused = registry.send(Method::POST, "bundles/b-1", &sent).await;
    assert_eq!(problem(refused).await.code, "bundle-invalid");
    sent.title = "Production cluster".to_owned();
    let done = registry
        .send(Method::POST, "bundles/prod-cluster", &sent)
        .await;
    assert_eq!(done.status(), 200);
}
