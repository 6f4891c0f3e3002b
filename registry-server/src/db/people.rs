//! Users and teams.

use jiff::Timestamp;
use provisioning_package::Kind;
use provisioning_registry_api::identity::{
    Member, Membership, Namespace, RegistryRole, Team, TeamRole, User,
};
use sqlx::AnyConnection;

use super::{Db, DbError, from_json, parsed, to_json};

type UserColumns = (String, String, String, Option<String>);

/// Adds a user; `false` where the name is taken.
pub(crate) async fn insert_user(
    connection: &mut AnyConnection,
    name: &str,
    roles: &[RegistryRole],
    now: Timestamp,
) -> Result<bool, DbError> {
    let result = sqlx::query(
        "INSERT INTO users (name, roles, created_at) VALUES ($1, $2, $3) \
         ON CONFLICT (name) DO NOTHING",
    )
    .bind(name.to_owned())
    .bind(to_json(&roles))
    .bind(now.to_string())
    .execute(connection)
    .await?;
    Ok(result.rows_affected() == 1)
}

/// Writes down what a user may do.
pub(crate) async fn update_user(
    connection: &mut AnyConnection,
    user: &User,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query("UPDATE users SET roles = $1, disabled_at = $2 WHERE name = $3")
        .bind(to_json(&user.roles))
        .bind(user.disabled.then(|| now.to_string()))
        .bind(user.name.clone())
        .execute(connection)
        .await?;
    Ok(())
}

/// Adds a team; `false` where the name is taken.
pub(crate) async fn insert_team(
    connection: &mut AnyConnection,
    name: &str,
    now: Timestamp,
) -> Result<bool, DbError> {
    let result = sqlx::query(
        "INSERT INTO teams (name, created_at) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING",
    )
    .bind(name.to_owned())
    .bind(now.to_string())
    .execute(connection)
    .await?;
    Ok(result.rows_affected() == 1)
}

/// What `user` is in `team`, if anything.
pub(crate) async fn team_role(
    connection: &mut AnyConnection,
    team: &str,
    user: &str,
) -> Result<Option<TeamRole>, DbError> {
    let row: Option<(String,)> =
        sqlx::query_as("SELECT role FROM team_members WHERE team = $1 AND user_name = $2")
            .bind(team.to_owned())
            .bind(user.to_owned())
            .fetch_optional(connection)
            .await?;
    row.map(|(role,)| parsed(&role, "a role in a team"))
        .transpose()
}

/// Puts a user into a team, or changes what they are in it.
pub(crate) async fn put_member(
    connection: &mut AnyConnection,
    team: &str,
    user: &str,
    role: TeamRole,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO team_members (team, user_name, role) VALUES ($1, $2, $3) \
         ON CONFLICT (team, user_name) DO UPDATE SET role = excluded.role",
    )
    .bind(team.to_owned())
    .bind(user.to_owned())
    .bind(role.as_str().to_owned())
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes a user out of a team.
pub(crate) async fn remove_member(
    connection: &mut AnyConnection,
    team: &str,
    user: &str,
) -> Result<bool, DbError> {
    let result = sqlx::query("DELETE FROM team_members WHERE team = $1 AND user_name = $2")
        .bind(team.to_owned())
        .bind(user.to_owned())
        .execute(connection)
        .await?;
    Ok(result.rows_affected() == 1)
}

/// How many maintainers a team has.
pub(crate) async fn count_maintainers(
    connection: &mut AnyConnection,
    team: &str,
) -> Result<i64, DbError> {
    let (count,): (i64,) =
        sqlx::query_as("SELECT COUNT(*) FROM team_members WHERE team = $1 AND role = 'maintainer'")
            .bind(team.to_owned())
            .fetch_one(connection)
            .await?;
    Ok(count)
}

/// Gives a kind to a team, or takes it away.
pub(crate) async fn set_namespace(
    connection: &mut AnyConnection,
    kind: Kind,
    team: Option<&str>,
) -> Result<(), DbError> {
    let query = match team {
        Some(team) => sqlx::query(
            "INSERT INTO namespaces (kind, team) VALUES ($1, $2) \
             ON CONFLICT (kind) DO UPDATE SET team = excluded.team",
        )
        .bind(kind.as_str().to_owned())
        .bind(team.to_owned()),
        None => {
            sqlx::query("DELETE FROM namespaces WHERE kind = $1").bind(kind.as_str().to_owned())
        }
    };
    query.execute(connection).await?;
    Ok(())
}

impl Db {
    /// Every user, by name.
    pub(crate) async fn users(&self) -> Result<Vec<User>, DbError> {
        let rows: Vec<UserColumns> =
            sqlx::query_as("SELECT name, roles, created_at, disabled_at FROM users ORDER BY name")
                .fetch_all(self.pool())
                .await?;
        rows.into_iter().map(read_user).collect()
    }

    /// One user.
    pub(crate) async fn user(&self, name: &str) -> Result<Option<User>, DbError> {
        let row: Option<UserColumns> = sqlx::query_as(
            "SELECT name, roles, created_at, disabled_at FROM users WHERE name = $1",
        )
        .bind(name.to_owned())
        .fetch_optional(self.pool())
        .await?;
        row.map(read_user).transpose()
    }

    /// What `user` is in `team`, if anything.
    pub(crate) async fn team_role(
        &self,
        team: &str,
        user: &str,
    ) -> Result<Option<TeamRole>, DbError> {
        let mut connection = self.pool().acquire().await?;
        team_role(&mut connection, team, user).await
    }

    /// Every team with its members and kinds.
    pub(crate) async fn teams(&self) -> Result<Vec<Team>, DbError> {
        let names: Vec<(String,)> = sqlx::query_as("SELECT name FROM teams ORDER BY name")
            .fetch_all(self.pool())
            .await?;
        let members: Vec<(String, String, String)> = sqlx::query_as(
            "SELECT team, user_name, role FROM team_members ORDER BY team, user_name",
        )
        .fetch_all(self.pool())
        .await?;
        let namespaces = self.namespaces().await?;
        let mut teams: Vec<Team> = names
            .into_iter()
            .map(|(name,)| Team {
                namespaces: namespaces
                    .iter()
                    .filter(|it| it.team == name)
                    .map(|it| it.kind)
                    .collect(),
                members: Vec::new(),
                name,
            })
            .collect();
        for (team, user, role) in members {
            let role = parsed(&role, "a role in a team")?;
            if let Some(found) = teams.iter_mut().find(|it| it.name == team) {
                found.members.push(Member { user, role });
            }
        }
        Ok(teams)
    }

    /// The teams of one user.
    pub(crate) async fn memberships(&self, user: &str) -> Result<Vec<Membership>, DbError> {
        let rows: Vec<(String, String)> = sqlx::query_as(
            "SELECT team, role FROM team_members WHERE user_name = $1 ORDER BY team",
        )
        .bind(user.to_owned())
        .fetch_all(self.pool())
        .await?;
        rows.into_iter()
            .map(|(team, role)| {
                Ok(Membership {
                    role: parsed(&role, "a role in a team")?,
                    team,
                })
            })
            .collect()
    }

    /// Which team each kind belongs to.
    pub(crate) async fn namespaces(&self) -> Result<Vec<Namespace>, DbError> {
        let rows: Vec<(String, String)> =
            sqlx::query_as("SELECT kind, team FROM namespaces ORDER BY kind")
                .fetch_all(self.pool())
                .await?;
        rows.into_iter()
            .map(|(kind, team)| {
                Ok(Namespace {
                    kind: parsed(&kind, "a kind")?,
                    team,
                })
            })
            .collect()
    }
}

fn read_user((name, roles, created, disabled): UserColumns) -> Result<User, DbError> {
    Ok(User {
        name,
        roles: from_json(&roles, "a list of roles")?,
        disabled: disabled.is_some(),
        created_at: parsed(&created, "a point in time")?,
    })
}
