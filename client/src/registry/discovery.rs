//! The discovery document: where a registry keeps its parts. It is not signed, so a wrong
//! one may lead to an error and never to trust.

use provisioning_registry_api::discovery::{Discovery, PROTOCOL};
use provisioning_registry_api::paths::DISCOVERY;
use provisioning_trust::{Transport as _, TransportError};

use super::source::{Source, cause_of};
use crate::failure::{Exit, Failure, Outcome};
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
    let failure = Failure::new(
        "registry-unreachable",
        format!("cannot reach the registry at `{location}`"),
    );
    failure
        .with_chain(cause_of(problem))
        .with_exit(Exit::Unreachable)
        .with_hint("check the address and the network; `provisioning config show` tells where the address comes from")
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
