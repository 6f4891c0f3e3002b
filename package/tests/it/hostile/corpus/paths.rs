//! Paths that leave, hide or alias, and names that are one name somewhere.

use super::{Case, one, several};
use crate::hostile::raw::{file, folder, gnu, hard_link, head, pax, record, symlink};

#[expect(
    clippy::too_many_lines,
    reason = "a table of cases reads best in one piece"
)]
pub(super) fn paths(cases: &mut Vec<Case>) {
    let long_name = "a".repeat(256);
    let long_path = vec!["b".repeat(100); 11].join("/");
    let deep_path = vec!["d"; 65].join("/");
    let bad: Vec<(&str, &[u8], &'static str)> = vec![
        ("absolute", b"/etc/passwd", "archive-path-absolute"),
        ("two slashes", b"//etc/passwd", "archive-path-absolute"),
        ("parent", b"../outside/secret", "archive-path-escapes"),
        ("parent behind dot", b"./../secret", "archive-path-escapes"),
        ("parent inside", b"a/../../secret", "archive-path-escapes"),
        ("parent at the end", b"a/..", "archive-path-escapes"),
        ("parent alone", b"..", "archive-path-escapes"),
        (
            "parent for Windows",
            b"..\\..\\secret",
            "archive-path-escapes",
        ),
        ("parent for some", b"a/b\\..\\..\\x", "archive-path-escapes"),
        ("drive", b"C:\\x", "archive-path-absolute"),
        ("drive with slashes", b"c:/x", "archive-path-absolute"),
        ("share", b"\\\\host\\share\\x", "archive-path-absolute"),
        ("parent that returns", b"a/../b", "archive-path-escapes"),
        ("empty name", b"", "archive-path-empty"),
        ("empty component", b"a//b", "archive-path-empty"),
        (
            "empty component behind dot",
            b".//etc",
            "archive-path-empty",
        ),
        ("dot component", b"a/./b", "archive-path-dot"),
        ("dot twice", b"././a", "archive-path-dot"),
        ("newline", b"a\nb", "archive-path-control-character"),
        ("escape", b"a\x1b[2Jb", "archive-path-control-character"),
        ("delete", b"a\x7f", "archive-path-control-character"),
        (
            "c1 control",
            "a\u{9b}b".as_bytes(),
            "archive-path-control-character",
        ),
        (
            "right to left",
            "a\u{202e}txt.sh".as_bytes(),
            "archive-path-control-character",
        ),
        (
            "line separator",
            "a\u{2028}b".as_bytes(),
            "archive-path-control-character",
        ),
        ("latin 1", b"caf\xe9", "archive-path-not-utf8"),
        (
            "overlong slash",
            b"..\xc0\xafsecret",
            "archive-path-not-utf8",
        ),
        ("surrogate", b"a\xed\xa0\x80", "archive-path-not-utf8"),
        ("file with slash", b"a/", "archive-path-trailing-slash"),
        ("root as a file", b".", "archive-path-conflict"),
    ];
    for (name, path, code) in bad {
        one(cases, &format!("path: {name}"), file(path, "x"), code);
        if path.len() < 90 && !name.starts_with("file") && name != "root as a file" {
            let path_text = path.to_vec();
            let entries = vec![
                head("pax", b'x').data(record("path", &path_text)),
                file("fine", ""),
            ];
            let code = if path.is_empty() {
                "archive-extension-invalid"
            } else {
                code
            };
            several(cases, &format!("pax path: {name}"), entries, code);
            let entries = vec![gnu(b'L', path), file("fine", "x").gnu_magic()];
            let code = if path.is_empty() {
                "archive-path-empty"
            } else {
                code
            };
            several(cases, &format!("gnu path: {name}"), entries, code);
        }
    }
    let code = "archive-path-too-long";
    several(
        cases,
        "path: long name",
        vec![pax(&[("path", &long_name)]), file("f", "")],
        code,
    );
    several(
        cases,
        "path: long path",
        vec![pax(&[("path", &long_path)]), file("f", "")],
        code,
    );
    let entries = vec![gnu(b'L', &long_path), file("f", "").gnu_magic()];
    several(cases, "path: long gnu path", entries, code);
    let code = "archive-path-too-deep";
    several(
        cases,
        "path: deep",
        vec![pax(&[("path", &deep_path)]), file("f", "")],
        code,
    );
    one(
        cases,
        "path: hidden behind a NUL",
        file(b"safe\0../../x", "x"),
        "archive-header-invalid",
    );
    let entry = file("x", "x").prefix("..");
    one(
        cases,
        "path: parent in the prefix",
        entry,
        "archive-path-escapes",
    );
    let entry = file("x", "x").prefix("/etc");
    one(
        cases,
        "path: absolute prefix",
        entry,
        "archive-path-absolute",
    );
    let entry = file("passwd", "x").gnu_magic().prefix("/etc");
    one(
        cases,
        "path: prefix in a GNU header",
        entry,
        "archive-header-invalid",
    );
    let entry = file("passwd", "x").v7().prefix("/etc");
    one(
        cases,
        "path: prefix in an old header",
        entry,
        "archive-header-invalid",
    );
    let entry = head("d/", 0).v7().data("x");
    one(
        cases,
        "path: old folder with data",
        entry,
        "archive-unexpected-data",
    );
    one(
        cases,
        "path: folder outside",
        folder("../x/"),
        "archive-path-escapes",
    );
    one(
        cases,
        "path: root folder with two slashes",
        folder(".//"),
        "archive-path-empty",
    );
    one(
        cases,
        "path: old folder",
        file("x/", "").put(156, [0]),
        "archive-path-trailing-slash",
    );
}

#[expect(
    clippy::too_many_lines,
    reason = "a table of cases reads best in one piece"
)]
pub(super) fn same_names(cases: &mut Vec<Case>) {
    let twice = "archive-duplicate-entry";
    several(
        cases,
        "same: file twice",
        vec![file("a", "1"), file("a", "2")],
        twice,
    );
    several(
        cases,
        "same: dot slash",
        vec![file("a", "1"), file("./a", "2")],
        twice,
    );
    several(
        cases,
        "same: folder twice",
        vec![folder("a"), folder("a/")],
        twice,
    );
    several(
        cases,
        "same: link twice",
        vec![symlink("a", "b"), symlink("a", "c")],
        twice,
    );
    let pair = "archive-name-collision";
    for (one, other) in [
        ("README", "readme"),
        ("straße", "STRASSE"),
        ("ẞ", "SS"),
        ("\u{e9}", "e\u{301}"),
        ("\u{c5}", "\u{212b}"),
        ("K", "\u{212a}"),
        ("ﬁ", "fi"),
        ("ſ", "s"),
        ("σ", "ς"),
        ("İ", "i\u{307}"),
        ("a\u{200d}b", "ab"),
        ("a\u{feff}", "a"),
        ("Ａ", "a"),
    ] {
        let name = format!("same: {one} and {other}");
        several(cases, &name, vec![file(one, "1"), file(other, "2")], pair);
        let below = |it: &str| format!("{it}/x{}", it.len());
        let name = format!("same: below {one} and {other}");
        several(
            cases,
            &name,
            vec![file(below(one), ""), file(below(other), "")],
            pair,
        );
    }
    let entries = vec![symlink("A", "elsewhere"), file("a/b", "x")];
    several(cases, "same: through a link by case", entries, pair);
    let both = "archive-path-conflict";
    several(
        cases,
        "same: file then below",
        vec![file("a", ""), file("a/b", "")],
        both,
    );
    several(
        cases,
        "same: below then file",
        vec![file("a/b", ""), file("a", "")],
        both,
    );
    several(
        cases,
        "same: folder then file",
        vec![folder("a"), file("a", "")],
        both,
    );
    several(
        cases,
        "same: file then folder",
        vec![file("a", ""), folder("a")],
        both,
    );
    several(
        cases,
        "same: file then link",
        vec![file("a", ""), symlink("a", "b")],
        both,
    );
    several(
        cases,
        "same: link then file",
        vec![symlink("a", "b"), file("a", "x")],
        both,
    );
    several(
        cases,
        "same: link then folder",
        vec![symlink("a", "b"), folder("a")],
        both,
    );
    several(
        cases,
        "same: hard link over link",
        vec![symlink("a", "b"), hard_link("a", "honest")],
        both,
    );
}
