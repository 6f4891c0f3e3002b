//! One writer at a time, and readers that never wait.

use std::time::{Duration, Instant};

use crate::fixture::World;

#[test]
fn a_second_writer_waits_and_then_names_the_holder() {
    let world = World::new();
    let first = world.lock(Duration::ZERO).unwrap();
    let started = Instant::now();
    let refused = world.lock(Duration::from_millis(120)).unwrap_err();
    assert!(started.elapsed() >= Duration::from_millis(120));
    assert!(refused.is_locked());
    let expected = format!(
        "process {} (`install core`) since 1970-01-01",
        std::process::id()
    );
    assert!(refused.to_string().contains(&expected), "{refused}");
    drop(first);
    assert!(world.lock(Duration::ZERO).is_ok());
}

#[test]
fn a_plan_made_before_another_writer_finished_is_stale() {
    let world = World::new();
    let (core, mongodb) = (world.core("3.1.0"), world.extension("mongodb", "1.2.0"));
    let plan = world.plan(&[&core]);
    world.install(&[&mongodb]).unwrap();
    let refused = world.carry_out(&plan, &[&core], &provisioning_installers::Silent);
    assert_eq!(refused.unwrap_err().code(), "stale-plan");
}

#[test]
fn writers_at_once_all_end_well_when_each_plans_under_the_lock() {
    let world = World::new();
    let versions: Vec<_> = (0..12).map(|it| world.core(&format!("3.{it}.0"))).collect();
    std::thread::scope(|scope| {
        for built in &versions {
            let world = &world;
            scope.spawn(move || {
                while let Err(problem) = world.install(&[built]) {
                    assert_eq!(problem.code(), "stale-plan", "{problem}");
                }
            });
        }
    });
    assert_eq!(world.prefix.current_number().unwrap(), Some(12));
    assert_eq!(world.faults(), [""; 0]);
}
