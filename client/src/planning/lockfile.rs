//! A workspace and its lockfile: what it requires, what that was resolved to, and the state
//! that `sync` installs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use provisioning_compat::{
    Change, Hold, InvalidLockfile, LockedRegistry, Lockfile, Versions, changes,
};
use provisioning_installers::{Choice, Generation, NewState, Plan, Requests, Unpacks, plan};
use provisioning_package::{Digest, PackageName, Spec, Target};

use super::registry::Registry;
use super::solving::{Moves, SolveOptions, fresh, search};
use super::specs::{Asked, ask};
use crate::context::Context;
use crate::durable::{Readers, replace_file};
use crate::failure::{Exit, Failure, Outcome};
use crate::registry::cached_size;

/// A folder with a `provisioning.toml`.
#[derive(Debug, Clone)]
pub(crate) struct Workspace {
    folder: PathBuf,
    /// `[requires]`: specs by name.
    pub(crate) requires: BTreeMap<String, String>,
}

/// A lockfile that was made anew.
#[derive(Debug)]
pub(crate) struct Relocked {
    /// The lockfile.
    pub(crate) lockfile: Lockfile,
    /// What is different from the one before.
    pub(crate) changes: Vec<Change>,
    /// What the user should know.
    pub(crate) warnings: Vec<String>,
}

impl Workspace {
    /// The workspace that the command runs in.
    pub(crate) fn find(context: &Context) -> Outcome<Self> {
        let folder = context.settings.workspace().ok_or_else(|| {
            Failure::new(
                "no-workspace",
                "this folder is in no workspace: no `provisioning.toml` here or above",
            )
            .with_hint("`provisioning workspace init` makes it one")
        })?;
        let file = folder.join("provisioning.toml");
        let text = std::fs::read_to_string(&file).map_err(|it| Failure::io("read", &file, &it))?;
        let requires = requires(&text).map_err(|why| {
            Failure::usage(format!("`{}` cannot be used", file.display())).with_cause(why)
        })?;
        Ok(Self {
            folder: folder.to_owned(),
            requires,
        })
    }

    /// Where its lockfile is.
    pub(crate) fn lock_path(&self) -> PathBuf {
        self.folder.join(Lockfile::FILE)
    }

    /// The prefix that `sync` installs into, where none is given.
    pub(crate) fn prefix(&self) -> PathBuf {
        self.folder.join(".provisioning")
    }

    /// Its lockfile, if it has one.
    pub(crate) fn lockfile(&self) -> Outcome<Option<Lockfile>> {
        let path = self.lock_path();
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(problem) => return Err(Failure::io("read", &path, &problem)),
        };
        Lockfile::parse(&text)
            .map(Some)
            .map_err(|problem| unreadable(&path, &problem))
    }

    /// Writes its lockfile; one that says the same already is left alone.
    pub(crate) fn write(&self, lockfile: &Lockfile) -> Outcome<()> {
        let path = self.lock_path();
        let text = lockfile.to_string();
        if std::fs::read_to_string(&path).is_ok_and(|it| it == text) {
            return Ok(());
        }
        replace_file(&path, text.as_bytes(), Readers::Everyone)
    }

    /// Resolves what it requires. What `old` locks stays, as far as `moves` and what is
    /// required now let it.
    pub(crate) async fn lock(
        &self,
        old: Option<&Lockfile>,
        moves: &Moves,
        context: &Context,
        registry: &mut Registry,
    ) -> Outcome<Relocked> {
        if self.requires.is_empty() {
            return Err(nothing_required(&self.folder));
        }
        let asked = self.ask(context, registry).await?;
        let root = registry.reader(context).await?.first_root().await?;
        let url = context.settings.registry()?.to_string();
        if let Some(old) = old.filter(|it| it.registry.root != root) {
            return Err(other_registry(&old.registry, &url, &root));
        }
        let mut request = fresh(context, &asked, &SolveOptions::of_this_machine());
        let before = old.map(Lockfile::versions).unwrap_or_default();
        request.installed = staying(&before, moves);
        request.hold = match moves {
            Moves::Everything => Hold::Free,
            Moves::Asked | Moves::Only(_) => Hold::Held,
        };
        let locked = LockedRegistry { url, root };
        let requires = self.requires.clone();
        let found = search(context, registry, &asked, &request, |solution, index| {
            let foreign = old.map(|it| it.foreign_digests(index)).unwrap_or_default();
            let lockfile = Lockfile::of(locked, requires, &solution.versions(), index);
            let missing = lockfile.missing_elsewhere(index);
            (solution, lockfile, foreign, missing)
        });
        let (solution, lockfile, foreign, missing) = found.await?;
        if let Some((name, version, target)) = foreign.first() {
            return Err(other_bytes(name, &version.to_string(), *target));
        }
        let told = solution.warnings.iter().map(ToString::to_string);
        let told = told.chain(missing.iter().map(ToString::to_string));
        Ok(Relocked {
            changes: changes(&before, &solution),
            warnings: asked.warnings.iter().cloned().chain(told).collect(),
            lockfile,
        })
    }

    async fn ask(&self, context: &Context, registry: &mut Registry) -> Outcome<Asked> {
        let mut specs = Vec::new();
        for (name, selector) in &self.requires {
            let text = match selector.trim() {
                "" | "*" => name.clone(),
                selector => format!("{name}@{selector}"),
            };
            specs.push(text.parse::<Spec>()?);
        }
        ask(context, registry, &specs, Requests::default()).await
    }
}

/// The plan that installs exactly what is locked. The registry is asked only for archives
/// that neither the store nor the cache has.
pub(crate) async fn plan_of_lock(
    lockfile: &Lockfile,
    context: &Context,
    registry: &mut Registry,
    current: Option<&Generation>,
    reason: String,
) -> Outcome<Plan> {
    let machine = Target::host().unwrap_or(Target::Any);
    let mut packages = Vec::new();
    let mut unsized_ones = Vec::new();
    for (name, locked) in &lockfile.packages {
        let digests = &locked.digests;
        let found = digests.iter().find(|(target, _)| target.runs_on(machine));
        let Some((target, digest)) = found else {
            return Err(no_archive(name, &locked.version.to_string(), machine));
        };
        let known = current.and_then(|it| it.packages.iter().find(|it| it.digest == *digest));
        let size = match known {
            Some(known) => Some(known.size),
            None => cached_size(context.settings.cache()?, digest),
        };
        if size.is_none() {
            unsized_ones.push(packages.len());
        }
        packages.push(Choice {
            kind: name.kind(),
            name: name.clone(),
            version: locked.version.clone(),
            target: *target,
            digest: *digest,
            size: size.unwrap_or_default(),
            unpacks: None,
        });
    }
    if !unsized_ones.is_empty() {
        ask_sizes(&mut packages, &unsized_ones, lockfile, context, registry).await?;
    }
    // A lockfile holds against a pin, which is not lost for that.
    let mut requests = requests(lockfile);
    requests.pins = current.map_or_else(Default::default, |it| it.requests.pins.clone());
    Ok(plan(
        current,
        NewState {
            packages,
            requests,
            reason,
            warnings: Vec::new(),
        },
    ))
}

/// What the registry says about the archives that are nowhere here yet.
async fn ask_sizes(
    packages: &mut [Choice],
    places: &[usize],
    lockfile: &Lockfile,
    context: &Context,
    registry: &mut Registry,
) -> Outcome<()> {
    let reader = registry.reader(context).await?;
    let root = reader.first_root().await?;
    if root != lockfile.registry.root {
        let url = context.settings.registry()?.to_string();
        return Err(other_registry(&lockfile.registry, &url, &root));
    }
    let names: Vec<PackageName> = places.iter().map(|it| packages[*it].name.clone()).collect();
    let entries = reader.entries(&names).await?;
    for place in places {
        let choice = &mut packages[*place];
        let entry = entries.iter().find(|it| it.name == choice.name);
        let known = entry.and_then(|it| it.version(&choice.version));
        let archive = known
            .and_then(|it| it.archives.iter().find(|it| it.target == choice.target))
            .ok_or_else(|| no_longer_there(choice))?;
        if archive.digest != choice.digest {
            let version = choice.version.to_string();
            return Err(other_bytes(&choice.name, &version, choice.target));
        }
        choice.size = archive.size;
        choice.unpacks = Some(Unpacks {
            bytes: archive.unpacked,
            entries: archive.entries,
        });
    }
    Ok(())
}

/// Who asked for what, as a generation records it. What a bundle brought is asked for by
/// name: the lockfile, not the bundle, says which version.
fn requests(lockfile: &Lockfile) -> Requests {
    let mut requests = Requests::default();
    let mut has_bundle = false;
    for (text, selector) in &lockfile.requires {
        let name = PackageName::from_user(text).ok();
        match name.filter(|it| lockfile.packages.contains_key(it)) {
            Some(name) if selector == "*" || selector.is_empty() => {
                requests.ask(name, text.clone());
            }
            Some(name) => requests.ask(name, format!("{text}@{selector}")),
            None => has_bundle = true,
        }
    }
    if has_bundle {
        for name in lockfile.packages.keys() {
            if !requests.specs.contains_key(name) {
                requests.ask(name.clone(), name.to_string());
            }
        }
    }
    requests
}

fn staying(locked: &Versions, moves: &Moves) -> Versions {
    let stays = |name: &PackageName| match moves {
        Moves::Asked => true,
        Moves::Only(names) => !names.contains(name),
        Moves::Everything => false,
    };
    let locked = locked.iter().filter(|it| stays(it.0));
    locked
        .map(|(name, version)| (name.clone(), version.clone()))
        .collect()
}

/// `[requires]` of a workspace's file.
fn requires(text: &str) -> Result<BTreeMap<String, String>, String> {
    let table: toml::Table = text.parse().map_err(|it: toml::de::Error| it.to_string())?;
    let Some(requires) = table.get("requires") else {
        return Ok(BTreeMap::new());
    };
    let Some(requires) = requires.as_table() else {
        return Err("`requires` is no table".to_owned());
    };
    requires
        .iter()
        .map(|(name, value)| match value.as_str() {
            Some(spec) => Ok((name.clone(), spec.to_owned())),
            None => Err(format!(
                "`requires.{name}` is no text: write `{name} = \"^1.2\"`"
            )),
        })
        .collect()
}

fn unreadable(path: &Path, problem: &InvalidLockfile) -> Failure {
    Failure::new(
        "invalid-lockfile",
        format!("`{}` cannot be used", path.display()),
    )
    .with_cause(problem.to_string())
}

fn nothing_required(folder: &Path) -> Failure {
    Failure::new(
        "nothing-required",
        format!(
            "`{}` requires nothing",
            folder.join("provisioning.toml").display()
        ),
    )
    .with_hint("say what the workspace needs:\n[requires]\ncore = \"^3.2\"\nmongodb = \"^1.2\"")
}

/// The lockfile was made from another registry.
pub(crate) fn other_registry(locked: &LockedRegistry, url: &str, root: &Digest) -> Failure {
    Failure::new(
        "other-registry",
        format!(
            "the lockfile was made from the registry at `{}`, and this is another one",
            locked.url
        ),
    )
    .with_cause(format!(
        "the lockfile's has the root {}",
        locked.root.prefixed()
    ))
    .with_cause(format!("`{url}` has the root {}", root.prefixed()))
    .with_hint(format!("use the lockfile's: `--registry {}`", locked.url))
    .with_hint("or remove `provisioning.lock` and run `provisioning lock` to resolve from this one")
}

fn other_bytes(name: &PackageName, version: &str, target: Target) -> Failure {
    Failure::new(
        "digest-mismatch",
        format!("the registry has other bytes for {name} {version} ({target}) than were locked"),
    )
    .with_exit(Exit::Verification)
    .with_hint("a version's bytes never change: tell the registry's operator")
}

fn no_archive(name: &PackageName, version: &str, machine: Target) -> Failure {
    Failure::new(
        "no-archive",
        format!("{name} {version} is locked and has no archive for {machine}"),
    )
    .with_exit(Exit::NoSolution)
    .with_hint("require a version that has one, and run `provisioning lock`")
}

fn no_longer_there(choice: &Choice) -> Failure {
    Failure::new(
        "no-archive",
        format!(
            "{} {} is locked, and the registry does not have it",
            choice.name, choice.version
        ),
    )
    .with_hint("`provisioning lock` resolves again")
}
