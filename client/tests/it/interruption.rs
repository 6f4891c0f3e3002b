//! Clients that come at once.

use std::process::Stdio;

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
