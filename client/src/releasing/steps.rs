//! What a release run does, in order; each step gives the same when it is done again.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use provisioning_bundles::release::PackageRelease;
use provisioning_package::{Kind, PackageName, Version};
use provisioning_sources::git::Git;
use provisioning_sources::snapshot::Snapshot;
use serde_json::Value;

use super::journal::{Journal, Record, StepState};
use super::version_files::write_version;
use super::workplace::Workplace;
use crate::context::Context;
use crate::failure::{Failure, Outcome};

/// Lines of a failed command's output that are shown.
const TAIL_LINES: usize = 20;

/// The names of a run's steps.
pub(crate) fn steps_of(
    workplace: &Workplace,
    packages: &[PackageName],
    has_bundle: bool,
    has_proof: bool,
) -> Vec<String> {
    let mut steps = Vec::new();
    for name in packages {
        steps.push(format!("version {name}"));
        let package = workplace.config.packages.get(name);
        if package.is_some_and(|it| !it.test.is_empty()) {
            steps.push(format!("test {name}"));
        }
        steps.push(format!("build {name}"));
    }
    if has_proof {
        steps.push("prove".to_owned());
    }
    steps.push("publish".to_owned());
    steps.extend(packages.iter().map(|name| format!("tag {name}")));
    if has_bundle {
        let bundle = ["draft", "matrix", "test-bundle", "publish-bundle", "commit"];
        steps.extend(bundle.map(str::to_owned));
    }
    steps
}

/// A run that goes on.
pub(crate) struct Runner<'a> {
    pub(crate) workplace: &'a Workplace,
    pub(crate) journal: Journal,
    pub(crate) context: &'a Context,
}

impl Runner<'_> {
    /// Does every step that is not done yet, and stops at the first that fails.
    pub(crate) fn run(mut self) -> Outcome<(Record, PathBuf)> {
        for place in 0..self.journal.record.steps.len() {
            let step = self.journal.record.steps[place].clone();
            if step.state == StepState::Done {
                self.context
                    .output
                    .status(&format!("done    {}", step.name));
                continue;
            }
            self.context
                .output
                .status(&format!("doing   {}", step.name));
            self.journal.note(place, StepState::Begun, None)?;
            match self.step(&step.name) {
                Ok(result) => self.journal.note(place, StepState::Done, result)?,
                Err(failure) => {
                    self.journal.note(place, StepState::Failed, None)?;
                    let done = self.journal.record.steps.iter();
                    let done = done.filter(|it| it.state == StepState::Done).count();
                    let all = self.journal.record.steps.len();
                    return Err(failure
                        .with_cause(format!("step `{}` of the release failed", step.name))
                        .with_hint("mend it and run `provisioning release run` again: it goes on with this step")
                        .with_changed(format!("{done} of {all} steps are done and will not be done again")));
                }
            }
        }
        let record = self.journal.record.clone();
        let kept = self.journal.end()?;
        Ok((record, kept))
    }

    fn step(&mut self, name: &str) -> Outcome<Option<String>> {
        let (what, package) = name.split_once(' ').unwrap_or((name, ""));
        if !package.is_empty() {
            let name = PackageName::parse(package)?;
            let release = self.workplace.package(&name)?.clone();
            let version = self.version(&name)?;
            return match what {
                "version" => self.state_version(&name, &release, &version),
                "test" => self.test(&name, &release, &version),
                "build" => self.build(&name, &release, &version),
                _ => self.tag(&name, &release, &version),
            };
        }
        match what {
            "prove" => self.prove(),
            "publish" => self.publish(),
            "draft" => self.draft(),
            "matrix" => self
                .own(&["compat", "push", &self.versions_file()])
                .map(|_| None),
            "test-bundle" => self.test_bundle(),
            "publish-bundle" => self.publish_bundle(),
            _ => self.commit(),
        }
    }

    fn version(&self, name: &PackageName) -> Outcome<Version> {
        let version = self.journal.record.versions.get(name);
        version.cloned().ok_or_else(|| {
            Failure::new(
                "invalid-journal",
                format!("the journal names no version of `{name}`"),
            )
        })
    }

    /// Writes the version into the sources and commits it; the commit.
    fn state_version(
        &self,
        name: &PackageName,
        package: &PackageRelease,
        version: &Version,
    ) -> Outcome<Option<String>> {
        let git = self.workplace.git(package)?;
        let sources = self.workplace.sources(package);
        write_version(&sources, &package.version_files, version)?;
        self.commands(name, package, version, ("prepare", &package.prepare), &[])?;
        git.run(&["add", "--update", "."])?;
        if !git.succeeds(&["diff", "--cached", "--quiet"])? {
            let message = format!("release: {name} {version}");
            git.run(&["commit", "--quiet", "--message", &message])?;
        }
        Ok(Some(git.commit("HEAD")?))
    }

    fn test(
        &self,
        name: &PackageName,
        package: &PackageRelease,
        version: &Version,
    ) -> Outcome<Option<String>> {
        self.commands(name, package, version, ("test", &package.test), &[])?;
        Ok(None)
    }

    /// Builds the archive from what was committed; where it is.
    fn build(
        &self,
        name: &PackageName,
        package: &PackageRelease,
        version: &Version,
    ) -> Outcome<Option<String>> {
        let stage = self.journal.stage(name);
        if stage.exists() {
            std::fs::remove_dir_all(&stage).map_err(|it| Failure::io("remove", &stage, &it))?;
        }
        let folder = if package.build.is_empty() {
            let git = self.workplace.git(package)?;
            let parent = stage.parent().unwrap_or(&stage);
            std::fs::create_dir_all(parent).map_err(|it| Failure::io("make", parent, &it))?;
            let commit = self.result(&format!("version {name}"));
            let commit = commit.unwrap_or_else(|| "HEAD".to_owned());
            let snapshot = Snapshot::take(git.folder(), &commit, &stage)?;
            snapshot.root.join(&package.folder)
        } else {
            std::fs::create_dir_all(&stage).map_err(|it| Failure::io("make", &stage, &it))?;
            let staged = stage.clone().into_os_string();
            let variables = [("PROVISIONING_STAGE", staged)];
            let commands = ("build", package.build.as_slice());
            self.commands(name, package, version, commands, &variables)?;
            stage
        };
        let archives = self.journal.archives();
        let target = package.target.to_string();
        let words = [
            "package",
            "build",
            path_text(&folder)?,
            "-o",
            path_text(&archives)?,
            "--target",
            &target,
        ];
        let built = self.own(&words)?;
        let archive = built["archive"].as_str().unwrap_or_default().to_owned();
        let stated = built["manifest"]["version"].as_str().unwrap_or_default();
        if stated != version.to_string() {
            return Err(Failure::new(
                "version-differs",
                format!("the archive of `{name}` says that it is {stated}, not {version}"),
            )
            .with_hint(
                "name every file that states its version in `version-files` of `release.toml`",
            ));
        }
        Ok(Some(archive))
    }

    fn archives(&self) -> Vec<String> {
        let steps = self.journal.record.steps.iter();
        steps
            .filter(|it| it.name.starts_with("build "))
            .filter_map(|it| it.result.clone())
            .collect()
    }

    fn result(&self, step: &str) -> Option<String> {
        let mut steps = self.journal.record.steps.iter();
        steps.find(|it| it.name == step)?.result.clone()
    }

    /// Tries the new versions together before anything is public.
    fn prove(&self) -> Outcome<Option<String>> {
        let archives = self.archives();
        let file = self.versions_file();
        let mut words = vec!["compat", "prove"];
        words.extend(self.journal.record.proof.iter().map(String::as_str));
        words.extend(["--file", &file]);
        let base = self.journal.record.base.as_ref().map(ToString::to_string);
        if let Some(base) = &base {
            words.extend(["--tests-of", base]);
        }
        for archive in &archives {
            words.extend(["--archive", archive]);
        }
        let proved = self.own(&words)?;
        Ok(proved["evidence"].as_str().map(str::to_owned))
    }

    fn publish(&self) -> Outcome<Option<String>> {
        let archives = self.archives();
        let mut words = vec!["publish"];
        words.extend(archives.iter().map(String::as_str));
        let published = self.own(&words)?;
        Ok(published["session"].as_str().map(str::to_owned))
    }

    fn tag(
        &self,
        name: &PackageName,
        package: &PackageRelease,
        version: &Version,
    ) -> Outcome<Option<String>> {
        let git = self.workplace.git(package)?;
        let tag = package.tag_of(name, &version.to_string());
        let commit = self.result(&format!("version {name}")).unwrap_or_default();
        let reference = format!("refs/tags/{tag}");
        if git.succeeds(&["rev-parse", "--verify", "--quiet", &reference])? {
            let there = git.commit(&reference)?;
            if there != commit {
                return Err(Failure::new(
                    "tag-exists",
                    format!("`{tag}` is the tag of another commit already: {there}"),
                )
                .with_hint("a tag never moves: take another version with `--bump`"));
            }
        } else {
            let message = format!("{name} {version}");
            git.run(&["tag", "--annotate", "--message", &message, &tag, &commit])?;
        }
        Ok(Some(tag))
    }

    fn draft(&self) -> Outcome<Option<String>> {
        let record = &self.journal.record;
        let Some(bundle) = record.bundle.as_ref().map(ToString::to_string) else {
            return Ok(None);
        };
        let file = self.versions_file();
        let base = record.base.as_ref().map(ToString::to_string);
        let versions: Vec<(PackageName, String)> = record
            .versions
            .iter()
            .map(|(name, version)| match name.kind() {
                Kind::Extension => (name.clone(), format!("{name}@{version}")),
                Kind::Core | Kind::Platform | Kind::Workspace | Kind::Client => {
                    (name.clone(), version.to_string())
                }
            })
            .collect();
        let mut words = vec!["bundle", "create", &bundle, "--replace", "--file", &file];
        words.extend(["--release-date", &record.day]);
        if let Some(base) = &base {
            words.extend(["--from", base]);
        }
        for (name, version) in &versions {
            let flag = match name.kind() {
                Kind::Core => "--core",
                Kind::Platform => "--platform",
                Kind::Workspace => "--workspace",
                Kind::Extension | Kind::Client => "--extension",
            };
            words.extend([flag, version]);
        }
        self.own(&words)?;
        Ok(Some(bundle))
    }

    /// Tests the bundle; the evidence is sent where the registry counts ours.
    fn test_bundle(&self) -> Outcome<Option<String>> {
        let Some(bundle) = self.result("draft") else {
            return Ok(None);
        };
        let file = self.versions_file();
        let mut words = vec!["bundle", "test", &bundle, "--file", &file];
        let testers = self.own(&["bundle", "tester", "list"])?;
        let own = self.own(&["bundle", "tester", "key"])?;
        let all = testers["testers"].as_object();
        let counts = all
            .into_iter()
            .flat_map(|it| it.values())
            .any(|it| it["key_id"] == own["key_id"] && it["removed_at"].is_null());
        if counts {
            words.push("--submit");
        } else {
            self.context.output.note(
                "this key is no tester's here, so the evidence is not submitted: \
                 `provisioning bundle tester add NAME`",
            );
        }
        let tested = self.own(&words)?;
        Ok(tested["evidence"].as_str().map(str::to_owned))
    }

    fn publish_bundle(&self) -> Outcome<Option<String>> {
        let Some(bundle) = self.result("draft") else {
            return Ok(None);
        };
        let file = self.versions_file();
        let published = self.own(&["bundle", "publish", &bundle, "--file", &file])?;
        let sequence = published["sequence"].as_u64().unwrap_or_default();
        let state = published["state"].as_str().unwrap_or_default();
        Ok(Some(format!("{bundle} #{sequence} {state}")))
    }

    /// Commits the matrix with its new rows and draft, where it lies in a repository.
    fn commit(&self) -> Outcome<Option<String>> {
        let git = Git::new(&self.workplace.folder);
        if !git.succeeds(&["rev-parse", "--git-dir"])? {
            return Ok(None);
        }
        let file = self.versions_file();
        git.run(&["add", "--", &file])?;
        let evidence = Path::new(&file).with_file_name("evidence");
        if evidence.is_dir() {
            git.run(&["add", "--", path_text(&evidence)?])?;
        }
        if !git.succeeds(&["diff", "--cached", "--quiet"])? {
            let bundle = self.result("draft").unwrap_or_default();
            let message = format!("release: {bundle}");
            git.run(&["commit", "--quiet", "--message", &message])?;
        }
        Ok(Some(git.commit("HEAD")?))
    }

    fn versions_file(&self) -> String {
        let path = self.workplace.folder.join(&self.workplace.config.versions);
        path.to_string_lossy().into_owned()
    }

    /// Runs this program with `--json`; the document that it printed.
    fn own(&self, words: &[&str]) -> Outcome<Value> {
        let program = self.context.env.program.clone().ok_or_else(|| {
            Failure::new(
                "no-program",
                "the system does not say where this program is",
            )
        })?;
        let mut command = std::process::Command::new(program);
        command
            .arg("--json")
            .args(words)
            .current_dir(&self.workplace.folder)
            .stdin(Stdio::null());
        if let Some(location) = self.context.settings.registry_if_set() {
            command.env("PROVISIONING_REGISTRY", location.to_string());
        }
        let output = command.output().map_err(|it| {
            Failure::new("io", "cannot run this program").with_cause(it.to_string())
        })?;
        let shown = words.join(" ");
        if output.status.success() {
            return serde_json::from_slice(&output.stdout).map_err(|problem| {
                Failure::new(
                    "unreadable-answer",
                    format!("`provisioning {shown}` printed no document"),
                )
                .with_cause(problem.to_string())
            });
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let error = said
            .find("{\n")
            .and_then(|at| serde_json::from_str::<Value>(&said[at..]).ok());
        let failure = Failure::new("step-failed", format!("`provisioning {shown}` failed"));
        let list = |value: &Value| -> Vec<String> {
            let texts = value.as_array().into_iter().flatten();
            texts
                .filter_map(|it| it.as_str().map(str::to_owned))
                .collect()
        };
        Err(match error {
            Some(document) => {
                let error = &document["error"];
                let message = error["message"].as_str().unwrap_or_default().to_owned();
                failure
                    .with_cause(message)
                    .with_causes(list(&error["causes"]))
                    .with_hints(
                        list(&error["hints"])
                            .into_iter()
                            .filter(|it| !it.contains("nothing was changed")),
                    )
            }
            None => failure
                .with_causes(failed_runs(&output.stdout))
                .with_cause(tail(&said)),
        })
    }

    /// Runs a package's own commands in its folder; what they print goes into a file.
    fn commands(
        &self,
        name: &PackageName,
        package: &PackageRelease,
        version: &Version,
        (what, commands): (&str, &[String]),
        variables: &[(&str, std::ffi::OsString)],
    ) -> Outcome<()> {
        let logs = self.workplace.folder.join(".release/logs");
        std::fs::create_dir_all(&logs).map_err(|it| Failure::io("make", &logs, &it))?;
        let log = logs.join(format!("{what}-{name}"));
        let _ = std::fs::remove_file(&log);
        for line in commands {
            let open = || OpenOptions::new().create(true).append(true).open(&log);
            let (out, err) = (
                open().map_err(|it| Failure::io("open", &log, &it))?,
                open().map_err(|it| Failure::io("open", &log, &it))?,
            );
            let status = std::process::Command::new("sh")
                .args(["-c", line])
                .current_dir(self.workplace.sources(package))
                .env("PROVISIONING_VERSION", version.to_string())
                .env("PROVISIONING_PACKAGE", name.as_str())
                .env_remove("PROVISIONING_TOKEN")
                .envs(variables.iter().map(|(name, value)| (name, value)))
                .stdin(Stdio::null())
                .stdout(out)
                .stderr(err)
                .status()
                .map_err(|it| Failure::new("io", "cannot run `sh`").with_cause(it.to_string()))?;
            if !status.success() {
                let text = std::fs::read(&log).unwrap_or_default();
                return Err(
                    Failure::new("command-failed", format!("`{line}` failed: {status}"))
                        .with_cause(tail(&String::from_utf8_lossy(&text)))
                        .with_cause(format!("all of it is in `{}`", log.display())),
                );
            }
        }
        Ok(())
    }
}

/// What failed in the document of a test.
fn failed_runs(stdout: &[u8]) -> Vec<String> {
    let Ok(document) = serde_json::from_slice::<Value>(stdout) else {
        return Vec::new();
    };
    let runs = document["runs"].as_array().into_iter().flatten();
    runs.filter(|it| it["passed"] == false)
        .map(|it| {
            let text = |key: &str| it[key].as_str().unwrap_or_default();
            format!(
                "{} of {} failed: {}",
                text("what"),
                text("name"),
                text("tail")
            )
        })
        .collect()
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

fn path_text(path: &Path) -> Outcome<&str> {
    path.to_str()
        .ok_or_else(|| Failure::usage(format!("`{}` is no text", path.display())))
}
