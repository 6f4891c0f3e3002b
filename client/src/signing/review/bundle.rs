//! A bundle, and the channels that follow from all of them.

use provisioning_registry_api::bundle::{BundleDocument, BundleSequence, ChannelsDocument};
use provisioning_registry_api::index::IndexEntry;
use provisioning_registry_api::paths;

use super::{Evidence, Known, Review, vouch};

pub(super) fn judge(
    path: &str,
    (old, new): (Option<&String>, &String),
    evidence: (&Evidence<'_>, &Known),
    review: &mut Review,
) {
    let Ok(new) = serde_json::from_str::<BundleDocument>(new) else {
        review
            .refusals
            .push(format!("`{path}` cannot be understood"));
        return;
    };
    if path != paths::bundle_target(&new.name) {
        review
            .refusals
            .push(format!("`{path}` speaks of another bundle"));
    }
    let old: Option<BundleDocument> = old.and_then(|it| serde_json::from_str(it).ok());
    let name = &new.name;
    let before = |number| {
        let sequences = old.iter().flat_map(|it| &it.sequences);
        sequences.into_iter().find(|it| it.sequence == number)
    };
    for gone in old.iter().flat_map(|it| &it.sequences) {
        if !new.sequences.iter().any(|it| it.sequence == gone.sequence) {
            let line = format!("{name} sequence {} would vanish", gone.sequence);
            review.refusals.push(line);
        }
    }
    for sequence in &new.sequences {
        match before(sequence.sequence) {
            Some(before) if before == sequence => {}
            Some(before) => moved(&new, (before, sequence), review),
            None => added(&new, sequence, evidence, review),
        }
    }
}

fn moved(
    bundle: &BundleDocument,
    (before, after): (&BundleSequence, &BundleSequence),
    review: &mut Review,
) {
    let (name, number) = (&bundle.name, after.sequence);
    if before.members != after.members || before.targets != after.targets {
        review.refusals.push(format!(
            "the members of {name} sequence {number} would become others: they never change"
        ));
    }
    if before.state != after.state {
        let (from, to) = (format!("{:?}", before.state), format!("{:?}", after.state));
        review.lines.push(format!(
            "{name} sequence {number} goes from {} to {}",
            from.to_lowercase(),
            to.to_lowercase()
        ));
    }
    for gate in after.gates.iter().filter(|it| !before.gates.contains(it)) {
        let line = format!(
            "{name} sequence {number}: gate {} {}",
            gate.name, gate.verdict
        );
        review.lines.push(line);
    }
    for gate in before.gates.iter().filter(|it| !after.gates.contains(it)) {
        let line = format!(
            "{name} sequence {number}: gate {} {} goes away",
            gate.name, gate.verdict
        );
        review.lines.push(line);
    }
    match (&before.withdrawn, &after.withdrawn) {
        (None, Some(withdrawn)) => review.lines.push(format!(
            "{name} sequence {number} is withdrawn: {}",
            withdrawn.reason
        )),
        (Some(_), None) => review
            .lines
            .push(format!("{name} sequence {number} is withdrawn no more")),
        _ => {}
    }
}

fn added(
    bundle: &BundleDocument,
    sequence: &BundleSequence,
    (evidence, known): (&Evidence<'_>, &Known),
    review: &mut Review,
) {
    let name = &bundle.name;
    review.lines.push(format!(
        "{name} sequence {} ({}) is published as {}",
        sequence.sequence,
        sequence.title,
        format!("{:?}", sequence.state).to_lowercase()
    ));
    for member in &sequence.members {
        let (package, version) = (&member.name, &member.version);
        review.lines.push(format!("  {package} {version}"));
        let entry = evidence
            .after
            .get(&paths::index_target(package))
            .and_then(|it| IndexEntry::read(it.as_bytes()).ok());
        for (target, digest) in &member.digests {
            let signed = entry.as_ref().and_then(|it| it.version(version)).map(|it| {
                let mut archives = it.archives.iter();
                archives.any(|it| it.target == *target && it.digest == *digest)
            });
            match signed {
                // The entry is part of the same release, and judged as such.
                Some(true) => {}
                Some(false) => review.refusals.push(format!(
                    "{name} pins {package} {version} for {target} to {}, which its entry does not \
                     list",
                    digest.prefixed()
                )),
                None => vouch(
                    (package, version),
                    (*target, digest),
                    (evidence, known),
                    review,
                ),
            }
        }
    }
}

/// What the channels would point at.
pub(super) fn channels(old: Option<&String>, new: &ChannelsDocument, review: &mut Review) {
    let old: ChannelsDocument = old
        .and_then(|it| serde_json::from_str(it).ok())
        .unwrap_or_default();
    for (channel, head) in &new.channels {
        if old.channels.get(channel) != Some(head) {
            review.lines.push(format!(
                "channel {channel} points at {} sequence {}",
                head.bundle, head.sequence
            ));
        }
    }
    for channel in old.channels.keys() {
        if !new.channels.contains_key(channel) {
            review
                .lines
                .push(format!("channel {channel} points at nothing any more"));
        }
    }
}
