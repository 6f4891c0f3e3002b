//! The gateway as a process, before a real orchestrator that runs in this one.

use std::sync::Arc;
use std::time::Duration;

use platform_testing::Service;
use provisioning_orchestrator::engine::Engine;
use provisioning_orchestrator::routes::router;
use provisioning_orchestrator::runner::Runner;
use provisioning_orchestrator::store::Store;

const PROGRAM: &str = env!("CARGO_BIN_EXE_provisioning-api-gateway");

/// An orchestrator on a free port; its address.
fn orchestrator(folder: &std::path::Path) -> String {
    let store = Store::open(folder).unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        platform_service::block_on(async {
            let runner = Runner { command: "echo".into(), step_timeout: Duration::from_secs(5) };
            let engine = Arc::new(Engine::start(store, runner));
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            tell.send(listener.local_addr().unwrap()).unwrap();
            axum::serve(listener, router(engine, "1.0.0")).await.unwrap();
        })
        .unwrap();
    });
    format!("http://{}", told.recv().unwrap())
}

#[test]
fn a_workflow_goes_through_the_gateway_to_the_orchestrator_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = Service::start(PROGRAM, &["--orchestrator", &orchestrator(folder.path())]);
    let workflow = r#"{"name": "web", "steps": [{"run": ["server", "list"]}]}"#;
    let (status, accepted) = gateway.post("/api/v1/workflows", workflow);
    assert_eq!(status, 202, "{accepted}");
    let ended = gateway.ended(&format!("/api/v1/workflows/{}", accepted["id"].as_str().unwrap()));
    assert_eq!(ended.steps[0].output, "server list\n");
    assert!(gateway.get("/api/v1/workflows").1.contains(&ended.id));
    assert!(gateway.get("/api/v1/health").1.contains("1.0.0"));
}

#[test]
fn a_refusal_of_the_orchestrator_passes_through_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = Service::start(PROGRAM, &["--orchestrator", &orchestrator(folder.path())]);
    let (status, answer) = gateway.post("/api/v1/workflows", r#"{"name": "x", "steps": []}"#);
    assert_eq!(status, 422);
    assert!(answer["error"].as_str().unwrap().contains("steps"));
}

#[test]
fn an_orchestrator_that_is_away_gives_bad_gateway() {
    let gateway = Service::start(PROGRAM, &["--orchestrator", "http://127.0.0.1:1"]);
    let (status, text) = gateway.get("/api/v1/workflows");
    assert_eq!(status, 502);
    assert!(text.contains("does not answer"), "{text}");
}

#[test]
fn paths_outside_the_api_are_not_passed_on() {
    let gateway = Service::start(PROGRAM, &["--orchestrator", "http://127.0.0.1:1"]);
    for path in ["/workflows", "/api/v2/workflows", "/api/v1/workflows/..%2Fhealth"] {
        assert_eq!(gateway.get(path).0, 404, "{path}");
    }
}
