//! Graphs that are deep or hard: no stack overflows, no search without end.

use std::cell::Cell;
use std::thread;

use provisioning_compat::{Matrix, NoSolutionKind, solve, solve_until};

use crate::shelf::{Item, Shelf, asking};

const DEPTH: usize = 20_000;
const STACK_BYTES: usize = 2 * 1024 * 1024;

#[test]
fn a_chain_of_20_000_requirements_neither_solved_nor_refused_overflows_the_stack() {
    let chain = || {
        let links = (0..DEPTH)
            .map(|it| Item::of(&format!("p{it} 1.0.0")).needs(&format!("p{} ^1", it + 1)));
        let broken = Shelf::of_new(links);
        let index = broken.index();
        let refusal = solve(&asking(&["p0"]), &Matrix::default(), &index).unwrap_err();
        assert_eq!(refusal.kind, NoSolutionKind::Missing);
        assert_eq!(refusal.causes.len(), DEPTH + 2);
        let mut whole = broken;
        whole.push_new(Item::of(&format!("p{DEPTH} 1.0.0")));
        let solution = solve(&asking(&["p0"]), &Matrix::default(), &whole.index()).unwrap();
        assert_eq!(solution.packages.len(), DEPTH + 1);
    };
    let small = thread::Builder::new().stack_size(STACK_BYTES);
    small.spawn(chain).unwrap().join().unwrap();
}

#[test]
fn pigeons_that_outnumber_their_holes_are_refused_without_trying_every_seat() {
    // Six packages, five versions each, no two at the same number.
    let mut shelf = Shelf::default();
    for pigeon in 0..6 {
        for hole in 0..5 {
            let mut item = Item::of(&format!("p{pigeon} 1.{hole}.0"));
            for other in (0..6).filter(|it| *it != pigeon) {
                item = item
                    .needs(&format!("h{hole} ={pigeon}.0.0"))
                    .needs(&format!("p{other} *"));
            }
            shelf.add(item);
            shelf.add(Item::of(&format!("h{hole} {pigeon}.0.0")));
        }
    }
    let specs: Vec<String> = (0..6).map(|it| format!("p{it}")).collect();
    let specs: Vec<&str> = specs.iter().map(String::as_str).collect();
    let refusal = solve(&asking(&specs), &Matrix::default(), &shelf.index()).unwrap_err();
    assert_eq!(refusal.kind, NoSolutionKind::Conflict);
}

#[test]
fn a_search_ends_when_the_caller_says_so() {
    let links =
        (0..500).map(|it| Item::of(&format!("p{it} 1.0.0")).needs(&format!("p{} ^1", it + 1)));
    let shelf = Shelf::of(links);
    let asked = Cell::new(0);
    let deadline = || {
        asked.set(asked.get() + 1);
        true
    };
    let refusal = solve_until(
        &asking(&["p0"]),
        &Matrix::default(),
        &shelf.index(),
        &deadline,
    );
    insta::assert_snapshot!(refusal.unwrap_err(), @r"
    the search for versions that fit took too long and was given up
    help: name exact versions of what matters, as in `provisioning install core@3.2.1`: that leaves less to search
    nothing was changed
    ");
    assert_eq!(asked.get(), 1);
}
