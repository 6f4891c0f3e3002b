//! `provisioning trust status`: how every role stands.

use std::io::{self, Write};

use jiff::Timestamp;
use provisioning_registry_api::trust::TrustStatus;
use provisioning_trust::KeyChange;
use serde::Serialize;

use crate::context::Context;
use crate::failure::Outcome;
use crate::registry::RegistryReader;
use crate::write_api::WriteClient;

/// Roles with fewer days than this are pointed out.
const SOON_DAYS: i64 = 14;

#[derive(Serialize)]
struct Status {
    registry: String,
    root_fingerprint: String,
    roles: Vec<Role>,
    /// `None` where the registry could not be asked.
    awaiting_signature: Option<u64>,
}

#[derive(Serialize)]
struct Role {
    #[serde(rename = "role")]
    name: String,
    version: u64,
    expires: Timestamp,
    days_left: i64,
    threshold: usize,
    keys: Vec<String>,
    /// Whether the registry holds keys that suffice; `None` where it could not be asked.
    online: Option<bool>,
    should_move: Option<bool>,
    /// Whether this machine verified it; the rest is what the registry says.
    verified: bool,
}

/// Runs it.
pub(super) async fn run(context: &Context) -> Outcome<()> {
    let location = context.settings.registry()?;
    let mut registry = RegistryReader::open(context).await?;
    let told = match WriteClient::open_anonymous(context).await {
        Ok(api) => api.trust_status().await.ok(),
        Err(_) => None,
    };
    let document = Status {
        registry: location.to_string(),
        root_fingerprint: registry.trusted().root_fingerprint().prefixed(),
        roles: roles(&mut registry, told.as_ref(), context.now()).await?,
        awaiting_signature: told.as_ref().map(|it| it.awaiting_signature),
    };
    context
        .output
        .result(&document, |out| write(&document, context, out))
}

async fn roles(
    registry: &mut RegistryReader,
    told: Option<&TrustStatus>,
    now: Timestamp,
) -> Outcome<Vec<Role>> {
    let keys = match registry.role_files().await {
        Ok(files) => Some(KeyChange::over(&files)?),
        // A registry that lists everything in `targets` has no such roles.
        Err(_) => None,
    };
    let mut roles = Vec::new();
    for name in [
        "root",
        "targets",
        "release",
        "extensions",
        "snapshot",
        "timestamp",
    ] {
        let Some((version, expires)) = registry.trusted().role(name) else {
            continue;
        };
        let roster = keys.as_ref().and_then(|it| it.roster(name).ok());
        let said = told.and_then(|it| it.roles.iter().find(|it| it.role == name));
        roles.push(Role {
            name: name.to_owned(),
            version,
            expires,
            days_left: days(expires, now),
            threshold: roster
                .as_ref()
                .map_or(1, provisioning_trust::Roster::threshold),
            keys: roster
                .iter()
                .flat_map(provisioning_trust::Roster::ids)
                .map(str::to_owned)
                .collect(),
            online: said.map(|it| it.online),
            should_move: said.map(|it| it.should_move),
            verified: true,
        });
    }
    if let Some(bins) = told.and_then(|it| it.roles.iter().find(|it| it.role == "bins")) {
        roles.push(Role {
            name: bins.role.clone(),
            version: bins.version,
            expires: bins.expires,
            days_left: days(bins.expires, now),
            threshold: usize::try_from(bins.threshold).unwrap_or(usize::MAX),
            keys: bins.keys.iter().map(|it| it.id.clone()).collect(),
            online: Some(bins.online),
            should_move: Some(bins.should_move),
            verified: false,
        });
    }
    Ok(roles)
}

fn days(expires: Timestamp, now: Timestamp) -> i64 {
    expires.duration_since(now).as_hours().div_euclid(24)
}

fn write(document: &Status, context: &Context, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "root fingerprint  {}", document.root_fingerprint)?;
    writeln!(
        out,
        "{:<12}{:>9}{:>12}{:>10}  signed by",
        "role", "version", "days left", "keys"
    )?;
    for role in &document.roles {
        let keys = format!("{} of {}", role.threshold, role.keys.len());
        let place = match role.online {
            Some(true) => "the registry",
            Some(false) => "people",
            None => "",
        };
        let short = !matches!(role.name.as_str(), "timestamp" | "snapshot");
        let days = if short && role.days_left < SOON_DAYS {
            context.output.bad(&format!("{:>12}", role.days_left))
        } else {
            format!("{:>12}", role.days_left)
        };
        writeln!(
            out,
            "{:<12}{:>9}{days}{keys:>10}  {place}",
            role.name, role.version
        )?;
    }
    let moving: Vec<&str> = document
        .roles
        .iter()
        .filter(|it| it.should_move == Some(true))
        .map(|it| it.name.as_str())
        .collect();
    if !moving.is_empty() {
        writeln!(
            out,
            "the registry holds keys that people ought to hold: {}\n\
             `provisioning trust init --threshold 2 --of 3 --out DIR` moves them",
            moving.join(", ")
        )?;
    }
    match document.awaiting_signature {
        Some(0) | None => Ok(()),
        Some(_) => writeln!(
            out,
            "a release waits for signatures: `provisioning trust sign --key FILE`"
        ),
    }
}
