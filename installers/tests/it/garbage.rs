//! What `gc` removes, and what it must never remove.

use std::fs;
use std::time::Duration;

use jiff::Timestamp;
use provisioning_installers::{Garbage, GcPolicy, Silent, collect, garbage, plan_rollback};

use crate::fixture::{World, write};

const FILE: &str = "etc/provisioning/platform/config/orchestrator.toml";

fn keep(count: usize) -> GcPolicy {
    GcPolicy {
        keep: count,
        replaced_before: None,
        takes_saved: false,
    }
}

fn gc(world: &World, policy: &GcPolicy) -> Garbage {
    let lock = world.lock(Duration::ZERO).unwrap();
    collect(&world.prefix, &lock, policy).unwrap()
}

/// Four generations, each with a platform of its own.
fn four() -> World {
    let world = World::new();
    for version in ["2.4.0", "2.4.8", "2.5.0", "2.5.3"] {
        let (core, platform) = (world.core("3.1.0"), world.platform(version, version));
        world.install(&[&core, &platform]).unwrap();
    }
    world
}

#[test]
fn only_what_no_kept_generation_needs_is_removed() {
    let world = four();
    let seen = garbage(&world.prefix, &keep(2)).unwrap();
    let found = gc(&world, &keep(2));
    assert_eq!(seen, found, "a dry run says what would go");
    assert_eq!((found.removed, found.kept), (vec![1, 2], vec![3, 4]));
    let versions: Vec<_> = found.packages.iter().map(|it| it.version.clone()).collect();
    assert_eq!(versions.len(), 2, "{versions:?}");
    assert!(found.bytes > 0);
    assert_eq!(world.faults(), [""; 0]);
    let current = world.prefix.current_generation().unwrap().unwrap();
    let older = world.prefix.read_generation(3).unwrap();
    let plan = plan_rollback(&current, &older, "rollback 3".into());
    world.carry_out(&plan, &[], &Silent).unwrap();
    assert_eq!(world.read(FILE).as_deref(), Some("2.5.0"));
    assert_eq!(world.faults(), [""; 0]);
}

#[test]
fn the_current_generation_stays_and_a_second_run_finds_nothing() {
    let world = four();
    let found = gc(&world, &keep(0));
    assert_eq!(found.kept, [4]);
    assert_eq!(fs::read_dir(world.prefix.store()).unwrap().count(), 2);
    assert_eq!(fs::read_dir(world.prefix.receipts()).unwrap().count(), 2);
    assert!(gc(&world, &keep(0)).is_empty());
    assert_eq!(world.faults(), [""; 0]);
    assert_eq!(world.prefix.history().unwrap().len(), 1);
}

#[test]
fn edited_configuration_outlives_what_is_collected_while_a_rollback_may_need_it() {
    let world = World::new();
    world.install(&[&world.platform("2.4.0", "v1")]).unwrap();
    world.install(&[&world.platform("2.4.8", "v2")]).unwrap();
    write(&world.prefix.root().join(FILE), "mine");
    world.install(&[&world.platform("2.5.0", "v3")]).unwrap();
    write(&world.prefix.root().join(FILE), "v3");
    assert_eq!(gc(&world, &keep(2)).removed, [1]);
    let current = world.prefix.current_generation().unwrap().unwrap();
    let older = world.prefix.read_generation(2).unwrap();
    let plan = plan_rollback(&current, &older, "rollback 2".into());
    world.carry_out(&plan, &[], &Silent).unwrap();
    assert_eq!(world.read(FILE).as_deref(), Some("mine"));
    assert_eq!(gc(&world, &keep(1)).kept, [4]);
    let saved = fs::read_dir(world.prefix.edited()).unwrap().count();
    assert!(saved <= 2, "{saved} saved files are left");
    assert_eq!(world.faults(), [""; 0]);
}

#[test]
fn age_counts_from_when_a_generation_was_replaced() {
    let world = four();
    let at = |seconds| GcPolicy {
        takes_saved: false,
        keep: 1,
        replaced_before: Some(Timestamp::from_second(seconds).unwrap()),
    };
    assert!(gc(&world, &at(0)).removed.is_empty(), "not before then");
    assert_eq!(gc(&world, &at(1)).removed, [1, 2, 3]);
}

#[test]
fn leftovers_of_killed_runs_and_store_folders_of_nobody_go_too() {
    let world = four();
    let stranger = "0".repeat(64);
    write(&world.prefix.store().join(&stranger).join("x"), "x");
    write(&world.prefix.store().join(".tmp-half").join("x"), "x");
    let found = gc(&world, &keep(9));
    assert_eq!((found.leftovers, found.removed), (1, vec![]));
    assert_eq!(found.packages[0].folder, stranger);
    assert_eq!(found.packages[0].name, None);
    assert_eq!(fs::read_dir(world.prefix.store()).unwrap().count(), 5);
}

#[test]
fn a_kept_generation_whose_record_is_damaged_keeps_its_packages() {
    let world = four();
    let record = world.prefix.generation(3).join("generation.json");
    fs::write(record, "{").unwrap();
    let found = gc(&world, &keep(2));
    assert_eq!(found.kept, [3, 4]);
    assert_eq!(found.packages.len(), 2);
    assert_eq!(fs::read_dir(world.prefix.store()).unwrap().count(), 3);
}

#[test]
fn what_repair_and_adopt_kept_goes_only_where_that_is_asked_for() {
    let world = four();
    let kept = [
        world.prefix.saved().join("core/3.1.0/a.txt"),
        world.prefix.adopted().join("bin/tool"),
    ];
    for file in &kept {
        write(file, "mine");
    }
    let found = gc(&world, &keep(4));
    assert_eq!((found.saved.found, found.saved.removed), (2, 0));
    assert!(found.is_empty() && kept.iter().all(|it| it.is_file()));
    let old = GcPolicy {
        replaced_before: Some(Timestamp::UNIX_EPOCH),
        takes_saved: true,
        ..keep(4)
    };
    assert_eq!(gc(&world, &old).saved.removed, 0);
    let all = GcPolicy {
        takes_saved: true,
        ..keep(4)
    };
    let seen = garbage(&world.prefix, &all).unwrap();
    assert!(kept.iter().all(|it| it.is_file()), "a dry run removes none");
    assert!(seen.bytes > 0);
    assert_eq!(gc(&world, &all), seen);
    assert!(!world.prefix.saved().exists() && !world.prefix.adopted().exists());
    assert_eq!(world.faults(), [""; 0]);
}
