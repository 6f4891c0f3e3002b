//! From what a user wants to a plan: what is asked of the registry, and what is asked of
//! the solver.
//!
//! An [`Intent`] is a command as data. Its plan can be made again, which is what happens
//! when another writer changes the prefix in between. Nothing here writes to the prefix.

mod answers;
mod consult;
pub(crate) mod installed_set;
mod lockfile;
mod pinning;
mod registry;
mod removal;
mod solving;
mod specs;
mod unknown;

use std::collections::BTreeSet;

use provisioning_compat::Lockfile;
use provisioning_installers::{
    Generation, Linked, Plan, plan, plan_link, plan_rollback, plan_unlink,
};
use provisioning_package::{PackageName, Spec};

use crate::context::Context;
use crate::failure::{Failure, Outcome};

pub(crate) use consult::{consult, consult_under};
pub(crate) use lockfile::{Workspace, other_registry};
pub(crate) use registry::{Registry, copy_of};
pub(crate) use removal::unneeded_without;
pub(crate) use solving::{Moves, SolveOptions, fresh, no_solution, solve, standing};
pub(crate) use specs::{Asked, ask, news_of};

/// A command that changes what is installed, as data.
#[derive(Debug, Clone)]
pub(crate) enum Intent {
    /// Install what the specs name.
    Install {
        /// What was typed.
        specs: Vec<Spec>,
        /// Stop following the bundle.
        leave_bundle: bool,
        /// How to solve.
        options: SolveOptions,
    },
    /// Move to newer versions: the named packages, or everything.
    Upgrade {
        /// What was typed; empty for everything.
        names: Vec<String>,
        /// How to solve.
        options: SolveOptions,
    },
    /// Take packages, or the followed bundle, away.
    Uninstall {
        /// What was typed.
        names: Vec<String>,
        /// Also what nobody asked for and nothing needs afterwards.
        prune: bool,
    },
    /// Tie packages to versions.
    Pin {
        /// What was typed.
        specs: Vec<Spec>,
    },
    /// Untie packages.
    Unpin {
        /// What was typed; empty for everything that is pinned.
        names: Vec<String>,
    },
    /// Install exactly what a lockfile says.
    Sync {
        /// The lockfile.
        lockfile: Box<Lockfile>,
        /// The command.
        reason: String,
    },
    /// Put a working copy in a package's place.
    Link(Box<Linked>),
    /// Take working copies away again.
    Unlink {
        /// What was typed.
        names: Vec<String>,
    },
    /// Bring an older generation's content back.
    Rollback {
        /// Which; the one before the current where nothing was typed.
        to: Option<u64>,
    },
}

impl Intent {
    /// The command, for `history` and for whoever waits for the lock.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Install { specs, .. } => {
                let specs: Vec<_> = specs.iter().map(ToString::to_string).collect();
                format!("install {}", specs.join(" "))
            }
            Self::Upgrade { names, .. } => format!("upgrade {}", names.join(" ")),
            Self::Uninstall { names, prune } => {
                let prune = if *prune { " --prune" } else { "" };
                format!("uninstall {}{prune}", names.join(" "))
            }
            Self::Pin { specs } => {
                let specs: Vec<_> = specs.iter().map(ToString::to_string).collect();
                format!("pin {}", specs.join(" "))
            }
            Self::Unpin { names } if names.is_empty() => "unpin --all".to_owned(),
            Self::Unpin { names } => format!("unpin {}", names.join(" ")),
            Self::Link(linked) => format!("link {}", linked.path.display()),
            Self::Unlink { names } => format!("unlink {}", names.join(" ")),
            Self::Sync { reason, .. } => reason.clone(),
            Self::Rollback { to } => {
                format!(
                    "rollback {}",
                    to.map(|it| it.to_string()).unwrap_or_default()
                )
            }
        }
        .trim_end()
        .to_owned()
    }

    /// The plan, from what is installed now.
    pub(crate) async fn plan(
        &self,
        context: &Context,
        registry: &mut Registry,
        current: Option<&Generation>,
    ) -> Outcome<Plan> {
        match self {
            Self::Install {
                specs,
                leave_bundle,
                options,
            } => {
                let words = (specs.as_slice(), *leave_bundle, options);
                let question = registry.question(context, current, words).await?;
                let known = question.as_ref().and_then(|it| it.answer(self.reason()));
                if let Some(known) = known {
                    return Ok(plan(current, known));
                }
                let mut requests = current.map(|it| it.requests.clone()).unwrap_or_default();
                if *leave_bundle {
                    requests.leave_bundle();
                }
                let asked = ask(context, registry, specs, requests).await?;
                let solved =
                    solve(context, registry, current, asked, options, &Moves::Asked).await?;
                let state = solved.into_state(self.reason());
                if let Some(question) = question {
                    question.keep(&state);
                }
                Ok(plan(current, state))
            }
            Self::Upgrade { names, options } => {
                self.plan_upgrade(context, registry, current, names, options)
                    .await
            }
            Self::Uninstall { names, prune } => {
                let Some(current) = current else {
                    return Err(nothing_installed(&names.join("`, `")));
                };
                removal::plan_removal(current, names, *prune, self.reason())
            }
            Self::Link(linked) => Ok(plan_link(current, (**linked).clone(), self.reason())),
            Self::Unlink { names } => {
                let Some(current) = current else {
                    return Err(nothing_installed(&names.join("`, `")));
                };
                let linked: Vec<PackageName> = names
                    .iter()
                    .map(|it| linked(current, it))
                    .collect::<Outcome<_>>()?;
                Ok(plan_unlink(current, &linked, self.reason()))
            }
            Self::Pin { specs } => pinning::plan_pin(self, specs, context, registry, current).await,
            Self::Unpin { names } => pinning::plan_unpin(self, names, current),
            Self::Sync { lockfile, reason } => {
                let reason = reason.clone();
                lockfile::plan_of_lock(lockfile, context, registry, current, reason).await
            }
            Self::Rollback { to } => {
                let Some(current) = current else {
                    return Err(nothing_to_go_back_to());
                };
                let older = older_generation(context, current, *to)?;
                Ok(plan_rollback(current, &older, self.reason()))
            }
        }
    }

    async fn plan_upgrade(
        &self,
        context: &Context,
        registry: &mut Registry,
        current: Option<&Generation>,
        names: &[String],
        options: &SolveOptions,
    ) -> Outcome<Plan> {
        let Some(current) = current else {
            return Err(nothing_installed(&names.join("`, `")));
        };
        let moves = if names.is_empty() {
            Moves::Everything
        } else {
            let mut moving = BTreeSet::new();
            for name in names {
                moving.insert(installed(current, name)?);
            }
            Moves::Only(moving)
        };
        let asked = match moves {
            Moves::Everything => Asked::newest(context, registry, current.requests.clone()).await?,
            Moves::Asked | Moves::Only(_) => Asked::again(current.requests.clone()),
        };
        let solved = solve(context, registry, Some(current), asked, options, &moves).await?;
        let mut plan = solved.into_plan(Some(current), self.reason());
        plan.warnings.extend(pinning::pinned_ones(current, &moves));
        Ok(plan)
    }
}

/// A linked working copy by any spelling of its package.
fn linked(current: &Generation, text: &str) -> Outcome<PackageName> {
    let name = PackageName::from_user(text).ok();
    name.filter(|it| current.linked(it).is_some())
        .ok_or_else(|| {
            Failure::new(
                "not-linked",
                format!("no working copy is linked for `{text}`"),
            )
            .with_hint("`provisioning list` shows what is linked; nothing was changed")
        })
}

/// The generation to go back to.
fn older_generation(
    context: &Context,
    current: &Generation,
    to: Option<u64>,
) -> Outcome<Generation> {
    let prefix = provisioning_installers::Prefix::new(context.settings.prefix()?);
    let number = match to.or(current.parent) {
        Some(number) if number == current.generation => {
            return Err(no_generation(format!(
                "generation {number} is current already"
            )));
        }
        Some(number) => number,
        None => {
            return Err(no_generation(format!(
                "there is nothing before generation {}",
                current.generation
            )));
        }
    };
    let history = prefix.history()?;
    history
        .into_iter()
        .find(|it| it.generation == number)
        .ok_or_else(|| no_generation(format!("there is no generation {number}")))
}

fn nothing_to_go_back_to() -> Failure {
    Failure::new("no-generation", "nothing was ever installed here")
        .with_hint("install something first: `provisioning install stable`")
}

fn no_generation(message: String) -> Failure {
    Failure::new("no-generation", message)
        .with_hint("`provisioning history` lists the generations; nothing was changed")
}

/// An installed package by any of its spellings.
pub(crate) fn installed(current: &Generation, text: &str) -> Outcome<PackageName> {
    let name = PackageName::from_user(text).ok();
    if let Some(name) = name.filter(|it| current.package(it).is_some()) {
        return Ok(name);
    }
    let known: Vec<_> = current.packages.iter().map(|it| it.name.clone()).collect();
    let near = provisioning_compat::nearest_names(text, &known);
    let failure = Failure::new("not-installed", format!("`{text}` is not installed"));
    Err(match near.first() {
        Some(near) => failure.with_hint(format!("did you mean `{near}`?")),
        None => failure.with_hint("`provisioning list` shows what is installed"),
    })
}

/// There is nothing to answer a question about `names` from.
pub(crate) fn nothing_installed(names: &str) -> Failure {
    let message = if names.is_empty() {
        "nothing is installed".to_owned()
    } else {
        format!("`{names}` is not installed: nothing is")
    };
    Failure::new("not-installed", message)
        .with_hint("install something first: `provisioning install stable`")
}
