//! The runs of one trial, in order: an install from nothing, what every member and the bundle
//! itself say of it, and the way from each older bundle and back.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use provisioning_bundles::{compose, wanted};
use provisioning_compat::{Matrix, Request, VersionsToml, solve};
use provisioning_package::{BundleName, Digest, Kind, PackageName, Target};
use provisioning_registry_api::bundle::{BUNDLE_SCHEMA, BundleDocument, BundleSequence};
use provisioning_registry_api::command::PublishBundle;
use provisioning_registry_api::evidence::{
    EVIDENCE_SCHEMA, Evidence, EvidenceMachine, EvidenceMember, EvidenceRun, EvidenceSubject,
    RunKind,
};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use super::definition::Definition;
use super::material::{Material, inspect};
use super::running::{Command, Ended};
use super::scratch::{Contents, write};
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::registry::RegistryReader;
use crate::transaction::client_version;

/// A run, with what helps to understand it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Ran {
    /// The run as evidence has it.
    #[serde(flatten)]
    pub(crate) run: EvidenceRun,
    /// What it printed last, where it failed.
    pub(crate) tail: Option<String>,
}

/// What a trial gave.
#[derive(Debug)]
pub(crate) struct Tried {
    /// To be signed.
    pub(crate) evidence: Evidence,
    /// Every run, with what helps to understand it.
    pub(crate) ran: Vec<Ran>,
}

/// A trial that was not run yet.
pub(crate) struct Course<'a> {
    /// What may be installed.
    pub(crate) material: &'a Material,
    /// The matrix that holds.
    pub(crate) matrix: &'a str,
    /// The registry that archives are fetched from.
    pub(crate) reader: Option<&'a RegistryReader>,
    /// What is tried.
    pub(crate) definition: &'a Definition,
    /// What the evidence is about.
    pub(crate) subject: EvidenceSubject,
    /// Bundles that it says it upgrades from.
    pub(crate) older: Vec<Definition>,
    /// When a single command is killed.
    pub(crate) patience: Duration,
}

/// Where a trial happens.
struct Place<'a> {
    scratch: TempDir,
    address: String,
    name: &'a BundleName,
    smoke: BTreeMap<PackageName, Vec<String>>,
    optional: Vec<PackageName>,
    ran: Vec<Ran>,
}

#[derive(Deserialize)]
struct Listed {
    packages: Vec<ListedPackage>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct ListedPackage {
    kind: Kind,
    name: PackageName,
    version: provisioning_package::Version,
    digest: Option<Digest>,
}

/// The machine that a trial is for.
fn here() -> Target {
    Target::host().unwrap_or(Target::Any)
}

/// The sequence that a definition makes on this machine, or why it cannot be tried.
pub(crate) fn composed(
    definition: &Definition,
    matrix: &Matrix,
    material: &Material,
) -> Outcome<BundleSequence> {
    let request = PublishBundle {
        // What is not here for other machines cannot be tried here anyway.
        targets: vec![here()],
        ..definition.request.clone()
    };
    let name = &definition.name;
    match compose(name, &request, 1, matrix, &material.index) {
        Ok((sequence, _)) => Ok(sequence),
        Err(problems) => Err(
            Failure::new("bundle-invalid", format!("`{name}` cannot be tried"))
                .with_causes(problems.iter().map(ToString::to_string))
                .with_hint("archives that are not published yet are named with `--archive FILE`"),
        ),
    }
}

impl Course<'_> {
    /// Runs it to its end, whatever fails on the way; what failed is in the evidence.
    pub(crate) async fn run(self, context: &Context) -> Outcome<Tried> {
        let started_at = context.now();
        let matrix = VersionsToml::parse(self.matrix, None)
            .map_err(|it| Failure::new("invalid-matrix", it.to_string()))?;
        let sequence = composed(self.definition, &matrix.matrix, self.material)?;
        let mut documents = vec![document(&self.definition.name, sequence.clone())];
        for older in &self.older {
            let sequence = composed(older, &matrix.matrix, self.material)?;
            documents.push(document(&older.name, sequence));
        }
        let mut place = self
            .set_up(&documents, &sequence, &matrix.matrix, context)
            .await?;
        let installed = self.try_fresh(&mut place, context).await?;
        for older in &self.older {
            self.try_upgrade(&mut place, &older.name, context).await?;
        }
        let ran = place.ran;
        let evidence = Evidence {
            schema: EVIDENCE_SCHEMA,
            subject: self.subject,
            target: here(),
            members: members(&installed, &sequence),
            passed: ran.iter().all(|it| it.run.passed),
            runs: ran.iter().map(|it| it.run.clone()).collect(),
            machine: machine(),
            started_at: whole_second(started_at),
            finished_at: whole_second(context.now()),
        };
        Ok(Tried { evidence, ran })
    }

    async fn set_up(
        &self,
        documents: &[BundleDocument],
        sequence: &BundleSequence,
        matrix: &Matrix,
        context: &Context,
    ) -> Outcome<Place<'_>> {
        let scratch = tempfile::Builder::new()
            .prefix("provisioning-trial-")
            .tempdir()
            .map_err(|it| {
                Failure::new("io", "cannot make a temporary folder").with_cause(it.to_string())
            })?;
        let mut versions = BTreeSet::new();
        for document in documents {
            let sequences = document.sequences.iter();
            let pinned = sequences.flat_map(|it| &it.members);
            versions.extend(pinned.map(|it| (it.name.clone(), it.version.clone())));
        }
        versions.extend(self.brought(documents, matrix, context.now()));
        let archives = self.material.fetch(&versions, here(), self.reader).await?;
        let contents = Contents {
            index: &self.material.index,
            matrix: self.matrix,
            bundles: documents,
            archives: &archives,
        };
        let address = write(&scratch.path().join("registry"), &contents, context.now())?;
        let mut smoke = BTreeMap::new();
        for member in &sequence.members {
            let digest = member.digests.get(&here());
            let digest = digest.or_else(|| member.digests.get(&Target::Any));
            if let Some(path) = digest.and_then(|it| archives.get(it)) {
                smoke.insert(member.name.clone(), inspect(path)?.1.test.smoke);
            }
        }
        for folder in ["home", "tmp", "bin"] {
            let path = scratch.path().join(folder);
            std::fs::create_dir_all(&path).map_err(|it| Failure::io("make", &path, &it))?;
        }
        let program = own_program(context)?;
        let link = scratch.path().join("bin/provisioning");
        std::os::unix::fs::symlink(program, &link).map_err(|it| Failure::io("make", &link, &it))?;
        let optional = sequence.members.iter().filter(|it| !it.required);
        Ok(Place {
            optional: optional.map(|it| it.name.clone()).collect(),
            scratch,
            address,
            name: &self.definition.name,
            smoke,
            ran: Vec::new(),
        })
    }

    /// What members bring that no bundle pins, in the versions that an install would choose.
    fn brought(
        &self,
        documents: &[BundleDocument],
        matrix: &Matrix,
        now: Timestamp,
    ) -> BTreeSet<(PackageName, provisioning_package::Version)> {
        let mut brought = BTreeSet::new();
        for document in documents {
            for sequence in &document.sequences {
                let request = Request::new(wanted(&document.name, sequence), here(), now);
                // What does not solve says so when it is installed.
                if let Ok(solution) = solve(&request, matrix, &self.material.index) {
                    let packages = solution.packages.into_iter();
                    brought.extend(packages.map(|(name, it)| (name, it.version)));
                }
            }
        }
        brought
    }

    /// Installs it into an empty prefix; what is there then.
    async fn try_fresh(
        &self,
        place: &mut Place<'_>,
        context: &Context,
    ) -> Outcome<Vec<ListedPackage>> {
        let prefix = place.scratch.path().join("prefix");
        let words = place.install_words();
        if !self
            .client(
                place,
                (RunKind::Install, place.name.as_str(), None),
                &prefix,
                &words,
                context,
            )
            .await?
        {
            return Ok(Vec::new());
        }
        let verify = ["verify".to_owned()];
        let name = place.name.to_string();
        self.client(
            place,
            (RunKind::Verify, &name, None),
            &prefix,
            &verify,
            context,
        )
        .await?;
        let installed = self.listed(place, &prefix, context).await?;
        self.try_members(place, &prefix, None, context).await?;
        Ok(installed)
    }

    /// Upgrades to it from an older bundle, and goes back.
    async fn try_upgrade(
        &self,
        place: &mut Place<'_>,
        older: &BundleName,
        context: &Context,
    ) -> Outcome<()> {
        let prefix = place.scratch.path().join(format!("from-{older}"));
        let from = Some(older);
        let name = place.name.to_string();
        let words = ["install".to_owned(), older.to_string()];
        let begin = (RunKind::Install, older.as_str(), from);
        if !self.client(place, begin, &prefix, &words, context).await? {
            return Ok(());
        }
        let before = self.listed(place, &prefix, context).await?;
        let words = place.install_words();
        let upgrade = (RunKind::Upgrade, name.as_str(), from);
        if !self
            .client(place, upgrade, &prefix, &words, context)
            .await?
        {
            return Ok(());
        }
        self.try_members(place, &prefix, from, context).await?;
        let back = ["rollback".to_owned()];
        let rollback = (RunKind::Rollback, older.as_str(), from);
        if self
            .client(place, rollback, &prefix, &back, context)
            .await?
        {
            let after = self.listed(place, &prefix, context).await?;
            if after != before
                && let Some(last) = place.ran.last_mut()
            {
                last.run.passed = false;
                last.tail = Some(format!(
                    "the rollback did not bring `{older}` back as it was"
                ));
            }
        }
        let verify = ["verify".to_owned()];
        let whole = (RunKind::Verify, older.as_str(), from);
        self.client(place, whole, &prefix, &verify, context).await?;
        Ok(())
    }

    /// Runs every member's smoke test and the bundle's own checks.
    async fn try_members(
        &self,
        place: &mut Place<'_>,
        prefix: &Path,
        from: Option<&BundleName>,
        context: &Context,
    ) -> Outcome<()> {
        let trees: Vec<(PackageName, Vec<String>, PathBuf)> = place
            .smoke
            .iter()
            .filter(|(_, smoke)| !smoke.is_empty())
            .map(|(name, smoke)| (name.clone(), smoke.clone(), tree(prefix, name)))
            .collect();
        for (name, smoke, tree) in trees {
            let program = tree.join(&smoke[0]);
            let program = if program.is_file() {
                program.into_os_string()
            } else {
                OsString::from(&smoke[0])
            };
            let variables = place.variables(prefix, context);
            let command = Command {
                program,
                arguments: smoke[1..].iter().map(OsString::from).collect(),
                folder: &tree,
                variables: &variables,
                patience: self.patience,
            };
            let ended = command.run().await;
            place.note(
                (RunKind::Smoke, name.as_str(), from),
                &smoke,
                &ended,
                context,
            );
        }
        let folder = self.definition.folder.clone();
        for (test, commands) in &self.definition.tests {
            for line in commands {
                let variables = place.variables(prefix, context);
                let command = Command {
                    program: "sh".into(),
                    arguments: vec!["-c".into(), line.into()],
                    folder: folder.as_deref().unwrap_or(place.scratch.path()),
                    variables: &variables,
                    patience: self.patience,
                };
                let ended = command.run().await;
                let shown = ["sh".to_owned(), "-c".to_owned(), line.clone()];
                place.note((RunKind::Check, test, from), &shown, &ended, context);
            }
        }
        Ok(())
    }

    /// Runs the client as a user would; whether it succeeded.
    async fn client(
        &self,
        place: &mut Place<'_>,
        about: (RunKind, &str, Option<&BundleName>),
        prefix: &Path,
        words: &[String],
        context: &Context,
    ) -> Outcome<bool> {
        let ended = self.call(place, prefix, words, context).await;
        let mut shown = vec!["provisioning".to_owned()];
        shown.extend(words.iter().cloned());
        place.note(about, &shown, &ended, context);
        Ok(ended.exit == Some(0))
    }

    async fn call(
        &self,
        place: &Place<'_>,
        prefix: &Path,
        words: &[String],
        context: &Context,
    ) -> Ended {
        let variables = place.variables(prefix, context);
        let command = Command {
            program: place.scratch.path().join("bin/provisioning").into(),
            arguments: words.iter().map(OsString::from).collect(),
            folder: place.scratch.path(),
            variables: &variables,
            patience: self.patience,
        };
        command.run().await
    }

    async fn listed(
        &self,
        place: &Place<'_>,
        prefix: &Path,
        context: &Context,
    ) -> Outcome<Vec<ListedPackage>> {
        let words = ["list".to_owned(), "--json".to_owned()];
        let ended = self.call(place, prefix, &words, context).await;
        let listed: Listed = serde_json::from_slice(&ended.stdout).map_err(|problem| {
            Failure::new("trial-unreadable", "the trial's prefix cannot be listed")
                .with_cause(problem.to_string())
                .with_cause(ended.tail)
        })?;
        Ok(listed.packages)
    }
}

impl Place<'_> {
    fn install_words(&self) -> Vec<String> {
        let mut words = vec!["install".to_owned(), self.name.to_string()];
        words.extend(self.optional.iter().map(ToString::to_string));
        words
    }

    fn note(
        &mut self,
        (what, name, from): (RunKind, &str, Option<&BundleName>),
        command: &[String],
        ended: &Ended,
        context: &Context,
    ) {
        let passed = ended.exit == Some(0);
        let way = from.map_or_else(String::new, |it| format!(", coming from {it}"));
        let word = if passed { "ok" } else { "FAILED" };
        let shown = what.as_str();
        context.output.status(&format!(
            "{word:<6}  {shown} {name}{way}: {}",
            command.join(" ")
        ));
        self.ran.push(Ran {
            run: EvidenceRun {
                what,
                name: name.to_owned(),
                from: from.cloned(),
                command: command.to_vec(),
                exit: ended.exit,
                output: ended.output,
                milliseconds: ended.milliseconds,
                passed,
            },
            tail: (!passed).then(|| ended.tail.clone()),
        });
    }

    /// The environment of every command: ours without anything that names a registry, a
    /// token or another prefix.
    fn variables(&self, prefix: &Path, context: &Context) -> Vec<(OsString, OsString)> {
        let scratch = self.scratch.path();
        let is_ours = |name: &OsString| {
            let name = name.to_string_lossy();
            name.starts_with("PROVISIONING_") || name.starts_with("XDG_")
        };
        let mut variables: BTreeMap<OsString, OsString> = context.env.variables.clone();
        variables.retain(|name, _| !is_ours(name));
        let path = variables.get(&OsString::from("PATH")).cloned();
        let mut folders = vec![prefix.join("bin"), scratch.join("bin")];
        folders.extend(path.iter().flat_map(std::env::split_paths));
        let joined = std::env::join_paths(&folders);
        let mut set = |name: &str, value: OsString| variables.insert(name.into(), value);
        set("PATH", joined.unwrap_or_else(|_| prefix.join("bin").into()));
        set("HOME", scratch.join("home").into());
        set("TMPDIR", scratch.join("tmp").into());
        set("XDG_STATE_HOME", scratch.join("state").into());
        set("XDG_CACHE_HOME", scratch.join("cache").into());
        set("XDG_CONFIG_HOME", scratch.join("config").into());
        set("PROVISIONING_PREFIX", prefix.into());
        set("PROVISIONING_REGISTRY", self.address.clone().into());
        set("PROVISIONING_BUNDLE", self.name.to_string().into());
        variables.into_iter().collect()
    }
}

/// Where an installed package stands.
fn tree(prefix: &Path, name: &PackageName) -> PathBuf {
    let below = match name.kind() {
        Kind::Core => "lib/provisioning/core".to_owned(),
        Kind::Platform => "share/provisioning/platform".to_owned(),
        Kind::Extension => format!("share/provisioning/extensions/{name}"),
        Kind::Workspace => "share/provisioning/templates".to_owned(),
        Kind::Client => "lib/provisioning/client".to_owned(),
    };
    prefix.join("lib/provisioning/current").join(below)
}

fn own_program(context: &Context) -> Outcome<PathBuf> {
    context.env.program.clone().ok_or_else(|| {
        Failure::new(
            "no-program",
            "the system does not say where this program is",
        )
    })
}

fn document(name: &BundleName, sequence: BundleSequence) -> BundleDocument {
    BundleDocument {
        schema: BUNDLE_SCHEMA,
        name: name.clone(),
        sequences: vec![sequence],
    }
}

/// What was installed; where nothing was, what ought to have been.
fn members(installed: &[ListedPackage], sequence: &BundleSequence) -> Vec<EvidenceMember> {
    if installed.is_empty() {
        let members = sequence.members.iter();
        return members
            .filter_map(|it| {
                let digest = it.digests.get(&here());
                let digest = digest.or_else(|| it.digests.get(&Target::Any))?;
                Some(EvidenceMember {
                    name: it.name.clone(),
                    version: it.version.clone(),
                    digest: *digest,
                })
            })
            .collect();
    }
    installed
        .iter()
        .filter_map(|it| {
            Some(EvidenceMember {
                name: it.name.clone(),
                version: it.version.clone(),
                digest: it.digest?,
            })
        })
        .collect()
}

fn machine() -> EvidenceMachine {
    let release = std::fs::read_to_string("/etc/os-release").ok();
    let pretty = release.as_deref().and_then(|it| {
        let line = it.lines().find_map(|it| it.strip_prefix("PRETTY_NAME="));
        line.map(|it| it.trim_matches('"').to_owned())
    });
    EvidenceMachine {
        system: std::env::consts::OS.to_owned(),
        processor: std::env::consts::ARCH.to_owned(),
        release: pretty,
        client: client_version(),
    }
}

fn whole_second(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}
