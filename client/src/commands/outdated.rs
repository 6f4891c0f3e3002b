//! `provisioning outdated`: what is newer than what is installed.

use provisioning_compat::{Outdated, outdated};
use provisioning_installers::BundleRequest;
use provisioning_package::{BundleName, Version};
use serde::Serialize;

use crate::commands::info::printable;
use crate::context::Context;
use crate::failure::{Exit, Outcome};
use crate::output::Table;
use crate::planning::{Registry, consult, news_of, standing};
use crate::transaction::installed_now;

/// Show what is newer than what is installed, and what holds it back
///
/// For each package that is behind: the newest version that this machine could take, the
/// newest that fits what was asked for, and what keeps the newest out.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Exit with status 100 when something newer exists
    #[arg(long)]
    exit_code: bool,
    /// List the packages that are up to date too
    #[arg(long)]
    all: bool,
    /// Count pre-releases as newer
    #[arg(long)]
    pre: bool,
}

#[derive(Serialize)]
struct Document<'a> {
    packages: &'a [Outdated],
    /// The followed bundle, and what must be heard of it.
    bundle: Option<Followed>,
}

#[derive(Serialize)]
struct Followed {
    name: BundleName,
    sequence: u64,
    channel: Option<BundleName>,
    news: Option<News>,
}

#[derive(Serialize)]
struct News {
    code: &'static str,
    message: String,
    fix: String,
    #[serde(skip)]
    is_urgent: bool,
}

async fn followed(
    registry: &mut Registry,
    request: &BundleRequest,
    context: &Context,
) -> Outcome<Followed> {
    let news = news_of(registry, request, context).await?;
    Ok(Followed {
        name: request.name.clone(),
        sequence: request.sequence,
        channel: request.channel.clone(),
        news: news.map(|it| News {
            code: it.code(),
            message: it.to_string(),
            fix: it.fix(),
            is_urgent: it.is_urgent(),
        }),
    })
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    let mut bundle = None;
    let mut found = match installed_now(context)? {
        None => Vec::new(),
        Some(current) => {
            let mut request = standing(context, &current);
            request.pre = args.pre;
            let mut registry = Registry::new();
            if let Some(it) = &current.requests.bundle {
                bundle = Some(followed(&mut registry, it, context).await?);
            }
            consult(context, &mut registry, &request, |it| {
                outdated(&request, it.matrix, it.index, it.cancelled)
            })
            .await?
        }
    };
    let news = bundle.as_ref().and_then(|it| it.news.as_ref());
    let is_urgent = news.is_some_and(|it| it.is_urgent);
    let is_behind = is_urgent || found.iter().any(Outdated::is_behind);
    if !args.all {
        found.retain(Outdated::is_behind);
    }
    let document = Document {
        packages: &found,
        bundle,
    };
    context.output.long_result(&document, |out| {
        let news = document.bundle.as_ref().and_then(|it| it.news.as_ref());
        if let Some(news) = news {
            writeln!(out, "{}\n  {}\n", printable(&news.message), news.fix)?;
        }
        if found.is_empty() {
            return writeln!(out, "everything is the newest");
        }
        let mut table = Table::new(["NAME", "INSTALLED", "NEWEST", "FITS"]);
        for it in &found {
            let text = |it: &Option<Version>| it.as_ref().map(ToString::to_string);
            table.row([
                it.name.to_string(),
                it.installed.to_string(),
                text(&it.newest).unwrap_or_default(),
                text(&it.fits).unwrap_or_default(),
            ]);
        }
        table.write(out)?;
        for it in found.iter().filter(|it| !it.held_back_by.is_empty()) {
            writeln!(out, "\n{} is held back:", it.name)?;
            for cause in &it.held_back_by {
                writeln!(out, "  - {cause}")?;
            }
        }
        Ok(())
    })?;
    Ok(if args.exit_code && is_behind {
        Exit::Outdated
    } else {
        Exit::Done
    })
}
