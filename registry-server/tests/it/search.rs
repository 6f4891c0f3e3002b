//! Search: what comes first, what is left out, pages, and that it can be made again.

use provisioning_package::{ArchiveFormat, Target};
use provisioning_registry_api::command::{PackageDownloads, SearchResults};

use crate::registry::{Registry, archive, json, manifest, pack, problem};

async fn publish(registry: &Registry, spec: &str, extra: &str) {
    let text = manifest(spec, extra);
    let packed = pack(&text, spec, Target::Any, ArchiveFormat::TarZst);
    registry.publish(spec, &[packed]).await.unwrap();
}

async fn filled() -> Registry {
    let registry = Registry::start_lasting();
    let keywords = "description = \"Replica sets\"\nkeywords = [\"database\", \"nosql\"]\n";
    publish(&registry, "mongodb@1.0.0", keywords).await;
    let keywords = "description = \"Works with mongodb\"\nkeywords = [\"backup\"]\n";
    publish(&registry, "dumper@1.0.0", keywords).await;
    let old = "core-version = \"^2.0\"\nkeywords = [\"database\"]\n";
    publish(&registry, "mongodb-old@1.0.0", old).await;
    let new = "core-version = \"^3.0\"\nkeywords = [\"database\"]\n";
    publish(&registry, "redis@1.0.0", new).await;
    registry
}

async fn search(registry: &Registry, query: &str) -> SearchResults {
    json(registry.get(&format!("api/v1/search?{query}")).await).await
}

async fn names(registry: &Registry, query: &str) -> Vec<String> {
    let found = search(registry, query).await;
    found
        .packages
        .iter()
        .map(|it| it.name.to_string())
        .collect()
}

#[tokio::test]
async fn the_name_comes_first_then_its_beginnings_then_words() {
    let registry = filled().await;
    let found = names(&registry, "q=mongodb").await;
    assert_eq!(found, ["mongodb", "mongodb-old", "dumper"]);
    assert_eq!(names(&registry, "q=replic").await, ["mongodb"]);
    assert_eq!(names(&registry, "q=sets+replica").await, ["mongodb"]);
    assert_eq!(names(&registry, "q=ongo").await, ["mongodb", "mongodb-old"]);
    assert_eq!(names(&registry, "q=%22+OR+*").await, Vec::<String>::new());
}

#[tokio::test]
async fn kind_type_keyword_and_core_narrow_what_is_found() {
    let registry = filled().await;
    publish(&registry, "core@3.1.0", "").await;
    assert_eq!(names(&registry, "kind=core").await, ["core"]);
    assert_eq!(
        names(&registry, "type=provider").await,
        Vec::<String>::new()
    );
    let databases = names(&registry, "keyword=Database&order=name").await;
    assert_eq!(databases, ["mongodb", "mongodb-old", "redis"]);
    let fitting = names(&registry, "keyword=database&core=3.1.0&order=name").await;
    assert_eq!(fitting, ["mongodb", "redis"]);
    let bad = registry.get("api/v1/search?order=best").await;
    assert_eq!(problem(bad).await.code, "bad-request");
}

#[tokio::test]
async fn pages_go_on_where_the_last_one_ended() {
    let registry = filled().await;
    let mut all = Vec::new();
    let mut query = "order=name&limit=3".to_owned();
    loop {
        let page = search(&registry, &query).await;
        all.extend(page.packages.into_iter().map(|it| it.name.to_string()));
        match page.next {
            Some(next) => query = format!("order=name&limit=3&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(all, ["dumper", "mongodb", "mongodb-old", "redis"]);
    let bad = registry.get("api/v1/search?cursor=nonsense").await;
    assert_eq!(problem(bad).await.code, "bad-request");
}

#[tokio::test]
async fn a_change_is_found_at_once_and_after_a_restore() {
    let registry = filled().await;
    publish(&registry, "mongodb@1.1.0", "description = \"Shards\"\n").await;
    assert_eq!(names(&registry, "q=shards").await, ["mongodb"]);
    assert_eq!(names(&registry, "q=nosql").await, Vec::<String>::new());
    let backup = registry.file("backup.tar");
    let made = registry.command(&["backup", backup.to_str().unwrap()]);
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("data");
    let restored = crate::registry::program()
        .args(["restore", backup.to_str().unwrap(), "--data"])
        .arg(&target)
        .args(crate::database::arguments(&target))
        .output()
        .unwrap();
    assert!(
        restored.status.success(),
        "{}",
        String::from_utf8_lossy(&restored.stderr)
    );
    let checked = crate::registry::program()
        .args(["fsck", "--data"])
        .arg(&target)
        .args(crate::database::arguments(&target))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(checked.status.success(), "{said}");
}

#[tokio::test]
async fn downloads_are_counted_beside_the_requests_and_order_what_is_found() {
    let mut registry = filled().await;
    let redis = archive("celery@1.0.0", "celery");
    registry
        .publish("celery@1.0.0", std::slice::from_ref(&redis))
        .await
        .unwrap();
    for _ in 0..3 {
        registry.archive(&redis.digest).await;
    }
    registry
        .get_with(
            &format!("archives/sha256/{}", redis.digest.hex()),
            "range",
            "bytes=0-9",
        )
        .await;
    registry.stop_and_restart();
    let path = "api/v1/packages/extension/celery/downloads";
    let counted: PackageDownloads = json(registry.get(path).await).await;
    assert_eq!(counted.total, 3, "parts do not count");
    assert_eq!(counted.versions[0].count, 3);
    assert_eq!(counted.days.len(), 1);
    let first = search(&registry, "order=downloads&limit=1").await;
    assert_eq!(first.packages[0].name.as_str(), "celery");
    assert_eq!(first.packages[0].downloads, 3);
    let unknown = registry
        .get("api/v1/packages/extension/nothing/downloads")
        .await;
    assert_eq!(problem(unknown).await.code, "not-found");
}

#[tokio::test]
async fn who_asks_again_for_what_has_not_changed_is_not_sent_it_again() {
    let registry = filled().await;
    let first = registry.get("api/v1/search?q=redis").await;
    let tag = crate::registry::header(&first, "etag");
    assert!(tag.len() > 60, "{tag}");
    let again = registry
        .get_with("api/v1/search?q=redis", "if-none-match", &tag)
        .await;
    assert_eq!(again.status(), 304);
    assert_eq!(crate::registry::header(&again, "etag"), tag);
    publish(&registry, "redis@2.0.0", "").await;
    let changed = registry
        .get_with("api/v1/search?q=redis", "if-none-match", &tag)
        .await;
    assert_eq!(changed.status(), 200);
}
