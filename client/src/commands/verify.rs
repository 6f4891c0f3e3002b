//! `provisioning verify`: is everything still as it was installed?

use std::collections::BTreeMap;

use provisioning_installers::{Choice, Finding, Mended, Prefix, WriterLock, repair, verify};
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Exit, Outcome};
use crate::output::Table;
use crate::planning::Registry;
use crate::transaction::{Mode, fetch_choices, lock, open_prefix};

/// Reads every installed file again and compares it with the digests recorded when it was
/// unpacked.
///
/// A configuration file that you edited is named, and is no fault. With `--repair` what
/// differs is put right: from what other generations have, from the cache, or from the
/// registry. What stood there is kept, and the result says where.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Put right what differs
    #[arg(long)]
    repair: bool,
}

#[derive(Serialize)]
struct Document<'a> {
    problems: Vec<&'a Finding>,
    edited: Vec<&'a Finding>,
    /// Working copies, which are no fault either.
    linked: Vec<&'a Finding>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mended: Option<&'a [Mended]>,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    let prefix = open_prefix(context, Mode::Do)?;
    if !args.repair || !prefix.base().exists() {
        let findings = tokio::task::block_in_place(|| verify(&prefix))?;
        let exit = show(&findings, None, context)?;
        if exit != Exit::Done {
            context
                .output
                .note("`provisioning verify --repair` puts right what differs");
        }
        return Ok(exit);
    }
    let lock = lock(&prefix, "verify --repair", context)?;
    let (mended, left) = mend(&prefix, &lock, context)
        .await
        .map_err(|it| it.with_changed("what was mended stays so"))?;
    show(&left, Some(&mended), context)
}

async fn mend(
    prefix: &Prefix,
    lock: &WriterLock,
    context: &Context,
) -> Outcome<(Vec<Mended>, Vec<Finding>)> {
    let first = tokio::task::block_in_place(|| repair(prefix, lock, &BTreeMap::new()))?;
    if first.needs.is_empty() {
        return Ok((first.mended, first.left));
    }
    let mut archives = BTreeMap::new();
    let mut registry = Registry::new();
    // One that cannot be had does not keep the others from being mended.
    for choice in &first.needs {
        let wanted: [&Choice; 1] = [choice];
        match fetch_choices(&wanted, &mut registry, context).await {
            Ok(found) => archives.extend(found),
            Err(failure) => {
                let what = format!("{} {}", choice.name, choice.version);
                context
                    .output
                    .warning(&format!("{what} stays as it is: {failure}"));
            }
        }
    }
    let second = tokio::task::block_in_place(|| repair(prefix, lock, &archives))?;
    let mended = first.mended.into_iter().chain(second.mended).collect();
    Ok((mended, second.left))
}

fn show(findings: &[Finding], mended: Option<&[Mended]>, context: &Context) -> Outcome<Exit> {
    let (problems, rest): (Vec<_>, Vec<_>) = findings.iter().partition(|it| it.is_fault());
    let (linked, edited) = rest.into_iter().partition(|it| it.code == "linked");
    let document = Document {
        problems,
        edited,
        linked,
        mended,
    };
    context.output.result(&document, |out| {
        for it in mended.unwrap_or_default() {
            writeln!(
                out,
                "mended {} `{}`",
                it.finding.code,
                it.finding.path.display()
            )?;
            if let Some(saved) = &it.saved {
                writeln!(out, "  what stood there is kept as `{}`", saved.display())?;
            }
        }
        if document.problems.is_empty() {
            writeln!(out, "everything is as it was installed")?;
        }
        if findings.is_empty() {
            return Ok(());
        }
        let mut table = Table::new(["FINDING", "PACKAGE", "PATH", "DETAIL"]);
        for it in findings {
            let package = it.package.as_ref().map(ToString::to_string);
            table.row([
                it.code.clone(),
                package.unwrap_or_default(),
                it.path.display().to_string(),
                it.detail.clone().unwrap_or_default(),
            ]);
        }
        table.write(out)
    })?;
    if document.problems.is_empty() {
        Ok(Exit::Done)
    } else {
        Ok(Exit::Verification)
    }
}
