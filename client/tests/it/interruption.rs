//! Clients that are killed, and clients that come at once.

use std::process::Stdio;
use std::time::Duration;

use crate::product::{packages, published};

/// How often the client is killed, a little later each time.
const KILLS: u32 = 24;

#[test]
fn a_client_killed_at_any_instant_leaves_a_whole_state_and_the_next_one_works() {
    let (_registry, client) = published();
    client.ok(&["install", "lts-3.1"]);
    let (lts, stable) = (3, 6);
    for kill in 0..KILLS {
        let target = if kill % 2 == 0 {
            "stable-3.2"
        } else {
            "lts-3.1"
        };
        let mut child = client
            .command(&["install", target])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(u64::from(kill * 4)));
        let _ = child.kill();
        child.wait().unwrap();
        let count = packages(&client.json(&["list"])).len();
        assert!(
            count == lts || count == stable,
            "{count} packages after kill {kill}"
        );
        let verified = client.run(&["--json", "verify"]);
        assert_eq!(verified.status(), 0, "kill {kill}: {}", verified.stdout());
    }
    client.ok(&["install", "stable-3.2"]);
    assert_eq!(packages(&client.json(&["list"])).len(), stable);
}

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
