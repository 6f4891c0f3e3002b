//! What Prometheus reads: counters that the code raises as things happen, and gauges that are
//! read when somebody looks.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderValue, Method, header};
use axum::middleware::from_fn;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use jiff::Timestamp;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use provisioning_trust::Repository;

use crate::app::App;
use crate::problem::{Code, Refusal, ServerError, chain};

/// Every request that was answered.
const REQUESTS: &str = "provisioning_registry_requests_total";
/// How long answers took until their head was sent.
const DURATION: &str = "provisioning_registry_request_seconds";
/// Open connections.
pub(crate) const CONNECTIONS: &str = "provisioning_registry_connections";
/// Connections that were turned away.
pub(crate) const TURNED_AWAY: &str = "provisioning_registry_connections_turned_away_total";
/// Webhook messages by outcome.
pub(crate) const WEBHOOKS: &str = "provisioning_registry_webhook_messages_total";
/// Archives that were sent whole.
pub(crate) const DOWNLOADS: &str = "provisioning_registry_downloads_total";

/// Upper ends of the buckets of [`DURATION`], in seconds.
const BUCKETS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
];

/// How often samples that nobody read are folded together.
const FOLD_EVERY: Duration = Duration::from_secs(5);

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// What this process has counted.
#[derive(Debug, Clone)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// Begins to count; once in a process.
    pub fn install() -> Result<Self, BuildError> {
        let handle = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Full(DURATION.to_owned()), &BUCKETS)?
            .install_recorder()?;
        describe();
        Ok(Self(handle))
    }

    /// Folds samples together for ever: a histogram that nobody reads must not grow.
    pub(crate) async fn fold(self) {
        loop {
            tokio::time::sleep(FOLD_EVERY).await;
            self.0.run_upkeep();
        }
    }
}

fn describe() {
    metrics::describe_counter!(REQUESTS, "Requests by method, route and status.");
    metrics::describe_histogram!(
        DURATION,
        metrics::Unit::Seconds,
        "Time to an answer's head, by route."
    );
    metrics::describe_gauge!(CONNECTIONS, "Open connections.");
    metrics::describe_counter!(TURNED_AWAY, "Connections turned away: every seat was busy.");
    metrics::describe_counter!(WEBHOOKS, "Tries to send webhook messages, by outcome.");
    metrics::describe_counter!(DOWNLOADS, "Archives that were sent whole.");
    metrics::describe_counter!(
        "provisioning_registry_rate_limited_total",
        "Requests refused for coming too often, by class."
    );
    metrics::describe_gauge!(
        "provisioning_registry_serial",
        "The last change that is acknowledged."
    );
    metrics::describe_gauge!(
        "provisioning_registry_visible_serial",
        "The last change that clients can read from this server."
    );
    metrics::describe_gauge!(
        "provisioning_registry_open_jobs",
        "Changes that wait to become readable."
    );
    metrics::describe_gauge!(
        "provisioning_registry_audit_lines",
        "Lines of the audit log."
    );
    metrics::describe_gauge!(
        "provisioning_registry_role_expiry_seconds",
        "Seconds until the signature of a role ends, by role."
    );
    metrics::describe_gauge!(
        "provisioning_registry_up",
        "1 where database and storage answered just now, by part."
    );
    metrics::describe_gauge!("provisioning_registry_build_info", "The version that runs.");
}

/// Counts an answer.
pub(crate) fn count(method: &Method, route: &str, status: u16, took: Duration) {
    let method = match method.as_str() {
        // A client can make methods up; the counter cannot have any number of labels.
        it @ ("GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS") => it.to_owned(),
        _ => "other".to_owned(),
    };
    let labels = [
        ("method", method),
        ("route", route.to_owned()),
        ("status", status.to_string()),
    ];
    metrics::counter!(REQUESTS, &labels).increment(1);
    metrics::histogram!(DURATION, "route" => route.to_owned()).record(took.as_secs_f64());
}

/// `GET /metrics`: everything that was counted, in Prometheus' text format.
pub(crate) async fn show(State(app): State<App>) -> Result<Response, ServerError> {
    let Some(metrics) = app.metrics.clone() else {
        return Err(Refusal::new(Code::NotFound, "this process records no metrics").into());
    };
    look(&app).await;
    let text = metrics.0.render();
    let headers = [
        (header::CONTENT_TYPE, TEXT),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, text).into_response())
}

/// Reads what is not counted as it happens.
async fn look(app: &App) {
    #[expect(
        clippy::cast_precision_loss,
        reason = "gauges are floating-point numbers"
    )]
    let number = |value: u64| value as f64;
    let view = app.read_side.view();
    metrics::gauge!("provisioning_registry_build_info", "version" => env!("CARGO_PKG_VERSION"))
        .set(1.0);
    metrics::gauge!("provisioning_registry_visible_serial").set(number(view.serial));
    for (role, expires) in expiries(&view.repository) {
        let left = expires.as_second() - app.now().as_second();
        #[expect(
            clippy::cast_precision_loss,
            reason = "gauges are floating-point numbers"
        )]
        let left = left as f64;
        metrics::gauge!("provisioning_registry_role_expiry_seconds", "role" => role).set(left);
    }
    let database = async {
        let serial = app.db.serial().await?;
        let jobs = app.db.open_jobs().await?.len() as u64;
        let audit = app.db.audit_head().await?.map_or(0, |it| it.number);
        Ok::<_, crate::db::DbError>((serial, jobs, audit))
    };
    let up = match database.await {
        Ok((serial, jobs, audit)) => {
            metrics::gauge!("provisioning_registry_serial").set(number(serial));
            metrics::gauge!("provisioning_registry_open_jobs").set(number(jobs));
            metrics::gauge!("provisioning_registry_audit_lines").set(number(audit));
            1.0
        }
        Err(error) => {
            let chain = chain(&error);
            tracing::error!("the database does not answer: {chain}");
            0.0
        }
    };
    metrics::gauge!("provisioning_registry_up", "part" => "database").set(up);
    let storage = app.storage.length(crate::read_side::TIMESTAMP).await;
    let up = if matches!(storage, Ok(Some(_))) {
        1.0
    } else {
        0.0
    };
    metrics::gauge!("provisioning_registry_up", "part" => "storage").set(up);
}

/// When each role's signature ends; the 256 bins as one, by the first of them that ends.
fn expiries(repository: &Repository) -> BTreeMap<String, Timestamp> {
    let mut ends = BTreeMap::<String, Timestamp>::new();
    for role in repository.roles() {
        let name = if role.name.starts_with("bin-") {
            "bins".to_owned()
        } else {
            role.name
        };
        let end = ends.entry(name).or_insert(role.expires);
        *end = (*end).min(role.expires);
    }
    ends
}

/// What the listener for metrics serves: nothing else, and to everyone who reaches it.
pub(crate) fn router(app: &App) -> Router {
    Router::new()
        .route("/metrics", get(show))
        .fallback(async || Refusal::new(Code::NotFound, "`/metrics` is all that is here"))
        .layer(from_fn(crate::routes::surround::plain))
        .with_state(app.clone())
}
