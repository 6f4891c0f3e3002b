//! The examples that the algorithm was published with, and those of its Rust crate.

use super::check;

#[test]
fn the_published_examples_have_their_published_answers() {
    check(
        "no conflict",
        "foo 1.0.0: bar ^1.0.0\nbar 1.0.0\nbar 2.0.0",
        "foo@^1.0.0",
        "bar 1.0.0, foo 1.0.0",
    );
    check(
        "a conflict avoided while deciding",
        "foo 1.1.0: bar ^2.0.0\nfoo 1.0.0\nbar 1.0.0\nbar 1.1.0\nbar 2.0.0",
        "foo@^1.0.0 bar@^1.0.0",
        "bar 1.1.0, foo 1.0.0",
    );
    check(
        "a conflict resolved",
        "foo 2.0.0: bar ^1.0.0\nfoo 1.0.0\nbar 1.0.0: foo ^1.0.0",
        "foo@>=1.0.0",
        "foo 1.0.0",
    );
    check(
        "a partial satisfier",
        "foo 1.1.0: left ^1.0.0; right ^1.0.0\nfoo 1.0.0\nleft 1.0.0: shared >=1.0.0
         right 1.0.0: shared <2.0.0\nshared 2.0.0\nshared 1.0.0: target ^1.0.0\ntarget 2.0.0\ntarget 1.0.0",
        "foo@^1.0.0 target@^2.0.0",
        "foo 1.0.0, target 2.0.0",
    );
    check(
        "a linear proof",
        "foo 1.0.0: bar ^2.0.0\nbar 2.0.0: baz ^3.0.0\nbaz 1.0.0\nbaz 3.0.0",
        "foo@^1.0.0 baz@^1.0.0",
        "refused: bar baz foo",
    );
    check(
        "a branching proof",
        "foo 1.0.0: a ^1.0.0; b ^1.0.0\nfoo 1.1.0: x ^1.0.0; y ^1.0.0\na 1.0.0: b ^2.0.0\nb 1.0.0\nb 2.0.0
         x 1.0.0: y ^2.0.0\ny 1.0.0\ny 2.0.0",
        "foo@^1.0.0",
        "refused: a b foo x y",
    );
    check(
        "the menu of the first article",
        "menu 1.0.0: dropdown >=1.0.0, <2.0.0\nmenu 1.1.0: dropdown >=2.0.0\nmenu 1.2.0: dropdown >=2.0.0
         menu 1.3.0: dropdown >=2.0.0\nmenu 1.4.0: dropdown >=2.0.0\nmenu 1.5.0: dropdown >=2.0.0
         dropdown 1.8.0: intl =3.0.0\ndropdown 2.0.0: icons =2.0.0\ndropdown 2.1.0: icons =2.0.0
         dropdown 2.2.0: icons =2.0.0\ndropdown 2.3.0: icons =2.0.0\nicons 1.0.0\nicons 2.0.0
         intl 3.0.0\nintl 4.0.0\nintl 5.0.0",
        "menu icons@=1.0.0 intl@=5.0.0",
        "refused: dropdown icons intl menu",
    );
}

#[test]
fn the_rust_crates_own_cases_have_their_answers() {
    check(
        "a tree that is cut by the same package twice",
        "a 0.0.0: b *\nb 0.0.0: d =1.0.0\nc 0.0.0: d =3.0.0\nd 0.0.0\nd 1.0.0\nd 2.0.0\nd 3.0.0",
        "a c",
        "refused: a b c d",
    );
    check(
        "a package that needs itself at another version",
        "a 0.66.0: a =111.0.0\na 111.0.0",
        "a@0.66.0",
        "refused: a",
    );
    check(
        "double choices",
        "a 0.0.0: b *; c *\nb 0.0.0: d =0.0.0\nb 1.0.0: d =1.0.0\nc 0.0.0\nc 1.0.0: d =2.0.0\nd 0.0.0",
        "a",
        "a 0.0.0, b 0.0.0, c 0.0.0, d 0.0.0",
    );
    check(
        "the same dependency twice, once by way of another",
        "a 1.0.0: b >=1; c *\nc 1.0.0: b <2\nb 0.1.0\nb 1.5.0\nb 2.5.0",
        "a",
        "a 1.0.0, b 1.5.0, c 1.0.0",
    );
}
