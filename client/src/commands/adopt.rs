//! `provisioning adopt`: take over what somebody unpacked by hand.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use provisioning_installers::{
    ApplyContext, Choice, Compared, NewState, Prefix, Requests, Silent, Staging, StandingTree,
    TakeOver, apply, compare, find_trees, missing, plan, prepare_over, recover, take_over,
};
use provisioning_package::{Digest, PackageName, Selector, Spec, Target, Version, unpack_archive};
use serde::Serialize;
use tempfile::TempDir;

use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::planning::Registry;
use crate::transaction::{Mode, client_version, fetch_choices, holder, lock, open_prefix};

/// Takes over what stands in the prefix and no generation manages, as generation 1.
///
/// For archives that were unpacked by hand, and installations of an older tool. Each folder
/// with a `manifest.toml` is compared, file by file, with the registry's archive of that
/// version. What is the same becomes part of generation 1. What you changed is kept:
/// configuration in `etc/provisioning`, everything else under `lib/provisioning/adopted`.
/// What no archive has is not touched; where it stands in the way, nothing is done at all
/// unless `--set-aside` is given.
///
/// A folder without a manifest is found if you name what it is: `adopt core@3.1.0`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to take over, `NAME` or `NAME@VERSION`; everything that is found if left out
    #[arg(value_name = "SPEC")]
    specs: Vec<String>,
    /// Say what would be taken over, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Move files of others that stand in the way under `lib/provisioning/adopted`
    #[arg(long)]
    set_aside: bool,
}

#[derive(Serialize)]
struct Document<'a> {
    dry_run: bool,
    generation: Option<u64>,
    packages: &'a [Compared],
    unknown: &'a [Unknown],
    #[serde(flatten)]
    over: &'a TakeOver,
}

/// A folder that looks like a package, and no archive can be compared with it.
#[derive(Serialize)]
struct Unknown {
    name: PackageName,
    version: Option<Version>,
    root: PathBuf,
    reason: String,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    let mode = Mode::of(args.dry_run);
    let prefix = open_prefix(context, mode)?;
    if let Some(number) = prefix.current_number()? {
        let message = format!("generation {number} manages this prefix already");
        return Err(Failure::new("already-managed", message)
            .with_hint("`provisioning list` shows what is installed; nothing was changed"));
    }
    let wanted = versions_asked_for(&args.specs)?;
    let named: Vec<_> = wanted.keys().cloned().collect();
    let mut trees = tokio::task::block_in_place(|| find_trees(&prefix, &named))?;
    trees.retain(|it| wanted.is_empty() || wanted.contains_key(&it.name));
    refuse_what_is_not_there(&trees, &named, &prefix)?;
    let scratch = scratch_folder()?;
    let quiet;
    let (mut registry, fetching) = match mode {
        Mode::Do => (Registry::new(), context),
        Mode::DryRun => {
            quiet = context.caching_in(scratch.path().join("cache"));
            (Registry::without_traces(), &quiet)
        }
    };
    let (known, unknown) = choose(&trees, &wanted, &mut registry, fetching).await?;
    let choices: Vec<&Choice> = known.iter().map(|(_, it)| it).collect();
    let archives = fetch_choices(&choices, &mut registry, fetching).await?;
    let (compared, over) =
        tokio::task::block_in_place(|| look(&prefix, &known, &archives, &scratch, args.set_aside))?;
    let generation = match mode {
        Mode::DryRun => None,
        Mode::Do if compared.is_empty() => return Err(nothing_known(&unknown)),
        Mode::Do => {
            refuse_strangers(&over)?;
            tokio::task::block_in_place(|| {
                carry_out(&prefix, &compared, &over, &archives, context)
            })?
        }
    };
    let document = Document {
        dry_run: args.dry_run,
        generation,
        packages: &compared,
        unknown: &unknown,
        over: &over,
    };
    show(&document, context)?;
    Ok(Exit::Done)
}

/// The packages that were named, with the version where one was.
fn versions_asked_for(specs: &[String]) -> Outcome<BTreeMap<PackageName, Option<Version>>> {
    let mut wanted = BTreeMap::new();
    for text in specs {
        let spec: Spec = text.parse()?;
        let Some(name) = spec.as_package() else {
            return Err(
                Failure::usage(format!("`{text}` is a bundle, not a package"))
                    .with_hint("name packages: `provisioning adopt core@3.1.0`"),
            );
        };
        let version = match spec.selector() {
            Selector::Exact(version) => Some(version.clone()),
            Selector::Any | Selector::Latest | Selector::Requirement(_) => None,
        };
        wanted.insert(name, version);
    }
    Ok(wanted)
}

fn refuse_what_is_not_there(
    trees: &[StandingTree],
    named: &[PackageName],
    prefix: &Prefix,
) -> Outcome<()> {
    let absent = named
        .iter()
        .find(|it| trees.iter().all(|tree| tree.name != **it));
    if let Some(name) = absent {
        let message = format!("no `{name}` stands in `{}`", prefix.root().display());
        return Err(Failure::new("not-found", message)
            .with_hint("`provisioning adopt --dry-run` lists what is found; nothing was changed"));
    }
    let twice = trees.windows(2).find(|it| it[0].name == it[1].name);
    match twice {
        Some([one, two]) => Err(Failure::new(
            "found-twice",
            format!("`{}` stands in this prefix twice", one.name),
        )
        .with_cause(format!("`{}`", one.root.display()))
        .with_cause(format!("`{}`", two.root.display()))
        .with_hint("move the one that is not used away; nothing was changed")),
        _ if trees.is_empty() => Err(nothing_known(&[])),
        _ => Ok(()),
    }
}

fn nothing_known(unknown: &[Unknown]) -> Failure {
    let failure = Failure::new("nothing-to-adopt", "nothing here can be taken over")
        .with_causes(unknown.iter().map(|it| it.reason.clone()));
    failure
        .with_hint("name what stands here without a manifest: `provisioning adopt core@3.1.0`")
        .with_hint("`provisioning install` installs beside it; nothing was changed")
}

fn refuse_strangers(over: &TakeOver) -> Outcome<()> {
    if over.in_the_way.is_empty() {
        return Ok(());
    }
    let files = over.in_the_way.iter();
    Err(
        Failure::new("foreign-file", "files that no archive has stand in the way")
            .with_causes(files.map(|it| format!("`{}`", it.display())))
            .with_hint("move them away, or let `--set-aside` move them; nothing was changed"),
    )
}

fn scratch_folder() -> Outcome<TempDir> {
    let folder = tempfile::Builder::new().prefix("provisioning-").tempdir();
    folder.map_err(|it| Failure::no_scratch(&it))
}

/// What the registry knows of each tree.
async fn choose(
    trees: &[StandingTree],
    wanted: &BTreeMap<PackageName, Option<Version>>,
    registry: &mut Registry,
    context: &Context,
) -> Outcome<(Vec<(StandingTree, Choice)>, Vec<Unknown>)> {
    let machine = Target::host().unwrap_or(Target::Any);
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for tree in trees {
        let reader = registry.reader(context).await?;
        let entry = reader.entry(&tree.name).await?;
        let asked = wanted.get(&tree.name).cloned().flatten();
        let version = asked.or_else(|| tree.version.clone());
        let found = entry
            .as_ref()
            .zip(version.as_ref())
            .and_then(|(entry, version)| {
                let of = entry.versions.iter().find(|it| it.version == *version)?;
                of.archives.iter().find(|it| it.target.runs_on(machine))
            });
        let (Some(archive), Some(version)) = (found, version.clone()) else {
            let name = &tree.name;
            let reason = match (&entry, version) {
                (None, _) => format!("the registry has no `{name}`"),
                (_, None) => format!("`{name}` has no manifest here: say which version it is"),
                (_, Some(version)) => format!("the registry has no `{name}` {version} for here"),
            };
            unknown.push(Unknown {
                name: name.clone(),
                version: tree.version.clone(),
                root: tree.root.clone(),
                reason,
            });
            continue;
        };
        let choice = Choice {
            kind: tree.name.kind(),
            name: tree.name.clone(),
            version,
            target: archive.target,
            digest: archive.digest,
            size: archive.size,
            unpacks: None,
        };
        known.push((tree.clone(), choice));
    }
    Ok((known, unknown))
}

/// Compares every tree with its archive, which is unpacked elsewhere for that.
fn look(
    prefix: &Prefix,
    known: &[(StandingTree, Choice)],
    archives: &BTreeMap<Digest, PathBuf>,
    scratch: &TempDir,
    set_aside: bool,
) -> Outcome<(Vec<Compared>, TakeOver)> {
    let mut compared = Vec::new();
    for (tree, choice) in known {
        let folder = scratch.path().join(choice.digest.hex());
        let unpacked = unpack_archive(&archives[&choice.digest], &folder)?;
        let of = (&unpacked.report, &unpacked.digests);
        compared.push(compare(tree, choice.clone(), of.0, of.1)?);
    }
    let over = take_over(prefix, &mut compared, set_aside)?;
    Ok((compared, over))
}

fn carry_out(
    prefix: &Prefix,
    compared: &[Compared],
    over: &TakeOver,
    archives: &BTreeMap<Digest, PathBuf>,
    context: &Context,
) -> Outcome<Option<u64>> {
    let mut requests = Requests::default();
    for it in compared {
        requests.ask(it.name.clone(), it.name.as_str());
    }
    let names: Vec<_> = compared.iter().map(|it| it.name.as_str()).collect();
    let reason = format!("adopt {}", names.join(" "));
    let packages = compared.iter().map(|it| it.choice().clone()).collect();
    let plan = plan(
        None,
        NewState {
            packages,
            requests,
            reason: reason.clone(),
            warnings: Vec::new(),
        },
    );
    let staging = Staging::of_files(prefix, &missing(prefix, &plan), archives)?;
    let prepared = prepare_over(prefix, &plan, Some(&staging), Some(over))?;
    let lock = lock(prefix, &reason, context)?;
    let apply_context = ApplyContext {
        staging: Some(&staging),
        adopting: Some(over),
        now: context.now(),
        client: client_version(),
        observer: &Silent,
    };
    let applied = apply(prefix, &lock, &plan, &prepared, &apply_context);
    if applied.is_err() {
        // What moved moves back now, not only with the next command.
        drop(lock);
        recover(prefix, &holder("adopt", context));
    }
    Ok(applied?.generation)
}

impl Document<'_> {
    /// Whether a file that is not ours is let alone.
    fn stays(&self, path: &Path) -> bool {
        let moves = self.over.saved.iter().any(|it| it.from == path);
        !moves && !self.over.in_the_way.iter().any(|it| it == path)
    }
}

fn show(document: &Document<'_>, context: &Context) -> Outcome<()> {
    context.output.result(document, |out| {
        let would = if document.dry_run {
            "would take"
        } else {
            "took"
        };
        for it in document.packages {
            let (name, version) = (&it.name, &it.version);
            let root = it.root.display();
            writeln!(out, "{would} over {name} {version} from `{root}`")?;
            let counts = [
                ("the same", it.same),
                ("changed", it.changed.len()),
                ("missing", it.missing.len()),
                ("not ours", it.foreign.len()),
            ];
            let words: Vec<_> = counts
                .iter()
                .filter(|(_, count)| *count > 0)
                .map(|(word, count)| format!("{count} {word}"))
                .collect();
            writeln!(out, "  files: {}", words.join(", "))?;
            for path in it.foreign.iter().filter(|it| document.stays(it)) {
                writeln!(out, "  not ours, stays: `{}`", path.display())?;
            }
        }
        for it in document.unknown {
            writeln!(out, "left alone `{}`: {}", it.root.display(), it.reason)?;
        }
        for it in &document.over.saved {
            let (from, to) = (it.from.display(), it.to.display());
            writeln!(out, "kept `{from}` as `{to}`")?;
        }
        for it in &document.over.in_the_way {
            writeln!(
                out,
                "in the way: `{}` (`--set-aside` moves it)",
                it.display()
            )?;
        }
        match document.generation {
            Some(number) => writeln!(out, "generation {number} is current"),
            None => writeln!(out, "nothing was changed"),
        }
    })
}
