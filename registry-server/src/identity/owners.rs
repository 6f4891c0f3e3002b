//! Roles in packages: given, answered, taken away.

use provisioning_package::PackageName;
use provisioning_registry_api::identity::{Holder, OwnerEntry, Owners, PackageRole};

use super::{Acting, Consent};
use crate::db::WriteTx;
use crate::db::owners::{owners, put_invitation, put_owner, remove_owner, withdraw_invitation};
use crate::problem::{Code, Refusal, ServerError};

impl Acting<'_> {
    /// Who has a role in a package, and who is invited.
    pub(crate) async fn owners(&self, package: &PackageName) -> Result<Owners, ServerError> {
        if !self.db.has_package(package).await? {
            return Err(unknown_package(package).into());
        }
        let invited = self.db.invitations_to(&subject(package), self.now).await?;
        let invited = invited
            .into_iter()
            .filter_map(|it| {
                Some(OwnerEntry {
                    role: it.role.parse().ok()?,
                    holder: it.user,
                })
            })
            .collect();
        Ok(Owners {
            kind: package.kind(),
            name: package.clone(),
            owners: self.db.owners(package).await?,
            invited,
        })
    }

    /// Gives somebody a role in a package, or changes it; a user who has none yet is asked
    /// first.
    pub(crate) async fn give_role(
        &self,
        package: &PackageName,
        holder: &Holder,
        role: PackageRole,
        consent: Consent,
    ) -> Result<Owners, ServerError> {
        if !self.db.has_package(package).await? {
            return Err(unknown_package(package).into());
        }
        self.require(holder, consent).await?;
        let mut tx = self.db.write().await?;
        let before = owners(tx.connection(), package).await?;
        let name = holder.to_string();
        let is_known = before.iter().any(|it| it.holder == name);
        let detail = format!("{name} {role}");
        match holder {
            Holder::User(user) if !is_known && consent == Consent::Asked => {
                let invitation = self.invitation(subject(package), user, role.as_str());
                put_invitation(tx.connection(), &invitation, self.now).await?;
                self.audit(&mut tx, "invite", &subject(package), &detail);
            }
            Holder::User(_) | Holder::Team(_) => {
                put_owner(tx.connection(), package, holder, role, self.now).await?;
                protect_last(&mut tx, package, &before).await?;
                self.audit(&mut tx, "give-role", &subject(package), &detail);
            }
        }
        tx.commit().await?;
        self.owners(package).await
    }

    /// Takes somebody's role in a package away, or an invitation to one back.
    pub(crate) async fn remove_owner(
        &self,
        package: &PackageName,
        holder: &Holder,
    ) -> Result<Owners, ServerError> {
        let mut tx = self.db.write().await?;
        let before = owners(tx.connection(), package).await?;
        let is_removed = remove_owner(tx.connection(), package, holder).await?;
        let name = holder.to_string();
        let is_withdrawn = withdraw_invitation(tx.connection(), &subject(package), &name).await?;
        if !is_removed && !is_withdrawn {
            return Err(Refusal::new(
                Code::UserUnknown,
                format!("`{holder}` has no role in `{package}`"),
            )
            .into());
        }
        protect_last(&mut tx, package, &before).await?;
        self.audit(&mut tx, "remove-role", &subject(package), &name);
        tx.commit().await?;
        self.owners(package).await
    }

    /// What an accepted invitation brings.
    pub(super) async fn accept_role(
        &self,
        tx: &mut WriteTx,
        package: &str,
        user: &str,
        role: &str,
    ) -> Result<(), ServerError> {
        let damaged = || ServerError::Failed(format!("an invitation is to `{package}` `{role}`"));
        let package = PackageName::parse(package).map_err(|_| damaged())?;
        let role = role.parse().map_err(|_| damaged())?;
        let holder = Holder::User(user.to_owned());
        put_owner(tx.connection(), &package, &holder, role, self.now).await?;
        Ok(())
    }

    async fn require(&self, holder: &Holder, consent: Consent) -> Result<(), ServerError> {
        match holder {
            Holder::User(user) => self.require_user(user).await,
            Holder::Team(team) => {
                self.team(team).await?;
                // Nobody else asks a team: only who belongs to it may name it.
                let role = self.db.team_role(team, self.actor).await?;
                if consent == Consent::Asked && role.is_none() {
                    return Err(Refusal::new(
                        Code::RoleMissing,
                        format!("`{}` does not belong to the team `{team}`", self.actor),
                    )
                    .hint("only a member of a team can give it a role in a package")
                    .into());
                }
                Ok(())
            }
        }
    }
}

/// A package that has an owner keeps one: nobody could change that any more.
async fn protect_last(
    tx: &mut WriteTx,
    package: &PackageName,
    before: &[OwnerEntry],
) -> Result<(), ServerError> {
    let has_owner = |all: &[OwnerEntry]| all.iter().any(|it| it.role == PackageRole::Owner);
    let after = owners(tx.connection(), package).await?;
    if !has_owner(before) || has_owner(&after) {
        return Ok(());
    }
    Err(Refusal::new(
        Code::LastOwner,
        format!("`{package}` would have no owner left"),
    )
    .hint(format!(
        "make somebody else an owner first: `provisioning owner add {package} NAME --role owner`"
    ))
    .into())
}

pub(crate) fn unknown_package(package: &PackageName) -> Refusal {
    Refusal::new(
        Code::VersionUnknown,
        format!("this registry has no package `{package}`"),
    )
}

fn subject(package: &PackageName) -> String {
    format!("package:{package}")
}
