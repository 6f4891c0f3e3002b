//! `provisioning compat prove`: try some versions together, and write the row that says so.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::tz::TimeZone;
use provisioning_package::{BundleName, Kind, PackageName, Selector, Spec, Version, VersionReq};
use provisioning_registry_api::command::{DeclaredMember, PublishBundle};
use provisioning_registry_api::evidence::EvidenceSubject;
use serde::Serialize;

use super::MatrixFile;
use crate::commands::bundle::{Desk, EvidenceArgs, Tested, TrialArgs, keep, show_test};
use crate::context::Context;
use crate::durable::{Readers, replace_file};
use crate::failure::{Exit, Failure, Outcome};
use crate::matrix_edit::{NewBound, put_bounds};
use crate::registry::RegistryReader;
use crate::trial::{Course, Definition};
use crate::write_api::WriteClient;

/// What a proof is called in the registry that it is made in.
const PROOF: &str = "proof";

/// Try versions together, and write what was proved into `versions.toml`
///
/// Installs them into a scratch prefix, runs every member's `[test] smoke` and the given
/// checks, and adds rows that say that they go together: `core 3.3.0` with `platform ^2.6`
/// and the other way round. The evidence is signed, kept beside the file in `evidence/`, and
/// named above the new rows. Where a run fails, nothing is written.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  provisioning compat prove core@3.3.0 platform@2.6.0\n  \
                  provisioning compat prove core@3.3.0 platform@2.6.0 --tests-of stable-3.2 --push"
)]
pub(crate) struct Args {
    /// Exact versions: `core@3.3.0`
    #[arg(required = true, num_args = 2.., value_name = "SPEC")]
    specs: Vec<String>,
    #[command(flatten)]
    trial: TrialArgs,
    /// Run the checks of this bundle too
    #[arg(long, value_name = "BUNDLE", value_parser = BundleName::parse)]
    tests_of: Option<BundleName>,
    /// Run this command too, with the versions' commands on PATH
    #[arg(long = "check", value_name = "COMMAND")]
    checks: Vec<String>,
    /// Write `=2.6.0` instead of `^2.6`: nothing is said of versions that come later
    #[arg(long)]
    exact: bool,
    /// Make the file the matrix in force
    #[arg(long)]
    push: bool,
    #[command(flatten)]
    evidence: EvidenceArgs,
}

#[derive(Serialize)]
struct Proved {
    #[serde(flatten)]
    tested: Tested,
    /// The bounds that were added to the file.
    bounds: Vec<ShownBound>,
    pushed: bool,
}

#[derive(Serialize)]
struct ShownBound {
    name: PackageName,
    version: Version,
    on: PackageName,
    requirement: String,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    let members = members(&args.specs)?;
    let path = context.env.absolute(&args.trial.file.file);
    let file = MatrixFile::read(&path, context)?;
    let bounds = bounds(&members, &file, args.exact)?;
    let before = file.text.clone();
    let trial_text =
        super::merge::with_companion(&put_bounds(&before, &bounds, "proof")?, file.companion())?;
    let mut desk = Desk::open(&args.trial.file, context).await?;
    let definition = definition(&members, args, &mut desk, context).await?;
    let material = desk
        .material(&[&definition], &args.trial.archives, context)
        .await?;
    let specs: Vec<String> = members
        .iter()
        .map(|(name, it)| format!("{name}@{it}"))
        .collect();
    let course = Course {
        material: &material,
        matrix: &trial_text,
        reader: desk.reader.as_ref(),
        definition: &definition,
        subject: EvidenceSubject::Packages(specs.clone()),
        older: Vec::new(),
        patience: args.trial.timeout,
    };
    let tried = course.run(context).await?;
    let mut evidence = args.evidence.clone();
    // Where nothing is added, nothing in the file would name it.
    if evidence.output.is_none() && tried.evidence.passed && !bounds.is_empty() {
        evidence.output = Some(evidence_file(
            &path,
            &members,
            &tried.evidence.target.to_string(),
        ));
    }
    let tested = keep(specs.join(" "), tried, &evidence, context).await?;
    let mut pushed = false;
    if tested.passed {
        let day = context.now().to_zoned(TimeZone::UTC).date();
        let digest = tested.evidence.prefixed();
        let comment = format!("proved on {}, {day}: {digest}", tested.target);
        let after = put_bounds(&before, &bounds, &comment)?;
        if after != before {
            replace_file(&path, after.as_bytes(), Readers::Everyone)?;
        }
        if args.push {
            push(&args.trial.file.file, context).await?;
            pushed = true;
        }
    }
    let passed = tested.passed;
    let shown = bounds.into_iter().map(|it| ShownBound {
        name: it.name,
        version: it.version,
        on: it.on,
        requirement: it.requirement,
    });
    let document = Proved {
        tested,
        bounds: if passed { shown.collect() } else { Vec::new() },
        pushed,
    };
    show(&document, context)?;
    Ok(if passed { Exit::Done } else { Exit::Failed })
}

fn show(document: &Proved, context: &Context) -> Outcome<()> {
    if context.output.is_json() {
        return context.output.result(document, |_| Ok(()));
    }
    show_test(&document.tested, context)?;
    context.output.result(document, |out| {
        for it in &document.bounds {
            writeln!(
                out,
                "{} {} goes with {} {}",
                it.name, it.version, it.on, it.requirement
            )?;
        }
        if document.pushed {
            writeln!(out, "the matrix is pushed")?;
        }
        Ok(())
    })
}

/// The exact versions that were named.
fn members(specs: &[String]) -> Outcome<BTreeMap<PackageName, Version>> {
    let mut members = BTreeMap::new();
    for text in specs {
        let spec: Spec = text.parse()?;
        match (spec.as_package(), spec.selector()) {
            (Some(name), Selector::Exact(version)) if name.kind() != Kind::Client => {
                members.insert(name, version.clone());
            }
            _ => {
                return Err(Failure::usage(format!(
                    "`{text}` is no exact version of a package: write `core@3.3.0`"
                )));
            }
        }
    }
    if members.len() < specs.len() {
        return Err(Failure::usage("a package is named more than once"));
    }
    Ok(members)
}

/// What the rows will say; a bound that is there already must let the version in.
fn bounds(
    members: &BTreeMap<PackageName, Version>,
    file: &MatrixFile,
    exact: bool,
) -> Outcome<Vec<NewBound>> {
    let mut bounds = Vec::new();
    for (name, version) in members {
        for (on, other) in members.iter().filter(|(on, _)| *on != name) {
            // First-party rows do not list extensions one by one.
            if on.kind() == Kind::Extension && name.kind() != Kind::Extension {
                continue;
            }
            let row = file.read.matrix.row(name, version);
            let known = row.and_then(|it| it.bounds.iter().find(|it| it.key == on.as_str()));
            match known {
                Some(known) if known.req.matches(other) => {}
                Some(known) => {
                    return Err(Failure::new(
                        "row-contradicts",
                        format!(
                            "versions.toml:{}: the row of {name} {version} wants {on} {}, which is not {other}",
                            known.line, known.req
                        ),
                    )
                    .with_hint("change that row by hand where it is wrong; nothing was changed"));
                }
                None => bounds.push(NewBound {
                    name: name.clone(),
                    version: version.clone(),
                    on: on.clone(),
                    requirement: requirement(other, exact),
                }),
            }
        }
    }
    Ok(bounds)
}

fn requirement(version: &Version, exact: bool) -> String {
    let wide = format!("^{}.{}", version.major, version.minor);
    let lets_in = VersionReq::parse(&wide).is_ok_and(|it| it.matches(version));
    if exact || !lets_in {
        format!("={version}")
    } else {
        wide
    }
}

async fn definition(
    members: &BTreeMap<PackageName, Version>,
    args: &Args,
    desk: &mut Desk,
    context: &Context,
) -> Outcome<Definition> {
    let mut tests = BTreeMap::new();
    let mut folder = context
        .env
        .absolute(&args.trial.file.file)
        .parent()
        .map(PathBuf::from);
    if let Some(bundle) = &args.tests_of {
        let found = desk.define(bundle, context).await?;
        tests = found.tests;
        folder = found.folder.or(folder);
    }
    for (place, check) in args.checks.iter().enumerate() {
        tests.insert(format!("check-{}", place + 1), vec![check.clone()]);
    }
    let members = members.iter().map(|(name, version)| DeclaredMember {
        name: name.clone(),
        version: version.clone(),
        required: true,
    });
    Ok(Definition {
        name: BundleName::parse(PROOF).map_err(|it| Failure::usage(it.to_string()))?,
        request: PublishBundle {
            title: "Proof".to_owned(),
            release_date: None,
            lts_until: None,
            targets: Vec::new(),
            members: members.collect(),
            upgrades_from: Vec::new(),
            state: None,
        },
        tests,
        folder,
    })
}

/// `evidence/core-3.3.0_platform-2.6.0_linux-x86_64.json`, beside the matrix.
fn evidence_file(
    matrix: &std::path::Path,
    members: &BTreeMap<PackageName, Version>,
    target: &str,
) -> PathBuf {
    let members = members.iter().map(|(name, it)| format!("{name}-{it}"));
    let parts: Vec<String> = members.chain([target.to_owned()]).collect();
    let folder = matrix.with_file_name("evidence");
    folder.join(format!("{}.json", parts.join("_")))
}

async fn push(file: &std::path::Path, context: &Context) -> Outcome<()> {
    let text = MatrixFile::read(file, context)?.merged()?;
    let served = RegistryReader::open(context).await?.matrix().await?;
    let api = WriteClient::open(context).await?;
    api.push_matrix(served.digest, text).await?;
    Ok(())
}
