//! Shows the orchestrator's workflows on a web page. It holds no state: every page asks the orchestrator.

mod page;

use std::process::ExitCode;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Html;
use axum::routing::get;
use platform_service::{Arguments, Flag, Outcome, Upstream, block_on, listen};
use platform_types::{Workflow, WorkflowList};

const FLAGS: &[Flag] = &[
    Flag { name: "--listen", value: "ADDR", help: "where to listen (127.0.0.1:9091)" },
    Flag { name: "--orchestrator", value: "URL", help: "whose workflows (http://127.0.0.1:9090)" },
];

type Page = (StatusCode, Html<String>);

/// The whole program; `version` is what it calls itself.
pub fn run(version: &'static str) -> ExitCode {
    let about = "Shows the orchestrator's workflows on a web page.";
    let words = std::env::args().skip(1);
    let arguments = match Arguments::read("provisioning-control-center", about, version, FLAGS, words) {
        Outcome::Run(arguments) => arguments,
        Outcome::Print(text) => {
            println!("{text}");
            return ExitCode::SUCCESS;
        }
        Outcome::Usage(text) => {
            eprintln!("{text}");
            return ExitCode::from(2);
        }
    };
    let orchestrator = arguments.value("--orchestrator").unwrap_or("http://127.0.0.1:9090").to_owned();
    let address = arguments.value("--listen").unwrap_or("127.0.0.1:9091").to_owned();
    let served = block_on(async { listen(&address, router(Upstream::new(&orchestrator))).await });
    match served.and_then(|served| served) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn router(orchestrator: Upstream) -> Router {
    Router::new()
        .route("/", get(list))
        .route("/workflows/{id}", get(show))
        .route("/health", get(|| async { "ok" }))
        .with_state(orchestrator)
}

async fn list(State(orchestrator): State<Upstream>) -> Page {
    match orchestrator.get("/workflows").await {
        Ok(answer) => match serde_json::from_slice::<WorkflowList>(&answer.body) {
            Ok(list) => (StatusCode::OK, Html(page::list(&list.workflows))),
            Err(error) => (StatusCode::BAD_GATEWAY, Html(page::trouble(&error.to_string()))),
        },
        Err(cause) => (StatusCode::BAD_GATEWAY, Html(page::trouble(&cause))),
    }
}

async fn show(State(orchestrator): State<Upstream>, Path(id): Path<String>) -> Page {
    if !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return (StatusCode::NOT_FOUND, Html(page::trouble("no such workflow")));
    }
    match orchestrator.get(&format!("/workflows/{id}")).await {
        Ok(answer) if answer.status == 404 => (StatusCode::NOT_FOUND, Html(page::trouble("no such workflow"))),
        Ok(answer) => match serde_json::from_slice::<Workflow>(&answer.body) {
            Ok(workflow) => (StatusCode::OK, Html(page::workflow(&workflow))),
            Err(error) => (StatusCode::BAD_GATEWAY, Html(page::trouble(&error.to_string()))),
        },
        Err(cause) => (StatusCode::BAD_GATEWAY, Html(page::trouble(&cause))),
    }
}
