//! The client itself: another version, the one before, and whose it is.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::registry_fixture::{Client, Registry, Sample, client_program};

/// The version of the client under test.
const OURS: &str = env!("CARGO_PKG_VERSION");

/// A client's package whose program tells `said`.
fn client_package(version: &str, said: &str) -> Sample {
    let program = format!("#!/bin/sh\necho \"provisioning {said}\"\n");
    Sample::first_party("client", version).file("provisioning", &program)
}

/// Puts the client under test where the bootstrap script puts it, and runs that from here on.
pub(crate) fn install(client: &mut Client) -> PathBuf {
    let prefix = client.prefix();
    let home = prefix.join("lib/provisioning/client").join(OURS);
    fs::create_dir_all(&home).unwrap();
    fs::create_dir_all(prefix.join("bin")).unwrap();
    copy_program(&home.join("provisioning"));
    let target = format!("../lib/provisioning/client/{OURS}/provisioning");
    symlink(target, prefix.join("bin/provisioning")).unwrap();
    client.use_program(&prefix.join("bin/provisioning"));
    home.join("provisioning")
}

/// Copies the client under test by another process: a copy that we wrote ourselves is busy
/// while any thread here starts a program.
fn copy_program(to: &Path) {
    let copied = Command::new("cp")
        .arg(client_program())
        .arg(to)
        .status()
        .unwrap();
    assert!(copied.success());
}

/// What the client that is current says its version is.
fn current(client: &Client) -> String {
    let program = client.prefix().join("bin/provisioning");
    let ran = Command::new(program).arg("--version").output().unwrap();
    assert!(ran.status.success());
    let text = String::from_utf8(ran.stdout).unwrap();
    text.trim().trim_start_matches("provisioning ").to_owned()
}

fn entries(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|it| it.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn the_newest_client_becomes_current_and_the_one_before_can_be_gone_back_to() {
    let registry = Registry::start();
    let author = Client::of(&registry);
    let mut client = Client::of(&registry);
    let old = install(&mut client);
    let error = client.error(3, &["self", "update"]);
    assert_eq!(error["code"], "no-client");

    author.publish(&client_package("7.0.0", "7.0.0"));
    author.publish(&client_package("8.0.0", "8.0.0"));
    author.publish(&client_package("9.0.0-rc.1", "9.0.0-rc.1"));
    author.ok(&["yank", "client@8.0.0", "--reason", "it sings"]);
    assert_eq!(client.run(&["self", "update", "--check"]).status(), 100);
    assert_eq!(current(&client), OURS);

    let done = client.json(&["self", "update"]);
    assert_eq!(
        (&done["from"], &done["to"]),
        (&OURS.into(), &"7.0.0".into())
    );
    assert_eq!(current(&client), "7.0.0");
    let folder = client.prefix().join("lib/provisioning/client");
    assert_eq!(entries(&folder), [OURS, "7.0.0", "7.0.0.json"]);
    assert_eq!(entries(&client.prefix().join("bin")), ["provisioning"]);

    // The new one is a sample that knows no commands, so the one before goes on.
    client.use_program(&old);
    assert_eq!(client.run(&["self", "update", "--check"]).status(), 0);
    let back = client.json(&["self", "update", "--rollback"]);
    assert_eq!(back["to"], OURS);
    assert_eq!(current(&client), OURS);
    let forth = client.json(&["self", "update", "--rollback"]);
    assert_eq!(forth["to"], "7.0.0");

    // By its exact version also one that is yanked or a pre-release, with a warning.
    let ran = client.run(&["self", "update", "--version", "8.0.0"]);
    assert!(ran.stderr().contains("it sings"), "{}", ran.stderr());
    assert_eq!(current(&client), "8.0.0");
    let kept = ["7.0.0", "7.0.0.json", "8.0.0", "8.0.0.json"];
    assert_eq!(
        entries(&folder),
        kept,
        "the one before is kept, and no other"
    );
}

#[test]
fn nothing_older_is_taken_unless_its_version_is_named() {
    let registry = Registry::start();
    let author = Client::of(&registry);
    let mut client = Client::of(&registry);
    install(&mut client);
    author.publish(&client_package("0.0.1", "0.0.1"));
    let stays = client.json(&["self", "update"]);
    assert_eq!(
        (&stays["changed"], &stays["to"]),
        (&false.into(), &OURS.into())
    );
    let error = client.error(3, &["self", "update", "--version", "4.5.6"]);
    assert!(
        error["hints"][0].as_str().unwrap().contains("0.0.1"),
        "{error}"
    );
    assert_eq!(current(&client), OURS);
    client.ok(&["self", "update", "--version", "0.0.1"]);
    assert_eq!(current(&client), "0.0.1");
}

#[test]
fn a_client_that_does_not_run_or_calls_itself_otherwise_never_becomes_current() {
    let registry = Registry::start();
    let author = Client::of(&registry);
    let mut client = Client::of(&registry);
    install(&mut client);
    author.publish(&client_package("7.0.0", "6.6.6"));
    let error = client.error(4, &["self", "update"]);
    assert_eq!(error["code"], "client-does-not-run");
    author.publish(
        &Sample::first_party("client", "7.1.0").file("provisioning", "#!/bin/sh\nexit 3\n"),
    );
    let error = client.error(1, &["self", "update"]);
    assert_eq!(error["code"], "client-does-not-run");
    assert_eq!(current(&client), OURS);
    assert_eq!(
        entries(&client.prefix().join("lib/provisioning/client")),
        [OURS]
    );
}

#[test]
fn a_client_that_others_installed_names_their_command_and_changes_nothing() {
    let registry = Registry::start();
    let mut client = Client::of(&registry);
    for (place, word) in [
        (".cargo/bin/provisioning", "cargo install"),
        ("Cellar/provisioning/1.0/bin/provisioning", "brew upgrade"),
        ("nix/store/abc-provisioning/bin/provisioning", "nix profile"),
    ] {
        let program = client.home().join(place);
        fs::create_dir_all(program.parent().unwrap()).unwrap();
        copy_program(&program);
        client.use_program(&program);
        let error = client.error(1, &["self", "update"]);
        assert_eq!(error["code"], "managed-elsewhere", "{place}");
        assert!(
            error["hints"][0].as_str().unwrap().contains(word),
            "{error}"
        );
        let error = client.error(1, &["self", "uninstall", "--yes"]);
        assert_eq!(error["code"], "managed-elsewhere", "{place}");
        assert!(program.is_file());
    }
    client.use_program(&client_program());
    let error = client.error(1, &["self", "update"]);
    assert_eq!(error["code"], "not-self-installed");
}

#[test]
fn dpkg_is_asked_even_about_our_own_layout() {
    let mut client = Client::alone();
    let program = install(&mut client);
    let home = client.home().to_owned();
    let root = home.join("deb");
    fs::create_dir_all(root.join("DEBIAN")).unwrap();
    let control = "Package: provisioning-bin\nVersion: 1.0\nArchitecture: all\nMaintainer: t <t@example.org>\nDescription: t\n";
    fs::write(root.join("DEBIAN/control"), control).unwrap();
    let inside = root.join(program.strip_prefix("/").unwrap());
    fs::create_dir_all(inside.parent().unwrap()).unwrap();
    fs::copy(&program, inside).unwrap();
    let dpkg = |arguments: &[&str]| {
        let ran = Command::new("dpkg")
            .args(arguments)
            .current_dir(&home)
            .output()
            .unwrap();
        assert!(
            ran.status.success(),
            "{}",
            String::from_utf8_lossy(&ran.stderr)
        );
    };
    if Command::new("dpkg-deb").arg("--version").output().is_err() {
        return;
    }
    let built = Command::new("dpkg-deb")
        .args(["-Znone", "-b", "deb", "x.deb"])
        .current_dir(&home)
        .output();
    assert!(built.unwrap().status.success());
    // A database of its own, so that the machine's is left alone.
    let database = home.join("dpkg");
    for folder in ["info", "updates"] {
        fs::create_dir_all(database.join(folder)).unwrap();
    }
    fs::write(database.join("status"), "").unwrap();
    let admin = format!("--admindir={}", database.display());
    dpkg(&[
        &admin,
        "--force-not-root",
        "--force-bad-path",
        "--log=/dev/null",
        "-i",
        "x.deb",
    ]);
    let client = client.with("DPKG_ADMINDIR", database.to_str().unwrap());
    let error = client.error(1, &["self", "update"]);
    assert_eq!(error["code"], "managed-elsewhere", "{error}");
    assert!(
        error["hints"][0]
            .as_str()
            .unwrap()
            .contains("apt-get install --only-upgrade provisioning-bin")
    );
}

#[test]
fn an_update_that_is_killed_leaves_a_client_that_runs_and_the_next_one_works() {
    let registry = Registry::start();
    let author = Client::of(&registry);
    let mut client = Client::of(&registry);
    let old = install(&mut client);
    author.publish(&client_package("7.0.0", "7.0.0"));
    client.ok(&["self", "update"]);
    client.use_program(&old);
    client.ok(&["self", "update", "--rollback"]);
    for millis in [1, 15, 30, 45, 60, 80] {
        let mut update = client.command(&["self", "update"]).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(millis));
        let _ = update.kill();
        let _ = update.wait();
        let now = current(&client);
        assert!(now == OURS || now == "7.0.0", "{now}");
        client.ok(&["self", "update"]);
        assert_eq!(current(&client), "7.0.0");
        client.ok(&["self", "update", "--rollback"]);
        assert_eq!(current(&client), OURS);
    }
    let bin = entries(&client.prefix().join("bin"));
    assert_eq!(bin, ["provisioning"]);
}
