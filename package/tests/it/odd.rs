//! Archives that look odd and are honest: accepted, and unpacked as they say.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use provisioning_package::{
    ArchiveFormat, ArchiveReport, BuildOptions, EntryKind, Unpacked, build_archive,
    inspect_archive, unpack_archive,
};

use crate::closed::{promise_of, unpack};
use crate::hostile::raw::{
    Head, Tar, compress, file, folder, gnu, hard_link, head, pax, record, symlink,
};

const FORMATS: [ArchiveFormat; 2] = [ArchiveFormat::TarZst, ArchiveFormat::TarGz];

/// Inspects and unpacks; gives the report and the folder.
fn accept(bytes: &[u8]) -> (ArchiveReport, tempfile::TempDir) {
    let home = tempfile::tempdir().unwrap();
    let archive = home.path().join("archive");
    fs::write(&archive, bytes).unwrap();
    let report = inspect_archive(&archive).unwrap();
    let unpacked = unpack_archive(&archive, &home.path().join("to")).unwrap();
    assert_eq!(unpacked.report, report);
    same_when_closed(&archive, &unpacked);
    (report, home)
}

/// Unpacks for a store too: the same tree and digests, read-only.
fn same_when_closed(archive: &Path, unpacked: &Unpacked) {
    let home = archive.parent().unwrap();
    let closed = home.join("closed");
    let arrived = unpack(archive, &promise_of(&unpacked.report), &closed).unwrap();
    assert_eq!(arrived.report, unpacked.report);
    for (entry, digest) in unpacked.report.entries.iter().zip(arrived.digests) {
        let (one, other) = (home.join("to").join(&entry.path), closed.join(&entry.path));
        assert_eq!(
            unpacked.digests.get(&entry.path),
            digest.as_ref(),
            "{}",
            entry.path
        );
        let mode = |path: &Path| fs::symlink_metadata(path).unwrap().permissions().mode();
        match &entry.kind {
            EntryKind::File { .. } => {
                assert_eq!(fs::read(&one).unwrap(), fs::read(&other).unwrap());
                assert_eq!(mode(&other) & 0o7777, mode(&one) & 0o555);
            }
            EntryKind::Folder => assert_eq!(mode(&other) & 0o7777, 0o555),
            EntryKind::Symlink { target } => {
                assert_eq!(fs::read_link(&other).unwrap(), Path::new(target));
            }
        }
    }
    fs::remove_dir_all(&closed).unwrap_or_else(|_| open_and_remove(&closed));
}

/// Folders that nobody may write to can still be opened by their owner.
fn open_and_remove(folder: &Path) {
    let chmod = Command::new("chmod")
        .args(["-R", "u+w"])
        .arg(folder)
        .status();
    assert!(chmod.unwrap().success());
    fs::remove_dir_all(folder).unwrap();
}

fn accept_entries(entries: Vec<Head>) -> (Vec<String>, tempfile::TempDir) {
    let tar = entries.into_iter().fold(Tar::new(), Tar::with).end();
    let (report, home) = accept(&compress(&tar, ArchiveFormat::TarZst));
    let paths = report.entries.into_iter().map(|it| it.path).collect();
    (paths, home)
}

#[test]
fn unusual_names_are_kept_as_they_are() {
    let names = [
        "..foo",
        "foo..",
        "...",
        "-rf",
        "~",
        "a b",
        " ",
        "*",
        "$HOME",
        "x\\x2d.slice",
        "con",
        "a:b",
        "日本語",
        "שלום",
        "नमस्ते",
        "🦀",
        "e\u{301}",
        "%2e%2e",
        "\"quoted\"",
    ];
    let entries = names.iter().map(|it| file(it, it)).collect();
    let (paths, home) = accept_entries(entries);
    assert_eq!(paths, names);
    for name in names {
        let read = fs::read_to_string(home.path().join("to").join(name)).unwrap();
        assert_eq!(read, name);
    }
}

#[test]
fn a_leading_dot_slash_and_a_root_entry_are_dropped() {
    let (paths, _home) = accept_entries(vec![folder("./"), folder("./a/"), file("./a/b", "")]);
    assert_eq!(paths, ["a", "a/b"]);
    let (paths, _home) = accept_entries(vec![folder(".")]);
    assert_eq!(paths, Vec::<String>::new());
    let (paths, home) = accept_entries(vec![]);
    assert!(paths.is_empty() && home.path().join("to").is_dir());
}

#[test]
fn a_hard_link_becomes_a_copy_of_the_earlier_file() {
    let entries = vec![
        file("a", "content").mode("0000755"),
        hard_link("d/b", "./a"),
        hard_link("c", "d/b"),
    ];
    let (paths, home) = accept_entries(entries);
    assert_eq!(paths, ["a", "d/b", "c"]);
    fs::write(home.path().join("to/a"), "changed").unwrap();
    assert_eq!(
        fs::read_to_string(home.path().join("to/c")).unwrap(),
        "content"
    );
}

#[test]
fn links_that_stay_inside_are_kept_even_in_circles_and_to_nowhere() {
    let links = [
        ("a/b/up", "../.."),
        ("a/b/up-again", "../../a/b"),
        ("dangling", "no/such/thing"),
        ("self", "self"),
        ("one", "two"),
        ("two", "one/x"),
        ("slash", "a/"),
        ("double", "a//b"),
        ("here", "."),
        ("through", "here/a/b/up/here"),
    ];
    let entries = links
        .iter()
        .map(|(path, target)| symlink(path, target))
        .collect();
    let (_, home) = accept_entries(entries);
    for (path, target) in links {
        let read = fs::read_link(home.path().join("to").join(path)).unwrap();
        assert_eq!(read, Path::new(target));
    }
}

#[test]
fn modes_become_plain_and_owners_and_times_play_no_part() {
    let entries = vec![
        file("none", "").mode("0000000"),
        file("all", "").mode("0000777"),
        file("group", "").mode("0000010"),
        file("typed", "").mode("0100644"),
        folder("closed").mode("0000000"),
        file("closed/inside", "x"),
        file("owner", "")
            .put(108, b"garbage!")
            .put(136, b"yesterday!!!")
            .put(265, b"root"),
    ];
    let (_, home) = accept_entries(entries);
    for (path, mode) in [
        ("none", 0o644),
        ("all", 0o755),
        ("group", 0o755),
        ("typed", 0o644),
        ("closed", 0o755),
        ("closed/inside", 0o644),
    ] {
        let metadata = home.path().join("to").join(path).metadata().unwrap();
        assert_eq!(metadata.permissions().mode() & 0o7777, mode, "{path}");
    }
}

#[test]
fn long_names_are_read_in_every_dialect() {
    let long = vec!["n".repeat(90); 11].join("/");
    assert!(long.len() < 1024);
    let (paths, _home) = accept_entries(vec![gnu(b'L', &long), file("n", "x").gnu_magic()]);
    assert_eq!(paths, std::slice::from_ref(&long));
    let (paths, _home) = accept_entries(vec![
        pax(&[("path", &long), ("mtime", "1.5")]),
        file("n", "x"),
    ]);
    assert_eq!(paths, std::slice::from_ref(&long));
    let entries = vec![
        gnu(b'K', &long),
        gnu(b'L', "l"),
        symlink("x", "y").gnu_magic(),
    ];
    assert_eq!(accept_entries(entries).0, ["l"]);
    let entries = vec![pax(&[("linkpath", &long)]), symlink("x", "y")];
    assert_eq!(accept_entries(entries).0, ["x"]);
    let entries = vec![
        file("name", "x").prefix("some/prefix"),
        file("old", "x").v7(),
    ];
    assert_eq!(accept_entries(entries).0, ["some/prefix/name", "old"]);
    let entries = vec![
        head("folder/", 0).v7(),
        head("folder/other/", b'0').v7(),
        file("folder/old", "x").v7(),
    ];
    let paths = ["folder", "folder/other", "folder/old"];
    assert_eq!(accept_entries(entries).0, paths);
    let entries = vec![pax(&[("comment", "4f3a")]).put(156, b"g"), file("git", "x")];
    assert_eq!(accept_entries(entries).0, ["git"]);
    let entries = vec![pax(&[("size", "1")]), file("same", "x")];
    assert_eq!(accept_entries(entries).0, ["same"]);
    let xattr = record("SCHILY.xattr.user.x", b"\0\xff\n=");
    let entries = vec![head("p", b'x').data(xattr), file("xattr", "x")];
    assert_eq!(accept_entries(entries).0, ["xattr"]);
    let size = head("b256", b'0')
        .data("x")
        .put(124, b"\x80\0\0\0\0\0\0\0\0\0\0\x01");
    assert_eq!(accept_entries(vec![size]).0, ["b256"]);
}

#[test]
fn several_frames_are_one_stream_wherever_they_are_cut() {
    let tar = Tar::new().with(file("a", vec![b'x'; 2000])).end();
    for format in FORMATS {
        let frames: Vec<u8> = tar
            .chunks(700)
            .flat_map(|it| compress(it, format))
            .collect();
        let empty = compress(b"", format);
        let (report, _home) = accept(&[empty.clone(), frames, empty].concat());
        assert_eq!(report.entries[0].size, 2000);
    }
}

#[test]
fn zeros_behind_the_end_are_padding() {
    let tar = Tar::new().with(file("a", "x")).raw([0; 10_240]).no_end();
    assert_eq!(
        accept(&compress(&tar, ArchiveFormat::TarGz))
            .0
            .facts
            .entries,
        1
    );
}

/// A small tree with what tars disagree about.
fn tree(home: &Path) -> std::path::PathBuf {
    let tree = home.join("tree");
    let deep = tree.join("d".repeat(120)).join("e".repeat(120));
    fs::create_dir_all(&deep).unwrap();
    fs::create_dir(tree.join("empty")).unwrap();
    fs::write(deep.join("file"), "deep").unwrap();
    fs::write(tree.join("ünïcode"), "x").unwrap();
    fs::write(tree.join("first"), "shared").unwrap();
    fs::hard_link(tree.join("first"), tree.join("second")).unwrap();
    std::os::unix::fs::symlink("t".repeat(150), tree.join("link")).unwrap();
    tree
}

fn tar_command(arguments: &[&str], folder: &Path) {
    let status = Command::new("tar")
        .args(arguments)
        .current_dir(folder)
        .status()
        .unwrap();
    assert!(status.success(), "{arguments:?}");
}

#[test]
fn archives_of_the_system_s_tar_are_read_in_each_of_its_formats() {
    let home = tempfile::tempdir().unwrap();
    let tree = tree(home.path());
    for format in ["gnu", "pax", "posix"] {
        let archive = home.path().join("archive.tar.gz");
        let option = format!("--format={format}");
        tar_command(&["-czf", archive.to_str().unwrap(), &option, "."], &tree);
        let to = home.path().join(format);
        let report = unpack_archive(&archive, &to).unwrap().report;
        let linked = report.entries.iter().filter(|it| it.size == 6).count();
        assert_eq!(linked, 2, "both names of the hard-linked file");
        assert_eq!(digest_of(&to), digest_of(&tree), "{format}");
    }
}

#[test]
fn the_system_s_tar_reads_our_archives() {
    let home = tempfile::tempdir().unwrap();
    let tree = tree(home.path());
    let archive = home.path().join("archive.tar.gz");
    let options = BuildOptions {
        format: ArchiveFormat::TarGz,
        ..BuildOptions::default()
    };
    build_archive(&tree, &options, &mut fs::File::create(&archive).unwrap()).unwrap();
    let to = home.path().join("to");
    fs::create_dir(&to).unwrap();
    tar_command(&["-xzf", archive.to_str().unwrap()], &to);
    assert_eq!(digest_of(&to), digest_of(&tree));
}

/// The digest of a tree's archive stands for its paths, bytes, targets and executable bits.
fn digest_of(tree: &Path) -> provisioning_package::Digest {
    build_archive(tree, &BuildOptions::default(), &mut std::io::sink())
        .unwrap()
        .digest
}

#[test]
fn the_report_tells_files_folders_and_links_apart() {
    let entries = vec![
        folder("d"),
        file("d/x", "12345").mode("0000755"),
        symlink("l", "d/x"),
    ];
    let tar = entries.into_iter().fold(Tar::new(), Tar::with).end();
    let (report, _home) = accept(&compress(&tar, ArchiveFormat::TarGz));
    let kinds: Vec<&EntryKind> = report.entries.iter().map(|it| &it.kind).collect();
    let target = "d/x".to_owned();
    assert_eq!(
        kinds,
        [
            &EntryKind::Folder,
            &EntryKind::File { executable: true },
            &EntryKind::Symlink { target }
        ]
    );
    assert_eq!((report.facts.unpacked, report.facts.entries), (5, 3));
    assert_eq!(report.manifest, None);
}
