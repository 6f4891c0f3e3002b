//! Build, inspect, unpack: what goes in comes out.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use provisioning_package::{
    ArchiveFacts, ArchiveFormat, BuildOptions, EntryKind, build_archive, inspect_archive,
    unpack_archive,
};

const FORMATS: [ArchiveFormat; 2] = [ArchiveFormat::TarZst, ArchiveFormat::TarGz];

fn build(tree: &Path, format: ArchiveFormat, out: &Path) -> ArchiveFacts {
    let options = BuildOptions {
        format,
        ..BuildOptions::default()
    };
    build_archive(tree, &options, &mut File::create(out).unwrap()).unwrap()
}

#[test]
fn a_tree_with_links_and_empty_folders_survives() {
    for format in FORMATS {
        let home = tempfile::tempdir().unwrap();
        let tree = home.path().join("tree");
        fs::create_dir_all(tree.join("bin")).unwrap();
        fs::create_dir_all(tree.join("empty")).unwrap();
        fs::create_dir_all(tree.join(".git/objects")).unwrap();
        fs::write(tree.join("bin/run"), "#!/bin/sh\n").unwrap();
        fs::set_permissions(tree.join("bin/run"), Permissions::from_mode(0o700)).unwrap();
        fs::write(tree.join("manifest.toml"), "[package]\n").unwrap();
        symlink("bin/run", tree.join("run")).unwrap();
        let archive = home.path().join("a");
        let facts = build(&tree, format, &archive);
        let report = inspect_archive(&archive).unwrap();
        assert_eq!(report.facts, facts);
        assert_eq!(report.manifest.as_deref(), Some("[package]\n"));
        let paths: Vec<&str> = report.entries.iter().map(|it| it.path.as_str()).collect();
        assert_eq!(paths, ["bin", "bin/run", "empty", "manifest.toml", "run"]);
        assert_eq!(report.entries[1].kind, EntryKind::File { executable: true });
        let to = home.path().join("deep/to");
        let unpacked = unpack_archive(&archive, &to).unwrap();
        assert_eq!(unpacked.digests.len(), 2);
        assert_eq!(fs::read(to.join("bin/run")).unwrap(), b"#!/bin/sh\n");
        assert_eq!(fs::read_link(to.join("run")).unwrap(), Path::new("bin/run"));
        let mode = to.join("bin/run").metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o755);
        assert!(to.join("empty").is_dir());
        assert_eq!(build(&to, format, &archive), facts);
        let left: Vec<_> = fs::read_dir(home.path().join("deep")).unwrap().collect();
        assert_eq!(left.len(), 1, "the stage is gone");
    }
}
