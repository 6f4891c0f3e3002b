//! What answers requests, a file for each resource. Handlers are thin: extract, load,
//! decide, write, answer.

pub(crate) mod audit;
pub(crate) mod authorise;
pub(crate) mod body;
pub(crate) mod bundles;
pub(crate) mod describe;
pub(crate) mod discovery;
pub(crate) mod download;
pub(crate) mod downloads;
pub(crate) mod events;
pub(crate) mod files;
pub(crate) mod front;
pub(crate) mod health;
pub(crate) mod life;
pub(crate) mod limits;
pub(crate) mod matrix;
pub(crate) mod me;
pub(crate) mod named;
pub(crate) mod owners;
pub(crate) mod people;
pub(crate) mod reviews;
pub(crate) mod search;
pub(crate) mod serving;
pub(crate) mod sessions;
pub(crate) mod settings;
pub(crate) mod surround;
pub(crate) mod switches;
pub(crate) mod tokens;
pub(crate) mod trust;
pub(crate) mod trusted;
pub(crate) mod uploads;
pub(crate) mod validate;
pub(crate) mod versions;
pub(crate) mod webhooks;
pub(crate) mod yank;
