//! What is refused, and that a refusal changes nothing.

use std::fs;

use provisioning_installers::InstallError;

use crate::fixture::{Recipe, World, name, write};

#[test]
fn two_packages_with_one_command_are_refused_with_both_owners() {
    let world = World::new();
    let files = &[("bin/same", "#!/bin/sh\n")];
    let one = world.build(&Recipe {
        name: "redis",
        version: "1.0.0",
        manifest: "",
        files,
    });
    let two = world.build(&Recipe {
        name: "mongodb",
        version: "1.0.0",
        manifest: "",
        files,
    });
    world.install(&[&world.core("3.1.0")]).unwrap();
    let before = world.paths();
    let refused = world.install(&[&one, &two]).unwrap_err();
    assert_eq!(refused.code(), "collision");
    let text = refused.to_string();
    assert!(text.contains("redis") && text.contains("mongodb"), "{text}");
    assert_eq!(world.paths(), before);
}

#[test]
fn a_file_that_is_not_ours_is_refused_before_anything_is_written() {
    for (path, owner) in [
        ("bin/provisioning-orchestrator", "no package"),
        ("share/provisioning/notes.txt", "no package"),
        ("extensions/mine/x", "no package"),
    ] {
        let world = World::new();
        write(&world.prefix.root().join(path), "mine");
        let before = world.paths();
        let refused = world.install(&[&world.platform("2.5.0", "a")]).unwrap_err();
        assert_eq!(refused.code(), "collision", "{path}");
        assert!(refused.to_string().contains(owner), "{refused}");
        assert_eq!(world.paths(), before);
        assert_eq!(world.read(path).as_deref(), Some("mine"));
    }
}

#[test]
fn the_clients_command_belongs_to_no_package() {
    let world = World::new();
    let greedy = world.build(&Recipe {
        name: "greedy",
        version: "1.0.0",
        manifest: "[install]\nbin = [\"bin/provisioning\"]\n",
        files: &[("bin/provisioning", "#!/bin/sh\n")],
    });
    let refused = world.install(&[&greedy]).unwrap_err();
    assert!(
        refused.to_string().contains("the client's own command"),
        "{refused}"
    );
}

#[test]
fn a_declared_command_that_the_archive_lacks_is_refused() {
    let world = World::new();
    let broken = world.build(&Recipe {
        name: "broken",
        version: "1.0.0",
        manifest: "[install]\nbin = [\"bin/tool\"]\n",
        files: &[("bin/tool", "not executable")],
    });
    let refused = world.install(&[&broken]).unwrap_err();
    assert_eq!(refused.code(), "no-such-command");
}

#[test]
fn bytes_that_nobody_signed_are_refused_and_leave_nothing() {
    let world = World::new();
    let signed = world.core("3.1.0");
    let other = world.core("3.2.0");
    let mut swapped = signed.clone();
    swapped.archive = other.archive;
    let refused = world.install(&[&swapped]).unwrap_err();
    assert!(refused.is_verification(), "{refused}");
    assert!(!world.prefix.root().exists());
}

#[test]
fn an_archive_that_unpacks_to_more_than_was_signed_is_refused_and_leaves_nothing() {
    let world = World::new();
    for (bytes, entries) in [(1, u64::MAX), (u64::MAX, 1)] {
        let mut larger = world.core("3.1.0");
        larger.choice.unpacks = Some(provisioning_installers::Unpacks { bytes, entries });
        let refused = world.install(&[&larger]).unwrap_err();
        assert!(refused.is_verification(), "{refused}");
        assert!(!world.prefix.root().exists());
    }
}

#[test]
fn an_archive_that_claims_another_name_is_refused() {
    let world = World::new();
    let mut claims = world.extension("redis", "1.0.0");
    claims.choice.name = name("mongodb");
    let refused = world.install(&[&claims]).unwrap_err();
    assert!(
        matches!(refused, InstallError::Mismatch { .. }),
        "{refused}"
    );
}

#[test]
fn a_prefix_that_cannot_be_written_names_the_path_and_the_way_out() {
    let world = World::new();
    let prefix = provisioning_installers::Prefix::new("/proc/nowhere");
    let lock = provisioning_installers::WriterLock::acquire(
        &prefix,
        &provisioning_installers::Holder::default(),
        std::time::Duration::ZERO,
        &mut |_| (),
    );
    let refused = lock.unwrap_err();
    assert!(refused.to_string().contains("/proc/nowhere"), "{refused}");
    let closed = world.folder.join("closed");
    fs::write(&closed, "a file").unwrap();
    let file = provisioning_installers::Prefix::new(&closed);
    assert!(file.current_generation().is_err(), "a file is no prefix");
}
