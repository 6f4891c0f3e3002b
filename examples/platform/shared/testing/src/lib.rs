//! Starts a service in a test, as a process of its own on a free port, and stops it.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use platform_service::{Upstream, block_on};
use platform_types::Workflow;
use serde_json::Value;

/// How long a test waits for a workflow.
const WORKFLOW_TIME_MAX: Duration = Duration::from_secs(20);

/// A running service; stopped when it goes out of scope.
#[derive(Debug)]
pub struct Service {
    child: Child,
    base: String,
}

impl Service {
    /// Starts `program` on a free port with further arguments.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(program: &str, arguments: &[&str]) -> Self {
        let mut child = Command::new(program)
            .args(["--listen", "127.0.0.1:0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the service starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("stdout is piped");
        BufReader::new(stdout).read_line(&mut line).expect("the service says where it listens");
        let base = line.trim().strip_prefix("listening on ").expect("a line that says where").to_owned();
        Self { child, base }
    }

    /// Where it listens.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Gets a path: status and text.
    ///
    /// # Panics
    /// When no answer comes.
    pub fn get(&self, path: &str) -> (u16, String) {
        self.ask(path, None)
    }

    /// Posts JSON to a path: status and the JSON answered.
    ///
    /// # Panics
    /// When no answer comes, or one that is not JSON.
    pub fn post(&self, path: &str, json: &str) -> (u16, Value) {
        let (status, text) = self.ask(path, Some(json));
        (status, serde_json::from_str(&text).expect("the answer is JSON"))
    }

    /// Waits until a workflow has ended.
    ///
    /// # Panics
    /// When it does not end in time.
    pub fn ended(&self, path: &str) -> Workflow {
        let start = Instant::now();
        loop {
            let (status, text) = self.get(path);
            if status == 200 {
                let workflow: Workflow = serde_json::from_str(&text).expect("a workflow");
                if workflow.state.is_final() {
                    return workflow;
                }
            }
            assert!(start.elapsed() < WORKFLOW_TIME_MAX, "{path} has not ended: {text}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn ask(&self, path: &str, json: Option<&str>) -> (u16, String) {
        let json = json.map(|json| json.as_bytes().to_vec().into());
        let answer = block_on(async {
            let upstream = Upstream::new(&self.base);
            match json {
                Some(json) => upstream.post(path, json).await,
                None => upstream.get(path).await,
            }
        });
        let answer = answer.expect("a runtime").expect("an answer");
        (answer.status, String::from_utf8_lossy(&answer.body).into_owned())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // A test that has ended needs neither answer.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
