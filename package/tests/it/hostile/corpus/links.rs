//! Links that lead out, and hard links to what is not theirs.

use super::{Case, one, several};
use crate::hostile::raw::{Head, file, folder, gnu, hard_link, pax, symlink};

#[expect(
    clippy::too_many_lines,
    reason = "a table of cases reads best in one piece"
)]
pub(super) fn symlinks(cases: &mut Vec<Case>) {
    let absolute = "archive-symlink-absolute";
    let escapes = "archive-symlink-escapes";
    one(
        cases,
        "link: absolute",
        symlink("a", "/etc/passwd"),
        absolute,
    );
    one(cases, "link: root", symlink("a", "/"), absolute);
    one(cases, "link: drive", symlink("a", "C:\\x"), absolute);
    one(cases, "link: share", symlink("a", "\\\\host\\x"), absolute);
    one(
        cases,
        "link: parent for Windows",
        symlink("d/a", "b\\..\\..\\..\\x"),
        escapes,
    );
    one(cases, "link: parent", symlink("a", ".."), escapes);
    one(
        cases,
        "link: parent file",
        symlink("a", "../outside/secret"),
        escapes,
    );
    one(
        cases,
        "link: deep parent",
        symlink("a/b/c", "../../../x"),
        escapes,
    );
    one(
        cases,
        "link: out and in again",
        symlink("a", "../unpacked/a"),
        escapes,
    );
    one(
        cases,
        "link: through dots",
        symlink("a", "./x/./../../y"),
        escapes,
    );
    let entries = vec![
        folder("d"),
        symlink("d/up", ".."),
        symlink("out", "d/up/.."),
    ];
    several(cases, "link: chain of two", entries, escapes);
    let entries = vec![symlink("b", "."), symlink("a", "b/..")];
    several(cases, "link: through a link to here", entries, escapes);
    let entries = vec![symlink("a", "b/.."), symlink("b", ".")];
    several(cases, "link: chain in the other order", entries, escapes);
    let entries = vec![
        symlink("x/y/z", "../../t"),
        symlink("t", "x"),
        symlink("w", "x/y/z/../../v"),
    ];
    several(cases, "link: chain of three", entries, escapes);
    let entries = vec![symlink("B", "."), symlink("a", "b/..")];
    several(cases, "link: chain by case", entries, escapes);
    let mut chain: Vec<Head> = (0..100)
        .map(|it| symlink(format!("l{it}"), format!("l{}", it + 1)))
        .collect();
    chain.extend([symlink("l100", "."), symlink("end", "l0/..")]);
    several(cases, "link: chain of a hundred", chain, escapes);
    let through = "archive-path-through-symlink";
    let entries = vec![symlink("a", "b"), file("a/x", "x")];
    several(cases, "link: file through it", entries, through);
    let entries = vec![folder("b"), symlink("a", "b"), folder("a/c")];
    several(cases, "link: folder through it", entries, through);
    let entries = vec![file("a/x", "x"), symlink("a", "b")];
    several(cases, "link: instead of a folder", entries, through);
    let entries = vec![symlink("a", "b"), hard_link("a/x", "honest")];
    several(cases, "link: hard link through it", entries, through);
    let invalid = "archive-symlink-invalid";
    one(cases, "link: empty", symlink("a", ""), invalid);
    one(cases, "link: not UTF-8", symlink("a", b"\xff"), invalid);
    one(
        cases,
        "link: control character",
        symlink("a", "b\x1b"),
        invalid,
    );
    let long = "x/".repeat(600);
    let entries = vec![pax(&[("linkpath", &long)]), symlink("a", "b")];
    several(cases, "link: long", entries, invalid);
    let entries = vec![pax(&[("linkpath", "../../x")]), symlink("a", "b")];
    several(cases, "link: parent by pax", entries, escapes);
    let entries = vec![gnu(b'K', "/etc"), symlink("a", "b").gnu_magic()];
    several(cases, "link: absolute by GNU", entries, absolute);
    one(
        cases,
        "link: with data",
        symlink("a", "b").data("x"),
        "archive-unexpected-data",
    );
    one(
        cases,
        "link: hidden behind a NUL",
        symlink("a", b"b\0/etc"),
        "archive-header-invalid",
    );
    one(
        cases,
        "link: as the root",
        symlink(".", "b"),
        "archive-path-conflict",
    );
}

pub(super) fn hard_links(cases: &mut Vec<Case>) {
    let code = "archive-hard-link-target";
    one(cases, "hard link: missing", hard_link("a", "nothing"), code);
    one(cases, "hard link: itself", hard_link("a", "a"), code);
    several(
        cases,
        "hard link: later",
        vec![hard_link("a", "b"), file("b", "")],
        code,
    );
    several(
        cases,
        "hard link: folder",
        vec![folder("d"), hard_link("a", "d")],
        code,
    );
    several(
        cases,
        "hard link: symlink",
        vec![symlink("s", "honest"), hard_link("a", "s")],
        code,
    );
    let entries = vec![folder("d"), symlink("s", "d"), hard_link("a", "s/x")];
    several(cases, "hard link: through a link", entries, code);
    one(
        cases,
        "hard link: other case",
        hard_link("a", "HONEST"),
        code,
    );
    one(cases, "hard link: slash", hard_link("a", "honest/"), code);
    one(
        cases,
        "hard link: absolute",
        hard_link("a", "/etc/shadow"),
        "archive-path-absolute",
    );
    one(
        cases,
        "hard link: parent",
        hard_link("a", "../secret"),
        "archive-path-escapes",
    );
    one(
        cases,
        "hard link: no target",
        hard_link("a", ""),
        "archive-path-empty",
    );
    let entry = hard_link("a", "honest").data("x");
    one(
        cases,
        "hard link: with data",
        entry,
        "archive-unexpected-data",
    );
}
