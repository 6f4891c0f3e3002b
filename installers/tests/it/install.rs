//! The layout of a prefix, as people see it.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use provisioning_installers::{Action, Prefix};

use crate::fixture::{Recipe, World, name, write};

#[test]
fn every_kind_lands_where_the_layout_says() {
    let world = World::new();
    let workspace = world.build(&Recipe {
        name: "workspace",
        version: "1.4.0",
        manifest: "",
        files: &[("templates/minimal/README.md", "hello")],
    });
    let packages = [
        &world.core("3.2.1"),
        &world.platform("2.5.3", "port = 9090\n"),
        &world.extension("mongodb", "1.2.0"),
        &workspace,
    ];
    let applied = world.install(&packages).unwrap();
    assert_eq!(applied.generation, Some(1));
    for (path, content) in [
        (
            "lib/provisioning/current/lib/provisioning/core/lib/version",
            "3.2.1",
        ),
        ("share/provisioning/extensions/mongodb/taskserv.nu", "1.2.0"),
        ("extensions/mongodb/taskserv.nu", "1.2.0"),
        (
            "share/provisioning/templates/templates/minimal/README.md",
            "hello",
        ),
        (
            "share/provisioning/platform/config/orchestrator.toml",
            "port = 9090\n",
        ),
        (
            "etc/provisioning/platform/config/orchestrator.toml",
            "port = 9090\n",
        ),
    ] {
        assert_eq!(world.read(path).as_deref(), Some(content), "{path}");
    }
    let link = |path: &str| fs::read_link(world.prefix.root().join(path)).unwrap();
    assert_eq!(link("lib/provisioning/current"), Path::new("generations/1"));
    assert_eq!(
        link("bin/provisioning-orchestrator"),
        Path::new("../lib/provisioning/current/bin/provisioning-orchestrator")
    );
    assert_eq!(
        link("share/provisioning"),
        Path::new("../lib/provisioning/current/share/provisioning")
    );
    assert_eq!(
        link("extensions"),
        Path::new("share/provisioning/extensions")
    );
    let ran = Command::new(world.prefix.root().join("bin/provisioning-orchestrator")).output();
    assert_eq!(ran.unwrap().stdout, b"orchestrator 2.5.3\n");
    assert_eq!(world.faults(), [""; 0]);
}

#[test]
fn generation_json_says_what_is_installed_who_asked_and_when() {
    let world = World::new();
    world
        .install(&[&world.core("3.1.0"), &world.platform("2.5.0", "a")])
        .unwrap();
    let text = world
        .read("lib/provisioning/current/generation.json")
        .unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["schema"], 1);
    assert_eq!(json["generation"], 1);
    assert_eq!(json["parent"], serde_json::Value::Null);
    assert_eq!(json["created_at"], "1970-01-01T00:00:00Z");
    assert_eq!(json["packages"][0]["name"], "core");
    assert_eq!(json["packages"][0]["cli"], "cli/provisioning");
    assert_eq!(json["packages"][1]["requested_by"][0], "platform");
    assert_eq!(json["packages"][1]["dependencies"]["core"], "^3.0");
    let digest = json["packages"][0]["digest"].as_str().unwrap();
    let store = format!("lib/provisioning/store/{}", &digest["sha256:".len()..]);
    assert!(world.prefix.root().join(store).is_dir());
}

#[test]
fn the_store_is_read_only_and_nothing_else_is() {
    let world = World::new();
    world.install(&[&world.core("3.1.0")]).unwrap();
    let core = world
        .prefix
        .package_tree(provisioning_package::Kind::Core, &name("core"));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&core), 0o555);
    assert_eq!(mode(&core.join("lib/version")), 0o444);
    assert_eq!(mode(&core.join("cli/provisioning")), 0o555);
}

#[test]
fn an_upgrade_moves_every_link_and_takes_stale_commands_away() {
    let world = World::new();
    let old = world.build(&Recipe {
        name: "platform",
        version: "2.4.0",
        manifest: "",
        files: &[
            ("bin/old-command", "#!/bin/sh\n"),
            ("bin/both", "#!/bin/sh\n"),
        ],
    });
    let new = world.build(&Recipe {
        name: "platform",
        version: "2.5.0",
        manifest: "",
        files: &[
            ("bin/new-command", "#!/bin/sh\n"),
            ("bin/both", "#!/bin/sh\n"),
        ],
    });
    world.install(&[&old]).unwrap();
    let plan = world.plan(&[&new]);
    assert_eq!(plan.changes[0].action, Action::Upgrade);
    world.install(&[&new]).unwrap();
    let bin = world.prefix.bin();
    assert!(!bin.join("old-command").is_symlink());
    assert!(bin.join("new-command").exists() && bin.join("both").exists());
    assert_eq!(world.faults(), [""; 0]);
}

#[test]
fn installing_what_is_there_makes_no_generation_and_needs_no_archive() {
    let world = World::new();
    let core = world.core("3.1.0");
    world.install(&[&core]).unwrap();
    let before = world.paths();
    fs::remove_file(&core.archive).unwrap();
    let again = world.install(&[&core]).unwrap();
    assert_eq!(again.generation, Some(1));
    assert_eq!(world.paths(), before);
}

#[test]
fn a_prefix_that_is_a_link_and_one_whose_bin_is_a_link_both_work() {
    let world = World::new();
    let real = world.folder.join("elsewhere/deep");
    fs::create_dir_all(real.join("shared-bin")).unwrap();
    symlink(&real, world.prefix.root()).unwrap();
    fs::create_dir_all(world.folder.join("other")).unwrap();
    symlink(world.folder.join("other"), real.join("bin")).unwrap();
    world.install(&[&world.platform("2.5.0", "a")]).unwrap();
    let command = world.prefix.bin().join("provisioning-orchestrator");
    assert_eq!(
        Command::new(command).output().unwrap().stdout,
        b"orchestrator 2.5.0\n"
    );
    assert_eq!(world.faults(), [""; 0]);
}

#[test]
fn the_clients_own_link_is_never_touched() {
    let world = World::new();
    let client = world.prefix.base().join("client/0.1.0/provisioning");
    write(&client, "#!/bin/sh\necho client\n");
    fs::create_dir_all(world.prefix.bin()).unwrap();
    let link = world.prefix.bin().join("provisioning");
    symlink("../lib/provisioning/client/0.1.0/provisioning", &link).unwrap();
    world.install(&[&world.core("3.1.0")]).unwrap();
    world.install(&[]).unwrap();
    assert_eq!(Command::new(link).output().unwrap().stdout, b"client\n");
}

#[test]
fn a_generation_of_a_newer_client_is_refused_and_not_misread() {
    let world = World::new();
    world.install(&[&world.core("3.1.0")]).unwrap();
    let file = world.prefix.generation(1).join("generation.json");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("\"schema\": 1", "\"schema\": 2")).unwrap();
    let refused = world.prefix.current_generation().unwrap_err();
    assert_eq!(refused.code(), "newer-client");
}

#[test]
fn an_empty_prefix_has_no_generation_and_no_history() {
    let prefix = Prefix::new("/nonexistent/prefix");
    assert!(prefix.current_generation().unwrap().is_none());
    assert!(prefix.history().unwrap().is_empty());
}

#[test]
fn what_root_installs_with_a_closed_umask_is_open_to_every_reader() {
    let world = World::new();
    world.core("3.1.0");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    // The umask belongs to the whole process, so another one changes it.
    let program = std::env::current_exe().unwrap();
    let child = Command::new("sh")
        .args(["-c", "umask 077; exec \"$0\" --exact install::a_core_can_be_installed_into_the_working_folder"])
        .arg(program)
        .current_dir(&world.folder)
        .output()
        .unwrap();
    assert!(
        child.status.success(),
        "{}",
        String::from_utf8_lossy(&child.stdout)
    );
    let base = world.prefix.base();
    for path in [&base, &world.prefix.generation(1), &world.prefix.store()] {
        assert_eq!(mode(path), 0o755, "{}", path.display());
    }
    assert_eq!(
        mode(&world.prefix.generation(1).join("generation.json")),
        0o644
    );
    assert_eq!(world.faults(), [""; 0]);
}

#[test]
fn a_core_can_be_installed_into_the_working_folder() {
    let own = World::new();
    let asked_by_another_test = Path::new("src-core-3.1.0").is_dir();
    let world = if asked_by_another_test {
        World::visit(&std::env::current_dir().unwrap())
    } else {
        own
    };
    let applied = world.install(&[&world.core("3.1.0")]).unwrap();
    assert_eq!(applied.generation, Some(1));
}
