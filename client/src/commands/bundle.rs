//! `provisioning bundle`: tested combinations, from a draft to `stable`.

use clap::Subcommand;
use provisioning_compat::{BundleDraft, MemoryIndex};
use provisioning_package::{BundleName, PackageName};
use provisioning_registry_api::bundle::BundleDocument;

use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::registry::RegistryReader;

mod bisect;
mod check;
mod create;
mod desk;
mod diff;
mod list;
mod promote;
mod publish;
mod show;
mod test;
mod tester;
mod withdraw;

pub(crate) use desk::{Desk, TrialArgs};
pub(crate) use diff::read_changelog;
pub(crate) use publish::refuse_linked_names;
pub(crate) use show::show_document;
pub(crate) use test::{EvidenceArgs, Tested, keep, show as show_test};

use super::compat::MatrixFile;

/// What to do with bundles.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    Create(create::Args),
    Check(check::Args),
    Test(test::Args),
    Publish(publish::Args),
    Promote(promote::Args),
    Withdraw(withdraw::Args),
    Bisect(bisect::Args),
    Show(show::Args),
    List(list::Args),
    Diff(diff::Args),
    /// Say whose evidence counts
    #[command(subcommand)]
    Tester(tester::Action),
}

/// Runs it.
pub(crate) async fn run(action: &Action, context: &Context) -> Outcome<Exit> {
    match action {
        Action::Create(args) => create::run(args, context).await,
        Action::Check(args) => check::run(args, context).await,
        Action::Test(args) => test::run(args, context).await,
        Action::Promote(args) => promote::run(args, context).await,
        Action::Withdraw(args) => withdraw::run(args, context).await,
        Action::Bisect(args) => bisect::run(args, context).await,
        Action::Diff(args) => diff::run(args, context).await,
        Action::Tester(action) => tester::run(action, context).await,
        Action::Publish(args) => publish::run(args, context).await,
        Action::Show(args) => show::run(args, context).await,
        Action::List(args) => list::run(args, context).await,
    }
}

/// The published bundle that `name` or the channel `name` means.
pub(crate) async fn find(
    registry: &mut RegistryReader,
    name: &BundleName,
) -> Outcome<Option<BundleDocument>> {
    let channels = registry.channels().await?;
    let bundle = channels
        .channels
        .get(name)
        .map_or_else(|| name.clone(), |head| head.bundle.clone());
    registry.bundle(&bundle).await
}

/// The draft of a bundle; an unknown name lists the ones that there are.
fn draft<'a>(file: &'a MatrixFile, name: &BundleName) -> Outcome<&'a BundleDraft> {
    file.read.bundles.get(name).ok_or_else(|| {
        let known: Vec<String> = file.read.bundles.keys().map(ToString::to_string).collect();
        let failure = Failure::new(
            "unknown-draft",
            format!("the file has no `[bundles.{name}]`"),
        );
        if known.is_empty() {
            failure
        } else {
            failure.with_hint(format!("it has: {}", known.join(", ")))
        }
    })
}

/// Index entries of a draft's members.
async fn member_index(registry: &mut RegistryReader, draft: &BundleDraft) -> Outcome<MemoryIndex> {
    let all = draft.members.iter().chain(&draft.optional);
    let names: Vec<PackageName> = all.map(|(name, _)| name.clone()).collect();
    registry.index(&names).await
}
