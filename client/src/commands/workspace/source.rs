//! Where templates come from: the installed package `workspace`, another version of it from
//! the store, the cache or the registry.

use std::fs;
use std::path::{Path, PathBuf};

use provisioning_installers::{
    Choice, Generation, InstalledPackage, Prefix, Template, Unpacks, current_if_whole,
};
use provisioning_package::{
    Digest, Kind, PackageName, Selector, Spec, Target, Version, unpack_archive,
};
use provisioning_registry_api::index::{IndexEntry, IndexVersion};
use tempfile::TempDir;

use super::record::Record;
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::planning::{Intent, Registry, SolveOptions};
use crate::registry::{WantedArchive, take_cached};
use crate::transaction::{Mode, ensure, installed_now, open_prefix};

/// Where the templates are in the package.
const TEMPLATES: &str = "templates";

/// The templates of one version of the package.
pub(super) struct Templates {
    /// The version.
    pub(super) version: Version,
    /// Its archive; `None` for a linked working copy.
    pub(super) digest: Option<Digest>,
    folder: PathBuf,
    /// Whether this run installed them.
    is_new: bool,
    /// Holds what was unpacked for this run alone.
    _scratch: Option<TempDir>,
}

impl Templates {
    /// The installed ones; the package is installed where it is not.
    pub(super) async fn installed(context: &Context) -> Outcome<Self> {
        if let Some(here) = Self::here(context)? {
            return Ok(here);
        }
        let package = install(context).await?;
        let prefix = open_prefix(context, Mode::Do)?;
        Ok(Self {
            is_new: true,
            ..Self::of_package(&prefix, &package)
        })
    }

    /// The installed ones, else those that an install would bring. Nothing is installed.
    pub(super) async fn at_hand(context: &Context) -> Outcome<Self> {
        if let Some(here) = Self::here(context)? {
            return Ok(here);
        }
        let mut finder = Finder::new(context, Mode::Do)?;
        let choice = finder.choose(None).await?;
        finder.fetch(&choice).await
    }

    /// Those of a linked working copy, else of the installed package.
    fn here(context: &Context) -> Outcome<Option<Self>> {
        let Some(current) = installed_now(context)? else {
            return Ok(None);
        };
        if let Some(linked) = current.linked(&package_name()) {
            return Ok(Some(Self {
                version: linked.version.clone(),
                digest: None,
                folder: linked.path.join(TEMPLATES),
                is_new: false,
                _scratch: None,
            }));
        }
        let Some(package) = workspace_package(&current) else {
            return Ok(None);
        };
        let prefix = open_prefix(context, Mode::DryRun)?;
        Ok(Some(Self::of_package(&prefix, &package)))
    }

    fn of_package(prefix: &Prefix, package: &InstalledPackage) -> Self {
        Self {
            version: package.version.clone(),
            digest: Some(package.digest),
            folder: prefix
                .package_tree(package.kind, &package.name)
                .join(TEMPLATES),
            is_new: false,
            _scratch: None,
        }
    }

    /// A failure that came after they were installed says so.
    pub(super) fn tell(&self, failure: Failure) -> Failure {
        if !self.is_new {
            return failure;
        }
        failure.with_changed("the package `workspace` is installed now; nothing else was changed")
    }

    /// The names, in order.
    pub(super) fn names(&self) -> Outcome<Vec<String>> {
        let failed = |it: std::io::Error| Failure::io("read", &self.folder, &it);
        let mut names: Vec<String> = fs::read_dir(&self.folder)
            .map_err(failed)?
            .flatten()
            .filter(|it| it.file_type().is_ok_and(|it| it.is_dir()))
            .filter_map(|it| it.file_name().into_string().ok())
            .collect();
        names.sort();
        Ok(names)
    }

    /// One of them.
    pub(super) fn template(&self, name: &str) -> Outcome<Template> {
        let names = self.names()?;
        if !names.iter().any(|it| it == name) {
            let known: Vec<_> = names.iter().map(|it| format!("`{it}`")).collect();
            return Err(Failure::new(
                "unknown-template",
                format!(
                    "there is no template `{name}` in `workspace` {}",
                    self.version
                ),
            )
            .with_hint(format!("there are {}", known.join(", "))));
        }
        Ok(Template::read(&self.folder.join(name))?)
    }

    /// Where one of them is.
    pub(super) fn folder(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// Finds other versions than the installed one.
pub(super) struct Finder {
    context: Context,
    registry: Registry,
    cache: PathBuf,
    /// Where a run that leaves nothing behind keeps what it fetches.
    _scratch: Option<TempDir>,
}

impl Finder {
    /// A finder that keeps what it fetches in the cache, or leaves no trace at all.
    pub(super) fn new(context: &Context, mode: Mode) -> Outcome<Self> {
        let cache = context.settings.cache()?.to_owned();
        let mut context = context.clone();
        let (registry, scratch) = match mode {
            Mode::Do => (Registry::new(), None),
            Mode::DryRun => {
                let scratch = scratch()?;
                context.settings.use_cache(scratch.path().to_owned());
                (Registry::without_traces(), Some(scratch))
            }
        };
        Ok(Self {
            context,
            registry,
            cache,
            _scratch: scratch,
        })
    }

    /// The version that was asked for, else the newest that fits what is installed.
    pub(super) async fn choose(&mut self, to: Option<&str>) -> Outcome<Choice> {
        let Some(text) = to else {
            return self.newest_that_fits().await;
        };
        let selector = Selector::parse(text).map_err(|it| {
            Failure::usage(format!("`{text}` is no version: {it}"))
                .with_hint("`--to 1.5.0`, or a requirement such as `--to ^1.5`")
        })?;
        let entry = self.entry().await?;
        let found = match &selector {
            Selector::Exact(version) => entry.version(version),
            Selector::Any | Selector::Latest | Selector::Requirement(_) => {
                let requirement = selector.requirement();
                let versions = entry.versions.iter();
                versions
                    .filter(|it| it.yanked.is_none() && requirement.matches(&it.version))
                    .max_by(|a, b| a.version.cmp(&b.version))
            }
        };
        let found = found.ok_or_else(|| no_version(&entry, text))?;
        if let Some(yanked) = &found.yanked {
            let reason = yanked.reason.as_deref().unwrap_or("no reason is given");
            let warning = format!("`workspace` {} is yanked: {reason}", found.version);
            self.context.output.warning(&warning);
        }
        choice(&entry, found)
    }

    /// What a workspace was made from.
    pub(super) async fn of_record(&mut self, record: &Record) -> Outcome<Choice> {
        if let Some(digest) = record.digest
            && self.store_with(&digest)?.is_some()
        {
            // The size only matters to whoever fetches.
            return Ok(Choice {
                kind: Kind::Workspace,
                name: package_name(),
                version: record.version.clone(),
                target: Target::Any,
                digest,
                size: 0,
                unpacks: None,
            });
        }
        let entry = self.entry().await?;
        let found = entry.version(&record.version);
        let found = found.ok_or_else(|| no_version(&entry, &record.version.to_string()))?;
        let choice = choice(&entry, found)?;
        match record.digest {
            Some(digest) if digest != choice.digest => Err(Failure::new(
                "digest-mismatch",
                format!("the registry's `workspace` {} is another than the one that this workspace was made from", record.version),
            )
            .with_cause(format!("recorded: `{}`", digest.prefixed()))
            .with_cause(format!("signed: `{}`", choice.digest.prefixed()))
            .with_hint("is this another registry? nothing was changed")
            .with_exit(Exit::Verification)),
            Some(_) | None => Ok(choice),
        }
    }

    /// The templates of a version: from the store, the cache, or the registry.
    pub(super) async fn fetch(&mut self, choice: &Choice) -> Outcome<Templates> {
        let found = |folder: &Path, scratch| Templates {
            version: choice.version.clone(),
            digest: Some(choice.digest),
            folder: folder.join(TEMPLATES),
            is_new: false,
            _scratch: scratch,
        };
        if let Some(prefix) = self.store_with(&choice.digest)? {
            return Ok(found(&prefix.store_folder(&choice.digest), None));
        }
        let wanted = [WantedArchive {
            label: format!("{} {}", choice.name, choice.version),
            digest: choice.digest,
            size: choice.size,
        }];
        let cached = take_cached(&self.cache, &wanted).await?;
        let paths = if let Some(paths) = cached {
            paths
        } else {
            let reader = self.registry.reader(&self.context).await?;
            reader.fetch_archives(&wanted).await?
        };
        let archive = paths.first().expect("one was asked for, one is here");
        let scratch = scratch()?;
        let folder = scratch.path().join("package");
        tokio::task::block_in_place(|| unpack_archive(archive, &folder))?;
        Ok(found(&folder, Some(scratch)))
    }

    /// The newest that the solver gives for what is installed: a followed bundle's pin
    /// holds here as everywhere.
    async fn newest_that_fits(&mut self) -> Outcome<Choice> {
        let prefix = open_prefix(&self.context, Mode::DryRun)?;
        let current = current_if_whole(&prefix)?;
        let options = SolveOptions::of_this_machine();
        let is_installed = current.as_ref().and_then(workspace_package).is_some();
        let intent = if is_installed {
            Intent::Upgrade {
                names: vec![package_name().to_string()],
                options,
            }
        } else {
            Intent::Install {
                specs: vec![package_name().as_str().parse::<Spec>()?],
                leave_bundle: false,
                options,
            }
        };
        let plan = intent
            .plan(&self.context, &mut self.registry, current.as_ref())
            .await?;
        let found = plan
            .packages
            .into_iter()
            .find(|it| it.kind == Kind::Workspace);
        found.ok_or_else(no_templates)
    }

    async fn entry(&mut self) -> Outcome<IndexEntry> {
        let reader = self.registry.reader(&self.context).await?;
        let entry = reader.entry(&package_name()).await?;
        entry.ok_or_else(no_templates)
    }

    /// The prefix, if its store has an archive.
    fn store_with(&self, digest: &Digest) -> Outcome<Option<Prefix>> {
        let prefix = Prefix::new(self.context.settings.prefix()?);
        let has = prefix.store_folder(digest).is_dir() && prefix.receipt(digest).is_file();
        Ok(has.then_some(prefix))
    }
}

async fn install(context: &Context) -> Outcome<InstalledPackage> {
    context
        .output
        .status("the templates are not installed yet: installing the package `workspace`");
    let intent = Intent::Install {
        specs: vec![package_name().as_str().parse::<Spec>()?],
        leave_bundle: false,
        options: SolveOptions::of_this_machine(),
    };
    ensure(&intent, context).await?;
    installed_now(context)?
        .as_ref()
        .and_then(workspace_package)
        .ok_or_else(no_templates)
}

fn workspace_package(current: &Generation) -> Option<InstalledPackage> {
    current
        .packages
        .iter()
        .find(|it| it.kind == Kind::Workspace)
        .cloned()
}

fn package_name() -> PackageName {
    PackageName::of_kind(Kind::Workspace).expect("there is one package of templates")
}

fn choice(entry: &IndexEntry, version: &IndexVersion) -> Outcome<Choice> {
    let machine = Target::host().unwrap_or(Target::Any);
    let archive = version
        .archive_for(machine)
        .ok_or_else(|| no_version(entry, &version.version.to_string()))?;
    Ok(Choice {
        kind: entry.kind,
        name: entry.name.clone(),
        version: version.version.clone(),
        target: archive.target,
        digest: archive.digest,
        size: archive.size,
        unpacks: Some(Unpacks {
            bytes: archive.unpacked,
            entries: archive.entries,
        }),
    })
}

fn no_version(entry: &IndexEntry, text: &str) -> Failure {
    let versions: Vec<_> = entry
        .versions
        .iter()
        .rev()
        .take(10)
        .map(|it| it.version.to_string())
        .collect();
    Failure::new(
        "no-such-version",
        format!("the registry has no `workspace` {text} for this machine"),
    )
    .with_hint(format!(
        "it has {}; nothing was changed",
        versions.join(", ")
    ))
    .with_exit(Exit::NoSolution)
}

fn no_templates() -> Failure {
    Failure::new("no-templates", "the registry has no package `workspace`")
        .with_hint("its operator publishes templates as a package of the kind `workspace`")
}

fn scratch() -> Outcome<TempDir> {
    tempfile::Builder::new()
        .prefix("provisioning-")
        .tempdir()
        .map_err(|it| Failure::no_scratch(&it))
}
