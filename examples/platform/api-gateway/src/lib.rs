//! One versioned address for the platform's services: `/api/v1/…` stays while the services behind it move.
//!
//! | Public | Behind |
//! | --- | --- |
//! | `GET /api/v1/health` | `GET /health` |
//! | `GET /api/v1/workflows` | `GET /workflows` |
//! | `POST /api/v1/workflows` | `POST /workflows/submit` |
//! | `GET /api/v1/workflows/{id}` | `GET /workflows/{id}` |

use std::process::ExitCode;

use axum::Json;
use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use platform_service::{Answer, Arguments, Flag, Outcome, Upstream, block_on, listen};
use serde_json::{Value, json};

/// The largest request that is passed on.
const BODY_BYTES_MAX: usize = 1 << 20;

const FLAGS: &[Flag] = &[
    Flag { name: "--listen", value: "ADDR", help: "where to listen (127.0.0.1:9092)" },
    Flag { name: "--orchestrator", value: "URL", help: "what is behind /api/v1/workflows (http://127.0.0.1:9090)" },
];

/// The whole program; `version` is what it calls itself.
pub fn run(version: &'static str) -> ExitCode {
    let about = "Gives the platform's services one versioned address.";
    let words = std::env::args().skip(1);
    let arguments = match Arguments::read("provisioning-api-gateway", about, version, FLAGS, words) {
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
    let address = arguments.value("--listen").unwrap_or("127.0.0.1:9092").to_owned();
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
        .route("/api/v1/health", get(health))
        .route("/api/v1/workflows", get(list).post(submit))
        .route("/api/v1/workflows/{id}", get(show))
        .fallback(|| async { problem(StatusCode::NOT_FOUND, "no such path; the API is under /api/v1") })
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(orchestrator)
}

async fn health(State(orchestrator): State<Upstream>) -> Response {
    passed(orchestrator.get("/health").await)
}

async fn list(State(orchestrator): State<Upstream>) -> Response {
    passed(orchestrator.get("/workflows").await)
}

/// Takes JSON alone: a browser asks first before it sends that across origins.
async fn submit(State(orchestrator): State<Upstream>, Json(workflow): Json<Value>) -> Response {
    passed(orchestrator.post("/workflows/submit", workflow.to_string().into()).await)
}

async fn show(State(orchestrator): State<Upstream>, Path(id): Path<String>) -> Response {
    if !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return problem(StatusCode::NOT_FOUND, "no such workflow");
    }
    passed(orchestrator.get(&format!("/workflows/{id}")).await)
}

fn passed(answer: Result<Answer, String>) -> Response {
    match answer {
        Ok(answer) => {
            let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_GATEWAY);
            (status, [(header::CONTENT_TYPE, "application/json")], Body::from(answer.body)).into_response()
        }
        Err(cause) => problem(StatusCode::BAD_GATEWAY, &cause),
    }
}

fn problem(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "error": message }))).into_response()
}
