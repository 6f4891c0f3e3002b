//! Trees that nobody here made: sources of crates.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use cargo_metadata::MetadataCommand;
use provisioning_package::{ArchiveFormat, BuildOptions, build_archive, unpack_archive};

/// What must survive: kind, content or target, and whether it is a program.
fn contents(tree: &Path) -> BTreeMap<PathBuf, (Vec<u8>, &'static str)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![tree.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let metadata = path.symlink_metadata().unwrap();
            let content = if metadata.is_dir() {
                folders.push(path.clone());
                (Vec::new(), "folder")
            } else if metadata.is_symlink() {
                let target = fs::read_link(&path).unwrap();
                (target.into_os_string().into_encoded_bytes(), "link")
            } else if metadata.permissions().mode() & 0o111 != 0 {
                (fs::read(&path).unwrap(), "program")
            } else {
                (fs::read(&path).unwrap(), "file")
            };
            found.insert(path.strip_prefix(tree).unwrap().to_owned(), content);
        }
    }
    found
}

/// Copies a tree with other times, under another umask.
fn copy(tree: &Path, to: &Path) {
    let script = "umask 077 && cp -R -P \"$0\"/. \"$1\" && chmod -R u+w \"$1\"";
    let status = Command::new("sh")
        .args(["-c", script])
        .args([tree, to])
        .status()
        .unwrap();
    assert!(status.success());
}

fn survives(tree: &Path) {
    let home = tempfile::tempdir().unwrap();
    let other = home.path().join("copied");
    fs::create_dir(&other).unwrap();
    copy(tree, &other);
    for format in [ArchiveFormat::TarZst, ArchiveFormat::TarGz] {
        let options = BuildOptions {
            format,
            ..BuildOptions::default()
        };
        let archive = home.path().join(format.as_str());
        let facts = build_archive(tree, &options, &mut fs::File::create(&archive).unwrap());
        let facts = facts.unwrap_or_else(|problem| panic!("{}: {problem}", tree.display()));
        let again = build_archive(&other, &options, &mut std::io::sink()).unwrap();
        assert_eq!(facts, again, "{}", tree.display());
        let to = home.path().join(format!("to-{format}"));
        let unpacked = unpack_archive(&archive, &to).unwrap();
        assert_eq!(unpacked.report.facts, facts);
        assert!(contents(&to) == contents(tree), "{}", tree.display());
    }
}

/// The sources of the crate `name`, which this crate is built from, so Cargo has them.
fn crate_sources(name: &str) -> PathBuf {
    let metadata = MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .other_options(["--locked".to_owned()])
        .exec()
        .unwrap();
    let found = metadata.packages.iter().find(|it| it.name.as_str() == name);
    let manifest = &found.unwrap().manifest_path;
    manifest.parent().unwrap().as_std_path().to_owned()
}

#[test]
fn a_crate_s_sources_survive_byte_for_byte() {
    let this = Path::new(env!("CARGO_MANIFEST_DIR"));
    survives(&this.join("src"));
    for name in ["zstd-sys", "tar", "globset"] {
        survives(&crate_sources(name));
    }
}

#[test]
fn a_tree_of_odd_names_and_modes_survives() {
    let tree = tempfile::tempdir().unwrap();
    for (index, name) in [
        "..foo",
        "foo..",
        "...",
        "-rf",
        "~",
        "a b",
        "x\\x2d.slice",
        "日本語/ファイル",
        "שלום",
        "e\u{301}",
        "deep/er/and/er/still",
        "empty.txt",
        "$(id)",
        "*",
        "🦀",
    ]
    .into_iter()
    .enumerate()
    {
        let path = tree.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, name.repeat(index * 100)).unwrap();
        let mode = [0o400, 0o444, 0o600, 0o640, 0o666, 0o700, 0o777, 0o555][index % 8];
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }
    for (target, name) in [
        ("~", "l1"),
        ("deep/er", "l2"),
        ("nowhere", "l3"),
        ("l1", "l4"),
    ] {
        std::os::unix::fs::symlink(target, tree.path().join(name)).unwrap();
    }
    fs::create_dir_all(tree.path().join("empty/er")).unwrap();
    let long = vec!["n".repeat(200); 4].join("/");
    fs::create_dir_all(tree.path().join(&long)).unwrap();
    fs::write(tree.path().join(long).join("f"), "x").unwrap();
    survives(tree.path());
}
