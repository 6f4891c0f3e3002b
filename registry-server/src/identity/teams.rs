//! Teams: who belongs to them, and which kinds are theirs.

use provisioning_package::Kind;
use provisioning_registry_api::identity::{InvitationAnswer, Team, TeamRole};

use super::{Acting, Consent, named};
use crate::db::owners::{put_invitation, withdraw_invitation};
use crate::db::people::{
    count_maintainers, insert_team, put_member, remove_member, set_namespace, team_role,
};
use crate::problem::{Code, Refusal, ServerError};

impl Acting<'_> {
    /// Adds a team; who makes it is its first maintainer.
    pub(crate) async fn add_team(
        &self,
        name: &str,
        maintainer: Option<&str>,
    ) -> Result<Team, ServerError> {
        let name = named(name)?;
        let mut tx = self.db.write().await?;
        if !insert_team(tx.connection(), name, self.now).await? {
            return Err(Refusal::new(
                Code::TeamExists,
                format!("there is a team `{name}` already"),
            )
            .into());
        }
        if let Some(user) = maintainer {
            put_member(tx.connection(), name, user, TeamRole::Maintainer).await?;
        }
        self.audit(
            &mut tx,
            "add-team",
            &subject(name),
            maintainer.unwrap_or(""),
        );
        tx.commit().await?;
        self.team(name).await
    }

    /// A team with its members.
    pub(crate) async fn team(&self, name: &str) -> Result<Team, ServerError> {
        let teams = self.db.teams().await?;
        let found = teams.into_iter().find(|it| it.name == name);
        found.ok_or_else(|| unknown_team(name).into())
    }

    /// Puts somebody into a team, or changes what they are in it; whoever does not belong to
    /// it yet is asked first.
    pub(crate) async fn put_member(
        &self,
        team: &str,
        user: &str,
        role: TeamRole,
        consent: Consent,
    ) -> Result<Team, ServerError> {
        self.team(team).await?;
        self.require_user(user).await?;
        let mut tx = self.db.write().await?;
        let before = team_role(tx.connection(), team, user).await?;
        let detail = format!("{user} {role}");
        if before.is_none() && consent == Consent::Asked {
            let invitation = self.invitation(subject(team), user, role.as_str());
            put_invitation(tx.connection(), &invitation, self.now).await?;
            self.audit(&mut tx, "invite", &subject(team), &detail);
        } else {
            put_member(tx.connection(), team, user, role).await?;
            if before == Some(TeamRole::Maintainer) {
                protect_last(tx.connection(), team).await?;
            }
            self.audit(&mut tx, "put-member", &subject(team), &detail);
        }
        tx.commit().await?;
        self.team(team).await
    }

    /// Takes somebody out of a team, or an invitation to it back.
    pub(crate) async fn remove_member(&self, team: &str, user: &str) -> Result<(), ServerError> {
        self.team(team).await?;
        let mut tx = self.db.write().await?;
        let was_maintainer =
            team_role(tx.connection(), team, user).await? == Some(TeamRole::Maintainer);
        let is_removed = remove_member(tx.connection(), team, user).await?;
        let is_withdrawn = withdraw_invitation(tx.connection(), &subject(team), user).await?;
        if !is_removed && !is_withdrawn {
            return Err(Refusal::new(
                Code::UserUnknown,
                format!("`{user}` does not belong to the team `{team}`"),
            )
            .into());
        }
        if was_maintainer {
            protect_last(tx.connection(), team).await?;
        }
        self.audit(&mut tx, "remove-member", &subject(team), user);
        tx.commit().await?;
        Ok(())
    }

    /// Gives one of the registry's own kinds to a team, or takes it away.
    pub(crate) async fn set_namespace(
        &self,
        kind: Kind,
        team: Option<&str>,
    ) -> Result<(), ServerError> {
        if kind == Kind::Extension {
            return Err(Refusal::new(
                Code::IdentityInvalid,
                "extensions belong to whoever publishes them first, not to a team",
            )
            .into());
        }
        if let Some(team) = team {
            self.team(team).await?;
        }
        let mut tx = self.db.write().await?;
        set_namespace(tx.connection(), kind, team).await?;
        let subject = format!("namespace:{kind}");
        self.audit(&mut tx, "set-namespace", &subject, team.unwrap_or("nobody"));
        tx.commit().await?;
        Ok(())
    }

    /// Answers an invitation; where it was to.
    pub(crate) async fn answer(
        &self,
        user: &str,
        id: &str,
        answer: InvitationAnswer,
    ) -> Result<(), ServerError> {
        let mut tx = self.db.write().await?;
        let found = crate::db::owners::take_invitation(tx.connection(), id, user).await?;
        let found = found.filter(|it| it.expires_at > self.now);
        let Some(invitation) = found else {
            return Err(Refusal::new(
                Code::InvitationUnknown,
                format!("no invitation `{id}` waits for an answer of `{user}`"),
            )
            .into());
        };
        if answer == InvitationAnswer::Accept {
            match invitation.subject.split_once(':') {
                Some(("team", team)) => {
                    let role = read_role(&invitation.role)?;
                    put_member(tx.connection(), team, user, role).await?;
                }
                Some(("package", package)) => {
                    self.accept_role(&mut tx, package, user, &invitation.role)
                        .await?;
                }
                _ => {
                    return Err(ServerError::Failed(format!(
                        "an invitation is to `{}`",
                        invitation.subject
                    )));
                }
            }
        }
        let detail = format!("{user} {}", invitation.role);
        self.audit(&mut tx, answer.as_str(), &invitation.subject, &detail);
        tx.commit().await?;
        Ok(())
    }
}

fn read_role(text: &str) -> Result<TeamRole, ServerError> {
    text.parse()
        .map_err(|error| ServerError::Failed(format!("an invitation's role: {error}")))
}

/// A team that somebody leads stays one: nobody could change it any more.
async fn protect_last(connection: &mut sqlx::AnyConnection, team: &str) -> Result<(), ServerError> {
    if count_maintainers(connection, team).await? > 0 {
        return Ok(());
    }
    Err(Refusal::new(
        Code::LastOwner,
        format!("the team `{team}` would have no maintainer left"),
    )
    .hint("make somebody else a maintainer first")
    .into())
}

fn subject(team: &str) -> String {
    format!("team:{team}")
}

pub(crate) fn unknown_team(name: &str) -> Refusal {
    Refusal::new(
        Code::TeamUnknown,
        format!("this registry has no team `{name}`"),
    )
}
