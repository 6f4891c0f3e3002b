//! Archives that must be refused, each with the code that says why.

use super::raw::{Head, Tar, file, folder, gnu, hard_link, head, pax, record, symlink};

/// A name, tar bytes, and the code of the refusal.
pub(crate) type Case = (String, Vec<u8>, &'static str);

/// Every case whose fault lies in the tar itself.
pub(crate) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    paths(&mut cases);
    same_names(&mut cases);
    symlinks(&mut cases);
    hard_links(&mut cases);
    kinds_and_modes(&mut cases);
    numbers(&mut cases);
    pax_headers(&mut cases);
    gnu_headers(&mut cases);
    ends(&mut cases);
    cases
}

fn one(cases: &mut Vec<Case>, name: &str, entry: Head, code: &'static str) {
    several(cases, name, vec![entry], code);
}

fn several(cases: &mut Vec<Case>, name: &str, entries: Vec<Head>, code: &'static str) {
    let honest = Tar::new().with(file("honest", "x"));
    let tar = entries.into_iter().fold(honest, Tar::with);
    cases.push((name.to_owned(), tar.end(), code));
}

fn paths(cases: &mut Vec<Case>) {
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

fn same_names(cases: &mut Vec<Case>) {
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

fn symlinks(cases: &mut Vec<Case>) {
    let absolute = "archive-symlink-absolute";
    one(
        cases,
        "link: absolute",
        symlink("a", "/etc/passwd"),
        absolute,
    );
    one(cases, "link: root", symlink("a", "/"), absolute);
    let escapes = "archive-symlink-escapes";
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

fn hard_links(cases: &mut Vec<Case>) {
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

fn kinds_and_modes(cases: &mut Vec<Case>) {
    for (name, kind, code) in [
        ("character device", b'3', "archive-device"),
        ("block device", b'4', "archive-device"),
        ("pipe", b'6', "archive-fifo"),
        ("contiguous file", b'7', "archive-entry-type"),
        ("sparse file", b'S', "archive-sparse-file"),
        ("volume label", b'V', "archive-entry-type"),
        ("continued file", b'M', "archive-entry-type"),
        ("folder dump", b'D', "archive-entry-type"),
        ("old long name", b'N', "archive-entry-type"),
        ("solaris header", b'X', "archive-entry-type"),
        ("unknown kind", b'Z', "archive-entry-type"),
        ("unprintable kind", 0xff, "archive-entry-type"),
    ] {
        one(cases, &format!("kind: {name}"), head("k", kind), code);
        one(
            cases,
            &format!("kind: GNU {name}"),
            head("k", kind).gnu_magic(),
            code,
        );
    }
    let code = "archive-special-mode";
    for mode in [
        "0004755", "0002755", "0001755", "0006755", "0104755", "  4755 ",
    ] {
        one(
            cases,
            &format!("mode: file {mode}"),
            file("m", "x").mode(mode),
            code,
        );
        one(
            cases,
            &format!("mode: folder {mode}"),
            folder("m").mode(mode),
            code,
        );
    }
    let entry = hard_link("m", "honest").mode("0004755");
    one(cases, "mode: hard link", entry, code);
    let key = "SCHILY.xattr.security.capability";
    several(
        cases,
        "mode: capability",
        vec![pax(&[(key, "x")]), file("m", "x")],
        code,
    );
    let code = "archive-unexpected-data";
    one(cases, "kind: folder with data", folder("d").data("x"), code);
    let hidden = Tar::new().with(file("hidden", "x")).no_end();
    one(
        cases,
        "kind: folder that hides an entry",
        folder("d").data(hidden),
        code,
    );
}

fn numbers(cases: &mut Vec<Case>) {
    let code = "archive-header-invalid";
    let sizes: [(&str, &[u8]); 9] = [
        ("sign", b"+0000000001\0"),
        ("negative", b"-0000000001\0"),
        ("hexadecimal", b"0x000000001\0"),
        ("digit 8", b"00000000008\0"),
        ("inner NUL", b"0000\x00000001\0"),
        ("inner blank", b"0000 000001\0"),
        ("letters", b"size here!!\0"),
        (
            "negative base 256",
            b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        ),
        ("huge base 256", b"\x80\0\0\x01\0\0\0\0\0\0\0\0"),
    ];
    for (name, field) in sizes {
        let entry = head("n", b'0').put(124, field);
        one(cases, &format!("size: {name}"), entry, code);
    }
    let entry = head("n", b'0').put(124, b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff");
    one(
        cases,
        "size: beyond every limit",
        entry,
        "archive-unpacked-too-large",
    );
    let entry = head("n", b'0').put(124, b"\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff");
    one(cases, "size: overflow", entry, code);
    one(
        cases,
        "mode: no number",
        file("n", "").mode("rwxr-xr"),
        code,
    );
    one(cases, "sum: wrong", file("n", "").sum(b"000001\0 "), code);
    one(cases, "sum: none", file("n", "").sum(b"        "), code);
    one(cases, "sum: letters", file("n", "").sum(b"abcdef\0 "), code);
    one(
        cases,
        "magic: unknown",
        file("n", "").put(257, b"ustax\x0000"),
        code,
    );
    one(
        cases,
        "magic: other version",
        file("n", "").put(257, b"ustar\x0001"),
        code,
    );
    one(
        cases,
        "magic: half",
        file("n", "").put(257, b"ustar\0\0\0"),
        code,
    );
    several(
        cases,
        "garbage instead of a header",
        vec![head([b'A'; 100], b'0').sum("garbage")],
        code,
    );
    let gib = 1 << 30;
    let claims = (0..9)
        .map(|it| head(format!("c{it}"), b'0').claim(gib))
        .collect();
    several(
        cases,
        "size: claimed and absent",
        claims,
        "archive-truncated",
    );
}

fn pax_headers(cases: &mut Vec<Case>) {
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

fn gnu_headers(cases: &mut Vec<Case>) {
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

fn ends(cases: &mut Vec<Case>) {
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
        [&whole[..], &[0; 20_000], b"x"].concat(),
        extra,
    );
    let one_block = [&whole[..whole.len() - 512], &second[..]].concat();
    push("tail: behind one block of zeros", one_block, extra);
}
