//! Configuration files over installs, upgrades, rollbacks and removals.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use provisioning_installers::{Silent, plan_rollback};

use crate::fixture::World;

const FILE: &str = "etc/provisioning/platform/config/orchestrator.toml";

fn edit(world: &World, content: &str) {
    fs::write(world.prefix.root().join(FILE), content).unwrap();
}

fn rollback(world: &World, to: u64) -> Vec<String> {
    let current = world.prefix.current_generation().unwrap().unwrap();
    let older = world.prefix.read_generation(to).unwrap();
    let plan = plan_rollback(&current, &older, format!("rollback {to}"));
    world.carry_out(&plan, &[], &Silent).unwrap().notes
}

#[test]
fn an_untouched_file_follows_the_package_and_goes_with_it() {
    let world = World::new();
    world.install(&[&world.platform("2.4.0", "v1")]).unwrap();
    assert!(
        fs::symlink_metadata(world.prefix.root().join(FILE))
            .unwrap()
            .is_file()
    );
    world.install(&[&world.platform("2.5.0", "v2")]).unwrap();
    assert_eq!(world.read(FILE).as_deref(), Some("v2"));
    world.install(&[]).unwrap();
    assert!(!world.prefix.etc().exists());
}

#[test]
fn an_edited_file_is_kept_and_a_changed_one_is_laid_beside_it() {
    let world = World::new();
    world.install(&[&world.platform("2.4.0", "v1")]).unwrap();
    edit(&world, "mine");
    let file = world.prefix.root().join(FILE);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let same = world.install(&[&world.platform("2.4.1", "v1")]).unwrap();
    assert_eq!(
        (world.read(FILE).as_deref(), same.notes.len()),
        (Some("mine"), 0)
    );
    let both = world.install(&[&world.platform("2.5.0", "v2")]).unwrap();
    assert_eq!(world.read(FILE).as_deref(), Some("mine"));
    assert_eq!(world.read(&format!("{FILE}.new")).as_deref(), Some("v2"));
    assert!(
        both.notes[0].contains("was edited and is kept"),
        "{:?}",
        both.notes
    );
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(world.faults(), [""; 0]);
}

#[test]
fn a_deleted_file_stays_deleted_through_upgrades() {
    let world = World::new();
    world.install(&[&world.platform("2.4.0", "v1")]).unwrap();
    fs::remove_file(world.prefix.root().join(FILE)).unwrap();
    world.install(&[&world.platform("2.4.1", "v1")]).unwrap();
    world.install(&[&world.platform("2.5.0", "v2")]).unwrap();
    assert_eq!(world.read(FILE), None);
}

#[test]
fn an_edited_file_outlives_its_package_and_is_met_again() {
    let world = World::new();
    let platform = world.platform("2.4.0", "v1");
    world.install(&[&platform]).unwrap();
    edit(&world, "mine");
    let gone = world.install(&[]).unwrap();
    assert!(gone.notes[0].contains("is kept"), "{:?}", gone.notes);
    world.install(&[&platform]).unwrap();
    assert_eq!(world.read(FILE).as_deref(), Some("mine"));
    assert_eq!(world.read(&format!("{FILE}.new")).as_deref(), Some("v1"));
}

#[test]
fn a_rollback_brings_an_edited_file_back_as_it_was() {
    let world = World::new();
    world.install(&[&world.platform("2.4.0", "v1")]).unwrap();
    edit(&world, "mine");
    world.install(&[&world.platform("2.5.0", "v2")]).unwrap();
    edit(&world, "v2");
    world.install(&[&world.platform("2.5.3", "v3")]).unwrap();
    assert_eq!(world.read(FILE).as_deref(), Some("v3"));
    rollback(&world, 1);
    assert_eq!(world.read(FILE).as_deref(), Some("mine"));
    assert_eq!(
        world.read(&format!("{FILE}.new")),
        None,
        "the file beside goes too"
    );
}

#[test]
fn a_rollback_lays_an_edit_made_since_beside_the_old_file() {
    let world = World::new();
    world.install(&[&world.platform("2.4.0", "v1")]).unwrap();
    world.install(&[&world.platform("2.5.0", "v2")]).unwrap();
    edit(&world, "mine");
    let notes = rollback(&world, 1);
    assert_eq!(world.read(FILE).as_deref(), Some("v1"));
    assert_eq!(
        world.read(&format!("{FILE}.edited")).as_deref(),
        Some("mine")
    );
    assert!(notes[0].contains("beside it"), "{notes:?}");
}
