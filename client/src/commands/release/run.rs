//! `provisioning release run`: build, test, publish and bundle what is planned.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::tz::TimeZone;
use provisioning_bundles::release::Bump;
use provisioning_package::{BundleName, Kind, PackageName, Version};
use serde::Serialize;

use super::WorkplaceArgs;
use crate::commands::MatrixFile;
use crate::commands::bundle::refuse_linked_names;
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::registry::RegistryReader;
use crate::releasing::{Journal, Record, Runner, Workplace, abandon, parse_bump, steps_of};
use crate::trial::define;

/// Release what is planned: build, test, prove, publish, tag and bundle, in this order
///
/// Everything that was done is written down in `.release/`. A run that failed or was killed
/// goes on where it stopped when it is run again, and does nothing twice. The bundle that
/// comes of it is published as `testing` where the registry has testers:
/// `provisioning bundle promote` moves it on.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: provisioning release run --bump core=minor")]
pub(crate) struct Args {
    #[command(flatten)]
    workplace: WorkplaceArgs,
    /// Move a package this far, whatever was committed: `core=minor`
    #[arg(long = "bump", value_name = "NAME=BUMP", value_parser = parse_bump)]
    bumps: Vec<(PackageName, Bump)>,
    /// The bundle that comes of it [default: made from the core's version]
    #[arg(long, value_name = "BUNDLE", value_parser = BundleName::parse)]
    bundle: Option<BundleName>,
    /// Publish the packages and make no bundle
    #[arg(long, conflicts_with = "bundle")]
    no_bundle: bool,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Forget the run that is open; what it published stays
    #[arg(long)]
    abandon: bool,
}

#[derive(Serialize)]
struct Document {
    versions: BTreeMap<PackageName, Version>,
    bundle: Option<BundleName>,
    steps: Vec<Step>,
    /// Whether all of it is done.
    done: bool,
    journal: Option<PathBuf>,
}

#[derive(Serialize)]
struct Step {
    name: String,
    result: Option<String>,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    let workplace = Workplace::open(args.workplace.release.as_deref(), context)?;
    if args.abandon {
        let was_open = abandon(&workplace.folder)?;
        let document = Document {
            versions: BTreeMap::new(),
            bundle: None,
            steps: Vec::new(),
            done: false,
            journal: None,
        };
        context.output.result(&document, |out| {
            let word = if was_open {
                "the run is forgotten"
            } else {
                "no run is open"
            };
            writeln!(out, "{word}")
        })?;
        return Ok(Exit::Done);
    }
    if args.dry_run {
        let record = begin(args, &workplace, context).await?;
        show(&record, None, context)?;
        return Ok(Exit::Done);
    }
    let (open, lock) = Journal::open(&workplace.folder)?;
    let record = if let Some(record) = open {
        context
            .output
            .note("a run is open here: it goes on where it stopped");
        record
    } else {
        let record = begin(args, &workplace, context).await?;
        check_clean(&record, &workplace)?;
        let names: Vec<PackageName> = record.versions.keys().cloned().collect();
        refuse_linked_names(&names, context)?;
        record
    };
    let journal = Journal::keep(&workplace.folder, record, lock)?;
    let runner = Runner {
        workplace: &workplace,
        journal,
        context,
    };
    let (record, kept) = tokio::task::block_in_place(|| runner.run())?;
    show(&record, Some(kept), context)?;
    Ok(Exit::Done)
}

fn show(record: &Record, journal: Option<PathBuf>, context: &Context) -> Outcome<()> {
    let document = Document {
        versions: record.versions.clone(),
        bundle: record.bundle.clone(),
        steps: record
            .steps
            .iter()
            .map(|it| Step {
                name: it.name.clone(),
                result: it.result.clone(),
            })
            .collect(),
        done: journal.is_some(),
        journal,
    };
    context.output.result(&document, |out| {
        let word = if document.done {
            "released"
        } else {
            "would release"
        };
        let versions = document
            .versions
            .iter()
            .map(|(name, it)| format!("{name} {it}"));
        let versions: Vec<String> = versions.collect();
        writeln!(out, "{word} {}", versions.join(", "))?;
        for step in &document.steps {
            match &step.result {
                Some(result) => writeln!(out, "  {}: {result}", step.name)?,
                None => writeln!(out, "  {}", step.name)?,
            }
        }
        if let (true, Some(bundle)) = (document.done, &document.bundle) {
            writeln!(
                out,
                "`provisioning bundle promote {bundle}` moves it to its next state"
            )?;
        }
        Ok(())
    })
}

/// What a new run would do.
async fn begin(args: &Args, workplace: &Workplace, context: &Context) -> Outcome<Record> {
    let bumps: BTreeMap<PackageName, Bump> = args.bumps.iter().cloned().collect();
    let plan = workplace.plan(&bumps)?;
    let ready = plan.packages.iter().filter(|it| it.waits_for.is_empty());
    let versions: BTreeMap<PackageName, Version> = ready
        .filter_map(|it| Some((it.name.clone(), it.to.clone()?)))
        .collect();
    if versions.is_empty() {
        let waiting = plan.packages.iter().filter(|it| it.to.is_some());
        let waiting = waiting.map(|it| {
            let others: Vec<&str> = it.waits_for.iter().map(PackageName::as_str).collect();
            format!("{} waits for {}", it.name, others.join(", "))
        });
        return Err(
            Failure::new("nothing-to-release", "there is nothing to release now")
                .with_causes(waiting)
                .with_hint(
                    "`provisioning release plan` shows why; `--bump NAME=BUMP` decides otherwise",
                ),
        );
    }
    let order: Vec<PackageName> = workplace
        .config
        .in_order()
        .into_iter()
        .map(|(name, _)| name.clone())
        .filter(|it| versions.contains_key(it))
        .collect();
    let base = if args.no_bundle {
        None
    } else {
        base(workplace, context).await?
    };
    let bundle = if args.no_bundle {
        None
    } else {
        Some(bundle_name(args, workplace, &versions, base.as_ref())?)
    };
    let proof = proof(&versions, base.as_ref());
    let steps = steps_of(
        workplace,
        &order,
        bundle.is_some(),
        !proof.is_empty() && bundle.is_some(),
    );
    let day = context.now().to_zoned(TimeZone::UTC).date();
    let names = (bundle, base.map(|it| it.0));
    let mut record = Record::new(context.now(), versions, names, day.to_string(), steps);
    record.proof = proof;
    Ok(record)
}

type Base = (BundleName, BTreeMap<PackageName, Version>);

/// The bundle that the next begins with: the one that `release.toml` names, else the newest
/// draft.
async fn base(workplace: &Workplace, context: &Context) -> Outcome<Option<Base>> {
    let path = workplace.folder.join(&workplace.config.versions);
    let file = MatrixFile::read(&path, context)?;
    let named = workplace
        .config
        .from
        .as_deref()
        .map(BundleName::parse)
        .transpose();
    let named = named.map_err(|it| Failure::new("invalid-release", it.to_string()))?;
    let newest = || {
        let drafts = file.read.bundles.iter();
        let of_core = |members: &[(PackageName, Version)]| {
            let core = members.iter().find(|(name, _)| name.kind() == Kind::Core);
            core.map(|(_, version)| version.clone())
        };
        let newest = drafts.max_by_key(|(_, it)| (of_core(&it.members), it.release_date));
        newest.map(|(name, _)| name.clone())
    };
    let Some(name) = named.or_else(newest) else {
        return Ok(None);
    };
    let mut reader = match context.settings.registry_if_set() {
        Some(_) => Some(RegistryReader::open(context).await?),
        None => None,
    };
    let found = define(
        &name,
        (path.as_path(), Some(&file)),
        reader.as_mut(),
        context,
    )
    .await?;
    let members = found.members().into_iter().collect();
    Ok(Some((found.name, members)))
}

fn bundle_name(
    args: &Args,
    workplace: &Workplace,
    versions: &BTreeMap<PackageName, Version>,
    base: Option<&Base>,
) -> Outcome<BundleName> {
    if let Some(name) = &args.bundle {
        return Ok(name.clone());
    }
    let core = PackageName::of_kind(Kind::Core);
    let core = core.as_ref().and_then(|name| {
        let new = versions.get(name);
        new.or_else(|| base.and_then(|it| it.1.get(name)))
    });
    let Some(core) = core else {
        return Err(
            Failure::usage("no core is released, so the bundle has no name by itself")
                .with_hint("name it with `--bundle`, or make none with `--no-bundle`"),
        );
    };
    let name = workplace
        .config
        .bundle
        .replace("{major}", &core.major.to_string())
        .replace("{minor}", &core.minor.to_string())
        .replace("{patch}", &core.patch.to_string());
    BundleName::parse(&name).map_err(|it| Failure::new("invalid-release", it.to_string()))
}

/// What is proved before anything is public: the first-party packages that the bundle will
/// have, where one of them is new.
fn proof(versions: &BTreeMap<PackageName, Version>, base: Option<&Base>) -> Vec<String> {
    let is_proved = |name: &PackageName| matches!(name.kind(), Kind::Core | Kind::Platform);
    if !versions.keys().any(is_proved) {
        return Vec::new();
    }
    let mut all: BTreeMap<PackageName, Version> = base.map(|it| it.1.clone()).unwrap_or_default();
    all.extend(versions.clone());
    all.retain(|name, _| is_proved(name));
    if all.len() < 2 {
        return Vec::new();
    }
    all.iter()
        .map(|(name, it)| format!("{name}@{it}"))
        .collect()
}

/// What is not committed would not be in the release.
fn check_clean(record: &Record, workplace: &Workplace) -> Outcome<()> {
    for name in record.versions.keys() {
        let package = workplace.package(name)?;
        let git = workplace.git(package)?;
        let changed = git.text(&["status", "--porcelain", "--untracked-files=no"])?;
        if !changed.is_empty() {
            return Err(Failure::new(
                "not-committed",
                format!(
                    "`{}` has changes that are not committed",
                    git.folder().display()
                ),
            )
            .with_causes(changed.lines().take(10).map(str::to_owned))
            .with_hint("commit or stash them: a release is made of what is committed"));
        }
    }
    Ok(())
}
