//! A registry's files from a server, over HTTP.
//!
//! Whatever arrives is verified by others; here belong time-outs, size caps, retries of
//! what may be tried again, credentials that go to the one server that asked for them, and
//! that a redirect never leaves the scheme. Addresses may carry secrets (a signed link to a
//! bucket), so an error never repeats the one that a server sent.

use std::error::Error;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _};
use provisioning_trust::TransportError;
use reqwest::header::{CONTENT_RANGE, ETAG, IF_MATCH, RANGE};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, ClientBuilder, RequestBuilder, Response, StatusCode};
use tokio::sync::OnceCell;
use url::Url;

use super::pace::{Backoff, Pace};
use super::source::{FileStream, Resumption};
use crate::credentials::{Authorization, Chain};
use crate::failure::{Failure, Outcome};
use crate::settings::RegistryLocation;

/// How long a connection may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a server may be silent.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(30);
/// How many redirects are followed.
const REDIRECTS_MAX: usize = 5;
/// How often a small file is asked for again.
const RETRIES_MAX: u32 = 2;

/// How the network is used: what the user said of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Network {
    /// Certificates that are trusted beside the system's.
    pub(crate) ca_file: Option<PathBuf>,
    /// Where credentials are looked for, once they are asked for.
    pub(crate) credentials: Chain,
}

/// A registry's server.
#[derive(Debug)]
pub(crate) struct Server {
    client: Client,
    base: Url,
    chain: Chain,
    /// What was found, once it was looked for.
    found: OnceCell<Option<Authorization>>,
    /// Whether it wants credentials with every request.
    wants_credentials: AtomicBool,
}

/// An answer that is none, and whether asking again may help.
#[derive(Debug, thiserror::Error)]
#[error("the server answered {status}")]
pub(super) struct BadAnswer {
    status: StatusCode,
    retry_after: Option<Duration>,
}

/// The HTTP client for reading the registry at `location`.
fn reading_client(location: &RegistryLocation, network: &Network) -> Outcome<Client> {
    let scheme = location.url().scheme().to_owned();
    let policy = Policy::custom(move |attempt| {
        if attempt.previous().len() > REDIRECTS_MAX {
            attempt.error(format!("more than {REDIRECTS_MAX} redirects"))
        } else if attempt.url().scheme() == scheme {
            attempt.follow()
        } else {
            // `https` to `http` would undo the user's choice, and anything else is no place
            // for a registry's files.
            attempt.error("a redirect to another scheme is not followed")
        }
    });
    let builder = Client::builder()
        .read_timeout(SILENCE_TIMEOUT)
        .redirect(policy);
    build(location, network.ca_file.as_deref(), builder)
}

/// The HTTP client for writing to the registry at `location`: it follows no redirects, so
/// that a token goes nowhere else, and leaves time-outs to each request.
pub(crate) fn writing_client(
    location: &RegistryLocation,
    ca_file: Option<&std::path::Path>,
) -> Outcome<Client> {
    build(
        location,
        ca_file,
        Client::builder().redirect(Policy::none()),
    )
}

fn build(
    location: &RegistryLocation,
    ca_file: Option<&std::path::Path>,
    builder: ClientBuilder,
) -> Outcome<Client> {
    let mut builder = builder
        .user_agent(concat!("provisioning/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT);
    if location.url().scheme() == "http" {
        // A bare machine has no certificates, and without TLS it needs none.
        builder = builder.tls_certs_only([]);
    } else if let Some(path) = ca_file {
        builder = builder.tls_certs_merge(certificates(path)?);
    }
    builder.build().map_err(|problem| {
        Failure::new("http-client", "cannot prepare HTTPS")
            .with_chain(&problem)
            .with_hint(
                "install your system's CA certificates (`ca-certificates`), or name a bundle in \
                 `SSL_CERT_FILE`",
            )
    })
}

/// The certificates of a PEM file.
fn certificates(path: &std::path::Path) -> Outcome<Vec<Certificate>> {
    let bytes = std::fs::read(path).map_err(|it| Failure::io("read", path, &it))?;
    let all = Certificate::from_pem_bundle(&bytes).unwrap_or_default();
    if all.is_empty() {
        return Err(Failure::usage(format!(
            "`ca-file` names `{}`, which holds no certificate in PEM form",
            path.display()
        )));
    }
    Ok(all)
}

impl Server {
    pub(super) fn new(location: &RegistryLocation, network: &Network) -> Outcome<Self> {
        Ok(Self {
            client: reading_client(location, network)?,
            base: location.url().clone(),
            chain: network.credentials.clone(),
            found: OnceCell::new(),
            wants_credentials: AtomicBool::new(false),
        })
    }

    /// From now on credentials go with every request.
    pub(super) fn authorise(&self) {
        self.wants_credentials.store(true, Ordering::Relaxed);
    }

    /// The whole of a small file.
    pub(super) async fn fetch(
        &self,
        path: &str,
        max_bytes: u64,
    ) -> Result<Option<Vec<u8>>, TransportError> {
        let mut backoff = Backoff::new(RETRIES_MAX);
        loop {
            let problem = match self.fetch_once(path, max_bytes).await {
                Err(problem @ TransportError::Unreachable { .. }) => problem,
                settled => return settled,
            };
            let Some(delay) = backoff.delay_after(&problem) else {
                return Err(problem);
            };
            tracing::debug!(path, ?delay, "trying again: {problem}");
            tokio::time::sleep(delay).await;
        }
    }

    async fn fetch_once(
        &self,
        path: &str,
        max_bytes: u64,
    ) -> Result<Option<Vec<u8>>, TransportError> {
        let Some(response) = self.ask(path, &Resumption::default()).await? else {
            return Ok(None);
        };
        let too_large = || TransportError::TooLarge { max_bytes };
        if response.content_length().is_some_and(|it| it > max_bytes) {
            return Err(too_large());
        }
        let mut bytes = Vec::new();
        let mut pace = Pace::start();
        let mut chunks = response.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(broken)?;
            if (bytes.len() + chunk.len()) as u64 > max_bytes {
                return Err(too_large());
            }
            bytes.extend_from_slice(&chunk);
            pace.took(chunk.len())?;
        }
        Ok(Some(bytes))
    }

    /// A file from some position on, or from its start where the server does not know
    /// `Range`, or no longer has the bytes that came before.
    pub(super) async fn stream(
        &self,
        path: &str,
        from: &Resumption,
    ) -> Result<Option<FileStream>, TransportError> {
        let Some(response) = self.ask(path, from).await? else {
            return Ok(None);
        };
        let etag = response.headers().get(ETAG).and_then(|it| it.to_str().ok());
        let etag = etag.filter(|it| !it.starts_with("W/")).map(str::to_owned);
        let (offset, total) = match response.status() {
            StatusCode::PARTIAL_CONTENT => {
                let (first, total) = part_of(&response).ok_or_else(|| {
                    unreachable("the server answered with a part that it does not name")
                })?;
                (first, total)
            }
            _ => (0, response.content_length()),
        };
        Ok(Some(FileStream {
            offset,
            total,
            etag,
            chunks: response.bytes_stream().map_err(broken).boxed(),
        }))
    }

    /// Asks for a file; `None` where the server has none. Credentials are looked for once the
    /// server wants some.
    async fn ask(&self, path: &str, from: &Resumption) -> Result<Option<Response>, TransportError> {
        let is_ours = self.is_ours(path);
        let has_shown = is_ours && self.wants_credentials.load(Ordering::Relaxed);
        let mut response = self.send(path, from, has_shown).await?;
        if response.status() == StatusCode::UNAUTHORIZED && is_ours && !has_shown {
            self.authorise();
            response = self.send(path, from, true).await?;
        }
        match response.status() {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT => Ok(Some(response)),
            StatusCode::NOT_FOUND | StatusCode::GONE => Ok(None),
            // A bucket that may be read but not listed says so of what it does not have, and
            // the newest root is found by asking for the one after it.
            StatusCode::FORBIDDEN if path.ends_with(".root.json") => Ok(None),
            status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
                Err(TransportError::Refused {
                    reason: format!("the server answered {status}"),
                })
            }
            status => Err(unreachable(BadAnswer {
                status,
                retry_after: retry_after(&response),
            })),
        }
    }

    async fn send(
        &self,
        path: &str,
        from: &Resumption,
        shows_credentials: bool,
    ) -> Result<Response, TransportError> {
        let url = self.base.join(path).map_err(unreachable)?;
        if url.scheme() != self.base.scheme() {
            return Err(TransportError::Refused {
                reason: format!("`{url}` has another scheme than the registry"),
            });
        }
        tracing::debug!(%url, offset = from.offset, "GET");
        let mut request = self.client.get(url);
        if shows_credentials {
            request = authorised(request, self.credentials().await.as_ref());
        }
        if from.offset > 0 {
            request = request.header(RANGE, format!("bytes={}-", from.offset));
            if let Some(etag) = &from.etag {
                request = request.header(IF_MATCH, etag);
            }
        }
        request.send().await.map_err(broken)
    }

    /// Whether a path leads to the server that credentials are for.
    fn is_ours(&self, path: &str) -> bool {
        self.base
            .join(path)
            .is_ok_and(|it| it.origin() == self.base.origin())
    }

    async fn credentials(&self) -> Option<Authorization> {
        let look = || async {
            let (chain, base) = (self.chain.clone(), self.base.clone());
            let found = tokio::task::spawn_blocking(move || chain.find(&base)).await;
            found.unwrap_or_default()
        };
        self.found.get_or_init(look).await.clone()
    }
}

/// A request that proves who sends it.
pub(crate) fn authorised(request: RequestBuilder, by: Option<&Authorization>) -> RequestBuilder {
    match by {
        Some(Authorization::Bearer(token)) => request.bearer_auth(token.expose()),
        Some(Authorization::Basic { login, password }) => {
            request.basic_auth(login, Some(password.expose()))
        }
        None => request,
    }
}

impl BadAnswer {
    /// Whether the file is no longer the one that a part of is here.
    pub(super) fn is_changed(&self) -> bool {
        matches!(
            self.status,
            StatusCode::PRECONDITION_FAILED | StatusCode::RANGE_NOT_SATISFIABLE
        )
    }

    /// Whether the same request may do better later.
    pub(super) fn is_transient(&self) -> bool {
        self.status.is_server_error()
            || matches!(
                self.status,
                StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS
            )
    }

    /// How long the server asks to be left alone.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

/// `Retry-After` in seconds. Dates are not read: the clock of neither side is to be trusted.
fn retry_after(response: &Response) -> Option<Duration> {
    let text = response.headers().get("retry-after")?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

/// The first byte that a `206` answer carries, and the length of the whole:
/// `bytes 100-199/200`.
fn part_of(response: &Response) -> Option<(u64, Option<u64>)> {
    let range = response.headers().get(CONTENT_RANGE)?.to_str().ok()?;
    let (part, total) = range.strip_prefix("bytes ")?.split_once('/')?;
    let (first, _) = part.split_once('-')?;
    Some((first.trim().parse().ok()?, total.trim().parse().ok()))
}

/// An error of the network, without the address, which a redirect may have put a secret in.
fn broken(problem: reqwest::Error) -> TransportError {
    unreachable(problem.without_url())
}

fn unreachable(problem: impl Into<Box<dyn Error + Send + Sync>>) -> TransportError {
    TransportError::Unreachable {
        source: problem.into(),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::env::tests::bare;

    /// A bucket that may be read but not listed, and that holds nothing.
    async fn closed_bucket() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = stream.read(&mut [0; 4096]).await;
                let answer =
                    "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        let location = RegistryLocation::parse(&address, &bare(&[])).unwrap();
        Server::new(&location, &Network::default()).unwrap()
    }

    #[tokio::test]
    async fn a_bucket_that_hides_what_it_lacks_has_no_newer_root() {
        let server = closed_bucket().await;
        let root = server.fetch("metadata/2.root.json", 100).await.unwrap();
        assert_eq!(root, None);
        let other = server.fetch("metadata/timestamp.json", 100).await;
        assert!(matches!(other, Err(TransportError::Refused { .. })));
    }
}
