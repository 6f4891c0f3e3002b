//! The shapes that the platform's services exchange, and the limits that they hold each other to.

use serde::{Deserialize, Serialize};

/// The most steps that a workflow may have.
pub const STEPS_MAX: usize = 100;
/// The most words that a step may have.
pub const WORDS_MAX: usize = 64;
/// The most bytes that a name may have.
pub const NAME_BYTES_MAX: usize = 200;
/// The core's commands that a step may call: none that changes what is installed.
pub const STEP_COMMANDS: [&str; 4] = ["cluster", "provider", "server", "taskserv"];

/// What `POST /workflows/submit` takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submission {
    /// What people call it.
    pub name: String,
    /// The folder of the workspace that the steps change; the core's own choice where absent.
    #[serde(default)]
    pub workspace: Option<String>,
    /// What is run, one after the other, until one fails.
    pub steps: Vec<Step>,
}

/// One call of the core's command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What people call it; its words where absent.
    #[serde(default)]
    pub name: Option<String>,
    /// The words after `provisioning`.
    pub run: Vec<String>,
}

/// How far a workflow or a step has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Accepted, not begun.
    Queued,
    /// Running now.
    Running,
    /// Ended well.
    Succeeded,
    /// Ended badly.
    Failed,
    /// Not run, because an earlier step failed.
    Skipped,
}

/// A workflow as the orchestrator knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workflow {
    /// Its number, unique on this orchestrator and rising.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The folder of the workspace.
    pub workspace: Option<String>,
    /// How far it has come.
    pub state: State,
    /// When it was accepted, RFC 3339.
    pub submitted_at: String,
    /// When it ended, RFC 3339.
    pub finished_at: Option<String>,
    /// Its steps in order.
    pub steps: Vec<StepReport>,
}

/// One step and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepReport {
    /// What people call it.
    pub name: String,
    /// The words after `provisioning`.
    pub run: Vec<String>,
    /// How far it has come.
    pub state: State,
    /// The command's exit code, once it has ended by itself.
    pub exit_code: Option<i32>,
    /// What it printed.
    pub output: String,
}

/// What `GET /workflows` answers, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkflowList {
    /// The workflows.
    pub workflows: Vec<Workflow>,
}

impl State {
    /// The word that people and JSON read.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }

    /// Whether nothing more will happen.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Skipped)
    }
}

impl Submission {
    /// The reason why this cannot be run, if there is one.
    pub fn problem(&self) -> Option<String> {
        if self.name.is_empty() || self.name.len() > NAME_BYTES_MAX {
            return Some(format!("`name` needs 1 to {NAME_BYTES_MAX} bytes"));
        }
        if self.steps.is_empty() || self.steps.len() > STEPS_MAX {
            return Some(format!("`steps` needs 1 to {STEPS_MAX} entries"));
        }
        self.steps.iter().find_map(Step::problem)
    }

    /// The workflow that this becomes.
    pub fn accept(self, id: String, submitted_at: String) -> Workflow {
        let steps = self.steps.into_iter().map(Step::report).collect();
        Workflow {
            id,
            name: self.name,
            workspace: self.workspace,
            state: State::Queued,
            submitted_at,
            finished_at: None,
            steps,
        }
    }
}

impl Step {
    fn problem(&self) -> Option<String> {
        let Some(command) = self.run.first() else {
            return Some("a step has no `run`".to_owned());
        };
        if self.run.len() > WORDS_MAX {
            return Some(format!("a step has more than {WORDS_MAX} words"));
        }
        if !STEP_COMMANDS.contains(&command.as_str()) {
            let known = STEP_COMMANDS.join("`, `");
            return Some(format!("a step may not call `{command}`, only `{known}`"));
        }
        None
    }

    fn report(self) -> StepReport {
        StepReport {
            name: self.name.unwrap_or_else(|| self.run.join(" ")),
            run: self.run,
            state: State::Queued,
            exit_code: None,
            output: String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn submission(json: &str) -> Submission {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_workflow_of_the_core_s_commands_is_accepted() {
        let one = submission(r#"{"name": "web", "steps": [{"run": ["server", "create", "web-1"]}]}"#);
        assert_eq!(one.problem(), None);
        let workflow = one.accept("wf-1".into(), "2025-10-01T00:00:00Z".into());
        assert_eq!(workflow.state, State::Queued);
        assert_eq!(workflow.steps[0].name, "server create web-1");
    }

    #[test]
    fn a_step_that_changes_the_installation_is_refused() {
        let one = submission(r#"{"name": "evil", "steps": [{"run": ["uninstall", "core"]}]}"#);
        assert!(one.problem().unwrap().contains("`uninstall`"));
    }

    #[test]
    fn empty_names_steps_and_runs_are_refused() {
        for json in [
            r#"{"name": "", "steps": [{"run": ["server"]}]}"#,
            r#"{"name": "a", "steps": []}"#,
            r#"{"name": "a", "steps": [{"run": []}]}"#,
        ] {
            assert!(submission(json).problem().is_some(), "{json}");
        }
    }

    #[test]
    fn states_read_the_same_in_json_and_in_text() {
        for state in [State::Queued, State::Running, State::Succeeded, State::Failed, State::Skipped] {
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
        }
    }
}
