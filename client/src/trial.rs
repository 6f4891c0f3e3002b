//! Trying versions together before anybody relies on them: in a registry and in prefixes of
//! their own, which are gone afterwards.
//!
//! `bundle test`, `bundle bisect` and `compat prove` install through the same commands as
//! everybody, from a registry in a folder that is made for the trial: the real one's index
//! entries, and archives that nobody published yet. What was run, and what came of it, is
//! [evidence](provisioning_registry_api::evidence).
//!
//! | file | noun |
//! | --- | --- |
//! | `definition` | what a bundle's name means: a draft, or what was published |
//! | `material` | index entries and archives, published or not |
//! | `scratch` | the registry in a folder |
//! | `course` | the runs of one trial, in order |
//! | `running` | a command, its end and the digest of what it printed |
//! | `tester` | the key that evidence is signed with |

mod course;
mod definition;
mod material;
mod running;
mod scratch;
mod tester;

pub(crate) use course::{Course, Ran, Tried};
pub(crate) use definition::{Definition, define};
pub(crate) use material::Material;
pub(crate) use tester::{TesterKey, sign};
