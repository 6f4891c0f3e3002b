//! Rows that the packages' own requirements, or the rows of the other side, make void: the
//! row's versions exist, and none of them goes with the version that the row is about.

use provisioning_package::{PackageName, Version, VersionReq};
use provisioning_registry_api::index::IndexVersion;

use crate::index::Index;
use crate::matrix::{Bound, BoundOn, Matrix, Row};
use crate::versions_toml::Note;

/// Every bound of `row` that no version can meet although some version has the right number.
pub(super) fn void_bounds(
    matrix: &Matrix,
    (name, version, row): (&PackageName, &Version, &Row),
    index: &dyn Index,
) -> Vec<Note> {
    let owner = index.entry(name).and_then(|it| it.version(version));
    let mut found = Vec::new();
    for bound in &row.bounds {
        let BoundOn::Package(other) = &bound.on else {
            continue;
        };
        let versions = index.entry(other).map_or(&[][..], |it| &it.versions);
        let meeting: Vec<&IndexVersion> = versions
            .iter()
            .filter(|it| bound.req.matches(&it.version))
            .collect();
        let objections: Vec<String> = meeting
            .iter()
            .filter_map(|it| objection(matrix, (name, version, owner), (other, it)))
            .collect();
        if !meeting.is_empty() && objections.len() == meeting.len() {
            found.push(note(row, bound, (name, version, other), objections));
        }
    }
    found
}

/// Why a version that meets the bound does not go with the version that the row is about.
fn objection(
    matrix: &Matrix,
    (name, version, owner): (&PackageName, &Version, Option<&IndexVersion>),
    (other, candidate): (&PackageName, &IndexVersion),
) -> Option<String> {
    let own = owner.and_then(|it| it.dependencies.get(other));
    if let Some(own) = own.filter(|it| !it.req.matches(&candidate.version)) {
        return Some(format!("{name} {version} needs {other} `{}`", own.req));
    }
    let refuses = |req: &VersionReq| !req.matches(version);
    let theirs = candidate.dependencies.get(name);
    if let Some(theirs) = theirs.filter(|it| refuses(&it.req)) {
        let (found, req) = (&candidate.version, &theirs.req);
        return Some(format!("{other} {found} needs {name} `{req}`"));
    }
    let row = matrix.row(other, &candidate.version);
    let bounds = row.map_or(&[][..], |it| &it.bounds).iter();
    let mut on_name = bounds.filter(|it| it.on == BoundOn::Package(name.clone()));
    let bound = on_name.find(|it| refuses(&it.req))?;
    let (found, req, line) = (&candidate.version, &bound.req, bound.line);
    Some(format!(
        "the row of {other} {found} (line {line}) wants {name} `{req}`"
    ))
}

fn note(
    row: &Row,
    bound: &Bound,
    (name, version, other): (&PackageName, &Version, &PackageName),
    mut objections: Vec<String>,
) -> Note {
    objections.sort();
    objections.dedup();
    Note {
        file: row.file,
        line: bound.line,
        column: bound.column,
        message: format!(
            "the row of {name} {version} lets in {other} `{}`, and no {other} of this registry \
             that meets that goes with it: {}",
            bound.req,
            objections.join("; ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use provisioning_registry_api::index::{Dependency, IndexEntry};

    use super::*;
    use crate::index::MemoryIndex;
    use crate::versions_toml::VersionsToml;

    fn entry(name: &str, versions: &[(&str, &str, &str)]) -> IndexEntry {
        let mut entry = IndexEntry::new(PackageName::parse(name).unwrap());
        for (version, needed, req) in versions {
            let mut known: IndexVersion = serde_json::from_value(serde_json::json!({
                "version": version, "published_at": "2025-10-01T12:00:00Z"
            }))
            .unwrap();
            if !needed.is_empty() {
                let dependency = Dependency {
                    req: req.parse().unwrap(),
                    optional: false,
                };
                let needed = PackageName::parse(needed).unwrap();
                known.dependencies.insert(needed, dependency);
            }
            entry.versions.push(known);
        }
        entry
    }

    fn check(text: &str) -> Vec<String> {
        let read = VersionsToml::parse(text, None).unwrap();
        let index: MemoryIndex = [
            entry("core", &[("3.1.0", "", ""), ("3.2.0", "", "")]),
            entry(
                "platform",
                &[("2.4.0", "core", "^3.1"), ("2.5.0", "core", "^3.2")],
            ),
        ]
        .into_iter()
        .collect();
        let rows = read.matrix.rows();
        rows.flat_map(|it| void_bounds(&read.matrix, it, &index))
            .map(|it| it.to_string())
            .collect()
    }

    #[test]
    fn a_row_that_every_candidate_objects_to_is_found_with_the_objections() {
        let text = "[compatibility.core]\n\"3.1.0\" = { platform = \"^2.5\" }\n\
                    \"3.2.0\" = { platform = \"^2.4\" }\n";
        assert_eq!(
            check(text),
            [
                "versions.toml:2:24: the row of core 3.1.0 lets in platform `^2.5`, and no platform \
                 of this registry that meets that goes with it: platform 2.5.0 needs core `^3.2`"
            ]
        );
    }

    #[test]
    fn a_row_that_one_candidate_answers_is_fine() {
        let text = "[compatibility.core]\n\"3.1.0\" = { platform = \"^2.4\" }\n\
                    [compatibility.platform]\n\"2.5.0\" = { core = \"^3\" }\n";
        assert_eq!(check(text), [""; 0]);
    }
}
