//! Carrying an intent out: plan, fetch and unpack, prepare, lock, apply, say what happened.
//!
//! The plan is made without the lock, so that a refusal writes nothing at all, and made
//! again under it when another writer came first. What changes the prefix is
//! `provisioning-installers`' business; this is the order of things around it.

mod consent;
mod landing;
mod neighbours;
mod requirements;
mod shown;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use provisioning_installers::{
    Applied, ApplyContext, Choice, Generation, Holder, InstallError, Observer, Plan, Prefix,
    Prepared, Staging, WriterLock, apply, current_if_whole, missing, prepare, recover,
};
use provisioning_package::{Digest, Version};

use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::Bar;
use crate::planning::{Intent, Registry};
use crate::registry::cache_contents::enforce_cap;
use crate::registry::{WantedArchive, take_cached};

pub(crate) use requirements::{Commands, missing_commands};

/// Whether to do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Do it.
    Do,
    /// Only say what would be done, and write nothing.
    DryRun,
}

impl Mode {
    /// The mode that `--dry-run` asks for.
    pub(crate) const fn of(dry_run: bool) -> Self {
        if dry_run { Self::DryRun } else { Self::Do }
    }
}

/// Whether somebody at a terminal is asked before it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Consent {
    /// The command was enough.
    Given,
    /// Show what would change, and ask.
    Asked,
}

/// Carries an intent out and prints the result.
pub(crate) async fn carry_out(intent: &Intent, mode: Mode, context: &Context) -> Outcome<Exit> {
    carry_out_with(intent, mode, Consent::Given, context).await
}

/// The same, once whoever sits at the terminal agrees to the plan.
pub(crate) async fn carry_out_with(
    intent: &Intent,
    mode: Mode,
    consent: Consent,
    context: &Context,
) -> Outcome<Exit> {
    let prefix = open_prefix(context, mode)?;
    let mut registry = match mode {
        Mode::Do => Registry::new(),
        Mode::DryRun => Registry::without_traces(),
    };
    let current = current_if_whole(&prefix)?;
    let mut plan = intent
        .plan(context, &mut registry, current.as_ref())
        .await?;
    let mut generation = None;
    let mut was_agreed = false;
    if mode == Mode::DryRun {
        if missing(&prefix, &plan).is_empty() {
            let prepared = prepare(&prefix, &plan, None)?;
            warn_of_commands(&mut plan, &prepared, context);
        }
    } else if plan.is_empty() {
        generation = current.as_ref().map(|it| it.generation);
    } else {
        if consent == Consent::Asked {
            was_agreed = consent::agree(&plan, current.as_ref(), &prefix, context)?;
        }
        let applied = execute(intent, &mut plan, &prefix, &mut registry, context).await?;
        plan.warnings.extend(applied.notes);
        generation = applied.generation;
    }
    let shown = shown::Shown {
        plan: &plan,
        before: current.as_ref(),
        generation,
        mode,
        was_agreed,
    };
    shown::show(&shown, context)?;
    Ok(Exit::Done)
}

/// Carries an intent out without printing a result: a step of another command.
pub(crate) async fn ensure(intent: &Intent, context: &Context) -> Outcome<()> {
    let prefix = open_prefix(context, Mode::Do)?;
    let mut registry = Registry::new();
    let current = current_if_whole(&prefix)?;
    let mut plan = intent
        .plan(context, &mut registry, current.as_ref())
        .await?;
    if !plan.is_empty() {
        execute(intent, &mut plan, &prefix, &mut registry, context).await?;
    }
    for warning in &plan.warnings {
        context.output.warning(warning);
    }
    Ok(())
}

/// The prefix of this run. What a killed run left unfinished is finished first, if that
/// can be done without waiting.
pub(crate) fn open_prefix(context: &Context, mode: Mode) -> Outcome<Prefix> {
    let prefix = Prefix::new(context.settings.prefix()?);
    if mode == Mode::Do {
        recover(&prefix, &holder("recover", context));
    }
    Ok(prefix)
}

/// What is installed. Where the link that says so is lost, that is no empty prefix.
pub(crate) fn installed_now(context: &Context) -> Outcome<Option<Generation>> {
    Ok(current_if_whole(&open_prefix(context, Mode::Do)?)?)
}

async fn execute(
    intent: &Intent,
    plan: &mut Plan,
    prefix: &Prefix,
    registry: &mut Registry,
    context: &Context,
) -> Outcome<Applied> {
    let alone = Prefix::new(prefix.root());
    let shares = neighbours::sharing(prefix, plan, context);
    let mut prefix = &shares;
    let mut ready = make_ready(plan, (&mut prefix, &alone), None, registry, context).await?;
    let lock = lock(prefix, &intent.reason(), context)?;
    let found = prefix.current_number()?;
    let is_gone = |it: &&Choice| !ready.has(&it.digest);
    if found != plan.base || missing(prefix, plan).iter().any(is_gone) {
        // Another writer came first, or `gc` took what lay in the store. Under the lock
        // nobody can come again.
        let current = prefix.current_generation()?;
        *plan = intent.plan(context, registry, current.as_ref()).await?;
        let staged = ready.staging;
        ready = make_ready(plan, (&mut prefix, &alone), staged, registry, context).await?;
    }
    warn_of_commands(plan, &ready.prepared, context);
    let mut applied = apply_shown(prefix, &lock, plan, &ready, context);
    if let Err(InstallError::NotShared(problem)) = &applied {
        // Its prefix let it go since it was looked at: nothing is wrong here.
        tracing::debug!("fetched after all: {problem}");
        prefix = &alone;
        let staged = ready.staging;
        ready = make_ready(plan, (&mut prefix, &alone), staged, registry, context).await?;
        applied = apply_shown(prefix, &lock, plan, &ready, context);
    }
    let applied = applied.map_err(|problem| how_far(problem.into(), prefix, plan))?;
    neighbours::remember(prefix, context);
    if let (Ok(cache), Some(cap)) = (context.settings.cache(), context.settings.cache_max_size) {
        enforce_cap(cache, cap, context.now());
    }
    Ok(applied)
}

/// A plan that only waits for the lock.
struct Ready {
    staging: Option<Arc<Staging>>,
    prepared: Prepared,
}

impl Ready {
    fn has(&self, digest: &Digest) -> bool {
        self.staging.as_ref().is_some_and(|it| it.has(digest))
    }
}

/// Fetches, unpacks and looks through what a plan needs and was not `staged` before; what
/// other prefixes have only as long as all of it can be taken there.
async fn make_ready<'a>(
    plan: &Plan,
    (prefix, alone): (&mut &'a Prefix, &'a Prefix),
    mut staging: Option<Arc<Staging>>,
    registry: &mut Registry,
    context: &Context,
) -> Outcome<Ready> {
    loop {
        staging = landing::stage(plan, prefix, staging, registry, context).await?;
        let look = || prepare(prefix, plan, staging.as_deref());
        match tokio::task::block_in_place(look) {
            Ok(prepared) => return Ok(Ready { staging, prepared }),
            Err(InstallError::NotShared(_)) if *prefix != alone => *prefix = alone,
            Err(problem) => return Err(problem.into()),
        }
    }
}

/// Applies a plan and shows that it is at work.
fn apply_shown(
    prefix: &Prefix,
    lock: &WriterLock,
    plan: &Plan,
    ready: &Ready,
    context: &Context,
) -> Result<Applied, InstallError> {
    let count = missing(prefix, plan).len();
    let progress = context.output.progress();
    let storing = Storing {
        _bar: progress.spinner(&format!("storing {count} packages")),
    };
    let apply_context = ApplyContext {
        staging: ready.staging.as_deref(),
        adopting: None,
        now: context.now(),
        client: client_version(),
        observer: &storing,
    };
    tokio::task::block_in_place(|| apply(prefix, lock, plan, &ready.prepared, &apply_context))
}

/// A failure says whether the switch had happened by then.
fn how_far(failure: Failure, prefix: &Prefix, plan: &Plan) -> Failure {
    match prefix.current_number() {
        Ok(Some(now)) if Some(now) != plan.base => failure.with_changed(format!(
            "generation {now} is current; the next command finishes what is left to do"
        )),
        _ => failure,
    }
}

struct Storing {
    _bar: Bar,
}

impl Observer for Storing {
    fn unpacked(&self, choice: &Choice) {
        tracing::debug!("unpacked {} {}", choice.name, choice.version);
    }

    fn reached(&self, step: provisioning_installers::Step) {
        tracing::debug!("reached {step:?}");
    }
}

/// Fetches the archives of `choices`: from the cache where it has all of them.
pub(crate) async fn fetch_choices(
    choices: &[&Choice],
    registry: &mut Registry,
    context: &Context,
) -> Outcome<BTreeMap<Digest, PathBuf>> {
    let wanted: Vec<WantedArchive> = choices.iter().map(|it| landing::wanted(it)).collect();
    let cached = take_cached(context.settings.cache()?, &wanted).await?;
    let paths = if let Some(paths) = cached {
        paths
    } else {
        let reader = registry.reader(context).await?;
        reader.fetch_archives(&wanted).await?
    };
    Ok(wanted.into_iter().map(|it| it.digest).zip(paths).collect())
}

/// The right to write to a prefix; `reason` is what whoever waits for us is told.
pub(crate) fn lock(prefix: &Prefix, reason: &str, context: &Context) -> Outcome<WriterLock> {
    let patience = context.settings.lock_timeout;
    let patience = Duration::try_from(patience).unwrap_or(Duration::ZERO);
    let holder = holder(reason, context);
    let lock = tokio::task::block_in_place(|| {
        WriterLock::acquire(prefix, &holder, patience, &mut |other| {
            context.output.status(&format!("waiting for {other}"));
        })
    })?;
    Ok(lock)
}

/// What whoever waits for this run is told.
pub(crate) fn holder(command: &str, context: &Context) -> Holder {
    Holder {
        pid: Some(std::process::id()),
        command: Some(command.to_owned()),
        since: Some(context.now()),
    }
}

fn warn_of_commands(plan: &mut Plan, prepared: &Prepared, context: &Context) {
    let commands = Commands::of_path(&context.env);
    for warning in missing_commands(&prepared.requires(), &commands) {
        plan.warnings.push(warning.to_string());
    }
}

/// The version that we write into generations.
pub(crate) fn client_version() -> Version {
    env!("CARGO_PKG_VERSION")
        .parse()
        .expect("cargo checked the version of this crate")
}
