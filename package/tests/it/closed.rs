//! Unpacking for a store: on several threads, and still nothing but what was checked.

use std::fs;
use std::path::{Path, PathBuf};

use provisioning_package::{
    ArchiveError, ArchiveReport, BuildOptions, Digest, build_archive, inspect_archive,
    unpack_closed,
};

/// Enough that every way of writing is taken: small files by the batch, and large ones.
fn tree(home: &Path, seed: usize) -> PathBuf {
    let tree = home.join(format!("tree-{seed}"));
    for folder in 0..20 {
        let place = tree.join(format!("folder-{folder}/below"));
        fs::create_dir_all(&place).unwrap();
        for file in 0..100 {
            let content = format!("{seed} {folder} {file}\n").repeat(file * 3);
            fs::write(place.join(format!("file-{file}")), content).unwrap();
        }
    }
    for (name, length) in [
        ("large", 5_000_001),
        ("edge", 512 * 1024),
        ("below", 512 * 1024 - 1),
    ] {
        let noise: Vec<u8> = (0..length)
            .map(|it: usize| it.wrapping_mul(2_654_435_761 + seed).to_le_bytes()[3])
            .collect();
        fs::write(tree.join(name), noise).unwrap();
    }
    tree
}

fn archive(home: &Path, seed: usize) -> (PathBuf, ArchiveReport) {
    let path = home.join(format!("archive-{seed}"));
    let mut out = fs::File::create(&path).unwrap();
    build_archive(&tree(home, seed), &BuildOptions::default(), &mut out).unwrap();
    let report = inspect_archive(&path).unwrap();
    (path, report)
}

#[test]
fn small_and_large_files_arrive_whole_with_their_digests() {
    let home = tempfile::tempdir().unwrap();
    let (path, report) = archive(home.path(), 1);
    let to = home.path().join("to");
    let digests = unpack_closed(&path, &report, &to).unwrap();
    let mut files = 0;
    for (entry, digest) in report.entries.iter().zip(digests) {
        let Some(digest) = digest else { continue };
        let bytes = fs::read(to.join(&entry.path)).unwrap();
        assert_eq!(
            bytes,
            fs::read(home.path().join("tree-1").join(&entry.path)).unwrap()
        );
        assert_eq!(digest, Digest::of(&bytes), "{}", entry.path);
        files += 1;
    }
    assert_eq!(files, 2003);
}

#[test]
fn bytes_that_were_not_checked_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let (_, checked) = archive(home.path(), 1);
    let (other, _) = archive(home.path(), 2);
    let problem = unpack_closed(&other, &checked, &home.path().join("to")).unwrap_err();
    assert_eq!(problem.code(), "changed-while-read");
}

#[test]
fn a_folder_that_is_there_already_is_left_alone() {
    let home = tempfile::tempdir().unwrap();
    let (path, report) = archive(home.path(), 1);
    let to = home.path().join("to");
    fs::create_dir(&to).unwrap();
    fs::write(to.join("mine"), "mine").unwrap();
    let problem = unpack_closed(&path, &report, &to).unwrap_err();
    assert!(matches!(problem, ArchiveError::Io { .. }), "{problem}");
    assert_eq!(fs::read_dir(&to).unwrap().count(), 1);
}
