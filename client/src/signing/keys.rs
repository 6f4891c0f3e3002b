//! Where the keys that people sign with come from: files, protected or not, and the
//! environment of CI.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use provisioning_trust::SigningKey;

use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::prompt;

/// Holds a key itself, as PEM text: for CI, whose secrets are variables.
pub(crate) const KEY_VARIABLE: &str = "PROVISIONING_SIGNING_KEY";
/// Holds the passphrase of key files.
pub(crate) const PASSPHRASE_VARIABLE: &str = "PROVISIONING_KEY_PASSPHRASE";

/// Which keys to sign with.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct KeyArgs {
    /// Key file to sign with; may be given several times [default: the key itself in
    /// `PROVISIONING_SIGNING_KEY`]
    #[arg(long = "key", value_name = "FILE")]
    pub(crate) keys: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) passphrase: PassphraseArgs,
}

/// What opens key files.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct PassphraseArgs {
    /// File whose first line is the passphrase of the key files [default:
    /// `PROVISIONING_KEY_PASSPHRASE`, else it is asked for]
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
}

impl KeyArgs {
    /// Whether any key was named.
    pub(crate) fn is_given(&self, context: &Context) -> bool {
        !self.keys.is_empty() || context.env.variable(KEY_VARIABLE).is_some()
    }

    /// Reads the keys; at least one.
    pub(crate) fn load(&self, context: &Context) -> Outcome<Vec<SigningKey>> {
        let mut keys = Vec::new();
        for file in &self.keys {
            keys.push(read_key(
                &context.env.absolute(file),
                &self.passphrase,
                context,
            )?);
        }
        if keys.is_empty()
            && let Some(text) = context.env.variable(KEY_VARIABLE)
        {
            let place = format!("`{KEY_VARIABLE}`");
            keys.push(open(text, &place, &self.passphrase, context)?);
        }
        if keys.is_empty() {
            return Err(Failure::usage("no key to sign with was named")
                .with_hint("name a key file with `--key FILE`")
                .with_hint(format!("in CI, put the key itself into `{KEY_VARIABLE}`")));
        }
        Ok(keys)
    }
}

impl PassphraseArgs {
    /// The passphrase that new key files get; `None` where none was given and nobody can be
    /// asked.
    pub(crate) fn for_new_keys(&self, context: &Context) -> Outcome<Option<String>> {
        if let Some(given) = self.given(context)? {
            return Ok(Some(given));
        }
        if !prompt::is_interactive(context) {
            return Ok(None);
        }
        let first = prompt::ask_hidden("passphrase for the new keys: ")?;
        if first != prompt::ask_hidden("the same again: ")? {
            return Err(Failure::usage("the two passphrases differ"));
        }
        if first.is_empty() {
            return Err(Failure::usage("the passphrase is empty"));
        }
        Ok(Some(first))
    }

    fn given(&self, context: &Context) -> Outcome<Option<String>> {
        if let Some(file) = &self.passphrase_file {
            let file = context.env.absolute(file);
            let text = fs::read_to_string(&file)
                .map_err(|problem| Failure::io("read the passphrase file", &file, &problem))?;
            let line = text.lines().next().unwrap_or_default().to_owned();
            if line.is_empty() {
                return Err(Failure::usage(format!("`{}` is empty", file.display())));
            }
            return Ok(Some(line));
        }
        Ok(context.env.variable(PASSPHRASE_VARIABLE).map(str::to_owned))
    }
}

/// Reads one key file.
pub(crate) fn read_key(
    file: &Path,
    passphrase: &PassphraseArgs,
    context: &Context,
) -> Outcome<SigningKey> {
    let text = fs::read_to_string(file)
        .map_err(|problem| Failure::io("read the key file", file, &problem))?;
    let is_open = fs::metadata(file).is_ok_and(|it| it.permissions().mode() & 0o077 != 0);
    if is_open {
        context.output.warning(&format!(
            "others on this machine can read the key file `{0}`: `chmod 600 {0}`",
            file.display()
        ));
    }
    open(&text, &format!("`{}`", file.display()), passphrase, context)
}

fn open(
    pem: &str,
    place: &str,
    passphrase: &PassphraseArgs,
    context: &Context,
) -> Outcome<SigningKey> {
    let unreadable = |problem: provisioning_trust::SignError| {
        Failure::new("bad-key", format!("cannot use the key in {place}"))
            .with_cause(problem.to_string())
    };
    if !SigningKey::is_protected(pem) {
        return SigningKey::from_pem(pem.trim()).map_err(unreadable);
    }
    let secret = match passphrase.given(context)? {
        Some(secret) => secret,
        None if prompt::is_interactive(context) => {
            prompt::ask_hidden(&format!("passphrase of {place}: "))?
        }
        None => {
            return Err(Failure::new(
                "no-passphrase",
                format!("the key in {place} needs a passphrase"),
            )
            .with_hint(format!(
                "give it in `{PASSPHRASE_VARIABLE}` or with `--passphrase-file FILE`"
            )));
        }
    };
    SigningKey::from_protected_pem(pem, &secret).map_err(unreadable)
}
