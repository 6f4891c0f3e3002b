//! The files that state a version, and writing the next one into them.

use std::path::Path;

use provisioning_package::Version;
use toml_edit::{DocumentMut, Item, value};

use crate::durable::{Readers, replace_file};
use crate::failure::{Failure, Outcome};

/// Where a version is looked for where `release.toml` names no file.
const USUAL: [&str; 2] = ["version.toml", "manifest.toml"];

/// The keys that state a version, in every file that we know.
const PLACES: [&[&str]; 7] = [
    &["version"],
    &["version", "version"],
    &["package", "version"],
    &["workspace", "package", "version"],
    &["extension", "version"],
    &["core", "version"],
    &["project", "version"],
];

/// Writes `version` into every file that states one; the files that changed. Comments and
/// order stay.
pub(super) fn write_version(
    folder: &Path,
    files: &[String],
    version: &Version,
) -> Outcome<Vec<String>> {
    let named = !files.is_empty();
    let usual = USUAL.map(str::to_owned).to_vec();
    let files = if named { files } else { &usual };
    let mut changed = Vec::new();
    let mut is_stated = false;
    for file in files {
        let path = folder.join(file);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(it) if it.kind() == std::io::ErrorKind::NotFound && !named => continue,
            Err(it) => return Err(Failure::io("read", &path, &it)),
        };
        let (written, count) = with_version(&text, version)
            .map_err(|it| Failure::new("invalid-source", format!("`{}`: {it}", path.display())))?;
        if count == 0 && named {
            return Err(Failure::new(
                "no-version",
                format!("`{}` states no version", path.display()),
            )
            .with_hint("name the files that do in `version-files` of `release.toml`"));
        }
        is_stated |= count > 0;
        if written != text {
            replace_file(&path, written.as_bytes(), Readers::Everyone)?;
            changed.push(file.clone());
        }
    }
    if is_stated {
        Ok(changed)
    } else {
        Err(Failure::new(
            "no-version",
            format!("no file in `{}` states a version", folder.display()),
        )
        .with_hint("name the files that do in `version-files` of `release.toml`"))
    }
}

/// The text with another version, and how many places state one.
fn with_version(text: &str, version: &Version) -> Result<(String, usize), String> {
    let mut document = text.parse::<DocumentMut>().map_err(|it| it.to_string())?;
    let mut count = 0;
    for place in PLACES {
        let Some(item) = find(document.as_item_mut(), place) else {
            continue;
        };
        if !item.is_str() {
            continue;
        }
        count += 1;
        if item.as_str() != Some(&version.to_string()) {
            let decor = item.as_value().map(|it| it.decor().clone());
            *item = value(version.to_string());
            if let (Some(decor), Some(it)) = (decor, item.as_value_mut()) {
                *it.decor_mut() = decor;
            }
        }
    }
    Ok((document.to_string(), count))
}

fn find<'d>(item: &'d mut Item, place: &[&str]) -> Option<&'d mut Item> {
    let mut item = item;
    for key in place {
        item = item.as_table_like_mut()?.get_mut(key)?;
    }
    Some(item)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_written_where_one_is_stated_and_everything_else_stays() {
        let next: Version = "3.3.0".parse().unwrap();
        let cases = [
            (
                "# it\nversion = \"3.2.1\" # here\n",
                "# it\nversion = \"3.3.0\" # here\n",
            ),
            (
                "[package]\nname = \"a\"\nversion = \"1.0.0\"\n",
                "[package]\nname = \"a\"\nversion = \"3.3.0\"\n",
            ),
            (
                "[workspace.package]\nversion = '1.0.0'\n",
                "[workspace.package]\nversion = \"3.3.0\"\n",
            ),
        ];
        for (text, wanted) in cases {
            assert_eq!(with_version(text, &next), Ok((wanted.to_owned(), 1)));
        }
        let inherited = "[package]\nversion.workspace = true\n";
        assert_eq!(
            with_version(inherited, &next),
            Ok((inherited.to_owned(), 0))
        );
        assert!(with_version("a = ", &next).is_err());
    }
}
