//! A registry in a folder, made for one trial and signed with keys that live as long.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use provisioning_bundles::heads;
use provisioning_compat::MemoryIndex;
use provisioning_package::Digest;
use provisioning_registry_api::bundle::BundleDocument;
use provisioning_registry_api::discovery::{Discovery, PROTOCOL};
use provisioning_registry_api::paths;
use provisioning_trust::{KeySet, Repository, SignError, TargetChange, TargetFacts};
use serde::Serialize;
use url::Url;

use crate::failure::{Failure, Outcome};

/// What the registry has.
pub(super) struct Contents<'a> {
    pub(super) index: &'a MemoryIndex,
    pub(super) matrix: &'a str,
    pub(super) bundles: &'a [BundleDocument],
    pub(super) archives: &'a BTreeMap<Digest, PathBuf>,
}

/// Writes the registry into `root`, which must be empty or absent; its address.
pub(super) fn write(root: &Path, contents: &Contents<'_>, now: Timestamp) -> Outcome<String> {
    let keys = KeySet::generate().map_err(|it| unsigned(&it))?;
    let (mut repository, mut files) = Repository::create(&keys, now).map_err(|it| unsigned(&it))?;
    let mut changes = Vec::new();
    for (path, bytes) in targets(contents) {
        let facts = TargetFacts {
            length: bytes.len() as u64,
            digest: Digest::of(&bytes),
        };
        let place = paths::consistent(&path, &facts.digest);
        put(&root.join(paths::TARGETS).join(place), &bytes)?;
        changes.push(TargetChange {
            path,
            facts: Some(facts),
        });
    }
    files.extend(
        repository
            .apply(&keys, &changes, now)
            .map_err(|it| unsigned(&it))?,
    );
    for file in files {
        put(&root.join(paths::METADATA).join(&file.name), &file.bytes)?;
    }
    for (digest, source) in contents.archives {
        let place = root.join(paths::archive(digest));
        make_folder(place.parent().unwrap_or(root))?;
        if std::fs::hard_link(source, &place).is_err() {
            std::fs::copy(source, &place).map_err(|it| Failure::io("copy", source, &it))?;
        }
    }
    let discovery = Discovery {
        protocol: PROTOCOL,
        name: "trial".to_owned(),
        metadata: paths::METADATA.to_owned(),
        targets: paths::TARGETS.to_owned(),
        archives: paths::ARCHIVES.to_owned(),
        api: None,
        auth_required: false,
        root_version: repository.root_version(),
        root_fingerprint: repository.root_fingerprint(),
        origin: None,
        contents: None,
    };
    put(&root.join(paths::DISCOVERY), &json(&discovery))?;
    Url::from_directory_path(root)
        .map(String::from)
        .map_err(|()| Failure::usage(format!("`{}` is no absolute path", root.display())))
}

fn targets(contents: &Contents<'_>) -> Vec<(String, Vec<u8>)> {
    let mut targets = vec![
        (
            paths::MATRIX_TARGET.to_owned(),
            contents.matrix.as_bytes().to_vec(),
        ),
        (
            paths::CHANNELS_TARGET.to_owned(),
            json(&heads(contents.bundles)),
        ),
    ];
    let entries = contents.index.entries();
    targets.extend(entries.map(|it| (paths::index_target(&it.name), json(it))));
    let bundles = contents.bundles.iter();
    targets.extend(bundles.map(|it| (paths::bundle_target(&it.name), json(it))));
    targets
}

fn put(path: &Path, bytes: &[u8]) -> Outcome<()> {
    make_folder(path.parent().unwrap_or(path))?;
    std::fs::write(path, bytes).map_err(|it| Failure::io("write", path, &it))
}

fn make_folder(path: &Path) -> Outcome<()> {
    std::fs::create_dir_all(path).map_err(|it| Failure::io("make", path, &it))
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("our shapes have text keys")
}

fn unsigned(problem: &SignError) -> Failure {
    Failure::new("unsigned", "cannot sign the trial's registry").with_chain(problem)
}
