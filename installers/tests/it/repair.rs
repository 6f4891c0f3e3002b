//! What `verify` finds, and that a repair mends it and loses nothing.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use provisioning_installers::{Repaired, repair};
use provisioning_package::Digest;

use crate::fixture::{Built, World, write};

struct Damaged {
    world: World,
    core: Built,
    platform: Built,
}

impl Damaged {
    /// A prefix with two packages, of which the caller damages something.
    fn new() -> Self {
        let world = World::new();
        let (core, platform) = (world.core("3.1.0"), world.platform("2.5.0", "v1"));
        world.install(&[&core, &platform]).unwrap();
        Self {
            world,
            core,
            platform,
        }
    }

    fn core(&self, path: &str) -> PathBuf {
        let folder = self.world.prefix.store_folder(&self.core.choice.digest);
        folder.join(path)
    }

    /// What is found, as `code path-below-the-prefix`.
    fn found(&self) -> Vec<String> {
        let root = self.world.prefix.root().to_owned();
        let found = provisioning_installers::verify(&self.world.prefix).unwrap();
        found
            .into_iter()
            .map(|it| {
                let path = it.path.strip_prefix(&root).unwrap().display().to_string();
                let hex = self.core.choice.digest.hex();
                format!("{} {}", it.code, path.replace(&hex, "CORE"))
            })
            .collect()
    }

    fn repair(&self, archives: &BTreeMap<Digest, PathBuf>) -> Repaired {
        let lock = self.world.lock(Duration::ZERO).unwrap();
        repair(&self.world.prefix, &lock, archives).unwrap()
    }

    fn archives(&self) -> BTreeMap<Digest, PathBuf> {
        [&self.core, &self.platform]
            .map(|it| (it.choice.digest, it.archive.clone()))
            .into()
    }

    /// Everything is mended with what is on the machine.
    fn is_mended_alone(&self) -> Repaired {
        let found = self.found();
        let repaired = self.repair(&BTreeMap::new());
        assert_eq!(self.found(), [""; 0], "after a repair of {found:?}");
        assert!(repaired.needs.is_empty(), "{:?}", repaired.needs);
        assert_eq!(repaired.mended.len(), found.len(), "{found:?}");
        repaired
    }
}

/// Opens a read-only tree, as whoever damages it would have to.
fn open(path: &Path) {
    let folder = path.parent().unwrap();
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    if path.exists() {
        fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    }
}

fn close(path: &Path) {
    let folder = path.parent().unwrap();
    fs::set_permissions(folder, fs::Permissions::from_mode(0o555)).unwrap();
    if path.is_file() {
        fs::set_permissions(path, fs::Permissions::from_mode(0o444)).unwrap();
    }
}

fn spoil(path: &Path, content: &str) {
    open(path);
    fs::write(path, content).unwrap();
    close(path);
}

#[test]
fn a_changed_file_that_nobody_else_has_takes_its_archive_and_is_kept_aside() {
    let it = Damaged::new();
    spoil(&it.core("lib/version"), "mine!");
    assert_eq!(
        it.found(),
        ["changed lib/provisioning/store/CORE/lib/version"]
    );
    let stuck = it.repair(&BTreeMap::new());
    let needs: Vec<_> = stuck.needs.iter().map(|it| it.digest).collect();
    assert_eq!(needs, [it.core.choice.digest]);
    assert_eq!((stuck.mended.len(), stuck.left.len()), (0, 1));
    let repaired = it.repair(&it.archives());
    assert!(repaired.left.is_empty() && repaired.needs.is_empty());
    assert_eq!(it.found(), [""; 0]);
    let saved = repaired.mended[0].saved.as_ref().unwrap();
    assert_eq!(fs::read_to_string(saved).unwrap(), "mine!");
    assert_eq!(fs::read_to_string(it.core("lib/version")).unwrap(), "3.1.0");
}

#[test]
fn what_another_generation_has_is_taken_from_there() {
    let world = World::new();
    let old = world.core("3.1.0");
    world.install(&[&old]).unwrap();
    let core = world.core("3.2.0");
    world.install(&[&core]).unwrap();
    let platform = core.clone();
    let it = Damaged {
        world,
        core,
        platform,
    };
    // The command line is the same in both versions.
    spoil(&it.core("cli/provisioning"), "broken");
    assert_eq!(it.found().len(), 1);
    it.is_mended_alone();
    let mode = fs::metadata(it.core("cli/provisioning")).unwrap();
    assert_eq!(mode.permissions().mode() & 0o777, 0o555);
}

#[test]
fn modes_extra_files_and_lost_links_are_found_and_mended_without_an_archive() {
    let it = Damaged::new();
    let file = it.core("lib/version");
    open(&file);
    fs::write(it.core("lib/extra"), "extra").unwrap();
    fs::create_dir(it.core("lib/folder")).unwrap();
    fs::write(it.core("lib/folder/x"), "x").unwrap();
    let expected = [
        "extra lib/provisioning/store/CORE/lib/extra",
        "extra lib/provisioning/store/CORE/lib/folder",
        "mode lib/provisioning/store/CORE/lib",
        "mode lib/provisioning/store/CORE/lib/version",
    ];
    assert_eq!(it.found(), expected);
    let repaired = it.is_mended_alone();
    let saved = repaired.mended[1].saved.as_ref().unwrap();
    assert_eq!(fs::read_to_string(saved.join("x")).unwrap(), "x");
}

#[test]
fn wrong_links_in_and_to_the_generation_are_found_and_mended() {
    let it = Damaged::new();
    let command = it.world.prefix.bin().join("provisioning-orchestrator");
    let inner = it.world.prefix.generation(1);
    let inner = inner.join("bin/provisioning-orchestrator");
    for end in [
        "/bin/true",
        "/x/lib/provisioning/current/bin/provisioning-orchestrator",
    ] {
        for link in [&command, &inner] {
            fs::remove_file(link).unwrap();
            symlink(end, link).unwrap();
            assert_eq!(it.found().len(), 1, "{} to {end}", link.display());
            it.is_mended_alone();
        }
    }
    fs::remove_file(&command).unwrap();
    fs::write(&command, "mine").unwrap();
    let repaired = it.is_mended_alone();
    let saved = repaired.mended[0].saved.as_ref().unwrap();
    assert_eq!(fs::read_to_string(saved).unwrap(), "mine");
    fs::remove_file(&command).unwrap();
    fs::remove_file(it.world.prefix.share()).unwrap();
    assert_eq!(
        it.found(),
        [
            "link bin/provisioning-orchestrator",
            "link extensions",
            "link share/provisioning"
        ]
    );
    it.is_mended_alone();
    symlink(
        "../lib/provisioning/current/bin/gone",
        it.world.prefix.bin().join("gone"),
    )
    .unwrap();
    assert_eq!(it.found(), ["link bin/gone"]);
    it.is_mended_alone();
}

#[test]
fn a_damaged_record_is_found_and_built_again_from_its_second_copy() {
    for content in ["{", "", "{\"schema\": 1}"] {
        let it = Damaged::new();
        let record = it.world.prefix.generation(1).join("generation.json");
        fs::write(record, content).unwrap();
        assert_eq!(
            it.found(),
            ["damaged lib/provisioning/generations/1/generation.json"]
        );
        it.is_mended_alone();
        assert!(it.world.install(&[&it.core]).is_ok());
    }
    let it = Damaged::new();
    let record = it.world.prefix.generation(1).join("generation.json");
    let text = fs::read_to_string(&record).unwrap();
    fs::write(&record, text.replace("2.5.0", "2.5.1")).unwrap();
    assert_eq!(it.found().len(), 1, "a change that still parses is one");
    it.is_mended_alone();
    fs::remove_dir_all(it.world.prefix.generation(1)).unwrap();
    assert!(!it.found().is_empty());
    it.repair(&BTreeMap::new());
    assert_eq!(it.found(), [""; 0]);
}

#[test]
fn a_lost_link_to_the_current_generation_is_found_and_nothing_is_swept() {
    let it = Damaged::new();
    let current = it.world.prefix.current();
    fs::remove_file(&current).unwrap();
    assert_eq!(it.found(), ["missing lib/provisioning/current"]);
    let refused = it.world.install(&[&it.core]).unwrap_err();
    assert_eq!(refused.code(), "damaged-state", "{refused}");
    assert!(refused.hints()[0].contains("verify --repair"));
    it.is_mended_alone();
    fs::remove_file(&current).unwrap();
    symlink("/tmp", &current).unwrap();
    assert_eq!(it.found(), ["damaged lib/provisioning/current"]);
    it.is_mended_alone();
}

#[test]
fn a_lost_or_damaged_list_of_files_is_found_and_comes_back_with_the_archive() {
    for content in [None, Some("{"), Some("{\"schema\": 1}")] {
        let it = Damaged::new();
        let receipt = it.world.prefix.receipt(&it.core.choice.digest);
        match content {
            None => fs::remove_file(&receipt).unwrap(),
            Some(text) => fs::write(&receipt, text).unwrap(),
        }
        assert_eq!(it.found().len(), 1);
        assert_eq!(it.repair(&BTreeMap::new()).needs.len(), 1);
        it.repair(&it.archives());
        assert_eq!(it.found(), [""; 0]);
    }
}

#[test]
fn a_package_that_is_gone_or_became_a_link_comes_back_with_the_archive() {
    let it = Damaged::new();
    let folder = it.core("");
    let folder = Path::new(folder.to_str().unwrap().trim_end_matches('/')).to_owned();
    let aside = it.world.folder.join("aside");
    for links in [false, true] {
        open(&folder.join("x"));
        fs::rename(&folder, &aside).unwrap();
        if links {
            symlink(&aside, &folder).unwrap();
        }
        assert_eq!(it.found()[0], "missing lib/provisioning/store/CORE");
        it.repair(&it.archives());
        assert_eq!(it.found(), [""; 0]);
        fs::remove_dir_all(&aside).unwrap();
    }
}

#[test]
fn an_edited_or_deleted_configuration_file_is_named_and_no_fault() {
    let it = Damaged::new();
    let file = "etc/provisioning/platform/config/orchestrator.toml";
    write(&it.world.prefix.root().join(file), "mine");
    assert_eq!(it.found(), [format!("edited {file}")]);
    assert!(it.repair(&BTreeMap::new()).mended.is_empty());
    assert_eq!(it.world.read(file).as_deref(), Some("mine"));
    fs::remove_file(it.world.prefix.root().join(file)).unwrap();
    assert_eq!(it.found(), [format!("edited {file}")]);
    assert_eq!(it.world.faults(), [""; 0]);
}

#[test]
fn leftovers_of_killed_runs_are_no_finding() {
    let it = Damaged::new();
    let base = it.world.prefix.base();
    for path in [
        ".tmp-x",
        "store/.tmp-abc/x",
        "generations/.tmp-7/x",
        "receipts/.tmp-y",
    ] {
        write(&base.join(path), "half");
    }
    fs::write(it.world.prefix.pending(), "2\n").unwrap();
    symlink(
        "../lib/provisioning/current/bin/new",
        it.world.prefix.bin().join("new"),
    )
    .unwrap();
    assert_eq!(it.found(), [""; 0]);
}
