//! `PUT /api/v1/matrix`: a new `versions.toml`.

use axum::extract::State;
use axum::{Extension, Json};
use provisioning_compat::{MemoryIndex, VersionsToml, lint};
use provisioning_package::Digest;
use provisioning_registry_api::command::{MatrixPushed, PushMatrix};

use super::body::JsonBody;
use crate::app::App;
use crate::db::matrix::{insert_matrix, matrix_head};
use crate::problem::{Code, Refusal, ServerError};
use crate::read_side::Subject;
use crate::rules::access::Principal;
use crate::signing;

/// Puts a matrix in force, unless another one came since the one it was written over. The
/// same text again succeeds.
pub(crate) async fn push(
    State(app): State<App>,
    Extension(principal): Extension<Principal>,
    JsonBody(asked): JsonBody<PushMatrix>,
) -> Result<Json<MatrixPushed>, ServerError> {
    let warnings = check(&app, &asked.text).await?;
    let acting = app.clone();
    app.to_its_end(async move {
        let (digest, serial) = commit(&acting, &principal, &asked).await?;
        acting.read_side.show_change(&acting, serial).await?;
        Ok(Json(MatrixPushed {
            digest,
            warnings,
            serial,
            awaiting_signature: signing::asks_people(&acting),
        }))
    })
    .await
}

/// All of a text's errors as a refusal, or its warnings.
async fn check(app: &App, text: &str) -> Result<Vec<String>, ServerError> {
    let read = VersionsToml::parse(text, None).map_err(|errors| {
        let causes: Vec<String> = errors
            .0
            .iter()
            .map(|it| format!("versions.toml:{}:{}: {}", it.line, it.column, it.message))
            .collect();
        Refusal::new(
            Code::MatrixInvalid,
            format!("`versions.toml` has errors: {}", causes.join("; ")),
        )
        .causes(causes)
    })?;
    // A draft may name what is published later: it installs nothing before `bundle publish`,
    // which refuses what is missing.
    let lint = lint(&read, &whole_index(app).await?);
    Ok(read
        .warnings
        .iter()
        .chain(&lint.errors)
        .chain(&lint.warnings)
        .map(|it| format!("versions.toml:{}:{}: {}", it.line, it.column, it.message))
        .collect())
}

/// Every index entry, to compare a matrix or a bundle with.
pub(crate) async fn whole_index(app: &App) -> Result<MemoryIndex, ServerError> {
    let mut index = MemoryIndex::new();
    for name in app.db.package_names().await? {
        if let Some(entry) = app.db.index_entry(&name).await? {
            index.insert(entry);
        }
    }
    Ok(index)
}

async fn commit(
    app: &App,
    principal: &Principal,
    asked: &PushMatrix,
) -> Result<(Digest, u64), ServerError> {
    let now = app.now();
    let mut tx = app.db.write().await?;
    let head = matrix_head(tx.connection()).await?;
    let new = Digest::of(asked.text.as_bytes());
    if let Some((digest, serial)) = head
        && digest == new
    {
        tx.rollback().await?;
        return Ok((digest, serial));
    }
    let head = head.map(|(digest, _)| digest);
    if head != asked.base {
        return Err(moved(asked.base, head).into());
    }
    let serial = tx.serial();
    insert_matrix(tx.connection(), serial, &asked.text, now).await?;
    tx.audit(
        now,
        principal.name(),
        "push-matrix",
        "matrix",
        &new.prefixed(),
    );
    tx.add_job(&Subject::Matrix.text()).await?;
    Ok((new, tx.commit().await?))
}

fn moved(base: Option<Digest>, head: Option<Digest>) -> Refusal {
    let name = |it: Option<Digest>| it.map_or("no matrix".to_owned(), |it| it.prefixed());
    Refusal::new(
        Code::MatrixMoved,
        format!(
            "the new matrix was written over {}, but {} is in force",
            name(base),
            name(head)
        ),
    )
    .hint("fetch the matrix in force (`provisioning compat show`), repeat the edit, push again")
}
