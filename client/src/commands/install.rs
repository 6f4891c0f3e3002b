//! `provisioning install`: packages, bundles and channels.

use clap::Args as ClapArgs;
use provisioning_package::Spec;

use crate::context::Context;
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
    /// What to install: `core@3.1.0`, `mongodb`, `stable-3.2`
    #[arg(required = true, value_name = "SPEC")]
    specs: Vec<String>,
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
    install(&parse(&args.specs)?, &args.how, context).await
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
