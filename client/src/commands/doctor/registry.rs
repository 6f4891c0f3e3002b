//! The registry as this machine sees it: the way to it, the clock, what is trusted, and
//! whether what is installed from it is still what its makers stand behind.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use provisioning_installers::{Generation, Prefix};
use provisioning_package::{Kind, PackageName, Version};
use provisioning_trust::is_imported;
use serde::Deserialize;

use super::reach::{CLOCK_SLACK, probe};
use super::{Problem, Report};
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::planning::{Registry, news_of};
use crate::settings::RegistryLocation;

/// Metadata that ends within this time is worth a word: its keys are offline.
const EXPIRES_SOON: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How much of the root's fingerprint is shown; `trust show` has all of it.
const FINGERPRINT_SHOWN: usize = 23;
/// The roles whose end stops every command, also offline.
const LASTING_ROLES: [&str; 4] = ["root", "targets", "release", "extensions"];

pub(super) async fn check(
    prefix: &Prefix,
    current: Option<&Generation>,
    report: &mut Report,
    context: &Context,
) {
    let now = context.now();
    let Some(location) = context.settings.registry_if_set() else {
        let problem = Problem::new(
            "no-registry",
            "no registry is set, so nothing can be installed",
            "`provisioning registry add URL`",
        );
        report.add("registry", "", vec![problem]);
        report.add(
            "clock",
            "not behind what was written",
            stepped_back(prefix, None, now),
        );
        return;
    };
    let state = context.settings.trust_state(location).ok();
    let mut clock = stepped_back(prefix, state.as_deref(), now);
    let mut is_reachable = true;
    if context.settings.offline || state.as_deref().is_some_and(is_imported) {
        report.add(
            "registry",
            format!("`{location}`, not asked: offline"),
            Vec::new(),
        );
    } else {
        let spinner = context.output.progress().spinner("asking the registry");
        let answer = probe(location, context).await;
        drop(spinner);
        match answer {
            Ok(date) => {
                clock.extend(date.and_then(|it| apart(it, now)));
                report.add("registry", format!("`{location}` answers"), Vec::new());
            }
            Err(problem) => {
                is_reachable = false;
                report.add("registry", "", vec![problem]);
            }
        }
    }
    report.add(
        "clock",
        "as the registry's, and not behind what was written",
        clock,
    );
    if !is_reachable {
        let problems = state.map_or_else(Vec::new, |it| ends(&it, now, false));
        report.add(
            "trust",
            "what is known of the registry still holds",
            problems,
        );
        return;
    }
    let mut registry = Registry::new();
    match registry.reader(context).await {
        Err(failure) => report.add("trust", "", vec![not_trusted(&failure, location)]),
        Ok(reader) => {
            let fingerprint = reader.trusted().root_fingerprint().prefixed();
            let start: String = fingerprint.chars().take(FINGERPRINT_SHOWN).collect();
            let problems = state.map_or_else(Vec::new, |it| ends(&it, now, true));
            report.add("trust", format!("root {start}…"), problems);
            let (clean, problems) = match installed(&mut registry, current, context).await {
                Ok(found) => found,
                Err(failure) => (String::new(), vec![Problem::of(&failure)]),
            };
            report.add("packages", clean, problems);
        }
    }
}

fn not_trusted(failure: &Failure, location: &RegistryLocation) -> Problem {
    let mut problem = Problem::of(failure);
    if failure.hints().is_empty() {
        problem.fix = match failure.code() {
            "metadata-expired" => {
                "check the clock (`date`); else tell the registry's operator".to_owned()
            }
            "registry-refused" => "`provisioning login`".to_owned(),
            "never-met" | "too-long-offline" => "run it once without `--offline`".to_owned(),
            _ => format!("tell the operator of `{location}`; nothing of it is believed until then"),
        };
    }
    problem
}

/// The clock is behind times that were written by it before.
fn stepped_back(prefix: &Prefix, state: Option<&Path>, now: Timestamp) -> Vec<Problem> {
    let newest = prefix.current_generation().ok().flatten();
    let fetched = state
        .and_then(|it| std::fs::read_to_string(it.join("contact/fetched")).ok())
        .and_then(|it| it.trim().parse::<Timestamp>().ok());
    let seen = newest
        .map(|it| it.created_at)
        .into_iter()
        .chain(fetched)
        .max();
    let Some(seen) = seen.filter(|it| it.duration_since(now) > CLOCK_SLACK) else {
        return Vec::new();
    };
    vec![Problem::new(
        "clock-stepped-back",
        format!("the clock says {now:.0}, but this machine has seen {seen:.0} already"),
        "set the clock: `timedatectl set-ntp true`, or `date -s …`",
    )]
}

/// The clock and the registry's are apart.
fn apart(theirs: Timestamp, now: Timestamp) -> Option<Problem> {
    let difference = now.duration_since(theirs);
    let word = if difference.is_negative() {
        "behind"
    } else {
        "ahead of"
    };
    (difference.abs() > CLOCK_SLACK).then(|| {
        Problem::new(
            "clock-wrong",
            format!(
                "the clock is {:#} {word} the registry's ({theirs:.0})",
                SignedDuration::from_secs(difference.abs().as_secs())
            ),
            "set the clock: `timedatectl set-ntp true`, or `date -s …`",
        )
    })
}

#[derive(Deserialize)]
struct Metadata {
    signed: Signed,
}

#[derive(Deserialize)]
struct Signed {
    expires: Timestamp,
}

/// Roles that ended or end soon. What is fetched anew all the time only counts where it
/// could not be.
fn ends(state: &Path, now: Timestamp, is_fresh: bool) -> Vec<Problem> {
    let short = ["snapshot", "timestamp"].into_iter().filter(|_| !is_fresh);
    let mut problems = Vec::new();
    for role in LASTING_ROLES.into_iter().chain(short) {
        let bytes = std::fs::read(state.join(format!("{role}.json"))).ok();
        let read = bytes.and_then(|it| serde_json::from_slice::<Metadata>(&it).ok());
        let Some(expires) = read.map(|it| it.signed.expires) else {
            continue;
        };
        let is_lasting = LASTING_ROLES.contains(&role);
        if expires <= now {
            let fix = if is_lasting {
                "tell the registry's operator: it must be signed anew"
            } else {
                "reach the registry once, without `--offline`"
            };
            let message = format!("`{role}` of the registry expired on {expires:.0}");
            problems.push(Problem::new("trust-expired", message, fix));
        } else if is_lasting && expires.duration_since(now) < EXPIRES_SOON {
            problems.push(Problem::new(
                "trust-expires-soon",
                format!("`{role}` of the registry expires on {expires:.0}"),
                "tell the registry's operator: it must be signed anew before that",
            ));
        }
    }
    problems
}

/// What the registry says today about what is installed.
async fn installed(
    registry: &mut Registry,
    current: Option<&Generation>,
    context: &Context,
) -> Outcome<(String, Vec<Problem>)> {
    let mut problems = Vec::new();
    problems.extend(old_client(registry, context).await?);
    let Some(current) = current else {
        return Ok(("nothing is installed".to_owned(), problems));
    };
    problems.extend(bundle(registry, current, context).await?);
    let names: Vec<_> = current.packages.iter().map(|it| it.name.clone()).collect();
    let reader = registry.reader(context).await?;
    for entry in reader.entries(&names).await? {
        let there = current.package(&entry.name);
        let listed = entry.versions.iter();
        let listed = listed.filter(|it| there.is_some_and(|there| there.version == it.version));
        for version in listed {
            if let Some(yanked) = &version.yanked {
                let reason = yanked.reason.as_deref().unwrap_or("no reason given");
                problems.push(Problem::new(
                    "yanked",
                    format!("{} {} was yanked: {reason}", entry.name, version.version),
                    format!("`provisioning upgrade {}`", entry.name),
                ));
            }
        }
    }
    let clean = "nothing was withdrawn or yanked; the client is new enough";
    Ok((clean.to_owned(), problems))
}

/// A newer client than this one.
async fn old_client(registry: &mut Registry, context: &Context) -> Outcome<Option<Problem>> {
    let Some(name) = PackageName::of_kind(Kind::Client) else {
        return Ok(None);
    };
    let reader = registry.reader(context).await?;
    let entry = reader.entry(&name).await?;
    let usable = entry.iter().flat_map(|it| &it.versions);
    let usable = usable.filter(|it| it.yanked.is_none() && it.version.pre.is_empty());
    let newest = usable.map(|it| &it.version).max();
    let own: Version = env!("CARGO_PKG_VERSION").parse().expect("cargo checked it");
    Ok(newest.filter(|it| **it > own).map(|newest| {
        Problem::new(
            "old-client",
            format!("this client is {own}, and the registry has {newest}"),
            "`provisioning self update`",
        )
    }))
}

/// The followed bundle was withdrawn, or its support is over or soon will be.
async fn bundle(
    registry: &mut Registry,
    current: &Generation,
    context: &Context,
) -> Outcome<Option<Problem>> {
    let Some(followed) = &current.requests.bundle else {
        return Ok(None);
    };
    let news = news_of(registry, followed, context).await?;
    Ok(news.map(|it| Problem::new(it.code(), it.to_string(), it.fix())))
}
