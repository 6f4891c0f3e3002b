//! What a release would change, judged before anyone signs it. Pure.
//!
//! The registry that asks for a signature is not believed. Every digest that would become
//! trusted must be of a file that was hashed here, or must have been signed before for the
//! same version, or another engineer's signature must vouch for the whole. What follows from
//! the rest (channels, scripts) is made again here and compared. What only people can judge
//! (a matrix, a yank) is shown.

use std::collections::{BTreeMap, BTreeSet};

use provisioning_package::{Digest, PackageName, Target, Version};
use provisioning_registry_api::bundle::BundleDocument;
use provisioning_registry_api::index::IndexEntry;
use provisioning_registry_api::paths;

use super::local::LocalFiles;

mod bundle;
mod entry;
mod text;

/// Everything that a judgement rests on.
pub(crate) struct Evidence<'a> {
    /// The text of every first-party target in force, verified.
    pub(crate) before: &'a BTreeMap<String, String>,
    /// The same as it would be.
    pub(crate) after: &'a BTreeMap<String, String>,
    /// What was hashed here.
    pub(crate) local: &'a LocalFiles,
    /// Whether another engineer has signed this already.
    pub(crate) is_vouched: bool,
    /// The bootstrap scripts as this client would write them, by target path.
    pub(crate) scripts: &'a BTreeMap<String, String>,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Review {
    /// What becomes different, for people.
    pub(crate) lines: Vec<String>,
    /// What no signature may cover.
    pub(crate) refusals: Vec<String>,
    /// Digests whose files were not seen here.
    pub(crate) unseen: Vec<String>,
    /// Texts that somebody must have read: nothing here can judge them.
    pub(crate) unread: Vec<String>,
}

/// An archive that was trusted before, and as what.
type Known = BTreeSet<(PackageName, Version, Target, Digest)>;

/// Judges.
pub(crate) fn review(evidence: &Evidence<'_>) -> Review {
    let mut review = Review::default();
    let known = known(evidence.before);
    let paths: BTreeSet<&String> = evidence
        .before
        .keys()
        .chain(evidence.after.keys())
        .collect();
    for path in paths {
        let (old, new) = (evidence.before.get(path), evidence.after.get(path));
        match (old, new) {
            (Some(old), Some(new)) if old == new => {}
            (Some(_), None) => review.refusals.push(format!("`{path}` would vanish")),
            (old, Some(new)) => changed(path, (old, new), evidence, &known, &mut review),
            (None, None) => {}
        }
    }
    follows_from_bundles(evidence, &mut review);
    review
}

fn changed(
    path: &str,
    (old, new): (Option<&String>, &String),
    evidence: &Evidence<'_>,
    known: &Known,
    review: &mut Review,
) {
    if path.starts_with("index/") {
        entry::judge(path, (old, new), (evidence, known), review);
    } else if path.starts_with("bundles/") {
        bundle::judge(path, (old, new), (evidence, known), review);
    } else if path.starts_with("scripts/") {
        text::script(path, (old, new), evidence, review);
    } else if path == paths::MATRIX_TARGET {
        text::matrix((old, new), evidence, review);
    } else if path != paths::CHANNELS_TARGET {
        review
            .refusals
            .push(format!("`{path}` is nothing that this client knows"));
    }
}

/// Channels are chosen by the bundles alone, so they are chosen again here.
fn follows_from_bundles(evidence: &Evidence<'_>, review: &mut Review) {
    let path = paths::CHANNELS_TARGET;
    let Some(served) = evidence.after.get(path) else {
        return;
    };
    let documents: Result<Vec<BundleDocument>, _> = evidence
        .after
        .iter()
        .filter(|(path, _)| path.starts_with("bundles/"))
        .map(|(_, text)| serde_json::from_str(text))
        .collect();
    let wanted = documents.map(|it| provisioning_bundles::heads(&it));
    let read = serde_json::from_str(served);
    match (wanted, read) {
        (Ok(wanted), Ok(read)) if wanted == read => {
            bundle::channels(evidence.before.get(path), &wanted, review);
        }
        _ => review.refusals.push(format!(
            "`{path}` does not follow from the bundles that it would be signed with"
        )),
    }
}

/// Every archive that signed entries and bundles name now.
fn known(before: &BTreeMap<String, String>) -> Known {
    let mut known = Known::new();
    for (path, text) in before {
        if path.starts_with("index/")
            && let Ok(entry) = IndexEntry::read(text.as_bytes())
        {
            for version in entry.versions {
                for archive in version.archives {
                    let number = version.version.clone();
                    known.insert((entry.name.clone(), number, archive.target, archive.digest));
                }
            }
        }
        if path.starts_with("bundles/")
            && let Ok(document) = serde_json::from_str::<BundleDocument>(text)
        {
            for member in document.sequences.into_iter().flat_map(|it| it.members) {
                for (target, digest) in member.digests {
                    let version = member.version.clone();
                    known.insert((member.name.clone(), version, target, digest));
                }
            }
        }
    }
    known
}

/// Notes where a digest becomes trusted that nobody here has seen.
fn vouch(
    (name, version): (&PackageName, &Version),
    (target, digest): (Target, &Digest),
    (evidence, known): (&Evidence<'_>, &Known),
    review: &mut Review,
) {
    let is_known = known.contains(&(name.clone(), version.clone(), target, *digest));
    if !is_known && !evidence.is_vouched && !evidence.local.has_archive(digest, name, version) {
        let line = format!("{name} {version} for {target}: {}", digest.prefixed());
        if !review.unseen.contains(&line) {
            review.unseen.push(line);
        }
    }
}

impl Review {
    /// Whether nothing changes but the time until which the release holds.
    pub(crate) fn is_quiet(&self) -> bool {
        self.lines.is_empty() && self.refusals.is_empty()
    }
}

#[cfg(test)]
mod tests;
