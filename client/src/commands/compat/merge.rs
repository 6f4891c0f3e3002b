//! `versions.toml` and its companion as one text. The first keeps its words and comments;
//! the rows of the second are added to its tables.

use toml_edit::{DocumentMut, Item, Table};

use crate::failure::{Failure, Outcome};

/// `text` with the rows of its companion, where there is one.
pub(super) fn with_companion(text: &str, companion: Option<&str>) -> Outcome<String> {
    match companion {
        Some(companion) => merge(text, companion),
        None => Ok(text.to_owned()),
    }
}

/// Adds the `[compatibility]` rows of `companion` to `text`. Both were read before, so a
/// row that is in both was refused already.
pub(super) fn merge(text: &str, companion: &str) -> Outcome<String> {
    let mut merged = parse(text)?;
    let companion = parse(companion)?;
    let Some(added) = companion.get("compatibility").and_then(Item::as_table_like) else {
        return Ok(merged.to_string());
    };
    let tables = merged
        .entry("compatibility")
        .or_insert_with(implicit)
        .as_table_like_mut()
        .ok_or_else(not_a_table)?;
    for (package, rows) in added.iter() {
        let place = tables
            .entry(package)
            .or_insert_with(|| Item::Table(Table::new()))
            .as_table_like_mut()
            .ok_or_else(not_a_table)?;
        for (version, row) in rows.as_table_like().into_iter().flat_map(|it| it.iter()) {
            place.insert(version, row.clone());
        }
    }
    Ok(merged.to_string())
}

fn implicit() -> Item {
    let mut table = Table::new();
    table.set_implicit(true);
    Item::Table(table)
}

fn parse(text: &str) -> Outcome<DocumentMut> {
    text.parse::<DocumentMut>()
        .map_err(|problem| Failure::new("invalid-matrix", problem.to_string()))
}

fn not_a_table() -> Failure {
    Failure::new("invalid-matrix", "`compatibility` must be tables of rows")
}

#[cfg(test)]
mod tests {
    use provisioning_compat::VersionsToml;

    use super::*;

    #[test]
    fn the_merged_text_means_what_both_files_mean_together() {
        let text = "# kept\n[compatibility.core]\n\"3.2.1\" = { platform = \"^2.5\" }\n\
                    [bundles.a-1]\nname = \"A\"\nrelease-date = \"2025-01-01\"\ncore = \"3.2.1\"\n";
        let companion = "[compatibility.core]\n\"3.1.0\" = { platform = \"^2.3\" }\n\
                         [compatibility.redis]\n\"1.1.0\" = { core = \"^3\" }\n";
        let merged = merge(text, companion).unwrap();
        assert!(merged.starts_with("# kept\n"), "{merged}");
        let together = VersionsToml::parse(text, Some(companion)).unwrap();
        let one = VersionsToml::parse(&merged, None).unwrap();
        let rows = |it: &VersionsToml| -> Vec<String> {
            it.matrix
                .rows()
                .map(|(name, version, row)| format!("{name} {version} {}", row.bounds.len()))
                .collect()
        };
        assert_eq!(rows(&one), rows(&together));
        assert_eq!(rows(&one).len(), 3);
        assert_eq!(one.bundles.len(), 1);
    }
}
