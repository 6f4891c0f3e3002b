//! What a change does, in sentences for the people who are asked to sign it.

use super::{Change, KEYED_ROLES, KeyChange, RoleFiles};
use crate::error::SignError;
use crate::roster::Roster;

impl Change {
    /// What becomes different, one line each: keys that come and go, thresholds, files that a
    /// release lists otherwise, and until when each role would hold.
    pub fn describe(&self, files: &RoleFiles) -> Result<Vec<String>, SignError> {
        let before = KeyChange::over(files)?;
        let after = self.applied(files)?;
        let mut lines = Vec::new();
        for role in KEYED_ROLES {
            compare(
                role,
                &before.roster(role)?,
                &after.roster(role)?,
                &mut lines,
            );
        }
        let (old, new) = (&before.release.before.files, &after.release.after.files);
        let paths = old
            .keys()
            .chain(new.keys().filter(|it| !old.contains_key(*it)));
        for path in paths.filter(|it| old.get(*it) != new.get(*it)) {
            lines.push(format!("release: `{path}` becomes another file"));
        }
        for proposal in &self.proposals {
            let expires = proposal.expires()?;
            let (role, version) = (proposal.role(), proposal.version());
            lines.push(format!("{role} {version} would hold until {expires}"));
        }
        Ok(lines)
    }

    /// Whether the release lists other files than before, which a change of keys never does.
    pub fn moves_targets(&self, files: &RoleFiles) -> Result<bool, SignError> {
        let after = self.applied(files)?;
        Ok(after.release.before.files != after.release.after.files)
    }
}

fn compare(role: &str, before: &Roster, after: &Roster, lines: &mut Vec<String>) {
    for key in after.keys().filter(|it| !before.has(&it.id())) {
        lines.push(format!("{role}: adds the key {} ({key})", key.id()));
    }
    for id in before.ids().filter(|it| !after.has(it)) {
        lines.push(format!("{role}: takes the key {id} away"));
    }
    if before.threshold() != after.threshold() {
        lines.push(format!(
            "{role}: {} signatures are needed instead of {}",
            after.threshold(),
            before.threshold()
        ));
    }
}
