//! An archive: no panic, and inspecting and both ways of unpacking agree.
#![no_main]

use libfuzzer_sys::fuzz_target;
use provisioning_package::{
    Digest, FileChunks, Promise, inspect_archive, unpack_archive, unpack_arriving,
};

fuzz_target!(|bytes: &[u8]| {
    let home = tempfile::tempdir().expect("a temporary folder can be made");
    let archive = home.path().join("archive");
    std::fs::write(&archive, bytes).expect("a file can be written there");
    let inspected = inspect_archive(&archive).map_err(|it| it.code());
    let unpacked = unpack_archive(&archive, &home.path().join("to")).map_err(|it| it.code());
    let promise = Promise {
        digest: Digest::of(bytes),
        size: bytes.len() as u64,
        unpacked: None,
        entries: None,
    };
    let mut chunks = FileChunks::open(&archive).expect("it was written just now");
    let arrived = unpack_arriving(&mut chunks, &promise, &home.path().join("stage"));
    let arrived = arrived.map_err(|it| it.code()).map(|it| it.report);
    assert_eq!(inspected, arrived);
    assert_eq!(inspected, unpacked.map(|it| it.report));
});
