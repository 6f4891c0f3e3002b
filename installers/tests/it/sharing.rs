//! Trees that another prefix has unpacked already.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::PathBuf;

use provisioning_installers::{Plan, Prefix, Silent, shared_trees, verify};
use provisioning_package::Digest;

use crate::fixture::{Built, World};

/// A prefix with a package, and a second one beside it that has nothing.
struct Two {
    first: World,
    second: World,
    package: Built,
}

impl Two {
    fn new() -> Self {
        let first = World::new();
        let package = first.extension("mongodb", "1.2.0");
        first.install(&[&package]).unwrap();
        let mut second = World::visit(&first.folder);
        second.prefix = Prefix::new(first.folder.join("q"));
        Self {
            first,
            second,
            package,
        }
    }

    fn plan(&self) -> Plan {
        self.second.plan(&[&self.package])
    }

    fn shared(&self) -> BTreeMap<Digest, PathBuf> {
        let others = [self.first.prefix.clone()];
        shared_trees(&self.second.prefix, &self.plan(), &others)
    }

    /// Installs into the second prefix without an archive.
    fn share(&mut self) {
        let plan = self.plan();
        self.second.prefix = self.second.prefix.clone().sharing(self.shared());
        self.second.carry_out(&plan, &[], &Silent).unwrap();
    }

    fn file(&self, world: &World) -> PathBuf {
        let folder = world.prefix.store_folder(&self.package.choice.digest);
        folder.join("taskserv.nu")
    }
}

#[test]
fn a_tree_of_another_prefix_needs_no_archive() {
    let mut two = Two::new();
    two.share();
    let (one, other) = (two.file(&two.first), two.file(&two.second));
    assert_eq!(fs::read(&one).unwrap(), fs::read(&other).unwrap());
    assert_eq!(fs::metadata(&other).unwrap().mode() & 0o7777, 0o444);
    assert_eq!(verify(&two.second.prefix).unwrap(), []);
    let through = two.second.folder.join("q/extensions/mongodb/taskserv.nu");
    assert_eq!(fs::read_to_string(through).unwrap(), "1.2.0");
}

#[test]
fn what_was_shared_outlives_the_prefix_that_it_came_from() {
    let mut two = Two::new();
    two.share();
    let status = std::process::Command::new("rm")
        .arg("-rf")
        .arg(two.first.prefix.root())
        .status();
    assert!(status.unwrap().success());
    assert_eq!(verify(&two.second.prefix).unwrap(), []);
}

#[test]
fn a_file_that_was_edited_is_not_spread_further() {
    let two = Two::new();
    assert_eq!(two.shared().len(), 1);
    let file = two.file(&two.first);
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    fs::write(&file, "9.9.9").unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o444)).unwrap();
    assert!(two.shared().is_empty());
}

#[test]
fn a_tree_that_others_may_write_to_is_not_taken() {
    let two = Two::new();
    let base = two.first.prefix.base();
    fs::set_permissions(&base, Permissions::from_mode(0o777)).unwrap();
    assert!(two.shared().is_empty());
}

#[test]
fn a_receipt_that_leads_outside_is_not_followed() {
    let two = Two::new();
    let receipt = two.first.prefix.receipt(&two.package.choice.digest);
    let text = fs::read_to_string(&receipt).unwrap();
    assert!(text.contains("\"taskserv.nu\""));
    fs::write(
        &receipt,
        text.replace("\"taskserv.nu\"", "\"../taskserv.nu\""),
    )
    .unwrap();
    assert!(two.shared().is_empty());
}
