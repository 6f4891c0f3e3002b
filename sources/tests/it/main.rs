//! What this crate promises, tried from outside.

mod facts;
