//! `provisioning search`: packages that have to do with a text.

use provisioning_package::{ExtensionType, Kind, Target, Version};
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
    /// What to look for; everything where left out
    #[arg(default_value = "")]
    text: String,
    /// Only packages of this kind: `core`, `platform`, `extension`, `workspace`, `client`
    #[arg(long)]
    kind: Option<Kind>,
    #[command(flatten)]
    filters: Filters,
}

/// Which of the packages that a text finds, and in which order.
#[derive(Debug, clap::Args)]
pub(crate) struct Filters {
    /// Only extensions of this type: `provider`, `taskserv`, `cluster`, `workflow`
    #[arg(long = "type", value_name = "TYPE", value_parser = extension_type)]
    extension_type: Option<ExtensionType>,
    /// Only packages with this keyword
    #[arg(long, value_name = "WORD")]
    keyword: Option<String>,
    /// Only packages with a version that goes with this core
    #[arg(long, value_name = "VERSION")]
    core: Option<Version>,
    /// Only packages with a version for this machine
    #[arg(long, value_name = "TARGET")]
    target: Option<Target>,
    /// What comes first
    #[arg(long, value_enum, default_value_t)]
    order: Order,
    /// At most so many results
    #[arg(long, default_value_t = 20)]
    limit: u32,
    /// Where to go on: `next` of the page before
    #[arg(long, value_name = "NEXT")]
    cursor: Option<String>,
}

/// What comes first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Order {
    /// What fits the text best
    #[default]
    Relevance,
    /// By name
    Name,
    /// The package with the youngest version
    Newest,
    /// The package that was asked for most in 90 days
    Downloads,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    find(&args.text, args.kind, &args.filters, context).await
}

/// Asks the registry and prints what it found.
pub(crate) async fn find(
    text: &str,
    kind: Option<Kind>,
    filters: &Filters,
    context: &Context,
) -> Outcome<Exit> {
    let api = WriteClient::open_anonymous(context).await?;
    let results = api.search(&filters.query(text, kind)).await?;
    show(&results, text, context)?;
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

impl Filters {
    /// The question as the registry takes it.
    fn query(&self, text: &str, kind: Option<Kind>) -> Vec<(&'static str, String)> {
        let order = match self.order {
            Order::Relevance => "relevance",
            Order::Name => "name",
            Order::Newest => "newest",
            Order::Downloads => "downloads",
        };
        let optional = [
            ("kind", kind.map(|it| it.to_string())),
            ("type", self.extension_type.map(|it| it.to_string())),
            ("keyword", self.keyword.clone()),
            ("core", self.core.as_ref().map(ToString::to_string)),
            ("target", self.target.map(|it| it.to_string())),
            ("cursor", self.cursor.clone()),
        ];
        let mut query = vec![
            ("q", text.to_owned()),
            ("order", order.to_owned()),
            ("limit", self.limit.to_string()),
        ];
        query.extend(
            optional
                .into_iter()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        query
    }
}

fn extension_type(text: &str) -> Result<ExtensionType, String> {
    text.parse()
        .map_err(|_| "expected `provider`, `taskserv`, `cluster` or `workflow`".to_owned())
}

/// Prints what a search found.
fn show(results: &SearchResults, text: &str, context: &Context) -> Outcome<()> {
    context.output.long_result(results, |out| {
        if results.packages.is_empty() {
            return match text {
                "" => writeln!(out, "nothing found"),
                _ => writeln!(out, "nothing found for `{text}`"),
            };
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
        table.write(out)?;
        match &results.next {
            Some(next) => writeln!(out, "there is more: `--cursor {next}`"),
            None => Ok(()),
        }
    })
}
