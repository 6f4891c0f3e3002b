//! `provisioning trust rotate`: give a role new keys.

use std::path::PathBuf;

use provisioning_registry_api::trust::MakeOnlineKey;
use provisioning_trust::{KEYED_ROLES, KeyChange, PublicKey, SigningKey};

use super::{change, key, publish};
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::registry::RegistryReader;
use crate::signing::keys::KeyArgs;
use crate::write_api::WriteClient;

/// Roles whose keys the registry makes and keeps.
const ONLINE: [&str; 3] = ["bins", "snapshot", "timestamp"];

/// Give a role a new key in the place of an old one
///
/// A new key of bins, snapshot or timestamp is made by the registry, any other here. It counts
/// once the role above has signed: root for targets, snapshot and timestamp, targets for
/// release and extensions, extensions for bins. With `--key` for enough of those keys the
/// change is put in force at once; without, it is written to `--change FILE` and travels.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    provisioning trust rotate timestamp --key root-1.pem --key root-2.pem\n  \
    provisioning trust rotate release --out new.pem --key targets.pem")]
pub(crate) struct Args {
    /// root, targets, release, extensions, bins, snapshot or timestamp
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(KEYED_ROLES))]
    role: String,
    /// The id of the key to replace, where the role has several
    #[arg(long, value_name = "KEYID")]
    replace: Option<String>,
    /// Where to write a new private key that is made here
    #[arg(long, value_name = "FILE", conflicts_with = "with")]
    out: Option<PathBuf>,
    /// A public key that somebody else made, instead of a new one
    #[arg(long, value_name = "PUBLICKEY")]
    with: Option<PublicKey>,
    /// Where to write the change if it is not complete yet
    #[arg(long, value_name = "FILE")]
    change: Option<PathBuf>,
    #[command(flatten)]
    keys: KeyArgs,
}

/// Runs it.
pub(super) async fn run(args: &Args, context: &Context) -> Outcome<()> {
    let mut registry = RegistryReader::open(context).await?;
    let files = registry.role_files().await?;
    let mut draft = KeyChange::over(&files)?;
    let roster = draft.roster(&args.role)?;
    let old: Vec<String> = roster.ids().map(str::to_owned).collect();
    let replaced = match (&args.replace, &old[..]) {
        (Some(id), _) if roster.has(id) => id.clone(),
        (Some(id), _) => {
            return Err(Failure::usage(format!("`{}` has no key `{id}`", args.role))
                .with_causes(old.iter().map(|id| format!("it has {id}"))));
        }
        (None, [only]) => only.clone(),
        (None, several) => {
            return Err(
                Failure::usage(format!("`{}` has {} keys", args.role, several.len()))
                    .with_causes(several.iter().cloned())
                    .with_hint("say which one goes with `--replace KEYID`"),
            );
        }
    };
    if !args.keys.is_given(context) && args.change.is_none() {
        return Err(Failure::usage("nobody signs this change")
            .with_hint("give the keys of the role above with `--key FILE`")
            .with_hint("or write the change to a file with `--change FILE`"));
    }
    let (public, made) = new_key(args, context).await?;
    draft.add(&args.role, &public)?;
    draft.remove(&args.role, &replaced)?;
    let mut change = draft.finish(context.now())?;
    for line in change.describe(&files)? {
        context.output.status(&line);
    }
    let keys = if args.keys.is_given(context) {
        args.keys.load(context)?
    } else {
        Vec::new()
    };
    let mut signed = Vec::new();
    for key in keys.iter().chain(&made) {
        signed.extend(change.sign(key, &files)?);
    }
    if change.is_met(&files)? {
        let put = publish::send(&change, &files, context).await?;
        return publish::report(put, context);
    }
    let Some(file) = &args.change else {
        let standings = change.standings(&files)?;
        let lacking = standings.iter().filter(|it| !it.standing.is_met());
        return Err(
            Failure::new("unsigned", "these keys do not suffice for the change")
                .with_causes(lacking.map(|it| {
                    format!(
                        "{} lacks {} of: {}",
                        it.role,
                        it.standing.needed(),
                        it.standing.missing.join(", ")
                    )
                }))
                .with_hint("write the change to a file with `--change FILE` for others to sign"),
        );
    };
    change::write(&context.env.absolute(file), &change)?;
    change::report(&change, &files, signed, context).map(drop)
}

/// The new key: its public half, and the private one where it was made here.
async fn new_key(args: &Args, context: &Context) -> Outcome<(PublicKey, Option<SigningKey>)> {
    if let Some(public) = &args.with {
        return Ok((public.clone(), None));
    }
    if ONLINE.contains(&args.role.as_str()) {
        let api = WriteClient::open(context).await?;
        let made = api
            .make_online_key(&MakeOnlineKey {
                role: args.role.clone(),
            })
            .await?;
        return Ok((made.public_key.parse()?, None));
    }
    let out = args.out.as_ref().ok_or_else(|| {
        Failure::usage("a new key is made here, and has no place")
            .with_hint("say where to write it with `--out FILE`")
            .with_hint("or take a key that somebody else made: `--with ed25519:…`")
    })?;
    let key = SigningKey::generate()?;
    let file = context.env.absolute(out);
    key::refuse_existing(&file)?;
    let passphrase = args.keys.passphrase.for_new_keys(context)?;
    key::save(&file, &key, passphrase.as_deref())?;
    if passphrase.is_none() {
        context.output.warning(&key::unprotected(&file));
    }
    Ok((key.public_key(), Some(key)))
}
