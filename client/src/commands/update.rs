//! `provisioning update`: bundles that wait in testing, moved to stable together.

use clap::{Subcommand, ValueEnum};
use provisioning_package::PackageName;
use provisioning_registry_api::update::{
    CommentUpdate, CreateUpdate, UpdateList, UpdateState, UpdateStatus, UpdateType,
};

use crate::commands::info::printable;
use crate::context::Context;
use crate::failure::{Exit, Outcome};
use crate::output::Table;
use crate::write_api::WriteClient;

/// What to do about updates.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    Create(CreateArgs),
    Push(PushArgs),
    Status(StatusArgs),
    Comment(CommentArgs),
}

/// Collect what waits in testing into one update
///
/// Its bundles become stable together, or none does: once every gate lets them through, and
/// testers gave it karma 3, or seven days passed and nobody spoke against it. Karma -3 rejects it.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: provisioning update create platform --type bugfix --notes \"the queue is safe\""
)]
pub(crate) struct CreateArgs {
    /// Only bundles that bring a new version of one of these
    #[arg(value_name = "PACKAGE")]
    packages: Vec<String>,
    /// What it brings
    #[arg(long, value_name = "TEXT")]
    notes: String,
    /// What it is for
    #[arg(long = "type")]
    update_type: Type,
}

/// What an update is for.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Type {
    Security,
    Bugfix,
    Enhancement,
}

/// Move every bundle of an update to stable, or none
#[derive(Debug, clap::Args)]
pub(crate) struct PushArgs {
    /// Its number
    id: u64,
}

/// Show an update and what it still needs, or list all
#[derive(Debug, clap::Args)]
pub(crate) struct StatusArgs {
    /// Its number
    id: Option<u64>,
}

/// Say whether an update works
#[derive(Debug, clap::Args)]
pub(crate) struct CommentArgs {
    /// Its number
    id: u64,
    /// `+1`: it works for me; `-1`: it does not
    #[arg(long, value_name = "±1", allow_hyphen_values = true, default_value = "0", value_parser = karma)]
    karma: i8,
    /// What is to be said
    #[arg(long, short, value_name = "TEXT", default_value = "")]
    message: String,
}

fn karma(text: &str) -> Result<i8, String> {
    match text {
        "+1" | "1" => Ok(1),
        "-1" => Ok(-1),
        "0" => Ok(0),
        other => Err(format!("`{other}` is no karma: say `+1` or `-1`")),
    }
}

/// Runs it.
pub(crate) async fn run(action: &Action, context: &Context) -> Outcome<Exit> {
    match action {
        Action::Create(args) => {
            let packages = args.packages.iter().map(|it| PackageName::from_user(it));
            let asked = CreateUpdate {
                packages: packages.collect::<Result<_, _>>()?,
                update_type: match args.update_type {
                    Type::Security => UpdateType::Security,
                    Type::Bugfix => UpdateType::Bugfix,
                    Type::Enhancement => UpdateType::Enhancement,
                },
                notes: args.notes.clone(),
            };
            let api = WriteClient::open(context).await?;
            show(&api.create_update(&asked).await?, context)?;
        }
        Action::Push(args) => {
            let api = WriteClient::open(context).await?;
            show(&api.push_update(args.id).await?, context)?;
        }
        Action::Comment(args) => {
            let asked = CommentUpdate {
                karma: args.karma,
                text: args.message.clone(),
            };
            let api = WriteClient::open(context).await?;
            show(&api.comment_update(args.id, &asked).await?, context)?;
        }
        Action::Status(args) => {
            let api = WriteClient::open_anonymous(context).await?;
            let list = match args.id {
                Some(id) => UpdateList {
                    updates: vec![api.update(id).await?],
                },
                None => api.updates().await?,
            };
            show_list(&list, context)?;
        }
    }
    Ok(Exit::Done)
}

fn show(status: &UpdateStatus, context: &Context) -> Outcome<()> {
    let list = UpdateList {
        updates: vec![status.clone()],
    };
    show_list(&list, context)
}

fn show_list(list: &UpdateList, context: &Context) -> Outcome<()> {
    context.output.result(list, |out| {
        if list.updates.is_empty() {
            return writeln!(out, "there are no updates");
        }
        let mut table = Table::new(["UPDATE", "STATE", "BUNDLES", "KARMA", "DAYS", "NOTES"]);
        for it in &list.updates {
            let bundles = it.update.bundles.iter();
            let bundles: Vec<String> = bundles
                .map(|it| format!("{} #{}", it.name, it.sequence))
                .collect();
            let state = match it.update.state {
                UpdateState::Testing => "testing",
                UpdateState::Stable => "stable",
                UpdateState::Rejected => "rejected",
            };
            table.row([
                it.update.id.to_string(),
                state.to_owned(),
                bundles.join(", "),
                it.karma.to_string(),
                it.days.to_string(),
                printable(&it.update.notes),
            ]);
        }
        table.write(out)?;
        for it in list
            .updates
            .iter()
            .filter(|it| it.update.state == UpdateState::Testing)
        {
            for condition in &it.conditions {
                let word = if condition.met { "holds" } else { "missing" };
                writeln!(
                    out,
                    "{} {}: {word}: {}",
                    it.update.id, condition.name, condition.text
                )?;
            }
        }
        Ok(())
    })
}
