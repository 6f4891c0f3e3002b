//! `provisioning bundle list`: published bundles, and the channels that point at them.

use std::collections::BTreeSet;

use provisioning_package::BundleName;
use serde::Serialize;

use super::show::state_word;
use crate::commands::info::printable;
use crate::context::Context;
use crate::failure::{Exit, Outcome};
use crate::output::Table;
use crate::registry::RegistryReader;

/// List published bundles, and the channels that point at them
///
/// Found are the bundles that a channel points at or that the registry's `versions.toml`
/// has a draft of.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

#[derive(Serialize)]
struct Listed {
    bundles: Vec<ListedBundle>,
}

#[derive(Serialize)]
struct ListedBundle {
    name: BundleName,
    title: String,
    sequence: u64,
    state: &'static str,
    release_date: Option<String>,
    lts_until: Option<String>,
    members: usize,
    channels: Vec<BundleName>,
}

/// Runs it.
pub(crate) async fn run(_: &Args, context: &Context) -> Outcome<Exit> {
    let mut registry = RegistryReader::open(context).await?;
    let document = collect(&mut registry).await?;
    context.output.long_result(&document, |out| {
        if document.bundles.is_empty() {
            return writeln!(out, "no bundle is published");
        }
        let mut table = Table::new(["BUNDLE", "TITLE", "STATE", "RELEASED", "CHANNELS"]);
        for it in &document.bundles {
            let channels: Vec<&str> = it.channels.iter().map(BundleName::as_str).collect();
            table.row([
                format!("{} #{}", it.name, it.sequence),
                printable(&it.title),
                it.state.to_owned(),
                it.release_date.clone().unwrap_or_default(),
                channels.join(", "),
            ]);
        }
        table.write(out)
    })?;
    Ok(Exit::Done)
}

async fn collect(registry: &mut RegistryReader) -> Outcome<Listed> {
    let channels = registry.channels().await?.channels;
    let drafts = registry.matrix().await?.read.bundles;
    let heads = channels.values().map(|it| &it.bundle);
    let names: BTreeSet<BundleName> = heads.chain(drafts.keys()).cloned().collect();
    let mut bundles = Vec::new();
    for name in names {
        let Some(document) = registry.bundle(&name).await? else {
            continue;
        };
        let Some(current) = document.current() else {
            continue;
        };
        bundles.push(ListedBundle {
            title: current.title.clone(),
            sequence: current.sequence,
            state: state_word(current.state),
            release_date: current.release_date.map(|it| it.to_string()),
            lts_until: current.lts_until.map(|it| it.to_string()),
            members: current.members.len(),
            channels: channels
                .iter()
                .filter(|(_, head)| head.bundle == name)
                .map(|(channel, _)| channel.clone())
                .collect(),
            name,
        });
    }
    Ok(Listed { bundles })
}
