//! Changing a `versions.toml` as its authors would: comments, order and spelling stay.

use jiff::civil::Date;
use provisioning_package::{BundleName, PackageName, Target, Version};
use toml_edit::{Array, DocumentMut, InlineTable, Item, Key, Table, TableLike, Value, value};

use crate::failure::{Failure, Outcome};

/// A draft that is to be written.
#[derive(Debug, Clone, Default)]
pub(crate) struct NewDraft {
    /// What people call it.
    pub(crate) title: String,
    /// The day that its authors give it.
    pub(crate) release_date: Option<Date>,
    /// The day until which it is supported.
    pub(crate) lts_until: Option<Date>,
    /// What an install of it brings.
    pub(crate) members: Vec<(PackageName, Version)>,
    /// What it pins but does not bring.
    pub(crate) optional: Vec<(PackageName, Version)>,
    /// The targets that it promises.
    pub(crate) targets: Vec<Target>,
    /// Bundles that an upgrade from is promised.
    pub(crate) upgrades_from: Vec<BundleName>,
    /// The draft whose checks it takes over.
    pub(crate) tests_of: Option<BundleName>,
}

/// A bound of one version on another package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewBound {
    /// Whose row.
    pub(crate) name: PackageName,
    /// Of which version.
    pub(crate) version: Version,
    /// What it bounds.
    pub(crate) on: PackageName,
    /// How.
    pub(crate) requirement: String,
}

/// Writes a draft, in the place of one of the same name where there is one.
pub(crate) fn put_draft(text: &str, name: &BundleName, draft: &NewDraft) -> Outcome<String> {
    let mut document = parse(text)?;
    let tests = draft.tests_of.as_ref();
    let tests = tests.and_then(|old| find_draft(&document, old)?.get("tests").map(copied));
    let table = draft_table(&mut document, name)?;
    put(table, "name", Some(value(&draft.title)));
    put(
        table,
        "release-date",
        draft.release_date.map(|it| value(it.to_string())),
    );
    put(
        table,
        "lts-until",
        draft.lts_until.map(|it| value(it.to_string())),
    );
    for kind in ["core", "platform", "workspace"] {
        let version = draft.members.iter().find(|(it, _)| it.as_str() == kind);
        put(table, kind, version.map(|(_, it)| value(it.to_string())));
    }
    let is_extension = |(it, _): &&(PackageName, Version)| {
        !["core", "platform", "workspace"].contains(&it.as_str())
    };
    let extensions = pinned(draft.members.iter().filter(is_extension));
    put(table, "extensions", list(extensions));
    put(table, "optional", list(pinned(draft.optional.iter())));
    put(
        table,
        "targets",
        list(draft.targets.iter().map(ToString::to_string).collect()),
    );
    let older = draft.upgrades_from.iter().map(ToString::to_string);
    put(table, "upgrades-from", list(older.collect()));
    if let Some(tests) = tests {
        table.insert("tests", tests);
    }
    Ok(document.to_string())
}

/// Whether the text has a draft of this name.
pub(crate) fn has_draft(text: &str, name: &BundleName) -> Outcome<bool> {
    Ok(find_draft(&parse(text)?, name).is_some())
}

/// Adds bounds to rows, which are made where there are none; `comment` stands above new rows.
pub(crate) fn put_bounds(text: &str, bounds: &[NewBound], comment: &str) -> Outcome<String> {
    let mut document = parse(text)?;
    let tables = document
        .entry("compatibility")
        .or_insert_with(implicit)
        .as_table_like_mut()
        .ok_or_else(not_tables)?;
    for bound in bounds {
        let rows = tables
            .entry(bound.name.as_str())
            .or_insert_with(|| Item::Table(Table::new()))
            .as_table_like_mut()
            .ok_or_else(not_tables)?;
        let version = bound.version.to_string();
        if rows.get(&version).is_none() {
            insert_row(rows, &version, comment);
        }
        let row = rows
            .get_mut(&version)
            .and_then(Item::as_table_like_mut)
            .ok_or_else(not_tables)?;
        if row.get(bound.on.as_str()).is_none() {
            row.insert(bound.on.as_str(), value(&bound.requirement));
            if let Some(row) = rows.get_mut(&version).and_then(Item::as_inline_table_mut) {
                row.fmt();
            }
        }
    }
    Ok(document.to_string())
}

fn insert_row(rows: &mut dyn TableLike, version: &str, comment: &str) {
    let row = Item::Value(Value::InlineTable(InlineTable::new()));
    let mut key = Key::new(version);
    key.leaf_decor_mut().set_prefix(format!("# {comment}\n"));
    match rows.entry_format(&key) {
        toml_edit::Entry::Occupied(mut place) => {
            place.insert(row);
        }
        toml_edit::Entry::Vacant(place) => {
            place.insert(row);
        }
    }
}

/// The table of a draft, made where there is none.
///
/// TOML reads `[bundles.stable-3.2]` as a table `2` in a table `stable-3`, and so it is written.
fn draft_table<'d>(
    document: &'d mut DocumentMut,
    name: &BundleName,
) -> Outcome<&'d mut dyn TableLike> {
    let whole = [name.as_str()];
    let parts: Vec<&str> = name.as_str().split('.').collect();
    let bundles = document
        .entry("bundles")
        .or_insert_with(implicit)
        .as_table_like_mut()
        .ok_or_else(not_tables)?;
    let is_whole = bundles.get(name.as_str()).is_some() || parts.iter().any(|it| it.is_empty());
    let keys: &[&str] = if is_whole { &whole } else { &parts };
    let mut table = bundles;
    for (place, key) in keys.iter().enumerate() {
        let is_last = place + 1 == keys.len();
        let fresh = || if is_last { fresh_table() } else { implicit() };
        table = table
            .entry(key)
            .or_insert_with(fresh)
            .as_table_like_mut()
            .ok_or_else(not_tables)?;
    }
    Ok(table)
}

fn find_draft<'d>(document: &'d DocumentMut, name: &BundleName) -> Option<&'d dyn TableLike> {
    let bundles = document.get("bundles")?.as_table_like()?;
    // `[bundles.a.b]` makes a table `a`, which is no draft of its own.
    let is_draft = |it: &&dyn TableLike| it.iter().any(|(_, it)| !it.is_table_like());
    let quoted = bundles.get(name.as_str()).and_then(Item::as_table_like);
    if let Some(found) = quoted.filter(is_draft) {
        return Some(found);
    }
    let mut table = bundles;
    for part in name.as_str().split('.') {
        table = table.get(part)?.as_table_like()?;
    }
    Some(table).filter(is_draft)
}

/// A table that stands where it is put, not where the one that it was copied from stands.
fn copied(item: &Item) -> Item {
    let mut table = Table::new();
    for (key, value) in item.as_table_like().into_iter().flat_map(|it| it.iter()) {
        table.insert(key, value.clone());
    }
    Item::Table(table)
}

/// Sets a key, keeping where it stands and the comments before and after it; takes it away
/// where there is nothing to say.
fn put(table: &mut dyn TableLike, key: &str, item: Option<Item>) {
    let Some(mut item) = item else {
        table.remove(key);
        return;
    };
    // `insert` would format the key anew, without its comments.
    let Some(old) = table.get_mut(key) else {
        table.insert(key, item);
        return;
    };
    if let (Some(old), Some(new)) = (old.as_value(), item.as_value_mut()) {
        *new.decor_mut() = old.decor().clone();
    }
    *old = item;
}

fn pinned<'m>(members: impl Iterator<Item = &'m (PackageName, Version)>) -> Vec<String> {
    members.map(|(name, it)| format!("{name}@{it}")).collect()
}

fn list(texts: Vec<String>) -> Option<Item> {
    (!texts.is_empty()).then(|| value(Array::from_iter(texts)))
}

fn fresh_table() -> Item {
    let mut table = Table::new();
    table.decor_mut().set_prefix("\n");
    Item::Table(table)
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

fn not_tables() -> Failure {
    Failure::new(
        "invalid-matrix",
        "`compatibility` and `bundles` must be tables",
    )
}

#[cfg(test)]
mod tests {
    use provisioning_compat::VersionsToml;

    use super::*;

    const TEXT: &str = "# who goes with whom\n[compatibility.core]\n# the newest\n\
        \"3.2.1\" = { platform = \"^2.5\" } # tested\n\n[bundles.stable-3.2]\n\
        # what people see\nname = \"Stable 3.2 Bundle\"\nrelease-date = \"2025-10-15\"\n\
        core = \"3.2.1\" # pinned\nextensions = [\"redis@1.1.0\"]\n\
        [bundles.stable-3.2.tests]\ntogether = \"provisioning --version\"\n\n\
        [bundles.lts-3.1]\nname = \"LTS\"\nrelease-date = \"2025-09-01\"\ncore = \"3.1.5\"\n# the end\n";

    fn name(text: &str) -> BundleName {
        BundleName::parse(text).unwrap()
    }

    fn member(name: &str, version: &str) -> (PackageName, Version) {
        (PackageName::parse(name).unwrap(), version.parse().unwrap())
    }

    fn draft() -> NewDraft {
        NewDraft {
            title: "Stable 3.3".to_owned(),
            release_date: Some(Date::constant(2025, 11, 1)),
            members: vec![member("core", "3.3.0"), member("redis", "1.1.0")],
            targets: vec![Target::LinuxX86_64],
            upgrades_from: vec![name("stable-3.2")],
            tests_of: Some(name("stable-3.2")),
            ..NewDraft::default()
        }
    }

    #[test]
    fn a_new_draft_leaves_every_line_that_was_there() {
        let written = put_draft(TEXT, &name("stable-3.3"), &draft()).unwrap();
        for line in TEXT.lines() {
            assert!(written.lines().any(|it| it == line), "{line}\n{written}");
        }
        let order = |text: &str| {
            written
                .find(text)
                .unwrap_or_else(|| panic!("{text}\n{written}"))
        };
        assert!(order("# who goes") < order("[bundles.stable-3.2]"));
        assert!(order("[bundles.stable-3.2]") < order("[bundles.lts-3.1]"));
        let read = VersionsToml::parse(&written, None).unwrap();
        let made = &read.bundles[&name("stable-3.3")];
        assert_eq!(made.members, draft().members);
        assert_eq!(made.upgrades_from, draft().upgrades_from);
        assert_eq!(made.targets, draft().targets);
        assert_eq!(made.tests["together"], ["provisioning --version"]);
        assert_eq!(read.bundles.len(), 3);
        assert!(read.warnings.is_empty(), "{:?}", read.warnings);
    }

    #[test]
    fn a_draft_that_is_written_again_keeps_its_place_and_comments() {
        let again = NewDraft {
            title: "Another title".to_owned(),
            members: vec![member("core", "3.2.2")],
            ..NewDraft::default()
        };
        let written = put_draft(TEXT, &name("stable-3.2"), &again).unwrap();
        assert!(
            written.contains("# what people see\nname = \"Another title\""),
            "{written}"
        );
        assert!(written.contains("core = \"3.2.2\" # pinned"), "{written}");
        assert!(!written.contains("redis"), "{written}");
        assert!(written.ends_with("# the end\n"), "{written}");
        let read = VersionsToml::parse(&written, None).unwrap();
        assert_eq!(read.bundles[&name("stable-3.2")].members, again.members);
        assert!(has_draft(&written, &name("stable-3.2")).unwrap());
        assert!(!has_draft(&written, &name("stable-3")).unwrap());
        assert!(!has_draft(&written, &name("stable-3.3")).unwrap());
    }

    #[test]
    fn a_draft_can_be_the_first_thing_in_a_file() {
        for text in [
            "",
            "# nothing yet\n",
            "[bundles.\"a.b\"]\ncore = \"1.0.0\"\n",
        ] {
            let written = put_draft(text, &name("a.b"), &draft()).unwrap();
            let read = VersionsToml::parse(&written, None).unwrap();
            assert_eq!(read.bundles.len(), 1, "{written}");
            assert_eq!(read.bundles[&name("a.b")].title, "Stable 3.3");
        }
    }

    #[test]
    fn bounds_go_into_rows_and_say_where_they_come_from() {
        let bound = |of: &str, version: &str, on: &str, requirement: &str| NewBound {
            name: PackageName::parse(of).unwrap(),
            version: version.parse().unwrap(),
            on: PackageName::parse(on).unwrap(),
            requirement: requirement.to_owned(),
        };
        let bounds = [
            bound("core", "3.3.0", "platform", "^2.6"),
            bound("platform", "2.6.0", "core", "^3.3"),
            bound("core", "3.2.1", "platform", "^9"),
            bound("core", "3.2.1", "workspace", "^1.4"),
        ];
        let written = put_bounds(TEXT, &bounds, "proved by sha256:00").unwrap();
        assert!(
            written.contains("# proved by sha256:00\n\"3.3.0\" = { platform = \"^2.6\" }"),
            "{written}"
        );
        assert!(
            written.contains("\"3.2.1\" = { platform = \"^2.5\", workspace = \"^1.4\" } # tested"),
            "{written}"
        );
        let read = VersionsToml::parse(&written, None).unwrap();
        assert_eq!(read.matrix.rows().count(), 3);
    }
}
