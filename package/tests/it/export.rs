//! The container of exported registries: what is written reads back, and nothing else does.

use std::collections::BTreeMap;
use std::io::Read as _;

use proptest::prelude::*;
use provisioning_package::{ArchiveError, ExportReader, ExportWriter, export_order};

use crate::hostile::raw::{Tar, file};

fn written(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ExportWriter::new(Vec::new());
    for (path, content) in files {
        writer
            .add(path, content.len() as u64, &mut &content[..])
            .unwrap();
    }
    writer.finish().unwrap()
}

fn read(bytes: &[u8]) -> Result<Vec<(String, Vec<u8>)>, ArchiveError> {
    let mut reader = ExportReader::new(bytes);
    let mut files = Vec::new();
    while let Some(entry) = reader.next_entry()? {
        let mut content = Vec::new();
        // A file that ends too early is told by the entry after it.
        let _ = reader.read_to_end(&mut content);
        files.push((entry.path, content));
    }
    Ok(files)
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z.%-]{1,6}".prop_filter("no dots alone", |it| !it.trim_matches('.').is_empty()),
        "[a-f0-9]{120}",
    ]
}

fn files() -> impl Strategy<Value = BTreeMap<Vec<String>, Vec<u8>>> {
    let path = proptest::collection::vec(name(), 1..4);
    let content = proptest::collection::vec(any::<u8>(), 0..1500);
    proptest::collection::btree_map(path, content, 0..8).prop_map(|mut files| {
        let all: Vec<Vec<String>> = files.keys().cloned().collect();
        files.retain(|it, _| {
            !all.iter()
                .any(|other| other.len() > it.len() && other.starts_with(it))
        });
        files
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn whatever_was_written_reads_back_the_same(files in files()) {
        let files: Vec<(String, Vec<u8>)> =
            files.into_iter().map(|(path, content)| (path.join("/"), content)).collect();
        let plain: Vec<(&str, &[u8])> =
            files.iter().map(|(path, content)| (path.as_str(), &content[..])).collect();
        let bytes = written(&plain);
        prop_assert_eq!(read(&bytes).unwrap(), files);
    }

    #[test]
    fn one_changed_byte_is_refused_or_changes_one_file_alone(
        files in files(), place in any::<prop::sample::Index>(), flip in 1_u8..=255,
    ) {
        let files: Vec<(String, Vec<u8>)> =
            files.into_iter().map(|(path, content)| (path.join("/"), content)).collect();
        let plain: Vec<(&str, &[u8])> =
            files.iter().map(|(path, content)| (path.as_str(), &content[..])).collect();
        let mut bytes = written(&plain);
        let at = place.index(bytes.len());
        bytes[at] ^= flip;
        if let Ok(found) = read(&bytes) {
            // A long path carries no check of its own; whoever reads knows it by what is signed.
            prop_assert_eq!(found.len(), files.len());
            let changed = found.iter().zip(&files).filter(|(one, other)| one != other).count();
            prop_assert_eq!(changed, 1);
        }
    }

    #[test]
    fn a_cut_export_is_always_refused(files in files(), place in any::<prop::sample::Index>()) {
        let plain: Vec<(String, Vec<u8>)> =
            files.into_iter().map(|(path, content)| (path.join("/"), content)).collect();
        let plain: Vec<(&str, &[u8])> =
            plain.iter().map(|(path, content)| (path.as_str(), &content[..])).collect();
        let bytes = written(&plain);
        let refused = read(&bytes[..place.index(bytes.len())]).unwrap_err();
        prop_assert_eq!(refused.code(), "archive-truncated");
    }
}

#[test]
fn paths_that_leave_the_folder_repeat_or_are_out_of_order_are_refused_both_ways() {
    for (first, second) in [
        ("a", "../b"),
        ("a", "/b"),
        ("a", "a"),
        ("b", "a"),
        ("a", "a/b"),
        ("a", "b//c"),
        ("a", "./b"),
        ("a", "b/"),
        ("a", "b/../c"),
    ] {
        let mut writer = ExportWriter::new(Vec::new());
        writer.add(first, 0, &mut std::io::empty()).unwrap();
        assert!(
            writer.add(second, 0, &mut std::io::empty()).is_err(),
            "{second}"
        );
        // The same from another writer: as plain tar.
        let tar = Tar::new().with(file(first, b"x")).with(file(second, b"x"));
        let tar = tar.end();
        assert!(read(&tar).is_err(), "{second}");
    }
    assert!(export_order("a/b", "a-b").is_lt());
}

#[test]
fn another_writers_tar_is_refused_even_where_it_means_the_same() {
    let bytes = written(&[("a", b"content")]);
    assert_eq!(read(&bytes).unwrap().len(), 1);
    let mut other = bytes.clone();
    // A space for the zero behind the mode's digits: every tar reader takes it.
    other[107] = b' ';
    let sum: u32 = (0..512)
        .filter(|it| !(148..156).contains(it))
        .map(|it| u32::from(other[it]))
        .sum::<u32>()
        + 8 * 32;
    other[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    assert!(read(&other).is_err());
    let mut trailing = bytes.clone();
    trailing.push(0);
    assert_eq!(read(&trailing).unwrap_err().code(), "archive-trailing-data");
    assert!(read(b"").is_err());
}

#[test]
fn the_writer_refuses_a_file_that_is_not_as_long_as_was_said() {
    for content in [&b"short"[..], b"much too long"] {
        let mut writer = ExportWriter::new(Vec::new());
        assert!(writer.add("a", 8, &mut &content[..]).is_err());
    }
}
