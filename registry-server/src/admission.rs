//! What a declared version is refused for before any byte is sent, and again in the
//! transaction that would add it: deleted versions, closed packages, names that nobody may
//! have or that look like others, quotas.

use provisioning_package::{PackageName, Version};
use provisioning_registry_api::index::PackageState;
use sqlx::AnyConnection;

use crate::app::App;
use crate::db::life::{kept_bytes, quota, status, tombstone};
use crate::problem::{Code, Refusal, ServerError};
use crate::rules::policy::Policy;
use crate::rules::{quota as quota_rule, similar};

/// Refuses a version that is not there yet and may not be added.
pub(crate) async fn check(
    connection: &mut AnyConnection,
    policy: &Policy,
    (package, version): (&PackageName, &Version),
    sizes: impl IntoIterator<Item = u64>,
) -> Result<(), ServerError> {
    if let Some(reason) = tombstone(connection, package, version).await? {
        return Err(Refusal::new(
            Code::VersionDeleted,
            format!("`{package}@{version}` was deleted ({reason}), and its number stays taken"),
        )
        .hint("give it a version number of its own")
        .into());
    }
    if let Some((status, _)) = status(connection, package).await? {
        let why = match status.state {
            PackageState::Active | PackageState::Deprecated => None,
            PackageState::Archived => Some("is archived"),
            PackageState::Quarantined => Some("is held by a moderator"),
        };
        if let Some(why) = why {
            let reason = status.reason.unwrap_or_default();
            return Err(Refusal::new(
                Code::PackageClosed,
                format!("`{package}` {why} and takes no new versions: {reason}"),
            )
            .hint("its maintainers can open an archived package: `provisioning deprecate --undo`")
            .into());
        }
    } else if policy
        .reserved_names
        .iter()
        .any(|it| it == package.as_str())
    {
        return Err(Refusal::new(
            Code::NameHeld,
            format!("`{package}` is reserved by this registry's administrators"),
        )
        .into());
    }
    let own = quota(connection, package.as_str()).await?;
    let limits = quota_rule::limits(own, policy.quota);
    if limits.archive_bytes.is_some() || limits.total_bytes.is_some() {
        let kept = kept_bytes(connection, package).await?;
        quota_rule::check(package.as_str(), limits, kept, sizes)?;
    }
    Ok(())
}

/// Refuses a new name that would be taken for another one.
pub(crate) async fn check_name(
    app: &App,
    policy: &Policy,
    package: &PackageName,
) -> Result<(), ServerError> {
    if policy.allows_confusable_names || app.db.has_package(package).await? {
        return Ok(());
    }
    let own = similar::skeleton(package.as_str());
    let names = app.db.extension_names().await?;
    let looks_like = names.iter().find(|it| similar::skeleton(it) == own);
    let looks_like = looks_like.map(String::as_str);
    Ok(similar::check(package, looks_like, &policy.guarded_names)?)
}
