//! Extended headers, and ends that are none.

use super::{Case, one, several};
use crate::hostile::raw::{Head, Tar, file, gnu, head, pax, symlink};

#[expect(
    clippy::too_many_lines,
    reason = "a table of cases reads best in one piece"
)]
pub(super) fn pax_headers(cases: &mut Vec<Case>) {
    let differ = "archive-size-disagrees";
    let inner = Tar::new().with(file("smuggled", "x")).no_end();
    let entries = vec![pax(&[("size", "0")]), file("s", &inner)];
    several(cases, "pax: size smaller", entries, differ);
    let entries = vec![
        pax(&[("size", "1024")]),
        file("s", ""),
        file("smuggled", "x"),
    ];
    several(cases, "pax: size larger", entries, differ);
    let entries = vec![pax(&[("size", "18446744073709551615")]), file("s", "x")];
    several(cases, "pax: size overflows", entries, differ);
    let bad = "archive-extension-invalid";
    for (name, data) in [
        ("no length", &b"path=a\n"[..]),
        ("length too short", b"5 path=a\n"),
        ("length too long", b"99 path=a\n"),
        ("length with sign", b"+9 path=a\n"),
        ("length overflows", b"99999999999999999999999 path=a\n"),
        ("no newline", b"9 path=aa"),
        ("no equals", b"7 path\n"),
        ("no key", b"5 =a\n"),
        ("binary", b"\x00\xff\x00\xff"),
        ("size with sign", b"11 size=+1\n"),
        ("size negative", b"11 size=-1\n"),
        ("size empty", b"8 size=\n"),
        ("binary names", b"21 hdrcharset=BINARY\n"),
        ("unknown key", b"12 foo=baar\n"),
        ("other file type", b"21 SCHILY.filetype=x\n"),
    ] {
        let entries = vec![head("p", b'x').data(data), file("s", "")];
        several(cases, &format!("pax: {name}"), entries, bad);
    }
    let entries = vec![pax(&[("path", "a"), ("path", "../b")]), file("s", "")];
    several(cases, "pax: path twice", entries, bad);
    let entries = vec![pax(&[("size", "0"), ("size", "1")]), file("s", "")];
    several(cases, "pax: size twice", entries, bad);
    let entries = vec![pax(&[("path", "a")]), pax(&[("path", "b")]), file("s", "")];
    several(cases, "pax: two headers", entries, bad);
    let entries = vec![pax(&[("linkpath", "a")]), file("s", "")];
    several(cases, "pax: link target for a file", entries, bad);
    several(
        cases,
        "pax: nothing follows",
        vec![pax(&[("path", "a")])],
        bad,
    );
    for key in ["path", "linkpath", "size"] {
        let entries = vec![pax(&[(key, "1")]).put(156, b"g"), file("s", "")];
        several(cases, &format!("pax: global {key}"), entries, bad);
    }
    let entries = vec![
        pax(&[("path", "a")]),
        gnu(b'L', "b"),
        file("s", "").gnu_magic(),
    ];
    several(cases, "pax: with a GNU name", entries, bad);
    let entries = vec![gnu(b'L', "b"), pax(&[("size", "0")]), file("s", "")];
    several(cases, "pax: behind a GNU name", entries, bad);
    one(
        cases,
        "pax: in an old header",
        pax(&[("path", "a")]).v7(),
        bad,
    );
    let sparse = "archive-sparse-file";
    for key in [
        "GNU.sparse.major",
        "GNU.sparse.name",
        "GNU.sparse.map",
        "SCHILY.realsize",
    ] {
        let entries = vec![pax(&[(key, "1")]), file("s", "x")];
        several(cases, &format!("pax: {key}"), entries, sparse);
    }
    let entries = vec![
        pax(&[("GNU.sparse.name", "../x")]).put(156, b"g"),
        file("s", ""),
    ];
    several(cases, "pax: global sparse name", entries, sparse);
    let large = "archive-extension-too-large";
    let comment = "c".repeat(70_000);
    several(
        cases,
        "pax: long",
        vec![pax(&[("comment", &comment)]), file("s", "")],
        large,
    );
    one(
        cases,
        "pax: claims a gigabyte",
        head("p", b'x').claim(1 << 30),
        large,
    );
    one(
        cases,
        "pax: global claims a gigabyte",
        head("p", b'g').claim(1 << 30),
        large,
    );
    let entries = vec![head("p", b'x').claim(100).data("").claim(100)];
    several(cases, "pax: swallows the end", entries, bad);
}

pub(super) fn gnu_headers(cases: &mut Vec<Case>) {
    let bad = "archive-extension-invalid";
    let old = |it: Head| it.gnu_magic();
    let entries = vec![gnu(b'L', "a"), gnu(b'L', "../b"), old(file("s", ""))];
    several(cases, "gnu: two names", entries, bad);
    let entries = vec![gnu(b'K', "a"), gnu(b'K', "/b"), old(symlink("s", "x"))];
    several(cases, "gnu: two links", entries, bad);
    several(cases, "gnu: nothing follows", vec![gnu(b'L', "a")], bad);
    several(
        cases,
        "gnu: link for a file",
        vec![gnu(b'K', "a"), old(file("s", ""))],
        bad,
    );
    let entries = vec![gnu(b'L', b"safe\0/../../x"), old(file("s", ""))];
    several(
        cases,
        "gnu: NUL in the name",
        entries,
        "archive-path-control-character",
    );
    let entries = vec![gnu(b'L', "a/"), old(file("s", ""))];
    several(
        cases,
        "gnu: file with slash",
        entries,
        "archive-path-trailing-slash",
    );
    let large = "archive-extension-too-large";
    one(
        cases,
        "gnu: name of a gigabyte",
        head("l", b'L').gnu_magic().claim(1 << 30),
        large,
    );
    one(
        cases,
        "gnu: link of a gigabyte",
        head("l", b'K').gnu_magic().claim(1 << 30),
        large,
    );
    one(cases, "gnu: in an old header", gnu(b'L', "a").v7(), bad);
    let sparse = head("s", b'S')
        .gnu_magic()
        .put(482, [1])
        .put(483, b"77777777777\0");
    one(cases, "gnu: sparse map", sparse, "archive-sparse-file");
}

pub(super) fn ends(cases: &mut Vec<Case>) {
    let mut push = |name: &str, bytes: Vec<u8>, code| cases.push((name.to_owned(), bytes, code));
    let cut = "archive-truncated";
    let whole = Tar::new().with(file("a", vec![b'x'; 1000])).end();
    push("end: nothing at all", Vec::new(), cut);
    push(
        "end: no marker",
        Tar::new().with(file("a", "x")).no_end(),
        cut,
    );
    push(
        "end: half a marker",
        whole[..whole.len() - 512].to_vec(),
        cut,
    );
    push("end: in the padding", whole[..1530].to_vec(), cut);
    push("end: in the data", whole[..900].to_vec(), cut);
    push("end: in the header", whole[..300].to_vec(), cut);
    push("end: one block of zeros", vec![0; 512], cut);
    let extra = "archive-trailing-data";
    let second = Tar::new().with(file("b", "x")).end();
    push(
        "tail: second archive",
        [whole.clone(), second.clone()].concat(),
        extra,
    );
    push("tail: one byte", [&whole[..], b"x"].concat(), extra);
    push(
        "tail: far behind",
        [&whole[..], &vec![0; 20_000], b"x"].concat(),
        extra,
    );
    let one_block = [&whole[..whole.len() - 512], &second[..]].concat();
    push("tail: behind one block of zeros", one_block, extra);
}
