//! `provisioning bundle test`: try a bundle, and write down what came of it.

use std::path::PathBuf;

use provisioning_package::{BundleName, Digest};
use provisioning_registry_api::evidence::{
    Evidence, EvidenceAccepted, EvidenceSubject, SignedEvidence,
};
use provisioning_trust::canonical_json;
use serde::Serialize;

use super::desk::{Desk, TrialArgs};
use crate::context::Context;
use crate::durable::{Readers, replace_file};
use crate::failure::{Exit, Failure, Outcome};
use crate::output::Table;
use crate::trial::{Course, Ran, TesterKey, Tried, sign};
use crate::write_api::WriteClient;

/// Try a bundle before anybody relies on it, and write signed evidence of it
///
/// Its members are installed together into a scratch prefix; every member's `[test] smoke`
/// and the checks of `[bundles.NAME.tests]` run with its commands on PATH; then the same
/// after an upgrade from each bundle in `upgrades-from`, and the way back. A draft of
/// `versions.toml` is tried as it would be published, with `--archive FILE` for what is not
/// published yet; any other name means what is published.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  provisioning bundle test stable-3.3\n  \
                  provisioning bundle test stable-3.3 --archive dist/provisioning-core-3.3.0.tar.zst\n  \
                  provisioning bundle test stable-3.3 --submit")]
pub(crate) struct Args {
    /// A draft of `versions.toml`, a published bundle or a channel
    #[arg(value_parser = BundleName::parse)]
    name: BundleName,
    #[command(flatten)]
    trial: TrialArgs,
    #[command(flatten)]
    evidence: EvidenceArgs,
}

/// What becomes of the evidence.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct EvidenceArgs {
    /// Where the evidence is written [default: none, unless it is asked for]
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Send the evidence to the registry, whose gates judge by it
    #[arg(long)]
    pub(crate) submit: bool,
    /// The tester's key, as PKCS#8 PEM [default: `PROVISIONING_TESTER_KEY`, else your own]
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
}

#[derive(Serialize)]
pub(crate) struct Tested {
    pub(crate) name: String,
    pub(crate) passed: bool,
    pub(crate) target: String,
    /// The digest of the signed evidence.
    pub(crate) evidence: Digest,
    pub(crate) file: Option<PathBuf>,
    pub(crate) submitted: Option<EvidenceAccepted>,
    pub(crate) runs: Vec<Ran>,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    let mut desk = Desk::open(&args.trial.file, context).await?;
    let definition = desk.define(&args.name, context).await?;
    let older = desk.older(&definition, context).await?;
    let all: Vec<_> = older.iter().chain([&definition]).collect();
    let material = desk.material(&all, &args.trial.archives, context).await?;
    let matrix = desk.matrix_text().await?;
    let course = Course {
        material: &material,
        matrix: &matrix,
        reader: desk.reader.as_ref(),
        definition: &definition,
        subject: EvidenceSubject::Bundle(definition.name.clone()),
        older,
        patience: args.trial.timeout,
    };
    let tried = course.run(context).await?;
    let tested = keep(definition.name.to_string(), tried, &args.evidence, context).await?;
    show(&tested, context)?;
    Ok(if tested.passed {
        Exit::Done
    } else {
        Exit::Failed
    })
}

/// Signs evidence, and writes and sends it where that was asked for.
pub(crate) async fn keep(
    name: String,
    tried: Tried,
    args: &EvidenceArgs,
    context: &Context,
) -> Outcome<Tested> {
    let key = TesterKey::open(args.key.as_deref(), context)?;
    let signed = sign(&tried.evidence, &key.key)?;
    let bytes = canonical_json(&signed)
        .map_err(|it| Failure::new("unsigned", "cannot write the evidence").with_chain(&it))?;
    let file = args.output.as_ref().map(|it| context.env.absolute(it));
    if let Some(file) = &file {
        replace_file(file, &bytes, Readers::Everyone)?;
    }
    let submitted = if args.submit {
        Some(submit(&signed, context).await?)
    } else {
        None
    };
    let Evidence { target, passed, .. } = tried.evidence;
    Ok(Tested {
        name,
        passed,
        target: target.to_string(),
        evidence: Digest::of(&bytes),
        file,
        submitted,
        runs: tried.ran,
    })
}

async fn submit(signed: &SignedEvidence, context: &Context) -> Outcome<EvidenceAccepted> {
    WriteClient::open(context)
        .await?
        .submit_evidence(signed)
        .await
}

/// Prints what a test gave.
pub(crate) fn show(tested: &Tested, context: &Context) -> Outcome<()> {
    context.output.result(tested, |out| {
        let mut table = Table::new(["RUN", "OF", "COMING FROM", "RESULT", "TIME"]);
        for it in &tested.runs {
            let from = it.run.from.as_ref().map(ToString::to_string);
            table.row([
                it.run.what.as_str().to_owned(),
                it.run.name.clone(),
                from.unwrap_or_default(),
                if it.run.passed { "ok" } else { "FAILED" }.to_owned(),
                format!("{} ms", it.run.milliseconds),
            ]);
        }
        table.write(out)?;
        for it in tested.runs.iter().filter(|it| !it.run.passed) {
            let exit = it
                .run
                .exit
                .map_or("no exit".to_owned(), |it| format!("exit {it}"));
            writeln!(
                out,
                "\n`{}` ({exit}) printed last:",
                it.run.command.join(" ")
            )?;
            for line in it.tail.as_deref().unwrap_or_default().lines() {
                writeln!(out, "  {}", crate::commands::info::printable(line))?;
            }
        }
        let word = if tested.passed {
            context.output.good("passed")
        } else {
            context.output.bad("failed")
        };
        writeln!(out, "\n{} {word} on {}", tested.name, tested.target)?;
        write!(out, "evidence {}", tested.evidence.prefixed())?;
        if let Some(file) = &tested.file {
            write!(out, " in {}", file.display())?;
        }
        match &tested.submitted {
            Some(it) => writeln!(out, ", signed by {} and submitted", it.tester),
            None => writeln!(out, ", not submitted"),
        }
    })
}
