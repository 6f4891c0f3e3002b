//! Switches, thrown beside a running server.

use provisioning_registry_api::operation::Switch;

use super::{Upkeep, UpkeepError};
use crate::db::switches::{clear, throw};
use crate::rules::switch::{SwitchName, Thrown};
use crate::rules::text::{self, REASON_CHARS_MAX};

impl Upkeep {
    /// What is held back, by name.
    pub async fn switches(&self) -> Result<Vec<Switch>, UpkeepError> {
        Ok(Thrown::new(self.db.switches().await?).into_list())
    }

    /// Holds something back.
    pub async fn throw_switch(
        &self,
        name: &str,
        reason: &str,
        by: &str,
    ) -> Result<(), UpkeepError> {
        let name: SwitchName = name.parse()?;
        let reason = reason.trim();
        if reason.is_empty() {
            return Err(UpkeepError::Reason("a switch says why".to_owned()));
        }
        text::check(
            crate::problem::Code::BadRequest,
            "reason",
            reason,
            REASON_CHARS_MAX,
        )
        .map_err(|refusal| UpkeepError::Reason(refusal.detail))?;
        let switch = Switch {
            name: name.to_string(),
            reason: reason.to_owned(),
            by: by.to_owned(),
            since: self.now(),
        };
        let mut tx = self.db.write_quietly().await?;
        throw(&mut tx, &switch).await?;
        tx.audit(
            switch.since,
            by,
            "throw-switch",
            &switch.name,
            &switch.reason,
        );
        Ok(tx.commit().await?)
    }

    /// Lets something go on; says whether it was held back.
    pub async fn clear_switch(&self, name: &str, by: &str) -> Result<bool, UpkeepError> {
        let name = name.parse::<SwitchName>()?.to_string();
        let mut tx = self.db.write_quietly().await?;
        let was_thrown = clear(&mut tx, &name).await?;
        if was_thrown {
            tx.audit(self.now(), by, "clear-switch", &name, "");
        }
        tx.commit().await?;
        Ok(was_thrown)
    }
}
