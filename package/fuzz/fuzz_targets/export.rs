//! An export: no panic, and what is accepted is exactly what the writer makes.
#![no_main]

use std::io::Read as _;

use libfuzzer_sys::fuzz_target;
use provisioning_package::{ExportReader, ExportWriter};

fuzz_target!(|bytes: &[u8]| {
    let mut reader = ExportReader::new(bytes);
    let mut writer = ExportWriter::new(Vec::new());
    loop {
        match reader.next_entry() {
            Err(_) => return,
            Ok(None) => break,
            Ok(Some(entry)) => {
                let mut content = Vec::new();
                if reader.read_to_end(&mut content).is_err() {
                    return;
                }
                let mut data = &content[..];
                writer
                    .add(&entry.path, entry.size, &mut data)
                    .expect("what was read can be written");
            }
        }
    }
    assert_eq!(writer.finish().expect("a vector takes every byte"), bytes);
});
