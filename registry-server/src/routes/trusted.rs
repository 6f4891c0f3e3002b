//! Trusted publishing: which CI may publish what, and the exchange of its proof for a token
//! that lives for some minutes.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::{Extension, Json};
use jiff::SignedDuration;
use provisioning_package::{Kind, PackageName};
use provisioning_registry_api::identity::Binding;
use provisioning_registry_api::token::TokenText;
use provisioning_registry_api::trusted::{
    Exchange, Exchanged, Issuer, IssuerList, NewTrustedPublisher, PutIssuer, TrustedPublisher,
    TrustedPublisherList,
};

use super::authorise::decide_package;
use super::body::JsonBody;
use super::me::{acting, require_user};
use super::owners::require;
use crate::app::App;
use crate::db::tokens::{NewTokenRow, insert_token};
use crate::db::trusted::{insert_publisher, remove_publisher, take_proof, use_publisher};
use crate::identity::{token_id, unknown_issuer};
use crate::oidc;
use crate::problem::{Code, Refusal, ServerError};
use crate::random::{random_bytes, random_hex};
use crate::rules::access::{Action, Grant, Principal};
use crate::rules::proof::{self, Proof, check_wanted, meets};

/// How long a token lives that a proof was exchanged for.
const TOKEN_LIFE: SignedDuration = SignedDuration::from_mins(15);
/// Publishers that one package may have.
const PUBLISHERS_MAX: usize = 32;

/// `GET issuers`.
pub(crate) async fn issuers(State(app): State<App>) -> Result<Json<IssuerList>, ServerError> {
    Ok(Json(IssuerList {
        issuers: known_issuers(&app).await?,
    }))
}

/// `PUT issuers/{issuer}`.
pub(crate) async fn put(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
    Path(name): Path<String>,
    JsonBody(asked): JsonBody<PutIssuer>,
) -> Result<Json<IssuerList>, ServerError> {
    acting(&app, &principal).put_issuer(&name, &asked).await?;
    issuers(State(app)).await
}

/// `DELETE issuers/{issuer}`.
pub(crate) async fn remove(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
    Path(name): Path<String>,
) -> Result<Json<IssuerList>, ServerError> {
    acting(&app, &principal).remove_issuer(&name).await?;
    issuers(State(app)).await
}

/// `GET …/publishers`.
pub(crate) async fn list(
    State(app): State<App>,
    Path((kind, name)): Path<(String, String)>,
) -> Result<Json<TrustedPublisherList>, ServerError> {
    let package = require(&kind, &name)?;
    Ok(Json(TrustedPublisherList {
        publishers: app.db.publishers_of(&package).await?,
    }))
}

/// `POST …/publishers`: for a package that exists.
pub(crate) async fn add(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
    Path((kind, name)): Path<(String, String)>,
    JsonBody(asked): JsonBody<NewTrustedPublisher>,
) -> Result<(StatusCode, Json<TrustedPublisher>), ServerError> {
    let package = require(&kind, &name)?;
    if !app.db.has_package(&package).await? {
        return Err(Refusal::new(
            Code::VersionUnknown,
            format!("this registry has no {kind} `{package}`"),
        )
        .hint("for a first release, POST to `me/publishers`: it waits until then")
        .into());
    }
    keep(&app, &principal, (package, false), asked).await
}

/// `POST me/publishers`: for the first release of a package that does not exist yet.
pub(crate) async fn add_pending(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
    JsonBody(asked): JsonBody<NewTrustedPublisher>,
) -> Result<(StatusCode, Json<TrustedPublisher>), ServerError> {
    let Some(package) = asked.name.clone() else {
        return Err(Refusal::new(Code::BadRequest, "`name` says which package").into());
    };
    if package.kind() == Kind::Extension {
        // It will be theirs, so there must be somebody.
        require_user(&principal)?;
    }
    let subject = (&package, None, &[][..]);
    decide_package(&app, &principal, Action::PublishNew, subject).await?;
    if app.db.has_package(&package).await? {
        return Err(Refusal::new(
            Code::NameTaken,
            format!("`{package}` exists already: its maintainers say which CI publishes it"),
        )
        .into());
    }
    keep(&app, &principal, (package, true), asked).await
}

/// `DELETE …/publishers/{publisher}`.
pub(crate) async fn forget(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
    Path((kind, name, id)): Path<(String, String, String)>,
) -> Result<Json<TrustedPublisherList>, ServerError> {
    let package = require(&kind, &name)?;
    let mut tx = app.db.write().await?;
    if !remove_publisher(tx.connection(), &package, &id).await? {
        let detail = format!("`{package}` has no trusted publisher `{id}`");
        return Err(Refusal::new(Code::NotFound, detail).into());
    }
    let subject = format!("package:{package}");
    tx.audit(
        app.now(),
        principal.name(),
        "forget-publisher",
        &subject,
        &id,
    );
    tx.commit().await?;
    Ok(Json(TrustedPublisherList {
        publishers: app.db.publishers_of(&package).await?,
    }))
}

async fn keep(
    app: &App,
    principal: &Principal,
    (package, pending): (PackageName, bool),
    asked: NewTrustedPublisher,
) -> Result<(StatusCode, Json<TrustedPublisher>), ServerError> {
    let known = known_issuers(app).await?;
    let issuer = known.iter().find(|it| it.name == asked.issuer);
    let issuer = issuer.ok_or_else(|| unknown_issuer(&asked.issuer))?;
    check_wanted(issuer.kind, &asked.claims)?;
    if app.db.publishers_of(&package).await?.len() >= PUBLISHERS_MAX {
        let detail = format!("`{package}` has {PUBLISHERS_MAX} trusted publishers already");
        return Err(Refusal::new(Code::PublisherInvalid, detail).into());
    }
    let publisher = TrustedPublisher {
        id: random_hex::<8>(),
        kind: package.kind(),
        name: package,
        issuer: asked.issuer,
        claims: asked.claims,
        pending,
        created_by: principal.name().to_owned(),
        created_at: app.now(),
        last_used_at: None,
    };
    let mut tx = app.db.write().await?;
    insert_publisher(tx.connection(), &publisher).await?;
    let subject = format!("package:{}", publisher.name);
    let detail = format!("{} {}", publisher.issuer, publisher.id);
    tx.audit(
        publisher.created_at,
        principal.name(),
        "trust-publisher",
        &subject,
        &detail,
    );
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(publisher)))
}

/// `POST oidc/token`: exchanges an issuer's token for one of ours.
pub(crate) async fn exchange(
    State(app): State<App>,
    JsonBody(asked): JsonBody<Exchange>,
) -> Result<(StatusCode, HeaderMap, Json<Exchanged>), ServerError> {
    let url = oidc::named_issuer(&asked.token)?;
    let known = known_issuers(&app).await?;
    let issuer = known.into_iter().find(|it| it.url == url);
    let issuer = issuer.ok_or_else(|| {
        proof::invalid("its issuer is none that this registry knows")
            .hint("an administrator names issuers: `provisioning-registry issuer put`")
    })?;
    let now = app.now();
    let proof = app.verifier.verify(&issuer, &asked.token, now).await?;
    let met: Vec<_> = app
        .db
        .publishers_with(&issuer.name)
        .await?
        .into_iter()
        .filter_map(|it| Some((meets(issuer.kind, &it.claims, &proof)?, it)))
        .collect();
    if met.is_empty() {
        return Err(not_trusted(&issuer, &proof).into());
    }
    let given = give(&app, (&issuer, &proof), met, asked.bound).await?;
    let mut headers = HeaderMap::new();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok((StatusCode::CREATED, headers, Json(given)))
}

/// Takes the proof and makes a token for the packages whose publishers it meets.
async fn give(
    app: &App,
    (issuer, proof): (&Issuer, &Proof),
    met: Vec<(BTreeMap<String, String>, TrustedPublisher)>,
    bound: Option<Binding>,
) -> Result<Exchanged, ServerError> {
    let now = app.now();
    let owner = pending_owner(app, &met).await?;
    let mut grants = BTreeSet::new();
    let mut tx = app.db.write().await?;
    if !take_proof(
        tx.connection(),
        (&issuer.name, &proof.id),
        proof.expires_at,
        now,
    )
    .await?
    {
        return Err(Refusal::new(
            Code::ProofReplayed,
            "the issuer's token was exchanged before: each is good once",
        )
        .hint("ask the issuer for a new one")
        .into());
    }
    for (claims, publisher) in met {
        if publisher.pending && owner.as_ref() != Some(&publisher.created_by) {
            continue;
        }
        if use_publisher(tx.connection(), &publisher, &claims, now).await? {
            let name = &publisher.name;
            grants.insert(read_grant(&format!("publish:{name}"))?);
            if publisher.pending {
                grants.insert(read_grant(&format!("publish-new:{name}"))?);
            }
        }
    }
    let secret = TokenText::from_random(random_bytes());
    let row = NewTokenRow {
        id: token_id(),
        name: label(issuer, proof),
        grants: grants.into_iter().collect(),
        expires_at: Some(now + TOKEN_LIFE),
        user: owner,
        bound,
    };
    insert_token(tx.connection(), &row, &secret.hash(), now).await?;
    let scopes: Vec<String> = row.grants.iter().map(ToString::to_string).collect();
    let subject = format!("token:{}", row.id);
    tx.audit(now, &row.name, "exchange", &subject, &scopes.join(","));
    tx.commit().await?;
    Ok(Exchanged {
        secret: secret.reveal().to_owned(),
        expires_at: now + TOKEN_LIFE,
        scopes,
    })
}

/// The user who waits for a first release: it will be theirs, so the token acts for them.
/// Where several wait with the same claims, the one who asked first.
async fn pending_owner(
    app: &App,
    met: &[(BTreeMap<String, String>, TrustedPublisher)],
) -> Result<Option<String>, ServerError> {
    let first = met.iter().find(|(_, it)| it.pending);
    match first {
        Some((_, publisher)) => {
            let user = app.db.user(&publisher.created_by).await?;
            Ok(user.map(|it| it.name))
        }
        None => Ok(None),
    }
}

fn read_grant(text: &str) -> Result<Grant, ServerError> {
    text.parse()
        .map_err(|error| ServerError::Failed(format!("a grant of our own: {error}")))
}

/// What the audit log calls whoever publishes with the proof.
fn label(issuer: &Issuer, proof: &Proof) -> String {
    let claims = &proof.claims;
    let who = ["repository", "workflow", "sub"];
    let who: Vec<&str> = who
        .iter()
        .filter_map(|key| claims.get(*key).map(String::as_str))
        .collect();
    let label: String = format!("{}:{}", issuer.name, who.join("/"))
        .chars()
        .filter(|it| !it.is_control())
        .take(200)
        .collect();
    label
}

fn not_trusted(issuer: &Issuer, proof: &Proof) -> Refusal {
    let said: Vec<String> = proof
        .claims
        .iter()
        .map(|(key, value)| format!("{key}: {value}"))
        .collect();
    Refusal::new(
        Code::NotTrusted,
        format!(
            "no package trusts this job of `{}`: compare what its token says with what the \
             trusted publisher asks for",
            issuer.name
        ),
    )
    .causes(said)
    .hint("`provisioning owner trust NAME` says which CI may publish a package")
}

async fn known_issuers(app: &App) -> Result<Vec<Issuer>, ServerError> {
    Ok(app.db.issuers(app.read_side.public_url()).await?)
}
