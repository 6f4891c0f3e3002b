//! Where packages come from: what a source tree says about itself outside `manifest.toml`.
//!
//! Two files keep facts that a manifest then need not repeat: the core's `version.toml` and
//! the platform's `Cargo.toml`. [`read_facts`] reads them; nothing here writes, and nothing
//! here decides whether a manifest is valid.
//!
//! | file | noun |
//! | --- | --- |
//! | `facts` | `version.toml` and the metadata of `Cargo.toml` |

mod facts;

pub use facts::{FACTS_FILE_BYTES_MAX, SourceError, read_facts};
