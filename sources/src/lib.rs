//! Where packages come from: one repository, many packages.
//!
//! A source configuration says which paths of a repository make which packages and what is
//! done with them; [`config`] reads it. [`paths`] says which file belongs to what. Git is run
//! as a process, and only where a module says so; the rest takes values and returns values.
//! Nothing here reads the environment or the clock, prints, or talks to a registry.
//!
//! | module | noun |
//! | --- | --- |
//! | [`yaml`] | YAML as Packit's loader reads it, with places |
//! | [`config`] | `.provisioning.yaml`, `.packit.yaml`: packages, jobs, inheritance |
//! | [`forge`] | what is asked of forges, and their answers |
//! | [`git`] | git, run as a process |
//! | [`affected`] | what a change touches, and why |
//! | [`dependencies`] | which packages of a repository need which |
//! | [`snapshot`] | the committed content of a repository, apart from the checkout |
//! | [`version`] | a package's version from its tags |
//! | [`actions`] | a configuration's own commands |
//! | [`build`] | archives of packages |
//! | [`specfile`] | the text of a specfile |
//! | [`downstream`] | downstream repositories, and commits that pair them with the source |
//! | [`objects`] | trees, blobs and commits as values |
//! | [`patches`] | patches from the commits on top of an upstream |
//! | [`rsync`] | files copied as rsync would, between two trees |
//! | [`trailers`] | trailers that pair commits |
//! | [`split`] | a package's history as a repository of its own |
//! | [`srpm`] | source and binary RPMs |
//! | [`paths`] | paths and globs of a repository |
//! | [`tree`] | the files of a repository, as far as somebody asks |
//! | `facts` | `version.toml` and the metadata of `Cargo.toml` |

pub mod actions;
pub mod affected;
pub mod build;
pub mod config;
pub mod dependencies;
pub mod downstream;
mod facts;
pub mod forge;
pub mod git;
pub mod objects;
pub mod patches;
pub mod paths;
pub mod problem;
pub mod rsync;
pub mod snapshot;
pub mod specfile;
pub mod split;
pub mod srpm;
pub mod trailers;
pub mod tree;
pub mod version;
pub mod yaml;

pub use facts::{FACTS_FILE_BYTES_MAX, SourceError, read_facts};
