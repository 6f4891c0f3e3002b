//! The control centre as a process, before a real orchestrator that runs in this one.

use std::sync::Arc;
use std::time::Duration;

use platform_testing::Service;
use platform_types::Submission;
use provisioning_orchestrator::engine::Engine;
use provisioning_orchestrator::routes::router;
use provisioning_orchestrator::runner::Runner;
use provisioning_orchestrator::store::Store;

const PROGRAM: &str = env!("CARGO_BIN_EXE_provisioning-control-center");

/// An orchestrator with one workflow on a free port; its address.
fn orchestrator(folder: &std::path::Path) -> String {
    let store = Store::open(folder).unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        platform_service::block_on(async {
            let runner = Runner { command: "echo".into(), step_timeout: Duration::from_secs(5) };
            let engine = Arc::new(Engine::start(store, runner));
            let workflow = r#"{"name": "web", "steps": [{"run": ["server", "list"]}]}"#;
            let workflow: Submission = serde_json::from_str(workflow).unwrap();
            engine.accept("wf-1".into(), workflow).unwrap();
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            tell.send(listener.local_addr().unwrap()).unwrap();
            axum::serve(listener, router(engine, "1.0.0")).await.unwrap();
        })
        .unwrap();
    });
    format!("http://{}", told.recv().unwrap())
}

#[test]
fn the_page_shows_the_orchestrator_s_workflows_and_their_output() {
    let folder = tempfile::tempdir().unwrap();
    let orchestrator = orchestrator(folder.path());
    let center = Service::start(PROGRAM, &["--orchestrator", &orchestrator]);
    let (status, page) = center.get("/");
    assert_eq!(status, 200);
    assert!(page.contains("<a href=\"/workflows/wf-1\">web</a>"), "{page}");
    let (status, page) = center.get("/workflows/wf-1");
    assert_eq!(status, 200);
    assert!(page.contains("<h2>server list</h2>"), "{page}");
    assert_eq!(center.get("/workflows/wf-2").0, 404);
}

#[test]
fn an_orchestrator_that_is_away_is_said_on_the_page() {
    let center = Service::start(PROGRAM, &["--orchestrator", "http://127.0.0.1:1"]);
    let (status, page) = center.get("/");
    assert_eq!(status, 502);
    assert!(page.contains("does not answer"), "{page}");
    assert_eq!(center.get("/health").0, 200);
}
