//! uv's scenarios (packse), those without forks and wheels.

use super::check;

#[test]
fn what_does_not_exist_is_refused() {
    check("a package", "", "a", "refused: a");
    check("a needed package", "a 1.0.0: b *", "a", "refused: a b");
    check(
        "a package needed by a needed one",
        "a 1.0.0: b *\nb 1.0.0: c *",
        "a",
        "refused: a b c",
    );
    check("an exact version", "a 1.0.0", "a@2.0.0", "refused: a");
    check(
        "a needed exact version",
        "a 1.0.0: b =2.0.0\nb 1.0.0",
        "a",
        "refused: a b",
    );
    check(
        "a greater version",
        "a 0.1.0\na 1.0.0",
        "a@>1.0.0",
        "refused: a",
    );
    check(
        "a needed greater version",
        "a 1.0.0: b >1.0.0\nb 0.1.0\nb 1.0.0",
        "a",
        "refused: a b",
    );
    check(
        "a smaller version",
        "a 2.0.0\na 3.0.0\na 4.0.0",
        "a@<2.0.0",
        "refused: a",
    );
    check(
        "a needed smaller version",
        "a 1.0.0: b <2.0.0\nb 2.0.0\nb 3.0.0\nb 4.0.0",
        "a",
        "refused: a b",
    );
    check(
        "an older version needs nothing",
        "a 1.0.0\na 2.0.0: gone *",
        "a",
        "a 1.0.0",
    );
}

#[test]
fn versions_that_exclude_each_other_are_refused() {
    check(
        "both asked for",
        "a 1.0.0\na 2.0.0",
        "a@1.0.0 a@2.0.0",
        "refused: a",
    );
    check(
        "asked for and needed",
        "a 1.0.0: b =2.0.0\nb 1.0.0\nb 2.0.0",
        "a b@1.0.0",
        "refused: a b",
    );
    check(
        "needed twice",
        "a 1.0.0: c =1.0.0\nb 1.0.0: c =2.0.0\nc 1.0.0\nc 2.0.0",
        "a b",
        "refused: a b c",
    );
}

#[test]
fn excluded_ranges_are_named_with_what_else_is_in_the_way() {
    // `!=2.0.0` cannot be said in Cargo's syntax; a range that leaves it out can.
    check("the only one", "a 1.0.0", "a@>1.0.0", "refused: a");
    check(
        "the only compatible one",
        "a 1.0.0: b =1.0.0\na 2.0.0: b =2.0.0\na 3.0.0: b =3.0.0\nb 1.0.0\nb 2.0.0\nb 3.0.0",
        "a@<2.0.0 b@>=2.0.0,<3.0.0",
        "refused: a b",
    );
    let versions = "a 1.0.0: b =1.0.0\na 2.0.0: b =2.0.0\na 2.1.0: b =2.0.0{d}\na 2.2.0: b =2.0.0
        a 2.3.0: b =2.0.0{d}\na 3.0.0: b =3.0.0\nb 1.0.0\nb 2.0.0\nb 3.0.0\nc 1.0.0: a <2.0.0\nc 2.0.0: a >=3.0.0";
    check(
        "a range in the middle",
        &versions.replace("{d}", ""),
        "a b@>=2.0.0,<3.0.0 c",
        "refused: a b c",
    );
    check(
        "a range with holes",
        &versions.replace("{d}", "; d *"),
        "a b@>=2.0.0,<3.0.0 c",
        "refused: a b c",
    );
}

#[test]
fn pre_releases_follow_cargos_rule() {
    check("only pre-releases", "a 1.0.0-alpha.1", "a", "refused: a");
    check(
        "named by its bound",
        "a 1.0.0-beta.1",
        "a@>=1.0.0-beta.1,<2.0.0",
        "a 1.0.0-beta.1",
    );
    check(
        "the newest of one release",
        "a 1.0.0-beta.1\na 1.0.0-beta.2",
        "a@>=1.0.0-beta.1,<3.0.0",
        "a 1.0.0-beta.2",
    );
    // Cargo lets in pre-releases of the very release that is named, uv of any.
    check(
        "not that of another release",
        "a 1.0.0-beta.1\na 2.0.0-beta.1",
        "a@>=1.0.0-beta.1,<3.0.0",
        "a 1.0.0-beta.1",
    );
    check(
        "a newer one that nothing names",
        "a 1.0.0\na 2.0.0-beta.1",
        "a",
        "a 1.0.0",
    );
    check(
        "a range that only one is in",
        "a 0.1.0\na 1.0.0-alpha.1",
        "a@>0.1.0",
        "refused: a",
    );
    check(
        "named by a need",
        "a 1.0.0: b =1.0.0-beta.1\nb 1.0.0-beta.1",
        "a",
        "a 1.0.0, b 1.0.0-beta.1",
    );
    check(
        "named by one need and not by the other",
        "a 1.0.0: c =2.0.0-beta.1\nb 1.0.0: c >=1.0.0, <=3.0.0\nc 1.0.0\nc 2.0.0-beta.1",
        "a b",
        "refused: a b c",
    );
    check(
        "below an exclusive bound",
        "a 0.1.0\na 0.2.0\na 0.3.0\na 1.0.0-rc.1",
        "a@>=0.1.0,<1.0.0",
        "a 0.3.0",
    );
    check(
        "final and pre-release in one bound",
        "a 1.0.0\na 1.1.0-rc.1",
        "a@>=1.0.0-alpha",
        "a 1.0.0",
    );
}

#[test]
fn yanked_versions_are_left_alone_unless_pinned() {
    // uv takes a yanked version when there is no other; here only a pin does.
    check("nothing else", "a 1.0.0 yanked", "a", "refused: a");
    check(
        "nothing else in range",
        "a 0.1.0\na 1.0.0 yanked",
        "a@>0.1.0",
        "refused: a",
    );
    check(
        "an older one is whole",
        "a 0.1.0\na 1.0.0 yanked",
        "a",
        "a 0.1.0",
    );
    check(
        "the newest whole one",
        "a 0.1.0\na 0.2.0 yanked\na 0.3.0\na 1.0.0 yanked",
        "a@>=0.1.0",
        "a 0.3.0",
    );
    check(
        "a need",
        "a 0.1.0: b >0.1\nb 0.1.0\nb 1.0.0 yanked",
        "a",
        "refused: a b",
    );
    check(
        "a need that the request pins",
        "a 0.1.0: b >0.1\nb 0.1.0\nb 1.0.0 yanked",
        "a b@1.0.0",
        "a 0.1.0, b 1.0.0",
    );
    let two = "a 1.0.0: c =2.0.0\nb 1.0.0: c >=1.0.0, <=3.0.0\nc 1.0.0\nc 2.0.0 yanked";
    check("an exact need is no pin", two, "a b", "refused: a c");
    check(
        "with a pin",
        two,
        "a b c@2.0.0",
        "a 1.0.0, b 1.0.0, c 2.0.0",
    );
}

#[test]
fn the_example_scenarios_backtrack_as_uv_does() {
    check(
        "to an older version whose need exists",
        "a 1.0.0\na 2.0.0: b >2.0.0\na 3.0.0: b >3.0.0\nb 1.0.0\nb 2.0.0",
        "a",
        "a 1.0.0",
    );
    check(
        "optional ones bound and bring nothing",
        "a 1.0.0: b <2.0.0 optional\nb 1.0.0\nb 2.0.0",
        "a",
        "a 1.0.0",
    );
}
