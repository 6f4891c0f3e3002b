//! Accepts workflows and runs them one after the other, so that two of them never change a workspace at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use platform_types::{State, Submission, Workflow};
use tokio::sync::mpsc;

use crate::runner::Runner;
use crate::store::Store;

/// The most workflows that may wait.
const WAITING_MAX: usize = 256;

/// The orchestrator itself, whatever way workflows come in.
#[derive(Debug)]
pub struct Engine {
    store: Arc<Store>,
    waiting: mpsc::Sender<String>,
    numbers: AtomicU32,
}

/// Why a workflow was not accepted.
#[derive(Debug)]
pub enum Refusal {
    /// It is not right; running it later would not help.
    Wrong(String),
    /// Too many wait already.
    Full,
    /// It could not be kept.
    Disk(std::io::Error),
}

impl Engine {
    /// Starts the worker; workflows that waited when the orchestrator stopped come first. Needs a runtime.
    pub fn start(store: Store, runner: Runner) -> Self {
        let store = Arc::new(store);
        let left: Vec<_> = store.all().into_iter().filter(|it| it.state == State::Queued).map(|it| it.id).collect();
        let (waiting, queue) = mpsc::channel(WAITING_MAX);
        tokio::spawn(work(Arc::clone(&store), runner, left, queue));
        Self { store, waiting, numbers: AtomicU32::new(0) }
    }

    /// A new workflow's id; later ones sort after earlier ones.
    pub fn next_id(&self) -> String {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let number = self.numbers.fetch_add(1, Ordering::Relaxed) % 10_000;
        format!("wf-{:013}-{number:04}", since.as_millis())
    }

    /// Keeps a workflow and lines it up; it is safe on disk when this returns.
    pub fn accept(&self, id: String, submission: Submission) -> Result<Workflow, Refusal> {
        if let Some(problem) = submission.problem() {
            return Err(Refusal::Wrong(problem));
        }
        let place = self.waiting.try_reserve().map_err(|_| Refusal::Full)?;
        let workflow = submission.accept(id.clone(), now());
        self.store.save(workflow.clone()).map_err(Refusal::Disk)?;
        place.send(id);
        Ok(workflow)
    }

    /// What is known of all workflows.
    pub fn store(&self) -> &Store {
        &self.store
    }
}

async fn work(store: Arc<Store>, runner: Runner, left: Vec<String>, mut queue: mpsc::Receiver<String>) {
    for id in left {
        run(&store, &runner, &id).await;
    }
    while let Some(id) = queue.recv().await {
        run(&store, &runner, &id).await;
    }
}

async fn run(store: &Store, runner: &Runner, id: &str) {
    let Some(mut workflow) = store.find(id) else { return };
    workflow.state = State::Running;
    let mut failed = false;
    for index in 0..workflow.steps.len() {
        if failed {
            workflow.steps[index].state = State::Skipped;
            continue;
        }
        workflow.steps[index].state = State::Running;
        keep(store, &workflow);
        runner.run(&mut workflow.steps[index], workflow.workspace.as_deref()).await;
        failed = workflow.steps[index].state == State::Failed;
    }
    workflow.state = if failed { State::Failed } else { State::Succeeded };
    workflow.finished_at = Some(now());
    keep(store, &workflow);
}

/// A full disk must not stop the worker; the log says that the record is behind.
fn keep(store: &Store, workflow: &Workflow) {
    if let Err(error) = store.save(workflow.clone()) {
        eprintln!("warning: workflow {} was not written: {error}", workflow.id);
    }
}

fn now() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}
