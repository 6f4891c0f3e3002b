//! Channels: the moving names `stable`, `lts` and `testing`.

use jiff::civil::Date;
use provisioning_package::{BundleName, CHANNELS, Version};
use provisioning_registry_api::bundle::{
    BundleDocument, BundleSequence, BundleState, ChannelHead, ChannelsDocument,
};

/// Which bundle each channel points at: of those in its state, the one with the greatest
/// core version, then the latest release date, then the highest sequence. A channel that
/// nothing belongs to is absent.
pub fn heads(documents: &[BundleDocument]) -> ChannelsDocument {
    let mut channels = ChannelsDocument::default();
    for channel in CHANNELS {
        let sequences = documents
            .iter()
            .flat_map(|document| document.sequences.iter().map(|it| (&document.name, it)));
        let head = sequences
            .filter(|(_, it)| channel_of(it) == Some(channel))
            .max_by_key(|(name, it)| rank(name, it));
        if let (Some((bundle, sequence)), Ok(channel)) = (head, BundleName::parse(channel)) {
            let head = ChannelHead {
                bundle: bundle.clone(),
                sequence: sequence.sequence,
            };
            channels.channels.insert(channel, head);
        }
    }
    channels
}

/// The channel that a sequence may be the head of.
fn channel_of(sequence: &BundleSequence) -> Option<&'static str> {
    if sequence.withdrawn.is_some() {
        return None;
    }
    match sequence.state {
        BundleState::Stable => Some("stable"),
        BundleState::Lts => Some("lts"),
        BundleState::Testing | BundleState::Candidate => Some("testing"),
        BundleState::Draft | BundleState::Eol | BundleState::Withdrawn => None,
    }
}

/// The name comes last, so that two equal bundles have one order everywhere.
fn rank<'s>(
    name: &'s BundleName,
    sequence: &'s BundleSequence,
) -> (Option<&'s Version>, Option<Date>, u64, &'s BundleName) {
    let core = sequence
        .members
        .iter()
        .find(|it| it.name.as_str() == "core");
    (
        core.map(|it| &it.version),
        sequence.release_date,
        sequence.sequence,
        name,
    )
}
