//! The static files: metadata, targets, archives. None of these asks the database.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use provisioning_package::Digest;
use provisioning_registry_api::paths;

use super::serving::{Facts, Keep, bytes, object};
use crate::app::App;
use crate::problem::{Code, Refusal, ServerError};
use crate::storage::Found;

/// Bytes of the longest file name that file systems take.
const FILE_NAME_BYTES_MAX: usize = 255;

/// `GET /metadata/{file}`: `3.root.json` is immutable, `timestamp.json` the switch.
pub(crate) async fn metadata(
    State(app): State<App>,
    Path(file): Path<String>,
    asked: HeaderMap,
) -> Result<Response, ServerError> {
    if !is_plain_component(&file) {
        return Err(nothing(&file));
    }
    if file == "timestamp.json" {
        let view = app.read_side.view();
        let facts = Facts {
            content_type: "application/json",
            tag: &view.timestamp_tag,
            keep: Keep::Revalidate,
        };
        return Ok(bytes(facts, &asked, view.timestamp.clone()));
    }
    let path = format!("{}{file}", paths::METADATA);
    let is_versioned = file.starts_with(|it: char| it.is_ascii_digit());
    let keep = if is_versioned {
        Keep::Forever
    } else {
        Keep::Revalidate
    };
    let (tag, content) = match app.storage.find(&path).await? {
        None => return Err(nothing(&file)),
        Some(Found::Small(it)) => (it.digest().to_owned(), it.bytes.clone()),
        Some(Found::Large(_)) => {
            let content = app.storage.read(&path).await?;
            let content = content.ok_or_else(|| nothing(&file))?;
            (Digest::of(&content).hex(), content)
        }
    };
    let facts = Facts {
        content_type: "application/json",
        tag: &tag,
        keep,
    };
    Ok(bytes(facts, &asked, content))
}

/// `GET /targets/{path}`: `index/core/<hash>.core.json`.
pub(crate) async fn target(
    State(app): State<App>,
    Path(path): Path<String>,
    asked: HeaderMap,
) -> Result<Response, ServerError> {
    let is_plain = path.split('/').all(is_plain_component);
    let file = path.rsplit('/').next().unwrap_or_default();
    let tag = file.split('.').next().unwrap_or_default();
    if !is_plain || Digest::from_hex(tag).is_err() {
        return Err(nothing(&path));
    }
    let facts = Facts {
        content_type: content_type(file),
        tag,
        keep: Keep::Forever,
    };
    object(
        &app.storage,
        &format!("{}{path}", paths::TARGETS),
        facts,
        &asked,
    )
    .await
}

/// `GET /archives/sha256/{hex}`.
pub(crate) async fn archive(
    State(app): State<App>,
    Path(hex): Path<String>,
    method: Method,
    asked: HeaderMap,
) -> Result<Response, ServerError> {
    let digest = Digest::from_hex(&hex).map_err(|_| nothing(&hex))?;
    let facts = Facts {
        content_type: "application/octet-stream",
        tag: &hex,
        keep: Keep::Forever,
    };
    let response = object(&app.storage, &paths::archive(&digest), facts, &asked).await?;
    if method == Method::GET && response.status() == StatusCode::OK {
        app.downloads.count(digest, (app.clock)());
    }
    Ok(response)
}

/// What a file's ending says about it.
pub(crate) fn content_type(file: &str) -> &'static str {
    // The core's script has no ending: `core`, or `<hash>.core`.
    match file.rsplit('.').next().unwrap_or_default() {
        "json" => "application/json",
        "toml" => "application/toml",
        "sh" | "core" => "text/x-shellscript; charset=utf-8",
        _ => "text/plain; charset=utf-8",
    }
}

/// Whether one component of a path can be a file name of ours: it can climb nowhere and
/// hides nothing.
fn is_plain_component(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= FILE_NAME_BYTES_MAX
        && !text.starts_with('.')
        && text
            .bytes()
            .all(|it| it.is_ascii_alphanumeric() || matches!(it, b'.' | b'-' | b'_'))
}

fn nothing(what: &str) -> ServerError {
    Refusal::new(Code::NotFound, format!("there is no `{what}`")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_climbs_is_a_file_name() {
        for bad in ["", ".", "..", ".x", "a/b", "a\\b", "a b", "ä", "a%2f"] {
            assert!(!is_plain_component(bad), "{bad}");
        }
        assert!(is_plain_component("12.bin-0f.json"));
    }
}
