//! The bootstrap scripts: what they say, and what they do in every shell that is here.

mod cut;
mod effects;
mod lint;
mod machine;
mod nushell;
mod powershell;
mod refusals;
mod registry;
mod text;
mod tools;
