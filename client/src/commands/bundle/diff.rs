//! `provisioning bundle diff`: what leads from one bundle to another.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use provisioning_bundles::{MemberChange, covers_upgrade, member_changes, sections_between};
use provisioning_compat::{Matrix, VersionsToml};
use provisioning_package::{BundleName, PackageName, Target, Version, unpack_archive};
use serde::Serialize;

use super::desk::Desk;
use crate::commands::compat::FileArgs;
use crate::commands::info::printable;
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::Table;
use crate::trial::{Definition, Material};

/// Names of changelogs, the usual first.
const CHANGELOGS: [&str; 4] = ["CHANGELOG.md", "CHANGES.md", "docs/CHANGELOG.md", "NEWS.md"];

/// Show what leads from one bundle to another: members, changelogs, matrix rows, upgrade path
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: provisioning bundle diff stable-3.2 stable-3.3")]
pub(crate) struct Args {
    /// A draft of `versions.toml`, a published bundle or a channel
    #[arg(value_parser = BundleName::parse)]
    old: BundleName,
    /// Another
    #[arg(value_parser = BundleName::parse)]
    new: BundleName,
    #[command(flatten)]
    file: FileArgs,
    /// Leave the changelogs out: nothing is fetched
    #[arg(long)]
    no_changelogs: bool,
}

#[derive(Serialize)]
struct Diff {
    old: BundleName,
    new: BundleName,
    members: Vec<Member>,
    rows: Vec<Row>,
    upgrade: Upgrade,
}

#[derive(Serialize)]
struct Member {
    name: PackageName,
    change: &'static str,
    from: Option<Version>,
    to: Option<Version>,
    changelog: Vec<Section>,
}

#[derive(Serialize)]
struct Section {
    version: Version,
    heading: String,
    text: String,
}

/// A matrix row of one of the two bundles' members.
#[derive(Serialize)]
struct Row {
    bundle: BundleName,
    name: PackageName,
    version: Version,
    bounds: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct Upgrade {
    /// Whether the second says that it upgrades from the first.
    declared: bool,
    /// What the gate `upgrades` says of it: `passed`, `failed`, `waived`, `unknown`.
    verdict: &'static str,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    let mut desk = Desk::open(&args.file, context).await?;
    let old = desk.define(&args.old, context).await?;
    let new = desk.define(&args.new, context).await?;
    let changes = member_changes(&old.members(), &new.members());
    let text = desk.matrix_text().await?;
    let matrix = VersionsToml::parse(&text, None)
        .map_err(|it| Failure::new("invalid-matrix", it.to_string()))?;
    let material = if args.no_changelogs {
        None
    } else {
        Some(desk.material(&[&old, &new], &[], context).await?)
    };
    let upgrade = upgrade(&mut desk, &old, &new).await?;
    let mut members = Vec::new();
    for change in changes {
        let changelog = match &material {
            Some(material) => changelog(&change, material, &desk, context).await?,
            None => Vec::new(),
        };
        members.push(Member {
            change: change.kind().as_str(),
            name: change.name,
            from: change.from,
            to: change.to,
            changelog,
        });
    }
    let rows = [&old, &new].map(|it| rows(it, &matrix.matrix));
    let document = Diff {
        old: old.name,
        new: new.name,
        members,
        rows: rows.into_iter().flatten().collect(),
        upgrade,
    };
    context
        .output
        .long_result(&document, |out| write_text(&document, out))?;
    Ok(Exit::Done)
}

fn rows(definition: &Definition, matrix: &Matrix) -> Vec<Row> {
    let members = definition.members().into_iter();
    members
        .filter_map(|(name, version)| {
            let row = matrix.row(&name, &version)?;
            let bounds = row.bounds.iter();
            Some(Row {
                bundle: definition.name.clone(),
                bounds: bounds
                    .map(|it| (it.key.clone(), it.req.to_string()))
                    .collect(),
                name,
                version,
            })
        })
        .collect()
}

async fn upgrade(desk: &mut Desk, old: &Definition, new: &Definition) -> Outcome<Upgrade> {
    let declared = new.request.upgrades_from.contains(&old.name);
    let mut verdict = "unknown";
    if let (true, Some(reader)) = (declared, &mut desk.reader)
        && let Some(document) = reader.bundle(&new.name).await?
        && let Some(sequence) = document.current()
    {
        verdict = covers_upgrade(sequence);
    }
    Ok(Upgrade { declared, verdict })
}

/// What the member's own changelog says of the versions between; a member without one, or
/// whose archive cannot be had, says nothing.
async fn changelog(
    change: &MemberChange,
    material: &Material,
    desk: &Desk,
    context: &Context,
) -> Outcome<Vec<Section>> {
    let Some(to) = &change.to else {
        return Ok(Vec::new());
    };
    let versions = [(change.name.clone(), to.clone())].into();
    let machine = Target::host().unwrap_or(Target::Any);
    let fetched = material
        .fetch(&versions, machine, desk.reader.as_ref())
        .await;
    let archive = match fetched {
        Ok(found) => found.into_values().next(),
        Err(failure) => {
            let name = &change.name;
            context
                .output
                .note(&format!("no changelog of {name}: {failure}"));
            None
        }
    };
    let Some(markdown) = archive.map(|it| read_changelog(&it)).transpose()?.flatten() else {
        return Ok(Vec::new());
    };
    let between = sections_between(&markdown, change.from.as_ref(), to);
    Ok(between
        .into_iter()
        .map(|it| Section {
            version: it.version,
            heading: it.heading,
            text: it.text,
        })
        .collect())
}

/// The text of the changelog in an archive.
pub(crate) fn read_changelog(archive: &Path) -> Outcome<Option<String>> {
    let folder = tempfile::Builder::new()
        .prefix("provisioning-")
        .tempdir()
        .map_err(|it| {
            Failure::new("io", "cannot make a temporary folder").with_cause(it.to_string())
        })?;
    let tree = folder.path().join("tree");
    unpack_archive(archive, &tree)?;
    let mut names = CHANGELOGS.iter();
    Ok(names.find_map(|it| std::fs::read_to_string(tree.join(it)).ok()))
}

fn write_text(diff: &Diff, out: &mut dyn Write) -> io::Result<()> {
    if diff.members.is_empty() {
        writeln!(out, "{} and {} have the same members", diff.old, diff.new)?;
    } else {
        let mut table = Table::new([
            "NAME",
            "CHANGE",
            &diff.old.to_string(),
            &diff.new.to_string(),
        ]);
        for it in &diff.members {
            let text =
                |it: &Option<Version>| it.as_ref().map(ToString::to_string).unwrap_or_default();
            table.row([
                it.name.to_string(),
                it.change.to_owned(),
                text(&it.from),
                text(&it.to),
            ]);
        }
        table.write(out)?;
    }
    let word = match (diff.upgrade.declared, diff.upgrade.verdict) {
        (false, _) => "no upgrade from it is promised".to_owned(),
        (true, "unknown") => "an upgrade from it is promised, and not proved yet".to_owned(),
        (true, verdict) => format!("an upgrade from it is promised; gate `upgrades`: {verdict}"),
    };
    writeln!(out, "\n{} -> {}: {word}", diff.old, diff.new)?;
    if !diff.rows.is_empty() {
        writeln!(out, "\nmatrix rows:")?;
    }
    for row in &diff.rows {
        let bounds: Vec<String> = row
            .bounds
            .iter()
            .map(|(key, req)| format!("{key} {req}"))
            .collect();
        writeln!(
            out,
            "  {}: {} {} goes with {}",
            row.bundle,
            row.name,
            row.version,
            bounds.join(", ")
        )?;
    }
    for it in diff.members.iter().filter(|it| !it.changelog.is_empty()) {
        for section in &it.changelog {
            writeln!(out, "\n{} {}", it.name, printable(&section.heading))?;
            for line in section.text.lines() {
                writeln!(out, "  {}", printable(line))?;
            }
        }
    }
    Ok(())
}
