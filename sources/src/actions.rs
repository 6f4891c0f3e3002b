//! A configuration's own commands, in the place of what would be done without them.
//!
//! A command is cut into words as a shell would, and no shell sees it: whoever wants one
//! writes `bash -c "…"`. Every command runs at the repository's root with the variables that
//! Packit documents.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value as Json;

use crate::config::Effective;

/// Why an action did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum ActionError {
    /// A quote in it never ends.
    #[error("the command `{command}` of the action `{action}` has an open quote")]
    Words {
        /// The action.
        action: String,
        /// The command.
        command: String,
    },
    /// There is no such program.
    #[error("cannot run `{command}` of the action `{action}`")]
    Start {
        /// The action.
        action: String,
        /// The command.
        command: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// It failed.
    #[error("`{command}` of the action `{action}` failed: {message}")]
    Failed {
        /// The action.
        action: String,
        /// The command.
        command: String,
        /// Its status and the end of what it said.
        message: String,
    },
}

/// The variables of an action.
pub type Variables = BTreeMap<&'static str, String>;

/// The variables that every action of a package gets.
pub fn base_variables(key: &str, values: &Effective) -> Variables {
    let text = |key: &str| values.text(key).unwrap_or_default().to_owned();
    BTreeMap::from([
        ("PACKIT_CONFIG_PACKAGE_NAME", key.to_owned()),
        (
            "PACKIT_UPSTREAM_PACKAGE_NAME",
            text("upstream_package_name"),
        ),
        (
            "PACKIT_DOWNSTREAM_PACKAGE_NAME",
            text("downstream_package_name"),
        ),
        ("PACKIT_SPECFILE_PATH", text("specfile_path")),
    ])
}

/// Runs an action; what each of its commands printed, or `None` if there is no such action.
pub fn run_action(
    name: &str,
    values: &Effective,
    root: &Path,
    variables: &Variables,
) -> Result<Option<Vec<String>>, ActionError> {
    let Some(written) = values.action(name) else {
        return Ok(None);
    };
    let outputs: Result<Vec<String>, ActionError> = commands(name, written)?
        .iter()
        .map(|words| run(name, words, root, variables))
        .collect();
    outputs.map(Some)
}

/// Text is one command, a list is several; a command in a list may be a list of its words.
fn commands(action: &str, written: &Json) -> Result<Vec<Vec<String>>, ActionError> {
    let cut = |command: &str| {
        shlex::split(command).ok_or_else(|| ActionError::Words {
            action: action.to_owned(),
            command: command.to_owned(),
        })
    };
    let one = |command: &Json| match command.as_str() {
        Some(text) => cut(text),
        None => Ok(words(command)),
    };
    let all = match written.as_array() {
        Some(commands) => commands.iter().map(one).collect(),
        None => one(written).map(|it| vec![it]),
    };
    all.map(|all: Vec<Vec<String>>| all.into_iter().filter(|it| !it.is_empty()).collect())
}

fn words(command: &Json) -> Vec<String> {
    let words = command.as_array().map_or(&[][..], Vec::as_slice);
    let word = |it: &Json| it.as_str().map_or_else(|| it.to_string(), str::to_owned);
    words.iter().map(word).collect()
}

fn run(
    action: &str,
    words: &[String],
    root: &Path,
    variables: &Variables,
) -> Result<String, ActionError> {
    let shown = || words.join(" ");
    let output = Command::new(&words[0])
        .args(&words[1..])
        .current_dir(root)
        .envs(variables)
        .stdin(Stdio::null())
        .output()
        .map_err(|source| ActionError::Start {
            action: action.to_owned(),
            command: shown(),
            source,
        })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(ActionError::Failed {
        action: action.to_owned(),
        command: shown(),
        message: format!("{}\n{}", output.status, said.trim()),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn commands_are_cut_as_a_shell_would_and_lists_are_kept() {
        let cut = |written: Json| commands("x", &written).unwrap();
        assert_eq!(cut(json!("a 'b c' $D")), [["a", "b c", "$D"]]);
        assert_eq!(
            cut(json!(["a b", ["c d", "e"]])),
            [["a", "b"], ["c d", "e"]]
        );
        assert!(cut(json!([])).is_empty());
        assert!(commands("x", &json!("a 'b")).is_err());
    }
}
