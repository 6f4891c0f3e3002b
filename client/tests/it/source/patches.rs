//! Patches of a source-git repository: their names, numbers, roots, and the RPMs that have them.

use std::process::Command;

use super::World;

const SPEC: &str = "Name: lit
Version: 1
Release: 1
Summary: A tester
License: MIT
Source0: old.tar.gz
BuildArch: noarch
%description
It tests.
%prep
%autosetup -p1 -n lit-1
%install
install -D -m 0644 lit.py %{buildroot}/usr/share/lit/lit.py
%files
/usr/share/lit/lit.py
%changelog
";

fn sample() -> World {
    let world = World::new();
    world.init("src");
    world.commit(
        "Bob",
        "src",
        "v1",
        &[("utils/lit/lit.py", "1\n2\n3\n"), ("other", "1\n")],
    );
    world.git("src", &["tag", "1"]);
    let config = "upstream_ref: '1'\npatch_generation_ignore_paths: [.distro]\npackages:\n  lit:\n    paths: [utils/lit]\n    specfile_path: .distro/lit/lit.spec\n    patch_generation_patch_id_digits: 1\n    files_to_sync:\n    - {src: .distro/lit/, dest: ., delete: true, filters: [protect .git*, protect sources]}\njobs: []\n";
    world.commit(
        "Bob",
        "src",
        "setup",
        &[
            (".distro/source-git.yaml", config),
            (".distro/lit/lit.spec", SPEC),
        ],
    );
    world.commit(
        "Cy",
        "src",
        "lit: say one\n\nIt is better.\n\nPatch-name: one.patch\nPatch-id: 5",
        &[("utils/lit/lit.py", "one\n2\n3\n"), ("other", "2\n")],
    );
    world.commit("Cy", "src", "other alone", &[("other", "3\n")]);
    world.commit(
        "Dee",
        "src",
        "lit: debug\n\nIgnore-patch: true",
        &[("utils/lit/debug", "1\n")],
    );
    world.commit(
        "Eve",
        "src",
        "lit: say two\n\nPatch-status: |\n    # sent upstream\n    # not taken",
        &[("utils/lit/lit.py", "one\ntwo\n3\n")],
    );
    world.init("rpms/lit");
    world.commit("Bob", "rpms/lit", "begin", &[("sources", "x\n")]);
    world
}

#[test]
fn patches_are_rooted_as_the_archive_and_named_by_their_trailers() {
    let world = sample();
    world.source(&["update-downstream", "src", "rpms/lit"]);
    let files = world.git("rpms/lit", &["ls-tree", "-r", "--name-only", "HEAD"]);
    assert_eq!(
        files,
        "0003-lit-say-two.patch\nlit.spec\none.patch\nsources"
    );
    let spec = world.git("rpms/lit", &["show", "HEAD:lit.spec"]);
    let patches = "Source0: old.tar.gz\n\n# lit: say one\n#\n# It is better.\nPatch5: one.patch\n# # sent upstream\n# # not taken\nPatch6: 0003-lit-say-two.patch\n";
    assert!(spec.contains(patches), "{spec}");
    let patch = world.git("rpms/lit", &["show", "HEAD:one.patch"]);
    assert!(
        patch.contains("--- a/lit.py\n+++ b/lit.py\n") && !patch.contains("other"),
        "{patch}"
    );
    let head = world.git("rpms/lit", &["rev-parse", "HEAD"]);
    world.commit("Bob", "src", "other", &[("other", "4\n")]);
    let done = world.source(&["update-downstream", "src", "rpms/lit"]);
    assert_eq!(done["packages"][0]["commits"][0]["has_effect"], false);
    assert_eq!(
        world.git("rpms/lit", &["diff", "--name-only", &head, "HEAD"]),
        ""
    );
    world.commit("Dana", "rpms/lit", "patch by hand", &[("one.patch", "x\n")]);
    assert_eq!(
        world.refused(&["update-source", "rpms/lit", "src"])["error"]["code"],
        "made-from-source"
    );
}

#[test]
fn a_source_rpm_has_the_upstream_archive_and_the_patches_which_apply() {
    let world = sample();
    let made = world.source(&["srpm", "-C", "src", "-o", "out"]);
    let srpm = made["packages"][0]["files"][0].as_str().unwrap();
    let listed = Command::new("rpm").args(["-qpl", srpm]).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert_eq!(
        listed,
        "0003-lit-say-two.patch\nlit-1.tar.gz\nlit.spec\none.patch\n"
    );
    let made = world.source(&["local-build", "lit", "-C", "src", "-o", "rpms-made"]);
    let rpm = made["packages"][0]["files"][0].as_str().unwrap();
    let shown = Command::new("sh")
        .arg("-c")
        .arg("rpm2cpio \"$0\" | cpio -i --quiet --to-stdout '*/lit.py'")
        .arg(rpm)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(shown.stdout).unwrap(), "one\ntwo\n3\n");
}
