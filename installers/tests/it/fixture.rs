//! Real archives, a prefix in a temporary folder, and installing the one into the other.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use provisioning_installers::{
    Applied, ApplyContext, Choice, Holder, InstallError, NewState, Observer, Plan, Prefix,
    Requests, Silent, Staging, Unpacks, WriterLock, apply, missing, plan, prepare,
};
use provisioning_package::{BuildOptions, Digest, PackageName, Target, Version, build_archive};
use tempfile::TempDir;

/// A temporary folder with archives and a prefix.
pub(crate) struct World {
    pub(crate) folder: PathBuf,
    pub(crate) prefix: Prefix,
    _temporary: Option<TempDir>,
}

/// A package that was built.
#[derive(Clone)]
pub(crate) struct Built {
    pub(crate) choice: Choice,
    pub(crate) archive: PathBuf,
}

/// What a package is made from.
pub(crate) struct Recipe<'a> {
    pub(crate) name: &'a str,
    pub(crate) version: &'a str,
    /// Further lines of the manifest.
    pub(crate) manifest: &'a str,
    /// Files; a content that begins with `#!` is executable.
    pub(crate) files: &'a [(&'a str, &'a str)],
}

pub(crate) fn name(text: &str) -> PackageName {
    PackageName::parse(text).unwrap()
}

impl World {
    pub(crate) fn new() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path().to_owned();
        Self {
            prefix: Prefix::new(folder.join("p")),
            folder,
            _temporary: Some(temporary),
        }
    }

    /// The world of another process, which owns it.
    pub(crate) fn visit(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            prefix: Prefix::new(folder.join("p")),
            _temporary: None,
        }
    }

    pub(crate) fn build(&self, recipe: &Recipe<'_>) -> Built {
        let name = name(recipe.name);
        let tree = self
            .folder
            .join(format!("src-{}-{}", recipe.name, recipe.version));
        let head = match name.kind().as_str() {
            "extension" => "[extension]\ntype = \"taskserv\"\n".to_owned(),
            kind => format!("[package]\nkind = \"{kind}\"\n"),
        };
        let manifest = format!(
            "{head}name = \"{}\"\nversion = \"{}\"\n{}",
            recipe.name, recipe.version, recipe.manifest
        );
        write(&tree.join("manifest.toml"), &manifest);
        for (path, content) in recipe.files {
            write(&tree.join(path), content);
        }
        let archive = tree.with_extension(format!("{}.tar.zst", recipe.version));
        let mut out = File::create(&archive).unwrap();
        let facts = build_archive(&tree, &BuildOptions::default(), &mut out).unwrap();
        Built {
            choice: Choice {
                kind: name.kind(),
                name,
                version: Version::parse(recipe.version).unwrap(),
                target: Target::Any,
                digest: facts.digest,
                size: facts.size,
                unpacks: Some(Unpacks {
                    bytes: facts.unpacked,
                    entries: facts.entries,
                }),
            },
            archive,
        }
    }

    /// The plan that leads to exactly these packages, each asked for by name.
    pub(crate) fn plan(&self, packages: &[&Built]) -> Plan {
        let mut requests = Requests::default();
        for it in packages {
            requests.ask(it.choice.name.clone(), it.choice.name.as_str());
        }
        let current = self.prefix.current_generation().unwrap();
        plan(
            current.as_ref(),
            NewState {
                packages: packages.iter().map(|it| it.choice.clone()).collect(),
                requests,
                reason: "install".into(),
                warnings: Vec::new(),
            },
        )
    }

    pub(crate) fn install(&self, packages: &[&Built]) -> Result<Applied, InstallError> {
        self.carry_out(&self.plan(packages), packages, &Silent)
    }

    pub(crate) fn carry_out(
        &self,
        plan: &Plan,
        packages: &[&Built],
        observer: &dyn Observer,
    ) -> Result<Applied, InstallError> {
        let archives: BTreeMap<Digest, PathBuf> = packages
            .iter()
            .map(|it| (it.choice.digest, it.archive.clone()))
            .collect();
        let choices = missing(&self.prefix, plan);
        let staging = (!choices.is_empty())
            .then(|| Staging::of_files(&self.prefix, &choices, &archives))
            .transpose()?;
        let staging = staging.as_ref();
        let prepared = prepare(&self.prefix, plan, staging)?;
        let lock = self.lock(Duration::from_secs(20))?;
        let context = ApplyContext {
            staging,
            adopting: None,
            now: Timestamp::UNIX_EPOCH,
            client: Version::new(0, 1, 0),
            observer,
        };
        apply(&self.prefix, &lock, plan, &prepared, &context)
    }

    pub(crate) fn lock(&self, patience: Duration) -> Result<WriterLock, InstallError> {
        let holder = Holder {
            pid: Some(std::process::id()),
            command: Some("install core".into()),
            since: Some(Timestamp::UNIX_EPOCH),
        };
        WriterLock::acquire(&self.prefix, &holder, patience, &mut |_| ())
    }

    /// What a file under the prefix says; `None` where there is none.
    pub(crate) fn read(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.prefix.root().join(path)).ok()
    }

    /// Every path under the prefix, so that two moments can be compared.
    pub(crate) fn paths(&self) -> Vec<String> {
        let mut found = Vec::new();
        walk(self.prefix.root(), self.prefix.root(), &mut found);
        found.sort();
        found
    }

    /// Faults that `verify` finds.
    pub(crate) fn faults(&self) -> Vec<String> {
        provisioning_installers::verify(&self.prefix)
            .unwrap()
            .into_iter()
            .filter(provisioning_installers::Finding::is_fault)
            .map(|it| format!("{} {}", it.code, it.path.display()))
            .collect()
    }

    /// A core with a command line.
    pub(crate) fn core(&self, version: &str) -> Built {
        self.build(&Recipe {
            name: "core",
            version,
            manifest: "",
            files: &[
                ("cli/provisioning", "#!/bin/sh\necho core \"$@\"\n"),
                ("lib/version", version),
            ],
        })
    }

    /// A platform with an orchestrator and its configuration.
    pub(crate) fn platform(&self, version: &str, config: &str) -> Built {
        let program = format!("#!/bin/sh\necho orchestrator {version}\n");
        self.build(&Recipe {
            name: "platform",
            version,
            manifest: "[dependencies]\ncore = \"^3.0\"\n[install]\nconfig = [\"config/*.toml\"]\n",
            files: &[
                ("bin/provisioning-orchestrator", program.as_str()),
                ("config/orchestrator.toml", config),
            ],
        })
    }

    /// An extension.
    pub(crate) fn extension(&self, name: &str, version: &str) -> Built {
        self.build(&Recipe {
            name,
            version,
            manifest: "",
            files: &[("taskserv.nu", version)],
        })
    }
}

pub(crate) fn write(path: &Path, content: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
    if content.starts_with("#!") {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

fn walk(root: &Path, folder: &Path, found: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let entry = entry.unwrap();
        let path = entry.path();
        found.push(path.strip_prefix(root).unwrap().display().to_string());
        if entry.file_type().unwrap().is_dir() {
            walk(root, &path, found);
        }
    }
}
