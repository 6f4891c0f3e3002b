//! A registry's files from a server, over HTTP.
//!
//! Whatever arrives is verified by others; here belong time-outs, size caps, retries of
//! what may be tried again, and that a redirect never leaves the scheme.

use std::error::Error;
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _};
use provisioning_trust::TransportError;
use reqwest::header::{CONTENT_RANGE, RANGE};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Response, StatusCode};
use url::Url;

use super::source::FileStream;
use crate::credentials::Secret;
use crate::failure::{Failure, Outcome};
use crate::settings::RegistryLocation;

/// How long a connection may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a server may be silent.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(30);
/// How many redirects are followed.
const REDIRECTS_MAX: usize = 5;
/// How long to wait before each further try.
const RETRY_DELAYS: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(1)];

/// A registry's server.
#[derive(Debug)]
pub(crate) struct Server {
    client: Client,
    base: Url,
    token: Option<Secret>,
}

/// The HTTP client for reading the registry at `location`.
fn reading_client(location: &RegistryLocation) -> Outcome<Client> {
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
    build(
        location,
        Client::builder()
            .read_timeout(SILENCE_TIMEOUT)
            .redirect(policy),
    )
}

/// The HTTP client for writing to the registry at `location`: it follows no redirects, so
/// that a token goes nowhere else, and leaves time-outs to each request.
pub(crate) fn writing_client(location: &RegistryLocation) -> Outcome<Client> {
    build(location, Client::builder().redirect(Policy::none()))
}

fn build(location: &RegistryLocation, builder: ClientBuilder) -> Outcome<Client> {
    let mut builder = builder
        .user_agent(concat!("provisioning/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT);
    if location.url().scheme() == "http" {
        // A bare machine has no certificates, and without TLS it needs none.
        builder = builder.tls_certs_only([]);
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

impl Server {
    pub(super) fn new(location: &RegistryLocation) -> Outcome<Self> {
        Ok(Self {
            client: reading_client(location)?,
            base: location.url().clone(),
            token: None,
        })
    }

    pub(super) fn with_token(self, token: Secret) -> Self {
        Self {
            token: Some(token),
            ..self
        }
    }

    /// The whole of a small file.
    pub(super) async fn fetch(
        &self,
        path: &str,
        max_bytes: u64,
    ) -> Result<Option<Vec<u8>>, TransportError> {
        let mut delays = RETRY_DELAYS.iter();
        loop {
            let problem = match self.fetch_once(path, max_bytes).await {
                Err(problem @ TransportError::Unreachable { .. }) => problem,
                settled => return settled,
            };
            let Some(delay) = delays.next() else {
                return Err(problem);
            };
            tracing::debug!(path, "trying again: {problem}");
            tokio::time::sleep(*delay).await;
        }
    }

    async fn fetch_once(
        &self,
        path: &str,
        max_bytes: u64,
    ) -> Result<Option<Vec<u8>>, TransportError> {
        let Some(mut response) = self.ask(path, None).await? else {
            return Ok(None);
        };
        let too_large = || TransportError::TooLarge { max_bytes };
        if response.content_length().is_some_and(|it| it > max_bytes) {
            return Err(too_large());
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if (bytes.len() + chunk.len()) as u64 > max_bytes {
                return Err(too_large());
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Some(bytes))
    }

    /// A file from `offset` on, or from its start where the server does not know `Range`.
    pub(super) async fn stream(
        &self,
        path: &str,
        offset: u64,
    ) -> Result<Option<FileStream>, TransportError> {
        let wanted = (offset > 0).then_some(offset);
        let Some(response) = self.ask(path, wanted).await? else {
            return Ok(None);
        };
        let offset = match response.status() {
            StatusCode::PARTIAL_CONTENT => first_byte(&response).ok_or_else(|| {
                unreachable("the server answered with a part that it does not name".to_owned())
            })?,
            _ => 0,
        };
        Ok(Some(FileStream {
            offset,
            chunks: response.bytes_stream().map_err(unreachable).boxed(),
        }))
    }

    /// Asks for a file; `None` where the server has none.
    async fn ask(&self, path: &str, from: Option<u64>) -> Result<Option<Response>, TransportError> {
        let url = self.base.join(path).map_err(unreachable)?;
        if url.scheme() != self.base.scheme() {
            return Err(TransportError::Refused {
                reason: format!("`{url}` has another scheme than the registry"),
            });
        }
        tracing::debug!(%url, ?from, "GET");
        let is_ours = url.origin() == self.base.origin();
        let mut request = self.client.get(url);
        if let Some(token) = self.token.as_ref().filter(|_| is_ours) {
            request = request.bearer_auth(token.expose());
        }
        if let Some(offset) = from {
            request = request.header(RANGE, format!("bytes={offset}-"));
        }
        let response = request.send().await.map_err(unreachable)?;
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
            status => Err(unreachable(format!("the server answered {status}"))),
        }
    }
}

/// The first byte that a `206` answer carries: `bytes 100-199/200`.
fn first_byte(response: &Response) -> Option<u64> {
    let range = response.headers().get(CONTENT_RANGE)?.to_str().ok()?;
    let (first, _) = range.strip_prefix("bytes ")?.split_once('-')?;
    first.trim().parse().ok()
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
        Server::new(&location).unwrap()
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
