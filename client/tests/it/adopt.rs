//! Taking over what somebody unpacked by hand: nothing is lost, and then all is managed.

use std::os::unix::fs::symlink;
use std::path::Path;

use crate::product::{packages, published};
use crate::registry_fixture::{Client, Registry};

const CONFIG: &str = "etc/provisioning/platform/config/orchestrator.toml";

/// A prefix into which archives were unpacked by hand.
struct ByHand {
    _registry: Registry,
    client: Client,
}

impl ByHand {
    fn new() -> Self {
        let (registry, client) = published();
        let by_hand = Self {
            _registry: registry,
            client,
        };
        for (name, version, place) in [
            ("core", "3.2.1", "lib/provisioning/core"),
            ("platform", "2.5.0", "share/provisioning/platform"),
            ("redis", "1.1.0", "share/provisioning/extensions/redis"),
        ] {
            by_hand.unpack(name, version, place);
        }
        let bin = by_hand.client.prefix().join("bin");
        std::fs::create_dir_all(&bin).unwrap();
        let program = "../share/provisioning/platform/bin/provisioning-orchestrator";
        symlink(program, bin.join("provisioning-orchestrator")).unwrap();
        by_hand
    }

    /// What `tar -x` would have done: the bytes come from another prefix of the same version.
    fn unpack(&self, name: &str, version: &str, place: &str) {
        let elsewhere = self.client.home().join(format!("elsewhere-{name}"));
        let elsewhere = elsewhere.to_str().unwrap();
        let spec = format!("{name}@{version}");
        self.client.ok(&["--prefix", elsewhere, "install", &spec]);
        let listed = self.client.json(&["--prefix", elsewhere, "list"]);
        let all = listed["packages"].as_array().unwrap();
        let digest = all.iter().find(|it| it["name"] == name).unwrap();
        let hex = digest["digest"].as_str().unwrap();
        let hex = hex.trim_start_matches("sha256:");
        let from = format!("{elsewhere}/lib/provisioning/store/{hex}/.");
        let to = self.client.prefix().join(place);
        std::fs::create_dir_all(&to).unwrap();
        let mut copy = std::process::Command::new("cp");
        let copied = copy.args(["-r", &from]).arg(&to).status().unwrap();
        assert!(copied.success());
        let mut open = std::process::Command::new("chmod");
        assert!(
            open.args(["-R", "u+w"])
                .arg(&to)
                .status()
                .unwrap()
                .success()
        );
    }

    fn write(&self, path: &str, content: &str) {
        let place = self.client.prefix().join(path);
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::fs::write(place, content).unwrap();
    }

    fn read(&self, path: impl AsRef<Path>) -> Option<String> {
        std::fs::read_to_string(self.client.prefix().join(path)).ok()
    }
}

#[test]
fn what_was_unpacked_by_hand_becomes_generation_one_and_loses_nothing() {
    let it = ByHand::new();
    it.write(
        "share/provisioning/platform/config/orchestrator.toml",
        "mine",
    );
    it.write("lib/provisioning/core/share/core.txt", "patched");
    it.write("lib/provisioning/core/notes.txt", "foreign");
    it.write("bin/my-tool", "foreign");
    let dry = it.client.json(&["adopt", "--dry-run"]);
    assert_eq!(dry["generation"], serde_json::Value::Null);
    assert_eq!(
        packages(&dry),
        ["core 3.2.1", "platform 2.5.0", "redis 1.1.0"]
    );
    assert!(!it.client.prefix().join("lib/provisioning/store").exists());
    let done = it.client.json(&["adopt"]);
    assert_eq!(done["generation"], 1, "{done}");
    assert_eq!(
        packages(&it.client.json(&["list"])),
        ["core 3.2.1", "platform 2.5.0", "redis 1.1.0"]
    );
    it.client.ok(&["verify"]);
    assert_eq!(it.read(CONFIG).as_deref(), Some("mine"));
    let adopted = "lib/provisioning/adopted/lib/provisioning/core/share/core.txt";
    assert_eq!(it.read(adopted).as_deref(), Some("patched"));
    assert_eq!(
        it.read("lib/provisioning/core/notes.txt").as_deref(),
        Some("foreign")
    );
    assert_eq!(it.read("bin/my-tool").as_deref(), Some("foreign"));
    assert!(
        !it.client
            .prefix()
            .join("lib/provisioning/core/manifest.toml")
            .exists()
    );
    it.client.ok(&["upgrade", "redis"]);
    it.client.ok(&["install", "stable-3.2"]);
    assert_eq!(it.read(CONFIG).as_deref(), Some("mine"));
    it.client.ok(&["rollback", "1"]);
    it.client.ok(&["verify"]);
}

#[test]
fn strangers_in_the_way_are_named_and_only_moved_when_asked() {
    let it = ByHand::new();
    it.write("share/provisioning/extensions/mine/x.nu", "foreign");
    let error = it.client.error(1, &["adopt"]);
    assert_eq!(error["code"], "foreign-file", "{error}");
    assert!(error["causes"].to_string().contains("extensions/mine/x.nu"));
    assert!(
        it.client
            .prefix()
            .join("lib/provisioning/core/manifest.toml")
            .exists()
    );
    it.client.ok(&["adopt", "--set-aside"]);
    it.client.ok(&["verify"]);
    let aside = "lib/provisioning/adopted/share/provisioning/extensions/mine/x.nu";
    assert_eq!(it.read(aside).as_deref(), Some("foreign"));
    let error = it.client.error(1, &["adopt"]);
    assert_eq!(error["code"], "already-managed");
}

#[test]
fn what_is_behind_a_link_or_in_another_prefix_or_a_working_copy_is_left_alone() {
    let it = ByHand::new();
    let (prefix, outside) = (it.client.prefix(), it.client.home().join("outside"));
    let share = prefix.join("lib/provisioning/core/share");
    std::fs::rename(&share, &outside).unwrap();
    symlink(&outside, &share).unwrap();
    let nested = prefix.join("nested");
    let nested = ["--prefix", nested.to_str().unwrap()];
    it.client
        .ok(&[&nested[..], &["install", "mongodb"]].concat());
    it.unpack("azure", "2.0.0", "src/azure");
    std::fs::create_dir(prefix.join("src/azure/.git")).unwrap();
    let done = it.client.json(&["adopt"]);
    assert_eq!(
        packages(&done),
        ["core 3.2.1", "platform 2.5.0", "redis 1.1.0"]
    );
    assert!(outside.join("core.txt").is_file(), "{done}");
    assert!(share.is_symlink() && prefix.join("src/azure/manifest.toml").is_file());
    it.client.ok(&[&nested[..], &["verify"]].concat());
    it.client.ok(&["verify"]);
}

#[test]
fn an_adoption_that_is_killed_is_undone_or_finished_by_the_next_command() {
    let it = ByHand::new();
    let whole = it.client.home().join("whole");
    let prefix = it.client.prefix();
    let copy = |from: &Path, to: &Path| {
        let _ = std::process::Command::new("rm").arg("-rf").arg(to).status();
        let mut copy = std::process::Command::new("cp");
        assert!(copy.arg("-a").arg(from).arg(to).status().unwrap().success());
    };
    copy(&prefix, &whole);
    for kill in 0..12_u64 {
        copy(&whole, &prefix);
        let mut child = it
            .client
            .command(&["adopt"])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(kill * 12));
        let _ = child.kill();
        child.wait().unwrap();
        it.client.ok(&["verify"]);
        let count = packages(&it.client.json(&["list"])).len();
        if count == 0 {
            let core = it.read("lib/provisioning/core/manifest.toml");
            assert!(core.is_some(), "kill {kill}: the old files are back");
            it.client.ok(&["adopt"]);
        }
        assert_eq!(packages(&it.client.json(&["list"])).len(), 3, "kill {kill}");
        it.client.ok(&["verify"]);
    }
}

#[test]
fn nothing_to_adopt_is_said_so_with_the_way_out() {
    let (_registry, client) = published();
    let error = client.error(1, &["adopt"]);
    assert_eq!(error["code"], "nothing-to-adopt");
    let error = client.error(1, &["adopt", "core@3.1.0"]);
    assert_eq!(error["code"], "not-found");
}
