//! What an issuer's token proves, and whether a trusted publisher asks for exactly that.
//! Pure: the signature is checked by `oidc.rs` before anything here is believed.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use provisioning_package::Digest;
use provisioning_registry_api::trusted::{Issuer, IssuerKind};
use serde_json::{Map, Value};

use crate::problem::{Code, Refusal};

/// How far the clocks of issuer and registry may be apart.
const LEEWAY: SignedDuration = SignedDuration::from_secs(30);
/// The longest that an issuer's token may live: CI jobs end.
const LIFE_MAX: SignedDuration = SignedDuration::from_hours(24);
/// Characters of one claim that a publisher may ask for.
const CLAIM_CHARS_MAX: usize = 256;

/// What a token says once it is believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Proof {
    /// What makes it one of a kind: `jti`, or a digest of the token where it has none.
    pub(crate) id: String,
    /// Until when it must not be taken again.
    pub(crate) expires_at: Timestamp,
    /// What it says, under the names that publishers use.
    pub(crate) claims: BTreeMap<String, String>,
}

/// Reads the claims of a token whose signature is right.
pub(crate) fn read(
    issuer: &Issuer,
    claims: &Map<String, Value>,
    token: &str,
    now: Timestamp,
) -> Result<Proof, Refusal> {
    let text = |key: &str| claims.get(key).and_then(plain);
    if text("iss").as_deref() != Some(issuer.url.as_str()) {
        return Err(invalid(
            "its issuer is another one than it was looked up under",
        ));
    }
    let is_for_us = match claims.get("aud") {
        Some(Value::String(one)) => *one == issuer.audience,
        Some(Value::Array(all)) => all.iter().any(|it| it.as_str() == Some(&issuer.audience)),
        _ => false,
    };
    if !is_for_us {
        return Err(invalid("it was made for somebody else").hint(format!(
            "ask the issuer for a token with the audience `{}`",
            issuer.audience
        )));
    }
    let expires_at = time(claims, "exp").ok_or_else(|| invalid("it does not say when it ends"))?;
    if expires_at + LEEWAY <= now {
        return Err(invalid("its time is over").hint("ask the issuer for a new one"));
    }
    if expires_at > now + LIFE_MAX {
        return Err(invalid("it lives longer than a day"));
    }
    for key in ["nbf", "iat"] {
        if time(claims, key).is_some_and(|it| it > now + LEEWAY) {
            return Err(invalid("it is from the future"));
        }
    }
    let id = text("jti").filter(|it| !it.is_empty() && it.len() <= CLAIM_CHARS_MAX);
    Ok(Proof {
        id: id.map_or_else(
            || format!("sha256:{}", Digest::of(signed_part(token).as_bytes()).hex()),
            |it| format!("jti:{it}"),
        ),
        expires_at: expires_at + LEEWAY,
        claims: canonical(issuer.kind, claims),
    })
}

/// The part of a token that the signature covers: a signature can be written in several
/// ways, what it signs cannot.
fn signed_part(token: &str) -> &str {
    token.rsplit_once('.').map_or(token, |(head, _)| head)
}

/// A number of seconds; a claim that is no such number is as good as absent.
fn time(claims: &Map<String, Value>, key: &str) -> Option<Timestamp> {
    let value = claims.get(key)?;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a time with a fraction loses the fraction"
    )]
    let seconds = value
        .as_i64()
        .or_else(|| value.as_f64().map(|it| it as i64))?;
    Timestamp::from_second(seconds).ok()
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The claims under the names that publishers use.
fn canonical(kind: IssuerKind, claims: &Map<String, Value>) -> BTreeMap<String, String> {
    let names: &[(&str, &str)] = match kind {
        IssuerKind::Github => &[
            ("repository", "repository"),
            ("repository-id", "repository_id"),
            ("owner", "repository_owner"),
            ("owner-id", "repository_owner_id"),
            ("ref", "ref"),
            ("environment", "environment"),
        ],
        IssuerKind::Gitlab => &[
            ("repository", "project_path"),
            ("repository-id", "project_id"),
            ("owner", "namespace_path"),
            ("owner-id", "namespace_id"),
            ("ref", "ref"),
            ("environment", "environment"),
        ],
        IssuerKind::Generic => {
            let all = claims.iter();
            return all
                .filter_map(|(key, value)| Some((key.clone(), plain(value)?)))
                .collect();
        }
    };
    let mut found: BTreeMap<String, String> = names
        .iter()
        .filter_map(|(name, claim)| Some(((*name).to_owned(), plain(claims.get(*claim)?)?)))
        .collect();
    if let Some(workflow) = workflow(kind, claims) {
        found.insert("workflow".to_owned(), workflow);
    }
    found
}

/// The file that the job is defined in, inside the repository that the token is about: a
/// workflow of another repository that is merely called must not pass for it.
fn workflow(kind: IssuerKind, claims: &Map<String, Value>) -> Option<String> {
    match kind {
        IssuerKind::Github => {
            let place = claims.get("workflow_ref")?.as_str()?;
            let repository = claims.get("repository")?.as_str()?;
            let inside = place.strip_prefix(repository)?;
            let inside = inside.strip_prefix("/.github/workflows/")?;
            Some(inside.rsplit_once('@')?.0.to_owned())
        }
        IssuerKind::Gitlab => {
            let place = claims.get("ci_config_ref_uri")?.as_str()?;
            let repository = claims.get("project_path")?.as_str()?;
            let (before, inside) = place.split_once("//")?;
            let is_own = before
                .split_once('/')
                .is_some_and(|(_, path)| path == repository);
            let file = inside.rsplit_once('@')?.0.to_owned();
            is_own.then_some(file)
        }
        IssuerKind::Generic => None,
    }
}

/// Checks what a publisher asks for, before it is kept.
pub(crate) fn check_wanted(
    kind: IssuerKind,
    wanted: &BTreeMap<String, String>,
) -> Result<(), Refusal> {
    let refuse = |detail: String| Err(Refusal::new(Code::PublisherInvalid, detail));
    let needed: &[&str] = match kind {
        IssuerKind::Github | IssuerKind::Gitlab => &["repository", "workflow"],
        IssuerKind::Generic => &["sub"],
    };
    for key in needed {
        if !wanted.contains_key(*key) {
            return refuse(format!("a publisher of this issuer must say `{key}`"));
        }
    }
    let known = [
        "repository",
        "repository-id",
        "owner",
        "owner-id",
        "workflow",
        "ref",
        "environment",
    ];
    for (key, value) in wanted {
        if kind != IssuerKind::Generic && !known.contains(&key.as_str()) {
            return refuse(format!("`{key}` is not one of `{}`", known.join("`, `")));
        }
        let is_right = !value.trim().is_empty()
            && value.chars().count() <= CLAIM_CHARS_MAX
            && !value.chars().any(char::is_control);
        if !is_right {
            return refuse(format!(
                "`{key}` must be one line of at most {CLAIM_CHARS_MAX} characters"
            ));
        }
    }
    Ok(())
}

/// Whether a proof is what a publisher asks for; then what the publisher must ask for from
/// now on too. The numbers of owner and repository are pinned at the first use, so that
/// somebody who takes over a name that became free is not taken for its owner.
pub(crate) fn meets(
    kind: IssuerKind,
    wanted: &BTreeMap<String, String>,
    proof: &Proof,
) -> Option<BTreeMap<String, String>> {
    let is_met = wanted
        .iter()
        .all(|(key, value)| proof.claims.get(key) == Some(value));
    if !is_met {
        return None;
    }
    let mut pinned = wanted.clone();
    if kind != IssuerKind::Generic {
        for key in ["repository-id", "owner-id"] {
            // An issuer of these kinds that does not tell them cannot be held to them.
            let told = proof.claims.get(key)?;
            pinned.insert(key.to_owned(), told.clone());
        }
    }
    Some(pinned)
}

/// What an issuer's token is refused with.
pub(crate) fn invalid(why: &str) -> Refusal {
    Refusal::new(
        Code::ProofInvalid,
        format!("the issuer's token is refused: {why}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn github() -> Issuer {
        Issuer {
            name: "github".to_owned(),
            url: "https://issuer.example".to_owned(),
            kind: IssuerKind::Github,
            audience: "https://registry.example".to_owned(),
        }
    }

    fn now() -> Timestamp {
        Timestamp::from_second(1_000_000).unwrap()
    }

    fn claims(changes: &Value) -> Map<String, Value> {
        let mut claims = json!({
            "iss": "https://issuer.example", "aud": "https://registry.example",
            "exp": 1_000_300, "nbf": 999_990, "iat": 1_000_000, "jti": "one",
            "repository": "octo/mongodb", "repository_id": "17", "repository_owner": "octo",
            "repository_owner_id": "4", "ref": "refs/heads/main", "environment": "release",
            "workflow_ref": "octo/mongodb/.github/workflows/release.yml@refs/heads/main",
        });
        let object = claims.as_object_mut().unwrap();
        for (key, value) in changes.as_object().unwrap() {
            if value.is_null() {
                object.remove(key);
            } else {
                object.insert(key.clone(), value.clone());
            }
        }
        object.clone()
    }

    fn read_with(changes: &Value) -> Result<Proof, Refusal> {
        read(&github(), &claims(changes), "a.b.c", now())
    }

    fn wanted(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let owned = pairs.iter();
        owned
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn a_token_for_others_too_late_too_early_or_too_long_is_refused() {
        read_with(&json!({})).unwrap();
        read_with(&json!({"aud": ["x", "https://registry.example"]})).unwrap();
        read_with(&json!({"exp": 999_980})).unwrap();
        for bad in [
            json!({"aud": "https://other.example"}),
            json!({"aud": null}),
            json!({"aud": ["x"]}),
            json!({"iss": "https://issuer.example/"}),
            json!({"exp": 999_970}),
            json!({"exp": null}),
            json!({"exp": "soon"}),
            json!({"exp": 1_000_000 + 86_401}),
            json!({"nbf": 1_000_031}),
            json!({"iat": 1_000_031}),
        ] {
            let refused = read_with(&bad).unwrap_err();
            assert_eq!(refused.code, Code::ProofInvalid, "{bad}");
        }
    }

    #[test]
    fn a_token_is_known_by_its_jti_or_else_by_what_is_signed() {
        assert_eq!(read_with(&json!({})).unwrap().id, "jti:one");
        let without = claims(&json!({"jti": null}));
        let id = |token| read(&github(), &without, token, now()).unwrap().id;
        assert_eq!(
            id("a.b.c"),
            id("a.b.d"),
            "another signature, the same token"
        );
        assert_ne!(id("a.b.c"), id("a.x.c"));
    }

    #[test]
    fn a_publisher_is_met_by_its_repository_and_workflow_alone() {
        let proof = read_with(&json!({})).unwrap();
        let asks = |pairs: &[(&str, &str)]| meets(IssuerKind::Github, &wanted(pairs), &proof);
        let plain = [("repository", "octo/mongodb"), ("workflow", "release.yml")];
        let pinned = asks(&plain).unwrap();
        assert_eq!(pinned["repository-id"], "17");
        assert_eq!(pinned["owner-id"], "4");
        for wrong in [
            ("repository", "octo/other"),
            ("workflow", "test.yml"),
            ("ref", "refs/heads/evil"),
            ("environment", "none"),
            ("owner-id", "5"),
            ("unheard-of", "x"),
        ] {
            assert_eq!(asks(&[&plain[..], &[wrong]].concat()), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_repository_that_changed_hands_is_not_taken_for_the_old_one() {
        let plain = wanted(&[("repository", "octo/mongodb"), ("workflow", "release.yml")]);
        let first = read_with(&json!({})).unwrap();
        let pinned = meets(IssuerKind::Github, &plain, &first).unwrap();
        let taken = read_with(&json!({"repository_owner_id": "666"})).unwrap();
        assert_eq!(meets(IssuerKind::Github, &pinned, &taken), None);
        let silent = read_with(&json!({"repository_id": null})).unwrap();
        assert_eq!(meets(IssuerKind::Github, &plain, &silent), None);
    }

    #[test]
    fn a_workflow_of_another_repository_is_none_of_ours() {
        let foreign = "evil/x/.github/workflows/release.yml@refs/heads/main";
        let proof = read_with(&json!({"workflow_ref": foreign})).unwrap();
        assert_eq!(proof.claims.get("workflow"), None);
        let gitlab = Issuer {
            kind: IssuerKind::Gitlab,
            ..github()
        };
        let with = |place: &str| {
            let changes = json!({
                "project_path": "group/sub/mongodb", "project_id": "9", "namespace_id": 3,
                "ci_config_ref_uri": place,
            });
            read(&gitlab, &claims(&changes), "a.b.c", now())
                .unwrap()
                .claims
        };
        let own = with("gitlab.example/group/sub/mongodb//.gitlab-ci.yml@refs/heads/main");
        assert_eq!(own["workflow"], ".gitlab-ci.yml");
        assert_eq!(
            (&*own["repository"], &*own["owner-id"]),
            ("group/sub/mongodb", "3")
        );
        let other = with("gitlab.example/evil/mongodb//.gitlab-ci.yml@refs/heads/main");
        assert_eq!(other.get("workflow"), None);
    }

    #[test]
    fn a_publisher_that_asks_for_too_little_is_refused() {
        let check = |kind, pairs: &[(&str, &str)]| check_wanted(kind, &wanted(pairs)).is_ok();
        let plain = [("repository", "octo/mongodb"), ("workflow", "release.yml")];
        assert!(check(IssuerKind::Github, &plain));
        assert!(!check(IssuerKind::Github, &plain[..1]));
        assert!(!check(IssuerKind::Gitlab, &[("sub", "x")]));
        assert!(!check(
            IssuerKind::Github,
            &[&plain[..], &[("sub", "x")]].concat()
        ));
        assert!(!check(
            IssuerKind::Github,
            &[("repository", " "), ("workflow", "w")]
        ));
        assert!(check(IssuerKind::Generic, &[("sub", "job"), ("team", "x")]));
        assert!(!check(IssuerKind::Generic, &[("team", "x")]));
    }
}
