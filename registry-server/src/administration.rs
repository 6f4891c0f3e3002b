//! What an operator does to users, teams and tokens at the registry's own machine, also
//! while a server runs on it: no token is needed, since whoever can open the database can
//! do everything anyway.

use std::path::Path;

use jiff::Timestamp;
use provisioning_package::Kind;
use provisioning_registry_api::identity::{
    Binding, ChangeUser, Holder, NewUser, Owners, PackageRole, Team, TeamRole, Token, TokenMade,
    User,
};
use provisioning_registry_api::trusted::{Issuer, PutIssuer};

use crate::db::tokens::NewTokenRow;
use crate::db::{Db, policy};
use crate::identity::{Acting, Consent, token_id};
use crate::problem::ServerError;
use crate::rules::access::Grant;
use crate::setup::{self, SetupError};

/// What the audit log calls whoever works at the registry's own machine.
const OPERATOR: &str = "operator";
/// Tokens that are listed.
const TOKENS_MAX: u64 = 10_000;

/// A token to make.
#[derive(Debug, Clone)]
pub struct TokenOrder {
    /// What it is for.
    pub name: String,
    /// What it is good for.
    pub grants: Vec<Grant>,
    /// When it ends; `None` never does.
    pub expires_at: Option<Timestamp>,
    /// Whose it is; the operator's if nobody's.
    pub user: Option<String>,
    /// The one version that it is good for.
    pub bound: Option<Binding>,
}

/// A registry's people and tokens.
#[derive(Debug)]
pub struct Administration {
    db: Db,
    now: Timestamp,
}

impl Administration {
    /// Opens the registry whose folder is `data`.
    pub async fn open(
        data: &Path,
        database: Option<&str>,
        now: Timestamp,
    ) -> Result<Self, SetupError> {
        let data = setup::make_folder(data)?;
        let db = Db::open(database, &data).await?;
        Ok(Self { db, now })
    }

    /// Closes the database.
    pub async fn close(self) {
        self.db.close().await;
    }

    fn acting(&self) -> Acting<'_> {
        Acting {
            db: &self.db,
            actor: OPERATOR,
            now: self.now,
        }
    }

    /// Makes a token.
    pub async fn make_token(&self, order: TokenOrder) -> Result<TokenMade, ServerError> {
        let row = NewTokenRow {
            id: token_id(),
            name: order.name,
            grants: order.grants,
            expires_at: order.expires_at,
            user: order.user,
            bound: order.bound,
        };
        self.acting().make_token(row).await
    }

    /// Every token, newest first; a user's alone where `user` is given.
    pub async fn tokens(&self, user: Option<&str>) -> Result<Vec<Token>, ServerError> {
        Ok(self.db.tokens(user, TOKENS_MAX).await?)
    }

    /// Ends a token.
    pub async fn revoke_token(&self, id: &str) -> Result<Token, ServerError> {
        self.acting().revoke_token(id).await
    }

    /// Adds a user.
    pub async fn add_user(&self, new: &NewUser) -> Result<User, ServerError> {
        self.acting().add_user(new).await
    }

    /// Changes what a user may do.
    pub async fn change_user(&self, name: &str, change: &ChangeUser) -> Result<User, ServerError> {
        self.acting().change_user(name, change).await
    }

    /// Every user, by name.
    pub async fn users(&self) -> Result<Vec<User>, ServerError> {
        Ok(self.db.users().await?)
    }

    /// Adds a team.
    pub async fn add_team(&self, name: &str) -> Result<Team, ServerError> {
        self.acting().add_team(name, None).await
    }

    /// Every team, by name.
    pub async fn teams(&self) -> Result<Vec<Team>, ServerError> {
        Ok(self.db.teams().await?)
    }

    /// Puts a user into a team.
    pub async fn put_member(
        &self,
        team: &str,
        user: &str,
        role: TeamRole,
    ) -> Result<Team, ServerError> {
        let acting = self.acting();
        acting
            .put_member(team, user, role, Consent::NotNeeded)
            .await
    }

    /// Takes a user out of a team.
    pub async fn remove_member(&self, team: &str, user: &str) -> Result<(), ServerError> {
        self.acting().remove_member(team, user).await
    }

    /// Gives one of the registry's own kinds to a team, or takes it away.
    pub async fn set_namespace(&self, kind: Kind, team: Option<&str>) -> Result<(), ServerError> {
        self.acting().set_namespace(kind, team).await
    }

    /// Gives somebody a role in a package.
    pub async fn give_role(
        &self,
        package: &provisioning_package::PackageName,
        holder: &Holder,
        role: PackageRole,
    ) -> Result<Owners, ServerError> {
        let acting = self.acting();
        acting
            .give_role(package, holder, role, Consent::NotNeeded)
            .await
    }

    /// Every setting's name and value.
    pub async fn settings(&self) -> Result<Vec<(&'static str, String)>, ServerError> {
        Ok(self.db.policy().await?.pairs())
    }

    /// Changes a setting.
    pub async fn set(&self, name: &str, value: &str) -> Result<(), ServerError> {
        let before = self.db.policy().await?;
        if before.clone().with(name, value)? == before {
            return Ok(());
        }
        let mut tx = self.db.write().await?;
        policy::set(tx.connection(), name, value).await?;
        tx.audit(self.now, OPERATOR, "set", &format!("setting:{name}"), value);
        tx.commit().await?;
        Ok(())
    }

    /// Every issuer, by name.
    pub async fn issuers(&self) -> Result<Vec<Issuer>, ServerError> {
        Ok(self.db.issuers("the registry's public URL").await?)
    }

    /// Adds an issuer, or changes it.
    pub async fn put_issuer(&self, name: &str, issuer: &PutIssuer) -> Result<(), ServerError> {
        self.acting().put_issuer(name, issuer).await
    }

    /// Forgets an issuer.
    pub async fn remove_issuer(&self, name: &str) -> Result<(), ServerError> {
        self.acting().remove_issuer(name).await
    }
}
