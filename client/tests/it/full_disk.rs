//! Disks that are full or became read-only: refused with the reason and the way out, and
//! nothing is broken. Needs the right to mount; says so where it has none.

use std::path::Path;
use std::process::Command;

use crate::crash_world::{CrashWorld, Home};

/// Sizes of the disk that `install` runs out of, in KiB: none is enough for all of it.
const SIZES_KIB: [u32; 9] = [8, 40, 72, 104, 200, 600, 1200, 2000, 2150];

/// A disk in memory, mounted over a folder until it is dropped.
struct Disk<'a>(&'a Path);

impl<'a> Disk<'a> {
    fn mount(place: &'a Path, kib: u32) -> Option<Self> {
        std::fs::create_dir_all(place).unwrap();
        let size = format!("size={kib}k,mode=0755");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(place)
            .output()
            .ok()?;
        if mounted.status.success() {
            return Some(Self(place));
        }
        let why = String::from_utf8_lossy(&mounted.stderr).into_owned();
        // A right that the machine withholds cannot be installed, so this is no failure even
        // where every test is required.
        crate::crash_world::say(&format!("skipped, mounting is refused: {}", why.trim()));
        None
    }

    fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        let mut mount = Command::new("mount");
        let mount = mount.args(["-o", &options]).arg(self.0);
        assert!(mount.status().unwrap().success(), "{options}");
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

/// Runs the client; how it ended, and what it said.
fn run(home: &Home, words: &[&str]) -> (Option<i32>, String) {
    let ended = home.command(words).output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    (ended.status.code(), said)
}

#[test]
fn a_full_disk_is_named_with_the_way_out_and_nothing_is_half_done() {
    let world = CrashWorld::new();
    for kib in SIZES_KIB {
        let home = world.home(&[&["resolve", "core"]]);
        let prefix = home.prefix();
        let Some(disk) = Disk::mount(&prefix, kib) else {
            return;
        };
        let (status, said) = run(&home, &["install", "core", "platform", "large"]);
        assert_eq!(status, Some(1), "{kib} KiB: {said}");
        assert!(said.contains("is full"), "{kib} KiB: {said}");
        assert!(said.contains("provisioning gc"), "{kib} KiB: {said}");
        assert!(said.contains("same command again"), "{kib} KiB: {said}");
        let (status, said) = run(&home, &["verify"]);
        assert_eq!(status, Some(0), "{kib} KiB: {said}");
        assert_eq!(home.packages(), [""; 0], "{kib} KiB");
        disk.remount("size=64m");
        home.ok(&["install", "core", "platform", "large"]);
        home.ok(&["verify"]);
    }
}

#[test]
fn a_full_disk_under_the_cache_is_named_too() {
    let world = CrashWorld::new();
    let home = world.home(&[&["resolve", "core"]]);
    let cache = home.path().join(".cache");
    let Some(disk) = Disk::mount(&cache, 900) else {
        return;
    };
    let (status, said) = run(&home, &["install", "large"]);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("is full") && said.contains("cache"), "{said}");
    disk.remount("size=64m");
    home.ok(&["install", "large"]);
}

#[test]
fn a_prefix_that_became_read_only_can_be_read_and_refuses_changes() {
    let world = CrashWorld::new();
    let home = world.home(&[&["resolve", "core"]]);
    let prefix = home.prefix();
    let Some(disk) = Disk::mount(&prefix, 64 * 1024) else {
        return;
    };
    home.ok(&["install", "lts-3.1"]);
    let before = home.ok(&["list"]);
    disk.remount("ro");
    assert_eq!(home.ok(&["list"]), before);
    home.ok(&["verify"]);
    home.ok(&["history"]);
    for words in [
        &["install", "stable-3.2"][..],
        &["uninstall", "platform"],
        &["gc"],
    ] {
        let (status, said) = run(&home, words);
        assert_eq!(status, Some(1), "{words:?}: {said}");
        assert!(said.contains("cannot write"), "{words:?}: {said}");
    }
    disk.remount("rw");
    home.ok(&["install", "stable-3.2"]);
    home.ok(&["verify"]);
}
