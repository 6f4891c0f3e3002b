//! `provisioning-registry serve`.

use std::io::Write as _;

use anyhow::Context as _;
use clap::Args;
use provisioning_registry_server::{CrashPoint, Limits, Server, Settings};
use tokio::signal::unix::{SignalKind, signal};
use url::Url;

use super::RegistryArgs;
use crate::env::Environment;

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
    /// Aborts after a step of a publish, for tests
    #[arg(long, hide = true)]
    crash_at: Option<CrashPoint>,
}

impl ServeArgs {
    pub(super) async fn run(self, environment: Environment) -> anyhow::Result<()> {
        // Handlers first: a signal that comes during the set-up must not be lost.
        let mut terminate = signal(SignalKind::terminate()).context("no signal handler")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("no signal handler")?;
        let settings = Settings {
            data: self.registry.data,
            listen: self.listen,
            public_url: self.public_url,
            database: self.registry.database,
            storage: self.registry.storage,
            name: self.name,
            storage_options: environment.storage_options,
            limits: Limits::default(),
            crash: self.crash_at,
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
        server.run(shutdown).await;
        Ok(())
    }
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
    let mut stdout = std::io::stdout();
    writeln!(stdout, "listening on http://{}", server.address())?;
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
