//! `provisioning install`: packages, bundles and channels.

use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;
use provisioning_package::Spec;

use crate::commands::import::say_how_to_use;
use crate::context::Context;
use crate::copying::{import, try_out};
use crate::failure::{Exit, Outcome};
use crate::planning::{Intent, SolveOptions};
use crate::transaction::{Mode, carry_out};

/// Installs packages, or follows a bundle or channel.
///
/// A spec is `NAME`, `NAME@VERSION` or the name of a bundle or channel. `X.Y.Z` is exactly
/// that version, `X.Y` is `~X.Y`, `X` is `^X`, `latest` the newest; anything else is a
/// requirement such as `>=1.2, <2`. What was asked for earlier still holds; a new spec
/// replaces the earlier one for that package, and a new bundle the earlier bundle.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// What to install: `core@3.1.0`, `mongodb`, `stable-3.2`; with `--from` what the file
    /// was made for, where nothing is named
    #[arg(required_unless_present = "from", value_name = "SPEC")]
    specs: Vec<String>,
    /// Take everything from this exported file, without a network: `import`, then install
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    #[command(flatten)]
    how: How,
}

/// How an install goes about it.
#[derive(Debug, ClapArgs)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag that is typed or not, and they are independent"
)]
pub(crate) struct How {
    /// Say what would change, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Refuse versions that the compatibility matrix does not list
    #[arg(long)]
    strict: bool,
    /// Let pre-releases in
    #[arg(long)]
    pre: bool,
    /// Stop following the bundle; its packages stay, as if asked for by name
    #[arg(long)]
    leave_bundle: bool,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    match &args.from {
        Some(file) => install_from(file, args, context).await,
        None => install(&parse(&args.specs)?, &args.how, context).await,
    }
}

/// Installs from an exported file. A dry run takes nothing over.
async fn install_from(file: &Path, args: &Args, context: &Context) -> Outcome<Exit> {
    let file = context.env.absolute(file);
    let typed = parse(&args.specs)?;
    let specs_of = |specs: &[String]| match typed.as_slice() {
        [] => parse(specs),
        typed => Ok(typed.to_vec()),
    };
    if args.how.dry_run {
        let tried = try_out(&file, context).await?;
        let specs = specs_of(&tried.imported.specs)?;
        return install(&specs, &args.how, &tried.context).await;
    }
    let imported = import(&file, context).await?;
    say_how_to_use(&imported, context);
    let mut context = context.clone();
    context.settings.use_offline(&imported.registry);
    install(&specs_of(&imported.specs)?, &args.how, &context).await
}

/// Reads what was typed.
pub(crate) fn parse(specs: &[String]) -> Outcome<Vec<Spec>> {
    specs.iter().map(|it| Ok(it.parse::<Spec>()?)).collect()
}

/// Installs what the specs name.
pub(crate) async fn install(specs: &[Spec], how: &How, context: &Context) -> Outcome<Exit> {
    let intent = Intent::Install {
        specs: specs.to_vec(),
        leave_bundle: how.leave_bundle,
        options: SolveOptions {
            strict: how.strict,
            pre: how.pre,
            ..SolveOptions::of_this_machine()
        },
    };
    carry_out(&intent, Mode::of(how.dry_run), context).await
}
