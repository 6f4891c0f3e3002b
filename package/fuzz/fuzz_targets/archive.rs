//! An archive: no panic, and inspecting and unpacking agree.
#![no_main]

use libfuzzer_sys::fuzz_target;
use provisioning_package::{inspect_archive, unpack_archive};

fuzz_target!(|bytes: &[u8]| {
    let home = tempfile::tempdir().expect("a temporary folder can be made");
    let archive = home.path().join("archive");
    std::fs::write(&archive, bytes).expect("a file can be written there");
    let inspected = inspect_archive(&archive).map_err(|it| it.code());
    let unpacked = unpack_archive(&archive, &home.path().join("to")).map_err(|it| it.code());
    assert_eq!(inspected, unpacked.map(|it| it.report));
});
