//! `provisioning compat what-if`: what one change would force on the others.

use provisioning_compat::{Change, Request, Wanted, what_if};
use provisioning_installers::{Generation, Requests};
use provisioning_package::{Kind, PackageName, Selector, Spec, Version};
use serde::Serialize;

use crate::commands::install::parse;
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::Table;
use crate::planning::{
    Asked, Registry, SolveOptions, ask, consult, fresh, installed_set, no_solution,
};
use crate::transaction::installed_now;

/// Show what a change of one package would force on the others
///
/// Nothing is installed. It is asked about what is installed now, or, with `--bundle`, about
/// a bundle or channel. The bundle's pins do not hold: the question is what leaving it would
/// take. Exits with status 3 when the change cannot be had, and says what is in the way.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: provisioning compat what-if core@3.3.0 --bundle stable")]
pub(crate) struct Args {
    /// The change: `core@3.3.0`
    #[arg(required = true, value_name = "SPEC")]
    specs: Vec<String>,
    /// Ask about this bundle or channel in place of what is installed
    #[arg(long, value_name = "NAME")]
    bundle: Option<String>,
    /// Let pre-releases in
    #[arg(long)]
    pre: bool,
}

#[derive(Serialize)]
struct Document<'a> {
    changes: &'a [Change],
    packages: Vec<Package<'a>>,
    warnings: &'a [String],
}

#[derive(Serialize)]
struct Package<'a> {
    kind: Kind,
    name: &'a PackageName,
    version: &'a Version,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    let mut registry = Registry::new();
    let change = wanted(&parse(&args.specs)?)?;
    let (asked, request) = start(args, &mut registry, context).await?;
    let found = consult(context, &mut registry, &all_of(&request, &change), |it| {
        what_if(&change, &request, it.matrix, it.index, it.cancelled)
    })
    .await?
    .map_err(|problem| no_solution(&problem, &asked))?;
    let warnings = found.solution.warnings.iter();
    let warnings: Vec<String> = warnings.map(ToString::to_string).collect();
    for warning in &warnings {
        context.output.warning(warning);
    }
    let packages = found.solution.packages.iter();
    let document = Document {
        changes: &found.changes,
        packages: packages
            .map(|(name, it)| Package {
                kind: it.kind,
                name,
                version: &it.version,
            })
            .collect(),
        warnings: &warnings,
    };
    context.output.result(&document, |out| {
        if found.changes.is_empty() {
            return writeln!(out, "nothing would change");
        }
        let mut table = Table::new(["NAME", "FROM", "TO", "WHY"]);
        for it in &found.changes {
            let text = |it: &Option<Version>| it.as_ref().map(ToString::to_string);
            let why = if it.why.is_empty() {
                "asked for"
            } else {
                &it.why
            };
            table.row([
                it.name.to_string(),
                text(&it.from).unwrap_or_default(),
                text(&it.to).unwrap_or_default(),
                why.to_owned(),
            ]);
        }
        table.write(out)
    })?;
    Ok(Exit::Done)
}

/// What the question is about, with no bundle followed.
async fn start(
    args: &Args,
    registry: &mut Registry,
    context: &Context,
) -> Outcome<(Asked, Request)> {
    let current: Option<Generation> = match &args.bundle {
        None => installed_now(context)?,
        Some(_) => None,
    };
    if args.bundle.is_none() && current.is_none() {
        let output = &context.output;
        output.note("nothing is installed here; `--bundle NAME` asks about a bundle");
    }
    let requests = match (&args.bundle, &current) {
        (Some(name), _) => {
            let spec: Spec = format!("bundle:{}", name.trim_start_matches("bundle:")).parse()?;
            ask(context, registry, &[spec], Requests::default())
                .await?
                .requests
        }
        (None, current) => current
            .as_ref()
            .map(|it| it.requests.clone())
            .unwrap_or_default(),
    };
    let members = requests.bundle.as_ref().map(|it| it.members.clone());
    let mut asked = Asked::again(requests);
    asked.requests.leave_bundle();
    let mut request = fresh(context, &asked, &SolveOptions::of_this_machine());
    request.pre = args.pre;
    request.installed = match &current {
        Some(current) => installed_set::versions(current),
        None => members.unwrap_or_default(),
    };
    request.wanted = provisioning_compat::as_earlier(&request.wanted);
    Ok((asked, request))
}

fn wanted(specs: &[Spec]) -> Outcome<Vec<Wanted>> {
    specs
        .iter()
        .map(|spec| match spec.as_package() {
            Some(name) => Ok(Wanted::by_you(
                name,
                spec.selector().clone(),
                spec.to_string(),
            )),
            None => Err(Failure::usage(format!("`{spec}` names no package"))
                .with_hint("name one and a version: `provisioning compat what-if core@3.3.0`")),
        })
        .collect()
}

/// Everything that the search will ask for.
fn all_of(request: &Request, change: &[Wanted]) -> Request {
    let mut all = request.clone();
    for it in change {
        all.installed.remove(&it.name);
        if it.selector != Selector::Any {
            all.wanted.retain(|other| other.name != it.name);
        }
    }
    all.wanted.extend(change.iter().cloned());
    all
}
