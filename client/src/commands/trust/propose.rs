//! `provisioning trust propose`: write down a change of keys for people to sign.

use std::path::PathBuf;

use provisioning_trust::{KEYED_ROLES, KeyChange, PublicKey};

use super::change;
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::registry::RegistryReader;

/// Write down a change of keys for people to sign
///
/// The file travels: each holder of a key runs `provisioning trust sign --key KEY FILE`, then
/// somebody runs `provisioning trust publish FILE`. Roles: root, targets, release,
/// extensions, bins, snapshot, timestamp.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    provisioning trust propose --out change.json --add release=ed25519:… --threshold release=2\n  \
    provisioning trust propose --out change.json --add root=ed25519:… --remove root=KEYID\n  \
    provisioning trust propose --out change.json --renew root --renew targets")]
pub(crate) struct Args {
    /// Where to write the change
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Gives a role another key
    #[arg(long, value_name = "ROLE=PUBLICKEY", value_parser = pair)]
    add: Vec<(String, String)>,
    /// Takes a key from a role
    #[arg(long, value_name = "ROLE=KEYID", value_parser = pair)]
    remove: Vec<(String, String)>,
    /// How many of a role's keys must sign
    #[arg(long, value_name = "ROLE=N", value_parser = pair)]
    threshold: Vec<(String, String)>,
    /// Signs a role again as it is, so that it holds for longer
    #[arg(long, value_name = "ROLE")]
    renew: Vec<String>,
}

/// Runs it.
pub(super) async fn run(args: &Args, context: &Context) -> Outcome<()> {
    let file = context.env.absolute(&args.out);
    if file.exists() {
        return Err(Failure::usage(format!(
            "`{}` exists already",
            file.display()
        )));
    }
    let mut registry = RegistryReader::open(context).await?;
    let files = registry.role_files().await?;
    let mut draft = KeyChange::over(&files)?;
    // Keys are added before others go, so that no threshold is missed on the way.
    for (role, key) in &args.add {
        draft.add(role, &key.parse::<PublicKey>()?)?;
    }
    for (role, count) in &args.threshold {
        let count = count.parse().map_err(|_| {
            Failure::usage(format!("`{count}` is no number of signatures for `{role}`"))
        })?;
        draft.threshold(role, count)?;
    }
    for (role, id) in &args.remove {
        draft.remove(role, id)?;
    }
    for role in &args.renew {
        draft.renew(role)?;
    }
    let change = draft.finish(context.now())?;
    if change.is_empty() {
        return Err(Failure::usage("nothing would change")
            .with_hint("say what to change: `--add`, `--remove`, `--threshold` or `--renew`"));
    }
    change::write(&file, &change)?;
    for line in change.describe(&files)? {
        context.output.status(&line);
    }
    change::report(&change, &files, Vec::new(), context).map(drop)
}

/// Reads `ROLE=VALUE`.
fn pair(text: &str) -> Result<(String, String), String> {
    let (role, value) = text.split_once('=').ok_or("expected `ROLE=…`")?;
    if !KEYED_ROLES.contains(&role) {
        return Err(format!("`{role}` is none of {}", KEYED_ROLES.join(", ")));
    }
    Ok((role.to_owned(), value.to_owned()))
}
