//! Writes facts that a source tree states elsewhere into the manifest, so that the archive's
//! own manifest says everything.

use toml_edit::{DocumentMut, Item, Table, value};

use super::SourceFacts;
use super::read::both;

/// The manifest with `facts` written into it; comments and order stay as the author wrote
/// them. What the manifest says already stays, except that a `core-version` from elsewhere
/// joins its own, since both hold. A text that is no manifest comes back as it is: reading
/// it says what is wrong.
pub fn complete_manifest(text: &str, facts: &SourceFacts) -> String {
    let Ok(mut document) = text.parse::<DocumentMut>() else {
        return text.to_owned();
    };
    let Some(head) = ["extension", "package"]
        .into_iter()
        .find(|it| document.contains_key(it))
    else {
        return text.to_owned();
    };
    let Some(table) = document.get_mut(head).and_then(Item::as_table_mut) else {
        return text.to_owned();
    };
    if write_facts(table, facts) {
        document.to_string()
    } else {
        text.to_owned()
    }
}

/// Whether anything was written.
fn write_facts(table: &mut Table, facts: &SourceFacts) -> bool {
    let mut is_changed = false;
    if let Some(version) = &facts.version
        && !table.contains_key("version")
    {
        table.insert("version", value(version.to_string()));
        is_changed = true;
    }
    let is_core = table.get("kind").and_then(Item::as_str) == Some("core");
    if let Some(fact) = &facts.core_version
        && !is_core
    {
        let own = table.get("core-version").and_then(Item::as_str);
        let own = own.and_then(|it| it.parse().ok());
        if own.is_some() || !table.contains_key("core-version") {
            let joined = both(own.clone(), Some(fact.clone()));
            if joined != own {
                let joined = joined.expect("one of the two is there").to_string();
                table.insert("core-version", value(joined));
                is_changed = true;
            }
        }
    }
    is_changed
}
