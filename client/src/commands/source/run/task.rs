//! What a job means for a package: commands of ours, and what they wait for.

use std::path::PathBuf;

use provisioning_sources::config::{Effective, SourceConfig};

/// A job that a change touches, by its place, and the packages of it.
pub(super) type Touched = (usize, Vec<String>);

/// What is the same for all jobs of a run.
pub(super) struct Setting<'s> {
    pub(super) event: &'s str,
    pub(super) on_branch: Option<&'s str>,
    pub(super) version: Option<&'s str>,
    pub(super) output: PathBuf,
    pub(super) store: Option<PathBuf>,
    pub(super) repository: PathBuf,
    pub(super) revision: String,
    pub(super) source_config: Option<String>,
}

/// One job for one package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Task {
    pub(super) job: String,
    pub(super) package: String,
    /// The arguments of each command, one after the other.
    pub(super) commands: Vec<Vec<String>>,
    /// Why it is not run.
    pub(super) skipped: Option<String>,
    /// Whether it waits for the package's builds and tests.
    pub(super) waits: bool,
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Done {
    pub(super) state: &'static str,
    pub(super) reason: Option<String>,
    pub(super) output: String,
}

impl Done {
    pub(super) fn skipped(reason: impl Into<String>) -> Self {
        Self {
            state: "skipped",
            reason: Some(reason.into()),
            output: String::new(),
        }
    }
}

impl Task {
    /// What a dry run says of it.
    pub(super) fn planned(&self) -> Done {
        match &self.skipped {
            Some(reason) => Done::skipped(reason),
            None => Done {
                state: "planned",
                reason: None,
                output: String::new(),
            },
        }
    }

    /// Its commands as somebody would type them.
    pub(super) fn shown(&self) -> Vec<String> {
        let line = |it: &Vec<String>| format!("provisioning {}", it.join(" "));
        self.commands.iter().map(line).collect()
    }
}

/// The tasks of an event, in the order of the file. `affected` has the jobs that a change
/// touches, each with its packages; `None` is all.
pub(super) fn tasks(
    config: &SourceConfig,
    affected: Option<&[Touched]>,
    setting: &Setting<'_>,
) -> Vec<Task> {
    let mut tasks = Vec::new();
    for (index, job) in config.jobs.iter().enumerate() {
        if job.trigger != setting.event {
            continue;
        }
        for (key, values) in &job.packages {
            let is_affected = affected.is_none_or(|it| {
                it.iter()
                    .any(|(at, keys)| *at == index && keys.contains(key))
            });
            if is_affected {
                tasks.push(task(job.kind, key, values, setting));
            }
        }
    }
    tasks
}

fn task(kind: &str, key: &str, values: &Effective, setting: &Setting<'_>) -> Task {
    let mut task = Task {
        job: kind.to_owned(),
        package: key.to_owned(),
        commands: Vec::new(),
        skipped: None,
        waits: false,
    };
    let branch = values.text("branch");
    if values.is_true("manual_trigger") {
        task.skipped = Some("it is set off by hand".to_owned());
    } else if let Some((wanted, on)) = branch.zip(setting.on_branch)
        && wanted != on
    {
        task.skipped = Some(format!("it is for the branch `{wanted}`"));
    } else {
        fill(&mut task, values, setting);
    }
    task
}

fn fill(task: &mut Task, values: &Effective, setting: &Setting<'_>) {
    let key = task.package.clone();
    let folder = setting.output.join(&key).display().to_string();
    let source = |words: &[&str]| source_command(setting, words);
    let revision = setting.revision.as_str();
    match task.job.as_str() {
        "build" => {
            task.commands = vec![source(&[
                "build",
                &key,
                "-o",
                &folder,
                "--revision",
                revision,
            ])];
        }
        "srpm" => {
            task.commands = vec![source(&[
                "srpm",
                &key,
                "-o",
                &folder,
                "--revision",
                revision,
            ])];
        }
        "copr_build" => {
            task.commands = vec![
                source(&["srpm", &key, "-o", &folder, "--revision", revision]),
                source(&["copr-build", &key]),
            ];
        }
        "test" if values.action("test").is_some() => {
            task.commands = vec![source(&["test", &key, "--revision", revision])];
        }
        "test" => task.skipped = Some("the package has no action `test`".to_owned()),
        "publish" => {
            task.waits = true;
            task.commands = vec![
                source(&["build", &key, "-o", &folder, "--revision", revision]),
                vec!["publish".to_owned(), format!("{folder}/*")],
            ];
        }
        "propose" | "propose_downstream" => {
            task.waits = true;
            match setting.version {
                Some(version) => {
                    let mut words = vec!["propose", key.as_str(), "--version", version];
                    let store = setting.store.as_ref().map(|it| it.display().to_string());
                    if let Some(store) = &store {
                        words.extend(["--downstream-store", store]);
                    }
                    task.commands = vec![source(&words)];
                }
                None => task.skipped = Some("`--version V` is needed".to_owned()),
            }
        }
        "sync_from_downstream" => {
            task.waits = true;
            let mut words = vec!["sync-from-downstream", key.as_str()];
            let store = setting.store.as_ref().map(|it| it.display().to_string());
            if let Some(store) = &store {
                words.extend(["--downstream-store", store]);
            }
            task.commands = vec![source(&words)];
        }
        "update" => {
            task.waits = true;
            match &setting.store {
                Some(store) => {
                    let store = store.display().to_string();
                    let words = ["update-downstream", "--downstream-store", &store, &key];
                    task.commands = vec![source(&words)];
                }
                None => task.skipped = Some("`--downstream-store DIR` is needed".to_owned()),
            }
        }
        other => task.skipped = Some(format!("`{other}` is done by a service")),
    }
}

/// A `source` command on the repository of the run.
fn source_command(setting: &Setting<'_>, words: &[&str]) -> Vec<String> {
    let mut all = vec![
        "source".to_owned(),
        "-C".to_owned(),
        setting.repository.display().to_string(),
    ];
    if let Some(file) = &setting.source_config {
        all.extend(["--source-config".to_owned(), file.clone()]);
    }
    all.extend(words.iter().map(|it| (*it).to_owned()));
    all
}
