//! The registry.
fn main() {}
