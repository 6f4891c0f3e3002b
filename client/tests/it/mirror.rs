//! Copies of a registry in a folder: whole and in part, served by anything, brought up to date.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use crate::product::{changes, packages, published};
use crate::registry_fixture::{Client, Registry, Sample};

/// Serves a folder as the plainest web server does, until the test ends.
fn serve(folder: &Path) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let folder = folder.to_owned();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, folder) = (stream.unwrap(), folder.clone());
            std::thread::spawn(move || {
                let mut head = Vec::new();
                let mut byte = [0];
                while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
                    head.push(byte[0]);
                }
                let head = String::from_utf8_lossy(&head).into_owned();
                let path = head.split(' ').nth(1).unwrap_or("/").to_owned();
                let file = fs::read(folder.join(path.trim_start_matches('/')));
                let (status, body) = match file {
                    Ok(body) => ("200 OK", body),
                    Err(_) => ("404 Not Found", b"no such file".to_vec()),
                };
                let length = body.len();
                let head = format!(
                    "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
                );
                let _ = stream.write_all(head.as_bytes());
                let _ = stream.write_all(&body);
            });
        }
    });
    address
}

fn of_folder(folder: &Path) -> Client {
    let address = format!("file://{}", folder.display());
    Client::alone().with("PROVISIONING_REGISTRY", &address)
}

fn mirrored(words: &[&str]) -> (Registry, Client, PathBuf) {
    let (registry, client) = published();
    let folder = client.home().join("mirror");
    let mut all = vec!["mirror", folder.to_str().unwrap()];
    all.extend(words);
    client.ok(&all);
    (registry, client, folder)
}

#[test]
fn everything_is_copied_and_installs_from_the_folder_and_from_a_plain_server() {
    let (mut registry, client, folder) = mirrored(&[]);
    let again = client.json(&["mirror", folder.to_str().unwrap()]);
    assert_eq!(again["fetched"], 0);
    assert_eq!(again["files"], 0);
    assert_eq!(again["archives"], 13);
    registry.stop();
    for client in [
        of_folder(&folder),
        Client::alone().with("PROVISIONING_REGISTRY", &serve(&folder)),
    ] {
        client.ok(&["install", "stable"]);
        assert_eq!(packages(&client.json(&["list"])).len(), 6);
        client.ok(&["install", "lts-3.1"]);
    }
}

#[test]
fn a_second_run_fetches_only_what_is_new() {
    let (registry, client, folder) = mirrored(&[]);
    let author = Client::of(&registry);
    author.publish(&Sample::extension("late", "1.0.0"));
    let again = client.json(&["mirror", folder.to_str().unwrap()]);
    assert_eq!(again["fetched"], 1);
    assert!(again["files"].as_u64().unwrap() < 8, "{again}");
    of_folder(&folder).ok(&["install", "late"]);
}

#[test]
fn a_part_installs_what_it_was_made_for_and_says_what_it_left_out() {
    let (registry, client, folder) = mirrored(&["--bundle", "lts-3.1"]);
    let count = fs::read_dir(folder.join("archives/sha256"))
        .unwrap()
        .count();
    assert_eq!(count, 3);
    let reader = of_folder(&folder);
    reader.ok(&["install", "lts"]);
    assert_eq!(packages(&reader.json(&["list"])).len(), 3);
    let plan = of_folder(&folder).json(&["install", "core", "--dry-run"]);
    assert_eq!(changes(&plan), ["install core 3.1.5"]);
    let warnings = plan["plan"]["warnings"].to_string();
    assert!(
        warnings.contains("left out core 3.2.1") && warnings.contains("not in this copy"),
        "{warnings}"
    );
    let ran = of_folder(&folder).run(&["--json", "install", "redis"]);
    assert_eq!(ran.status(), 3, "{}", ran.stderr());
    assert!(
        ran.stderr().contains("not in this copy"),
        "{}",
        ran.stderr()
    );
    // What it was made for earlier stays, though the registry moved on.
    Client::of(&registry).publish(&Sample::extension("late", "1.0.0"));
    client.ok(&["mirror", folder.to_str().unwrap(), "late"]);
    let reader = of_folder(&folder);
    reader.ok(&["install", "lts-3.1"]);
    reader.ok(&["install", "late"]);
}

#[test]
fn a_mirror_killed_at_any_instant_serves_what_it_had_and_the_next_run_ends_well() {
    let (registry, client, folder) = mirrored(&["--bundle", "lts-3.1"]);
    for kill in 0..6_u64 {
        let author = Client::of(&registry);
        author.publish(&Sample::extension("late", &format!("1.0.{kill}")));
        let mut child = client
            .command(&["mirror", folder.to_str().unwrap()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(20 + kill * 35));
        let _ = child.kill();
        child.wait().unwrap();
        of_folder(&folder).ok(&["install", "lts-3.1"]);
    }
    client.ok(&["mirror", folder.to_str().unwrap()]);
    of_folder(&folder).ok(&["install", "late@1.0.5"]);
}

#[test]
fn one_folder_has_one_writer_and_a_changed_archive_is_refused_by_readers() {
    let (_registry, client, folder) = mirrored(&["core@3.1.0"]);
    let lock = folder.join(".provisioning-mirror.lock");
    let held = fs::File::options().write(true).open(lock).unwrap();
    held.lock().unwrap();
    let arguments = ["mirror", folder.to_str().unwrap()];
    assert_eq!(client.error(6, &arguments)["code"], "lock-held");
    drop(held);
    let archives = fs::read_dir(folder.join("archives/sha256")).unwrap();
    for entry in archives {
        let path = entry.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        bytes[100] ^= 1;
        fs::write(path, bytes).unwrap();
    }
    let reader = of_folder(&folder);
    assert_eq!(
        reader.error(4, &["install", "core"])["code"],
        "archive-digest"
    );
    assert!(!reader.prefix().join("lib/provisioning/current").exists());
}

#[test]
fn mirrors_of_the_configuration_stand_in_for_a_registry_that_is_gone() {
    let (mut registry, client, folder) = mirrored(&[]);
    let mirror = format!("file://{}", folder.display());
    client.ok(&["info", "core"]);
    registry.stop();
    let reader = client.with("PROVISIONING_MIRRORS", &mirror);
    reader.ok(&["install", "stable-3.2"]);
    let text = format!(
        "[registries.\"{}\"]\nmirrors = [\"{mirror}\"]\n",
        registry.url()
    );
    let configured = Client::alone().with("PROVISIONING_REGISTRY", registry.url());
    configured.write(".config/provisioning/config.toml", &text);
    configured.ok(&["install", "lts-3.1"]);
}
