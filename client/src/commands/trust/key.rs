//! `provisioning trust key`: the keys that people sign with, as files and on paper.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use provisioning_trust::SigningKey;
use serde::Serialize;

use crate::context::Context;
use crate::durable::{Readers, replace_file};
use crate::failure::{Failure, Outcome};
use crate::signing::keys::{PASSPHRASE_VARIABLE, PassphraseArgs, read_key};

/// Most bytes of words that are read.
const WORDS_BYTES_MAX: u64 = 4096;

/// What to do with a key.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Make a key; its public half is printed, to be sent to who proposes it
    New {
        /// Where to write the private key
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        #[command(flatten)]
        passphrase: PassphraseArgs,
    },
    /// Show the id and the public half of a key
    Show {
        /// The key
        file: PathBuf,
        #[command(flatten)]
        passphrase: PassphraseArgs,
    },
    /// Put a key file under a passphrase
    Protect {
        /// The key, which has none yet
        file: PathBuf,
        #[command(flatten)]
        passphrase: PassphraseArgs,
    },
    /// Print a key as 24 words, to be written on paper and locked away
    Paper {
        /// The key
        file: PathBuf,
        #[command(flatten)]
        passphrase: PassphraseArgs,
    },
    /// Make a key file again from the 24 words on paper, which are read from stdin
    Restore {
        /// Where to write the private key
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        #[command(flatten)]
        passphrase: PassphraseArgs,
    },
}

impl Action {
    /// Whether it only asks.
    pub(crate) const fn is_question(&self) -> bool {
        matches!(self, Self::Show { .. } | Self::Paper { .. })
    }
}

#[derive(Serialize)]
struct Document {
    file: String,
    key_id: String,
    public_key: String,
    words: Option<String>,
}

/// Runs it.
pub(super) fn run(action: &Action, context: &Context) -> Outcome<()> {
    match action {
        Action::New { out, passphrase } => {
            let file = context.env.absolute(out);
            made(&file, &SigningKey::generate()?, passphrase, context)
        }
        Action::Show { file, passphrase } => {
            let file = context.env.absolute(file);
            show(&file, &read_key(&file, passphrase, context)?, None, context)
        }
        Action::Protect { file, passphrase } => {
            let file = context.env.absolute(file);
            protect(&file, passphrase, context)
        }
        Action::Paper { file, passphrase } => {
            let file = context.env.absolute(file);
            let key = read_key(&file, passphrase, context)?;
            let words = key.paper_words().to_string();
            show(&file, &key, Some(words), context)
        }
        Action::Restore { out, passphrase } => {
            let file = context.env.absolute(out);
            let key = SigningKey::from_paper_words(&read_words()?)?;
            made(&file, &key, passphrase, context)
        }
    }
}

/// No key is ever written over another file.
pub(super) fn refuse_existing(file: &Path) -> Outcome<()> {
    if file.symlink_metadata().is_err() {
        return Ok(());
    }
    Err(
        Failure::usage(format!("`{}` exists already", file.display()))
            .with_hint("no key is ever written over another"),
    )
}

/// Writes a key file, which must not exist, readable by its owner alone.
pub(super) fn save(file: &Path, key: &SigningKey, passphrase: Option<&str>) -> Outcome<()> {
    refuse_existing(file)?;
    write(file, key, passphrase)
}

/// What is said of a key file without a passphrase.
pub(super) fn unprotected(file: &Path) -> String {
    format!(
        "`{0}` is not protected by a passphrase: `provisioning trust key protect {0}`",
        file.display()
    )
}

fn made(
    file: &Path,
    key: &SigningKey,
    passphrase: &PassphraseArgs,
    context: &Context,
) -> Outcome<()> {
    refuse_existing(file)?;
    let passphrase = passphrase.for_new_keys(context)?;
    save(file, key, passphrase.as_deref())?;
    if passphrase.is_none() {
        context.output.warning(&unprotected(file));
    }
    show(file, key, None, context)
}

fn write(file: &Path, key: &SigningKey, passphrase: Option<&str>) -> Outcome<()> {
    let text = match passphrase {
        Some(passphrase) => key.to_protected_pem(passphrase)?.to_string(),
        None => key.to_pem()?,
    };
    replace_file(file, text.as_bytes(), Readers::Owner)
}

fn protect(file: &Path, passphrase: &PassphraseArgs, context: &Context) -> Outcome<()> {
    let text = std::fs::read_to_string(file)
        .map_err(|problem| Failure::io("read the key file", file, &problem))?;
    if SigningKey::is_protected(&text) {
        return Err(Failure::new(
            "is-protected",
            format!("`{}` has a passphrase already", file.display()),
        ));
    }
    let key = read_key(file, passphrase, context)?;
    let secret = passphrase.for_new_keys(context)?.ok_or_else(|| {
        Failure::usage("no passphrase was given").with_hint(format!(
            "give it in `{PASSPHRASE_VARIABLE}` or with `--passphrase-file FILE`"
        ))
    })?;
    write(file, &key, Some(&secret))?;
    show(file, &key, None, context)
}

fn read_words() -> Outcome<String> {
    let mut text = String::new();
    std::io::stdin()
        .lock()
        .take(WORDS_BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(|problem| {
            Failure::new("io", "cannot read the words from stdin").with_cause(problem.to_string())
        })?;
    Ok(text)
}

fn show(file: &Path, key: &SigningKey, words: Option<String>, context: &Context) -> Outcome<()> {
    let document = Document {
        file: file.display().to_string(),
        key_id: key.key_id().to_owned(),
        public_key: key.public_key().to_string(),
        words,
    };
    context.output.result(&document, |out| {
        writeln!(out, "file        {}", document.file)?;
        writeln!(out, "key id      {}", document.key_id)?;
        writeln!(out, "public key  {}", document.public_key)?;
        if let Some(words) = &document.words {
            for (number, row) in words.split(' ').collect::<Vec<_>>().chunks(6).enumerate() {
                let label = if number == 0 { "words" } else { "" };
                writeln!(out, "{label:<12}{}", row.join(" "))?;
            }
        }
        Ok(())
    })
}
