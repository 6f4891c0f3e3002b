//! The registry of one run, met only when something is asked of it.

use std::fs;
use std::path::Path;

use provisioning_installers::Generation;
use provisioning_package::Spec;
use tempfile::TempDir;

use super::answers::Question;
use super::solving::SolveOptions;
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::registry::RegistryReader;

/// The registry of one run.
pub(crate) struct Registry {
    reader: Option<RegistryReader>,
    leaves_no_trace: bool,
}

impl Registry {
    /// A registry that was not met yet.
    pub(crate) fn new() -> Self {
        Self {
            reader: None,
            leaves_no_trace: false,
        }
    }

    /// The same for a dry run: what is learned about the registry is believed as always,
    /// and forgotten when the run ends.
    pub(crate) fn without_traces() -> Self {
        Self {
            leaves_no_trace: true,
            ..Self::new()
        }
    }

    /// The question that an install with these words asks, where its answer may be kept.
    pub(super) async fn question(
        &mut self,
        context: &Context,
        current: Option<&Generation>,
        words: (&[Spec], bool, &SolveOptions),
    ) -> Outcome<Option<Question>> {
        if self.leaves_no_trace {
            return Ok(None);
        }
        let Some(known) = self.reader(context).await?.state() else {
            return Ok(None);
        };
        let folder = context.settings.trust_state(context.settings.registry()?)?;
        Ok(Question::of(context, &folder, known, current, words))
    }

    /// The reader; the first call opens it.
    pub(crate) async fn reader(&mut self, context: &Context) -> Outcome<&mut RegistryReader> {
        if self.reader.is_none() {
            let _spinner = context.output.progress().spinner("asking the registry");
            let reader = if self.leaves_no_trace {
                RegistryReader::open_untouched(context).await?
            } else {
                RegistryReader::open(context).await?
            };
            self.reader = Some(reader);
        }
        Ok(self.reader.as_mut().expect("it was opened just now"))
    }
}

/// A temporary copy of the trusted state, so that a pinned root stays pinned.
pub(crate) fn copy_of(state: &Path) -> Outcome<TempDir> {
    let scratch = tempfile::Builder::new()
        .prefix("provisioning-")
        .tempdir()
        .map_err(|it| Failure::no_scratch(&it))?;
    if state.is_dir() {
        copy_folder(state, scratch.path()).map_err(|it| Failure::io("read", state, &it))?;
    }
    Ok(scratch)
}

fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let place = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            fs::create_dir(&place)?;
            copy_folder(&entry.path(), &place)?;
        } else {
            fs::copy(entry.path(), &place)?;
        }
    }
    Ok(())
}
