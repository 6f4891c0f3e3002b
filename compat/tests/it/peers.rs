//! Cases that other package managers published, in our words and in Cargo's syntax.
//!
//! Each is one text (`cases` says how it is written): a line for each version with what it
//! needs, the specs, and either the whole solution or, for a refusal, every package that
//! takes part in it and no other. The texts are in `tests/cases`; the client's tests run the
//! same ones through the command, on a signed registry folder.

mod cargo;
pub(crate) mod cases;
mod pub_dev;

use std::collections::BTreeSet;

use provisioning_compat::{Matrix, Request, solve};

use crate::shelf::{Item, Shelf, asking, text_of};

/// Reads an index: one version a line.
pub(crate) fn shelf(text: &str) -> Shelf {
    let lines = text.lines().map(str::trim).filter(|it| !it.is_empty());
    shelf_of(lines.map(cases::read_version))
}

fn shelf_of(versions: impl IntoIterator<Item = cases::CaseVersion>) -> Shelf {
    let mut shelf = Shelf::default();
    for version in versions {
        let mut item = Item::of(&format!("{} {}", version.package, version.version));
        if version.is_yanked {
            item = item.yanked("broken");
        }
        for need in version.needs {
            let text = format!("{} {}", need.package, need.req);
            item = if need.is_optional {
                item.works_with(&text)
            } else {
                item.needs(&text)
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
    answer_to(&request, shelf)
}

fn answer_to(request: &Request, shelf: &Shelf) -> String {
    match solve(request, &Matrix::default(), &shelf.index()) {
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

#[test]
fn every_published_case_has_its_published_answer_in_any_order() {
    let mut count = 0;
    let mut wrong = Vec::new();
    for (suite, text) in cases::SUITES {
        for case in cases::read(text) {
            let shelf = shelf_of(case.versions.clone());
            let title = format!("{suite}: {}", case.title);
            let mut specs: Vec<&str> = case.specs.iter().map(String::as_str).collect();
            for (shelf, order) in [(shelf.clone(), "as written"), (shelf.reversed(), "turned")] {
                let mut request = asking(&specs);
                request.minimal = case.is_minimal;
                request.pre = case.lets_pre_releases_in;
                let answer = answer_to(&request, &shelf);
                if answer != case.expected {
                    wrong.push(format!("{title}, {order}: {answer}, not {}", case.expected));
                }
                specs.reverse();
            }
            count += 1;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= 150, "only {count} cases");
}
