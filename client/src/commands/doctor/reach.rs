//! Can the registry be reached, and if not, which part of the way is broken?

use std::error::Error;
use std::io;
use std::time::Duration;

use jiff::fmt::rfc2822;
use jiff::{SignedDuration, Timestamp};
use provisioning_registry_api::paths::DISCOVERY;
use reqwest::header::DATE;

use super::Problem;
use crate::context::Context;
use crate::registry::{authorised, writing_client};
use crate::settings::RegistryLocation;

/// How long the registry may take to answer one small question.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);
/// How far two clocks may be apart before it is worth a word.
pub(super) const CLOCK_SLACK: SignedDuration = SignedDuration::from_mins(5);

/// Asks the registry for its discovery document: the problem with that, or the registry's
/// clock where it tells.
pub(super) async fn probe(
    location: &RegistryLocation,
    context: &Context,
) -> Result<Option<Timestamp>, Problem> {
    if let Some(folder) = location.folder() {
        let path = folder.join(DISCOVERY.trim_start_matches('/'));
        return match std::fs::metadata(&path) {
            Ok(_) => Ok(None),
            Err(problem) => Err(Problem::new(
                "registry-unreachable",
                format!("cannot read `{}`: {problem}", path.display()),
                "mount it, or name another copy with `provisioning registry add URL`",
            )),
        };
    }
    let client = writing_client(location, context.settings.ca_file.as_deref())
        .map_err(|it| Problem::of(&it))?;
    let url = location
        .url()
        .join(DISCOVERY.trim_start_matches('/'))
        .map_err(|it| Problem::new("registry-unreachable", it.to_string(), CHECK_ADDRESS))?;
    let ask = || client.get(url.clone()).timeout(ANSWER_TIMEOUT);
    let mut answer = ask().send().await;
    let is_closed = answer.as_ref().is_ok_and(|it| it.status().as_u16() == 401);
    if is_closed && let Some(found) = context.credentials(location).find(&url) {
        answer = authorised(ask(), Some(&found)).send().await;
    }
    let answer = answer.map_err(|problem| broken(&problem, location))?;
    let status = answer.status();
    let date = answer.headers().get(DATE).and_then(|it| it.to_str().ok());
    let date = date.and_then(|it| rfc2822::parse(it).ok());
    match status.as_u16() {
        200..=399 => Ok(date.map(|it| it.timestamp())),
        401 | 403 | 407 => Err(Problem::new(
            "registry-auth",
            format!("the registry at `{location}` does not let us in: it answered {status}"),
            "`provisioning login`",
        )),
        404 | 410 => Err(Problem::new(
            "not-a-registry",
            format!("what answers at `{location}` is no registry: it answered {status}"),
            CHECK_ADDRESS,
        )),
        _ => Err(Problem::new(
            "registry-unreachable",
            format!("the registry at `{location}` is out of order: it answered {status}"),
            "try again later, or tell its operator",
        )),
    }
}

/// What to do about an address that leads nowhere.
const CHECK_ADDRESS: &str =
    "check the address: `provisioning config show` tells where it comes from";

/// Which part of the way is broken.
fn broken(problem: &reqwest::Error, location: &RegistryLocation) -> Problem {
    let mut text = String::new();
    let mut kind = None;
    let mut next: Option<&(dyn Error + 'static)> = Some(problem);
    while let Some(cause) = next {
        text = cause.to_string();
        kind = cause
            .downcast_ref::<io::Error>()
            .map(io::Error::kind)
            .or(kind);
        let lower = text.to_lowercase();
        if lower.contains("dns error") {
            let host = location.url().host_str().unwrap_or_default();
            return Problem::new(
                "registry-dns",
                format!("the name `{host}` is not known: {}", last(problem)),
                "check the address, the name server (`/etc/resolv.conf`) and the network",
            );
        }
        if ["certificate", "handshake", "corrupt message", "tls"]
            .iter()
            .any(|it| lower.contains(it))
        {
            return Problem::new(
                "registry-tls",
                format!("no safe connection to `{location}`: {}", last(problem)),
                "check the clock and the CA certificates (`ca-certificates`; `ca-file` for those of \
                 your site beside them)",
            );
        }
        next = cause.source();
    }
    if kind == Some(io::ErrorKind::ConnectionRefused) {
        return Problem::new(
            "registry-refused",
            format!("nothing listens at `{location}`: {text}"),
            "check the address and the port, or whether the registry runs",
        );
    }
    if problem.is_timeout() || kind == Some(io::ErrorKind::TimedOut) {
        return Problem::new(
            "registry-timeout",
            format!("the registry at `{location}` does not answer in time"),
            "check the network and the proxy (`HTTPS_PROXY`, `NO_PROXY`)",
        );
    }
    Problem::new(
        "registry-unreachable",
        format!("cannot reach the registry at `{location}`: {text}"),
        "check the network and the address; `provisioning config show` tells where it comes from",
    )
}

/// The innermost cause.
fn last(problem: &reqwest::Error) -> String {
    let mut text = problem.to_string();
    let mut next = problem.source();
    while let Some(cause) = next {
        text = cause.to_string();
        next = cause.source();
    }
    text
}
