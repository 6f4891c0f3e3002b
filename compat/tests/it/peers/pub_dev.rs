//! Dart pub's version solver.

use super::{check, shelf};
use crate::shelf::{asking, name, text_of};
use provisioning_compat::{Hold, Matrix, solve};
use provisioning_package::Version;

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
