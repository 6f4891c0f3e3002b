//! Unpacking for a store while the bytes arrive: on several threads, in one pass, and still
//! nothing but what was promised.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use provisioning_package::{
    ArchiveError, ArchiveReport, Arrived, BuildOptions, Chunks, Digest, FileChunks, Promise,
    build_archive, inspect_archive, unpack_arriving,
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
        ("edge", 256 * 1024),
        ("below", 256 * 1024 - 1),
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

/// What a signed index entry would say of it.
pub(crate) fn promise_of(report: &ArchiveReport) -> Promise {
    Promise {
        digest: report.facts.digest,
        size: report.facts.size,
        unpacked: Some(report.facts.unpacked),
        entries: Some(report.facts.entries),
    }
}

pub(crate) fn unpack(file: &Path, promise: &Promise, to: &Path) -> Result<Arrived, ArchiveError> {
    unpack_arriving(&mut FileChunks::open(file).unwrap(), promise, to)
}

/// Pieces in memory; ends with an error where it is told to.
pub(crate) struct Pieces {
    pub(crate) pieces: VecDeque<Bytes>,
    pub(crate) breaks_off: bool,
}

impl Pieces {
    pub(crate) fn of(bytes: &[u8], length: usize) -> Self {
        Self {
            pieces: bytes.chunks(length).map(Bytes::copy_from_slice).collect(),
            breaks_off: false,
        }
    }
}

impl Chunks for Pieces {
    fn next_chunk(&mut self) -> io::Result<Option<Bytes>> {
        let next = self.pieces.pop_front();
        if next.is_none() && self.breaks_off {
            return Err(io::Error::other("the cable was cut"));
        }
        Ok(next)
    }
}

#[test]
fn small_and_large_files_arrive_whole_with_their_digests() {
    let home = tempfile::tempdir().unwrap();
    let (path, report) = archive(home.path(), 1);
    let to = home.path().join("to");
    let arrived = unpack(&path, &promise_of(&report), &to).unwrap();
    assert_eq!(arrived.report, report);
    let mut files = 0;
    for (entry, digest) in report.entries.iter().zip(arrived.digests) {
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
fn pieces_of_any_length_make_the_same_archive() {
    let home = tempfile::tempdir().unwrap();
    let (path, report) = archive(home.path(), 1);
    let bytes = fs::read(path).unwrap();
    for length in [997, 4096, 100_000, bytes.len()] {
        let to = home.path().join(format!("to-{length}"));
        let mut pieces = Pieces::of(&bytes, length);
        pieces.pieces.push_front(Bytes::new());
        let arrived = unpack_arriving(&mut pieces, &promise_of(&report), &to).unwrap();
        assert_eq!(arrived.report, report, "{length}");
    }
}

#[test]
fn other_bytes_than_the_promised_ones_are_told_apart_from_refused_ones() {
    let home = tempfile::tempdir().unwrap();
    let (path, report) = archive(home.path(), 1);
    let (_, other) = archive(home.path(), 2);
    let bytes = fs::read(path).unwrap();
    let mut torn = bytes.clone();
    torn[1000] ^= 1;
    let promise = promise_of(&report);
    let cut = &bytes[..bytes.len() - 1];
    let cases: [(&[u8], Promise); 5] = [
        (&bytes, promise_of(&other)),
        (&torn, promise),
        (cut, promise),
        (b"", promise),
        (b"<html>", promise),
    ];
    for (number, (bytes, promise)) in cases.into_iter().enumerate() {
        let to = home.path().join(format!("to-{number}"));
        let problem = unpack_arriving(&mut Pieces::of(bytes, 5000), &promise, &to).unwrap_err();
        assert_eq!(problem.code(), "archive-digest", "{number}: {problem}");
        assert!(!problem.is_refusal(), "{number}");
    }
}

#[test]
fn nothing_beyond_the_promise_is_written_or_even_read() {
    let home = tempfile::tempdir().unwrap();
    let (path, report) = archive(home.path(), 1);
    let promise = promise_of(&report);
    let unpacked = Some(report.facts.unpacked - 1);
    let entries = Some(report.facts.entries - 1);
    for (number, low) in [
        Promise {
            unpacked,
            ..promise
        },
        Promise { entries, ..promise },
        Promise {
            entries: Some(0),
            ..promise
        },
    ]
    .into_iter()
    .enumerate()
    {
        let to = home.path().join(format!("to-{number}"));
        let problem = unpack(&path, &low, &to).unwrap_err();
        assert_eq!(problem.code(), "archive-beyond-promise", "{problem}");
        assert!(problem.is_refusal());
    }
    assert_eq!(
        fs::read_dir(home.path().join("to-2")).unwrap().count(),
        0,
        "the first entry was one too many"
    );

    let bytes = fs::read(&path).unwrap();
    let mut longer = Pieces::of(&bytes, 100_000);
    for _ in 0..100 {
        longer.pieces.push_back(Bytes::from_static(&[0; 100]));
    }
    let problem = unpack_arriving(&mut longer, &promise, &home.path().join("longer")).unwrap_err();
    assert_eq!(problem.code(), "archive-digest");
    assert_eq!(longer.pieces.len(), 99, "the rest was left where it is");
}

#[test]
fn who_gives_up_is_told_apart_from_an_archive_that_ends() {
    let home = tempfile::tempdir().unwrap();
    let (path, report) = archive(home.path(), 1);
    let bytes = fs::read(path).unwrap();
    for count in [0, 3, 1000, bytes.len()] {
        let mut pieces = Pieces::of(&bytes[..count], 5000);
        pieces.breaks_off = true;
        let to = home.path().join(format!("to-{count}"));
        let problem = unpack_arriving(&mut pieces, &promise_of(&report), &to).unwrap_err();
        assert_eq!(problem.code(), "archive-broken-off", "{count}: {problem}");
    }
}

#[test]
fn a_folder_that_is_there_already_is_left_alone() {
    let home = tempfile::tempdir().unwrap();
    let (path, report) = archive(home.path(), 1);
    let to = home.path().join("to");
    fs::create_dir(&to).unwrap();
    fs::write(to.join("mine"), "mine").unwrap();
    let problem = unpack(&path, &promise_of(&report), &to).unwrap_err();
    assert!(matches!(problem, ArchiveError::Io { .. }), "{problem}");
    assert_eq!(fs::read_dir(&to).unwrap().count(), 1);
}
