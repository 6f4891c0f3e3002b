//! Reading the state back: from `timestamp.json` down, so that what a crash left beside it
//! is never seen.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use provisioning_package::Digest;
use serde::de::DeserializeOwned;

use super::{Repository, Role, bin_names};
use crate::error::SignError;
use crate::metadata::{Envelope, Listing, MetaFile, Root, Targets};

type Read<'a> = &'a dyn Fn(&str) -> io::Result<Option<Vec<u8>>>;

/// Roots are walked one by one; a registry that rotates weekly gets there in 200 years.
const ROOTS_MAX: u64 = 10_000;

impl Repository {
    /// Loads what `timestamp.json` references. `read` gives a metadata file by name, `None`
    /// where it does not exist; it must be the folder that only the registry writes to, since
    /// versions and pins are checked here and signatures are not.
    pub fn load(read: &dyn Fn(&str) -> io::Result<Option<Vec<u8>>>) -> Result<Self, SignError> {
        Self::load_after(None, read)
    }

    /// The same, where another server signed since `before`: roles that are pinned as they
    /// were are not read again.
    pub fn reload(
        before: &Self,
        read: &dyn Fn(&str) -> io::Result<Option<Vec<u8>>>,
    ) -> Result<Self, SignError> {
        Self::load_after(Some(before), read)
    }

    fn load_after(before: Option<&Self>, read: Read<'_>) -> Result<Self, SignError> {
        let (root, root_fingerprint) = latest_root(before, read)?;
        let (timestamp, _): (Listing, _) = file(read, "timestamp.json")?;
        let pin = timestamp
            .meta
            .get("snapshot.json")
            .ok_or_else(|| SignError::damaged("timestamp.json", "names no snapshot"))?;
        let name = format!("{}.snapshot.json", pin.version);
        let (snapshot, bytes): (Listing, _) = file(read, &name)?;
        check(&name, pin, snapshot.version, &bytes)?;
        let mut roles = BTreeMap::new();
        for (file_name, pin) in &snapshot.meta {
            let role_name = file_name.strip_suffix(".json").unwrap_or(file_name);
            let known = before.and_then(|it| it.roles.get(role_name));
            if let Some(role) = known.filter(|it| it.pin == *pin) {
                roles.insert(role_name.to_owned(), role.clone());
                continue;
            }
            let name = format!("{}.{file_name}", pin.version);
            let bytes = bytes_of(read, &name)?
                .ok_or_else(|| SignError::damaged(&name, "does not exist"))?;
            let envelope: Envelope<Targets> = envelope(&name, &bytes)?;
            check(&name, pin, envelope.signed.version, &bytes)?;
            let role = Role {
                signed: Arc::new(envelope.signed),
                signatures: envelope.signatures,
                pin: pin.clone(),
            };
            roles.insert(role_name.to_owned(), role);
        }
        let bins = before.map_or_else(bin_names, |it| Arc::clone(&it.bins));
        let fixed = ["targets", "release", "extensions"];
        for needed in fixed.into_iter().chain(bins.iter().map(String::as_str)) {
            if !roles.contains_key(needed) {
                return Err(SignError::damaged(&name, format!("lacks `{needed}`")));
            }
        }
        Ok(Self {
            root,
            root_fingerprint,
            roles,
            bins,
            snapshot: Arc::new(snapshot),
            timestamp: Arc::new(timestamp),
            floor: 0,
        })
    }
}

/// The newest root. A root counts as soon as it is written: clients walk the numbers, not a
/// pin.
fn latest_root(
    before: Option<&Repository>,
    read: Read<'_>,
) -> Result<(Arc<Root>, Digest), SignError> {
    let (mut root, mut fingerprint) = if let Some(before) = before {
        (Arc::clone(&before.root), before.root_fingerprint)
    } else {
        let (root, bytes): (Root, _) = file(read, "1.root.json")?;
        (Arc::new(root), Digest::of(&bytes))
    };
    for version in root.version + 1..ROOTS_MAX {
        let name = format!("{version}.root.json");
        let Some(bytes) = bytes_of(read, &name)? else {
            break;
        };
        root = Arc::new(parse(&name, &bytes)?);
        fingerprint = Digest::of(&bytes);
    }
    Ok((root, fingerprint))
}

fn check(name: &str, pin: &MetaFile, version: u64, bytes: &[u8]) -> Result<(), SignError> {
    if version != pin.version || !pin.allows(bytes) {
        return Err(SignError::damaged(
            name,
            "is not what the current metadata pins",
        ));
    }
    Ok(())
}

fn file<T: DeserializeOwned>(read: Read<'_>, name: &str) -> Result<(T, Vec<u8>), SignError> {
    let bytes = bytes_of(read, name)?.ok_or_else(|| SignError::damaged(name, "does not exist"))?;
    Ok((parse(name, &bytes)?, bytes))
}

fn bytes_of(read: Read<'_>, name: &str) -> Result<Option<Vec<u8>>, SignError> {
    read(name).map_err(|source| SignError::Unreadable {
        file: name.to_owned(),
        source,
    })
}

fn parse<T: DeserializeOwned>(name: &str, bytes: &[u8]) -> Result<T, SignError> {
    Ok(envelope(name, bytes)?.signed)
}

fn envelope<T: DeserializeOwned>(name: &str, bytes: &[u8]) -> Result<Envelope<T>, SignError> {
    serde_json::from_slice(bytes)
        .map_err(|error| SignError::damaged(name, format!("cannot be read: {error}")))
}
