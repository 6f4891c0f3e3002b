//! Archives that are unpacked before anybody holds the lock.

use std::fs;

use jiff::Timestamp;
use provisioning_installers::{
    ApplyContext, Arrival, InstallError, Silent, Staging, apply, leftovers, prepare,
};
use provisioning_package::{FileChunks, Version};

use crate::fixture::{Built, World, write};

fn unpack(staging: &Staging, package: &Built) -> Result<Arrival, InstallError> {
    let mut chunks = FileChunks::open(&package.archive).unwrap();
    staging.unpack(&package.choice, &mut chunks)
}

/// What stands in the store under unfinished names.
fn unfinished(world: &World) -> Vec<String> {
    let entries = fs::read_dir(world.prefix.store()).into_iter().flatten();
    let names = entries.map(|it| it.unwrap().file_name().into_string().unwrap());
    names.filter(|it| it.starts_with(".tmp-")).collect()
}

#[test]
fn another_writer_leaves_what_is_staged_alone_and_it_can_be_installed_afterwards() {
    let world = World::new();
    let (core, redis) = (world.core("3.1.0"), world.extension("redis", "1.0.0"));
    let staging = Staging::open(&world.prefix).unwrap();
    assert_eq!(unpack(&staging, &redis).unwrap(), Arrival::Taken);
    world.install(&[&core]).unwrap();
    assert!(!unfinished(&world).is_empty());
    assert!(leftovers(&world.prefix).unwrap().is_empty());

    let plan = world.plan(&[&core, &redis]);
    let prepared = prepare(&world.prefix, &plan, Some(&staging)).unwrap();
    let lock = world.lock(std::time::Duration::from_secs(20)).unwrap();
    let context = ApplyContext {
        staging: Some(&staging),
        adopting: None,
        now: Timestamp::UNIX_EPOCH,
        client: Version::new(0, 1, 0),
        observer: &Silent,
    };
    apply(&world.prefix, &lock, &plan, &prepared, &context).unwrap();
    drop(staging);
    assert_eq!(unfinished(&world), [""; 0]);
    assert_eq!(world.faults(), [""; 0]);
}

#[test]
fn what_a_dead_process_staged_is_named_and_goes_with_the_next_writer() {
    let world = World::new();
    let (core, redis) = (world.core("3.1.0"), world.extension("redis", "1.0.0"));
    world.install(&[&core]).unwrap();
    let store = world.prefix.store();
    write(&store.join(".tmp-stage-Dead01"), "");
    write(&store.join(".tmp-stage-Dead01-abc.tree/bin/x"), "x");
    write(&store.join(".tmp-stage-Dead01-abc.receipt"), "{}");
    write(
        &store.join(".tmp-stage-Dead02-abc.tree/x"),
        "its owner's file is gone",
    );
    assert_eq!(leftovers(&world.prefix).unwrap().len(), 4);
    world.install(&[&core, &redis]).unwrap();
    assert_eq!(unfinished(&world), [""; 0]);
    assert!(leftovers(&world.prefix).unwrap().is_empty());
}

#[test]
fn what_is_not_installed_after_all_leaves_nothing_not_even_the_prefix() {
    let world = World::new();
    let redis = world.extension("redis", "1.0.0");
    let staging = Staging::open(&world.prefix).unwrap();
    assert_eq!(unpack(&staging, &redis).unwrap(), Arrival::Taken);
    assert!(staging.has(&redis.choice.digest));
    drop(staging);
    assert!(!world.prefix.root().exists());
}

#[test]
fn wrong_bytes_and_refused_ones_leave_nothing_and_the_right_ones_may_follow() {
    let world = World::new();
    let (redis, mongodb) = (
        world.extension("redis", "1.0.0"),
        world.extension("mongodb", "1.0.0"),
    );
    let staging = Staging::open(&world.prefix).unwrap();
    let swapped = Built {
        archive: mongodb.archive.clone(),
        ..redis.clone()
    };
    let found = unpack(&staging, &swapped).unwrap();
    assert!(matches!(found, Arrival::Wrong { .. }), "{found:?}");
    let mut low = redis.clone();
    low.choice.unpacks.as_mut().unwrap().bytes -= 1;
    let problem = unpack(&staging, &low).unwrap_err();
    assert!(problem.is_verification(), "{problem}");
    assert!(
        problem.to_string().contains("than the index signs"),
        "{problem}"
    );
    // Signed, and yet another package: the index and its archive disagree.
    let mut misnamed = mongodb.clone();
    misnamed.choice.version = Version::new(9, 9, 9);
    let problem = unpack(&staging, &misnamed).unwrap_err();
    assert!(problem.is_verification(), "{problem}");
    assert_eq!(unfinished(&world).len(), 1, "the locked file alone");
    assert_eq!(unpack(&staging, &redis).unwrap(), Arrival::Taken);
}

#[test]
fn a_receipt_says_what_stands_in_the_tree() {
    let world = World::new();
    let core = world.core("3.1.0");
    world.install(&[&core]).unwrap();
    let receipt = provisioning_installers::Receipt::read(&world.prefix, &core.choice.digest);
    let receipt = receipt.unwrap().unwrap();
    for (path, file) in &receipt.files {
        let on_disk = world.prefix.store_folder(&core.choice.digest).join(path);
        let bytes = fs::read(on_disk).unwrap();
        assert_eq!(
            provisioning_package::Digest::of(&bytes),
            file.digest,
            "{path}"
        );
        assert_eq!(bytes.len() as u64, file.size, "{path}");
    }
    assert_eq!(receipt.files.len(), 3);
}
