//! The command line of the public TUF client conformance suite, over the very code that
//! installs use. Test support: it is not installed, and speaks plain http to loopback.
//!
//! ```text
//! tuf-client --metadata-dir D init ROOT
//! tuf-client --metadata-dir D --metadata-url U refresh
//! tuf-client --metadata-dir D --metadata-url U --target-name P… --target-base-url T --target-dir O download
//! ```
//!
//! Exit 0 or 1; `D` then holds `root.json`, `timestamp.json`, `snapshot.json`, `targets.json`
//! and `<role>.json`, byte for byte as served.

use std::error::Error;
use std::future::Future;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::future::BoxFuture;
use provisioning_trust::{Transport, TransportError, TrustedRegistry};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const SILENCE_MAX: Duration = Duration::from_secs(15);
const HEAD_BYTES_MAX: u64 = 64 * 1024;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(error.as_ref());
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "it is a command")]
fn complain(error: &(dyn Error + 'static)) {
    eprintln!("error: {error}");
    let mut cause = error.source();
    while let Some(source) = cause {
        eprintln!("  caused by: {source}");
        cause = source.source();
    }
}

#[derive(Default)]
struct Arguments {
    metadata_dir: PathBuf,
    metadata_url: String,
    target_names: Vec<String>,
    target_base_url: String,
    target_dir: PathBuf,
    words: Vec<String>,
}

fn arguments() -> Outcome<Arguments> {
    let mut parsed = Arguments::default();
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        if !word.starts_with("--") {
            parsed.words.push(word);
            continue;
        }
        let value = words.next().ok_or(format!("`{word}` needs a value"))?;
        match word.as_str() {
            "--metadata-dir" => parsed.metadata_dir = value.into(),
            "--metadata-url" => parsed.metadata_url = value,
            "--target-name" => parsed.target_names.push(value),
            "--target-base-url" => parsed.target_base_url = value,
            "--target-dir" => parsed.target_dir = value.into(),
            _ => return Err(format!("`{word}` is no option of this program").into()),
        }
    }
    Ok(parsed)
}

fn run() -> Outcome<()> {
    let arguments = arguments()?;
    let words: Vec<&str> = arguments.words.iter().map(String::as_str).collect();
    match words[..] {
        ["init", root] => {
            let root = std::fs::read(root)?;
            Ok(TrustedRegistry::pin(&arguments.metadata_dir, &root)?)
        }
        ["refresh"] => refreshed(&arguments).map(drop),
        ["download"] => download(&arguments),
        _ => Err("expected `init ROOT`, `refresh` or `download`".into()),
    }
}

#[expect(clippy::disallowed_methods, reason = "a main file reads the clock")]
fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

fn refreshed(arguments: &Arguments) -> Outcome<TrustedRegistry> {
    let mut registry = TrustedRegistry::open_pinned(
        &arguments.metadata_dir,
        Arc::new(PlainHttp),
        &folder(&arguments.metadata_url),
        &folder(&arguments.target_base_url),
    )?;
    block_on(registry.refresh(now()))?;
    Ok(registry)
}

fn download(arguments: &Arguments) -> Outcome<()> {
    let mut registry = refreshed(arguments)?;
    for name in &arguments.target_names {
        let bytes = block_on(registry.target(name, now()))?;
        let bytes = bytes.ok_or(format!("no role lists the target `{name}`"))?;
        std::fs::write(place(&arguments.target_dir, name), bytes)?;
    }
    Ok(())
}

/// One file for each target, without folders, so that no name leads elsewhere.
fn place(folder: &Path, target: &str) -> PathBuf {
    let spell = |byte: u8| {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    folder.join(target.bytes().map(spell).collect::<String>())
}

fn folder(url: &str) -> String {
    format!("{}/", url.trim_end_matches('/'))
}

/// Drives a future that only ever waits for [`PlainHttp`], which blocks.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
        std::thread::yield_now();
    }
}

/// HTTP/1.0 without anything: one connection a file, no redirects, no encryption.
struct PlainHttp;

impl Transport for PlainHttp {
    fn fetch<'a>(
        &'a self,
        path: &'a str,
        max_bytes: u64,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, TransportError>> {
        Box::pin(async move {
            let (status, body) =
                get(path, max_bytes).map_err(|source| TransportError::Unreachable { source })?;
            match status {
                // Some storages answer 403 for what does not exist.
                403 | 404 => Ok(None),
                200 if body.len() as u64 > max_bytes => Err(TransportError::TooLarge { max_bytes }),
                200 => Ok(Some(body)),
                other => Err(TransportError::Unreachable {
                    source: format!("status {other} for `{path}`").into(),
                }),
            }
        })
    }
}

/// The status and at most `max_bytes` + 1 of the body.
fn get(url: &str, max_bytes: u64) -> Outcome<(u16, Vec<u8>)> {
    let rest = url
        .strip_prefix("http://")
        .ok_or(format!("`{url}` is not plain http"))?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let address = if host.contains(':') {
        host.to_owned()
    } else {
        format!("{host}:80")
    };
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(SILENCE_MAX))?;
    write!(stream, "GET /{path} HTTP/1.0\r\nHost: {host}\r\n\r\n")?;
    let mut answer = Vec::new();
    let limit = max_bytes.saturating_add(HEAD_BYTES_MAX);
    stream.take(limit).read_to_end(&mut answer)?;
    let end = answer
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .ok_or(format!("`{url}` was answered without HTTP headers"))?;
    let body = answer.split_off(end + 4);
    let head = String::from_utf8_lossy(&answer);
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
    let status = status.ok_or(format!("`{url}` was answered without a status"))?;
    let announced = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse::<usize>().ok());
    if announced.is_some_and(|length| length > body.len() && (body.len() as u64) <= max_bytes) {
        return Err(format!("`{url}` was cut short").into());
    }
    Ok((status, body))
}
