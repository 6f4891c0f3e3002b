//! An index entry of a first-party package.

use provisioning_registry_api::index::{IndexArchive, IndexEntry, IndexVersion};

use super::{Evidence, Known, Review, vouch};

pub(super) fn judge(
    path: &str,
    (old, new): (Option<&String>, &String),
    evidence: (&Evidence<'_>, &Known),
    review: &mut Review,
) {
    let Ok(new) = IndexEntry::read(new.as_bytes()) else {
        review
            .refusals
            .push(format!("`{path}` cannot be understood"));
        return;
    };
    let old = old.and_then(|it| IndexEntry::read(it.as_bytes()).ok());
    if !new.unread.is_empty() || path != provisioning_registry_api::paths::index_target(&new.name) {
        let line =
            format!("`{path}` speaks of another package, or of versions unknown to this client");
        review.refusals.push(line);
    }
    let name = &new.name;
    let old_versions = old.iter().flat_map(|it| &it.versions);
    for gone in old_versions.filter(|it| new.version(&it.version).is_none()) {
        review
            .refusals
            .push(format!("{name} {} would vanish", gone.version));
    }
    for version in &new.versions {
        let before = old.as_ref().and_then(|it| it.version(&version.version));
        match before {
            None => added(&new, version, evidence, review),
            Some(before) => moved(&new, (before, version), evidence, review),
        }
    }
    let (status, was) = (&new.status, old.as_ref().map(|it| &it.status));
    if was.is_some_and(|was| was != status) {
        let reason = status.reason.as_deref().unwrap_or("no reason given");
        let state = format!("{:?}", status.state).to_lowercase();
        review
            .lines
            .push(format!("{name} becomes {state}: {reason}"));
    }
}

fn added(
    entry: &IndexEntry,
    version: &IndexVersion,
    evidence: (&Evidence<'_>, &Known),
    review: &mut Review,
) {
    let (name, number) = (&entry.name, &version.version);
    review
        .lines
        .push(format!("{name} {number} becomes visible"));
    for (needed, dependency) in &version.dependencies {
        review
            .lines
            .push(format!("  needs {needed} {}", dependency.req));
    }
    for archive in &version.archives {
        let (target, digest) = (archive.target, archive.digest.prefixed());
        review.lines.push(format!("  {target}: {digest}"));
        vouch((name, number), (target, &archive.digest), evidence, review);
        for (what, beside) in [("provenance", archive.provenance), ("sbom", archive.sbom)] {
            if let Some(digest) = beside {
                let line = format!("  {what}: {}", digest.prefixed());
                if !evidence.0.is_vouched && !evidence.0.local.has(&digest) {
                    review.unseen.push(format!("{name} {number}{line}"));
                }
                review.lines.push(line);
            }
        }
    }
    if let Some(yanked) = &version.yanked {
        let reason = yanked.reason.as_deref().unwrap_or("no reason given");
        review.lines.push(format!("  and is yanked: {reason}"));
    }
}

fn moved(
    entry: &IndexEntry,
    (before, after): (&IndexVersion, &IndexVersion),
    _: (&Evidence<'_>, &Known),
    review: &mut Review,
) {
    let (name, number) = (&entry.name, &after.version);
    let bytes = |it: &IndexVersion| {
        let mut all: Vec<_> = it.archives.iter().map(IndexArchive::clone).collect();
        all.sort_by_key(|it| it.target);
        all
    };
    if bytes(before) != bytes(after) {
        review.refusals.push(format!(
            "the archives of {name} {number} would become others: a version's bytes never change"
        ));
    }
    if before.dependencies != after.dependencies || before.api != after.api {
        review
            .refusals
            .push(format!("what {name} {number} needs would become otherwise"));
    }
    if before.yanked != after.yanked {
        let line = match &after.yanked {
            Some(yanked) => format!(
                "{name} {number} becomes yanked: {}",
                yanked.reason.as_deref().unwrap_or("no reason given")
            ),
            None => format!("{name} {number} can be chosen again"),
        };
        review.lines.push(line);
    }
}
