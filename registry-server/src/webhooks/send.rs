//! Sends one message: to the address that was judged, and to no other.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;
use jiff::Timestamp;
use reqwest::Client;
use reqwest::redirect::Policy;
use url::{Host, Url};

use super::signature::Secret;
use crate::rules::webhook_target::{judge, parse};

/// How long a receiver may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The receiver took it; its status.
    Taken(u16),
    /// The receiver wants no more (410).
    Gone,
    /// It was not taken, and why.
    Failed(String),
}

impl Outcome {
    /// For people.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Taken(status) => status.to_string(),
            Self::Gone => "410: the receiver wants no more".to_owned(),
            Self::Failed(why) => why.clone(),
        }
    }
}

/// A message that is ready to go.
#[derive(Debug)]
pub(crate) struct Letter<'a> {
    pub(crate) url: &'a str,
    pub(crate) secret: &'a Secret,
    pub(crate) id: &'a str,
    pub(crate) body: Vec<u8>,
}

/// Sends a message, unless its address must not be reached.
pub(crate) async fn send(letter: Letter<'_>, networks: &[IpNet], now: Timestamp) -> Outcome {
    match try_send(letter, networks, now).await {
        Ok(outcome) => outcome,
        Err(why) => Outcome::Failed(why),
    }
}

async fn try_send(
    letter: Letter<'_>,
    networks: &[IpNet],
    now: Timestamp,
) -> Result<Outcome, String> {
    let url = parse(letter.url)?;
    let addresses = resolve(&url).await?;
    let plain: Vec<IpAddr> = addresses.iter().map(SocketAddr::ip).collect();
    judge(url.scheme() == "https", &plain, networks)?;
    let mut builder = Client::builder()
        // A proxy or a redirect would lead to addresses that nobody judged.
        .no_proxy()
        .redirect(Policy::none())
        .timeout(PATIENCE)
        .user_agent(concat!("provisioning-registry/", env!("CARGO_PKG_VERSION")));
    if let Some(Host::Domain(host)) = url.host() {
        // The name is not asked again: its answer may have changed since it was judged.
        builder = builder.resolve_to_addrs(host, &addresses);
    }
    let client = builder.build().map_err(|error| explain(&error))?;
    let seconds = now.as_second();
    let signature = letter.secret.sign(letter.id, seconds, &letter.body);
    let response = client
        .post(url)
        .header("content-type", "application/json")
        .header("webhook-id", letter.id)
        .header("webhook-timestamp", seconds)
        .header("webhook-signature", signature)
        .body(letter.body)
        .send()
        .await
        .map_err(|error| explain(&error))?;
    let status = response.status();
    Ok(match status.as_u16() {
        200..=299 => Outcome::Taken(status.as_u16()),
        410 => Outcome::Gone,
        300..=399 => Outcome::Failed(format!("{status}: redirects are not followed")),
        _ => Outcome::Failed(status.to_string()),
    })
}

async fn resolve(url: &Url) -> Result<Vec<SocketAddr>, String> {
    let port = url.port_or_known_default().unwrap_or(443);
    match url.host() {
        None => Err("it has no host".to_owned()),
        Some(Host::Ipv4(address)) => Ok(vec![(address, port).into()]),
        Some(Host::Ipv6(address)) => Ok(vec![(address, port).into()]),
        Some(Host::Domain(host)) => {
            let looking = tokio::net::lookup_host((host, port));
            let found = tokio::time::timeout(PATIENCE, looking).await;
            let found = found.map_err(|_| format!("`{host}` was not found in time"))?;
            let found = found.map_err(|error| format!("`{host}` is not found: {error}"))?;
            Ok(found.collect())
        }
    }
}

/// A failure as one line without the address, which may hold a secret path.
fn explain(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer within {} s", PATIENCE.as_secs());
    }
    let mut source: &dyn std::error::Error = error;
    while let Some(next) = source.source() {
        source = next;
    }
    if error.is_connect() {
        format!("no connection: {source}")
    } else {
        source.to_string()
    }
}
