//! How long keeping a workflow takes, fsync included: the part of a submission that the caller waits for.
//! `cargo bench`; prints the median and the slowest of some runs.

use std::time::Instant;

use platform_types::Submission;
use provisioning_orchestrator::store::Store;

const RUNS: usize = 200;

fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = Store::open(folder.path()).expect("a fresh store");
    let json = r#"{"name": "bench", "steps": [{"run": ["server", "create", "web-1"]}]}"#;
    let submission: Submission = serde_json::from_str(json).expect("a workflow");
    let mut times: Vec<_> = (0..RUNS)
        .map(|number| {
            let workflow = submission.clone().accept(format!("wf-{number}"), String::new());
            let start = Instant::now();
            store.save(workflow).expect("kept");
            start.elapsed()
        })
        .collect();
    times.sort();
    println!("keep a workflow: median {:?}, slowest {:?} of {RUNS}", times[RUNS / 2], times[RUNS - 1]);
}
