//! Workflows on disk: one JSON file for each, replaced whole, so that a crash loses none that was accepted.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use platform_types::{State, Workflow};

/// The most workflows that are kept; the oldest ended ones go first.
pub const WORKFLOWS_KEPT_MAX: usize = 1000;

/// All workflows of one orchestrator.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    workflows: Mutex<BTreeMap<String, Workflow>>,
}

impl Store {
    /// Opens the folder, made where it is missing. Workflows that ran when the orchestrator stopped have failed:
    /// nobody knows how far their step came, so it is not run twice.
    pub fn open(state: &Path) -> io::Result<Self> {
        let folder = state.join("workflows");
        fs::create_dir_all(&folder)?;
        let mut workflows = BTreeMap::new();
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let workflow: Workflow = serde_json::from_slice(&fs::read(&path)?)
                .map_err(|error| io::Error::other(format!("`{}`: {error}", path.display())))?;
            workflows.insert(workflow.id.clone(), workflow);
        }
        let store = Self { folder, workflows: Mutex::new(workflows) };
        let running: Vec<_> = store.all().into_iter().filter(|it| it.state == State::Running).collect();
        for workflow in running {
            store.save(interrupted(workflow))?;
        }
        Ok(store)
    }

    /// Keeps a workflow as it is now: durable when this returns.
    pub fn save(&self, workflow: Workflow) -> io::Result<()> {
        let file = self.file(&workflow.id);
        let staged = file.with_extension("new");
        let mut out = File::create(&staged)?;
        out.write_all(&serde_json::to_vec_pretty(&workflow)?)?;
        out.sync_all()?;
        fs::rename(&staged, &file)?;
        File::open(&self.folder)?.sync_all()?;
        let mut workflows = self.locked();
        workflows.insert(workflow.id.clone(), workflow);
        while workflows.len() > WORKFLOWS_KEPT_MAX {
            let Some(oldest) = workflows.values().find(|it| it.state.is_final()).map(|it| it.id.clone()) else { break };
            workflows.remove(&oldest);
            fs::remove_file(self.file(&oldest))?;
        }
        Ok(())
    }

    /// One workflow.
    pub fn find(&self, id: &str) -> Option<Workflow> {
        self.locked().get(id).cloned()
    }

    /// Every workflow, oldest first.
    pub fn all(&self) -> Vec<Workflow> {
        self.locked().values().cloned().collect()
    }

    fn file(&self, id: &str) -> PathBuf {
        self.folder.join(format!("{id}.json"))
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<String, Workflow>> {
        self.workflows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn interrupted(mut workflow: Workflow) -> Workflow {
    workflow.state = State::Failed;
    for step in &mut workflow.steps {
        match step.state {
            State::Running => {
                step.state = State::Failed;
                step.output.push_str("the orchestrator stopped while this ran");
            }
            State::Queued => step.state = State::Skipped,
            State::Succeeded | State::Failed | State::Skipped => {}
        }
    }
    workflow
}

#[cfg(test)]
mod tests {
    use super::*;
    use platform_types::Submission;

    fn workflow(id: &str, state: State) -> Workflow {
        let json = r#"{"name": "w", "steps": [{"run": ["server", "list"]}, {"run": ["server", "list"]}]}"#;
        let submission: Submission = serde_json::from_str(json).unwrap();
        let mut workflow = submission.accept(id.into(), "2025-10-01T00:00:00Z".into());
        workflow.state = state;
        workflow
    }

    #[test]
    fn what_was_saved_is_there_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        Store::open(folder.path()).unwrap().save(workflow("wf-1", State::Queued)).unwrap();
        let again = Store::open(folder.path()).unwrap();
        assert_eq!(again.find("wf-1"), Some(workflow("wf-1", State::Queued)));
    }

    #[test]
    fn a_workflow_that_ran_at_the_crash_reads_as_failed() {
        let folder = tempfile::tempdir().unwrap();
        let mut running = workflow("wf-1", State::Running);
        running.steps[0].state = State::Running;
        Store::open(folder.path()).unwrap().save(running).unwrap();
        let found = Store::open(folder.path()).unwrap().find("wf-1").unwrap();
        assert_eq!(found.state, State::Failed);
        assert_eq!(found.steps[0].state, State::Failed);
        assert_eq!(found.steps[1].state, State::Skipped);
    }

    #[test]
    fn beyond_the_limit_the_oldest_ended_workflow_is_dropped_and_no_queued_one() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        store.save(workflow("wf-0000", State::Queued)).unwrap();
        store.save(workflow("wf-0001", State::Succeeded)).unwrap();
        for number in 2..WORKFLOWS_KEPT_MAX {
            let id = format!("wf-{number:04}");
            store.locked().insert(id.clone(), workflow(&id, State::Succeeded));
        }
        store.save(workflow("wf-9999", State::Queued)).unwrap();
        assert!(store.find("wf-0000").is_some());
        assert!(store.find("wf-0001").is_none());
        assert!(!store.file("wf-0001").exists());
    }
}
