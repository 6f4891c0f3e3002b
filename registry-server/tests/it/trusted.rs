//! Trusted publishing against an issuer in this process.

use std::sync::{Arc, Mutex};

use axum::{Json, Router, routing::get};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as URL_SAFE;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use provisioning_package::PackageName;
use provisioning_registry_api::identity::Owners;
use provisioning_registry_api::problem::Problem;
use provisioning_registry_api::session::{OpenSession, SessionStatus};
use provisioning_registry_api::trusted::{
    Exchange, Exchanged, IssuerKind, IssuerList, NewTrustedPublisher, PutIssuer, TrustedPublisher,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::registry::{Registry, answer, archive, declared, problem};

/// The DER of an Ed25519 private key (RFC 8410) is this and the key's 32 bytes.
const PKCS8_HEAD: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

#[expect(
    clippy::disallowed_methods,
    reason = "the program under test reads the same clock"
)]
fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

struct Issuer {
    url: String,
    keys: Arc<Mutex<Value>>,
    key: u8,
}

fn signing(key: u8) -> (EncodingKey, String) {
    let seed = [key; 32];
    let secret = ed25519_dalek::SigningKey::from_bytes(&seed);
    let public = URL_SAFE.encode(secret.verifying_key().as_bytes());
    (
        EncodingKey::from_ed_der(&[&PKCS8_HEAD[..], &seed].concat()),
        public,
    )
}

fn jwks(key: u8) -> Value {
    let (_, public) = signing(key);
    json!({"keys": [{
        "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA",
        "kid": format!("key-{key}"), "x": public,
    }]})
}

impl Issuer {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let keys = Arc::new(Mutex::new(jwks(1)));
        let configuration = json!({"issuer": url, "jwks_uri": format!("{url}/keys")});
        let served = Arc::clone(&keys);
        let app = Router::new()
            .route(
                "/.well-known/openid-configuration",
                get(async move || Json(configuration.clone())),
            )
            .route(
                "/keys",
                get(async move || Json(served.lock().unwrap().clone())),
            );
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, keys, key: 1 }
    }

    fn rotate(&mut self) {
        self.key += 1;
        *self.keys.lock().unwrap() = jwks(self.key);
    }

    fn claims(&self, registry: &Registry, changes: &Value) -> Value {
        let now = now();
        let mut claims = json!({
            "iss": self.url, "aud": registry.base, "exp": now + 300, "iat": now,
            "repository": "octo/mongodb", "repository_id": "17", "repository_owner": "octo",
            "repository_owner_id": "4", "ref": "refs/heads/main", "environment": "release",
            "workflow_ref": "octo/mongodb/.github/workflows/release.yml@refs/heads/main",
        });
        for (key, value) in changes.as_object().unwrap() {
            claims[key] = value.clone();
        }
        claims
    }

    fn token(&self, registry: &Registry, changes: &Value) -> String {
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(format!("key-{}", self.key));
        encode(
            &header,
            &self.claims(registry, changes),
            &signing(self.key).0,
        )
        .unwrap()
    }

    /// A registry that knows this issuer.
    async fn registry(&self) -> Registry {
        let registry = Registry::start();
        let issuer = PutIssuer {
            url: self.url.clone(),
            kind: IssuerKind::Github,
            audience: None,
        };
        let done = registry.send(Method::PUT, "issuers/ci", &issuer).await;
        let known: IssuerList = answer(done).await.unwrap();
        assert!(known.issuers.iter().any(|it| it.name == "ci"));
        assert!(known.issuers.iter().any(|it| it.name == "github"));
        registry
    }
}

fn publisher(name: Option<&str>) -> NewTrustedPublisher {
    NewTrustedPublisher {
        name: name.map(|it| PackageName::parse(it).unwrap()),
        issuer: "ci".to_owned(),
        claims: [("repository", "octo/mongodb"), ("workflow", "release.yml")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
    }
}

async fn trust(registry: &Registry) -> TrustedPublisher {
    let first = archive("mongodb@1.0.0", "x");
    registry.publish("mongodb@1.0.0", &[first]).await.unwrap();
    let path = "packages/extension/mongodb/publishers";
    let made = registry.send(Method::POST, path, &publisher(None)).await;
    assert_eq!(made.status(), 201);
    answer(made).await.unwrap()
}

async fn exchange(registry: &Registry, token: &str) -> Result<Exchanged, Problem> {
    let url = format!("{}/api/v1/oidc/token", registry.base);
    let body = Exchange {
        token: token.to_owned(),
        bound: None,
    };
    let answered = registry.http.post(url).json(&body).send().await.unwrap();
    answer(answered).await
}

async fn publish(registry: &Registry, token: &str, spec: &str) -> Result<SessionStatus, Problem> {
    let packed = archive(spec, spec);
    let open = OpenSession {
        versions: vec![declared(spec, std::slice::from_ref(&packed))],
    };
    let opened = registry
        .send_as(token, Method::POST, "sessions", &open)
        .await;
    let status: SessionStatus = answer(opened).await?;
    let path = format!(
        "sessions/{}/archives/{}",
        status.session,
        packed.digest.hex()
    );
    let url = format!("{}/api/v1/{path}", registry.base);
    let sent = registry.http.put(url).bearer_auth(token).body(packed.bytes);
    answer::<SessionStatus>(sent.send().await.unwrap()).await?;
    let path = format!("sessions/{}/finalize", status.session);
    answer(registry.send_as(token, Method::POST, &path, &()).await).await
}

#[tokio::test]
async fn a_trusted_job_publishes_its_package_and_nothing_else() {
    let issuer = Issuer::start().await;
    let registry = issuer.registry().await;
    trust(&registry).await;
    let proof = issuer.token(&registry, &json!({"jti": "one"}));
    let token = exchange(&registry, &proof).await.unwrap();
    assert_eq!(token.scopes, ["publish:mongodb"]);
    publish(&registry, &token.secret, "mongodb@1.1.0")
        .await
        .unwrap();
    for spec in ["redis@1.0.0", "core@1.0.0"] {
        assert!(
            publish(&registry, &token.secret, spec).await.is_err(),
            "{spec}"
        );
    }
    let again = exchange(&registry, &proof).await.unwrap_err();
    assert_eq!((again.status, again.code.as_str()), (409, "proof-replayed"));
}

#[tokio::test]
async fn a_proof_without_a_number_of_its_own_is_good_once_too() {
    let issuer = Issuer::start().await;
    let registry = issuer.registry().await;
    trust(&registry).await;
    let proof = issuer.token(&registry, &json!({}));
    exchange(&registry, &proof).await.unwrap();
    assert_eq!(
        exchange(&registry, &proof).await.unwrap_err().code,
        "proof-replayed"
    );
}

#[tokio::test]
async fn jobs_that_are_not_the_trusted_one_are_told_what_their_token_says() {
    let issuer = Issuer::start().await;
    let registry = issuer.registry().await;
    trust(&registry).await;
    for wrong in [
        json!({"repository": "evil/mongodb", "workflow_ref": "evil/mongodb/.github/workflows/release.yml@x"}),
        json!({"workflow_ref": "octo/mongodb/.github/workflows/test.yml@refs/heads/main"}),
        json!({"workflow_ref": "evil/x/.github/workflows/release.yml@refs/heads/main"}),
    ] {
        let refused = exchange(&registry, &issuer.token(&registry, &wrong)).await;
        let refused = refused.unwrap_err();
        assert_eq!(refused.code, "not-trusted", "{wrong}");
        assert!(
            refused
                .causes
                .iter()
                .any(|it| it.starts_with("repository: "))
        );
    }
    exchange(&registry, &issuer.token(&registry, &json!({"jti": "1"})))
        .await
        .unwrap();
    let taken_over = json!({"repository_owner_id": "666", "jti": "2"});
    let refused = exchange(&registry, &issuer.token(&registry, &taken_over)).await;
    assert_eq!(
        refused.unwrap_err().code,
        "not-trusted",
        "pinned at the first use"
    );
}

#[tokio::test]
async fn forged_foreign_and_stale_proofs_are_refused() {
    let issuer = Issuer::start().await;
    let registry = issuer.registry().await;
    trust(&registry).await;
    let claims = issuer.claims(&registry, &json!({}));
    let signed = |algorithm, kid: Option<&str>, key: &EncodingKey| {
        let mut header = Header::new(algorithm);
        header.kid = kid.map(str::to_owned);
        encode(&header, &claims, key).unwrap()
    };
    let other_key = signed(Algorithm::EdDSA, Some("key-1"), &signing(9).0);
    let unknown_key = signed(Algorithm::EdDSA, Some("key-9"), &signing(9).0);
    // The public key as a secret: what a verifier that trusts the header would accept.
    let public = ed25519_dalek::SigningKey::from_bytes(&[1; 32]).verifying_key();
    let confused = EncodingKey::from_secret(public.as_bytes());
    let confused = signed(Algorithm::HS256, Some("key-1"), &confused);
    let good = issuer.token(&registry, &json!({}));
    let parts: Vec<&str> = good.split('.').collect();
    let none = URL_SAFE.encode(r#"{"alg":"none","kid":"key-1"}"#);
    let unsigned = format!("{none}.{}.", parts[1]);
    let now = now();
    let stranger = Issuer::start().await;
    for (what, proof) in [
        ("another key", other_key),
        ("an unknown key", unknown_key),
        ("alg confusion", confused),
        ("no signature", unsigned),
        (
            "another audience",
            issuer.token(&registry, &json!({"aud": "https://x.example"})),
        ),
        (
            "too late",
            issuer.token(&registry, &json!({"exp": now - 3600})),
        ),
        (
            "from the future",
            issuer.token(&registry, &json!({"nbf": now + 3600})),
        ),
        ("an unknown issuer", stranger.token(&registry, &json!({}))),
        ("nonsense", "a.b.c".to_owned()),
        ("nothing", String::new()),
    ] {
        let refused = exchange(&registry, &proof).await.unwrap_err();
        assert_eq!(
            (refused.status, &*refused.code),
            (401, "proof-invalid"),
            "{what}"
        );
        assert!(!refused.detail.contains(parts[2]), "no secret in a message");
    }
    exchange(&registry, &good).await.unwrap();
}

#[tokio::test]
async fn the_first_release_comes_from_ci_and_belongs_to_who_said_so() {
    let issuer = Issuer::start().await;
    let registry = issuer.registry().await;
    let run = |arguments: &[&str]| {
        let ran = registry.command(arguments);
        assert!(
            ran.status.success(),
            "{}",
            String::from_utf8_lossy(&ran.stderr)
        );
        String::from_utf8(ran.stdout).unwrap().trim().to_owned()
    };
    run(&["user", "add", "ada"]);
    let ada = run(&["user", "token", "ada", "--scope", "admin"]);
    let asked = publisher(Some("mongodb"));
    let pending = registry
        .send_as(&ada, Method::POST, "me/publishers", &asked)
        .await;
    let pending: TrustedPublisher = answer(pending).await.unwrap();
    assert!(pending.pending);
    let core = publisher(Some("core"));
    let refused = registry
        .send_as(&ada, Method::POST, "me/publishers", &core)
        .await;
    assert_eq!(problem(refused).await.code, "role-missing");
    let proof = issuer.token(&registry, &json!({}));
    let token = exchange(&registry, &proof).await.unwrap();
    publish(&registry, &token.secret, "mongodb@1.0.0")
        .await
        .unwrap();
    let owners = registry
        .get("api/v1/packages/extension/mongodb/owners")
        .await;
    let owners: Owners = answer(owners).await.unwrap();
    assert_eq!(owners.owners[0].holder, "ada");
    let later = issuer.token(&registry, &json!({"jti": "later"}));
    let later = exchange(&registry, &later).await.unwrap();
    assert_eq!(later.scopes, ["publish:mongodb"], "it is not new any more");
    publish(&registry, &later.secret, "mongodb@1.1.0")
        .await
        .unwrap();
}

#[tokio::test]
async fn a_publisher_that_was_forgotten_is_trusted_no_more() {
    let issuer = Issuer::start().await;
    let registry = issuer.registry().await;
    let trusted = trust(&registry).await;
    let path = format!("packages/extension/mongodb/publishers/{}", trusted.id);
    let gone = registry.send(Method::DELETE, &path, &()).await;
    assert_eq!(gone.status(), 200);
    let refused = exchange(&registry, &issuer.token(&registry, &json!({}))).await;
    assert_eq!(refused.unwrap_err().code, "not-trusted");
}

#[tokio::test]
async fn a_new_key_of_the_issuer_is_fetched_when_it_is_first_seen() {
    let mut issuer = Issuer::start().await;
    issuer.rotate();
    let registry = issuer.registry().await;
    trust(&registry).await;
    exchange(&registry, &issuer.token(&registry, &json!({"jti": "1"})))
        .await
        .unwrap();
    let old = Issuer {
        url: issuer.url.clone(),
        keys: Arc::clone(&issuer.keys),
        key: 1,
    };
    let refused = exchange(&registry, &old.token(&registry, &json!({"jti": "2"}))).await;
    assert_eq!(
        refused.unwrap_err().code,
        "proof-invalid",
        "the old key is gone"
    );
}
