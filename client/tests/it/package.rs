//! Making and reading archives, without a registry.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::registry_fixture::{Client, Sample};

fn paths(document: &Value) -> Vec<&str> {
    let entries = document["entries"].as_array().unwrap();
    entries
        .iter()
        .map(|it| it["path"].as_str().unwrap())
        .collect()
}

fn sample() -> Sample {
    Sample::extension("redis", "1.1.0")
        .key("description = \"Redis\"")
        .table("[install]\nexclude = [\"tests/**\"]")
        .file("bin/run", "#!/bin/sh\n")
        .file("tests/one", "left out\n")
        .file(".git/config", "left out\n")
        .file(".gitignore", "share\n")
}

#[test]
fn the_same_files_give_the_same_digest_in_any_folder_and_at_any_time() {
    let (one, two) = (Client::alone(), Client::alone());
    let first = one.build(&sample());
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let second = two.build(&sample());
    assert_eq!(
        std::fs::read(first).unwrap(),
        std::fs::read(second).unwrap()
    );
}

#[test]
fn excluded_files_and_git_stay_out_and_dot_files_stay_in() {
    let client = Client::alone();
    let archive = client.build(&sample());
    assert_eq!(
        archive.file_name().unwrap(),
        "provisioning-ext-redis-1.1.0.tar.zst"
    );
    let document = client.json(&["package", "inspect", archive.to_str().unwrap()]);
    assert_eq!(
        paths(&document),
        [
            ".gitignore",
            "bin",
            "bin/run",
            "manifest.toml",
            "share",
            "share/redis.txt"
        ]
    );
    assert_eq!(document["manifest"]["name"], "redis");
    assert_eq!(document["manifest"]["type"], "taskserv");
}

#[test]
fn an_archive_never_contains_the_one_built_before_it() {
    let client = Client::alone();
    let manifest = "[package]\nkind = \"core\"\nname = \"core\"\nversion = \"3.1.0\"\n";
    client.write("manifest.toml", manifest);
    let first = client.json(&["package", "build"]);
    let second = client.json(&["package", "build"]);
    assert_eq!(first["digest"], second["digest"]);
    let inside = client.json(&["package", "build", "-o", "out/[x]"]);
    let again = client.json(&["package", "build", "-o", "out/[x]"]);
    assert_eq!(inside["digest"], again["digest"]);
}

#[test]
fn the_folder_of_archives_plays_no_part_in_the_digest() {
    let client = Client::alone();
    let manifest = "[package]\nkind = \"core\"\nname = \"core\"\nversion = \"3.1.0\"\n";
    client.write("tree/manifest.toml", manifest);
    let digest = |to: &str| client.json(&["package", "build", "tree", "-o", to])["digest"].clone();
    let outside = digest("dist");
    assert_eq!(digest("tree/dist/[all]"), outside);
    assert_eq!(digest("tree/dist/[all]"), outside);
    client.write("tree/dist/mine", "");
    assert_ne!(digest("tree/dist/[all]"), outside);
}

#[test]
fn a_version_from_version_toml_is_written_into_the_archive() {
    let client = Client::alone();
    client.write(
        "c/manifest.toml",
        "[package]\nkind = \"core\"\nname = \"core\"\n",
    );
    client.write("c/version.toml", "[version]\nversion = \"3.2.1\"\n");
    let built = client.json(&["package", "build", "c"]);
    assert_eq!(built["manifest"]["version"], "3.2.1");
    let inspected = client.json(&["package", "inspect", built["archive"].as_str().unwrap()]);
    assert_eq!(inspected["manifest"]["version"], "3.2.1");
}

#[test]
fn source_date_epoch_moves_the_digest_and_nonsense_in_it_is_refused() {
    let client = Client::alone();
    let before = client.json(&[
        "package",
        "inspect",
        client.build(&sample()).to_str().unwrap(),
    ]);
    let client = client.with("SOURCE_DATE_EPOCH", "1700000000");
    let after = client.json(&[
        "package",
        "inspect",
        client.build(&sample()).to_str().unwrap(),
    ]);
    assert_ne!(before["digest"], after["digest"]);
    let client = client.with("SOURCE_DATE_EPOCH", "yesterday");
    assert_eq!(
        client.error(2, &["package", "build", "src/redis-1.1.0"])["code"],
        "usage"
    );
}

#[test]
fn every_mistake_of_a_manifest_is_reported_at_once_with_its_line() {
    let client = Client::alone();
    client.write(
        "m/manifest.toml",
        "[extension]\nname = \"Bad Name\"\nversion = \"one\"\ntype = \"plugin\"\n",
    );
    let error = client.error(1, &["package", "build", "m"]);
    assert_eq!(error["code"], "invalid-manifest");
    let causes = error["causes"].to_string();
    for place in ["manifest.toml:2:", "manifest.toml:3:", "manifest.toml:4:"] {
        assert!(causes.contains(place), "{place}: {causes}");
    }
    let nothing = client.error(1, &["package", "build", "src"]);
    assert!(
        nothing["hints"].to_string().contains("manifest.toml"),
        "{nothing}"
    );
}

#[test]
fn an_unpacked_archive_is_what_was_packed_modes_included() {
    let client = Client::alone();
    client.write(
        "t/manifest.toml",
        "[package]\nkind = \"core\"\nname = \"core\"\nversion = \"1.0.0\"\n",
    );
    let program = client.write("t/bin/run", "#!/bin/sh\n");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::os::unix::fs::symlink("run", client.home().join("t/bin/alias")).unwrap();
    std::fs::create_dir(client.home().join("t/empty")).unwrap();
    for format in ["tar.zst", "tar.gz"] {
        let built = client.json(&["package", "build", "t", "-o", "dist", "--format", format]);
        let archive = built["archive"].as_str().unwrap();
        let to = format!("out-{format}");
        client.ok(&["package", "unpack", archive, "--to", &to]);
        let out = client.home().join(to);
        assert_eq!(
            std::fs::read_to_string(out.join("bin/alias")).unwrap(),
            "#!/bin/sh\n"
        );
        assert!(out.join("empty").is_dir());
        let mode = std::fs::metadata(out.join("bin/run"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o755);
    }
}

#[test]
fn what_is_no_archive_is_refused_with_status_four_and_leaves_nothing() {
    let client = Client::alone();
    client.write("x.tar.zst", "this is no archive");
    let error = client.error(4, &["package", "unpack", "x.tar.zst", "--to", "out"]);
    assert!(!error["code"].as_str().unwrap().is_empty());
    assert!(!client.home().join("out").exists());
    client.error(4, &["package", "inspect", "x.tar.zst"]);
    client.error(1, &["package", "inspect", "absent.tar.zst"]);
}
