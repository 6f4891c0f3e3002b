//! The signer's files, read by the client, by attackers in between, and by python-tuf.

mod attacks;
mod canonical;
mod first_contact;
mod keys;
mod offline;
mod python;
mod reading;
mod registry;
mod signing;
