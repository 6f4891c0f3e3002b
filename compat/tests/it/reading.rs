//! Which index entries a search asks for: those that an answer depends on.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::time::Duration;

use provisioning_compat::{
    Budget, Index, Matrix, MemoryIndex, NoSolution, Solution, SolveStep, solve, solve_reading,
};

use crate::peers::shelf;
use crate::shelf::{asking, text_of};

/// Solves as a client does that fetches what it is told to; says what it fetched.
fn fetched(specs: &[&str], registry: &MemoryIndex) -> (Result<Solution, NoSolution>, String) {
    let mut index = MemoryIndex::new();
    let read = RefCell::new(BTreeSet::new());
    let budget = Budget {
        elapsed: &|| Duration::ZERO,
        search: Duration::from_secs(5),
        hints: Duration::from_secs(1),
    };
    for _ in 0..50 {
        let is_unread = |name: &provisioning_package::PackageName| !read.borrow().contains(name);
        match solve_reading(
            &asking(specs),
            &Matrix::default(),
            &index,
            &is_unread,
            &budget,
        ) {
            SolveStep::Done(answer) => {
                let read: Vec<String> = read.take().iter().map(ToString::to_string).collect();
                return (*answer, read.join(" "));
            }
            SolveStep::Read(names) => {
                for name in names {
                    if let Some(entry) = registry.entry(&name) {
                        index.insert(entry.clone());
                    }
                    assert!(read.borrow_mut().insert(name), "asked for twice");
                }
            }
        }
    }
    panic!("the search never ended");
}

#[test]
fn only_what_a_solution_may_need_is_read() {
    let registry = shelf(
        "a 1.0.0: old *\na 2.0.0: b *; c *\nb 1.0.0: d *\nc 1.0.0\nd 1.0.0\nold 1.0.0: older *
         other 1.0.0: b *",
    )
    .index();
    let (answer, read) = fetched(&["a"], &registry);
    assert_eq!(
        text_of(&answer.unwrap()),
        "a 2.0.0, b 1.0.0, c 1.0.0, d 1.0.0"
    );
    assert_eq!(read, "a b c d");
}

#[test]
fn an_older_version_is_read_about_once_the_newer_one_fails() {
    let registry = shelf("a 1.0.0: old *\na 2.0.0: gone *\nold 1.0.0").index();
    let (answer, read) = fetched(&["a"], &registry);
    assert_eq!(text_of(&answer.unwrap()), "a 1.0.0, old 1.0.0");
    assert_eq!(read, "a gone old");
}

#[test]
fn reading_piece_by_piece_comes_to_the_same_refusal() {
    let registry = shelf(
        "menu 1.0.0: dropdown ^2\nmenu 1.1.0: dropdown ^2\ndropdown 2.0.0: icons ^2
         icons 2.0.0: intl ^4\nintl 4.0.0\nintl 5.0.0\nother 1.0.0",
    )
    .index();
    let specs = ["menu", "intl@5"];
    let (piece_by_piece, read) = fetched(&specs, &registry);
    let at_once = solve(&asking(&specs), &Matrix::default(), &registry);
    assert_eq!(piece_by_piece.unwrap_err(), at_once.unwrap_err());
    assert_eq!(read, "dropdown icons intl menu");
}

#[test]
fn a_search_past_its_budget_is_given_up_with_a_clear_message() {
    // Twelve pigeons and eleven holes, each of which is one pigeon's: known to be hard.
    let mut index = String::new();
    let pigeons = 12;
    for hole in 1..pigeons {
        for pigeon in 0..pigeons {
            index.extend([format!("p{pigeon} {hole}.0.0: hole{hole} ={pigeon}.0.0\n")]);
            index.extend([format!("hole{hole} {pigeon}.0.0\n")]);
        }
    }
    let index = shelf(&index).index();
    let specs: Vec<String> = (0..pigeons).map(|it| format!("p{it}")).collect();
    let specs: Vec<&str> = specs.iter().map(String::as_str).collect();
    let looks = Cell::new(0_u32);
    let budget = Budget {
        elapsed: &|| {
            looks.set(looks.get() + 1);
            Duration::from_secs(u64::from(looks.get()))
        },
        search: Duration::ZERO,
        hints: Duration::ZERO,
    };
    let matrix = Matrix::default();
    let step = solve_reading(&asking(&specs), &matrix, &index, &|_| false, &budget);
    let SolveStep::Done(answer) = step else {
        panic!("nothing was unread");
    };
    let text = answer.unwrap_err().to_string();
    assert!(text.contains("took too long"), "{text}");
}
