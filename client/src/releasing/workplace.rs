//! `release.toml`, and the repositories that it names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use provisioning_bundles::release::{
    Bump, PackageHistory, PackageRelease, ReleaseConfig, ReleasePlan, plan_release,
};
use provisioning_package::{Manifest, PackageName};
use provisioning_sources::git::Git;
use provisioning_sources::read_facts;

use super::history::history_of;
use crate::context::Context;
use crate::failure::{Failure, Outcome};

/// What the file is called.
const FILE: &str = "release.toml";

/// A distribution that releases packages.
#[derive(Debug, Clone)]
pub(crate) struct Workplace {
    /// What its `release.toml` says.
    pub(crate) config: ReleaseConfig,
    /// The folder of that file.
    pub(crate) folder: PathBuf,
}

impl Workplace {
    /// Reads `file`, else `release.toml` in this folder.
    pub(crate) fn open(file: Option<&Path>, context: &Context) -> Outcome<Self> {
        let named = context.env.absolute(file.unwrap_or(Path::new(FILE)));
        let text = std::fs::read_to_string(&named).map_err(|it| {
            Failure::io("read", &named, &it).with_hint(
                "`release.toml` says which repository makes which package; \
                 the guide's chapter on releasing has one to begin with",
            )
        })?;
        let config = ReleaseConfig::parse(&text).map_err(|it| {
            Failure::new(
                "invalid-release",
                format!("`{}` is refused", named.display()),
            )
            .with_cause(it.to_string())
        })?;
        let folder = named.parent().unwrap_or(Path::new("/")).to_owned();
        Ok(Self { config, folder })
    }

    /// The same where the file is there; nothing is refused because it is not.
    pub(crate) fn find(file: Option<&Path>, context: &Context) -> Outcome<Option<Self>> {
        let is_there = file.is_some() || context.env.absolute(Path::new(FILE)).is_file();
        if is_there {
            Self::open(file, context).map(Some)
        } else {
            Ok(None)
        }
    }

    /// How a package is released.
    pub(crate) fn package(&self, name: &PackageName) -> Outcome<&PackageRelease> {
        self.config.packages.get(name).ok_or_else(|| {
            let known: Vec<&str> = self
                .config
                .packages
                .keys()
                .map(PackageName::as_str)
                .collect();
            Failure::usage(format!("`release.toml` has no package `{name}`"))
                .with_hint(format!("it has: {}", known.join(", ")))
        })
    }

    /// The repository of a package.
    pub(crate) fn git(&self, package: &PackageRelease) -> Outcome<Git> {
        let folder = self.folder.join(&package.repository);
        let git = Git::new(&folder);
        if folder.is_dir() && git.succeeds(&["rev-parse", "--git-dir"])? {
            return Ok(git);
        }
        Err(Failure::new(
            "no-repository",
            format!("`{}` is no git repository", folder.display()),
        )
        .with_hint("clone it there, or name another `repository` in `release.toml`"))
    }

    /// The folder of a package's sources.
    pub(crate) fn sources(&self, package: &PackageRelease) -> PathBuf {
        self.folder.join(&package.repository).join(&package.folder)
    }

    /// What every package's repository tells.
    pub(crate) fn histories(&self) -> Outcome<BTreeMap<PackageName, PackageHistory>> {
        let mut histories = BTreeMap::new();
        for (name, package) in self.config.in_order() {
            let git = self.git(package)?;
            let mut history = history_of(&git, name, package)?;
            let sources = self.sources(package);
            if let Some(manifest) = manifest_of(&sources)? {
                history.stated = Some(manifest.version);
                let requires = manifest.dependencies.into_iter();
                history.requires = requires.map(|(name, it)| (name, it.req)).collect();
            }
            histories.insert(name.clone(), history);
        }
        Ok(histories)
    }

    /// What would be released now.
    pub(crate) fn plan(&self, bumps: &BTreeMap<PackageName, Bump>) -> Outcome<ReleasePlan> {
        for name in bumps.keys() {
            self.package(name)?;
        }
        let coordinated: BTreeSet<PackageName> = self.config.coordinated.iter().cloned().collect();
        Ok(plan_release(&self.histories()?, &coordinated, bumps))
    }
}

/// The manifest of a source tree; `None` where it has none or it is not complete, which is
/// the build's business to say.
fn manifest_of(sources: &Path) -> Outcome<Option<Manifest>> {
    let path = sources.join(Manifest::FILE);
    let Ok(text) = std::fs::read_to_string(&path) else {
        return Ok(None);
    };
    let facts = read_facts(sources)?;
    Ok(Manifest::parse_with(&text, &facts)
        .ok()
        .map(|it| it.manifest))
}

/// Reads `core=minor`.
pub(crate) fn parse_bump(text: &str) -> Result<(PackageName, Bump), String> {
    let wrong = || {
        format!("`{text}` is no bump: write `core=minor`, with `patch`, `minor`, `major` or `none`")
    };
    let (name, bump) = text.split_once('=').ok_or_else(wrong)?;
    let name = PackageName::from_user(name).map_err(|it| it.to_string())?;
    Ok((name, Bump::parse(bump).ok_or_else(wrong)?))
}
