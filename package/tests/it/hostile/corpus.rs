//! Archives that must be refused, each with the code that says why.

mod extensions;
mod headers;
mod links;
mod paths;

use super::raw::{Head, Tar, file};

/// A name, tar bytes, and the code of the refusal.
pub(crate) type Case = (String, Vec<u8>, &'static str);

/// Every case whose fault lies in the tar itself.
pub(crate) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    paths::paths(&mut cases);
    paths::same_names(&mut cases);
    links::symlinks(&mut cases);
    links::hard_links(&mut cases);
    headers::kinds_and_modes(&mut cases);
    headers::numbers(&mut cases);
    extensions::pax_headers(&mut cases);
    extensions::gnu_headers(&mut cases);
    extensions::ends(&mut cases);
    cases
}

fn one(cases: &mut Vec<Case>, name: &str, entry: Head, code: &'static str) {
    several(cases, name, vec![entry], code);
}

fn several(cases: &mut Vec<Case>, name: &str, entries: Vec<Head>, code: &'static str) {
    let honest = Tar::new().with(file("honest", "x"));
    let tar = entries.into_iter().fold(honest, Tar::with);
    cases.push((name.to_owned(), tar.end(), code));
}
