//! A manifest: no panic, and an error says where.
#![no_main]

use libfuzzer_sys::fuzz_target;
use provisioning_package::{Manifest, SourceFacts, complete_manifest};

fuzz_target!(|text: &str| {
    if let Err(errors) = Manifest::parse(text) {
        assert!(!errors.0.is_empty());
        assert!(errors.0.iter().all(|it| it.line > 0 && it.column > 0));
    }
    let facts = SourceFacts {
        version: "1.0.0".parse().ok(),
        core_version: "^3".parse().ok(),
    };
    complete_manifest(text, &facts);
});
