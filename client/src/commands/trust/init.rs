//! `provisioning trust init`: the ceremony that takes a registry's keys out of its hands.

use std::fs::{self, DirBuilder};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use provisioning_trust::{
    Change, KeyChange, KeySet, PublicKey, Repository, RoleFiles, RolePlan, SigningKey,
};
use serde::Serialize;

use super::{key, publish};
use crate::context::Context;
use crate::durable::{Readers, replace_file};
use crate::failure::{Exit, Failure, Outcome};
use crate::registry::RegistryReader;
use crate::signing::keys::PassphraseArgs;
use crate::write_api::WriteClient;

mod fresh;

/// Most keys of one role.
const KEYS_MAX: usize = 32;

/// Take a registry's root, targets, extensions and release keys out of its hands
///
/// New keys are made here, in DIR. On a registry that runs, the old root keys, which it holds,
/// sign the new root; then it deletes them, and keeps nothing but its online keys: bins, snapshot,
/// timestamp. Where no registry is configured, a registry that is not served yet is made in
/// DIR/registry, for `provisioning-registry serve --data`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: provisioning trust init --threshold 2 --of 3 --out ceremony")]
pub(crate) struct Args {
    /// How many root keys must agree
    #[arg(long, default_value_t = 2, value_name = "N")]
    threshold: usize,
    /// How many root keys there are
    #[arg(long, default_value_t = 3, value_name = "N")]
    of: usize,
    /// How many release keys to make; engineers can add their own later
    #[arg(long, default_value_t = 1, value_name = "N")]
    release_keys: usize,
    /// How many release keys must sign each release
    #[arg(long, default_value_t = 1, value_name = "N")]
    release_threshold: usize,
    /// A new folder for the keys and their paper backup
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    passphrase: PassphraseArgs,
}

/// The keys of a ceremony, by label.
pub(super) struct NewKeys {
    pub(super) root: Vec<SigningKey>,
    pub(super) targets: SigningKey,
    pub(super) extensions: SigningKey,
    pub(super) release: Vec<SigningKey>,
}

#[derive(Serialize)]
pub(super) struct Document {
    pub(super) registry: Option<String>,
    /// The folder of a registry that is not served yet.
    pub(super) data: Option<String>,
    pub(super) root_version: u64,
    pub(super) root_fingerprint: String,
    pub(super) keys: Vec<KeyRow>,
    pub(super) paper: String,
    pub(super) deleted_keys: Vec<String>,
    /// First-party files that the new release key vouches for from now on.
    pub(super) taken_over: usize,
    pub(super) protected: bool,
}

#[derive(Serialize)]
pub(super) struct KeyRow {
    pub(super) label: String,
    pub(super) file: String,
    pub(super) key_id: String,
    #[serde(skip)]
    words: String,
}

/// Runs it.
pub(super) async fn run(args: &Args, context: &Context) -> Outcome<()> {
    check(args)?;
    let folder = context.env.absolute(&args.out);
    make_folder(&folder)?;
    let passphrase = args.passphrase.for_new_keys(context)?;
    let keys = NewKeys::make(args)?;
    let rows = keys.save(&folder, passphrase.as_deref())?;
    let paper = write_paper(&folder, &rows)?;
    let mut document = Document {
        registry: None,
        data: None,
        root_version: 1,
        root_fingerprint: String::new(),
        keys: rows,
        paper: paper.display().to_string(),
        deleted_keys: Vec::new(),
        taken_over: 0,
        protected: passphrase.is_some(),
    };
    if context.settings.registry().is_ok() {
        take_over(args, &keys, &mut document, context).await?;
    } else {
        fresh::make(args, &keys, &folder, &mut document, context).await?;
    }
    context
        .output
        .result(&document, |out| write(&document, out))
}

fn check(args: &Args) -> Outcome<()> {
    for (what, threshold, of) in [
        ("root", args.threshold, args.of),
        ("release", args.release_threshold, args.release_keys),
    ] {
        if threshold == 0 || threshold > of || of > KEYS_MAX {
            return Err(Failure::usage(format!(
                "{threshold} of {of} {what} keys cannot sign: the threshold lies between 1 and the \
                 number of keys, which is at most {KEYS_MAX}"
            )));
        }
    }
    Ok(())
}

/// The folder must be new: no key is ever written over another.
fn make_folder(folder: &Path) -> Outcome<()> {
    let fail = |problem| Failure::io("make", folder, &problem);
    let is_empty = fs::read_dir(folder).map(|mut it| it.next().is_none());
    match is_empty {
        Ok(true) => return Ok(()),
        Ok(false) => {
            return Err(
                Failure::usage(format!("`{}` is not empty", folder.display()))
                    .with_hint("choose a new folder with `--out DIR`"),
            );
        }
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => {}
        Err(problem) => return Err(fail(problem)),
    }
    let mut builder = DirBuilder::new();
    builder
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(fail)
}

impl NewKeys {
    fn make(args: &Args) -> Outcome<Self> {
        let some = |count| (0..count).map(|_| SigningKey::generate()).collect();
        let made = || -> Result<Self, provisioning_trust::SignError> {
            Ok(Self {
                root: Result::from_iter::<Vec<_>>(some(args.of))?,
                targets: SigningKey::generate()?,
                extensions: SigningKey::generate()?,
                release: Result::from_iter::<Vec<_>>(some(args.release_keys))?,
            })
        };
        Ok(made()?)
    }

    /// Every key with its label.
    pub(super) fn labelled(&self) -> Vec<(String, &SigningKey)> {
        let numbered = |role: &str, keys: &'_ [SigningKey]| -> Vec<String> {
            (1..=keys.len())
                .map(|number| format!("{role}-{number}"))
                .collect()
        };
        let release = if self.release.len() == 1 {
            vec!["release".to_owned()]
        } else {
            numbered("release", &self.release)
        };
        let root = numbered("root", &self.root);
        root.into_iter()
            .zip(&self.root)
            .chain([
                ("targets".to_owned(), &self.targets),
                ("extensions".to_owned(), &self.extensions),
            ])
            .chain(release.into_iter().zip(&self.release))
            .collect()
    }

    fn save(&self, folder: &Path, passphrase: Option<&str>) -> Outcome<Vec<KeyRow>> {
        let mut rows = Vec::new();
        for (label, key) in self.labelled() {
            let file = folder.join(format!("{label}.pem"));
            key::save(&file, key, passphrase)?;
            rows.push(KeyRow {
                label,
                file: file.display().to_string(),
                key_id: key.key_id().to_owned(),
                words: key.paper_words().to_string(),
            });
        }
        Ok(rows)
    }
}

/// The words of every key, for a printer; the file is to be deleted afterwards.
fn write_paper(folder: &Path, rows: &[KeyRow]) -> Outcome<PathBuf> {
    use std::fmt::Write as _;
    let mut text = String::from(
        "Paper backup. Print it or write it down, lock it away, delete this file.\n\
         `provisioning trust key restore --out FILE` makes a key file of 24 words again.\n",
    );
    for row in rows {
        let _ = writeln!(text, "\n{} (key id {})", row.label, row.key_id);
        let words: Vec<&str> = row.words.split(' ').collect();
        for (number, four) in words.chunks(4).enumerate() {
            let _ = writeln!(text, "  {:>2}  {}", number * 4 + 1, four.join(" "));
        }
    }
    let file = folder.join("paper-backup.txt");
    replace_file(&file, text.as_bytes(), Readers::Owner)?;
    Ok(file)
}

/// The ceremony on a registry that runs.
async fn take_over(
    args: &Args,
    keys: &NewKeys,
    document: &mut Document,
    context: &Context,
) -> Outcome<()> {
    let api = WriteClient::open(context).await?;
    let mut registry = RegistryReader::open(context).await?;
    let files = registry.role_files().await?;
    let change = change(args, keys, &files, context.now())?;
    let put = api.put_roles(&publish::body(&change, true)?).await?;
    // What counts is what a client believes: this machine's own verifier follows the change.
    let mut registry = RegistryReader::open(context).await?;
    let after = registry.role_files().await?;
    verify(keys, &after)?;
    document.registry = Some(context.settings.registry()?.to_string());
    document.root_version = put.root_version;
    document.root_fingerprint = registry.trusted().root_fingerprint().prefixed();
    document.deleted_keys = put.deleted_keys;
    document.taken_over = after.release_targets()?.len();
    Ok(())
}

fn change(args: &Args, keys: &NewKeys, files: &RoleFiles, now: Timestamp) -> Outcome<Change> {
    let mut draft = KeyChange::over(files)?;
    let root = publics(&keys.root);
    draft.set("root", &root, args.threshold)?;
    draft.set("targets", &[keys.targets.public_key()], 1)?;
    draft.set("extensions", &[keys.extensions.public_key()], 1)?;
    draft.set("release", &publics(&keys.release), args.release_threshold)?;
    let mut change = draft.finish(now)?;
    for (_, key) in keys.labelled() {
        change.sign(key, files)?;
    }
    Ok(change)
}

pub(super) fn publics(keys: &[SigningKey]) -> Vec<PublicKey> {
    keys.iter().map(SigningKey::public_key).collect()
}

/// The keys in force must be those that were just made, and no others.
pub(super) fn verify(keys: &NewKeys, files: &RoleFiles) -> Outcome<()> {
    let in_force = KeyChange::over(files)?;
    for (role, wanted) in [
        ("root", publics(&keys.root)),
        ("targets", vec![keys.targets.public_key()]),
        ("extensions", vec![keys.extensions.public_key()]),
        ("release", publics(&keys.release)),
    ] {
        let roster = in_force.roster(role)?;
        let mut wanted: Vec<String> = wanted.iter().map(PublicKey::id).collect();
        wanted.sort_unstable();
        if !roster.ids().eq(wanted.iter().map(String::as_str)) {
            return Err(Failure::new(
                "not-in-force",
                format!("the registry serves other keys for `{role}` than were made here"),
            )
            .with_exit(Exit::Verification));
        }
    }
    Ok(())
}

fn write(document: &Document, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "root fingerprint  {}", document.root_fingerprint)?;
    writeln!(out, "root version      {}", document.root_version)?;
    for row in &document.keys {
        writeln!(out, "{:<16}  {}  {}", row.label, row.key_id, row.file)?;
    }
    if !document.protected {
        writeln!(
            out,
            "the key files have no passphrase: `provisioning trust key protect FILE` gives one"
        )?;
    }
    if !document.deleted_keys.is_empty() {
        writeln!(
            out,
            "the registry deleted its private keys {}",
            document.deleted_keys.join(", ")
        )?;
    }
    if document.taken_over > 0 {
        writeln!(
            out,
            "the release key vouches from now on for {} files that were published before; compare \
             them with your own builds",
            document.taken_over
        )?;
    }
    if let Some(data) = &document.data {
        writeln!(
            out,
            "the registry is ready: `provisioning-registry serve --data {data}`"
        )?;
    }
    writeln!(
        out,
        "\npaper backup (also in {}, to be deleted):",
        document.paper
    )?;
    for row in &document.keys {
        writeln!(out, "\n{}", row.label)?;
        let words: Vec<&str> = row.words.split(' ').collect();
        for six in words.chunks(6) {
            writeln!(out, "  {}", six.join(" "))?;
        }
    }
    writeln!(
        out,
        "\nnext: carry each root key to another person or place, the targets and extensions keys to a \
         machine without a network; the release key stays with who signs releases"
    )
}

/// The plan of roles for a registry that is not served yet.
pub(super) fn plan(args: &Args, keys: &NewKeys) -> RolePlan {
    let labels = keys.labelled();
    let of = |role: &str| -> Vec<String> {
        let mine = labels.iter().filter(|(label, _)| {
            label == role
                || label
                    .strip_prefix(role)
                    .is_some_and(|it| it.starts_with('-'))
        });
        mine.map(|(label, _)| label.clone()).collect()
    };
    RolePlan {
        root: of("root"),
        root_threshold: args.threshold,
        release: of("release"),
        release_threshold: args.release_threshold,
    }
}

/// All keys, and the metadata that they sign.
pub(super) fn create(
    plan: &RolePlan,
    all: &KeySet,
    now: Timestamp,
) -> Outcome<(Repository, Vec<provisioning_trust::MetadataFile>)> {
    Ok(Repository::create_by(all, plan, now)?)
}
