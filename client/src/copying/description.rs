//! The discovery document of a copy, and the list of what a partial one holds.

use std::collections::BTreeSet;

use provisioning_package::Digest;
use provisioning_registry_api::discovery::{CONTENTS, CopyContents, Discovery, PROTOCOL};
use provisioning_registry_api::paths;
use provisioning_trust::MetadataCopy;
use serde::Serialize;

use crate::context::Context;
use crate::failure::Outcome;
use crate::registry::RegistryReader;

/// The form of the list that we write.
const CONTENTS_SCHEMA: u32 = 1;

/// The discovery document of a copy of what `reader` reads.
pub(super) fn discovery(
    reader: &RegistryReader,
    metadata: &MetadataCopy,
    is_partial: bool,
    context: &Context,
) -> Outcome<Discovery> {
    let original = reader.discovery();
    let origin = match original.and_then(|it| it.origin.clone()) {
        Some(origin) => origin,
        None => context.settings.registry()?.to_string(),
    };
    Ok(Discovery {
        protocol: PROTOCOL,
        name: original.map(|it| it.name.clone()).unwrap_or_default(),
        metadata: paths::METADATA.to_owned(),
        targets: paths::TARGETS.to_owned(),
        archives: paths::ARCHIVES.to_owned(),
        api: None,
        auth_required: false,
        root_version: metadata.root_version,
        root_fingerprint: metadata.root_fingerprint,
        origin: Some(origin),
        contents: is_partial.then(|| CONTENTS.to_owned()),
    })
}

/// The list of what a partial copy holds.
pub(super) fn contents(specs: &BTreeSet<String>, archives: BTreeSet<Digest>) -> CopyContents {
    CopyContents {
        schema: CONTENTS_SCHEMA,
        specs: specs.clone(),
        archives,
    }
}

/// A document as the bytes of its file: the same everywhere.
pub(super) fn bytes_of(document: &impl Serialize) -> Vec<u8> {
    let mut bytes =
        serde_json::to_vec_pretty(document).expect("documents are structs with text keys");
    bytes.push(b'\n');
    bytes
}
