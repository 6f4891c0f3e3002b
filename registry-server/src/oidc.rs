//! Checking the tokens of `OpenID` Connect issuers: only issuers that an administrator named
//! are ever asked for keys, only keys of public-key algorithms count, and the algorithm is
//! the key's, not the token's to choose.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, dangerous};
use provisioning_registry_api::trusted::Issuer;
use reqwest::Client;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio::sync::Mutex;
use url::Url;

use crate::problem::{Code, Refusal, ServerError};
use crate::rules::proof::{self, Proof, invalid};

/// Bytes of a token; those of GitHub and GitLab have below 3 KiB.
const TOKEN_BYTES_MAX: usize = 16 * 1024;
/// Bytes of an issuer's documents.
const DOCUMENT_BYTES_MAX: usize = 1024 * 1024;
/// How long an issuer may take to answer.
const ISSUER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an issuer's keys are used without asking again.
const KEYS_KEPT: SignedDuration = SignedDuration::from_hours(1);
/// How long to wait before asking again for a key that is not there: made-up key names must
/// not make us a nuisance to the issuer.
const ASK_AGAIN_AFTER: SignedDuration = SignedDuration::from_secs(30);
/// What a token may be signed with: public-key algorithms alone. A secret's algorithm would
/// take the public key for the secret.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// Asks issuers for their keys and keeps them for a while.
#[derive(Debug, Default)]
pub(crate) struct Verifier {
    kept: Mutex<BTreeMap<String, Kept>>,
}

#[derive(Debug, Clone)]
struct Kept {
    keys: JwkSet,
    at: Timestamp,
}

#[derive(Deserialize)]
struct Configuration {
    issuer: String,
    jwks_uri: String,
}

/// The issuer that a token names, before anything of it is believed.
pub(crate) fn named_issuer(token: &str) -> Result<String, Refusal> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(invalid("it is too long"));
    }
    let claims: Map<String, Value> =
        dangerous::insecure_decode_claims(token).map_err(|_| invalid("it is no JSON web token"))?;
    let issuer = claims.get("iss").and_then(Value::as_str);
    issuer
        .map(str::to_owned)
        .ok_or_else(|| invalid("it names no issuer"))
}

/// Whether keys may be fetched from `url`: over TLS, or from this machine.
pub(crate) fn is_safe(url: &Url) -> bool {
    let is_here = match url.host() {
        Some(url::Host::Ipv4(it)) => it.is_loopback(),
        Some(url::Host::Ipv6(it)) => it.is_loopback(),
        Some(url::Host::Domain(it)) => it == "localhost",
        None => false,
    };
    match url.scheme() {
        "https" => url.has_host(),
        "http" => is_here,
        _ => false,
    }
}

impl Verifier {
    /// Checks the signature of a token and reads what it proves.
    pub(crate) async fn verify(
        &self,
        issuer: &Issuer,
        token: &str,
        now: Timestamp,
    ) -> Result<Proof, ServerError> {
        let header = jsonwebtoken::decode_header(token)
            .map_err(|_| invalid("its header is not understood"))?;
        if !ALGORITHMS.contains(&header.alg) {
            return Err(invalid("it is not signed with a public-key algorithm").into());
        }
        let key = self.key(issuer, header.kid.as_deref(), now).await?;
        let claims = check_signature(token, header.alg, &key)?;
        Ok(proof::read(issuer, &claims, token, now)?)
    }

    /// The key of that name; the issuer is asked where it is not known or old.
    async fn key(
        &self,
        issuer: &Issuer,
        kid: Option<&str>,
        now: Timestamp,
    ) -> Result<Jwk, ServerError> {
        let mut kept = self.kept.lock().await;
        let found = kept.get(&issuer.url).cloned();
        if let Some(found) = &found
            && found.at + KEYS_KEPT > now
        {
            let key = choose(&found.keys, kid);
            if let Some(key) = key {
                return Ok(key);
            }
            if found.at + ASK_AGAIN_AFTER > now {
                return Err(invalid("the issuer has no key of that name").into());
            }
        }
        let keys = fetch_keys(issuer).await?;
        let key = choose(&keys, kid);
        kept.insert(issuer.url.clone(), Kept { keys, at: now });
        Ok(key.ok_or_else(|| invalid("the issuer has no key of that name"))?)
    }
}

/// The key that a token names; one that names none is signed with the only one.
fn choose(keys: &JwkSet, kid: Option<&str>) -> Option<Jwk> {
    match kid {
        Some(kid) => keys.find(kid).cloned(),
        None => match &keys.keys[..] {
            [only] => Some(only.clone()),
            _ => None,
        },
    }
}

fn check_signature(
    token: &str,
    algorithm: Algorithm,
    jwk: &Jwk,
) -> Result<Map<String, Value>, Refusal> {
    let wrong = || invalid("its signature is not the issuer's");
    if let Some(named) = jwk.common.key_algorithm {
        // The issuer says what its key is for; the token does not get to choose.
        if named.to_string() != format!("{algorithm:?}") {
            return Err(wrong());
        }
    }
    let key = DecodingKey::from_jwk(jwk).map_err(|_| wrong())?;
    let mut validation = Validation::new(algorithm);
    // Times and audience are checked by `rules/proof.rs`, by the registry's own clock.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let checked = jsonwebtoken::decode::<Map<String, Value>>(token, &key, &validation);
    checked.map(|it| it.claims).map_err(|_| wrong())
}

async fn fetch_keys(issuer: &Issuer) -> Result<JwkSet, ServerError> {
    let client = Client::builder()
        .timeout(ISSUER_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| ServerError::Failed(format!("no HTTP client: {error}")))?;
    let place = format!(
        "{}/.well-known/openid-configuration",
        issuer.url.trim_end_matches('/')
    );
    let place = Url::parse(&place).map_err(|_| unavailable(issuer, "its URL is none"))?;
    let configuration: Configuration = fetch(&client, issuer, place).await?;
    if configuration.issuer != issuer.url {
        return Err(unavailable(issuer, "it calls itself otherwise").into());
    }
    let keys = Url::parse(&configuration.jwks_uri);
    let keys = keys.map_err(|_| unavailable(issuer, "it names no address of its keys"))?;
    fetch(&client, issuer, keys).await
}

async fn fetch<T: DeserializeOwned>(
    client: &Client,
    issuer: &Issuer,
    url: Url,
) -> Result<T, ServerError> {
    if !is_safe(&url) {
        return Err(unavailable(issuer, "it names an address without TLS").into());
    }
    let answer = client.get(url).send().await;
    let mut answer = answer.map_err(|_| unavailable(issuer, "it does not answer"))?;
    if !answer.status().is_success() {
        return Err(unavailable(issuer, &format!("it answered {}", answer.status())).into());
    }
    let mut bytes = Vec::new();
    let broken = |_| unavailable(issuer, "its answer broke off");
    while let Some(chunk) = answer.chunk().await.map_err(broken)? {
        if bytes.len() + chunk.len() > DOCUMENT_BYTES_MAX {
            return Err(unavailable(issuer, "its answer has no end").into());
        }
        bytes.extend_from_slice(&chunk);
    }
    let read = serde_json::from_slice(&bytes);
    Ok(read.map_err(|_| unavailable(issuer, "its answer is not understood"))?)
}

fn unavailable(issuer: &Issuer, why: &str) -> Refusal {
    Refusal::new(
        Code::IssuerUnavailable,
        format!(
            "the keys of the issuer `{}` cannot be had: {why}",
            issuer.url
        ),
    )
    .hint("try again in a moment, or publish with a token of your own")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_over_tls_or_from_this_machine() {
        for (url, is_right) in [
            ("https://issuer.example/keys", true),
            ("http://127.0.0.1:8080/keys", true),
            ("http://[::1]/keys", true),
            ("http://localhost/keys", true),
            ("http://issuer.example/keys", false),
            ("http://127.0.0.1.example/keys", false),
            ("file:///etc/passwd", false),
        ] {
            assert_eq!(is_safe(&url.parse().unwrap()), is_right, "{url}");
        }
    }
}
