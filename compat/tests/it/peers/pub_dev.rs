//! Dart pub's version solver.

use super::{answer, check, shelf};
use crate::shelf::{asking, name, text_of};
use provisioning_compat::{Hold, Matrix, solve};
use provisioning_package::Version;

#[test]
fn plain_graphs_resolve_as_pub_resolves_them() {
    check(
        "a tree",
        "a 1.0.0: aa =1.0.0; ab =1.0.0\naa 1.0.0\nab 1.0.0\nb 1.0.0: ba =1.0.0; bb =1.0.0\nba 1.0.0\nbb 1.0.0",
        "a@1.0.0 b@1.0.0",
        "a 1.0.0, aa 1.0.0, ab 1.0.0, b 1.0.0, ba 1.0.0, bb 1.0.0",
    );
    check(
        "two bounds that overlap",
        "a 1.0.0: shared >=2.0.0, <4.0.0\nb 1.0.0: shared >=3.0.0, <5.0.0
         shared 2.0.0\nshared 3.0.0\nshared 3.6.9\nshared 4.0.0\nshared 5.0.0",
        "a@1.0.0 b@1.0.0",
        "a 1.0.0, b 1.0.0, shared 3.6.9",
    );
    check(
        "a bound changes what the bounded one needs",
        "foo 1.0.0\nfoo 1.0.1: bang =1.0.0\nfoo 1.0.2: whoop =1.0.0\nfoo 1.0.3: zoop =1.0.0
         bar 1.0.0: foo <=1.0.1\nbang 1.0.0\nwhoop 1.0.0\nzoop 1.0.0",
        "foo@<=1.0.2 bar@1.0.0",
        "bang 1.0.0, bar 1.0.0, foo 1.0.1",
    );
    check(
        "a circle",
        "foo 1.0.0: bar =1.0.0\nbar 1.0.0: foo =1.0.0",
        "foo@1.0.0",
        "bar 1.0.0, foo 1.0.0",
    );
    check(
        "a need that goes away with the version that had it",
        "foo 1.0.0\nfoo 2.0.0\nbar 1.0.0\nbar 2.0.0: baz =1.0.0\nbaz 1.0.0: foo =2.0.0",
        "foo@1.0.0 bar",
        "bar 1.0.0, foo 1.0.0",
    );
}

#[test]
fn requests_without_a_solution_name_what_pub_names() {
    check(
        "nothing matches",
        "foo 2.0.0\nfoo 2.1.3",
        "foo@>=1.0.0,<2.0.0",
        "refused: foo",
    );
    check(
        "nothing matches two bounds at once",
        "foo 1.0.0: shared >=2.0.0, <3.0.0\nbar 1.0.0: shared >=2.9.0, <4.0.0\nshared 2.5.0\nshared 3.5.0",
        "foo@1.0.0 bar@1.0.0",
        "refused: bar foo shared",
    );
    check(
        "bounds that exclude each other",
        "foo 1.0.0: shared <=2.0.0\nbar 1.0.0: shared >3.0.0\nshared 2.0.0\nshared 4.0.0",
        "foo@1.0.0 bar@1.0.0",
        "refused: bar foo shared",
    );
    check(
        "each excludes the other's only friend",
        "a 1.0.0: b =1.0.0\na 2.0.0: b =2.0.0\nb 1.0.0: a =2.0.0\nb 2.0.0: a =1.0.0",
        "a b",
        "refused: a b",
    );
    check(
        "one that matches and one that does not",
        "a 1.0.0\nb 1.0.0",
        "a b@>1.0.0",
        "refused: b",
    );
    check(
        "a need that no version of the needed one meets",
        "analyzer 0.12.2
         angular 0.10.0: di >=0.0.32, <0.1.0; collection >=0.9.1, <1.0.0
         angular 0.9.11: di >=0.0.32, <0.1.0; collection >=0.9.1, <1.0.0
         angular 0.9.10: di >=0.0.32, <0.1.0; collection >=0.9.1, <1.0.0
         collection 0.9.0\ncollection 0.9.1
         di 0.0.37: analyzer >=0.13.0, <0.14.0\ndi 0.0.36: analyzer >=0.13.0, <0.14.0",
        "angular collection",
        "refused: analyzer angular di",
    );
    check(
        "branches of one package that fail for different reasons",
        "foo 1.0.0: a ^1.0.0; b ^1.0.0\nfoo 1.1.0: x ^1.0.0; y ^1.0.0
         a 1.0.0: b ^2.0.0\nb 1.0.0\nb 2.0.0\nx 1.0.0: y ^2.0.0\ny 1.0.0\ny 2.0.0",
        "foo@^1.0.0",
        "refused: a b foo x y",
    );
    check(
        "once an endless search",
        "a 0.12.0\nb 0.1.0: c =2.0.0\nb 0.9.0-1: c ^1.6.0\nb 0.10.0: a =1.0.0\nb 0.17.0: a =1.0.0\nc 2.0.1",
        "a@0.12.0 b",
        "refused: a b c",
    );
}

#[test]
fn the_search_backs_out_to_where_pub_backs_out_to() {
    check(
        "a circle that closes on an older version",
        "a 1.0.0\na 2.0.0: b =1.0.0\nb 1.0.0: a =1.0.0",
        "a@>=1.0.0",
        "a 1.0.0",
    );
    check(
        "a diamond",
        "a 2.0.0: c ^1.0.0\na 1.0.0\nb 2.0.0: c ^3.0.0\nb 1.0.0: c ^2.0.0\nc 3.0.0\nc 2.0.0\nc 1.0.0",
        "a b",
        "a 1.0.0, b 2.0.0, c 3.0.0",
    );
    check(
        "a conflict that two packages make together",
        "a 1.0.0: x >=1.0.0\nb 1.0.0: x <2.0.0\nc 1.0.0\nc 2.0.0: a *; b *
         x 0.0.0\nx 1.0.0: y =1.0.0\nx 2.0.0\ny 1.0.0\ny 2.0.0",
        "c y@^2.0.0",
        "c 1.0.0, y 2.0.0",
    );
    check(
        "leaves give way first",
        "a 1.0.0: b *\na 2.0.0: b *; c =2.0.0\nb 1.0.0\nb 2.0.0: c =1.0.0\nc 1.0.0\nc 2.0.0",
        "a",
        "a 2.0.0, b 1.0.0, c 2.0.0",
    );
    check(
        "both walk down until the third has a version",
        "foo 1.0.0: bar =1.0.0\nfoo 2.0.0: bar =2.0.0\nfoo 3.0.0: bar =3.0.0
         bar 1.0.0: baz *\nbar 2.0.0: baz =2.0.0\nbar 3.0.0: baz =3.0.0\nbaz 1.0.0",
        "foo",
        "bar 1.0.0, baz 1.0.0, foo 1.0.0",
    );
    check(
        "over what has no part in it",
        "a 1.0.0: c =1.0.0\na 2.0.0: c =2.0.0-nonexistent\nb 1.0.0\nb 2.0.0\nb 3.0.0\nc 1.0.0",
        "a b",
        "a 1.0.0, b 3.0.0, c 1.0.0",
    );
    check(
        "the one with fewer versions is decided first",
        "a 1.0.0: c *\na 2.0.0: c *\na 3.0.0: c *\na 4.0.0: c *\na 5.0.0: c =1.0.0
         b 1.0.0: c *\nb 2.0.0: c *\nb 3.0.0: c *\nb 4.0.0: c =2.0.0\nc 1.0.0\nc 2.0.0",
        "a b",
        "a 4.0.0, b 4.0.0, c 2.0.0",
    );
    check(
        "past a package whose bounds exclude each other",
        "a 1.0.0: foo *\na 2.0.0: foo <1.0.0\nfoo 2.0.0\nfoo 2.0.1\nfoo 2.0.2\nfoo 2.0.3\nfoo 2.0.4",
        "a foo@>2.0.0",
        "a 1.0.0, foo 2.0.4",
    );
    check(
        "to a less strict bound",
        "a 2.0.0\na 1.0.0\nb 1.0.0: a =1.0.0\nc 1.0.0: b *\nd 2.0.0\nd 1.0.0: a <1.0.0",
        "a c d",
        "a 1.0.0, b 1.0.0, c 1.0.0, d 2.0.0",
    );
}

#[test]
fn a_hundred_versions_of_two_packages_meet_at_the_only_third() {
    let mut index = "baz 0.0.0\n".to_owned();
    for major in 0..10 {
        for minor in 0..10 {
            index.extend([format!("foo {major}.{minor}.0: baz ={major}.0.0\n")]);
            index.extend([format!("bar {major}.{minor}.0: baz =0.{minor}.0\n")]);
        }
    }
    check(
        "a hundred each",
        &index,
        "foo bar",
        "bar 9.0.0, baz 0.0.0, foo 0.9.0",
    );
}

#[test]
fn pre_releases_are_taken_where_pub_and_cargo_agree() {
    check(
        "stable before newer pre-releases",
        "a 1.0.0\na 1.1.0-dev\na 2.0.0-dev\na 3.0.0-dev",
        "a",
        "a 1.0.0",
    );
    check(
        "below a release is not its pre-release",
        "a 1.0.0\na 1.1.0\na 2.0.0-dev\na 2.0.0",
        "a@<2.0.0",
        "a 1.1.0",
    );
    check(
        "where it is named",
        "a 1.0.0\na 1.1.0-dev",
        "a@^1.1.0-dev",
        "a 1.1.0-dev",
    );
    check(
        "the release that it leads to is newer",
        "a 1.0.0\na 1.1.0-dev\na 1.1.0",
        "a@^1.1.0-dev",
        "a 1.1.0",
    );
    check(
        "where a stable release names it",
        "a 1.0.0: b ^1.0.0\na 1.1.0: b ^1.1.0-dev\nb 1.0.0\nb 1.1.0-dev",
        "a@^1.0.0",
        "a 1.1.0, b 1.1.0-dev",
    );
    check(
        "not against a bound of the request",
        "a 1.0.0: b ^1.0.0\na 1.1.0: b ^1.1.0-dev\nb 1.0.0\nb 1.1.0-dev",
        "a@^1.0.0 b@^1.0.0",
        "a 1.0.0, b 1.0.0",
    );
    // Cargo's syntax differs from pub's here: nothing names a pre-release of 1.9.
    check(
        "only pre-releases below, and none named",
        "a 1.0.0-dev\na 1.1.0-dev\na 1.9.0-dev\na 3.0.0",
        "a@<2.0.0",
        "refused: a",
    );
    check(
        "a newer version that needs what is not there",
        "a 1.1.0: b ^1.0.0\nb 1.0.0: c ^1.0.0\nc 0.9.0\nb 1.1.0-alpha\na 1.0.0: b ^1.1.0-alpha",
        "a@^1.0.0",
        "a 1.0.0, b 1.1.0-alpha",
    );
}

#[test]
fn downgrading_takes_the_oldest_that_fits() {
    let index = "foo 1.0.0\nfoo 2.0.0-dev\nfoo 2.0.0\nfoo 2.1.0";
    assert_eq!(
        answer(&shelf(index), &["foo@>=2.0.0,<3.0.0"], true),
        "foo 2.0.0"
    );
    let index = "a 1.0.0\na 2.0.0-dev.1\na 2.0.0-dev.2\na 2.0.0-dev.3";
    assert_eq!(
        answer(&shelf(index), &["a@>=2.0.0-dev.1,<3.0.0"], true),
        "a 2.0.0-dev.1"
    );
}

#[test]
fn what_is_locked_stays_as_pub_keeps_it() {
    let steps = "foo 1.0.0: bar =1.0.0\nfoo 1.0.1: bar =1.0.1\nfoo 1.0.2: bar =1.0.2
                 bar 1.0.0\nbar 1.0.1\nbar 1.0.2\nbaz 1.0.0";
    let locked = |index: &str, locked: &[(&str, &str)], specs: &[&str]| {
        let mut request = asking(specs);
        request.hold = Hold::Held;
        for (package, version) in locked {
            let version = Version::parse(version).unwrap();
            request.installed.insert(name(package), version);
        }
        let solution = solve(&request, &Matrix::default(), &shelf(index).index());
        text_of(&solution.unwrap())
    };
    let both = [("foo", "1.0.1"), ("bar", "1.0.1")];
    assert_eq!(locked(steps, &both, &["foo"]), "bar 1.0.1, foo 1.0.1");
    assert_eq!(
        locked(steps, &both, &["foo@>1.0.1"]),
        "bar 1.0.2, foo 1.0.2"
    );
    assert_eq!(
        locked(steps, &[("baz", "1.0.0")], &["foo"]),
        "bar 1.0.2, foo 1.0.2"
    );
    let ladder = "foo 1.0.0: bar <2.0.0\nbar 1.0.0: baz <2.0.0\nbaz 1.0.0: qux <2.0.0\nqux 1.0.0
                  foo 2.0.0: bar <3.0.0\nbar 2.0.0: baz <3.0.0\nbaz 2.0.0: qux <3.0.0\nqux 2.0.0
                  newdep 2.0.0: baz >=1.5.0";
    let first = ["foo", "bar", "baz", "qux"].map(|it| (it, "1.0.0"));
    assert_eq!(
        locked(ladder, &first, &["foo", "newdep@2.0.0"]),
        "bar 2.0.0, baz 2.0.0, foo 2.0.0, newdep 2.0.0, qux 1.0.0"
    );
}
