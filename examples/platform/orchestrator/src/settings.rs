//! Settings: what was typed, else the configuration file, else defaults.

use std::path::{Path, PathBuf};
use std::time::Duration;

use platform_service::{Arguments, Flag};
use serde::Deserialize;

use crate::runner::Runner;

/// What the command takes.
pub const FLAGS: &[Flag] = &[
    Flag { name: "--listen", value: "ADDR", help: "where to listen (127.0.0.1:9090)" },
    Flag { name: "--queue", value: "DIR", help: "take workflows (*.json) from this folder too" },
    Flag { name: "--state", value: "DIR", help: "keep workflows here ($XDG_STATE_HOME/provisioning/orchestrator)" },
    Flag { name: "--cli", value: "COMMAND", help: "the core's command (provisioning)" },
    Flag {
        name: "--config",
        value: "FILE",
        help: "settings (<prefix>/etc/provisioning/platform/config/orchestrator.toml)",
    },
];

/// What the orchestrator works with.
#[derive(Debug)]
pub struct Settings {
    /// Where it listens.
    pub listen: String,
    /// The queue folder, where there is one.
    pub queue: Option<PathBuf>,
    /// How often it looks into the queue folder.
    pub queue_poll: Duration,
    /// Where it keeps workflows.
    pub state: PathBuf,
    /// How it calls the core.
    pub runner: Runner,
}

/// The configuration file.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct File {
    listen: Option<String>,
    queue: Option<PathBuf>,
    queue_poll_ms: Option<u64>,
    state: Option<PathBuf>,
    cli: Option<String>,
    step_timeout_seconds: Option<u64>,
}

impl Settings {
    /// Joins arguments, file and defaults; `variable` reads the environment.
    pub fn read(arguments: &Arguments, variable: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let named = arguments.value("--config").map(PathBuf::from);
        let file = match named.or_else(|| installed_file(&variable)) {
            Some(path) => read_file(&path)?,
            None => File::default(),
        };
        let path = |flag| arguments.value(flag).map(PathBuf::from);
        let state = path("--state").or(file.state).or_else(|| default_state(&variable));
        let step_timeout = Duration::from_secs(file.step_timeout_seconds.unwrap_or(600));
        Ok(Self {
            listen: arguments
                .value("--listen")
                .map(str::to_owned)
                .or(file.listen)
                .unwrap_or_else(|| "127.0.0.1:9090".into()),
            queue: path("--queue").or(file.queue),
            queue_poll: Duration::from_millis(file.queue_poll_ms.unwrap_or(500).max(10)),
            state: state.ok_or("no place to keep workflows\nhint: --state DIR, or set HOME")?,
            runner: Runner {
                command: arguments
                    .value("--cli")
                    .map(str::to_owned)
                    .or(file.cli)
                    .unwrap_or_else(|| "provisioning".into()),
                step_timeout,
            },
        })
    }
}

fn read_file(path: &Path) -> Result<File, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("cannot read `{}`: {error}", path.display()))?;
    toml::from_str(&text).map_err(|error| format!("`{}` is not right: {error}", path.display()))
}

/// The file in the prefix that this program was installed under, if there is one.
fn installed_file(variable: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let program = std::env::current_exe().ok();
    let above = |program: PathBuf| {
        let found = program.ancestors().find(|folder| folder.join("lib/provisioning/current").exists());
        found.map(Path::to_path_buf)
    };
    let prefix = variable("PROVISIONING_PREFIX").map(PathBuf::from).or_else(|| program.and_then(above))?;
    let folder = prefix.join("etc/provisioning/platform");
    [folder.join("config/orchestrator.toml"), folder.join("orchestrator.toml")].into_iter().find(|file| file.is_file())
}

fn default_state(variable: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let state = variable("XDG_STATE_HOME").filter(|state| !state.is_empty()).map(PathBuf::from);
    let state = state.or_else(|| variable("HOME").map(|home| PathBuf::from(home).join(".local/state")));
    Some(state?.join("provisioning/orchestrator"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use platform_service::Outcome;

    fn arguments(words: &[&str]) -> Arguments {
        let words = words.iter().map(|word| (*word).to_owned());
        match Arguments::read("it", "", "1", FLAGS, words) {
            Outcome::Run(arguments) => arguments,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_was_typed_wins_over_the_file_and_the_file_over_defaults() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("o.toml");
        std::fs::write(&file, "listen = \"127.0.0.1:1\"\ncli = \"core\"\nqueue-poll-ms = 2000\n").unwrap();
        let arguments = arguments(&["--config", file.to_str().unwrap(), "--listen", "127.0.0.1:2", "--state", "s"]);
        let settings = Settings::read(&arguments, |_| None).unwrap();
        assert_eq!(settings.listen, "127.0.0.1:2");
        assert_eq!(settings.runner.command, "core");
        assert_eq!(settings.queue_poll, Duration::from_secs(2));
    }

    #[test]
    fn a_prefix_s_own_configuration_is_found() {
        let prefix = tempfile::tempdir().unwrap();
        let folder = prefix.path().join("etc/provisioning/platform/config");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("orchestrator.toml"), "cli = \"edited\"\n").unwrap();
        let root = prefix.path().to_str().unwrap().to_owned();
        let variable = |name: &str| (name == "PROVISIONING_PREFIX").then(|| root.clone());
        let settings = Settings::read(&arguments(&["--state", "s"]), variable).unwrap();
        assert_eq!(settings.runner.command, "edited");
    }

    #[test]
    fn without_any_home_the_state_folder_must_be_named() {
        let error = Settings::read(&arguments(&[]), |_| None).unwrap_err();
        assert!(error.contains("--state"), "{error}");
    }
}
