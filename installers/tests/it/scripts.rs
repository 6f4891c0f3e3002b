//! The bootstrap scripts: what they say, and what they do in every shell that is here.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

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
