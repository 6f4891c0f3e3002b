//! The orchestrator as a process. The core's command is `echo` and `false` here: what matters is which words it gets
//! and what is made of its end. The real core is called in the distribution's integration tests.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use platform_testing::Service;
use platform_types::State;

const PROGRAM: &str = env!("CARGO_BIN_EXE_provisioning-orchestrator");
const WORKFLOW: &str = r#"{"name": "web", "workspace": "/w", "steps": [{"run": ["server", "create", "web-1; rm -rf $HOME"]}, {"name": "second", "run": ["server", "list"]}]}"#;

fn start(folder: &Path, cli: &str) -> Service {
    let state = folder.join("state");
    let queue = folder.join("queue");
    fs::create_dir_all(&queue).unwrap();
    let config = folder.join("orchestrator.toml");
    fs::write(&config, "queue-poll-ms = 20\n").unwrap();
    let paths = [&state, &queue, &config].map(|path| path.to_str().unwrap().to_owned());
    Service::start(PROGRAM, &["--state", &paths[0], "--queue", &paths[1], "--config", &paths[2], "--cli", cli])
}

#[test]
fn a_submitted_workflow_runs_its_steps_in_order_and_keeps_their_output() {
    let folder = tempfile::tempdir().unwrap();
    let service = start(folder.path(), "echo");
    let (status, accepted) = service.post("/workflows/submit", WORKFLOW);
    assert_eq!(status, 202, "{accepted}");
    let workflow = service.ended(&format!("/workflows/{}", accepted["id"].as_str().unwrap()));
    assert_eq!(workflow.state, State::Succeeded);
    assert_eq!(workflow.steps[0].output, "server create web-1; rm -rf $HOME --workspace /w\n");
    assert_eq!(workflow.steps[1].name, "second");
    let (_, list) = service.get("/workflows");
    assert!(list.contains(&workflow.id), "{list}");
}

#[test]
fn a_failing_step_fails_the_workflow_and_skips_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let service = start(folder.path(), "false");
    let (_, accepted) = service.post("/workflows/submit", WORKFLOW);
    let workflow = service.ended(&format!("/workflows/{}", accepted["id"].as_str().unwrap()));
    assert_eq!(workflow.state, State::Failed);
    assert_eq!(workflow.steps[0].exit_code, Some(1));
    assert_eq!(workflow.steps[1].state, State::Skipped);
}

#[test]
fn a_workflow_file_in_the_queue_folder_is_claimed_and_run() {
    let folder = tempfile::tempdir().unwrap();
    let service = start(folder.path(), "echo");
    let staged = folder.path().join("one.json");
    fs::write(&staged, WORKFLOW).unwrap();
    fs::rename(&staged, folder.path().join("queue/one.json")).unwrap();
    let done = only_file(&folder.path().join("queue/done"));
    let workflow = service.ended(&format!("/workflows/{}", done.trim_end_matches(".json")));
    assert_eq!(workflow.state, State::Succeeded);
}

#[test]
fn a_broken_file_in_the_queue_folder_is_set_aside_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let service = start(folder.path(), "echo");
    fs::write(folder.path().join("queue/bad.json"), "{").unwrap();
    let name = only_file(&folder.path().join("queue/refused"));
    assert!(name.starts_with("wf-"), "{name}");
    assert!(service.get("/workflows").1.contains("[]"));
}

#[test]
fn wrong_requests_are_refused_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let service = start(folder.path(), "echo");
    for (body, status) in [
        ("{", 400),
        (r#"{"name": "x"}"#, 422),
        (r#"{"name": "x", "steps": []}"#, 422),
        (r#"{"name": "x", "steps": [{"run": ["self", "uninstall"]}]}"#, 422),
    ] {
        let (got, answer) = service.post("/workflows/submit", body);
        assert_eq!(got, status, "{body}");
        assert!(answer["error"].is_string(), "{answer}");
    }
    assert_eq!(service.get("/workflows/nope").0, 404);
}

#[test]
fn a_restarted_orchestrator_still_knows_its_workflows() {
    let folder = tempfile::tempdir().unwrap();
    let service = start(folder.path(), "echo");
    let (_, accepted) = service.post("/workflows/submit", WORKFLOW);
    let path = format!("/workflows/{}", accepted["id"].as_str().unwrap());
    let before = service.ended(&path);
    drop(service);
    assert_eq!(start(folder.path(), "echo").ended(&path), before);
}

#[test]
fn version_and_help_answer_without_starting_anything() {
    for (flag, words) in [("--version", "provisioning-orchestrator "), ("--help", "--queue DIR")] {
        let output = std::process::Command::new(PROGRAM).arg(flag).output().unwrap();
        assert!(output.status.success());
        assert!(String::from_utf8(output.stdout).unwrap().contains(words));
    }
}

/// The name of the first `.json` that appears in a folder.
fn only_file(folder: &Path) -> String {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(20) {
        let names =
            fs::read_dir(folder).into_iter().flatten().flatten().map(|it| it.file_name().into_string().unwrap());
        if let Some(name) = names.into_iter().find(|name| Path::new(name).extension().is_some_and(|it| it == "json")) {
            return name;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("nothing appeared in {}", folder.display());
}
