//! What the words of a command name: bundles, channels, packages.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use provisioning_bundles::{BundleNews, news};
use provisioning_installers::{BundleRequest, Requests};
use provisioning_package::{BundleName, Kind, PackageName, Selector, Spec, Version};
use provisioning_registry_api::bundle::BundleSequence;

use super::registry::Registry;
use super::unknown;
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::registry::RegistryReader;

/// Everything that is to be solved together, and what of it is new.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// All requests, the new ones included.
    pub(crate) requests: Requests,
    /// Packages that this command names.
    pub(crate) now: BTreeSet<PackageName>,
    /// The followed bundle's sequence, where it was fetched.
    pub(crate) sequence: Option<BundleSequence>,
    /// What the user should know already.
    pub(crate) warnings: Vec<String>,
}

impl Asked {
    /// The same requests as before.
    pub(crate) fn again(requests: Requests) -> Self {
        Self {
            requests,
            now: BTreeSet::new(),
            sequence: None,
            warnings: Vec::new(),
        }
    }

    /// The same requests as before, with the followed channel's or bundle's newest
    /// sequence.
    pub(crate) async fn newest(
        context: &Context,
        registry: &mut Registry,
        requests: Requests,
    ) -> Outcome<Self> {
        let mut asked = Self::again(requests);
        if let Some(followed) = asked.requests.bundle.clone() {
            let name = followed.channel.as_ref().unwrap_or(&followed.name);
            match find_bundle(registry.reader(context).await?, name).await? {
                Some(found) => asked.follow(found),
                None => asked.warnings.push(format!(
                    "the registry has no bundle `{name}` any more; its packages stay as they are"
                )),
            }
            asked.hear(context, registry).await;
        }
        Ok(asked)
    }

    /// Says what must be heard of the followed bundle. What cannot be read is passed over: it
    /// is no reason to refuse anything.
    async fn hear(&mut self, context: &Context, registry: &mut Registry) {
        let Some(followed) = self.requests.bundle.clone() else {
            return;
        };
        let news = news_of(registry, &followed, context).await;
        if let Ok(Some(news)) = news {
            self.warnings.push(format!("{news}; {}", news.fix()));
        }
    }

    fn follow(&mut self, found: FoundBundle) {
        let without = match &self.requests.bundle {
            Some(old) if old.name == found.name => old.without.clone(),
            _ => BTreeSet::new(),
        };
        let gave_way = self.requests.follow(found.request(without));
        for spec in gave_way {
            self.warnings.push(format!(
                "`{spec}`, asked for earlier, gives way to bundle `{}`",
                found.name
            ));
        }
        self.sequence = Some(found.sequence);
    }
}

/// A bundle that the registry has.
struct FoundBundle {
    name: BundleName,
    channel: Option<BundleName>,
    sequence: BundleSequence,
}

impl FoundBundle {
    fn request(&self, without: BTreeSet<PackageName>) -> BundleRequest {
        let pins = |required: bool| -> BTreeMap<PackageName, Version> {
            self.sequence
                .members
                .iter()
                .filter(|it| it.required == required)
                .map(|it| (it.name.clone(), it.version.clone()))
                .collect()
        };
        BundleRequest {
            name: self.name.clone(),
            sequence: self.sequence.sequence,
            channel: self.channel.clone(),
            members: pins(true),
            optional: pins(false),
            without,
        }
    }
}

/// Puts the specs of a command to the requests of earlier ones.
pub(crate) async fn ask(
    context: &Context,
    registry: &mut Registry,
    specs: &[Spec],
    requests: Requests,
) -> Outcome<Asked> {
    let mut asked = Asked::again(requests);
    let mut packages: Vec<(PackageName, &Spec)> = Vec::new();
    let mut bundle: Option<(&Spec, Box<FoundBundle>)> = None;
    for spec in specs {
        match read_one(context, registry, spec, &asked.requests).await? {
            Named::Package(name) => packages.push((name, spec)),
            Named::Bundle(found) => {
                if let Some((other, _)) = &bundle {
                    return Err(Failure::usage(format!(
                        "`{other}` and `{spec}` are two bundles: one can be followed at a time"
                    )));
                }
                bundle = Some((spec, found));
            }
        }
    }
    if let Some((_, found)) = bundle {
        asked.follow(*found);
        if let Some(bundle) = &mut asked.requests.bundle {
            // Who asks for a bundle by name wants all of it.
            bundle.without.clear();
        }
    }
    let mut specs: BTreeMap<PackageName, Spec> = BTreeMap::new();
    for (name, spec) in packages {
        let both = match specs.remove(&name) {
            None => spec.clone(),
            Some(other) => all_of(&name, &other, spec)?,
        };
        specs.insert(name, both);
    }
    for (name, spec) in specs {
        asked.now.insert(name.clone());
        asked.requests.ask(name.clone(), spec.to_string());
        check_against_bundle(&asked.requests, &name, &spec)?;
    }
    asked.hear(context, registry).await;
    Ok(asked)
}

/// What must be heard of the bundle that is followed.
pub(crate) async fn news_of(
    registry: &mut Registry,
    followed: &BundleRequest,
    context: &Context,
) -> Outcome<Option<BundleNews>> {
    let document = registry
        .reader(context)
        .await?
        .bundle(&followed.name)
        .await?;
    let today = context.now().to_zoned(TimeZone::UTC).date();
    Ok(news(
        &followed.name,
        followed.sequence,
        document.as_ref(),
        today,
    ))
}

/// Two specs of one command for one package: both hold. In whatever order they came, they
/// are one requirement.
fn all_of(name: &PackageName, one: &Spec, other: &Spec) -> Outcome<Spec> {
    if one.selector() == other.selector() || *other.selector() == Selector::Any {
        return Ok(one.clone());
    }
    if *one.selector() == Selector::Any {
        return Ok(other.clone());
    }
    // A version that is named exactly is more than a requirement: it may be a yanked one.
    for (spec, bound) in [(one, other), (other, one)] {
        if let Selector::Exact(version) = spec.selector()
            && bound.selector().requirement().matches(version)
        {
            return Ok(spec.clone());
        }
    }
    let mut parts = Vec::new();
    for spec in [one, other] {
        if *spec.selector() == Selector::Latest {
            return Err(Failure::usage(format!(
                "`{one}` and `{other}` cannot be asked for together: `latest` is one version"
            )));
        }
        let comparators = spec.selector().requirement().comparators;
        parts.extend(comparators.into_iter().map(|it| it.to_string()));
    }
    parts.sort();
    parts.dedup();
    Ok(format!("{name}@{}", parts.join(",")).parse()?)
}

enum Named {
    Package(PackageName),
    Bundle(Box<FoundBundle>),
}

async fn read_one(
    context: &Context,
    registry: &mut Registry,
    spec: &Spec,
    requests: &Requests,
) -> Outcome<Named> {
    let package = spec.as_package();
    if package.as_ref().is_some_and(|it| it.kind() == Kind::Client) {
        return Err(Failure::usage(
            "the client is in no generation and is not installed by itself",
        )
        .with_hint("`provisioning self update` updates it"));
    }
    // The names of kinds can be no bundle's, so they need not be looked up as one.
    let may_be_bundle = package
        .as_ref()
        .is_none_or(|it| it.kind() == Kind::Extension);
    if let Some(name) = spec.as_bundle().filter(|_| may_be_bundle) {
        let reader = registry.reader(context).await?;
        if let Some(found) = find_bundle(reader, &name).await? {
            return Ok(Named::Bundle(Box::new(found)));
        }
        if package.is_none() {
            return Err(unknown::bundle(reader, &name).await);
        }
    }
    if let Some(name) = package {
        return Ok(Named::Package(name));
    }
    let reader = registry.reader(context).await?;
    Err(unknown::package(context, reader, spec.name(), requests).await)
}

/// A bundle or what a channel points at; `None` where neither has that name.
async fn find_bundle(
    reader: &mut RegistryReader,
    name: &BundleName,
) -> Outcome<Option<FoundBundle>> {
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
        None => document.current(),
    };
    let Some(sequence) = sequence else {
        let withdrawn = document
            .sequences
            .last()
            .and_then(|it| it.withdrawn.as_ref());
        let reason = withdrawn.map_or("nothing of it was published", |it| it.reason.as_str());
        let replacement = withdrawn.and_then(|it| it.replacement.as_ref());
        return Err(Failure::new(
            "bundle-withdrawn",
            format!("bundle `{bundle}` is withdrawn: {reason}"),
        )
        .with_exit(Exit::NoSolution)
        .with_hints(replacement.map(|it| format!("`provisioning install {it}`")))
        .with_hint("`provisioning bundle list` shows the others; nothing was changed"));
    };
    Ok(Some(FoundBundle {
        name: document.name.clone(),
        channel: head.map(|_| name.clone()),
        sequence: sequence.clone(),
    }))
}

/// A spec that the followed bundle's pin does not meet is refused before anything is
/// solved: the user must say that the bundle is no longer wanted.
fn check_against_bundle(requests: &Requests, name: &PackageName, spec: &Spec) -> Outcome<()> {
    let Some(bundle) = &requests.bundle else {
        return Ok(());
    };
    let Some(pinned) = bundle.pin(name) else {
        return Ok(());
    };
    let is_met = match spec.selector() {
        Selector::Any | Selector::Latest => true,
        Selector::Exact(version) => version == pinned,
        Selector::Requirement(req) => req.matches(pinned),
    };
    if is_met {
        return Ok(());
    }
    Err(Failure::new(
        "against-bundle",
        format!(
            "`{spec}` goes against bundle `{}`, which is followed and pins `{name}` {pinned}",
            bundle.name
        ),
    )
    .with_exit(Exit::NoSolution)
    .with_hint(format!(
        "`provisioning install {spec} --leave-bundle` stops following the bundle and keeps its packages"
    ))
    .with_hint("nothing was changed"))
}
