//! Who has a role in a package, and who is invited to one.

use jiff::Timestamp;
use provisioning_package::{Kind, PackageName};
use provisioning_registry_api::identity::{
    Holder, Invitation, OwnedPackage, OwnerEntry, PackageRole,
};
use sqlx::AnyConnection;

use super::{Db, DbError, parsed};

/// Who has a role in `package`, by name.
pub(crate) async fn owners(
    connection: &mut AnyConnection,
    package: &PackageName,
) -> Result<Vec<OwnerEntry>, DbError> {
    let rows: Vec<(String, String)> =
        sqlx::query_as("SELECT holder, role FROM owners WHERE package = $1 ORDER BY holder")
            .bind(package.as_str().to_owned())
            .fetch_all(connection)
            .await?;
    rows.into_iter()
        .map(|(holder, role)| {
            Ok(OwnerEntry {
                holder,
                role: parsed(&role, "a role in a package")?,
            })
        })
        .collect()
}

/// Gives somebody a role in a package, or changes it.
pub(crate) async fn put_owner(
    connection: &mut AnyConnection,
    package: &PackageName,
    holder: &Holder,
    role: PackageRole,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO owners (package, holder, role, since) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (package, holder) DO UPDATE SET role = excluded.role",
    )
    .bind(package.as_str().to_owned())
    .bind(holder.to_string())
    .bind(role.as_str().to_owned())
    .bind(now.to_string())
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes somebody's role in a package away.
pub(crate) async fn remove_owner(
    connection: &mut AnyConnection,
    package: &PackageName,
    holder: &Holder,
) -> Result<bool, DbError> {
    let result = sqlx::query("DELETE FROM owners WHERE package = $1 AND holder = $2")
        .bind(package.as_str().to_owned())
        .bind(holder.to_string())
        .execute(connection)
        .await?;
    Ok(result.rows_affected() == 1)
}

type InvitationColumns = (String, String, String, String, String, String);

const INVITATION_COLUMNS: &str = "id, subject, user_name, role, invited_by, expires_at";

/// Keeps an invitation in the place of an earlier one to the same.
pub(crate) async fn put_invitation(
    connection: &mut AnyConnection,
    invitation: &Invitation,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query("DELETE FROM invitations WHERE subject = $1 AND user_name = $2")
        .bind(invitation.subject.clone())
        .bind(invitation.user.clone())
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "INSERT INTO invitations (id, subject, user_name, role, invited_by, created_at, \
         expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(invitation.id.clone())
    .bind(invitation.subject.clone())
    .bind(invitation.user.clone())
    .bind(invitation.role.clone())
    .bind(invitation.invited_by.clone())
    .bind(now.to_string())
    .bind(invitation.expires_at.to_string())
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes an invitation away, answered or not; what it was.
pub(crate) async fn take_invitation(
    connection: &mut AnyConnection,
    id: &str,
    user: &str,
) -> Result<Option<Invitation>, DbError> {
    let sql = format!(
        "DELETE FROM invitations WHERE id = $1 AND user_name = $2 RETURNING {INVITATION_COLUMNS}"
    );
    let row: Option<InvitationColumns> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(id.to_owned())
        .bind(user.to_owned())
        .fetch_optional(connection)
        .await?;
    row.map(read_invitation).transpose()
}

/// Takes back an invitation that was not answered.
pub(crate) async fn withdraw_invitation(
    connection: &mut AnyConnection,
    subject: &str,
    user: &str,
) -> Result<bool, DbError> {
    let result = sqlx::query("DELETE FROM invitations WHERE subject = $1 AND user_name = $2")
        .bind(subject.to_owned())
        .bind(user.to_owned())
        .execute(connection)
        .await?;
    Ok(result.rows_affected() == 1)
}

impl Db {
    /// Who has a role in `package`, by name.
    pub(crate) async fn owners(&self, package: &PackageName) -> Result<Vec<OwnerEntry>, DbError> {
        let mut connection = self.pool().acquire().await?;
        owners(&mut connection, package).await
    }

    /// What `user` is in `package`: of their own, through a team, or because the kind
    /// belongs to a team of theirs (whose members publish, and whose maintainers own).
    pub(crate) async fn package_role(
        &self,
        package: &PackageName,
        user: &str,
    ) -> Result<Option<PackageRole>, DbError> {
        let rows: Vec<(String,)> = sqlx::query_as(
            "SELECT role FROM owners WHERE package = $1 AND holder = $2 \
             UNION ALL SELECT o.role FROM owners o JOIN team_members m \
             ON o.holder = 'team:' || m.team WHERE o.package = $1 AND m.user_name = $2 \
             UNION ALL SELECT CASE m.role WHEN 'maintainer' THEN 'owner' ELSE 'publisher' END \
             FROM namespaces n JOIN team_members m ON m.team = n.team \
             WHERE n.kind = $3 AND n.kind <> 'extension' AND m.user_name = $2",
        )
        .bind(package.as_str().to_owned())
        .bind(user.to_owned())
        .bind(package.kind().as_str().to_owned())
        .fetch_all(self.pool())
        .await?;
        let roles = rows
            .into_iter()
            .map(|(role,)| parsed::<PackageRole>(&role, "a role in a package"))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(roles.into_iter().max())
    }

    /// The packages that `user` has a role in, of their own or through a team.
    pub(crate) async fn packages_of(&self, user: &str) -> Result<Vec<OwnedPackage>, DbError> {
        let rows: Vec<(String,)> = sqlx::query_as(
            "SELECT package FROM owners WHERE holder = $1 \
             UNION SELECT o.package FROM owners o JOIN team_members m \
             ON o.holder = 'team:' || m.team WHERE m.user_name = $1 \
             UNION SELECT n.kind FROM namespaces n JOIN team_members m ON m.team = n.team \
             WHERE m.user_name = $1 ORDER BY 1",
        )
        .bind(user.to_owned())
        .fetch_all(self.pool())
        .await?;
        let mut owned = Vec::new();
        for (package,) in rows {
            // A package of the registry's own kinds is called as its kind.
            let name: PackageName = match package.parse::<Kind>().ok() {
                Some(kind) => match PackageName::of_kind(kind) {
                    Some(name) => name,
                    None => continue,
                },
                None => super::packages::read_name(&package)?,
            };
            if let Some(role) = self.package_role(&name, user).await? {
                owned.push(OwnedPackage {
                    kind: name.kind(),
                    name,
                    role,
                });
            }
        }
        Ok(owned)
    }

    /// The invitations that a user has not answered, oldest first.
    pub(crate) async fn invitations_of(
        &self,
        user: &str,
        now: Timestamp,
    ) -> Result<Vec<Invitation>, DbError> {
        let sql = format!(
            "SELECT {INVITATION_COLUMNS} FROM invitations \
             WHERE user_name = $1 AND expires_at > $2 ORDER BY created_at, id"
        );
        let rows: Vec<InvitationColumns> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(user.to_owned())
            .bind(now.to_string())
            .fetch_all(self.pool())
            .await?;
        rows.into_iter().map(read_invitation).collect()
    }

    /// The invitations to something that were not answered, oldest first.
    pub(crate) async fn invitations_to(
        &self,
        subject: &str,
        now: Timestamp,
    ) -> Result<Vec<Invitation>, DbError> {
        let sql = format!(
            "SELECT {INVITATION_COLUMNS} FROM invitations \
             WHERE subject = $1 AND expires_at > $2 ORDER BY created_at, id"
        );
        let rows: Vec<InvitationColumns> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(subject.to_owned())
            .bind(now.to_string())
            .fetch_all(self.pool())
            .await?;
        rows.into_iter().map(read_invitation).collect()
    }
}

fn read_invitation(row: InvitationColumns) -> Result<Invitation, DbError> {
    let (id, subject, user, role, invited_by, expires_at) = row;
    Ok(Invitation {
        id,
        subject,
        user,
        role,
        invited_by,
        expires_at: parsed(&expires_at, "a point in time")?,
    })
}
