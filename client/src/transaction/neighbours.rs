//! The prefixes that this user has installed into: what one of them has unpacked, another
//! on the same file system need not fetch.
//!
//! The list lies in the cache and is a hint, no more: what is taken is checked where it is
//! taken, and a list that is lost or wrong costs a download.

use std::fs;
use std::path::{Path, PathBuf};

use provisioning_installers::{Plan, Prefix, shared_trees};

use crate::context::Context;
use crate::durable;

/// The list, below the cache.
const FILE: &str = "prefixes";
/// Prefixes that are remembered; the one used longest ago is forgotten.
const PREFIXES_MAX: usize = 16;
/// Largest list that is read.
const LIST_BYTES_MAX: u64 = 256 * 1024;

/// The same prefix, which takes from others what `plan` needs and they have.
pub(super) fn sharing(prefix: &Prefix, plan: &Plan, context: &Context) -> Prefix {
    let others: Vec<Prefix> = known(context).into_iter().map(Prefix::new).collect();
    let shared = tokio::task::block_in_place(|| shared_trees(prefix, plan, &others));
    tracing::debug!("{} trees are taken from other prefixes", shared.len());
    prefix.clone().sharing(shared)
}

/// Notes that there is something in `prefix`.
pub(super) fn remember(prefix: &Prefix, context: &Context) {
    let mut all = known(context);
    if all.first().is_some_and(|it| it == prefix.root()) {
        return;
    }
    all.retain(|it| it != prefix.root());
    all.insert(0, prefix.root().to_owned());
    all.truncate(PREFIXES_MAX);
    let lines: Vec<&str> = all.iter().filter_map(|it| it.to_str()).collect();
    if let Some(list) = list(context) {
        // What is not remembered is fetched.
        let _forgotten = durable::replace_unsynced(&list, lines.join("\n").as_bytes());
    }
}

fn known(context: &Context) -> Vec<PathBuf> {
    let is_short = |it: &PathBuf| fs::metadata(it).is_ok_and(|it| it.len() <= LIST_BYTES_MAX);
    let text = list(context)
        .filter(is_short)
        .and_then(|it| fs::read_to_string(it).ok())
        .unwrap_or_default();
    let lines = text.lines().map(Path::new).filter(|it| it.is_absolute());
    lines.take(PREFIXES_MAX).map(Path::to_owned).collect()
}

fn list(context: &Context) -> Option<PathBuf> {
    Some(context.settings.cache().ok()?.join(FILE))
}
