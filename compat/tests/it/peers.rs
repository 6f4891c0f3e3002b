//! Cases that other package managers published, in our words and in Cargo's syntax.
//!
//! Each is one text: a line for each version with what it needs, the specs, and either the
//! whole solution or, for a refusal, every package that takes part in it and no other.

mod cargo;
mod packse;
mod pub_dev;
mod pubgrub;

use std::collections::BTreeSet;

use provisioning_compat::{Matrix, solve};

use crate::shelf::{Item, Shelf, asking, text_of};

/// Reads an index: `a 1.0.0: b ^1, c >=1 <2`, `a 1.1.0 yanked`, one version a line.
pub(crate) fn shelf(text: &str) -> Shelf {
    let mut shelf = Shelf::default();
    for line in text.lines().map(str::trim).filter(|it| !it.is_empty()) {
        let (version, needs) = line.split_once(':').unwrap_or((line, ""));
        let (version, is_yanked) = match version.strip_suffix(" yanked") {
            Some(version) => (version, true),
            None => (version, false),
        };
        let mut item = Item::of(version);
        if is_yanked {
            item = item.yanked("broken");
        }
        for need in needs.split(';').map(str::trim).filter(|it| !it.is_empty()) {
            item = match need.strip_suffix(" optional") {
                Some(need) => item.works_with(need),
                None => item.needs(need),
            };
        }
        shelf.add(item);
    }
    shelf
}

/// `a 1.0.0, b 2.0.0` where it resolves, `refused: a b` where it does not.
pub(crate) fn answer(shelf: &Shelf, specs: &[&str], minimal: bool) -> String {
    let mut request = asking(specs);
    request.minimal = minimal;
    match solve(&request, &Matrix::default(), &shelf.index()) {
        Ok(solution) => text_of(&solution),
        Err(refusal) => {
            let mut parts: BTreeSet<String> = BTreeSet::new();
            for cause in &refusal.causes {
                let named = cause.package.iter().chain(&cause.on);
                parts.extend(named.map(ToString::to_string));
            }
            let text = refusal.to_string();
            assert!(text.ends_with("nothing was changed"), "{text}");
            for part in &parts {
                assert!(text.contains(part.as_str()), "{part} is not named:\n{text}");
            }
            format!(
                "refused: {}",
                parts.into_iter().collect::<Vec<_>>().join(" ")
            )
        }
    }
}

/// Holds one case to its answer, whatever the order of specs, packages and versions.
#[track_caller]
pub(crate) fn check(title: &str, index: &str, specs: &str, expected: &str) {
    let shelf = shelf(index);
    let specs: Vec<&str> = specs.split_whitespace().collect();
    let backwards: Vec<&str> = specs.iter().rev().copied().collect();
    assert_eq!(answer(&shelf, &specs, false), expected, "{title}");
    assert_eq!(
        answer(&shelf.reversed(), &backwards, false),
        expected,
        "{title}, turned round"
    );
}
