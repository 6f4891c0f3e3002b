//! Reading what a client sends, within limits.

use std::error::Error;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use futures_util::StreamExt as _;
use serde::de::DeserializeOwned;

use crate::listener::TooSlow;
use crate::problem::{Code, Refusal};

/// Bytes of a JSON body; a session of 512 versions takes about 300 KiB.
pub(crate) const JSON_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Bytes that are read from a client whose request is refused already, so that it stops
/// sending and reads the answer rather than meeting a reset connection.
const DRAIN_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How long that may take.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(3);

/// A JSON body of a known shape.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Refusal> {
        if !is_json(&request) {
            return Err(Refusal::new(
                Code::ContentType,
                "the body must be `application/json`",
            ));
        }
        let bytes = to_bytes(request.into_body(), JSON_BYTES_MAX)
            .await
            .map_err(|error| refusal_of(&error))?;
        match serde_json::from_slice(&bytes) {
            Ok(value) => Ok(Self(value)),
            Err(error) => Err(Refusal::new(
                Code::BadRequest,
                format!("the body is not what this route takes: {error}"),
            )),
        }
    }
}

fn is_json(request: &Request) -> bool {
    let Some(value) = request.headers().get(header::CONTENT_TYPE) else {
        return false;
    };
    let essence = value.to_str().unwrap_or_default().split(';').next();
    essence.is_some_and(|it| it.trim().eq_ignore_ascii_case("application/json"))
}

/// What a body that broke off is answered with.
pub(crate) fn refusal_of(error: &(dyn Error + 'static)) -> Refusal {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<TooSlow>() {
            return Refusal::new(Code::RequestTimeout, "the request's body came too slowly");
        }
        if error.is::<http_body_util::LengthLimitError>() {
            return Refusal::new(
                Code::BodyTooLarge,
                "the request's body is larger than this route takes",
            );
        }
        next = error.source();
    }
    Refusal::new(Code::BodyIncomplete, "the request's body ended early")
}

/// Reads and forgets some of the body of a request that is refused already. A client that
/// waits to be told to go on (`Expect: 100-continue`) is not: it reads the refusal.
pub(crate) async fn drain(headers: &HeaderMap, body: Body) {
    if headers.contains_key(header::EXPECT) {
        return;
    }
    let mut stream = body.into_data_stream();
    let reading = async {
        let mut seen = 0;
        while let Some(Ok(bytes)) = stream.next().await {
            seen += bytes.len();
            if seen > DRAIN_BYTES_MAX {
                break;
            }
        }
    };
    // Running out of time is as good as running out of bytes.
    let _ = tokio::time::timeout(DRAIN_TIME_MAX, reading).await;
}
