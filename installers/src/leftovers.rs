//! What killed runs left behind, for people who want to know. Nothing here writes: the next
//! writer removes all of it by itself.

use std::path::PathBuf;

use crate::error::InstallError;
use crate::prefix::Prefix;
use crate::recover;

/// Unfinished files and folders, generations that were never switched to, and the note of
/// work that is left to do.
pub fn leftovers(prefix: &Prefix) -> Result<Vec<PathBuf>, InstallError> {
    let mut found = recover::unfinished(prefix)?;
    if prefix.pending().exists() {
        found.push(prefix.pending());
    }
    if recover::lost_current(prefix)? {
        // Without the link nothing tells which of the generations were switched to.
        return Ok(found);
    }
    let newest = prefix.current_number()?.unwrap_or(0);
    for number in prefix.generation_numbers()? {
        if number > newest {
            found.push(prefix.generation(number));
        }
    }
    found.sort();
    Ok(found)
}
