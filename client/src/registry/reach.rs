//! Which archives can be had where not every one can: offline, or from a copy that holds a
//! part of its registry.
//!
//! What is listed here is only looked at by name; its bytes are checked when it is taken.

use std::collections::BTreeSet;
use std::path::Path;

use provisioning_compat::{Reach, Shortage};
use provisioning_installers::Prefix;
use provisioning_package::Digest;
use provisioning_registry_api::discovery::CopyContents;
use provisioning_trust::Transport as _;

use super::discovery::no_registry;
use super::source::Source;
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::settings::RegistryLocation;

/// Longest list of what a copy holds.
const CONTENTS_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// What can be had when nobody is asked, for this reason: the cache, and what the prefix has
/// unpacked.
pub(super) fn of_machine(context: &Context, because: Shortage) -> Outcome<Reach> {
    let mut digests = names(&context.settings.cache()?.join("archives/sha256"));
    if let Ok(prefix) = context.settings.prefix() {
        digests.extend(names(&Prefix::new(prefix).store()));
    }
    Ok(Reach { digests, because })
}

/// What can be had from a copy that holds a part: what it lists, and what is here anyway.
pub(super) async fn of_copy(
    source: &Source,
    list: &str,
    location: &RegistryLocation,
    context: &Context,
) -> Outcome<Reach> {
    let missing = |why: &str| no_registry(location, &format!("{list}: {why}"));
    let bytes = source
        .fetch(list, CONTENTS_BYTES_MAX)
        .await
        .map_err(|problem| missing(&problem.to_string()))?
        .ok_or_else(|| missing("it is not there, though the discovery document names it"))?;
    let contents: CopyContents =
        serde_json::from_slice(&bytes).map_err(|problem| missing(&problem.to_string()))?;
    let mut reach = of_machine(context, Shortage::PartialCopy)?;
    reach.digests.extend(contents.archives);
    Ok(reach)
}

/// The digests that files or folders are called by.
pub(crate) fn names(folder: &Path) -> BTreeSet<Digest> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|it| Digest::from_hex(it.file_name().to_str()?).ok())
        .collect()
}

/// What is said where something could not be found because nobody was asked.
pub(crate) fn unreached(name: &str, because: Shortage) -> String {
    match because {
        Shortage::Offline => format!(
            "what the registry says about `{name}` is not on this machine, and nobody is asked \
             offline"
        ),
        Shortage::Imported => {
            format!("what the registry says about `{name}` is not in what was imported")
        }
        Shortage::PartialCopy => {
            format!("what the registry says about `{name}` is not in this copy of it")
        }
    }
}

/// Adds to a refusal what could not be looked at.
pub(crate) fn explain(failure: Failure, names: &[String], because: Shortage) -> Failure {
    if names.is_empty() {
        return failure;
    }
    let failure = failure.with_causes(names.iter().map(|it| unreached(it, because)));
    match because {
        Shortage::Offline => failure.with_hint("without `--offline` the registry is asked for it"),
        Shortage::Imported => failure.with_hint(
            "import an export that has it (`provisioning import FILE`), or use the registry \
             itself: `provisioning registry add URL`",
        ),
        Shortage::PartialCopy => {
            failure.with_hint("use the registry itself, or name it where the copy is made")
        }
    }
}
