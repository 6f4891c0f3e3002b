//! `provisioning compat`: the compatibility matrix, checked, pushed and shown.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use provisioning_compat::{Note, VersionsToml};

use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};

mod changes;
mod check;
mod judge;
mod merge;
mod prove;
mod push;
mod show;
mod what_if;

/// What to do with the compatibility matrix.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    Check(check::Args),
    Push(push::Args),
    Prove(prove::Args),
    Show(show::Args),
    WhatIf(what_if::Args),
}

/// Runs it.
pub(crate) async fn run(action: &Action, context: &Context) -> Outcome<Exit> {
    match action {
        Action::Check(args) => check::run(args, context).await,
        Action::Push(args) => push::run(args, context).await,
        Action::Prove(args) => prove::run(args, context).await,
        Action::Show(args) => show::run(args, context).await,
        Action::WhatIf(args) => what_if::run(args, context).await,
    }
}

/// A `versions.toml` on disk, with the `compatibility.toml` beside it.
#[derive(Debug)]
pub(crate) struct MatrixFile {
    /// Its rows and drafts, those of the companion included.
    pub(crate) read: VersionsToml,
    text: String,
    companion: Option<String>,
}

impl MatrixFile {
    /// Reads both files; every mistake in them is reported at once.
    pub(crate) fn read(path: &Path, context: &Context) -> Outcome<Self> {
        let path = context.env.absolute(path);
        let text = std::fs::read_to_string(&path).map_err(|problem| {
            Failure::io("read", &path, &problem)
                .with_hint("name the file: `versions.toml` is looked for in the current folder")
        })?;
        let companion = match std::fs::read_to_string(path.with_file_name("compatibility.toml")) {
            Ok(text) => Some(text),
            Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => None,
            Err(problem) => return Err(Failure::io("read the file beside", &path, &problem)),
        };
        let read = VersionsToml::parse(&text, companion.as_deref()).map_err(|problems| {
            Failure::new("invalid-matrix", format!("`{}` is refused", path.display()))
                .with_causes(problems.0.iter().map(Note::to_string))
        })?;
        for note in &read.warnings {
            context.output.warning(&note.to_string());
        }
        Ok(Self {
            read,
            text,
            companion,
        })
    }

    /// Both files as one text, which is what a registry takes.
    pub(crate) fn merged(&self) -> Outcome<String> {
        merge::with_companion(&self.text, self.companion())
    }

    /// The text of the `compatibility.toml` beside it.
    pub(crate) fn companion(&self) -> Option<&str> {
        self.companion.as_deref()
    }
}

/// Where commands that read a matrix look for it.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct FileArgs {
    /// The file; a `compatibility.toml` beside it is read with it
    #[arg(long, default_value = "versions.toml", value_name = "FILE")]
    pub(crate) file: PathBuf,
}
