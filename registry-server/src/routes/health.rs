//! Is the process alive, and can it serve?

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::problem::{Code, Refusal, ServerError};
use crate::read_side::TIMESTAMP;

/// `GET /livez`: the process answers.
pub(crate) async fn live() -> Response {
    plain("alive\n")
}

/// `GET /readyz`: the database and the storage answer too, and no role has ended.
pub(crate) async fn ready(State(app): State<App>) -> Result<Response, ServerError> {
    let not_ready =
        |what: &str| Refusal::new(Code::Unavailable, format!("the {what} does not answer"));
    app.db.serial().await.map_err(|error| {
        tracing::error!(error = %error, "the database does not answer: {error}");
        not_ready("database")
    })?;
    if let Some(ended) = crate::signing::unsettled(&app).first() {
        let detail = format!("clients refuse this registry: {ended}");
        return Err(Refusal::new(Code::Unavailable, detail)
            .hint("`provisioning-registry keys status` tells who can sign it again")
            .into());
    }
    match app.storage.length(TIMESTAMP).await {
        Ok(Some(_)) => Ok(plain("ready\n")),
        Ok(None) | Err(_) => Err(not_ready("storage").into()),
    }
}

fn plain(text: &'static str) -> Response {
    let headers = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (headers, text).into_response()
}
