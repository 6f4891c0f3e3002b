//! What a bundle's name means: a draft in `versions.toml`, or a published bundle or channel.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use provisioning_bundles::from_draft;
use provisioning_compat::BundleDraft;
use provisioning_package::{BundleName, PackageName, Version};
use provisioning_registry_api::bundle::{BundleDocument, BundleSequence};
use provisioning_registry_api::command::{DeclaredMember, PublishBundle};

use crate::commands::MatrixFile;
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::registry::RegistryReader;

/// A bundle that can be tried.
#[derive(Debug, Clone)]
pub(crate) struct Definition {
    /// Its name; where a channel was named, the bundle's.
    pub(crate) name: BundleName,
    /// What publishing it asks for.
    pub(crate) request: PublishBundle,
    /// Its own checks.
    pub(crate) tests: BTreeMap<String, Vec<String>>,
    /// The folder that they run in: the one of `versions.toml`.
    pub(crate) folder: Option<PathBuf>,
}

impl Definition {
    /// Its members and their versions.
    pub(crate) fn members(&self) -> Vec<(PackageName, Version)> {
        let members = self.request.members.iter();
        members
            .map(|it| (it.name.clone(), it.version.clone()))
            .collect()
    }
}

/// What `name` means: the draft of that name where the file has one, else what is published.
pub(crate) async fn define(
    name: &BundleName,
    (path, file): (&Path, Option<&MatrixFile>),
    reader: Option<&mut RegistryReader>,
    context: &Context,
) -> Outcome<Definition> {
    if let Some(draft) = file.and_then(|it| it.read.bundles.get(name)) {
        let path = context.env.absolute(path);
        return Ok(of_draft(name, draft, path.parent()));
    }
    let Some(reader) = reader else {
        return Err(unknown(name, file));
    };
    let Some((name, sequence)) = published(name, reader).await? else {
        return Err(unknown(name, file));
    };
    let tests = reader.matrix().await?.read.bundles;
    let tests = tests.get(&name).map(|it| it.tests.clone());
    Ok(Definition {
        request: of_sequence(&sequence),
        tests: tests.unwrap_or_default(),
        folder: None,
        name,
    })
}

fn of_draft(name: &BundleName, draft: &BundleDraft, folder: Option<&Path>) -> Definition {
    Definition {
        name: name.clone(),
        request: from_draft(draft, None),
        tests: draft.tests.clone(),
        folder: folder.map(Path::to_owned),
    }
}

/// The newest sequence of a bundle, or what a channel points at.
async fn published(
    name: &BundleName,
    reader: &mut RegistryReader,
) -> Outcome<Option<(BundleName, BundleSequence)>> {
    let channels = reader.channels().await?;
    let head = channels.channels.get(name);
    let bundle = head.map_or(name, |it| &it.bundle);
    let Some(document) = reader.bundle(bundle).await? else {
        return Ok(None);
    };
    let sequence = match head {
        Some(head) => document
            .sequences
            .iter()
            .find(|it| it.sequence == head.sequence),
        None => newest(&document),
    };
    Ok(sequence.map(|it| (document.name.clone(), it.clone())))
}

/// The newest that was not withdrawn, else the newest: also what was withdrawn can be tried.
fn newest(document: &BundleDocument) -> Option<&BundleSequence> {
    document.current().or_else(|| document.sequences.last())
}

fn of_sequence(sequence: &BundleSequence) -> PublishBundle {
    PublishBundle {
        title: sequence.title.clone(),
        release_date: sequence.release_date,
        lts_until: sequence.lts_until,
        targets: sequence.targets.clone(),
        members: sequence
            .members
            .iter()
            .map(|it| DeclaredMember {
                name: it.name.clone(),
                version: it.version.clone(),
                required: it.required,
            })
            .collect(),
        upgrades_from: sequence.upgrades_from.clone(),
        state: None,
    }
}

fn unknown(name: &BundleName, file: Option<&MatrixFile>) -> Failure {
    let drafts = file.map(|it| it.read.bundles.keys().map(ToString::to_string));
    let drafts: Vec<String> = drafts.into_iter().flatten().collect();
    let failure = Failure::new(
        "unknown-bundle",
        format!("`{name}` is no draft of `versions.toml`, and no published bundle or channel"),
    )
    .with_exit(Exit::NoSolution);
    if drafts.is_empty() {
        failure.with_hint("name the file with the draft: `--file distribution/versions.toml`")
    } else {
        failure.with_hint(format!("the drafts are: {}", drafts.join(", ")))
    }
}
