//! Kinds, modes and numbers that readers understand differently.

use super::{Case, one, several};
use crate::hostile::raw::{Tar, file, folder, hard_link, head, pax};

pub(super) fn kinds_and_modes(cases: &mut Vec<Case>) {
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

#[expect(
    clippy::too_many_lines,
    reason = "a table of cases reads best in one piece"
)]
pub(super) fn numbers(cases: &mut Vec<Case>) {
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
