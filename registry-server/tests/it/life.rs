//! States of packages, deletion, names and quotas.

use provisioning_package::{PackageName, Version};
use provisioning_registry_api::bundle::{BundleDocument, BundleState};
use provisioning_registry_api::command::{
    BundlePublished, DeclaredMember, PublishBundle, SearchResults, Yank, YankAnswer,
};
use provisioning_registry_api::index::PackageState;
use provisioning_registry_api::life::{Because, Quota, SetStatus, StatusChanged, VersionDeleted};
use provisioning_registry_api::settings::SetValue;
use reqwest::Method;

use crate::registry::{Registry, answer, archive, json, problem};

const REDIS: &str = "packages/extension/redis";

async fn publish(registry: &Registry, spec: &str) -> Result<(), String> {
    let packed = archive(spec, spec);
    let done = registry.publish(spec, &[packed]).await;
    done.map(drop).map_err(|refused| refused.code)
}

async fn with_redis() -> Registry {
    let registry = Registry::start();
    publish(&registry, "redis@1.0.0").await.unwrap();
    registry
}

fn because(reason: &str) -> Because {
    Because {
        reason: reason.to_owned(),
    }
}

async fn set(registry: &Registry, name: &str, value: &str) {
    let value = SetValue {
        value: value.to_owned(),
    };
    let path = format!("settings/{name}");
    let done = registry.send(Method::PUT, &path, &value).await;
    assert_eq!(done.status(), 200, "{name}");
}

fn status(state: PackageState, reason: &str) -> SetStatus {
    SetStatus {
        state,
        reason: Some(reason.to_owned()),
        replacement: Some("valkey".to_owned()),
    }
}

async fn put_status(registry: &Registry, wanted: &SetStatus) -> StatusChanged {
    let path = format!("{REDIS}/status");
    answer(registry.send(Method::PUT, &path, wanted).await)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_deprecated_package_says_why_and_what_to_use_and_still_takes_versions() {
    let registry = with_redis().await;
    put_status(
        &registry,
        &status(PackageState::Deprecated, "no maintainer"),
    )
    .await;
    let shown = registry.index("redis").await.status;
    assert_eq!(shown.state, PackageState::Deprecated);
    assert_eq!(shown.reason.as_deref(), Some("no maintainer"));
    assert_eq!(shown.replacement.as_deref(), Some("valkey"));
    publish(&registry, "redis@1.0.1").await.unwrap();
    assert_eq!(
        registry.index("redis").await.status.state,
        PackageState::Deprecated,
        "a new version does not change it"
    );
    let found = registry.get("api/v1/search?q=redis").await;
    let found: SearchResults = json(found).await;
    assert_eq!(found.packages[0].state, PackageState::Deprecated);
    let back = put_status(&registry, &status(PackageState::Active, "x")).await;
    assert_eq!(back.status.reason, None);
}

#[tokio::test]
async fn an_archived_package_takes_no_versions_until_it_is_opened() {
    let registry = with_redis().await;
    put_status(&registry, &status(PackageState::Archived, "finished")).await;
    assert_eq!(
        publish(&registry, "redis@1.1.0").await.unwrap_err(),
        "package-closed"
    );
    publish(&registry, "redis@1.0.0").await.unwrap();
    put_status(&registry, &status(PackageState::Active, "")).await;
    publish(&registry, "redis@1.1.0").await.unwrap();
}

#[tokio::test]
async fn a_quarantine_holds_the_package_against_its_owners_and_ends_where_it_began() {
    let registry = with_redis().await;
    put_status(&registry, &status(PackageState::Deprecated, "old")).await;
    let path = format!("{REDIS}/quarantine");
    let held = registry
        .send(Method::PUT, &path, &because("it phones home"))
        .await;
    let held: StatusChanged = answer(held).await.unwrap();
    assert_eq!(held.status.state, PackageState::Quarantined);
    assert_eq!(
        publish(&registry, "redis@1.1.0").await.unwrap_err(),
        "package-closed"
    );
    let own = status(PackageState::Active, "");
    let own = registry
        .send(Method::PUT, &format!("{REDIS}/status"), &own)
        .await;
    assert_eq!(problem(own).await.code, "package-closed");
    let free = registry.send(Method::DELETE, &path, &()).await;
    let free: StatusChanged = answer(free).await.unwrap();
    assert_eq!(free.status.state, PackageState::Deprecated);
    let again = registry.send(Method::DELETE, &path, &()).await;
    let again: StatusChanged = answer(again).await.unwrap();
    assert_eq!(again.serial, free.serial, "nothing changed");
}

#[tokio::test]
async fn states_that_make_no_sense_are_refused() {
    let registry = with_redis().await;
    let path = format!("{REDIS}/status");
    for wrong in [
        status(PackageState::Deprecated, " "),
        status(PackageState::Quarantined, "x"),
        status(PackageState::Archived, "red \u{1b}[31m"),
    ] {
        let refused = registry.send(Method::PUT, &path, &wrong).await;
        assert_eq!(problem(refused).await.code, "bad-request");
    }
    let good = status(PackageState::Archived, "x");
    let unknown = registry
        .send(Method::PUT, "packages/extension/nothing/status", &good)
        .await;
    assert_eq!(problem(unknown).await.code, "version-unknown");
}

#[tokio::test]
async fn a_deleted_version_is_gone_and_its_number_never_used_again() {
    let registry = Registry::start_lasting();
    publish(&registry, "redis@1.0.0").await.unwrap();
    publish(&registry, "redis@1.1.0").await.unwrap();
    let path = format!("{REDIS}/versions/1.0.0");
    let deleted = registry
        .send(Method::DELETE, &path, &because("a password"))
        .await;
    let deleted: VersionDeleted = answer(deleted).await.unwrap();
    assert_eq!(deleted.version, Version::new(1, 0, 0));
    let versions = registry.index("redis").await.versions;
    assert_eq!(versions.len(), 1);
    for spec in ["redis@1.0.0", "redis@1.0.0+again"] {
        assert_eq!(
            publish(&registry, spec).await.unwrap_err(),
            "version-deleted",
            "{spec}"
        );
    }
    let again = registry.send(Method::DELETE, &path, &because("x")).await;
    assert_eq!(problem(again).await.code, "version-unknown");
    let last = format!("{REDIS}/versions/1.1.0");
    let last = registry
        .send(Method::DELETE, &last, &because("all of it"))
        .await;
    answer::<VersionDeleted>(last).await.unwrap();
    assert!(registry.index("redis").await.versions.is_empty());
    let checked = registry.command(&["fsck"]);
    assert!(
        checked.status.success(),
        "{}",
        String::from_utf8_lossy(&checked.stdout)
    );
}

#[tokio::test]
async fn what_others_need_is_deleted_by_a_moderator_alone() {
    let registry = with_redis().await;
    let needs = crate::registry::manifest("mongodb@1.0.0", "[dependencies]\nredis = \"^1\"\n");
    let packed = crate::registry::pack(
        &needs,
        "x",
        provisioning_package::Target::Any,
        provisioning_package::ArchiveFormat::TarZst,
    );
    registry.publish("mongodb@1.0.0", &[packed]).await.unwrap();
    let path = format!("{REDIS}/versions/1.0.0");
    let refused = registry.send(Method::DELETE, &path, &because("x")).await;
    let refused = problem(refused).await;
    assert_eq!(refused.code, "deletion-refused");
    assert!(refused.detail.contains("mongodb"), "{refused:?}");
    let removal = format!("{path}/removal");
    let silent = registry.send(Method::POST, &removal, &because("")).await;
    assert_eq!(problem(silent).await.code, "bad-request");
    let done = registry
        .send(Method::POST, &removal, &because("a court said so"))
        .await;
    answer::<VersionDeleted>(done).await.unwrap();
}

async fn publish_bundle(registry: &Registry) {
    let member = |name: &str| DeclaredMember {
        name: PackageName::parse(name).unwrap(),
        version: Version::new(1, 0, 0),
        required: true,
    };
    let bundle = PublishBundle {
        title: "Small".to_owned(),
        release_date: None,
        lts_until: None,
        targets: Vec::new(),
        members: vec![member("core"), member("redis")],
        upgrades_from: Vec::new(),
        state: Some(BundleState::Stable),
    };
    let done = registry.send(Method::POST, "bundles/small", &bundle).await;
    answer::<BundlePublished>(done).await.unwrap();
}

async fn gate(registry: &Registry) -> Option<String> {
    let document: BundleDocument = json(registry.get("bundles/small.json").await).await;
    let gates = document.sequences[0].gates.iter();
    let mut found = gates.filter(|it| it.name == "members-available");
    found.next().map(|it| it.verdict.clone())
}

#[tokio::test]
async fn what_a_living_bundle_pins_is_yanked_by_force_alone_and_marks_the_bundle() {
    let registry = with_redis().await;
    publish(&registry, "core@1.0.0").await.unwrap();
    publish_bundle(&registry).await;
    let path = format!("{REDIS}/versions/1.0.0/yank");
    let mut yank = Yank {
        reason: "loses data".to_owned(),
        replacement: None,
        force: false,
    };
    let refused = problem(registry.send(Method::PUT, &path, &yank).await).await;
    assert_eq!(refused.code, "pinned-by-bundle");
    assert!(refused.detail.contains("`small`"), "{refused:?}");
    assert_eq!(registry.index("redis").await.versions[0].yanked, None);
    yank.force = true;
    let done = registry.send(Method::PUT, &path, &yank).await;
    answer::<YankAnswer>(done).await.unwrap();
    assert_eq!(gate(&registry).await.as_deref(), Some("failed"));
    let back = registry.send(Method::DELETE, &path, &()).await;
    answer::<YankAnswer>(back).await.unwrap();
    assert_eq!(gate(&registry).await.as_deref(), Some("passed"));
    let delete = format!("{REDIS}/versions/1.0.0");
    let refused = registry.send(Method::DELETE, &delete, &because("x")).await;
    assert_eq!(problem(refused).await.code, "deletion-refused");
}

#[tokio::test]
async fn names_that_look_like_others_or_are_reserved_are_refused() {
    let registry = with_redis().await;
    publish(&registry, "mongo-db@1.0.0").await.unwrap();
    for name in ["mongodb", "red-is", "m0ngodb", "platfrom", "w0rkspace"] {
        let code = publish(&registry, &format!("{name}@1.0.0"))
            .await
            .unwrap_err();
        assert_eq!(code, "name-confusable", "{name}");
    }
    set(&registry, "guarded-names", "postgres").await;
    assert_eq!(
        publish(&registry, "postgers@1.0.0").await.unwrap_err(),
        "name-confusable"
    );
    publish(&registry, "postgres@1.0.0").await.unwrap();
    set(&registry, "reserved-names", "kafka").await;
    assert_eq!(
        publish(&registry, "kafka@1.0.0").await.unwrap_err(),
        "name-held"
    );
    set(&registry, "confusable-names", "allow").await;
    publish(&registry, "mongodb@1.0.0").await.unwrap();
    publish(&registry, "redis@1.1.0").await.unwrap();
}

#[tokio::test]
async fn a_package_stays_within_its_quota_until_an_administrator_raises_it() {
    let registry = Registry::start();
    set(&registry, "archive-bytes-max", "10").await;
    assert_eq!(
        publish(&registry, "redis@1.0.0").await.unwrap_err(),
        "quota-exceeded"
    );
    let path = format!("{REDIS}/quota");
    let raised = Quota {
        archive_bytes: Some(1_000_000),
        total_bytes: None,
    };
    let done = registry.send(Method::PUT, &path, &raised).await;
    assert_eq!(answer::<Quota>(done).await.unwrap(), raised);
    publish(&registry, "redis@1.0.0").await.unwrap();
    assert_eq!(
        publish(&registry, "valkey@1.0.0").await.unwrap_err(),
        "quota-exceeded"
    );
    set(&registry, "archive-bytes-max", "none").await;
    set(&registry, "package-bytes-max", "1").await;
    assert_eq!(
        publish(&registry, "redis@1.1.0").await.unwrap_err(),
        "quota-exceeded"
    );
}
