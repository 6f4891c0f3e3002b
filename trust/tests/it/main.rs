//! The signer's files, read by the client, by attackers in between, and by python-tuf.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests stop the test where they cannot go on"
)]

mod attacks;
mod canonical;
mod conformance;
mod copy;
mod first_contact;
mod keys;
mod mutations;
mod offline;
mod offline_keys;
mod python;
mod reading;
mod registry;
mod signing;
