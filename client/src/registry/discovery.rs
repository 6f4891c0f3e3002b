//! The discovery document: where a registry keeps its parts. It is not signed, so a wrong
//! one may lead to an error and never to trust.

use provisioning_registry_api::discovery::{Discovery, PROTOCOL};
use provisioning_registry_api::paths::DISCOVERY;
use provisioning_trust::{Transport as _, TransportError};

use super::source::{Source, cause_of};
use crate::failure::{Exit, Failure, NOT_AUTHORISED, Outcome};
use crate::settings::RegistryLocation;

/// Longest discovery document.
const DISCOVERY_BYTES_MAX: u64 = 64 * 1024;

/// Fetches and reads the discovery document of the registry at `location`.
pub(crate) async fn discover(source: &Source, location: &RegistryLocation) -> Outcome<Discovery> {
    let bytes = source
        .fetch(DISCOVERY, DISCOVERY_BYTES_MAX)
        .await
        .map_err(|problem| unreachable(&problem, location))?
        .ok_or_else(|| no_registry(location, "there is no discovery document"))?;
    let discovery: Discovery = serde_json::from_slice(&bytes)
        .map_err(|problem| no_registry(location, &problem.to_string()))?;
    if discovery.protocol > PROTOCOL {
        return Err(Failure::new(
            "protocol",
            format!(
                "the registry at `{location}` speaks protocol {}, and this client only {PROTOCOL}",
                discovery.protocol
            ),
        )
        .with_hint("fetch a newer client with the registry's `install.sh`"));
    }
    Ok(discovery)
}

fn unreachable(problem: &TransportError, location: &RegistryLocation) -> Failure {
    if let TransportError::Refused { reason } = problem {
        return Failure::new(
            "registry-refused",
            format!("the registry at `{location}` does not let you in"),
        )
        .with_cause(reason)
        .with_hint(NOT_AUTHORISED);
    }
    let failure = Failure::new(
        "registry-unreachable",
        format!("cannot reach the registry at `{location}`"),
    );
    let failure = failure
        .with_chain(cause_of(problem))
        .with_exit(Exit::Unreachable);
    let hint = way_out(failure.causes());
    failure.with_hint(hint)
}

/// What to look at first, as far as the causes tell.
fn way_out(causes: &[String]) -> &'static str {
    let says = |word: &str| causes.iter().any(|it| it.to_lowercase().contains(word));
    if says("certificate") {
        "a certificate of your site's own is believed where `ca-file` names its issuer \
         (`provisioning config set ca-file FILE`); one that seems too old or too new may mean a \
         wrong clock (`date`)"
    } else if says("proxy auth") || says("407 ") {
        "the proxy wants a login: `HTTPS_PROXY=http://LOGIN:PASSWORD@HOST:PORT` (`HTTP_PROXY` for \
         `http:`), or `NO_PROXY` for hosts that need none"
    } else if says("proxy") || says("tunnel") {
        "check the proxy (`HTTPS_PROXY`, `HTTP_PROXY`), or name the host in `NO_PROXY`"
    } else {
        "check the address and the network; `provisioning config show` tells where the address comes from"
    }
}

pub(super) fn no_registry(location: &RegistryLocation, why: &str) -> Failure {
    Failure::new(
        "not-a-registry",
        format!("what answers at `{location}` is no registry"),
    )
    .with_cause(format!("{DISCOVERY}: {why}"))
    .with_exit(Exit::Unreachable)
    .with_hint("check the address; `provisioning config show` tells where it comes from")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_and_proxies_have_a_way_out_of_their_own() {
        let hint = |cause: &str| way_out(&["client error (Connect)".to_owned(), cause.to_owned()]);
        assert!(hint("invalid peer certificate: UnknownIssuer").contains("`ca-file`"));
        assert!(hint("the server answered 407 Proxy Authentication Required").contains("LOGIN"));
        assert!(hint("unsuccessful tunnel").contains("NO_PROXY"));
        assert!(hint("Connection refused (os error 111)").contains("address"));
    }
}
