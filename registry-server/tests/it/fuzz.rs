//! The served description, held against the running registry by Schemathesis: whatever it
//! sends, there is no answer that is not described, and no failure of ours.

use std::process::Command;

use tempfile::tempdir;

use crate::python;
use crate::registry::{Registry, archive};

/// Seconds that each run may take.
const SECONDS: &str = "20";
/// Requests for each operation and phase.
const EXAMPLES: &str = "12";
/// The same requests every time: a failure can be looked at.
const SEED: &str = "7";

/// Some releases of Python 3.11 stumble over their own parser now and then, which is no answer of ours: such
/// a run is made again.
const PYTHON_STUMBLED: &str = "AST constructor recursion depth mismatch";
const TRIES_MAX: usize = 5;

/// What an answer must keep: no 5xx but those that say what to do, a described status and
/// content type, and a body of the described shape.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_headers_conformance,response_schema_conformance";

fn run(registry: &Registry, token: Option<&str>) {
    let Some(program) = python::tool("schemathesis") else {
        return;
    };
    let work = tempdir().unwrap();
    let description = format!("{}/api/v1/openapi.json", registry.base);
    let mut command = Command::new(program);
    command
        .current_dir(work.path())
        .env("NO_COLOR", "1")
        .args(["run", &description, "--checks", CHECKS])
        .args(["--phases", "examples,coverage,fuzzing", "--workers", "2"])
        .args([
            "--max-examples",
            EXAMPLES,
            "--seed",
            SEED,
            "--max-time",
            SECONDS,
        ])
        .args(["--max-redirects", "0", "--suppress-health-check", "all"])
        .args(["--warnings", "off", "--continue-on-failure"]);
    if let Some(token) = token {
        command.args(["-H", &format!("Authorization: Bearer {token}")]);
    }
    let (output, said) = (1..=TRIES_MAX)
        .map(|attempt| {
            let output = command.output().unwrap();
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            (attempt, output, said)
        })
        .find(|(attempt, _, said)| *attempt == TRIES_MAX || !said.contains(PYTHON_STUMBLED))
        .map(|(_, output, said)| (output, said))
        .unwrap();
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{complained}");
    // A run that tried nothing has found nothing.
    assert!(said.contains("generated"), "{said}");
}

async fn filled() -> Registry {
    let limits = ["--rate-limit", "read=off,write=off,login=off"];
    let registry = Registry::start_in(tempdir().unwrap(), &limits);
    for spec in ["core@3.1.0", "redis@1.0.0"] {
        registry
            .publish(spec, &[archive(spec, spec)])
            .await
            .unwrap();
    }
    registry
}

#[tokio::test]
async fn strangers_get_no_answer_that_is_not_described() {
    let registry = filled().await;
    run(&registry, None);
}

#[tokio::test]
async fn administrators_get_no_answer_that_is_not_described() {
    let registry = filled().await;
    let admin = registry.admin();
    run(&registry, Some(&admin));
    let checked = registry.command(&["fsck"]);
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(
        checked.status.success(),
        "what was done left it whole: {said}"
    );
}
