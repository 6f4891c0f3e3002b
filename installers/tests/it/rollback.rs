//! Going back: a new generation with the content of an old one.

use std::fs;

use provisioning_installers::{Action, Silent, plan_rollback, plan_uninstall};

use crate::fixture::{World, name};

#[test]
fn a_rollback_is_a_new_generation_with_old_content() {
    let world = World::new();
    let (old, new) = (world.core("3.1.0"), world.core("3.2.1"));
    let mongodb = world.extension("mongodb", "1.2.0");
    world.install(&[&old]).unwrap();
    world.install(&[&new, &mongodb]).unwrap();
    let current = world.prefix.current_generation().unwrap().unwrap();
    let older = world.prefix.read_generation(1).unwrap();
    let plan = plan_rollback(&current, &older, "rollback 1".into());
    let actions: Vec<_> = plan.changes.iter().map(|it| it.action).collect();
    assert_eq!(actions, [Action::Downgrade, Action::Remove]);
    let applied = world.carry_out(&plan, &[], &Silent).unwrap();
    assert_eq!(applied.generation, Some(3));
    let history = world.prefix.history().unwrap();
    let reasons: Vec<_> = history.iter().map(|it| it.reason.as_str()).collect();
    assert_eq!(reasons, ["install", "install", "rollback 1"]);
    assert_eq!(history[2].packages, history[0].packages);
    assert_eq!(history[2].parent, Some(2));
    assert!(world.read("extensions/mongodb/taskserv.nu").is_none());
    assert_eq!(world.faults(), [""; 0]);
}

#[test]
fn an_uninstall_can_be_rolled_back_from_the_store_alone() {
    let world = World::new();
    let mongodb = world.extension("mongodb", "1.2.0");
    world.install(&[&world.core("3.1.0"), &mongodb]).unwrap();
    let current = world.prefix.current_generation().unwrap().unwrap();
    let plan = plan_uninstall(
        &current,
        &[name("mongodb")].into(),
        "uninstall mongodb".into(),
    );
    world.carry_out(&plan.unwrap(), &[], &Silent).unwrap();
    assert!(world.read("extensions/mongodb/taskserv.nu").is_none());
    let current = world.prefix.current_generation().unwrap().unwrap();
    let older = world.prefix.read_generation(1).unwrap();
    world
        .carry_out(
            &plan_rollback(&current, &older, "rollback".into()),
            &[],
            &Silent,
        )
        .unwrap();
    assert_eq!(
        world.read("extensions/mongodb/taskserv.nu").as_deref(),
        Some("1.2.0")
    );
}

#[test]
fn a_rollback_without_the_store_folder_says_how_to_fetch_it() {
    let world = World::new();
    let old = world.core("3.1.0");
    world.install(&[&old]).unwrap();
    world.install(&[&world.core("3.2.1")]).unwrap();
    fs::remove_file(world.prefix.receipt(&old.choice.digest)).unwrap();
    let current = world.prefix.current_generation().unwrap().unwrap();
    let older = world.prefix.read_generation(1).unwrap();
    let plan = plan_rollback(&current, &older, "rollback".into());
    let refused = world.carry_out(&plan, &[], &Silent).unwrap_err();
    assert_eq!(refused.code(), "not-in-store");
    assert!(
        refused.hints()[0].contains("core@3.1.0"),
        "{:?}",
        refused.hints()
    );
}
