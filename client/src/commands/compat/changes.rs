//! What differs between two matrices, row by row.

use std::collections::BTreeMap;

use provisioning_compat::{Matrix, VersionsToml};

/// A line for each row and draft that is new, gone or changed.
pub(super) fn changes(before: &VersionsToml, after: &VersionsToml) -> Vec<String> {
    let mut lines = compare(&rows(&before.matrix), &rows(&after.matrix));
    lines.extend(compare(&drafts(before), &drafts(after)));
    lines
}

fn compare(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, now) in after {
        match before.get(name) {
            None => lines.push(format!("+ {name}: {now}")),
            Some(then) if then != now => lines.push(format!("~ {name}: {then} -> {now}")),
            Some(_) => {}
        }
    }
    let gone = before.iter().filter(|(name, _)| !after.contains_key(*name));
    lines.extend(gone.map(|(name, then)| format!("- {name}: {then}")));
    lines
}

/// What each row says, without where it stands.
fn rows(matrix: &Matrix) -> BTreeMap<String, String> {
    matrix
        .rows()
        .map(|(name, version, row)| {
            let mut bounds: Vec<String> = row
                .bounds
                .iter()
                .map(|it| format!("{} {}", it.key, it.req))
                .collect();
            bounds.sort();
            (format!("{name} {version}"), bounds.join(", "))
        })
        .collect()
}

/// What each draft pins.
fn drafts(read: &VersionsToml) -> BTreeMap<String, String> {
    read.bundles
        .iter()
        .map(|(name, draft)| {
            let members: Vec<String> = draft
                .members
                .iter()
                .chain(&draft.optional)
                .map(|(name, version)| format!("{name} {version}"))
                .collect();
            (format!("bundle {name}"), members.join(", "))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> VersionsToml {
        VersionsToml::parse(text, None).unwrap()
    }

    #[test]
    fn new_gone_and_changed_rows_are_told_apart() {
        let before = read(
            "[compatibility.core]\n\"3.1.0\" = { platform = \"^2.3\" }\n\
             \"3.0.0\" = { platform = \"^2.2\" }\n",
        );
        let after = read(
            "[compatibility.core]\n\"3.2.0\" = { platform = \"^2.5\" }\n\n\
             \"3.1.0\" = { platform = \"^2.4\" }\n",
        );
        insta::assert_snapshot!(changes(&before, &after).join("\n"), @r"
        ~ core 3.1.0: platform ^2.3 -> platform ^2.4
        + core 3.2.0: platform ^2.5
        - core 3.0.0: platform ^2.2
        ");
        assert!(changes(&after, &after).is_empty());
    }
}
