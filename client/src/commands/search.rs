//! `provisioning search`: packages that have to do with a text.

use provisioning_package::Kind;
use provisioning_registry_api::command::{SearchResult, SearchResults};
use provisioning_registry_api::index::PackageState;

use crate::commands::info::printable;
use crate::context::Context;
use crate::failure::{Exit, Outcome};
use crate::output::Table;
use crate::write_api::WriteClient;

/// Find packages by name, description or keyword
///
/// What is found is what the registry's search says, for people to look at; it is checked
/// when something is installed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to look for
    text: String,
    /// Only packages of this kind: `core`, `platform`, `extension`, `workspace`, `client`
    #[arg(long)]
    kind: Option<Kind>,
    /// At most so many results
    #[arg(long, default_value_t = 20)]
    limit: u32,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    let api = WriteClient::open_anonymous(context).await?;
    let results = api.search(&args.text, args.kind, args.limit).await?;
    show(&results, &args.text, context)?;
    Ok(Exit::Done)
}

/// The description, after the state of a package that should not simply be used.
fn described(found: &SearchResult) -> String {
    let text = printable(found.description.as_deref().unwrap_or_default());
    let state = match found.state {
        PackageState::Active => return text,
        PackageState::Deprecated => "deprecated",
        PackageState::Archived => "archived",
        PackageState::Quarantined => "held by a moderator",
    };
    format!("[{state}] {text}").trim_end().to_owned()
}

/// Prints what a search found.
pub(crate) fn show(results: &SearchResults, text: &str, context: &Context) -> Outcome<()> {
    context.output.long_result(results, |out| {
        if results.packages.is_empty() {
            return writeln!(out, "nothing found for `{text}`");
        }
        let mut table = Table::new(["NAME", "TYPE", "NEWEST", "DESCRIPTION"]);
        for it in &results.packages {
            let sort = it
                .extension_type
                .map_or_else(|| it.kind.to_string(), |it| it.to_string());
            table.row([
                it.name.to_string(),
                sort,
                it.newest
                    .as_ref()
                    .map(ToString::to_string)
                    .unwrap_or_default(),
                described(it),
            ]);
        }
        table.write(out)
    })
}
