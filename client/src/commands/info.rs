//! `provisioning info`: what the registry says about a package or bundle.

use std::io::{self, Write};

use provisioning_package::{BundleName, PackageName, Spec};
use provisioning_registry_api::index::{IndexEntry, IndexVersion, PackageState};

use crate::commands::bundle;
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::Table;
use crate::registry::RegistryReader;

/// Show what the registry says about a package or bundle
///
/// Its versions, what they need and run on, and which are yanked; of a bundle, its
/// sequences and members.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A package, or a bundle or channel
    name: String,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    let spec: Spec = args.name.parse()?;
    let mut registry = RegistryReader::open(context).await?;
    if let Some(name) = spec.as_package()
        && let Some(entry) = registry.entry(&name).await?
    {
        show(&entry, context)?;
        return Ok(Exit::Done);
    }
    if let Some(name) = spec.as_bundle()
        && let Some(document) = bundle::find(&mut registry, &name).await?
    {
        bundle::show_document(&document, context)?;
        return Ok(Exit::Done);
    }
    Err(unknown(spec.name(), context))
}

/// Nothing of this name exists.
fn unknown(name: &str, context: &Context) -> Failure {
    let place = context
        .settings
        .registry_if_set()
        .map(ToString::to_string)
        .unwrap_or_default();
    let failure = Failure::new(
        "unknown-package",
        format!("the registry `{place}` has no package and no bundle `{name}`"),
    )
    .with_exit(Exit::NoSolution);
    match (PackageName::from_user(name), BundleName::parse(name)) {
        (Ok(_), _) => {
            failure.with_hint(format!("`provisioning search {name}` finds similar names"))
        }
        _ => failure.with_hint("`provisioning bundle list` shows the bundles"),
    }
}

fn show(entry: &IndexEntry, context: &Context) -> Outcome<()> {
    // An index entry is a document of its own, with its own `schema`.
    let mut document = serde_json::to_value(entry).expect("an index entry has text keys");
    if let Some(fields) = document.as_object_mut() {
        fields.remove("schema");
    }
    context
        .output
        .long_result(&document, |out| write(entry, out, context))
}

fn write(entry: &IndexEntry, out: &mut dyn Write, context: &Context) -> io::Result<()> {
    let sort = entry
        .extension_type
        .map_or_else(|| entry.kind.to_string(), |it| it.to_string());
    writeln!(
        out,
        "{} ({sort})",
        context.output.strong(entry.name.as_str())
    )?;
    let facts = [
        ("", entry.description.as_deref()),
        ("license: ", entry.license.as_deref()),
        ("repository: ", entry.repository.as_deref()),
    ];
    for (label, text) in facts {
        if let Some(text) = text {
            writeln!(out, "{label}{}", printable(text))?;
        }
    }
    if !entry.keywords.is_empty() {
        writeln!(out, "keywords: {}", printable(&entry.keywords.join(", ")))?;
    }
    let state = match entry.status.state {
        PackageState::Active => None,
        PackageState::Deprecated => Some("deprecated"),
        PackageState::Archived => Some("archived"),
        PackageState::Quarantined => Some("quarantined"),
    };
    if let Some(state) = state {
        let reason = entry.status.reason.as_deref().unwrap_or("no reason given");
        writeln!(out, "{state}: {}", printable(reason))?;
    }
    writeln!(out)?;
    let mut table = Table::new(["VERSION", "PUBLISHED", "TARGETS", "NEEDS", "NOTE"]);
    for version in entry.versions.iter().rev() {
        table.row(row(version));
    }
    table.write(out)
}

fn row(version: &IndexVersion) -> [String; 5] {
    let targets: Vec<&str> = version
        .archives
        .iter()
        .map(|it| it.target.as_str())
        .collect();
    let needs: Vec<String> = version
        .dependencies
        .iter()
        .map(|(name, it)| {
            let optional = if it.optional { " (optional)" } else { "" };
            format!("{name} {}{optional}", it.req)
        })
        .collect();
    let note = version.yanked.as_ref().map(|it| {
        let reason = it.reason.as_deref().unwrap_or("no reason given");
        format!("yanked: {}", printable(reason))
    });
    [
        version.version.to_string(),
        version.published_at.strftime("%Y-%m-%d").to_string(),
        targets.join(", "),
        needs.join("; "),
        note.unwrap_or_default(),
    ]
}

/// Text of a stranger on a terminal: without characters that could move the cursor or
/// change what was written before.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|it| if it.is_control() { '\u{fffd}' } else { it })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strangers_text_cannot_send_escape_sequences() {
        assert_eq!(printable("a\x1b[2Jb\nc"), "a\u{fffd}[2Jb\u{fffd}c");
    }
}
