//! Changes of keys as files that travel between the people who sign them.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use provisioning_trust::{Change, PROPOSAL_BYTES_MAX, RoleFiles};
use serde::Serialize;

use crate::context::Context;
use crate::durable::{Readers, replace_file};
use crate::failure::{Exit, Failure, Outcome};
use crate::prompt::{Answer, confirm, is_interactive};

/// A change, as `--json` shows it.
#[derive(Debug, Serialize)]
pub(super) struct ChangeJson {
    pub(super) lines: Vec<String>,
    pub(super) roles: Vec<RoleJson>,
    pub(super) signed_now: Vec<String>,
    pub(super) complete: bool,
}

/// How far one role of a change has come.
#[derive(Debug, Serialize)]
pub(super) struct RoleJson {
    role: String,
    version: u64,
    signed: Vec<String>,
    missing: Vec<String>,
    threshold: usize,
}

#[derive(Serialize)]
struct Document {
    state: &'static str,
    change: ChangeJson,
}

/// Reads a file of `trust propose`; `None` where it is something else, such as an archive.
pub(super) fn read_if_change(file: &Path) -> Outcome<Option<Change>> {
    let fail = |problem| Failure::io("read", file, &problem);
    if file.extension().is_none_or(|it| it != "json") || !file.is_file() {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    let opened = fs::File::open(file).map_err(fail)?;
    opened
        .take(PROPOSAL_BYTES_MAX)
        .read_to_end(&mut bytes)
        .map_err(fail)?;
    Ok(Some(Change::read(&bytes)?))
}

/// Reads a file of `trust propose`.
pub(super) fn read(file: &Path) -> Outcome<Change> {
    read_if_change(file)?.ok_or_else(|| {
        Failure::usage(format!("`{}` is no change of keys", file.display()))
            .with_hint("`provisioning trust propose --out change.json …` writes one")
    })
}

/// Writes a change, whole or not at all.
pub(super) fn write(file: &Path, change: &Change) -> Outcome<()> {
    let text = change.to_json()?;
    replace_file(file, text.as_bytes(), Readers::Everyone)
}

/// Asks whether what was shown is meant.
pub(super) fn agree(context: &Context) -> Outcome<()> {
    if !is_interactive(context) || confirm(context, "sign this change of keys?", Answer::No)? {
        return Ok(());
    }
    Err(Failure::new("not-agreed", "nothing was signed"))
}

/// Says how far a change has come.
pub(super) fn report(
    change: &Change,
    files: &RoleFiles,
    signed_now: Vec<String>,
    context: &Context,
) -> Outcome<Exit> {
    let document = Document {
        state: "proposed",
        change: json(change, files, signed_now)?,
    };
    context.output.result(&document, |out| {
        if context.output.is_json() {
            return Ok(());
        }
        for role in &document.change.roles {
            writeln!(
                out,
                "{} {}: {} of {} signatures{}",
                role.role,
                role.version,
                role.signed.len(),
                role.threshold,
                if role.signed.len() < role.threshold {
                    format!("; could sign: {}", role.missing.join(", "))
                } else {
                    String::new()
                }
            )?;
        }
        if document.change.complete {
            writeln!(
                out,
                "complete: `provisioning trust publish FILE` puts it in force"
            )?;
        }
        Ok(())
    })?;
    Ok(Exit::Done)
}

/// A change for `--json`.
pub(super) fn json(
    change: &Change,
    files: &RoleFiles,
    signed_now: Vec<String>,
) -> Outcome<ChangeJson> {
    let standings = change.standings(files)?;
    Ok(ChangeJson {
        lines: change.describe(files)?,
        complete: standings.iter().all(|it| it.standing.is_met()),
        roles: standings
            .into_iter()
            .map(|it| RoleJson {
                role: it.role,
                version: it.version,
                signed: it.standing.signed,
                missing: it.standing.missing,
                threshold: it.standing.threshold,
            })
            .collect(),
        signed_now,
    })
}
