//! Building: what is taken, what is refused, and that nothing but the content matters.

use std::fs::{self, File, Permissions};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use provisioning_package::{
    ArchiveError, ArchiveFacts, ArchiveFormat, BuildOptions, Digest, build_archive, inspect_archive,
};

fn build(tree: &Path, options: &BuildOptions) -> Result<(ArchiveFacts, Vec<u8>), ArchiveError> {
    let mut bytes = Vec::new();
    let facts = build_archive(tree, options, &mut bytes)?;
    Ok((facts, bytes))
}

fn paths(bytes: &[u8]) -> Vec<String> {
    let archive = tempfile::NamedTempFile::new().unwrap();
    fs::write(archive.path(), bytes).unwrap();
    let report = inspect_archive(archive.path()).unwrap();
    report.entries.into_iter().map(|it| it.path).collect()
}

/// The code with which a tree is refused, after `make` filled it.
fn refusal(make: impl FnOnce(&Path)) -> (&'static str, String) {
    let tree = tempfile::tempdir().unwrap();
    make(tree.path());
    let problem = build(tree.path(), &BuildOptions::default()).unwrap_err();
    assert!(problem.is_refusal(), "{problem}");
    (problem.code(), problem.to_string())
}

fn mkfifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn what_cannot_be_unpacked_is_not_packed_and_is_named() {
    let (code, message) = refusal(|it| mkfifo(&it.join("queue")));
    assert_eq!(
        (code, message.as_str()),
        ("archive-fifo", "`queue`: a named pipe")
    );
    let (code, _) = refusal(|it| drop(UnixListener::bind(it.join("s")).unwrap()));
    assert_eq!(code, "archive-socket");
    let (code, _) = refusal(|it| {
        fs::write(it.join("su"), "x").unwrap();
        fs::set_permissions(it.join("su"), Permissions::from_mode(0o4755)).unwrap();
    });
    assert_eq!(code, "archive-special-mode");
    let (code, _) = refusal(|it| symlink("/etc/passwd", it.join("l")).unwrap());
    assert_eq!(code, "archive-symlink-absolute");
    let (code, _) = refusal(|it| symlink("../x", it.join("l")).unwrap());
    assert_eq!(code, "archive-symlink-escapes");
    let (code, message) = refusal(|it| {
        let name = std::ffi::OsStr::from_bytes(b"caf\xe9");
        fs::write(it.join(name), "x").unwrap();
    });
    assert_eq!(code, "archive-path-not-utf8");
    assert!(message.contains("caf"), "{message}");
    let (code, _) = refusal(|it| fs::write(it.join("a\nb"), "x").unwrap());
    assert_eq!(code, "archive-path-control-character");
    let (code, _) = refusal(|it| {
        fs::write(it.join("README"), "x").unwrap();
        fs::write(it.join("readme"), "x").unwrap();
    });
    assert_eq!(code, "archive-name-collision");
    let (code, _) = refusal(|it| {
        let zeros = File::create(it.join("zeros")).unwrap();
        zeros.set_len(80 << 20).unwrap();
    });
    assert_eq!(code, "archive-expansion-ratio");
    let (code, _) = refusal(|it| {
        let huge = File::create(it.join("huge")).unwrap();
        huge.set_len((8 << 30) + 1).unwrap();
    });
    assert_eq!(code, "archive-unpacked-too-large");
}

#[test]
fn everything_is_taken_but_git_and_what_is_excluded() {
    let tree = tempfile::tempdir().unwrap();
    for path in [
        "manifest.toml",
        ".gitignore",
        "ignored.log",
        ".hidden/x",
        "src/a.nu",
        "tests/t/x",
        "tests/y",
        ".git/config",
        "sub/.git",
        "docs/a.md",
        "README.md",
    ] {
        let path = tree.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "*.log\n").unwrap();
    }
    fs::create_dir(tree.path().join("empty")).unwrap();
    mkfifo(&tree.path().join("tests/pipe"));
    let options = BuildOptions {
        exclude: vec!["tests/**".to_owned(), "**/*.md".to_owned()],
        replace: [("manifest.toml".to_owned(), b"replaced".to_vec())].into(),
        ..BuildOptions::default()
    };
    let (facts, bytes) = build(tree.path(), &options).unwrap();
    assert_eq!(
        paths(&bytes),
        [
            ".gitignore",
            ".hidden",
            ".hidden/x",
            "docs",
            "empty",
            "ignored.log",
            "manifest.toml",
            "src",
            "src/a.nu",
            "sub",
        ]
    );
    assert_eq!(facts.digest, Digest::of(&bytes));
    assert_eq!(facts.size, bytes.len() as u64);
    let archive = tempfile::NamedTempFile::new().unwrap();
    fs::write(archive.path(), &bytes).unwrap();
    let report = inspect_archive(archive.path()).unwrap();
    assert_eq!(report.manifest.as_deref(), Some("replaced"));
}

#[test]
fn a_pattern_that_is_no_glob_is_an_error_and_no_refusal() {
    let tree = tempfile::tempdir().unwrap();
    let options = BuildOptions {
        exclude: vec!["[a".to_owned()],
        ..BuildOptions::default()
    };
    let problem = build(tree.path(), &options).unwrap_err();
    assert_eq!(
        (problem.code(), problem.is_refusal()),
        ("invalid-glob", false)
    );
    let missing = build(&tree.path().join("no"), &BuildOptions::default()).unwrap_err();
    assert_eq!((missing.code(), missing.is_refusal()), ("io", false));
}

/// Writes the same content in another order, with other modes, times and umask.
fn write_tree(tree: &Path, is_reversed: bool) {
    let mut files: Vec<(String, Vec<u8>)> = (0..60_usize)
        .map(|it| (format!("dir{}/file-{it}", it % 7), vec![b'x'; it * 997]))
        .collect();
    files.push(("run.sh".to_owned(), b"#!/bin/sh\n".to_vec()));
    if is_reversed {
        files.reverse();
    }
    for (path, content) in files {
        let path = tree.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        let is_program = path.ends_with("run.sh");
        let mode = match (is_program, is_reversed) {
            (true, true) => 0o700,
            (true, false) => 0o775,
            (false, true) => 0o600,
            (false, false) => 0o664,
        };
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let day = std::time::Duration::from_secs(if is_reversed { 86_400 } else { 9 });
        let time = std::time::UNIX_EPOCH + day;
        File::open(&path).unwrap().set_modified(time).unwrap();
    }
    symlink("run.sh", tree.join("link")).unwrap();
    let mode = if is_reversed { 0o700 } else { 0o2775 };
    fs::set_permissions(tree.join("dir1"), Permissions::from_mode(mode)).unwrap();
}

#[test]
fn the_same_tree_gives_the_same_digest_anywhere() {
    let home = tempfile::tempdir().unwrap();
    let (one, other) = (
        home.path().join("one"),
        home.path().join("a/much/longer/path"),
    );
    fs::create_dir_all(&one).unwrap();
    fs::create_dir_all(&other).unwrap();
    write_tree(&one, false);
    write_tree(&other, true);
    for format in [ArchiveFormat::TarZst, ArchiveFormat::TarGz] {
        let options = BuildOptions {
            format,
            ..BuildOptions::default()
        };
        let digest = |tree| build(tree, &options).unwrap().0.digest;
        assert_eq!(digest(&one), digest(&other));
        let later = BuildOptions {
            mtime: 1_700_000_000,
            ..options.clone()
        };
        assert_ne!(build(&one, &later).unwrap().0.digest, digest(&one));
    }
}

#[test]
fn the_bytes_of_an_archive_are_the_ones_that_they_always_were() {
    let tree = tempfile::tempdir().unwrap();
    write_tree(tree.path(), false);
    let digests = [ArchiveFormat::TarZst, ArchiveFormat::TarGz].map(|format| {
        let options = BuildOptions {
            format,
            ..BuildOptions::default()
        };
        build(tree.path(), &options).unwrap().0.digest.hex()
    });
    // Another compressor version changes these, and with them the digest of every package
    // that is built again: change them knowingly.
    assert_eq!(
        digests,
        [
            "ad82e98d703a3f263f1132820ef7ff887cafe806caa9f21a9fa85d9623743470",
            "e4b1a05e354ba8e97f028333c12870c7cb4475c2ac923d89181068e80a76a7ff",
        ]
    );
}

#[test]
fn headers_are_plain_and_name_nobody() {
    let tree = tempfile::tempdir().unwrap();
    fs::write(tree.path().join("a"), "x").unwrap();
    let options = BuildOptions {
        format: ArchiveFormat::TarGz,
        ..BuildOptions::default()
    };
    let (_, bytes) = build(tree.path(), &options).unwrap();
    assert_eq!(bytes[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
    let mut tar = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&bytes[..]), &mut tar).unwrap();
    assert_eq!(tar.len(), 512 + 512 + 1024, "no extended header");
    assert_eq!(&tar[100..124], b"0000644\x000000000\x000000000\0");
    assert_eq!(&tar[136..148], b"07033241600\0", "2000-01-01");
    assert_eq!(&tar[257..265], b"ustar\x0000");
    assert!(tar[265..329].iter().all(|it| *it == 0), "no owner's name");
}

#[test]
fn our_zstd_window_is_no_larger_than_anybody_reads() {
    let tree = tempfile::tempdir().unwrap();
    let noise: Vec<u8> = (0_u32..3 << 20)
        .flat_map(|it| {
            it.wrapping_mul(0x9e37_79b9)
                .rotate_left(it % 31)
                .to_le_bytes()
        })
        .collect();
    fs::write(tree.path().join("noise"), noise).unwrap();
    let (_, bytes) = build(tree.path(), &BuildOptions::default()).unwrap();
    assert_eq!(bytes[4] & 0x20, 0, "no single segment");
    let window = 1_u64 << (10 + (bytes[5] >> 3));
    assert!(
        window <= 8 << 20 && bytes[5].trailing_zeros() >= 3,
        "{window}"
    );
    assert_eq!(bytes[4] & 4, 4, "a checksum of the content");
}
