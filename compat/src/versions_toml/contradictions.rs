//! Rows that cannot hold, found without looking at the registry.
//!
//! Two bounds of one row that exclude each other are an error. So are two rows of which one
//! ties the other's version exactly and the other refuses it. A row whose every listed
//! partner refuses it is a warning alone, since an unlisted partner may still fit.

use provisioning_package::{PackageName, Version, VersionReq};

use super::Note;
use crate::matrix::{Bound, BoundOn, Matrix, Row};
use crate::requirement::{exact_version, is_satisfiable};

pub(super) fn find(matrix: &Matrix, errors: &mut Vec<Note>, warnings: &mut Vec<Note>) {
    for (name, version, row) in matrix.rows() {
        within_row(name, version, row, errors);
        between_rows(matrix, (name, version, row), errors, warnings);
    }
}

fn within_row(name: &PackageName, version: &Version, row: &Row, errors: &mut Vec<Note>) {
    for (index, bound) in row.bounds.iter().enumerate() {
        let earlier = row.bounds[..index]
            .iter()
            .find(|it| it.on == bound.on && !is_satisfiable(&[&it.req, &bound.req]));
        if let Some(earlier) = earlier {
            let message = format!(
                "the row of {name} {version} contradicts itself: no version meets both \
                 `{} = \"{}\"` and `{} = \"{}\"`",
                earlier.key, earlier.req, bound.key, bound.req
            );
            errors.push(note(row, bound, message));
        }
    }
}

fn between_rows(
    matrix: &Matrix,
    (name, version, row): (&PackageName, &Version, &Row),
    errors: &mut Vec<Note>,
    warnings: &mut Vec<Note>,
) {
    for bound in &row.bounds {
        let BoundOn::Package(partner) = &bound.on else {
            continue;
        };
        if let Some(only) = exact_version(&bound.req) {
            if let Some((line, refusal)) = refuses(matrix, partner, &only, name, version) {
                let message = format!(
                    "the row of {name} {version} wants {partner} {only}, but the row of {partner} \
                     {only} (line {line}) wants {name} `{refusal}`"
                );
                errors.push(note(row, bound, message));
            }
            continue;
        }
        let mut listed = matrix
            .rows()
            .filter(|(other, it, _)| *other == partner && bound.req.matches(it))
            .peekable();
        if listed.peek().is_some()
            && listed.all(|(_, it, _)| refuses(matrix, partner, it, name, version).is_some())
        {
            let message = format!(
                "the row of {name} {version} wants {partner} `{}`, but every listed {partner} of \
                 these wants another {name}",
                bound.req
            );
            warnings.push(note(row, bound, message));
        }
    }
}

/// The bound (and its line) by which the row of `owner` at `at` keeps `name` at `version` out.
fn refuses<'m>(
    matrix: &'m Matrix,
    owner: &PackageName,
    at: &Version,
    name: &PackageName,
    version: &Version,
) -> Option<(usize, &'m VersionReq)> {
    matrix
        .row(owner, at)?
        .bounds
        .iter()
        .find(|it| it.on == BoundOn::Package(name.clone()) && !it.req.matches(version))
        .map(|it| (it.line, &it.req))
}

fn note(row: &Row, bound: &Bound, message: String) -> Note {
    Note {
        file: row.file,
        line: bound.line,
        column: bound.column,
        message,
    }
}
