use std::io::Write as _;
use std::process::Command;

use super::*;

fn tree(files: &[(&str, &str)]) -> Tree {
    let node = |text: &str| Node::text(text);
    files
        .iter()
        .map(|(path, text)| ((*path).to_owned(), node(text)))
        .collect()
}

fn labels() -> Labels {
    Labels {
        ours: "this workspace".to_owned(),
        theirs: "minimal 2.0.0".to_owned(),
    }
}

fn run(base: &[(&str, &str)], ours: &[(&str, &str)], theirs: &[(&str, &str)]) -> Merged {
    merge(&tree(base), &tree(ours), &tree(theirs), &labels())
}

fn written<'a>(merged: &'a Merged, path: &str) -> Option<&'a str> {
    match merged.writes.get(path)?.as_ref()? {
        Node::File { bytes, .. } => std::str::from_utf8(bytes).ok(),
        Node::Link { .. } | Node::Folder => None,
    }
}

#[test]
fn what_one_side_changed_is_taken_and_what_both_changed_is_merged() {
    let base = [("a", "1\n2\n3\n4\n5\n"), ("b", "b\n"), ("c", "c\n")];
    let ours = [("a", "one\n2\n3\n4\n5\n"), ("b", "b\n"), ("c", "mine\n")];
    let theirs = [
        ("a", "1\n2\n3\n4\nfive\n"),
        ("b", "new\n"),
        ("c", "c\n"),
        ("d", "d\n"),
    ];
    let merged = run(&base, &ours, &theirs);
    assert_eq!(written(&merged, "a"), Some("one\n2\n3\n4\nfive\n"));
    assert_eq!(written(&merged, "b"), Some("new\n"));
    assert_eq!(written(&merged, "d"), Some("d\n"));
    assert_eq!(merged.writes.len(), 3, "{merged:?}");
    assert_eq!(merged.conflicts, []);
}

#[test]
fn lines_that_both_changed_are_marked_with_both_labels() {
    let merged = run(
        &[("a", "x\n1\ny\n")],
        &[("a", "x\nours\ny\n")],
        &[("a", "x\ntheirs\ny\n")],
    );
    insta::assert_snapshot!(written(&merged, "a").unwrap(), @r"
    x
    <<<<<<< this workspace
    ours
    =======
    theirs
    >>>>>>> minimal 2.0.0
    y
    ");
    assert_eq!(merged.conflicts[0].kind, ConflictKind::Marked);
}

#[test]
fn texts_that_hold_markers_themselves_are_merged_all_the_same() {
    let title = "Title\n==========\n<<<<<<< not a marker\n";
    let merged = run(
        &[("a", &format!("{title}1\n"))],
        &[("a", &format!("{title}2\n"))],
        &[("a", &format!("{title}3\n"))],
    );
    let expected = format!("{title}<<<<<<< this workspace\n2\n=======\n3\n>>>>>>> minimal 2.0.0\n");
    assert_eq!(written(&merged, "a"), Some(expected.as_str()));
}

#[test]
fn what_was_removed_here_stays_removed_and_what_was_changed_here_stays() {
    let base = [("gone", "1\n"), ("kept", "1\n"), ("old", "1\n")];
    let ours = [("kept", "mine\n"), ("old", "1\n")];
    let theirs = [("gone", "2\n")];
    let merged = run(&base, &ours, &theirs);
    assert_eq!(merged.writes, [("old".to_owned(), None)].into());
    assert_eq!(merged.conflicts.len(), 1);
    assert_eq!(merged.conflicts[0].path, "kept");
    assert_eq!(merged.conflicts[0].kind, ConflictKind::Removed);
    assert!(merged.files.contains(&FileChange {
        path: "gone".to_owned(),
        action: FileAction::Skip
    }));
}

#[test]
fn binary_files_and_other_kinds_stay_and_the_new_one_stands_beside() {
    let merged = run(
        &[("a.png", "\0base"), ("b.png.new", "")],
        &[("a.png", "\0ours"), ("a.png.new", "mine")],
        &[("a.png", "\0theirs"), ("b.png.new", "")],
    );
    assert_eq!(merged.writes.keys().collect::<Vec<_>>(), ["a.png.new2"]);
    let new = "a.png.new2".to_owned();
    assert_eq!(merged.conflicts[0].kind, ConflictKind::Beside { new });
}

#[test]
fn a_file_with_a_new_name_keeps_what_was_changed_in_it() {
    let text = "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\n";
    let edited = text.replace("one", "mine");
    let newer = text.replace("eight", "theirs");
    // The template gave it a new name.
    let merged = run(&[("a", text)], &[("a", &edited)], &[("b", &newer)]);
    assert_eq!(
        written(&merged, "b"),
        Some(edited.replace("eight", "theirs").as_str())
    );
    assert_eq!(merged.writes["a"], None);
    let from = "a".to_owned();
    assert_eq!(merged.files[0].action, FileAction::Rename { from });
    // Somebody here did.
    let merged = run(&[("a", text)], &[("c", &edited)], &[("a", &newer)]);
    assert_eq!(
        written(&merged, "c"),
        Some(edited.replace("eight", "theirs").as_str())
    );
    assert_eq!(merged.writes.len(), 1);
}

#[test]
fn a_merge_done_once_changes_nothing_when_it_is_done_again() {
    let base = [("a", "1\n2\n3\n")];
    let theirs = [("a", "1\n2\nthree\n"), ("b", "b\n")];
    let ours = [("a", "one\n2\n3\n")];
    let mut after = tree(&ours);
    for (path, node) in merge(&tree(&base), &after.clone(), &tree(&theirs), &labels()).writes {
        after.insert(path, node.unwrap());
    }
    let again = merge(&tree(&theirs), &after, &tree(&theirs), &labels());
    assert_eq!(again, Merged::default());
}

/// git is the oracle: random edits of both sides, merged by both programs.
#[test]
fn texts_are_merged_as_git_merges_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut seed = 7_u64;
    let mut random = move |below: u64| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let mut clean = 0;
    for _ in 0..40 {
        let base: Vec<String> = (0..30).map(|it| format!("line {it}")).collect();
        let mut edit = |name: &str| {
            let mut lines = base.clone();
            for _ in 0..2 {
                let at = usize::try_from(random(lines.len() as u64)).unwrap();
                match random(3) {
                    0 => lines[at] = format!("{name} {}", random(3)),
                    1 => drop(lines.remove(at)),
                    _ => lines.insert(at, format!("{name} {}", random(3))),
                }
            }
            format!("{}\n", lines.join("\n"))
        };
        let (ours, theirs) = (edit("ours"), edit("theirs"));
        let base = format!("{}\n", base.join("\n"));
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::File::create(&path)
                .unwrap()
                .write_all(text.as_bytes())
                .unwrap();
            path
        };
        let git = Command::new("git")
            .args(["merge-file", "--stdout"])
            .args([
                write("ours", &ours),
                write("base", &base),
                write("theirs", &theirs),
            ])
            .output()
            .unwrap();
        if let (Ok(merged), true) = (
            merge_text(&base, &ours, &theirs, &labels()),
            git.status.success(),
        ) {
            clean += 1;
            assert_eq!(
                merged,
                String::from_utf8_lossy(&git.stdout),
                "{ours}\n--\n{theirs}"
            );
        }
    }
    assert!(clean > 10, "only {clean} of 40 were merged by both");
}
