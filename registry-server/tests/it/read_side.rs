//! The read side: static files, validators, ranges, plain names.

use provisioning_package::Target;
use provisioning_registry_api::discovery::Discovery;
use reqwest::Method;

use crate::registry::{Registry, archive, header, json, problem};

const IMMUTABLE: &str = "max-age=31536000, immutable";

#[tokio::test]
async fn discovery_says_where_everything_is() {
    let registry = Registry::start_lasting();
    let response = registry.get(".well-known/provisioning-registry.json").await;
    let found: Discovery = json(response).await;
    assert_eq!(found.api.as_deref(), Some("api/v1/"));
    let root = registry
        .get(&format!("{}1.root.json", found.metadata))
        .await;
    assert_eq!(header(&root, "cache-control"), IMMUTABLE);
    let root = root.bytes().await.unwrap();
    assert_eq!(
        provisioning_package::Digest::of(&root),
        found.root_fingerprint
    );
    let copy = std::fs::read(registry.file("public/.well-known/provisioning-registry.json"));
    let copy: Discovery = serde_json::from_slice(&copy.unwrap()).unwrap();
    assert_eq!(copy.api, None, "a folder has no write side");
}

#[tokio::test]
async fn mutable_files_are_revalidated_by_if_none_match_alone() {
    let registry = Registry::start();
    let redis = archive("redis@1.0.0", "x");
    registry.publish("redis@1.0.0", &[redis]).await.unwrap();
    for (path, cache) in [
        ("metadata/timestamp.json", "no-cache"),
        ("index/extension/redis.json", "max-age=60"),
        (".well-known/provisioning-registry.json", "max-age=60"),
        ("install.sh", "max-age=60"),
        ("core", "max-age=60"),
        ("install.ps1", "max-age=60"),
        ("install.nu", "max-age=60"),
        ("channels.json", "max-age=60"),
    ] {
        let first = registry.get(path).await;
        assert_eq!(first.status(), 200, "{path}");
        assert_eq!(header(&first, "cache-control"), cache, "{path}");
        let tag = header(&first, "etag");
        let second = registry.get_with(path, "if-none-match", &tag).await;
        assert_eq!(second.status(), 304, "{path}");
        assert_eq!(header(&second, "etag"), tag, "{path}");
        assert_eq!(header(&second, "cache-control"), cache, "{path}");
        let other = registry.get_with(path, "if-none-match", "\"other\"").await;
        assert_eq!(other.status(), 200, "{path}");
    }
}

#[tokio::test]
async fn archives_can_be_read_in_parts_and_are_immutable() {
    let registry = Registry::start();
    let redis = archive("redis@1.0.0", &"x".repeat(4000));
    registry
        .publish("redis@1.0.0", std::slice::from_ref(&redis))
        .await
        .unwrap();
    let path = format!("archives/sha256/{}", redis.digest.hex());
    let length = redis.bytes.len();
    let part = registry.get_with(&path, "range", "bytes=3-9").await;
    assert_eq!(part.status(), 206);
    assert_eq!(
        header(&part, "content-range"),
        format!("bytes 3-9/{length}")
    );
    assert_eq!(header(&part, "content-length"), "7");
    assert_eq!(header(&part, "cache-control"), IMMUTABLE);
    assert_eq!(part.bytes().await.unwrap(), redis.bytes[3..=9]);
    let outside = registry.get_with(&path, "range", "bytes=9999999-").await;
    assert_eq!(
        header(&outside, "content-range"),
        format!("bytes */{length}")
    );
    assert_eq!(problem(outside).await.code, "range-not-satisfiable");
    let url = format!("{}/{path}", registry.base);
    let stale = registry.http.get(&url).header("range", "bytes=3-9");
    let stale = stale.header("if-range", "\"other\"").send().await.unwrap();
    assert_eq!(stale.status(), 200);
    let head = registry.http.head(&url).send().await.unwrap();
    assert_eq!(head.status(), 200);
    assert_eq!(header(&head, "content-length"), length.to_string());
    assert_eq!(header(&head, "accept-ranges"), "bytes");
    let unchanged = registry
        .get_with(&path, "if-none-match", &header(&head, "etag"))
        .await;
    assert_eq!(unchanged.status(), 304);
}

#[tokio::test]
async fn a_large_archive_is_streamed_whole_and_in_parts() {
    let registry = Registry::start();
    // Not compressible, so that the archive is larger than what is read at once.
    let mut state = 1_u64;
    let noise: String = (0..600_000)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            char::from(b'!' + u8::try_from((state >> 33) % 90).unwrap())
        })
        .collect();
    let redis = archive("redis@1.0.0", &noise);
    assert!(redis.bytes.len() > 400_000);
    registry
        .publish("redis@1.0.0", std::slice::from_ref(&redis))
        .await
        .unwrap();
    assert_eq!(registry.archive(&redis.digest).await, redis.bytes);
    let path = format!("archives/sha256/{}", redis.digest.hex());
    let tail = registry.get_with(&path, "range", "bytes=-300000").await;
    assert_eq!(
        tail.bytes().await.unwrap(),
        redis.bytes[redis.bytes.len() - 300_000..]
    );
}

#[tokio::test]
async fn downloads_by_name_redirect_to_the_digest() {
    let registry = Registry::start();
    let redis = archive("redis@1.0.0", "x");
    registry
        .publish("redis@1.0.0", std::slice::from_ref(&redis))
        .await
        .unwrap();
    for target in Target::ALL {
        let path = format!("dl/extension/redis/1.0.0/{target}");
        let response = registry.get_with(&path, "host", "evil.example").await;
        assert_eq!(response.status(), 302);
        let location = header(&response, "location");
        assert_eq!(location, format!("/archives/sha256/{}", redis.digest.hex()));
    }
    for path in [
        "dl/extension/redis/1.0.1/any",
        "dl/core/redis/1.0.0/any",
        "dl/extension/redis/1.0.0/amiga",
        "dl/extension/nothing/1.0.0/any",
    ] {
        assert_eq!(
            problem(registry.get(path).await).await.code,
            "not-found",
            "{path}"
        );
    }
}

#[tokio::test]
async fn nothing_outside_the_public_folder_can_be_read() {
    let registry = Registry::start();
    let token = registry.admin();
    for path in [
        "metadata/..%2f..%2fadmin-token",
        "metadata/%2e%2e",
        "metadata/../../admin-token",
        "../admin-token",
        "metadata/.hidden.json",
        "targets/%2e%2e/%2e%2e/admin-token",
        "targets/..%2f..%2fadmin-token",
        "targets//etc/passwd",
        "archives/sha256/..%2f..%2f..%2fadmin-token",
        "archives/sha256/ABC",
        "index/core/..%2f..%2fadmin-token",
        "nothing/at/all",
    ] {
        let answer = registry.get_raw(path);
        assert!(answer.starts_with("HTTP/1.1 404"), "{path}: {answer}");
        assert!(
            answer.contains("\"code\":\"not-found\""),
            "{path}: {answer}"
        );
        assert!(!answer.contains(&token), "{path}");
    }
}

#[tokio::test]
async fn browsers_get_a_page_and_everything_else_the_script() {
    let registry = Registry::start();
    let script = registry.get("").await;
    assert_eq!(header(&script, "vary"), "Accept");
    assert!(script.text().await.unwrap().starts_with("#!/bin/sh"));
    let redis = archive("redis@1.0.0", "x");
    registry.publish("redis@1.0.0", &[redis]).await.unwrap();
    let page = registry.get_with("", "accept", "text/html,*/*;q=0.8").await;
    assert_eq!(header(&page, "vary"), "Accept");
    assert_eq!(header(&page, "content-type"), "text/html; charset=utf-8");
    let policy = header(&page, "content-security-policy");
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    let text = page.text().await.unwrap();
    assert!(text.contains("redis") && text.contains("1.0.0"));
    assert!(!text.contains("<script"));
}

#[tokio::test]
async fn scripts_name_the_public_url_and_never_the_host_header() {
    let folder = tempfile::tempdir().unwrap();
    let url = "https://packages.example.org/registry/";
    let registry = Registry::start_in(folder, &["--public-url", url]);
    let response = registry
        .get_with("install.sh", "host", "evil.example")
        .await;
    let text = response.text().await.unwrap();
    assert!(text.contains("https://packages.example.org/registry"));
    assert!(!text.contains("evil.example"));
}

#[tokio::test]
async fn scripts_change_when_a_client_is_published() {
    let registry = Registry::start();
    let before = registry.get("install.sh").await.text().await.unwrap();
    let text = crate::registry::manifest("client@1.0.0", "");
    let format = provisioning_package::ArchiveFormat::TarGz;
    let client = crate::registry::pack(&text, "x", Target::LinuxX86_64, format);
    registry
        .publish("client@1.0.0", std::slice::from_ref(&client))
        .await
        .unwrap();
    let after = registry.get("install.sh").await.text().await.unwrap();
    assert!(!before.contains(&client.digest.hex()));
    assert!(after.contains(&client.digest.hex()));
}

#[tokio::test]
async fn wrong_methods_and_health_answer_as_documented() {
    let registry = Registry::start();
    let url = format!("{}/versions.toml", registry.base);
    let wrong = registry
        .http
        .request(Method::DELETE, url)
        .send()
        .await
        .unwrap();
    assert_eq!(wrong.status(), 405);
    assert!(header(&wrong, "allow").contains("GET"));
    assert_eq!(problem(wrong).await.code, "method-not-allowed");
    assert_eq!(registry.get("livez").await.status(), 200);
    assert_eq!(registry.get("readyz").await.status(), 200);
    assert_eq!(
        registry.get("versions.toml").await.status(),
        404,
        "no matrix yet"
    );
}

#[tokio::test]
async fn search_finds_names_first_and_takes_wildcards_literally() {
    let registry = Registry::start();
    for (spec, words) in [("redis@1.0.0", "a store"), ("store@1.0.0", "100% yours")] {
        let text = crate::registry::manifest(spec, &format!("description = \"{words}\"\n"));
        let format = provisioning_package::ArchiveFormat::TarZst;
        let packed = crate::registry::pack(&text, "x", Target::Any, format);
        registry.publish(spec, &[packed]).await.unwrap();
    }
    let names = async |query: &str| -> Vec<String> {
        let path = format!("api/v1/search?q={query}");
        let found: serde_json::Value = json(registry.get(&path).await).await;
        let packages = found["packages"].as_array().unwrap();
        packages
            .iter()
            .map(|it| it["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names("store").await, ["store", "redis"]);
    assert_eq!(names("100%25").await, ["store"]);
    assert_eq!(names("%25&kind=core").await, Vec::<String>::new());
    assert_eq!(
        problem(registry.get("api/v1/search?kind=x").await)
            .await
            .code,
        "bad-request"
    );
}
