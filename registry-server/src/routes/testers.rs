//! Whose evidence counts.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use provisioning_registry_api::evidence::{AddTester, Tester, Testers};
use provisioning_trust::VerifyingKey;

use super::body::JsonBody;
use crate::app::App;
use crate::db::evidence::{put_tester, remove_tester, tester_of_key};
use crate::problem::{Code, Refusal, ServerError};
use crate::rules::access::Principal;
use crate::rules::evidence::check_tester_name;

/// Every tester, former ones too.
pub(crate) async fn list(State(app): State<App>) -> Result<Json<Testers>, ServerError> {
    Ok(Json(Testers {
        testers: app.db.testers().await?,
    }))
}

/// Makes somebody's evidence count, or gives a tester another key. From the first tester on,
/// bundles become `stable` through their gates alone.
pub(crate) async fn add(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
    Path(name): Path<String>,
    JsonBody(asked): JsonBody<AddTester>,
) -> Result<Json<Testers>, ServerError> {
    check_tester_name(&name)?;
    let key = VerifyingKey::from_hex(&asked.public_key)
        .map_err(|problem| Refusal::new(Code::BadRequest, problem.to_string()))?;
    let now = app.now();
    let mut tx = app.db.write().await?;
    match tester_of_key(tx.connection(), key.key_id()).await? {
        Some((same, _)) if same == name => {
            tx.rollback().await?;
            return list(State(app)).await;
        }
        Some((other, _)) => {
            let detail = format!("that key is tester `{other}`'s: each has a key of their own");
            return Err(Refusal::new(Code::NameTaken, detail).into());
        }
        None => {}
    }
    let tester = Tester {
        key_id: key.key_id().to_owned(),
        public_key: key.to_hex(),
        added_at: now,
        removed_at: None,
    };
    put_tester(tx.connection(), &name, &tester).await?;
    tx.audit(now, principal.name(), "add-tester", &name, key.key_id());
    let serial = tx.commit().await?;
    app.read_side.show_change(&app, serial).await?;
    list(State(app)).await
}

/// Makes somebody's evidence count no more, also what was sent already.
pub(crate) async fn remove(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
    Path(name): Path<String>,
) -> Result<Json<Testers>, ServerError> {
    let now = app.now();
    let mut tx = app.db.write().await?;
    if !remove_tester(tx.connection(), &name, now).await? {
        return Err(
            Refusal::new(Code::NotFound, format!("nobody called `{name}` tests here")).into(),
        );
    }
    tx.audit(now, principal.name(), "remove-tester", &name, "");
    let serial = tx.commit().await?;
    app.read_side.show_change(&app, serial).await?;
    list(State(app)).await
}
