//! `release.toml`: which repository makes which package, and how.

use std::collections::BTreeMap;

use provisioning_package::{Kind, PackageName, Target};
use serde::Deserialize;

/// How a distribution releases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseConfig {
    /// The file with the matrix and the drafts, from the folder of `release.toml`.
    pub versions: String,
    /// The bundle that a release makes, with `{major}`, `{minor}` and `{patch}` of the core.
    pub bundle: String,
    /// The bundle or channel that the next one begins with; the newest draft where absent.
    pub from: Option<String>,
    /// Packages whose majors come out together.
    pub coordinated: Vec<PackageName>,
    /// The template of release notes, from the folder of `release.toml`.
    pub notes_template: Option<String>,
    /// Each package, in the order in which they are built: the core first.
    pub packages: BTreeMap<PackageName, PackageRelease>,
}

/// How one package is released.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PackageRelease {
    /// Its repository, from the folder of `release.toml`.
    pub repository: String,
    /// Its folder in the repository; only commits that touch it count.
    #[serde(default = "here")]
    pub folder: String,
    /// Further paths of the repository that count, such as a library that it shares.
    #[serde(default)]
    pub paths: Vec<String>,
    /// The tag of a release, with `{version}` and `{package}`.
    #[serde(default)]
    pub tag: Option<String>,
    /// The files that state its version, from its folder.
    #[serde(default)]
    pub version_files: Vec<String>,
    /// Commands that follow a new version, such as renewing a lock file; what they change is
    /// committed with it.
    #[serde(default)]
    pub prepare: Vec<String>,
    /// Commands that test it, run by `sh` in its folder.
    #[serde(default)]
    pub test: Vec<String>,
    /// Commands that put what the archive holds into `$PROVISIONING_STAGE`; without any, the
    /// archive holds its folder.
    #[serde(default)]
    pub build: Vec<String>,
    /// What the archive runs on.
    #[serde(default = "anywhere")]
    pub target: Target,
}

fn here() -> String {
    ".".to_owned()
}

const fn anywhere() -> Target {
    Target::Any
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct File {
    #[serde(default)]
    release: Release,
    #[serde(default)]
    packages: BTreeMap<String, PackageRelease>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Release {
    versions: Option<String>,
    bundle: Option<String>,
    from: Option<String>,
    coordinated: Option<Vec<String>>,
    notes_template: Option<String>,
}

/// Why a `release.toml` is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

impl ReleaseConfig {
    /// Reads the text of a `release.toml`.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let file: File = toml::from_str(text).map_err(|it| ConfigError(it.to_string()))?;
        if file.packages.is_empty() {
            let text = "it names no package: write `[packages.core]` with a `repository`";
            return Err(ConfigError(text.to_owned()));
        }
        let mut packages = BTreeMap::new();
        for (text, package) in file.packages {
            let name = name(&text)?;
            if name.kind() == Kind::Client {
                let text = "the client is in no bundle; release it with `provisioning publish`";
                return Err(ConfigError(text.to_owned()));
            }
            if package
                .tag
                .as_ref()
                .is_some_and(|it| !it.contains("{version}"))
            {
                return Err(ConfigError(format!(
                    "the tag of `{name}` has no `{{version}}` in it"
                )));
            }
            packages.insert(name, package);
        }
        let coordinated = match file.release.coordinated {
            Some(names) => names.iter().map(|it| name(it)).collect::<Result<_, _>>()?,
            None => packages
                .keys()
                .filter(|it| it.kind() != Kind::Extension)
                .cloned()
                .collect(),
        };
        let or = |text: Option<String>, default: &str| text.unwrap_or_else(|| default.to_owned());
        Ok(Self {
            versions: or(file.release.versions, "versions.toml"),
            bundle: or(file.release.bundle, "stable-{major}.{minor}"),
            from: file.release.from,
            notes_template: file.release.notes_template,
            coordinated,
            packages,
        })
    }

    /// The packages in the order in which they are built: the core first, extensions after
    /// the platform.
    pub fn in_order(&self) -> Vec<(&PackageName, &PackageRelease)> {
        let mut all: Vec<_> = self.packages.iter().collect();
        all.sort_by_key(|(name, _)| (name.kind(), (*name).clone()));
        all
    }
}

impl PackageRelease {
    /// The tag of a version.
    pub fn tag_of(&self, package: &PackageName, version: &str) -> String {
        let usual = if self.folder == "." {
            "v{version}"
        } else {
            "{package}-v{version}"
        };
        let template = self.tag.as_deref().unwrap_or(usual);
        template
            .replace("{package}", package.as_str())
            .replace("{version}", version)
    }

    /// The version that a tag is of; `None` where it is none of this package's.
    pub fn version_of(
        &self,
        package: &PackageName,
        tag: &str,
    ) -> Option<provisioning_package::Version> {
        let marked = self.tag_of(package, "\0");
        let (before, after) = marked.split_once('\0')?;
        let version = tag.strip_prefix(before)?.strip_suffix(after)?;
        version.parse().ok()
    }
}

fn name(text: &str) -> Result<PackageName, ConfigError> {
    PackageName::from_user(text).map_err(|it| ConfigError(it.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
[release]
versions = "version-management/versions.toml"
from = "stable"

[packages.core]
repository = "../core"
test = ["just test"]

[packages.platform]
repository = "../platform"
build = ["packaging/stage \"$PROVISIONING_STAGE\""]
target = "linux-x86_64"
version-files = ["Cargo.toml", "manifest.toml"]

[packages.redis]
repository = "../extensions"
folder = "taskservs/databases/redis"
"#;

    #[test]
    fn a_release_configuration_reads_with_its_defaults() {
        let read = ReleaseConfig::parse(TEXT).unwrap();
        let order: Vec<&str> = read
            .in_order()
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(order, ["core", "platform", "redis"]);
        assert_eq!(read.bundle, "stable-{major}.{minor}");
        let coordinated: Vec<&str> = read.coordinated.iter().map(PackageName::as_str).collect();
        assert_eq!(coordinated, ["core", "platform"]);
    }

    #[test]
    fn a_tag_tells_its_version_and_a_monorepos_also_its_package() {
        let read = ReleaseConfig::parse(TEXT).unwrap();
        let version = |package: &str, tag: &str| {
            let name = PackageName::parse(package).unwrap();
            let found = read.packages[&name].version_of(&name, tag);
            found.map(|it| it.to_string())
        };
        assert_eq!(version("core", "v3.2.1").as_deref(), Some("3.2.1"));
        assert_eq!(version("core", "3.2.1"), None);
        assert_eq!(version("core", "vnext"), None);
        assert_eq!(version("redis", "redis-v1.1.0").as_deref(), Some("1.1.0"));
        assert_eq!(version("redis", "v1.1.0"), None);
    }

    #[test]
    fn mistakes_are_refused_with_a_word_about_each() {
        for (text, word) in [
            ("", "names no package"),
            ("[packages.core]\n", "repository"),
            (
                "[packages.core]\nrepository = \".\"\ntag = \"v\"\n",
                "{version}",
            ),
            ("[packages.client]\nrepository = \".\"\n", "client"),
            (
                "[packages.core]\nrepository = \".\"\nfolders = \".\"\n",
                "folders",
            ),
            ("[packages.Core]\nrepository = \".\"\n", "Core"),
        ] {
            let problem = ReleaseConfig::parse(text).unwrap_err().to_string();
            assert!(problem.contains(word), "{problem}");
        }
    }
}
