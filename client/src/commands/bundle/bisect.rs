//! `provisioning bundle bisect`: the member whose upgrade breaks a test.

use std::collections::BTreeMap;

use provisioning_bundles::{Bisection, Culprit, MemberChange, Trial, member_changes};
use provisioning_package::{BundleName, PackageName, Version};
use provisioning_registry_api::command::{DeclaredMember, PublishBundle};
use provisioning_registry_api::evidence::EvidenceSubject;
use serde::Serialize;

use super::desk::{Desk, TrialArgs};
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::trial::{Course, Definition, Material};

/// Find the member whose upgrade breaks a bundle's test
///
/// Installs mixtures of two bundles, halving what is between the good one and the broken one,
/// and then the versions of the member that was found. The tests are those of the second
/// bundle; nothing is signed or sent.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: provisioning bundle bisect stable-3.2 stable-3.3")]
pub(crate) struct Args {
    /// The bundle that passes
    #[arg(value_parser = BundleName::parse)]
    old: BundleName,
    /// The bundle that fails
    #[arg(value_parser = BundleName::parse)]
    new: BundleName,
    #[command(flatten)]
    trial: TrialArgs,
}

#[derive(Serialize)]
struct Found {
    old: BundleName,
    new: BundleName,
    /// The members whose upgrade breaks it: one, or several that cannot be told apart.
    culprits: Vec<Moved>,
    /// Every mixture that was tried.
    trials: Vec<Tried>,
}

#[derive(Serialize)]
struct Moved {
    name: PackageName,
    from: Option<Version>,
    to: Option<Version>,
}

#[derive(Serialize)]
struct Tried {
    members: BTreeMap<PackageName, Version>,
    result: &'static str,
    /// What failed, or why it could not be tried.
    why: Option<String>,
}

/// The two bundles, and everything that mixtures of them are made from.
struct Search<'a> {
    args: &'a Args,
    context: &'a Context,
    desk: &'a Desk,
    material: &'a Material,
    matrix: &'a str,
    old: &'a Definition,
    new: &'a Definition,
    trials: Vec<Tried>,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    let mut desk = Desk::open(&args.trial.file, context).await?;
    let old = desk.define(&args.old, context).await?;
    let new = desk.define(&args.new, context).await?;
    let changes = member_changes(&old.members(), &new.members());
    if changes.is_empty() {
        return Err(Failure::new(
            "bundles-equal",
            format!("`{}` and `{}` have the same members", args.old, args.new),
        ));
    }
    let material = desk
        .material(&[&old, &new], &args.trial.archives, context)
        .await?;
    let matrix = desk.matrix_text().await?;
    let mut search = Search {
        args,
        context,
        desk: &desk,
        material: &material,
        matrix: &matrix,
        old: &old,
        new: &new,
        trials: Vec::new(),
    };
    let culprits = search.members(&changes).await?;
    let document = Found {
        old: old.name.clone(),
        new: new.name.clone(),
        culprits,
        trials: search.trials,
    };
    context.output.result(&document, |out| {
        for it in &document.culprits {
            let text =
                |it: &Option<Version>| it.as_ref().map_or("none".to_owned(), ToString::to_string);
            writeln!(
                out,
                "{} {} -> {} breaks it",
                it.name,
                text(&it.from),
                text(&it.to)
            )?;
        }
        if document.culprits.len() > 1 {
            writeln!(
                out,
                "these cannot be told apart: no mixture between them goes together"
            )?;
        }
        writeln!(out, "{} mixtures were tried", document.trials.len())
    })?;
    Ok(Exit::Done)
}

impl Search<'_> {
    /// The members, and where one was found, its versions.
    async fn members(&mut self, changes: &[MemberChange]) -> Outcome<Vec<Moved>> {
        let mut bisection = Bisection::new(changes.len());
        while let Some(count) = bisection.next() {
            let trial = self.mixture(&changes[..count], None).await?;
            bisection.record(count, trial);
        }
        let range = match bisection.culprit() {
            Culprit::Changes(range) => range,
            Culprit::BadBefore => {
                return Err(self.no_search("bisect-bad-before", "fails already", true));
            }
            Culprit::GoodAfter => {
                return Err(self.no_search("bisect-good-after", "passes too", false));
            }
            Culprit::Untestable => {
                let bad = self.trials.iter().find(|it| it.result == "untestable");
                let why = bad.and_then(|it| it.why.clone()).unwrap_or_default();
                return Err(Failure::new(
                    "bisect-untestable",
                    "one of the bundles cannot be tried",
                )
                .with_cause(why));
            }
        };
        let moved = |it: &MemberChange| Moved {
            name: it.name.clone(),
            from: it.from.clone(),
            to: it.to.clone(),
        };
        match &changes[range.clone()] {
            [one] => Ok(vec![self.versions(&changes[..range.start], one).await?]),
            several => match self.within(&changes[..range.end], several).await? {
                Some(found) => Ok(vec![found]),
                None => Ok(several.iter().map(moved).collect()),
            },
        }
    }

    /// Members that only move together are told apart by their versions between: one of them
    /// that is good with all others as they are in the broken mixture names its successor.
    async fn within(
        &mut self,
        all: &[MemberChange],
        several: &[MemberChange],
    ) -> Outcome<Option<Moved>> {
        for change in several {
            let (Some(from), Some(to)) = (&change.from, &change.to) else {
                continue;
            };
            let mut broken = to.clone();
            for version in self.between(&change.name, (from, to)).into_iter().rev() {
                match self.mixture(all, Some((&change.name, &version))).await? {
                    Trial::Good => {
                        return Ok(Some(Moved {
                            name: change.name.clone(),
                            from: Some(version),
                            to: Some(broken),
                        }));
                    }
                    Trial::Bad => broken = version,
                    Trial::Untestable => {}
                }
            }
        }
        Ok(None)
    }

    /// The versions between two, oldest first; pre-releases only on the way to one.
    fn between(&self, name: &PackageName, (from, to): (&Version, &Version)) -> Vec<Version> {
        let mut steps = self.material.versions(name);
        steps.retain(|it| it > from && it < to && (it.pre.is_empty() || !to.pre.is_empty()));
        steps
    }

    /// Between which two versions a member broke it.
    async fn versions(&mut self, before: &[MemberChange], change: &MemberChange) -> Outcome<Moved> {
        let (Some(from), Some(to)) = (&change.from, &change.to) else {
            return Ok(Moved {
                name: change.name.clone(),
                from: change.from.clone(),
                to: change.to.clone(),
            });
        };
        let mut steps = self.between(&change.name, (from, to));
        steps.insert(0, from.clone());
        steps.push(to.clone());
        let mut bisection = Bisection::new(steps.len() - 1);
        bisection.record(0, Trial::Good);
        bisection.record(steps.len() - 1, Trial::Bad);
        while let Some(count) = bisection.next() {
            let version = &steps[count];
            let trial = self.mixture(before, Some((&change.name, version))).await?;
            bisection.record(count, trial);
        }
        let (low, high) = match bisection.culprit() {
            Culprit::Changes(range) => (range.start, range.end),
            Culprit::BadBefore | Culprit::GoodAfter | Culprit::Untestable => (0, steps.len() - 1),
        };
        Ok(Moved {
            name: change.name.clone(),
            from: Some(steps[low].clone()),
            to: Some(steps[high].clone()),
        })
    }

    fn no_search(&self, code: &str, what: &str, is_old: bool) -> Failure {
        let name = if is_old {
            &self.args.old
        } else {
            &self.args.new
        };
        let failed = self.trials.iter().find_map(|it| it.why.clone());
        Failure::new(
            code,
            format!("`{name}` {what}, so there is nothing between to find"),
        )
        .with_causes(failed)
        .with_hint(format!(
            "`provisioning bundle test {name}` shows what each run gave"
        ))
    }

    /// Tries the old bundle with some members as the new one has them.
    async fn mixture(
        &mut self,
        changes: &[MemberChange],
        one: Option<(&PackageName, &Version)>,
    ) -> Outcome<Trial> {
        let definition = self.mixed(changes, one);
        let members: BTreeMap<PackageName, Version> = definition.members().into_iter().collect();
        let shown: Vec<String> = members
            .iter()
            .map(|(name, it)| format!("{name} {it}"))
            .collect();
        self.context
            .output
            .status(&format!("trying {}", shown.join(", ")));
        let course = Course {
            material: self.material,
            matrix: self.matrix,
            reader: self.desk.reader.as_ref(),
            subject: EvidenceSubject::Bundle(definition.name.clone()),
            definition: &definition,
            older: Vec::new(),
            patience: self.args.trial.timeout,
        };
        let (trial, result, why) = match course.run(self.context).await {
            Ok(tried) if tried.evidence.passed => (Trial::Good, "good", None),
            Ok(tried) => {
                let failed = tried.ran.iter().find(|it| !it.run.passed);
                let why = failed.map(|it| {
                    let what = it.run.what.as_str();
                    format!("{what} of {}: `{}`", it.run.name, it.run.command.join(" "))
                });
                (Trial::Bad, "bad", why)
            }
            Err(failure) if failure.code() == "bundle-invalid" => (
                Trial::Untestable,
                "untestable",
                Some(failure.causes().join("; ")),
            ),
            Err(failure) => return Err(failure),
        };
        self.context.output.status(&format!("  {result}"));
        self.trials.push(Tried {
            members,
            result,
            why,
        });
        Ok(trial)
    }

    fn mixed(&self, changes: &[MemberChange], one: Option<(&PackageName, &Version)>) -> Definition {
        let mut members: BTreeMap<PackageName, DeclaredMember> = self
            .old
            .request
            .members
            .iter()
            .map(|it| (it.name.clone(), it.clone()))
            .collect();
        for change in changes {
            members.remove(&change.name);
            let newer = self.new.request.members.iter();
            let newer = newer.filter(|it| it.name == change.name);
            members.extend(newer.map(|it| (it.name.clone(), it.clone())));
        }
        if let Some((name, version)) = one {
            let required = members.get(name).is_none_or(|it| it.required);
            let member = DeclaredMember {
                name: name.clone(),
                version: version.clone(),
                required,
            };
            members.insert(name.clone(), member);
        }
        Definition {
            name: self.new.name.clone(),
            request: PublishBundle {
                members: members.into_values().collect(),
                upgrades_from: Vec::new(),
                ..self.new.request.clone()
            },
            tests: self.new.tests.clone(),
            folder: self.new.folder.clone(),
        }
    }
}
