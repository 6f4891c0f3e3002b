//! The `provisioning` command: what people and scripts type.
//!
//! A shell around the other crates: it reads settings, talks to registries, draws tables
//! and progress, and leaves every decision to the crate that owns it.
//!
//! | file | noun |
//! | --- | --- |
//! | `env` | the process: variables, folder, clock, terminals; read nowhere else |
//! | `settings` | what is meant, from flags, variables and files, each with its origin |
//! | `output` | stdout for results, stderr for everything else, JSON, colour, progress |
//! | `failure` | errors with code, causes, hints and exit status |
//! | `context` | the three above together, handed to every command |
//! | `registry` | the read side of a registry, verified |
//! | `write_api` | the write side of a registry |
//! | `signing` | keys of people, what they sign, and the signature |
//! | `credentials` | tokens, never shown |
//! | `prompt` | questions to whoever sits at the terminal |
//! | `copying` | mirrors, exported files and imports |
//! | `planning` | from what a user wants to a plan |
//! | `transaction` | from a plan to an install |
//! | `matrix_edit` | a `versions.toml` changed as its authors would |
//! | `releasing` | packages released from their repositories, step by step |
//! | `trial` | versions tried together before anybody relies on them |
//! | `shell_files` | completions and manual pages in the prefix |
//! | `commands` | the tree of commands, and one file for each |

mod commands;
mod context;
mod copying;
mod credentials;
mod durable;
mod env;
mod failure;
mod matrix_edit;
mod output;
mod planning;
mod prompt;
mod registry;
mod releasing;
mod settings;
mod shell_files;
mod signing;
mod transaction;
mod trial;
mod write_api;

pub use commands::run;
pub use env::Env;
