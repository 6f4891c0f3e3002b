//! `provisioning-registry serve`.

use std::io::Write as _;
use std::net::IpAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use ipnet::IpNet;
use provisioning_registry_server::{
    CrashPoint, Metrics, RateSetting, Rates, Server, Settings, Tls, TlsFiles,
};
use tokio::signal::unix::{Signal, SignalKind, signal};
use url::Url;

use super::RegistryArgs;
use crate::env::Environment;
use crate::observe::ObserveArgs;

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    registry: RegistryArgs,
    /// Address and port to listen on; port 0 takes a free one
    #[arg(
        long,
        value_name = "ADDR",
        default_value = "127.0.0.1:8080",
        env = "PROVISIONING_REGISTRY_LISTEN"
    )]
    listen: String,
    /// Base URL that clients reach this registry under [default: `http://` and the address]
    #[arg(long, value_name = "URL", value_parser = public_url, env = "PROVISIONING_REGISTRY_PUBLIC_URL")]
    public_url: Option<Url>,
    /// What people call this registry
    #[arg(
        long,
        value_name = "NAME",
        default_value = "provisioning",
        env = "PROVISIONING_REGISTRY_NAME"
    )]
    name: String,
    /// Certificate chain (PEM) that TLS ends with here [default: plain HTTP]
    #[arg(
        long,
        value_name = "FILE",
        requires = "tls_key",
        env = "PROVISIONING_REGISTRY_TLS_CERT"
    )]
    tls_cert: Option<PathBuf>,
    /// Private key (PEM) of the certificate; both are read again on SIGHUP and when they change
    #[arg(
        long,
        value_name = "FILE",
        requires = "tls_cert",
        env = "PROVISIONING_REGISTRY_TLS_KEY"
    )]
    tls_key: Option<PathBuf>,
    /// Network of proxies whose `X-Forwarded-For` is believed: `10.0.0.0/8`; may be repeated
    #[arg(
        long,
        value_name = "CIDR",
        value_parser = network,
        value_delimiter = ',',
        env = "PROVISIONING_REGISTRY_TRUSTED_PROXIES"
    )]
    trusted_proxy: Vec<IpNet>,
    /// How often a caller may ask: `read=6000/min`, `write=100/s`, `login=off`; may be repeated
    #[arg(
        long,
        value_name = "CLASS=RATE",
        value_delimiter = ',',
        env = "PROVISIONING_REGISTRY_RATE_LIMITS"
    )]
    rate_limit: Vec<RateSetting>,
    /// Takes no changes; what is published stays readable
    #[arg(long, env = "PROVISIONING_REGISTRY_READ_ONLY")]
    read_only: bool,
    /// Address where metrics for Prometheus are shown to everyone who reaches it [default: none;
    /// `/metrics` of the registry needs a token with the scope `admin`]
    #[arg(
        long,
        value_name = "ADDR",
        env = "PROVISIONING_REGISTRY_METRICS_LISTEN"
    )]
    metrics_listen: Option<String>,
    /// Private network that webhooks may reach: `10.1.0.0/16`; may be repeated
    #[arg(
        long,
        value_name = "CIDR",
        value_parser = network,
        value_delimiter = ',',
        env = "PROVISIONING_REGISTRY_WEBHOOK_NETWORKS"
    )]
    webhook_network: Vec<IpNet>,
    #[command(flatten)]
    pub(super) observe: ObserveArgs,
    /// Aborts after a step of a publish, for tests
    #[arg(long, hide = true)]
    crash_at: Option<CrashPoint>,
}

impl ServeArgs {
    pub(super) async fn run(self, environment: Environment) -> anyhow::Result<()> {
        // Handlers first: a signal that comes during the set-up must not be lost.
        let mut terminate = signal(SignalKind::terminate()).context("no signal handler")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("no signal handler")?;
        let hangup = signal(SignalKind::hangup()).context("no signal handler")?;
        let rates = self
            .rate_limit
            .into_iter()
            .fold(Rates::default(), Rates::with);
        let settings = Settings {
            listen: self.listen,
            public_url: self.public_url,
            database: self.registry.database,
            storage: self.registry.storage,
            name: self.name,
            storage_options: environment.storage_options,
            tls: self
                .tls_cert
                .zip(self.tls_key)
                .map(|(certificate, key)| TlsFiles { certificate, key }),
            trusted_proxies: self.trusted_proxy,
            rates,
            read_only: self.read_only,
            metrics: Some(Metrics::install().context("metrics cannot be recorded")?),
            metrics_listen: self.metrics_listen,
            webhook_networks: self.webhook_network,
            crash: self.crash_at,
            ..Settings::in_folder(self.registry.data)
        };
        let shutdown = async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            tracing::info!("shutting down");
        };
        let mut shutdown = std::pin::pin!(shutdown);
        let server = tokio::select! {
            server = Server::start(settings, environment.clock) => server?,
            () = &mut shutdown => return Ok(()),
        };
        announce(&server).context("stdout is closed")?;
        let reloading = tokio::spawn(reload_on_hangup(server.tls().cloned(), hangup));
        server.run(shutdown).await;
        reloading.abort();
        Ok(())
    }
}

/// Reads the certificate again whenever the process is told so.
async fn reload_on_hangup(tls: Option<Tls>, mut hangup: Signal) {
    while hangup.recv().await.is_some() {
        if let Some(tls) = &tls {
            tls.reload();
        }
    }
}

/// A network, or one address as a network of its own.
fn network(text: &str) -> Result<IpNet, String> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(address.into());
    }
    text.parse()
        .map_err(|_| "expected an address or a network: `10.0.0.0/8`".to_owned())
}

/// Says where the server is: the address on stdout for programs, the rest on stderr.
fn announce(server: &Server) -> std::io::Result<()> {
    writeln!(
        std::io::stderr(),
        "admin token: {}",
        server.admin_token().display()
    )?;
    let moving = server.roles_to_move();
    if !moving.is_empty() {
        writeln!(
            std::io::stderr(),
            "keys: this registry holds those of {} itself; people ought to: `provisioning trust \
             init --threshold 2 --of 3 --out DIR` moves them",
            moving.join(", ")
        )?;
    }
    if let Some(address) = server.metrics_address() {
        writeln!(std::io::stderr(), "metrics: http://{address}/metrics")?;
    }
    let scheme = if server.tls().is_some() {
        "https"
    } else {
        "http"
    };
    let mut stdout = std::io::stdout();
    writeln!(stdout, "listening on {scheme}://{}", server.address())?;
    stdout.flush()
}

/// A public URL is a base for paths: it has a host, no query and no fragment.
fn public_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    let is_base = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    if is_base {
        Ok(url)
    } else {
        Err("expected `http(s)://HOST[/PATH]`".to_owned())
    }
}
