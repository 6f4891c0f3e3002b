//! What holds for every input that a generator can think of.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use proptest::prelude::*;
use provisioning_package::{
    ArchiveFormat, BuildOptions, Digest, Manifest, Promise, Selector, Spec, build_archive,
    inspect_archive, unpack_archive, unpack_arriving,
};

use crate::closed::Pieces;
use crate::hostile::raw::{Tar, compress, file, folder, gnu, pax, symlink};

/// Names that meet in every way: short alphabets with cases, dots and combining marks.
fn name() -> impl Strategy<Value = String> {
    "[abAB.~ \\-\u{e9}e\u{301}ßs日]{1,4}"
}

fn format() -> impl Strategy<Value = ArchiveFormat> {
    prop_oneof![Just(ArchiveFormat::TarZst), Just(ArchiveFormat::TarGz)]
}

/// Codes that a tree of random names may deserve.
const NAME_CODES: [&str; 2] = ["archive-name-collision", "archive-symlink-escapes"];

fn fill(tree: &Path, files: &BTreeMap<Vec<String>, Vec<u8>>, links: &[(String, String)]) {
    // Names like `.` and files in the place of folders cannot be made; the rest can.
    for (names, content) in files {
        let path = names.iter().fold(tree.to_owned(), |at, name| at.join(name));
        if names.iter().any(|it| it == "." || it == "..") {
            continue;
        }
        let made = path.parent().map(fs::create_dir_all);
        if made.is_some_and(|it| it.is_ok()) && !path.exists() {
            fs::write(&path, content).unwrap();
        }
    }
    for (name, target) in links {
        let _ = std::os::unix::fs::symlink(target, tree.join(name));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_random_tree_survives_or_is_refused_for_its_names(
        files in prop::collection::btree_map(
            prop::collection::vec(name(), 1..4),
            prop::collection::vec(any::<u8>(), 0..2000),
            0..12,
        ),
        links in prop::collection::vec((name(), "[ab/.]{1,6}"), 0..4),
        format in format(),
    ) {
        let home = tempfile::tempdir().unwrap();
        let tree = home.path().join("tree");
        fs::create_dir(&tree).unwrap();
        fill(&tree, &files, &links);
        let options = BuildOptions { format, ..BuildOptions::default() };
        let archive = home.path().join("archive");
        let mut out = fs::File::create(&archive).unwrap();
        match build_archive(&tree, &options, &mut out) {
            Ok(facts) => {
                let report = inspect_archive(&archive).unwrap();
                prop_assert_eq!(&report.facts, &facts);
                let to = home.path().join("to");
                let unpacked = unpack_archive(&archive, &to).unwrap();
                prop_assert_eq!(unpacked.report, report);
                let again = build_archive(&to, &options, &mut std::io::sink()).unwrap();
                prop_assert_eq!(again, facts);
            }
            Err(problem) => {
                let is_expected = NAME_CODES.contains(&problem.code())
                    || problem.code() == "archive-symlink-absolute";
                prop_assert!(is_expected, "{}", problem);
            }
        }
    }

    #[test]
    fn a_mutated_archive_never_panics_and_never_leaves_its_folder(
        changes in prop::collection::vec((0_usize..9000, any::<u8>()), 1..6),
        fixes_sums in any::<bool>(),
        format in format(),
    ) {
        let mut tar = Tar::new()
            .with(folder("d"))
            .with(file("d/a", "content"))
            .with(symlink("l", "d/a"))
            .with(gnu(b'L', "long/name"))
            .with(file("n", "x").gnu_magic())
            .with(pax(&[("path", "pax/path"), ("size", "1")]))
            .with(file("p", "x"))
            .end();
        for (at, byte) in changes {
            let at = at % tar.len();
            tar[at] = byte;
        }
        if fixes_sums {
            fix_sums(&mut tar);
        }
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("archive"), compress(&tar, format)).unwrap();
        let inspected = inspect_archive(&home.path().join("archive"));
        let unpacked = unpack_archive(&home.path().join("archive"), &home.path().join("to"));
        let bytes = fs::read(home.path().join("archive")).unwrap();
        let promise = Promise {
            digest: Digest::of(&bytes),
            size: bytes.len() as u64,
            unpacked: None,
            entries: None,
        };
        let stage = tempfile::tempdir().unwrap();
        let mut pieces = Pieces::of(&bytes, 100);
        let arrived = unpack_arriving(&mut pieces, &promise, &stage.path().join("stage"));
        prop_assert!(fs::read_dir(stage.path()).unwrap().count() <= 1);
        match (inspected, unpacked, arrived) {
            (Ok(report), Ok(unpacked), Ok(arrived)) => {
                prop_assert_eq!(&report, &unpacked.report);
                prop_assert_eq!(report, arrived.report);
            }
            (Err(one), Err(other), Err(third)) => {
                prop_assert_eq!(one.code(), other.code());
                prop_assert_eq!(one.code(), third.code());
            }
            all => prop_assert!(false, "{:?}", all),
        }
        let left = fs::read_dir(home.path()).unwrap().count();
        prop_assert_eq!(left, 1 + usize::from(home.path().join("to").exists()));
    }

    #[test]
    fn random_bytes_are_never_an_archive_and_never_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..600),
        magic in prop_oneof![Just(&b""[..]), Just(&b"\x28\xb5\x2f\xfd"[..]), Just(&b"\x1f\x8b\x08\0"[..])],
    ) {
        let archive = tempfile::NamedTempFile::new().unwrap();
        fs::write(archive.path(), [magic, &bytes].concat()).unwrap();
        prop_assert!(inspect_archive(archive.path()).is_err());
    }

    #[test]
    fn reading_a_manifest_never_panics(text in "\\PC{0,300}") {
        let _ = Manifest::parse(&text);
    }

    #[test]
    fn reading_something_like_a_manifest_never_panics(
        lines in prop::collection::vec(
            prop_oneof![
                Just("[extension]".to_owned()), Just("[package]".to_owned()),
                Just("[dependencies]".to_owned()), Just("[install]".to_owned()),
                Just("[requires]".to_owned()), Just("kind = \"core\"".to_owned()),
                "(name|version|type|api|core-version|bin|cli|exclude) = (\"[^\"\\\\]{0,9}\"|[0-9]{1,3}|\\[\"[a-z*/.\\[{]{0,6}\"\\]|\\{ version = \"1\" \\})",
            ],
            0..14,
        ),
    ) {
        let text = lines.join("\n");
        if let Err(errors) = Manifest::parse(&text) {
            prop_assert!(!errors.0.is_empty());
            let last = text.lines().count().max(1);
            prop_assert!(errors.0.iter().all(|it| (1..=last + 1).contains(&it.line)));
        }
    }

    #[test]
    fn a_spec_prints_as_it_was_typed(text in "(bundle:)?[a-z0-9.-]{1,12}(@[\\^~=<>]{0,2}[0-9]{1,2}(\\.[0-9]{1,2}){0,2})?") {
        if let Ok(spec) = text.parse::<Spec>() {
            prop_assert_eq!(spec.to_string(), text);
            prop_assert!(spec.as_package().is_some() || spec.as_bundle().is_some());
        }
    }

    #[test]
    fn reading_a_spec_never_panics(text in "\\PC{0,80}") {
        let _ = text.parse::<Spec>();
        let _ = Selector::parse(&text);
    }
}

/// Makes every header's sum right again, so that changes reach the code behind it.
fn fix_sums(tar: &mut [u8]) {
    for block in tar.chunks_exact_mut(512) {
        if &block[257..262] == b"ustar" {
            block[148..156].fill(b' ');
            let sum: u32 = block.iter().map(|it| u32::from(*it)).sum();
            block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
    }
}
