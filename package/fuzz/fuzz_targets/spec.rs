//! A spec: no panic, and what prints reads back the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use provisioning_package::Spec;

fuzz_target!(|text: &str| {
    if let Ok(spec) = text.parse::<Spec>() {
        assert_eq!(spec.to_string().parse::<Spec>().as_ref(), Ok(&spec));
    }
});
