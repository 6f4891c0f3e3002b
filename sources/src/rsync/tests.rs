use std::path::Path;
use std::process::Command;

use super::*;
use crate::objects::Entry;

fn files(list: &[(&str, &str)]) -> Files {
    let entry = |id: &str| Entry {
        mode: if id.starts_with("->") {
            "120000"
        } else {
            "100644"
        }
        .to_owned(),
        id: id.to_owned(),
    };
    list.iter()
        .map(|(path, id)| ((*path).to_owned(), entry(id)))
        .collect()
}

fn item(sources: &[&str], destination: &str) -> FileItem {
    FileItem {
        sources: sources.iter().map(|it| (*it).to_owned()).collect(),
        destination: destination.to_owned(),
        makes_folders: false,
        deletes: false,
        filters: Vec::new(),
    }
}

const SOURCE: &[(&str, &str)] = &[
    ("a/one", "1"),
    ("a/sub/two", "2"),
    ("a/.gitignore", "3"),
    ("a-b/x", "4"),
    ("b.spec", "5"),
    ("c.spec", "6"),
    (".hidden", "7"),
    ("odd{x}", "8"),
];

#[test]
fn no_path_leaves_a_tree_and_no_link_is_followed() {
    let source = files(&[("link", "-> /etc"), ("a/x", "1"), ("to", "-> a")]);
    let send = |sources: &[&str], to: &str| {
        let mut destination = files(&[("out", "-> /tmp"), ("file", "1")]);
        sync(&source, &mut destination, &item(sources, to))
            .unwrap_err()
            .to_string()
    };
    assert_eq!(send(&["../x"], "."), "`../x` leaves its repository");
    assert_eq!(
        send(&["/etc/passwd"], "."),
        "`/etc/passwd` leaves its repository"
    );
    assert_eq!(
        send(&["a/x"], "b/../../x"),
        "`b/../../x` leaves its repository"
    );
    assert_eq!(
        send(&["link/passwd"], "."),
        "`link/passwd` goes through the link `link`"
    );
    assert_eq!(send(&["to/"], "."), "`to/` goes through the link `to`");
    assert_eq!(send(&["a/x"], "out/"), "`out/` goes through the link `out`");
    assert_eq!(
        send(&["a/x"], "out/y"),
        "`out/y` goes through the link `out`"
    );
    assert_eq!(
        send(&["a/"], "file"),
        "`file/` would take the place of the file `file`"
    );
    assert_eq!(
        send(&["a/x"], "p/q/"),
        "the destination `p/q/` has no folder to be in: set `mkpath: true`"
    );
    let mut destination = Files::new();
    sync(&source, &mut destination, &item(&["link"], ".")).unwrap();
    assert_eq!(destination, files(&[("link", "-> /etc")]));
}

#[test]
fn a_new_file_downstream_belongs_where_the_item_would_take_it_from() {
    let source = files(SOURCE);
    let from =
        |it: &FileItem, path: &str| origin(&source, &files(&[("old", "1")]), it, path).unwrap();
    let contents = FileItem {
        filters: vec!["exclude .gitignore".to_owned()],
        ..item(&["a/"], ".")
    };
    assert_eq!(from(&contents, "sub/new").as_deref(), Some("a/sub/new"));
    assert_eq!(from(&contents, "sub/.gitignore"), None);
    assert_eq!(
        from(&item(&["a"], "x/"), "x/a/new").as_deref(),
        Some("a/new")
    );
    assert_eq!(from(&item(&["a"], "x/"), "x/b/new"), None);
    assert_eq!(
        from(&item(&["*.spec"], "."), "d.spec").as_deref(),
        Some("d.spec")
    );
    assert_eq!(from(&item(&["*.spec"], "."), "d.txt"), None);
}

/// Writes a tree to a disk, its ids as content.
fn write(files: &Files, folder: &Path) {
    for (path, entry) in files {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, &entry.id).unwrap();
    }
}

fn read(folder: &Path, below: &str, found: &mut Files) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = join(below, entry.file_name().to_str().unwrap());
        if entry.path().is_dir() {
            read(&entry.path(), &name, found);
        } else {
            let id = std::fs::read_to_string(entry.path()).unwrap();
            found.extend(files(&[(&name, &id)]));
        }
    }
}

/// What the real program makes of it; `None` if it fails.
fn real(source: &Files, destination: &Files, item: &FileItem) -> Option<Files> {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("from"), folder.path().join("to"));
    for (files, folder) in [(source, &from), (destination, &to)] {
        std::fs::create_dir(folder).unwrap();
        write(files, folder);
    }
    let mut command = Command::new("rsync");
    command
        .args(["--archive", "--ignore-missing-args"])
        .current_dir(&from);
    if item.deletes {
        command.arg("--delete");
    }
    if item.makes_folders {
        command.arg("--mkpath");
    }
    for filter in &item.filters {
        command.args(["--filter", filter]);
    }
    for written in &item.sources {
        let found = if written.contains('*') {
            glob(source, written)
        } else {
            Vec::new()
        };
        if found.is_empty() {
            command.arg(written);
        }
        command.args(found);
    }
    let mut target = to.clone().into_os_string();
    target.push(format!("/{}", item.destination));
    let done = command.arg(target).output().unwrap();
    let mut found = Files::new();
    read(&to, "", &mut found);
    done.status.success().then_some(found)
}

#[test]
fn trees_are_what_rsync_makes_of_them() {
    let source = files(SOURCE);
    let destination = files(&[
        ("a/old", "o1"),
        ("a/sub/old", "o2"),
        ("dist/keep", "o3"),
        ("sources", "o4"),
        (".git-x", "o5"),
        ("one", "o6"),
    ]);
    let sources: &[&[&str]] = &[
        &["a/"],
        &["a"],
        &["a", "b.spec"],
        &["b.spec"],
        &["*.spec"],
        &["missing"],
        &["a/sub/", "a-b/"],
        &["*"],
        &["./"],
    ];
    let filters: &[&[&str]] = &[
        &[],
        &["protect sources", "protect .git*", "exclude .gitignore"],
        &["+ sub/***", "- *"],
        &["- /sub/two"],
        &["hide one", "risk *"],
        &["- sub/"],
    ];
    let mut compared = 0;
    let mut check = |sources: &[&str], to: &str, filters: &[&str], deletes, makes_folders| {
        // Where nothing is there to be copied, rsync still wants a place for it; we do not.
        if sources == ["missing"] && to == "x/y/" {
            return;
        }
        let item = FileItem {
            deletes,
            makes_folders,
            filters: filters.iter().map(|it| (*it).to_owned()).collect(),
            ..item(sources, to)
        };
        let mut ours = destination.clone();
        let done = sync(&source, &mut ours, &item);
        let theirs = real(&source, &destination, &item);
        assert_eq!(done.is_ok().then_some(ours), theirs, "{item:?} {done:?}");
        compared += 1;
    };
    for sources in sources {
        for to in [".", "./", "dist", "dist/", "new", "new/", "x/y/"] {
            check(sources, to, &[], true, false);
        }
        check(sources, "x/y/", &[], false, true);
        for filters in filters {
            check(sources, ".", filters, true, false);
            check(sources, "new", filters, false, false);
        }
    }
    assert!(compared > 150, "{compared}");
}
