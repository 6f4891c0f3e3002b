//! A registry that is not served yet: its data folder with online keys and first metadata.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use provisioning_trust::{Anchor, FilesInMemory, KeySet, SigningKey, TrustedRegistry};

use super::{Args, Document, NewKeys, create, plan, verify};
use crate::context::Context;
use crate::durable::{Readers, replace_file};
use crate::failure::Outcome;

/// The keys that a server holds.
const ONLINE: [&str; 3] = ["bins", "snapshot", "timestamp"];

/// Makes it in `folder`/registry. The server gets its online keys alone.
pub(super) async fn make(
    args: &Args,
    keys: &NewKeys,
    folder: &Path,
    document: &mut Document,
    context: &Context,
) -> Outcome<()> {
    let now = context.now();
    let mut online = KeySet::default();
    for label in ONLINE {
        online.insert(label, SigningKey::generate()?);
    }
    let mut all = online.clone();
    for (label, key) in keys.labelled() {
        all.insert(&label, key.clone());
    }
    let (repository, files) = create(&plan(args, keys), &all, now)?;
    let metadata: BTreeMap<String, Vec<u8>> = files
        .into_iter()
        .map(|it| (format!("metadata/{}", it.name), it.bytes))
        .collect();
    let anchor = Anchor {
        metadata: "metadata/".to_owned(),
        targets: "targets/".to_owned(),
        root_version: repository.root_version(),
        root_fingerprint: repository.root_fingerprint(),
    };
    let transport = Arc::new(FilesInMemory(metadata.clone()));
    let state = folder.join("no-state");
    let mut trusted = TrustedRegistry::open_untouched(&state, transport, &anchor, None).await?;
    trusted.refresh(now).await?;
    verify(keys, &trusted.role_files(now).await?)?;

    let data = folder.join("registry");
    online.save(&data.join("keys"))?;
    let public = data.join("public");
    // The timestamp says that all of it is there, so it comes last.
    let (last, rest): (Vec<_>, Vec<_>) = metadata
        .iter()
        .partition(|(path, _)| path.ends_with("/timestamp.json"));
    for (path, bytes) in rest.into_iter().chain(last) {
        replace_file(&public.join(path), bytes, Readers::Everyone)?;
    }
    document.data = Some(data.display().to_string());
    document.root_fingerprint = repository.root_fingerprint().prefixed();
    Ok(())
}
