//! Configuration files over installs, upgrades, rollbacks and removals.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use provisioning_installers::{Silent, plan_rollback};

use crate::fixture::{Built, Recipe, World, write};

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

/// A platform of which everything below `config` is configuration.
fn shipping(world: &World, version: &str, files: &[(&str, &str)]) -> Built {
    world.build(&Recipe {
        name: "platform",
        version,
        manifest: "[install]\nconfig = [\"config/**\"]\n",
        files,
    })
}

fn at(world: &World, path: &str) -> std::path::PathBuf {
    let folder = world.prefix.root().join("etc/provisioning/platform/config");
    folder.join(path)
}

#[test]
fn a_link_in_place_of_a_file_is_an_edit_and_comes_back_as_a_link() {
    let world = World::new();
    world.install(&[&world.platform("2.4.0", "v1")]).unwrap();
    let file = world.prefix.root().join(FILE);
    let target = world.folder.join("elsewhere.toml");
    write(&target, "elsewhere");
    fs::remove_file(&file).unwrap();
    symlink(&target, &file).unwrap();
    world.install(&[&world.platform("2.5.0", "v2")]).unwrap();
    assert_eq!(fs::read_link(&file).unwrap(), target);
    assert_eq!(world.read(&format!("{FILE}.new")).as_deref(), Some("v2"));
    fs::remove_file(&file).unwrap();
    edit(&world, "v2");
    rollback(&world, 1);
    assert_eq!(fs::read_link(&file).unwrap(), target);
    assert_eq!(fs::read_to_string(&target).unwrap(), "elsewhere");
    rollback(&world, 2);
    assert_eq!(world.read(FILE).as_deref(), Some("v2"));
    assert_eq!(world.faults(), [""; 0]);
}

#[test]
fn a_deleted_file_stays_deleted_and_a_changed_one_is_mentioned() {
    let world = World::new();
    world.install(&[&world.platform("2.4.0", "v1")]).unwrap();
    fs::remove_file(world.prefix.root().join(FILE)).unwrap();
    let same = world.install(&[&world.platform("2.4.1", "v1")]).unwrap();
    assert!(same.notes.is_empty(), "{:?}", same.notes);
    let other = world.install(&[&world.platform("2.5.0", "v2")]).unwrap();
    assert!(other.notes[0].contains("was deleted and stays so"));
    assert_eq!(world.read(FILE), None);
    rollback(&world, 1);
    assert_eq!(
        world.read(FILE),
        None,
        "it was deleted under the older one too"
    );
}

#[test]
fn a_renamed_file_takes_nothing_of_the_old_name_along_but_edits_stay() {
    for content in ["v1", "mine"] {
        let world = World::new();
        let old = shipping(&world, "1.0.0", &[("config/old.toml", "v1")]);
        let new = shipping(&world, "2.0.0", &[("config/new.toml", "v1")]);
        world.install(&[&old]).unwrap();
        write(&at(&world, "old.toml"), content);
        let applied = world.install(&[&new]).unwrap();
        assert_eq!(fs::read_to_string(at(&world, "new.toml")).unwrap(), "v1");
        assert_eq!(at(&world, "old.toml").exists(), content == "mine");
        assert_eq!(applied.notes.len(), usize::from(content == "mine"));
        rollback(&world, 1);
        let back = fs::read_to_string(at(&world, "old.toml")).unwrap();
        assert_eq!(back, content);
        assert!(!at(&world, "new.toml").exists());
    }
}

#[test]
fn a_file_that_becomes_a_folder_gives_way_and_comes_back() {
    for content in ["v1", "mine"] {
        let world = World::new();
        let file = shipping(&world, "1.0.0", &[("config/logs", "v1")]);
        let folder = shipping(&world, "2.0.0", &[("config/logs/level.toml", "x")]);
        world.install(&[&file]).unwrap();
        write(&at(&world, "logs"), content);
        let applied = world.install(&[&folder]).unwrap();
        let inside = at(&world, "logs/level.toml");
        assert_eq!(fs::read_to_string(inside).unwrap(), "x");
        let beside = fs::read_to_string(at(&world, "logs.edited")).ok();
        assert_eq!(beside.as_deref(), (content == "mine").then_some("mine"));
        assert_eq!(applied.notes.len(), usize::from(content == "mine"));
        rollback(&world, 1);
        assert_eq!(fs::read_to_string(at(&world, "logs")).unwrap(), content);
        assert_eq!(world.faults(), [""; 0]);
    }
}

#[test]
fn a_folder_with_edits_is_kept_where_the_new_version_has_a_file() {
    let world = World::new();
    let folder = shipping(&world, "1.0.0", &[("config/logs/level.toml", "x")]);
    let file = shipping(&world, "2.0.0", &[("config/logs", "v2")]);
    world.install(&[&folder]).unwrap();
    write(&at(&world, "logs/level.toml"), "mine");
    world.install(&[&file]).unwrap();
    let kept = fs::read_to_string(at(&world, "logs/level.toml")).unwrap();
    assert_eq!(kept, "mine");
    assert_eq!(fs::read_to_string(at(&world, "logs.new")).unwrap(), "v2");
    rollback(&world, 1);
    let kept = fs::read_to_string(at(&world, "logs/level.toml")).unwrap();
    assert_eq!(kept, "mine");
}

#[test]
fn a_strangers_file_where_a_folder_must_be_is_refused_by_name() {
    let world = World::new();
    write(
        &world.prefix.root().join("etc/provisioning/platform"),
        "mine",
    );
    let refused = world
        .install(&[&world.platform("2.5.0", "v1")])
        .unwrap_err();
    assert_eq!(refused.code(), "collision");
    let text = refused.to_string();
    assert!(text.contains("etc/provisioning/platform`"), "{text}");
    assert_eq!(world.prefix.current_number().unwrap(), None);
}

#[test]
fn what_already_lies_beside_a_file_is_not_overwritten() {
    let world = World::new();
    world.install(&[&world.platform("2.4.0", "v1")]).unwrap();
    edit(&world, "mine");
    write(&world.prefix.root().join(format!("{FILE}.new")), "notes");
    let applied = world.install(&[&world.platform("2.5.0", "v2")]).unwrap();
    assert_eq!(world.read(&format!("{FILE}.new")).as_deref(), Some("notes"));
    assert_eq!(world.read(&format!("{FILE}.new.1")).as_deref(), Some("v2"));
    assert!(applied.notes[0].contains(".new.1`"), "{:?}", applied.notes);
    world.install(&[&world.platform("2.5.3", "v3")]).unwrap();
    assert_eq!(world.read(&format!("{FILE}.new.1")).as_deref(), Some("v3"));
}

#[test]
fn a_saved_edit_that_is_gone_stops_no_rollback_and_no_later_command() {
    let world = World::new();
    world.install(&[&world.platform("2.4.0", "v1")]).unwrap();
    edit(&world, "mine");
    world.install(&[&world.platform("2.5.0", "v2")]).unwrap();
    edit(&world, "v2");
    fs::remove_dir_all(world.prefix.edited()).unwrap();
    rollback(&world, 1);
    assert_eq!(world.read(FILE).as_deref(), Some("v1"));
    world.install(&[&world.platform("2.5.3", "v3")]).unwrap();
    assert_eq!(world.faults(), [""; 0]);
}
