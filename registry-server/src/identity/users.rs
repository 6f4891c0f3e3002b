//! Users: added, changed, locked out.

use provisioning_registry_api::identity::{ChangeUser, NewUser, RegistryRole, User};

use super::{Acting, named, unknown_user};
use crate::db::people::{insert_user, update_user};
use crate::problem::{Code, Refusal, ServerError};

impl Acting<'_> {
    /// Adds a user.
    pub(crate) async fn add_user(&self, new: &NewUser) -> Result<User, ServerError> {
        let name = named(&new.name)?;
        let roles = ordered(&new.roles);
        let mut tx = self.db.write().await?;
        if !insert_user(tx.connection(), name, &roles, self.now).await? {
            return Err(Refusal::new(
                Code::UserExists,
                format!("there is a user `{name}` already"),
            )
            .into());
        }
        self.audit(&mut tx, "add-user", &subject(name), &words(&roles));
        tx.commit().await?;
        Ok(User {
            name: name.to_owned(),
            roles,
            disabled: false,
            created_at: self.now,
        })
    }

    /// Changes what a user may do.
    pub(crate) async fn change_user(
        &self,
        name: &str,
        change: &ChangeUser,
    ) -> Result<User, ServerError> {
        let before = self.db.user(name).await?;
        let before = before.ok_or_else(|| unknown_user(name))?;
        let after = User {
            roles: change
                .roles
                .as_deref()
                .map_or_else(|| before.roles.clone(), ordered),
            disabled: change.disabled.unwrap_or(before.disabled),
            ..before.clone()
        };
        if after != before {
            let mut tx = self.db.write().await?;
            update_user(tx.connection(), &after, self.now).await?;
            let state = if after.disabled {
                "disabled"
            } else {
                "enabled"
            };
            let detail = format!("{state} {}", words(&after.roles));
            self.audit(&mut tx, "change-user", &subject(name), detail.trim());
            tx.commit().await?;
        }
        Ok(after)
    }
}

fn ordered(roles: &[RegistryRole]) -> Vec<RegistryRole> {
    let mut roles = roles.to_vec();
    roles.sort_unstable();
    roles.dedup();
    roles
}

fn words(roles: &[RegistryRole]) -> String {
    let words: Vec<&str> = roles.iter().map(|it| it.as_str()).collect();
    words.join(", ")
}

fn subject(name: &str) -> String {
    format!("user:{name}")
}
