//! `GET /`: a page for browsers, `install.sh` for everything else.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use provisioning_package::Digest;

use super::named::script;
use super::serving::{Facts, Keep, bytes};
use crate::app::App;
use crate::page;
use crate::problem::ServerError;

/// The page loads nothing but its own inline style: no script, image, form or frame.
const PAGE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'";

/// Answers by what the client takes.
pub(crate) async fn root(
    State(app): State<App>,
    asked: HeaderMap,
) -> Result<Response, ServerError> {
    let mut response = if wants_page(&asked) {
        page_answer(&app, &asked).await?
    } else {
        script(&app, "install.sh", &asked).await?
    };
    response
        .headers_mut()
        .insert(header::VARY, HeaderValue::from_static("Accept"));
    Ok(response)
}

async fn page_answer(app: &App, asked: &HeaderMap) -> Result<Response, ServerError> {
    let page = page::current(app).await?;
    let facts = Facts {
        content_type: "text/html; charset=utf-8",
        tag: &Digest::of(&page).hex(),
        keep: Keep::Minute,
    };
    let mut response = bytes(facts, asked, page);
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(PAGE_POLICY),
    );
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    Ok(response)
}

/// Whether `Accept` names `text/html` and does not rule it out with `q=0`.
fn wants_page(asked: &HeaderMap) -> bool {
    asked
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|it| it.to_str().ok())
        .flat_map(|it| it.split(','))
        .any(|range| {
            let mut parts = range.split(';').map(str::trim);
            let is_html = parts
                .next()
                .is_some_and(|it| it.eq_ignore_ascii_case("text/html"));
            let is_ruled_out = parts.any(|it| matches!(it, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"));
            is_html && !is_ruled_out
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_client_that_names_html_gets_the_page() {
        let page = |text: &'static str| {
            let mut asked = HeaderMap::new();
            asked.insert(header::ACCEPT, HeaderValue::from_static(text));
            wants_page(&asked)
        };
        assert!(page("text/html,application/xhtml+xml,*/*;q=0.8"));
        assert!(page("application/json, Text/HTML;q=0.1"));
        assert!(!page("*/*"));
        assert!(!page("text/*"));
        assert!(!page("text/html;q=0"));
        assert!(!wants_page(&HeaderMap::new()));
    }
}
