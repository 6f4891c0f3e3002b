//! Cargo's resolver, where one version of each package is enough.

use super::{answer, check, shelf};

#[test]
fn what_a_solution_does_not_use_may_go() {
    let first =
        "a 1.0.0\na 1.1.0\nb 1.0.0: a *\nc 1.0.0\nc 1.1.0\nd 1.0.0: c =1.0\ne 1.0.0\ne 1.1.0: c 1.1
         f 1.0.0: to-yank *; d *\nf 1.1.0: d *\ng 1.0.0: b *; e *; f *";
    for index in [first.to_owned(), format!("{first}\nto-yank 1.0.0")] {
        let found = answer(&shelf(&index), &["g"], false);
        assert!(
            found.contains("f 1.1.0") && found.contains("e 1.0.0"),
            "{found}"
        );
    }
    let third = "to-yank 3.3.0\nto-yank 3.3.1\na 3.3.0: to-yank =3.0.3\na 3.3.2: to-yank <=3.3.0
         b 0.1.3: a =3.3.0\nb 2.0.2: to-yank 3.3.0; a *\nb 2.3.3: to-yank 3.3.0; a =3.3.0";
    check("without", third, "b", "a 3.3.2, b 2.0.2, to-yank 3.3.0");
    check(
        "with",
        &format!("{third}\nto-yank 3.0.3"),
        "b",
        "a 3.3.2, b 2.0.2, to-yank 3.3.0",
    );
}

#[test]
fn a_tight_sibling_sends_the_search_past_its_traps() {
    let mut index = "foo 1.0.0: bar 1.0; constrained =1.0.0
        bar 1.0.0: trap1 1.0.2; trap2 1.0.2; constrained 1.0.0
        constrained 1.0.0\ntrap1 1.0.0\ntrap2 1.0.0\n"
        .to_owned();
    for patch in 1..50 {
        index.extend([format!(
            "bar 1.0.{patch}: trap1 1.0.2; trap2 1.0.2; constrained 1.0.1
             trap1 1.0.{patch}\ntrap2 1.0.{patch}\nconstrained 1.0.{patch}\n"
        )]);
    }
    check(
        "traps",
        &index,
        "foo@1",
        "bar 1.0.0, constrained 1.0.0, foo 1.0.0, trap1 1.0.49, trap2 1.0.49",
    );
    let mut index = "foo 1.0.0: bar =1.0.0; trap1 1.0; trap2 1.0; constrained <=1.0.60
        bar 1.0.0: constrained >=1.0.60\n"
        .to_owned();
    for patch in 0..100 {
        index.extend([format!("constrained 1.0.{patch}\n")]);
        if patch < 45 {
            index.extend([format!("trap1 1.0.{patch}\ntrap2 1.0.{patch}\n")]);
        }
    }
    check(
        "meeting in one version",
        &index,
        "foo@1",
        "bar 1.0.0, constrained 1.0.60, foo 1.0.0, trap1 1.0.44, trap2 1.0.44",
    );
}

/// `depth` levels of `width` versions, each needing the next level at any version.
fn levels(name: &str, depth: usize, width: usize) -> String {
    let mut text = String::new();
    for level in 0..depth {
        for patch in 1..width {
            text.extend([format!(
                "{name}{level} 1.0.{patch}: {name}{} *\n",
                level + 1
            )]);
        }
    }
    text
}

#[test]
fn levels_of_versions_that_end_nowhere_are_refused_at_once() {
    let depth = 200;
    let mut index = levels("level", depth, 100);
    let found = answer(&shelf(&index), &["level0"], false);
    assert_eq!(found.split_whitespace().count(), depth + 2, "{found}");
    index.push_str("level0 1.0.0\n");
    assert_eq!(answer(&shelf(&index), &["level0"], false), "level0 1.0.0");
    index.push_str("constrained 1.1.0\nconstrained 1.0.0\nlevel200 1.0.0: constrained =1.0.0\n");
    let shelf = shelf(&index);
    let answers = |specs: &[&str]| answer(&shelf, specs, false);
    assert!(answers(&["level0@>=1.0.1", "constrained"]).contains("constrained 1.0.0"));
    assert!(answers(&["level0@^1.0.1", "constrained@^1.1.0"]).starts_with("refused: constrained"));
}

#[test]
fn deep_traps_beside_an_absent_package_take_no_part() {
    let mut index = levels("trap", 200, 100);
    for patch in 1..100 {
        index.extend([format!("trap200 1.0.{patch}\n")]);
    }
    for patch in 1..110 {
        index.extend([format!("cloaking 1.0.{patch}: bad 1.0.1\n")]);
    }
    assert_eq!(
        answer(&shelf(&index), &["trap0", "cloaking"], false),
        "refused: bad cloaking"
    );
}

#[test]
fn many_majors_that_each_fail_elsewhere_are_walked_through() {
    let mut index = "last 0.0.0: bad *\n".to_owned();
    let mut specs = vec!["last".to_owned()];
    let mut major = 0;
    for letter in 'a'..='t' {
        for (suffix, wanted, needed) in [("-sys", ">=0.0.1", "=0.0.0"), ("", ">=1.0.1", "=1.0.0")] {
            major += 1;
            index.extend([format!("last {major}.0.0: {letter}{suffix} {needed}\n")]);
            specs.push(format!("{letter}{suffix}@{wanted}"));
            for number in 0..=20 {
                let version = match suffix {
                    "" => format!("1.0.{number}"),
                    _ => format!("{number}.0.0"),
                };
                index.extend([format!("{letter}{suffix} {version}\n")]);
            }
        }
    }
    let specs: Vec<&str> = specs.iter().map(String::as_str).collect();
    let found = answer(&shelf(&index), &specs, false);
    assert!(
        found.starts_with("refused: a a-sys b b-sys bad c"),
        "{found}"
    );
}
