//! `GET /api/v1/search`: packages by name, text, kind, type, keyword and what they go with.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use provisioning_compat::{FitFor, Matrix, VersionsToml, fittings};
use provisioning_package::{ExtensionType, Kind, Target, Version};
use provisioning_registry_api::command::{SearchResult, SearchResults};
use provisioning_registry_api::openapi::{ExtensionTypeText, KindText, TargetText, VersionText};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::downloads::DAYS_DEFAULT;
use crate::app::App;
use crate::db::search::{Found, SearchAsked, SearchOrder, newest_published};
use crate::downloads::days_before;
use crate::problem::{Code, Refusal, ServerError};
use crate::read_side::newest;
use crate::rules::text::{self, TITLE_CHARS_MAX};

/// Results without a `limit`, and with one.
const RESULTS_DEFAULT: u64 = 50;
const RESULTS_MAX: u64 = 200;
/// Packages that are compared with a core in one request.
const COMPARED_MAX: u64 = 2_000;

/// What a search asks for.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct Asked {
    /// What to look for; everything where empty.
    #[serde(default)]
    #[param(required = false, max_length = 200)]
    q: String,
    /// Only packages of this kind.
    #[param(value_type = Option<KindText>)]
    kind: Option<Kind>,
    /// Only extensions of this type.
    #[serde(rename = "type")]
    #[param(rename = "type", value_type = Option<ExtensionTypeText>)]
    extension_type: Option<ExtensionType>,
    /// Only packages with this keyword.
    #[param(max_length = 200)]
    keyword: Option<String>,
    /// Only packages with a version that goes with this core.
    #[param(value_type = Option<VersionText>)]
    core: Option<Version>,
    /// Only packages with a version for this machine.
    #[param(value_type = Option<TargetText>)]
    target: Option<Target>,
    /// What comes first.
    #[serde(default)]
    #[param(required = false, inline)]
    order: Order,
    /// At most so many results.
    limit: Option<u64>,
    /// Where to go on: `next` of the page before.
    #[param(max_length = 32)]
    cursor: Option<String>,
}

/// What comes first.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Order {
    /// What fits the text best.
    #[default]
    Relevance,
    /// By name.
    Name,
    /// The package with the youngest version.
    Newest,
    /// The package that was asked for most in 90 days.
    Downloads,
}

/// What results are to go with.
struct Wanted {
    fit_for: FitFor,
    matrix: Matrix,
    /// Whether anything was asked that only a comparison tells.
    is_narrow: bool,
}

/// Answers with the packages that are asked for, best first.
pub(crate) async fn search(
    State(app): State<App>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Json<SearchResults>, ServerError> {
    let Query(asked) = asked.map_err(|error| Refusal::new(Code::BadRequest, error.body_text()))?;
    text::check(Code::BadRequest, "q", &asked.q, TITLE_CHARS_MAX)?;
    let keyword = asked.keyword.as_deref().unwrap_or_default();
    text::check(Code::BadRequest, "keyword", keyword, TITLE_CHARS_MAX)?;
    let limit = asked.limit.unwrap_or(RESULTS_DEFAULT).clamp(1, RESULTS_MAX);
    let start = asked.cursor.as_deref().map_or(Ok(0), offset)?;
    while app.db.refresh_search().await? {}
    let wanted = wanted(&app, &asked).await?;
    let question = SearchAsked {
        text: asked.q.trim().to_owned(),
        kind: asked.kind,
        extension_type: asked.extension_type,
        keyword: asked.keyword,
        order: asked.order.into(),
        since: days_before(app.now(), DAYS_DEFAULT - 1),
    };
    let mut packages = Vec::new();
    let mut at = start;
    loop {
        let page = app.db.search(&question, (at, RESULTS_MAX)).await?;
        let is_last = (page.len() as u64) < RESULTS_MAX;
        let count = page.len();
        for (index, found) in page.into_iter().enumerate() {
            if packages.len() as u64 == limit {
                return Ok(answer(packages, Some(at)));
            }
            at += 1;
            if wanted.takes(&found) {
                packages.push(result(found));
            }
            if is_last && index + 1 == count {
                return Ok(answer(packages, None));
            }
        }
        if is_last {
            return Ok(answer(packages, None));
        }
        if at - start >= COMPARED_MAX {
            return Ok(answer(packages, Some(at)));
        }
    }
}

async fn wanted(app: &App, asked: &Asked) -> Result<Wanted, ServerError> {
    let is_narrow = asked.core.is_some() || asked.target.is_some();
    let matrix = if is_narrow {
        let text = app.db.matrix_text().await?.unwrap_or_default();
        // What does not parse was never let in.
        VersionsToml::parse(&text, None).unwrap_or_default().matrix
    } else {
        Matrix::default()
    };
    Ok(Wanted {
        fit_for: FitFor {
            core: asked.core.clone(),
            target: asked.target,
            pre: false,
        },
        matrix,
        is_narrow,
    })
}

impl Wanted {
    fn takes(&self, found: &Found) -> bool {
        !self.is_narrow
            || fittings(&found.entry, &self.matrix, &self.fit_for)
                .iter()
                .any(|it| it.why_not.is_none())
    }
}

fn answer(packages: Vec<SearchResult>, next: Option<u64>) -> Json<SearchResults> {
    Json(SearchResults {
        packages,
        next: next.map(|it| format!("{it:x}")),
    })
}

fn offset(cursor: &str) -> Result<u64, Refusal> {
    let offset = u64::from_str_radix(cursor, 16).ok();
    offset
        .filter(|it| i64::try_from(*it).is_ok())
        .ok_or_else(|| Refusal::new(Code::BadRequest, "`cursor` is none that this registry gave"))
}

fn result(found: Found) -> SearchResult {
    let entry = found.entry;
    SearchResult {
        kind: entry.kind,
        extension_type: entry.extension_type,
        newest: newest(&entry.versions).map(|it| it.version.clone()),
        published_at: newest_published(&entry),
        description: entry.description,
        keywords: entry.keywords,
        downloads: found.downloads,
        state: entry.status.state,
        name: entry.name,
    }
}

impl From<Order> for SearchOrder {
    fn from(order: Order) -> Self {
        match order {
            Order::Relevance => Self::Relevance,
            Order::Name => Self::Name,
            Order::Newest => Self::Newest,
            Order::Downloads => Self::Downloads,
        }
    }
}
