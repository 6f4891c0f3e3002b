//! Clients that come at once.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::Duration;

use provisioning_installers::{GcPolicy, Holder, Prefix, WriterLock, collect};

use crate::product::{packages, published};

#[test]
fn clients_at_once_all_end_well_and_nothing_is_lost() {
    let (_registry, client) = published();
    client.ok(&["install", "core"]);
    let children: Vec<_> = ["mongodb", "redis", "azure", "platform", "workspace"]
        .into_iter()
        .map(|it| {
            let mut command = client.command(&["install", it]);
            command
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    for child in children {
        let ended = child.wait_with_output().unwrap();
        assert!(
            ended.status.success(),
            "{}",
            String::from_utf8_lossy(&ended.stderr)
        );
    }
    assert_eq!(packages(&client.json(&["list"])).len(), 6);
    client.ok(&["verify"]);
}

#[test]
fn a_held_lock_is_waited_for_and_then_named_with_its_own_status() {
    let (_registry, client) = published();
    client.ok(&["install", "core"]);
    let path = client.prefix().join("lib/provisioning/lock");
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.lock().unwrap();
    std::io::Write::write_all(
        &mut &file,
        b"{\"pid\": 4242, \"command\": \"install core\"}",
    )
    .unwrap();
    let error = client.error(6, &["--lock-timeout", "0", "install", "mongodb"]);
    assert_eq!(error["code"], "lock-held");
    assert!(
        error["message"].as_str().unwrap().contains("4242"),
        "{error}"
    );
    client.ok(&["list"]);
}

#[test]
fn what_gc_takes_while_an_install_waits_is_fetched_again() {
    let (_registry, client) = published();
    client.ok(&["install", "core", "redis"]);
    client.ok(&["uninstall", "redis"]);
    let prefix = Prefix::new(client.prefix());
    let holder = Holder {
        pid: Some(std::process::id()),
        command: Some("this test".to_owned()),
        since: None,
    };
    let lock = WriterLock::acquire(&prefix, &holder, Duration::ZERO, &mut |_| {}).unwrap();
    let mut command = client.command(&["install", "redis"]);
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Whoever waits for the lock has planned with what is in the store.
    let stderr = BufReader::new(child.stderr.take().unwrap());
    let mut lines = stderr.lines().map_while(Result::ok);
    assert!(lines.any(|it| it.contains("waiting for")));
    let policy = GcPolicy {
        keep: 1,
        replaced_before: None,
        takes_saved: false,
    };
    let gone = collect(&prefix, &lock, &policy).unwrap();
    assert_eq!(gone.packages.len(), 1);
    drop(lock);
    let said: Vec<String> = lines.collect();
    assert!(child.wait().unwrap().success(), "{said:?}");
    assert_eq!(packages(&client.json(&["list"])).len(), 2);
    client.ok(&["verify"]);
}
