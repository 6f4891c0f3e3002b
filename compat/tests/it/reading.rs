//! Which index entries a search asks for: those that an answer depends on.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

use provisioning_compat::{
    Budget, Index, Matrix, MemoryIndex, NoSolution, Request, Solution, Surveyed, VersionsToml,
    solve, solve_within,
};
use provisioning_package::PackageName;

use crate::peers::shelf;
use crate::shelf::{asking, text_of};

/// An index that notes what it is asked for.
struct Noting {
    inner: MemoryIndex,
    asked: RefCell<BTreeSet<String>>,
}

impl Index for Noting {
    fn surveyed(&self, name: &PackageName) -> Option<Surveyed<'_>> {
        self.asked.borrow_mut().insert(name.to_string());
        self.inner.surveyed(name)
    }

    fn number(&self, name: &PackageName) -> Option<u32> {
        self.inner.number(name)
    }

    fn names(&self) -> Vec<PackageName> {
        self.inner.names()
    }
}

/// Solves, and says what was read for it.
fn read_for(
    request: &Request,
    matrix: &Matrix,
    registry: MemoryIndex,
) -> (Result<Solution, NoSolution>, String) {
    let index = Noting {
        inner: registry,
        asked: RefCell::default(),
    };
    let answer = solve(request, matrix, &index);
    let asked: Vec<String> = index.asked.take().into_iter().collect();
    (answer, asked.join(" "))
}

#[test]
fn only_what_a_solution_may_need_is_read() {
    let registry = shelf(
        "a 1.0.0: old *\na 2.0.0: b *; c *\nb 1.0.0: d *\nc 1.0.0\nd 1.0.0\nold 1.0.0: older *
         other 1.0.0: b *",
    );
    let matrix = Matrix::default();
    let (answer, read) = read_for(&asking(&["a"]), &matrix, registry.index());
    assert_eq!(
        text_of(&answer.unwrap()),
        "a 2.0.0, b 1.0.0, c 1.0.0, d 1.0.0"
    );
    assert_eq!(read, "a b c d");
}

#[test]
fn an_older_version_is_read_about_once_the_newer_one_fails() {
    let registry = shelf("a 1.0.0: old *\na 2.0.0: gone *\nold 1.0.0").index();
    let (answer, read) = read_for(&asking(&["a"]), &Matrix::default(), registry);
    assert_eq!(text_of(&answer.unwrap()), "a 1.0.0, old 1.0.0");
    assert_eq!(read, "a gone old");
}

#[test]
fn what_a_row_bounds_is_read_about_once_something_brings_it() {
    let text = "[compatibility.core]\n\"1.0.0\" = { platform = \"^1\", extra = \"^1\" }\n";
    let matrix = VersionsToml::parse(text, None).unwrap().matrix;
    let shelf = shelf(
        "core 1.0.0\na 1.0.0: b *\nb 1.0.0: platform *\nplatform 1.0.0\nplatform 2.0.0
         extra 1.0.0",
    );
    let (answer, read) = read_for(&asking(&["core"]), &matrix, shelf.index());
    assert_eq!(text_of(&answer.unwrap()), "core 1.0.0");
    assert_eq!(read, "core");
    let (answer, read) = read_for(&asking(&["core", "a"]), &matrix, shelf.index());
    assert_eq!(
        text_of(&answer.unwrap()),
        "a 1.0.0, b 1.0.0, core 1.0.0, platform 1.0.0"
    );
    assert_eq!(read, "a b core platform");
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
    let looks = std::cell::Cell::new(0_u32);
    let budget = Budget {
        elapsed: &|| {
            looks.set(looks.get() + 1);
            Duration::from_secs(u64::from(looks.get()))
        },
        search: Duration::ZERO,
        hints: Duration::ZERO,
    };
    let refusal = solve_within(&asking(&specs), &Matrix::default(), &index, &budget);
    let text = refusal.unwrap_err().to_string();
    assert!(text.contains("took too long"), "{text}");
}
