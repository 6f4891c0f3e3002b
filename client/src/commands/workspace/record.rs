//! `[workspace]` of `provisioning.toml`: what the workspace was made from.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use toml_edit::{DocumentMut, Item, Table, value};

use crate::failure::{Failure, Outcome};

/// Keys of `[workspace]`, and the variable that fills each.
const KEYS: [(&str, &str); 3] = [
    ("name", "name"),
    ("template", "template"),
    ("template-version", "version"),
];

/// Writes what a workspace was made from, where its template did not. Everything else that
/// the file says stays as it is.
pub(super) fn write(file: &Path, variables: &BTreeMap<String, String>) -> Outcome<()> {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => String::new(),
        Err(problem) => return Err(Failure::io("read", file, &problem)),
    };
    let recorded = record(&text, variables).map_err(|reason| {
        Failure::new(
            "template-refused",
            format!("the template's `{}` cannot be read", file.display()),
        )
        .with_cause(reason)
    })?;
    if recorded != text {
        fs::write(file, recorded).map_err(|it| Failure::io("write", file, &it))?;
    }
    Ok(())
}

fn record(text: &str, variables: &BTreeMap<String, String>) -> Result<String, String> {
    let mut document: DocumentMut = text
        .parse()
        .map_err(|it: toml_edit::TomlError| it.to_string())?;
    let workspace = document
        .entry("workspace")
        .or_insert_with(|| Item::Table(Table::new()));
    let Some(table) = workspace.as_table_like_mut() else {
        return Err("`workspace` is no table".to_owned());
    };
    for (key, variable) in KEYS {
        if let Some(text) = variables.get(variable)
            && !table.contains_key(key)
        {
            table.insert(key, value(text.as_str()));
        }
    }
    Ok(document.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables() -> BTreeMap<String, String> {
        [("name", "a"), ("template", "minimal"), ("version", "1.4.0")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    #[test]
    fn what_the_template_wrote_stays_and_what_is_missing_is_added() {
        let text = "# mine\n[workspace]\nname = \"b\"\n\n[servers]\nplan = 1\n";
        let recorded = record(text, &variables()).unwrap();
        assert!(
            recorded.starts_with("# mine\n[workspace]\nname = \"b\"\n"),
            "{recorded}"
        );
        assert!(recorded.contains("template = \"minimal\"\ntemplate-version = \"1.4.0\"\n"));
        assert!(recorded.ends_with("[servers]\nplan = 1\n"));
        assert_eq!(record(&recorded, &variables()).unwrap(), recorded);
    }
}
