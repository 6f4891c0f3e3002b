//! How bytes land on a machine: plan, store, generations, configuration files; and the
//! bootstrap scripts.
//!
//! A prefix holds a **store** (one unpacked, read-only folder for each archive digest) and
//! **generations** (folders of links into the store). `lib/provisioning/current` names one
//! generation; replacing that one link is the only instant at which an install happens.
//!
//! | file | noun |
//! | --- | --- |
//! | `prefix` | every path under a prefix, and who owns it |
//! | `generation`, `request` | what is installed, and who asked for it |
//! | `plan` | the changes that an install would make, as data |
//! | `layout` | where each kind of package lands; commands, configuration, needs |
//! | `linked` | working copies that stand in the place of packages |
//! | `prepare` | what must hold before the first write: contents, collisions |
//! | `apply`, `lock`, `recover` | the transaction, one writer at a time, and its crashes |
//! | `leftovers` | what killed runs left behind |
//! | `staging` | archives that are unpacked while they arrive, before they have a place |
//! | `store`, `receipt` | unpacked archives, and the digest of each of their files |
//! | `workers` | the same work on many archives at once |
//! | `share` | trees that another prefix has unpacked already |
//! | `config_files` | dpkg's three-way rule |
//! | `links` | what stands in `P/bin`, `P/share` and `P/extensions` |
//! | `scaffold` | a workspace made from a template, and moved to a newer one |
//! | `verify` | is everything still as it was installed? |
//!
//! Nothing here reads the clock, the environment or the network, and nothing in a package
//! ever runs because it was installed.

mod adopt;
mod apply;
mod config_files;
mod durable;
mod error;
mod gc;
mod generation;
mod layout;
mod leftovers;
mod linked;
mod links;
mod lock;
mod plan;
mod prefix;
mod prepare;
mod receipt;
mod record;
mod recover;
mod repair;
mod request;
mod scaffold;
pub mod scripts;
mod share;
mod staging;
mod store;
mod verify;
mod workers;

pub use adopt::{Compared, Saved, StandingTree, TakeOver, compare, find_trees, take_over};
pub use apply::{Applied, ApplyContext, Observer, Silent, Step, apply};
pub use config_files::{Beside, ConfigRecord};
pub use error::{Collision, InstallError};
pub use gc::{Garbage, GarbagePackage, GcPolicy, SavedGarbage, collect, garbage};
pub use generation::{GENERATION_SCHEMA, Generation, InstalledPackage, unasked};
pub use layout::Contents;
pub use leftovers::leftovers;
pub use linked::{Linked, plan_link, plan_unlink};
pub use lock::{Holder, WriterLock};
pub use plan::{
    Action, Change, Choice, NewState, Plan, Unpacks, plan, plan_rollback, plan_uninstall,
};
pub use prefix::Prefix;
pub use prepare::{Prepared, missing, prepare, prepare_over};
pub use receipt::{RECEIPT_SCHEMA, Receipt, ReceiptFile};
pub use recover::{current_if_whole, recover};
pub use repair::{Mended, Repaired, repair};
pub use request::{BundleRequest, Requests, SpecRequest, UninstallRefused};
pub use scaffold::{
    Answer, Answers, Conflict, ConflictKind, FileAction, FileChange, Labels, Merged, Node,
    SCAFFOLD_FILE_BYTES_MAX, ScaffoldError, Template, Tree, Variable, apply_changes,
    make_folder_of, merge, read_tree_at, recover_changes,
};
pub use share::shared_trees;
pub use staging::{Arrival, Staging};
pub use verify::{Finding, verify};
