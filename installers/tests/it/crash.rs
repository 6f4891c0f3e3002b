//! A writer that is killed at any step leaves the old or the new state, whole.

use std::fs;
use std::path::Path;
use std::process::Command;

use provisioning_installers::{Holder, Observer, Step, recover};

use crate::fixture::{Built, World};

/// Where a child finds the step at which it dies; the parent runs in another folder.
const ORDERS: &str = "die-at";

/// Kills its own process, as the kernel would: no destructor runs.
struct Assassin(Step);

impl Observer for Assassin {
    fn reached(&self, step: Step) {
        if step == self.0 {
            let me = rustix::process::getpid();
            rustix::process::kill_process(me, rustix::process::Signal::KILL).unwrap();
        }
    }
}

fn old(world: &World) -> Vec<Built> {
    vec![world.core("3.1.0"), world.platform("2.5.0", "v1")]
}

fn new(world: &World) -> Vec<Built> {
    let mut packages = vec![world.core("3.2.1"), world.platform("2.5.3", "v2")];
    packages.push(world.build(&crate::fixture::Recipe {
        name: "mongodb",
        version: "1.2.0",
        manifest: "[install]\nconfig = [\"*.conf\"]\n",
        files: &[("bin/mongo-check", "#!/bin/sh\n"), ("mongod.conf", "x")],
    }));
    packages
}

/// One test in two processes: where the folder holds orders, this is the one that dies.
#[test]
fn a_writer_killed_at_any_step_leaves_the_old_or_the_new_state_whole() {
    if let Ok(step) = fs::read_to_string(ORDERS) {
        let step = Step::ALL[step.parse::<usize>().unwrap()];
        let world = World::visit(Path::new("."));
        let packages = new(&world);
        let packages: Vec<_> = packages.iter().collect();
        let plan = world.plan(&packages);
        world.carry_out(&plan, &packages, &Assassin(step)).unwrap();
        return;
    }
    for (index, step) in Step::ALL.into_iter().enumerate() {
        for from_nothing in [true, false] {
            kill_and_check(index, step, from_nothing);
        }
    }
}

fn kill_and_check(index: usize, step: Step, from_nothing: bool) {
    let world = World::new();
    if !from_nothing {
        let packages = old(&world);
        world.install(&packages.iter().collect::<Vec<_>>()).unwrap();
    }
    fs::write(world.folder.join(ORDERS), index.to_string()).unwrap();
    let status = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "crash::a_writer_killed_at_any_step_leaves_the_old_or_the_new_state_whole",
        ])
        .current_dir(&world.folder)
        .output()
        .unwrap()
        .status;
    assert!(!status.success(), "killed at {step:?}");

    let switched = step >= Step::Switched;
    let expected = match (switched, from_nothing) {
        (true, true) | (false, false) => Some(1),
        (true, false) => Some(2),
        (false, true) => None,
    };
    assert_eq!(
        world.prefix.current_number().unwrap(),
        expected,
        "killed at {step:?}"
    );
    recover(&world.prefix, &Holder::default());
    assert_eq!(world.faults(), [""; 0], "killed at {step:?}");
    let config = world.read("etc/provisioning/platform/config/orchestrator.toml");
    let config_expected = match (switched, from_nothing) {
        (true, _) => Some("v2"),
        (false, true) => None,
        (false, false) => Some("v1"),
    };
    assert_eq!(config.as_deref(), config_expected, "killed at {step:?}");

    let packages = new(&world);
    world.install(&packages.iter().collect::<Vec<_>>()).unwrap();
    assert_eq!(world.faults(), [""; 0], "after {step:?}");
    let left: Vec<_> = world
        .paths()
        .into_iter()
        .filter(|it| it.contains(".tmp-") || it.ends_with("/pending"))
        .collect();
    assert_eq!(left, [""; 0], "after {step:?}");
    assert!(world.prefix.bin().join("mongo-check").exists());
}
