//! Machines without a network: exported files, imports, and what is refused of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use provisioning_package::{Digest, ExportReader, ExportWriter, export_order};
use serde_json::json;

use crate::foreign_registry::ForeignRegistry;
use crate::product::{changes, packages, published};
use crate::registry_fixture::{Client, Registry};

type Files = BTreeMap<String, Vec<u8>>;

/// What an exported file holds.
fn read(file: &Path) -> Files {
    let mut reader = ExportReader::new(fs::File::open(file).unwrap());
    let mut files = Files::new();
    while let Some(entry) = reader.next_entry().unwrap() {
        let mut content = Vec::new();
        std::io::Read::read_to_end(&mut reader, &mut content).unwrap();
        files.insert(entry.path, content);
    }
    files
}

/// Writes an exported file.
fn write(file: &Path, files: &Files) {
    let mut sorted: Vec<_> = files.iter().collect();
    sorted.sort_by(|left, right| export_order(left.0, right.0));
    let mut writer = ExportWriter::new(Vec::new());
    for (path, content) in sorted {
        writer
            .add(path, content.len() as u64, &mut &content[..])
            .unwrap();
    }
    fs::write(file, writer.finish().unwrap()).unwrap();
}

/// Everything below a folder, with the contents.
fn snapshot(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                found.insert(path.clone(), Vec::new());
                open.push(path);
            } else {
                found.insert(path.clone(), fs::read(&path).unwrap_or_default());
            }
        }
    }
    found
}

/// A product, and a file exported for `specs` by a machine with a network.
fn exported(specs: &[&str]) -> (Registry, Client, PathBuf) {
    let (registry, client) = published();
    let file = client.home().join("product.export");
    let mut arguments = vec!["export"];
    arguments.extend(specs);
    arguments.extend(["-o", file.to_str().unwrap()]);
    client.ok(&arguments);
    (registry, client, file)
}

#[test]
fn the_whole_life_of_a_machine_without_a_network_works_from_one_file() {
    let (mut registry, _online, file) = exported(&["lts-3.1", "stable-3.2"]);
    registry.stop();
    let file = file.to_str().unwrap();
    let machine = Client::alone();
    let imported = machine.json(&["import", file]);
    assert_eq!(imported["archives"], 9);
    assert_eq!(imported["specs"], json!(["lts-3.1", "stable-3.2"]));
    assert_eq!(imported["local"], true);
    machine.ok(&["install", "lts-3.1"]);
    machine.ok(&["verify"]);
    let upgraded = machine.json(&["install", "stable"]);
    assert!(changes(&upgraded).contains(&"upgrade core 3.2.1".to_owned()));
    let again = machine.home().join("again.export");
    machine.ok(&["export", "stable-3.2", "-o", again.to_str().unwrap()]);
    let next = Client::alone();
    next.ok(&["install", "--from", again.to_str().unwrap()]);
    assert_eq!(packages(&next.json(&["list"])).len(), 6);
    next.ok(&["verify"]);
}

#[test]
fn what_was_not_imported_is_refused_with_a_way_to_get_it() {
    let (_registry, _online, file) = exported(&["core"]);
    let machine = Client::alone();
    machine.ok(&["import", file.to_str().unwrap()]);
    let error = machine.error(3, &["install", "mongodb"]);
    assert_eq!(error["code"], "out-of-reach", "{error}");
    assert!(!error.to_string().contains("offline"), "{error}");
    let hints = error["hints"].to_string();
    assert!(hints.contains("provisioning registry add URL"), "{hints}");
}

#[test]
fn upgrades_and_rollbacks_need_no_network_after_an_import() {
    let (mut registry, _online, file) = exported(&["lts-3.1", "stable-3.2"]);
    registry.stop();
    let machine = Client::alone();
    machine.ok(&["import", file.to_str().unwrap()]);
    machine.ok(&["install", "lts-3.1"]);
    machine.ok(&["install", "stable-3.2"]);
    assert_eq!(packages(&machine.json(&["list"]))[0], "core 3.2.1");
    machine.ok(&["rollback"]);
    assert_eq!(packages(&machine.json(&["list"]))[0], "core 3.1.5");
    machine.ok(&["verify"]);
}

#[test]
fn the_same_specs_give_the_same_bytes_also_on_another_machine() {
    let (_registry, online, file) = exported(&["stable-3.2"]);
    let again = online.home().join("again.export");
    online.ok(&["export", "stable-3.2", "-o", again.to_str().unwrap()]);
    assert_eq!(fs::read(&file).unwrap(), fs::read(&again).unwrap());
    let other = Client::alone();
    other.ok(&["import", file.to_str().unwrap()]);
    let third = other.home().join("third.export");
    other.ok(&["export", "stable-3.2", "-o", third.to_str().unwrap()]);
    let (one, other) = (read(&file), read(&third));
    assert_eq!(
        one.keys().collect::<Vec<_>>(),
        other.keys().collect::<Vec<_>>()
    );
    assert!(one.contains_key("metadata/1.root.json"));
    assert!(one.contains_key("metadata/timestamp.json"));
}

#[test]
fn a_dry_run_from_a_file_plans_the_same_and_leaves_no_trace() {
    let (_registry, _online, file) = exported(&["stable-3.2"]);
    let machine = Client::alone();
    let before = snapshot(machine.home());
    let plan = machine.json(&["install", "--from", file.to_str().unwrap(), "--dry-run"]);
    assert_eq!(changes(&plan).len(), 6);
    assert_eq!(snapshot(machine.home()), before);
    let done = machine.json(&["install", "--from", file.to_str().unwrap()]);
    assert_eq!(changes(&done), changes(&plan));
}

/// Importing `file` must be refused with status 4 and change nothing.
fn refused(machine: &Client, file: &Path, what: &str) {
    let before = snapshot(machine.home());
    let ran = machine.run(&["--json", "import", file.to_str().unwrap()]);
    assert_eq!(ran.status(), 4, "{what}: {} {}", ran.stdout(), ran.stderr());
    assert_eq!(snapshot(machine.home()), before, "{what}");
    let ran = machine.run(&["--json", "install", "--from", file.to_str().unwrap()]);
    assert_eq!(ran.status(), 4, "{what}: {}", ran.stderr());
    assert_eq!(snapshot(machine.home()), before, "{what}");
}

#[test]
fn a_changed_cut_or_longer_file_is_refused_and_changes_nothing() {
    let (_registry, _online, file) = exported(&["core@3.1.0"]);
    let good = fs::read(&file).unwrap();
    let machine = Client::alone();
    let bad = file.with_extension("bad");
    for place in (0..good.len()).step_by(good.len() / 40) {
        let mut bytes = good.clone();
        bytes[place] ^= 0x20;
        fs::write(&bad, bytes).unwrap();
        refused(&machine, &bad, &format!("byte {place}"));
    }
    for length in [0, 1, 512, good.len() / 2, good.len() - 1, good.len() - 1024] {
        fs::write(&bad, &good[..length]).unwrap();
        refused(&machine, &bad, &format!("cut to {length}"));
    }
    fs::write(&bad, [&good[..], b"more"].concat()).unwrap();
    refused(&machine, &bad, "something behind it");
    machine.ok(&["import", file.to_str().unwrap()]);
}

#[test]
fn a_changed_file_is_refused_also_where_the_right_one_is_known() {
    let (_registry, _online, file) = exported(&["stable-3.2"]);
    let machine = Client::alone();
    machine.ok(&["import", file.to_str().unwrap()]);
    let files = read(&file);
    for path in files.keys().filter(|it| it.starts_with("metadata/")) {
        let mut changed = files.clone();
        let content = changed.get_mut(path).unwrap();
        let middle = content.len() / 2;
        content[middle] ^= 1;
        let place = machine.home().join("changed.export");
        write(&place, &changed);
        refused(&machine, &place, path);
    }
}

#[test]
fn files_that_no_signature_speaks_of_and_swapped_ones_are_refused() {
    let (_registry, online, file) = exported(&["core@3.1.0"]);
    let good = read(&file);
    let machine = Client::alone();
    let bad = file.with_extension("bad");
    let archive = good.keys().find(|it| it.starts_with("archives/")).unwrap();
    let index = good.keys().find(|it| it.contains("core.json")).unwrap();
    let matrix = good.keys().find(|it| it.contains("versions.toml")).unwrap();
    let check = |what: &str, change: &dyn Fn(&mut Files)| {
        let mut files = good.clone();
        change(&mut files);
        write(&bad, &files);
        refused(&machine, &bad, what);
    };
    let extra = format!("archives/sha256/{}", Digest::of(b"extra").hex());
    check("an archive more", &|it| {
        it.insert(extra.clone(), b"extra".to_vec());
    });
    check("another archive under its name", &|it| {
        it.insert(archive.clone(), b"extra".to_vec());
    });
    check("an archive less", &|it| drop(it.remove(archive)));
    check("an index entry less", &|it| drop(it.remove(index)));
    check("the matrix in place of the index", &|it| {
        let bytes = it[matrix].clone();
        it.insert(index.clone(), bytes);
    });
    let foreign = format!("targets/{}.evil.json", Digest::of(b"{}").hex());
    check("a target that nobody signed", &|it| {
        it.insert(foreign.clone(), b"{}".to_vec());
    });
    check("metadata that nobody signed", &|it| {
        it.insert("metadata/9.evil.json".to_owned(), b"{}".to_vec());
    });
    check("a file elsewhere", &|it| {
        it.insert("bin/evil".to_owned(), b"#!/bin/sh".to_vec());
    });
    check("no timestamp", &|it| {
        it.remove("metadata/timestamp.json");
    });
    check("no roots", &|it| {
        it.retain(|path, _| !path.contains("root"));
    });
    drop(online);
}

#[test]
fn an_older_export_than_what_is_known_is_refused_as_a_rollback() {
    let (registry, online, old) = exported(&["core@3.1.0"]);
    let author = Client::of(&registry);
    author.publish(&crate::registry_fixture::Sample::extension("late", "1.0.0"));
    let new = online.home().join("new.export");
    online.ok(&["export", "core@3.1.0", "-o", new.to_str().unwrap()]);
    let machine = Client::alone();
    machine.ok(&["import", old.to_str().unwrap()]);
    machine.ok(&["import", new.to_str().unwrap()]);
    let error = machine.error(4, &["import", old.to_str().unwrap()]);
    assert_eq!(error["code"], "rollback");
    let pinned = Client::alone().with("PROVISIONING_REGISTRY", registry.url());
    let wrong = Digest::of(b"another").prefixed();
    let arguments = [
        "--root-fingerprint",
        &wrong,
        "import",
        new.to_str().unwrap(),
    ];
    assert_eq!(pinned.error(4, &arguments)["code"], "wrong-root");
}

/// An export of somebody else's registry whose timestamp ends at `expires`.
fn foreign_export(expires: jiff::Timestamp) -> (ForeignRegistry, PathBuf) {
    let mut registry = ForeignRegistry::new();
    registry.timestamp_expires = expires.to_string();
    registry.extension("redis", &[("1.0.0", &[])]);
    drop(registry.signed());
    let mut files = Files::new();
    for (path, content) in snapshot(registry.folder()) {
        if path.is_file() {
            let path = path.strip_prefix(registry.folder()).unwrap();
            files.insert(path.to_str().unwrap().to_owned(), content);
        }
    }
    let place = ".well-known/provisioning-registry.json";
    let mut discovery: serde_json::Value = serde_json::from_slice(&files[place]).unwrap();
    discovery["origin"] = json!("https://foreign.example/");
    discovery["contents"] = json!(".well-known/provisioning-copy.json");
    files.insert(place.to_owned(), discovery.to_string().into_bytes());
    let contents = json!({"schema": 1, "specs": ["redis"], "archives": []});
    files.insert(
        ".well-known/provisioning-copy.json".to_owned(),
        contents.to_string().into_bytes(),
    );
    let file = registry.folder().join("foreign.export");
    write(&file, &files);
    (registry, file)
}

#[test]
fn an_import_outlives_its_timestamp_by_thirty_days_after_signing_and_no_more() {
    let now = jiff::Timestamp::from_second(
        fs::metadata(std::env::temp_dir())
            .and_then(|_| {
                let probe = tempfile::NamedTempFile::new()?;
                let modified = probe.as_file().metadata()?.modified()?;
                Ok(modified.duration_since(std::time::UNIX_EPOCH).unwrap())
            })
            .unwrap()
            .as_secs()
            .try_into()
            .unwrap(),
    )
    .unwrap();
    let days = |count: i64| jiff::SignedDuration::from_hours(24 * count);
    // Signed at most two days before it ends: 27 days ago and 31 days ago.
    for (ended, status) in [(25, 0), (29, 4)] {
        let (_registry, file) = foreign_export(now - days(ended));
        let machine = Client::alone();
        let ran = machine.run(&["--json", "import", file.to_str().unwrap()]);
        assert_eq!(ran.status(), status, "{}", ran.stderr());
        if status == 4 {
            assert!(ran.stderr().contains("copy-too-old"), "{}", ran.stderr());
        } else {
            let ran = machine.run(&["info", "redis"]);
            assert_eq!(ran.status(), 0, "{}", ran.stderr());
            assert!(ran.stderr().contains("27 days old"), "{}", ran.stderr());
        }
        let patient = machine.with("PROVISIONING_MAX_OFFLINE_AGE", "60d");
        patient.ok(&["import", file.to_str().unwrap()]);
    }
}

#[test]
fn offline_solves_over_what_is_cached_and_says_what_it_left_out() {
    let (mut registry, client) = published();
    client.ok(&["install", "core@3.1.0"]);
    client.ok(&["info", "platform"]);
    client.ok(&["info", "stable-3.2"]);
    client.ok(&["info", "core"]);
    registry.stop();
    let other = client.home().join("other");
    let prefix = ["--offline", "--prefix", other.to_str().unwrap()];
    let run = |words: &[&str]| client.run(&[&["--json"], &prefix[..], words].concat());
    let ran = run(&["install", "core"]);
    assert_eq!(ran.status(), 0, "{}", ran.stderr());
    let document: serde_json::Value = serde_json::from_str(&ran.stdout()).unwrap();
    assert_eq!(changes(&document), ["install core 3.1.0"]);
    let warnings = document["plan"]["warnings"].to_string();
    assert!(warnings.contains("left out core 3.2.1"), "{warnings}");
    let ran = run(&["install", "core@3.2.1"]);
    assert_eq!(ran.status(), 3, "{}", ran.stderr());
    assert!(ran.stderr().contains("not cached"), "{}", ran.stderr());
    assert!(ran.stderr().contains("out-of-reach"), "{}", ran.stderr());
    let ran = run(&["install", "never-seen"]);
    assert_eq!(ran.status(), 3, "{}", ran.stderr());
    assert!(ran.stderr().contains("offline"), "{}", ran.stderr());
}
