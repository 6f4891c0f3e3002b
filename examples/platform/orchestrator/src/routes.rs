//! The REST side. Every answer is JSON; an error is `{"error": "…"}`.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use platform_types::{Submission, Workflow, WorkflowList};
use serde_json::{Value, json};

use crate::engine::{Engine, Refusal};

/// The largest request that is read.
const BODY_BYTES_MAX: usize = 1 << 20;

type Problem = (StatusCode, Json<Value>);

/// All routes.
pub fn router(engine: Arc<Engine>, version: &'static str) -> Router {
    Router::new()
        .route("/health", get(move || async move { Json(json!({ "status": "ok", "version": version })) }))
        .route("/workflows", get(list))
        .route("/workflows/submit", post(submit))
        .route("/workflows/{id}", get(show))
        .fallback(|| async { problem(StatusCode::NOT_FOUND, "no such path") })
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(engine)
}

async fn submit(
    State(engine): State<Arc<Engine>>,
    body: Result<Json<Submission>, JsonRejection>,
) -> Result<(StatusCode, Json<Workflow>), Problem> {
    let Json(submission) = body.map_err(|rejection| problem(rejection.status(), &rejection.body_text()))?;
    match engine.accept(engine.next_id(), submission) {
        Ok(workflow) => Ok((StatusCode::ACCEPTED, Json(workflow))),
        Err(Refusal::Wrong(reason)) => Err(problem(StatusCode::UNPROCESSABLE_ENTITY, &reason)),
        Err(Refusal::Full) => Err(problem(StatusCode::SERVICE_UNAVAILABLE, "too many workflows wait; try again later")),
        Err(Refusal::Disk(error)) => Err(problem(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string())),
    }
}

async fn list(State(engine): State<Arc<Engine>>) -> Json<WorkflowList> {
    let mut workflows = engine.store().all();
    workflows.reverse();
    Json(WorkflowList { workflows })
}

async fn show(State(engine): State<Arc<Engine>>, Path(id): Path<String>) -> Result<Json<Workflow>, Problem> {
    let found = engine.store().find(&id);
    found.map(Json).ok_or_else(|| problem(StatusCode::NOT_FOUND, &format!("no workflow `{id}`")))
}

fn problem(status: StatusCode, message: &str) -> Problem {
    (status, Json(json!({ "error": message })))
}
