//! `provisioning resolve`: what an install into an empty prefix would choose.

use provisioning_installers::Requests;
use provisioning_package::{Digest, Kind, PackageName, Target, Version};
use serde::Serialize;

use crate::commands::install::parse;
use crate::context::Context;
use crate::failure::{Exit, Outcome};
use crate::output::Table;
use crate::planning::{Moves, Registry, SolveOptions, ask, solve};

/// Shows which versions an install into an empty prefix would choose. Nothing is
/// installed, and what is installed does not count.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What would be installed
    #[arg(required = true, value_name = "SPEC")]
    specs: Vec<String>,
    /// The machine to choose for: `any`, `linux-x86_64`, `linux-arm64`, `macos-x86_64`, `macos-arm64`
    #[arg(long)]
    target: Option<Target>,
    /// Choose the oldest versions that fit
    #[arg(long)]
    minimal: bool,
    /// Refuse versions that the compatibility matrix does not list
    #[arg(long)]
    strict: bool,
    /// Let pre-releases in
    #[arg(long)]
    pre: bool,
}

#[derive(Serialize)]
struct Document<'a> {
    packages: Vec<Resolved<'a>>,
    warnings: &'a [String],
}

#[derive(Serialize)]
struct Resolved<'a> {
    kind: Kind,
    name: &'a PackageName,
    version: &'a Version,
    digest: &'a Digest,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    let mut registry = Registry::new();
    let specs = parse(&args.specs)?;
    let options = SolveOptions {
        strict: args.strict,
        pre: args.pre,
        minimal: args.minimal,
        target: args
            .target
            .unwrap_or_else(|| SolveOptions::of_this_machine().target),
    };
    let asked = ask(context, &mut registry, &specs, Requests::default()).await?;
    let solved = solve(context, &mut registry, None, asked, &options, &Moves::Asked).await?;
    let warnings = solved.warnings();
    for warning in &warnings {
        context.output.warning(warning);
    }
    let mut packages: Vec<_> = solved
        .solution
        .packages
        .iter()
        .map(|(name, it)| Resolved {
            kind: it.kind,
            name,
            version: &it.version,
            digest: &it.archive.digest,
        })
        .collect();
    packages.sort_by(|a, b| (a.kind, a.name).cmp(&(b.kind, b.name)));
    let document = Document {
        packages,
        warnings: &warnings,
    };
    context.output.result(&document, |out| {
        let mut table = Table::new(["KIND", "NAME", "VERSION", "DIGEST"]);
        for it in &document.packages {
            table.row([
                it.kind.to_string(),
                it.name.to_string(),
                it.version.to_string(),
                it.digest.prefixed(),
            ]);
        }
        table.write(out)
    })?;
    Ok(Exit::Done)
}
