//! Releasing packages: what changed, which version that makes, what must come out together,
//! and the notes that say so.
//!
//! | file | noun |
//! | --- | --- |
//! | `config` | `release.toml`: which repository makes which package, and how |
//! | `change` | a commit, and what it means for whoever upgrades |
//! | `bump` | how far a version moves |
//! | `plan` | what is released, and what waits for what |
//! | `notes` | release notes, from a template |

mod bump;
mod change;
mod config;
mod notes;
mod plan;

pub use bump::{Bump, bumped};
pub use change::{Change, Commit, Group, read_commit};
pub use config::{ConfigError, PackageRelease, ReleaseConfig};
pub use notes::{
    MemberLine, Notes, NotesGroup, NotesLine, NotesSection, PackageNotes, TEMPLATE_DEFAULT,
    groups_of, render_notes,
};
pub use plan::{PackageHistory, Planned, ReleasePlan, plan_release};
