//! `provisioning self update`: another version of this client.

use jiff::Timestamp;
use provisioning_package::{Kind, PackageName, Selector, Target, Version};
use provisioning_registry_api::index::{IndexEntry, IndexVersion, PackageState};
use serde::Serialize;

use super::installation::{Installation, PROGRAM, Purpose, running};
use super::switch;
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::registry::{RegistryReader, WantedArchive};

/// Move this client to its newest version
///
/// The new client comes through the same registry and the same trust as every package. It
/// is unpacked beside the current one, must run and tell its version, and becomes current
/// by one rename; the one before is kept, and `--rollback` goes back to it. No package is
/// touched.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// This version, or the newest that meets this requirement; also an older one
    #[arg(long, value_name = "V", conflicts_with = "rollback")]
    version: Option<String>,
    /// Only say whether there is something newer: exit status 100 if there is
    #[arg(long)]
    check: bool,
    /// Go back to the client before this one; no registry is asked
    #[arg(long, conflicts_with = "check")]
    rollback: bool,
}

#[derive(Serialize)]
struct Document {
    from: Version,
    to: Version,
    changed: bool,
    /// What `--rollback` would go back to.
    previous: Option<Version>,
}

/// Runs it.
pub(super) async fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    if args.rollback {
        return roll_back(context).await;
    }
    if args.check {
        return check(args, context).await;
    }
    let installation = Installation::find(Purpose::Update, context)?;
    let current = installation.current()?;
    let mut reader = RegistryReader::open(context).await?;
    let entry = client_entry(&mut reader).await?;
    warn_if_yanked(&entry, &current, context);
    let chosen = choose(&entry, args, context)?;
    if stays(args, chosen, &current) {
        return show(&installation, &current, chosen, context);
    }
    let wanted = wanted_archive(chosen)?;
    let archives = reader.fetch_archives(std::slice::from_ref(&wanted)).await?;
    let archive = archives.first().expect("one was asked for, one is here");
    let command = format!("self update --version {}", chosen.version);
    let lock = switch::lock(&installation, &command, context)?;
    // Another update may have come first; under the lock nobody can come again.
    let current = installation.current()?;
    if stays(args, chosen, &current) {
        return show(&installation, &current, chosen, context);
    }
    switch::place(&installation, archive, &chosen.version, context).await?;
    switch::switch(&installation, &current, &chosen.version)?;
    switch::prune(&installation, [&current, &chosen.version]);
    switch::refresh_shell_files(&installation);
    drop(lock);
    let document = Document {
        from: current.clone(),
        to: chosen.version.clone(),
        changed: true,
        previous: Some(current.clone()),
    };
    context.output.result(&document, |out| {
        writeln!(
            out,
            "the client is {} now; it was {current}",
            chosen.version
        )?;
        writeln!(out, "`provisioning self update --rollback` goes back")
    })?;
    Ok(Exit::Done)
}

/// Whether there is nothing to do: it is that version already, or nobody asked for an
/// older one.
fn stays(args: &Args, chosen: &IndexVersion, current: &Version) -> bool {
    let is_older = chosen.version < *current;
    chosen.version == *current || (is_older && args.version.is_none())
}

fn show(
    installation: &Installation,
    current: &Version,
    chosen: &IndexVersion,
    context: &Context,
) -> Outcome<Exit> {
    let document = Document {
        from: current.clone(),
        to: current.clone(),
        changed: false,
        previous: installation.note(current).and_then(|it| it.previous),
    };
    context.output.result(&document, |out| {
        if chosen.version == *current {
            writeln!(out, "the client is {current} already")
        } else {
            let newest = &chosen.version;
            writeln!(
                out,
                "the client is {current}, which is newer than the registry's {newest}: it stays\n\
                 `provisioning self update --version {newest}` goes back to that all the same"
            )
        }
    })?;
    Ok(Exit::Done)
}

async fn check(args: &Args, context: &Context) -> Outcome<Exit> {
    // Asking changes nothing, so whoever installed the client may ask.
    let installation = Installation::find(Purpose::Update, context).ok();
    let current = match &installation {
        Some(it) => it.current()?,
        None => running(),
    };
    let mut reader = RegistryReader::open(context).await?;
    let entry = client_entry(&mut reader).await?;
    warn_if_yanked(&entry, &current, context);
    let chosen = choose(&entry, args, context)?;
    let is_newer = chosen.version > current;
    let document = Document {
        from: current.clone(),
        to: chosen.version.clone(),
        changed: false,
        previous: installation.and_then(|it| it.note(&current)?.previous),
    };
    context.output.result(&document, |out| {
        if is_newer {
            let newer = &chosen.version;
            writeln!(
                out,
                "the client is {current}; there is {newer}: `provisioning self update`"
            )
        } else {
            writeln!(out, "the client is {current}, and there is nothing newer")
        }
    })?;
    Ok(if is_newer { Exit::Outdated } else { Exit::Done })
}

async fn roll_back(context: &Context) -> Outcome<Exit> {
    let installation = Installation::find(Purpose::Update, context)?;
    let lock = switch::lock(&installation, "self update --rollback", context)?;
    let current = installation.current()?;
    let previous = installation
        .note(&current)
        .and_then(|it| it.previous)
        .filter(|it| installation.version_folder(it).is_dir())
        .ok_or_else(|| {
            Failure::new(
                "no-previous-client",
                format!("there is no client to go back to from {current}"),
            )
            .with_hint("`provisioning self update --version V` takes any version from the registry")
        })?;
    let program = installation.version_folder(&previous).join(PROGRAM);
    switch::try_out(&program, &previous, context).await?;
    switch::switch(&installation, &current, &previous)?;
    switch::refresh_shell_files(&installation);
    drop(lock);
    let document = Document {
        from: current.clone(),
        to: previous.clone(),
        changed: true,
        previous: Some(current.clone()),
    };
    context.output.result(&document, |out| {
        writeln!(out, "the client is {previous} again; it was {current}")
    })?;
    Ok(Exit::Done)
}

async fn client_entry(reader: &mut RegistryReader) -> Outcome<IndexEntry> {
    let name = PackageName::of_kind(Kind::Client).expect("there is one client");
    let entry = reader.entry(&name).await?;
    let entry = entry.filter(|it| !it.versions.is_empty());
    let entry = entry.ok_or_else(|| {
        Failure::new("no-client", "the registry has no client")
            .with_hint("its operator publishes one as a package of the kind `client`")
            .with_exit(Exit::NoSolution)
    })?;
    if entry.status.state == PackageState::Quarantined {
        return Err(Failure::new(
            "quarantined",
            "the registry holds its client back: the package is quarantined",
        )
        .with_causes(entry.status.reason.clone())
        .with_exit(Exit::NoSolution));
    }
    Ok(entry)
}

fn warn_if_yanked(entry: &IndexEntry, current: &Version, context: &Context) {
    let yanked = entry.version(current).and_then(|it| it.yanked.as_ref());
    if let Some(yanked) = yanked {
        let reason = yanked.reason.as_deref().unwrap_or("no reason is given");
        context
            .output
            .warning(&format!("this client, {current}, was yanked: {reason}"));
    }
}

/// The version to move to.
fn choose<'a>(entry: &'a IndexEntry, args: &Args, context: &Context) -> Outcome<&'a IndexVersion> {
    let selector = match &args.version {
        None => Selector::Any,
        Some(text) => Selector::parse(text).map_err(|it| {
            Failure::usage(format!("`{text}` is no version: {it}"))
                .with_hint("`--version 1.2.0`, or a requirement such as `--version ^1.2`")
        })?,
    };
    if let Selector::Exact(version) = &selector {
        let found = entry
            .version(version)
            .ok_or_else(|| no_version(entry, version))?;
        if let Some(yanked) = &found.yanked {
            let reason = yanked.reason.as_deref().unwrap_or("no reason is given");
            context
                .output
                .warning(&format!("the client {version} is yanked: {reason}"));
        }
        return Ok(found);
    }
    let requirement = selector.requirement();
    let machine = Target::host().unwrap_or(Target::Any);
    let fits = |it: &&IndexVersion| {
        it.yanked.is_none() && requirement.matches(&it.version) && it.archive_for(machine).is_some()
    };
    let newest = entry.versions.iter().filter(fits).max_by(by_version);
    let old_enough = entry
        .versions
        .iter()
        .filter(fits)
        .filter(|it| is_old_enough(it, context.now(), context))
        .max_by(by_version);
    if let (Some(newest), chosen) = (newest, old_enough)
        && chosen.is_none_or(|it| it.version != newest.version)
    {
        context.output.note(&format!(
            "passed over {}, which is younger than `min-age`",
            newest.version
        ));
    }
    old_enough.ok_or_else(|| {
        Failure::new(
            "no-client",
            format!("the registry has no client that fits for {machine}"),
        )
        .with_hint(versions_hint(entry))
        .with_exit(Exit::NoSolution)
    })
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the form that `max_by` over references asks for"
)]
fn by_version(one: &&IndexVersion, other: &&IndexVersion) -> std::cmp::Ordering {
    one.version.cmp(&other.version)
}

fn is_old_enough(version: &IndexVersion, now: Timestamp, context: &Context) -> bool {
    let age = now.duration_since(version.published_at);
    context.settings.min_age.is_none_or(|it| age >= it)
}

fn no_version(entry: &IndexEntry, version: &Version) -> Failure {
    Failure::new(
        "no-such-version",
        format!("the registry has no client {version}"),
    )
    .with_hint(versions_hint(entry))
    .with_exit(Exit::NoSolution)
}

fn versions_hint(entry: &IndexEntry) -> String {
    let versions = entry.versions.iter().rev().take(10);
    let versions: Vec<_> = versions.map(|it| it.version.to_string()).collect();
    format!("it has {}; nothing was changed", versions.join(", "))
}

fn wanted_archive(chosen: &IndexVersion) -> Outcome<WantedArchive> {
    let machine = Target::host().unwrap_or(Target::Any);
    let archive = chosen.archive_for(machine).ok_or_else(|| {
        let targets: Vec<_> = chosen
            .archives
            .iter()
            .map(|it| it.target.to_string())
            .collect();
        Failure::new(
            "no-client",
            format!("the client {} is not made for {machine}", chosen.version),
        )
        .with_hint(format!(
            "it is for {}; nothing was changed",
            targets.join(", ")
        ))
        .with_exit(Exit::NoSolution)
    })?;
    Ok(WantedArchive {
        label: format!("client {}", chosen.version),
        digest: archive.digest,
        size: archive.size,
    })
}
