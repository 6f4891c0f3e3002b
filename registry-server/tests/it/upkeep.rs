//! `fsck`, `gc`, `export` and `db copy` beside a running registry.

use std::path::Path;
use std::process::Output;

use provisioning_package::Digest;
use provisioning_registry_api::command::Yank;
use provisioning_registry_api::session::{OpenSession, SessionStatus};
use reqwest::Method;
use serde_json::Value;

use crate::registry::{Archive, Registry, answer, archive, declared, program};

async fn with_versions(specs: &[&str]) -> (Registry, Vec<Archive>) {
    let registry = Registry::start_lasting();
    let mut archives = Vec::new();
    for spec in specs {
        let built = archive(spec, spec);
        let published = registry.publish(spec, std::slice::from_ref(&built)).await;
        published.unwrap();
        archives.push(built);
    }
    (registry, archives)
}

fn document(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| {
        panic!("no JSON: {}", String::from_utf8_lossy(&output.stderr));
    })
}

fn findings(output: &Output) -> Vec<(String, bool)> {
    let document = document(output);
    let found = document["findings"].as_array().unwrap().iter();
    let pair = |it: &Value| {
        let code = it["code"].as_str().unwrap().to_owned();
        (code, it["repaired"].as_bool().unwrap())
    };
    found.map(pair).collect()
}

fn stored(registry: &Registry, archive: &Archive) -> std::path::PathBuf {
    registry.file(&format!("public/archives/sha256/{}", archive.digest.hex()))
}

fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.push(path.strip_prefix(folder).unwrap().display().to_string());
            }
        }
    }
    found.sort();
    found
}

#[tokio::test]
async fn a_registry_in_use_is_clean() {
    let (registry, _) = with_versions(&["redis@1.0.0", "redis@1.1.0", "core@3.1.0"]).await;
    let yank = Yank {
        reason: "x".to_owned(),
        replacement: None,
        force: false,
    };
    let path = "packages/extension/redis/versions/1.0.0/yank";
    registry.send(Method::PUT, path, &yank).await;
    let output = registry.command(&["fsck"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "clean\n");
}

#[tokio::test]
async fn a_damaged_archive_is_found_and_mended_from_an_export() {
    let (registry, archives) = with_versions(&["redis@1.0.0", "kafka@2.0.0"]).await;
    let copy = tempfile::tempdir().unwrap();
    let copy = copy.path().to_str().unwrap();
    assert!(registry.command(&["export", copy]).status.success());
    std::fs::write(
        stored(&registry, &archives[0]),
        vec![0; archives[0].bytes.len()],
    )
    .unwrap();
    std::fs::remove_file(stored(&registry, &archives[1])).unwrap();

    let found = registry.command(&["fsck", "--json"]);
    assert_eq!(found.status.code(), Some(1));
    let both = [("archive-missing", false), ("archive-damaged", false)];
    assert_eq!(
        findings(&found),
        both.map(|(code, is)| (code.to_owned(), is))
    );
    let text = registry.command(&["fsck"]);
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(text.contains("redis@1.0.0 needs it"), "{text}");
    assert!(text.contains("fsck --repair --from"), "{text}");

    let alone = registry.command(&["fsck", "--repair"]);
    assert_eq!(
        alone.status.code(),
        Some(1),
        "there is nothing to mend it from"
    );
    let mended = registry.command(&["fsck", "--repair", "--from", copy]);
    assert_eq!(mended.status.code(), Some(0));
    assert_eq!(
        registry.archive(&archives[0].digest).await,
        archives[0].bytes
    );
    assert_eq!(
        registry.archive(&archives[1].digest).await,
        archives[1].bytes
    );
    assert!(registry.command(&["fsck"]).status.success());
}

#[tokio::test]
async fn a_lost_index_entry_is_written_again_with_the_bytes_that_were_signed() {
    let (registry, _) = with_versions(&["redis@1.0.0"]).await;
    let folder = registry.file("public/targets/index/extension");
    let entry = std::fs::read_dir(&folder).unwrap().next().unwrap();
    let entry = entry.unwrap().path();
    let bytes = std::fs::read(&entry).unwrap();
    std::fs::write(&entry, "{}").unwrap();
    assert_eq!(
        findings(&registry.command(&["fsck", "--json"])),
        [("target-damaged".to_owned(), false)]
    );
    let mended = registry.command(&["fsck", "--repair", "--json"]);
    assert_eq!(findings(&mended), [("target-damaged".to_owned(), true)]);
    assert_eq!(std::fs::read(&entry).unwrap(), bytes);
}

#[tokio::test]
async fn an_archive_that_no_version_uses_goes_after_its_grace_period() {
    let (registry, archives) = with_versions(&["redis@1.0.0"]).await;
    // As a server leaves it that was killed between storing an archive and its row.
    let orphan = archive("kafka@1.0.0", "x");
    let path = stored(&registry, &orphan);
    std::fs::write(&path, &orphan.bytes).unwrap();

    let early = registry.command(&["gc", "--json"]);
    assert_eq!(document(&early)["paths"], serde_json::json!([]));
    assert!(
        registry.command(&["fsck"]).status.success(),
        "within its grace"
    );
    let due = ["--grace", "0s"];
    let dry = registry.command(&[&["gc", "--json", "--dry-run"][..], &due].concat());
    let name = format!("archives/sha256/{}", orphan.digest.hex());
    // Ages are counted in whole seconds.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let dry_again = registry.command(&[&["gc", "--json", "--dry-run"][..], &due].concat());
    assert!(dry.status.success() && path.exists());
    let listed = document(&dry_again)["paths"].to_string();
    assert!(listed.contains(&name), "{listed}");
    let found = registry.command(&[&["fsck", "--json"][..], &due].concat());
    assert!(findings(&found).contains(&("archive-unreferenced".to_owned(), false)));
    let done = registry.command(&[&["gc", "--json"][..], &due].concat());
    assert!(document(&done)["paths"].to_string().contains(&name));
    assert!(!path.exists());
    assert_eq!(
        registry.archive(&archives[0].digest).await,
        archives[0].bytes
    );
    assert!(
        registry
            .command(&["fsck", "--grace", "0s"])
            .status
            .success()
    );
}

#[tokio::test]
async fn what_an_open_publish_declares_is_not_collected() {
    let (registry, _) = with_versions(&["redis@1.0.0"]).await;
    let (first, second) = (archive("kafka@1.0.0", "a"), archive("nats@1.0.0", "b"));
    let open = OpenSession {
        versions: vec![
            declared("kafka@1.0.0", std::slice::from_ref(&first)),
            declared("nats@1.0.0", std::slice::from_ref(&second)),
        ],
    };
    let opened = registry.send(Method::POST, "sessions", &open).await;
    let opened: SessionStatus = answer(opened).await.unwrap();
    let sent = registry
        .upload(&opened.session, &first.digest, &first.bytes)
        .await;
    assert_eq!(sent.unwrap().status(), 200);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    assert!(registry.command(&["gc", "--grace", "0s"]).status.success());
    let sent = registry
        .upload(&opened.session, &second.digest, &second.bytes)
        .await;
    assert_eq!(sent.unwrap().status(), 200);
    let path = format!("sessions/{}/finalize", opened.session);
    let done = registry.send(Method::POST, &path, &()).await;
    let done: SessionStatus = answer(done).await.unwrap();
    assert!(done.missing.is_empty());
    assert_eq!(registry.archive(&first.digest).await, first.bytes);
}

#[tokio::test]
async fn replaced_metadata_goes_and_roots_and_everything_signed_stay() {
    let (registry, _) = with_versions(&["redis@1.0.0", "redis@1.1.0", "redis@1.2.0"]).await;
    let before = files(&registry.file("public/metadata"));
    std::thread::sleep(std::time::Duration::from_millis(1100));
    assert!(registry.command(&["gc", "--grace", "0s"]).status.success());
    let after = files(&registry.file("public/metadata"));
    assert!(after.len() < before.len());
    assert!(after.contains(&"1.root.json".to_owned()));
    assert!(registry.command(&["fsck"]).status.success());
    let entry = registry.index("redis").await;
    assert_eq!(entry.versions.len(), 3);
}

#[tokio::test]
async fn an_export_is_the_read_side_and_the_next_one_copies_what_is_new() {
    let (registry, archives) = with_versions(&["redis@1.0.0"]).await;
    let copy = tempfile::tempdir().unwrap();
    let to = copy.path().join("copy");
    let to = to.to_str().unwrap();
    assert!(registry.command(&["export", to]).status.success());
    let again = document(&registry.command(&["export", to, "--json"]));
    assert_eq!(again["export"]["copied"], 0);
    let next = archive("redis@1.1.0", "next");
    registry
        .publish("redis@1.1.0", std::slice::from_ref(&next))
        .await
        .unwrap();
    let third = document(&registry.command(&["export", to, "--json"]));
    let copied = third["export"]["copied"].as_u64().unwrap();
    assert!(
        (4..=6).contains(&copied),
        "entry, archive and metadata: {copied}"
    );
    for archive in [&archives[0], &next] {
        let path = format!("{to}/archives/sha256/{}", archive.digest.hex());
        assert_eq!(Digest::of(&std::fs::read(path).unwrap()), archive.digest);
    }
    let discovery = std::fs::read(format!("{to}/.well-known/provisioning-registry.json"));
    let discovery: Value = serde_json::from_slice(&discovery.unwrap()).unwrap();
    assert_eq!(discovery["api"], Value::Null);
    let timestamp = std::fs::read(format!("{to}/metadata/timestamp.json")).unwrap();
    let served = registry.get("metadata/timestamp.json").await;
    assert_eq!(served.bytes().await.unwrap(), timestamp);
}

#[tokio::test]
async fn a_database_is_copied_row_by_row_and_never_over_another() {
    let (registry, _) = with_versions(&["redis@1.0.0", "core@3.1.0"]).await;
    let url = match crate::database::arguments(registry.file("").as_path()).pop() {
        Some(url) => url,
        None => format!("sqlite://{}", registry.file("registry.sqlite").display()),
    };
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("registry.sqlite");
    let to = format!("sqlite://{}?mode=rwc", copy.display());
    let run = || program().args(["db", "copy", "--json", &url, &to]).output();
    let copied = document(&run().unwrap());
    let tables = copied["tables"].as_array().unwrap();
    let versions = tables.iter().find(|it| it["table"] == "versions").unwrap();
    assert_eq!(versions["rows"], 2);
    let again = run().unwrap();
    assert_eq!(again.status.code(), Some(1));
    let said = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(said.contains("choose an empty one"), "{said}");
    let missing = program()
        .args(["db", "copy", "sqlite:///nowhere/x.sqlite", &to])
        .output();
    assert_eq!(missing.unwrap().status.code(), Some(1));
}

#[tokio::test]
async fn a_restored_backup_serves_the_same_bytes_and_takes_the_next_publish() {
    let (registry, archives) = with_versions(&["redis@1.0.0", "core@3.1.0"]).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("registry.backup");
    let file = file.to_str().unwrap();
    let made = document(&registry.command(&["backup", file, "--json"]));
    assert_eq!(made["backup"]["archives"], 2);
    let again = registry.command(&["backup", file]);
    assert_eq!(
        again.status.code(),
        Some(1),
        "a backup is never written over"
    );

    let other = tempfile::tempdir().unwrap();
    let restored = restore_into(other.path(), file);
    assert!(
        restored.status.success(),
        "{}",
        String::from_utf8_lossy(&restored.stderr)
    );
    let twice = restore_into(other.path(), file);
    assert_eq!(
        twice.status.code(),
        Some(1),
        "a registry is never written over"
    );
    let second = Registry::start_in(other, &[]);
    assert_eq!(second.index("redis").await, registry.index("redis").await);
    assert_eq!(second.archive(&archives[0].digest).await, archives[0].bytes);
    assert!(second.command(&["fsck"]).status.success());
    let next = archive("redis@1.1.0", "next");
    let next = second
        .publish("redis@1.1.0", std::slice::from_ref(&next))
        .await;
    next.unwrap();
}

fn restore_into(folder: &Path, file: &str) -> Output {
    program()
        .args(["restore", file, "--data"])
        .arg(folder)
        .args(crate::database::arguments(folder))
        .output()
        .unwrap()
}

#[tokio::test]
async fn a_changed_or_cut_backup_restores_nothing() {
    let (registry, archives) = with_versions(&["redis@1.0.0"]).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("registry.backup");
    assert!(
        registry
            .command(&["backup", file.to_str().unwrap()])
            .status
            .success()
    );
    let whole = std::fs::read(&file).unwrap();
    let archive_at = whole
        .windows(archives[0].bytes.len())
        .position(|it| it == archives[0].bytes)
        .unwrap();
    let mut changed = whole.clone();
    changed[archive_at + 10] ^= 1;
    for bad in [&whole[..whole.len() / 2], &changed] {
        std::fs::write(&file, bad).unwrap();
        let other = tempfile::tempdir().unwrap();
        let refused = restore_into(other.path(), file.to_str().unwrap());
        assert_eq!(refused.status.code(), Some(1));
        assert!(!other.path().join("public/metadata/timestamp.json").exists());
        assert!(!other.path().join("keys").exists());
    }
}

#[test]
fn a_folder_that_is_no_registry_is_named_and_left_empty() {
    let folder = tempfile::tempdir().unwrap();
    for command in [&["fsck"][..], &["gc"], &["export", "/nowhere/else"]] {
        let output = program()
            .args(command)
            .arg("--data")
            .arg(folder.path())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("holds no registry"), "{said}");
    }
    assert!(files(folder.path()).is_empty());
}
