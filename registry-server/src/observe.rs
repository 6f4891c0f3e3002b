//! Where what happens is told: lines on stderr, and spans to an OpenTelemetry collector.

use std::io::IsTerminal as _;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};
use url::Url;

/// What the collector is told about us.
const SERVICE: &str = "provisioning-registry";

/// How the log looks and where traces go.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ObserveArgs {
    /// How lines of the log are written
    #[arg(
        long,
        value_enum,
        default_value_t,
        env = "PROVISIONING_REGISTRY_LOG_FORMAT"
    )]
    log_format: LogFormat,
    /// OpenTelemetry collector that requests are traced to, by OTLP over HTTP:
    /// `http://localhost:4318`
    #[arg(long, value_name = "URL", env = "OTEL_EXPORTER_OTLP_ENDPOINT")]
    otlp_endpoint: Option<Url>,
    /// Share of requests that are traced, from 0 to 1; requests that belong to a trace follow it
    #[arg(
        long,
        value_name = "RATIO",
        default_value_t = 1.0,
        value_parser = ratio,
        env = "PROVISIONING_REGISTRY_TRACE_RATIO"
    )]
    trace_ratio: f64,
}

/// How lines of the log are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line, for programs.
    Json,
}

/// Sends what is left when the process ends.
pub(crate) struct Observing(Option<SdkTracerProvider>);

/// Begins to tell. `filter` says which lines: `warn,provisioning_registry_server=debug`.
pub(crate) fn begin(args: &ObserveArgs, filter: &str) -> anyhow::Result<Observing> {
    let provider = match &args.otlp_endpoint {
        Some(endpoint) => Some(provider(endpoint, args.trace_ratio)?),
        None => None,
    };
    let traces = provider.as_ref().map(|it| {
        tracing_opentelemetry::layer()
            .with_tracer(it.tracer(SERVICE))
            .with_filter(
                Targets::new().with_target("provisioning_registry_server", LevelFilter::INFO),
            )
    });
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = match args.log_format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    tracing_subscriber::registry()
        .with(lines.with_filter(EnvFilter::new(filter)))
        .with(traces)
        .init();
    Ok(Observing(provider))
}

fn provider(endpoint: &Url, ratio: f64) -> anyhow::Result<SdkTracerProvider> {
    let base = endpoint.as_str().trim_end_matches('/');
    let exporter = SpanExporter::builder()
        .with_http()
        .with_endpoint(format!("{base}/v1/traces"))
        .build()
        .context("traces cannot be sent")?;
    let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(ratio)));
    Ok(SdkTracerProvider::builder()
        .with_resource(Resource::builder().with_service_name(SERVICE).build())
        .with_sampler(sampler)
        .with_batch_exporter(exporter)
        .build())
}

impl Drop for Observing {
    fn drop(&mut self) {
        if let Some(provider) = &self.0 {
            // Nobody is left to tell where the collector does not answer.
            let _ = provider.shutdown();
        }
    }
}

fn ratio(text: &str) -> Result<f64, String> {
    let ratio: f64 = text.parse().map_err(|error| format!("{error}"))?;
    if (0.0..=1.0).contains(&ratio) {
        Ok(ratio)
    } else {
        Err("expected a number from 0 to 1".to_owned())
    }
}
