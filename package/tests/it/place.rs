//! Unpacking into places that are there already: nothing is overwritten or followed.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use provisioning_package::{ArchiveError, ArchiveFormat, Unpacked, unpack_archive};

use crate::hostile::raw::{Head, Tar, compress, file, folder, symlink as link};
use crate::hostile::snapshot;

struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("near")).unwrap();
        Self { folder }
    }

    fn near(&self, path: &str) -> PathBuf {
        self.folder.path().join("near").join(path)
    }

    fn unpack(&self, entries: Vec<Head>, to: &Path) -> Result<Unpacked, ArchiveError> {
        let tar = entries.into_iter().fold(Tar::new(), Tar::with).end();
        let archive = self.folder.path().join("archive");
        fs::write(&archive, compress(&tar, ArchiveFormat::TarGz)).unwrap();
        unpack_archive(&archive, to)
    }

    /// The path in the way, after checking that nothing changed.
    fn occupied(&self, entries: Vec<Head>, to: &Path) -> PathBuf {
        let before = snapshot(&self.near(""));
        let problem = self.unpack(entries, to).unwrap_err();
        assert_eq!(snapshot(&self.near("")), before);
        let ArchiveError::Occupied { path } = problem else {
            panic!("{problem}");
        };
        path
    }
}

#[test]
fn a_file_that_is_there_is_never_overwritten() {
    let home = Home::new();
    let to = home.near("to");
    fs::create_dir_all(to.join("d")).unwrap();
    fs::write(to.join("d/a"), "mine").unwrap();
    let path = home.occupied(vec![file("first", "x"), file("d/a", "theirs")], &to);
    assert_eq!(path, to.canonicalize().unwrap().join("d/a"));
    home.occupied(vec![file("first", "x"), file("d", "theirs")], &to);
    home.occupied(vec![folder("d/a")], &to);
    home.occupied(vec![file("d/a/b", "x")], &to);
    home.occupied(vec![link("d/a", "b")], &to);
    assert_eq!(fs::read_to_string(to.join("d/a")).unwrap(), "mine");
}

#[test]
fn a_link_that_is_there_is_never_followed() {
    let home = Home::new();
    let to = home.near("to");
    fs::create_dir_all(home.near("outside")).unwrap();
    fs::create_dir(&to).unwrap();
    symlink("../outside", to.join("out")).unwrap();
    symlink("nowhere", to.join("dangling")).unwrap();
    home.occupied(vec![file("out/a", "x")], &to);
    home.occupied(vec![folder("out")], &to);
    home.occupied(vec![file("dangling", "x")], &to);
    symlink("missing", home.near("lost")).unwrap();
    home.occupied(vec![file("a", "x")], &home.near("lost"));
    fs::write(home.near("file"), "x").unwrap();
    home.occupied(vec![file("a", "x")], &home.near("file"));
}

#[test]
fn folders_meet_and_what_was_there_stays() {
    let home = Home::new();
    let to = home.near("to");
    fs::create_dir_all(to.join("d/e")).unwrap();
    fs::write(to.join("d/mine"), "mine").unwrap();
    fs::set_permissions(to.join("d"), fs::Permissions::from_mode(0o711)).unwrap();
    let entries = vec![
        folder("d"),
        folder("d/e"),
        file("d/e/x", "1"),
        file("d/f/y", "2"),
        link("l", "d"),
    ];
    home.unpack(entries, &to).unwrap();
    assert_eq!(fs::read_to_string(to.join("d/mine")).unwrap(), "mine");
    assert_eq!(fs::read_to_string(to.join("d/e/x")).unwrap(), "1");
    assert_eq!(fs::read_to_string(to.join("l/f/y")).unwrap(), "2");
    let mode = to.join("d").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o711);
    let names: Vec<_> = fs::read_dir(home.near("")).unwrap().collect();
    assert_eq!(names.len(), 1, "nothing is left beside it");
    assert_eq!(fs::read_dir(&to).unwrap().count(), 2);
}

#[test]
fn a_link_given_as_the_target_means_the_folder_that_it_names() {
    let home = Home::new();
    fs::create_dir(home.near("real")).unwrap();
    symlink("real", home.near("named")).unwrap();
    home.unpack(vec![file("a", "x")], &home.near("named"))
        .unwrap();
    assert_eq!(fs::read_to_string(home.near("real/a")).unwrap(), "x");
    assert!(home.near("named").is_symlink());
}

#[test]
fn an_archive_that_is_no_file_is_an_error_and_no_refusal() {
    let home = Home::new();
    for archive in [home.near(""), home.near("missing"), "/dev/null".into()] {
        let problem = unpack_archive(&archive, &home.near("to")).unwrap_err();
        assert_eq!((problem.code(), problem.is_refusal()), ("io", false));
        assert!(problem.to_string().contains(archive.to_str().unwrap()));
    }
}

#[test]
fn a_name_that_would_redraw_the_terminal_is_escaped_in_messages() {
    let home = Home::new();
    let problem = home.unpack(vec![file("a\x1b[2J\u{202e}", "x")], &home.near("to"));
    let message = problem.unwrap_err().to_string();
    assert_eq!(
        message,
        "`a\\u{1b}[2J\\u{202e}`: the path has a control character in it"
    );
}
