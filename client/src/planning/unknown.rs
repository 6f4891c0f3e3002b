//! Names that the registry does not know, and what was probably meant.

use std::collections::BTreeSet;

use provisioning_compat::{NoSolution, nearest_names};
use provisioning_installers::Requests;
use provisioning_package::{BundleName, Kind, PackageName};

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::registry::{RegistryReader, explain};
use crate::write_api::WriteClient;

/// How many names the registry's search is asked for.
const NAMES_MAX: u32 = 100;

/// The least likeness of a bundle's name that is offered.
const LIKENESS_MIN: f64 = 0.75;

/// No package has this name.
pub(super) async fn package(
    context: &Context,
    reader: &mut RegistryReader,
    name: &str,
    requests: &Requests,
) -> Failure {
    if let Some(failure) = out_of_reach(reader, name) {
        return failure;
    }
    let failure = refusal(name, requests);
    let known: Vec<PackageName> = known_names(context, reader, name, requests)
        .await
        .into_iter()
        .filter(|it| it.as_str() != name)
        .collect();
    let near = nearest_names(name, &known);
    let mut near: Vec<_> = near.iter().map(|it| format!("`{it}`")).collect();
    near.extend(
        nearest_bundle(reader, name)
            .await
            .map(|it| format!("`{it}`")),
    );
    if near.is_empty() {
        return failure
            .with_hint(format!("look for it: `provisioning search {name}`"))
            .with_hint("nothing was changed");
    }
    failure
        .with_hint(format!("did you mean {}?", near.join(" or ")))
        .with_hint("nothing was changed")
}

fn refusal(name: &str, requests: &Requests) -> Failure {
    let message = format!("the registry has no package and no bundle `{name}`");
    let failure = Failure::new("unknown-package", message).with_exit(Exit::NoSolution);
    let Ok(package) = PackageName::from_user(name) else {
        return failure.with_cause(format!(
            "you asked for `{name}`, and this registry does not have it"
        ));
    };
    let asked = requests.specs.get(&package);
    let spec = asked.map_or(name, |it| it.spec.as_str());
    let refusal = NoSolution::unknown(&package, spec);
    failure
        .with_causes(refusal.causes())
        .with_explanation(refusal.to_json())
}

/// A name that may well exist, but of which nothing is known here.
fn out_of_reach(reader: &RegistryReader, name: &str) -> Option<Failure> {
    let names: Vec<String> = reader
        .unreached()
        .iter()
        .filter(|it| *it == name)
        .take(1)
        .cloned()
        .collect();
    let because = reader.reach()?.because;
    let failure = Failure::new("out-of-reach", format!("nothing is known here of `{name}`"))
        .with_exit(Exit::NoSolution);
    (!names.is_empty()).then(|| explain(failure, &names, because).with_hint("nothing was changed"))
}

/// No bundle and no channel has this name.
pub(super) async fn bundle(reader: &mut RegistryReader, name: &BundleName) -> Failure {
    if let Some(failure) = out_of_reach(reader, name.as_str()) {
        return failure;
    }
    let failure = Failure::new(
        "unknown-bundle",
        format!("the registry has no bundle or channel `{name}`"),
    )
    .with_exit(Exit::NoSolution);
    match nearest_bundle(reader, name.as_str()).await {
        Some(near) => failure.with_hint(format!("did you mean `{near}`?")),
        None => failure.with_hint("`provisioning bundle list` shows the bundles"),
    }
    .with_hint("nothing was changed")
}

/// The bundle or channel whose name is most like this one.
async fn nearest_bundle(reader: &mut RegistryReader, name: &str) -> Option<String> {
    let mut known = BTreeSet::new();
    if let Ok(channels) = reader.channels().await {
        for (channel, head) in channels.channels {
            known.insert(channel.to_string());
            known.insert(head.bundle.to_string());
        }
    }
    known
        .into_iter()
        .map(|it| (strsim::jaro_winkler(&it, name), it))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, it)| it)
}

/// Every name that can be had cheaply. A source that fails is left out: this is only for
/// a hint.
async fn known_names(
    context: &Context,
    reader: &mut RegistryReader,
    name: &str,
    requests: &Requests,
) -> BTreeSet<PackageName> {
    let mut known: BTreeSet<PackageName> = Kind::ALL
        .into_iter()
        .filter(|it| *it != Kind::Client)
        .filter_map(PackageName::of_kind)
        .chain(requests.specs.keys().cloned())
        .collect();
    if let Ok(matrix) = reader.matrix().await {
        known.extend(matrix.read.matrix.rows().map(|(it, ..)| it.clone()));
        let drafts = matrix.read.bundles.values();
        known.extend(drafts.flat_map(|it| it.members.iter().map(|(it, _)| it.clone())));
    }
    if context.settings.offline || reader.discovery().is_none() {
        return known;
    }
    if let Ok(api) = WriteClient::open_anonymous(context).await {
        let start: String = name.chars().take(3).collect();
        for text in [start.as_str(), ""] {
            let query = [("q", text.to_owned()), ("limit", NAMES_MAX.to_string())];
            if let Ok(found) = api.search(&query).await {
                known.extend(found.packages.into_iter().map(|it| it.name));
            }
        }
    }
    known
}
