//! How fast archives are built, inspected, unpacked and hashed: 2,000 small files and one
//! large one, in both formats. `cargo bench -p provisioning-package`.

#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot go on has failed"
)]

use std::fs;
use std::path::PathBuf;

use divan::counter::BytesCount;
use provisioning_package::{
    ArchiveFormat, BuildOptions, Digest, build_archive, inspect_archive, unpack_archive,
};

const SMALL_FILES: usize = 2_000;
const LARGE_FILE_BYTES: usize = 32 << 20;
const FORMATS: [&str; 2] = ["tar.zst", "tar.gz"];

fn main() {
    divan::main();
}

/// A tree, and its archive in one format.
struct Sample {
    home: tempfile::TempDir,
    options: BuildOptions,
    unpacked: u64,
}

impl Sample {
    fn new(format: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let tree = home.path().join("tree");
        for index in 0..SMALL_FILES {
            let folder = tree.join(format!("folder-{}", index % 50));
            fs::create_dir_all(&folder).unwrap();
            let content = format!("content of file {index}\n").repeat(index % 100);
            fs::write(folder.join(format!("file-{index}.txt")), content).unwrap();
        }
        fs::write(tree.join("large"), noise(LARGE_FILE_BYTES)).unwrap();
        let format = match format {
            "tar.zst" => ArchiveFormat::TarZst,
            _ => ArchiveFormat::TarGz,
        };
        let options = BuildOptions {
            format,
            ..BuildOptions::default()
        };
        let mut out = fs::File::create(home.path().join("archive")).unwrap();
        let facts = build_archive(&tree, &options, &mut out).unwrap();
        Self {
            home,
            options,
            unpacked: facts.unpacked,
        }
    }

    fn archive(&self) -> PathBuf {
        self.home.path().join("archive")
    }
}

/// Bytes that no compressor makes smaller (xorshift).
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes
}

#[divan::bench(args = FORMATS, sample_count = 5)]
fn build(bencher: divan::Bencher<'_, '_>, format: &str) {
    let sample = Sample::new(format);
    let tree = sample.home.path().join("tree");
    bencher
        .counter(BytesCount::new(sample.unpacked))
        .bench_local(|| build_archive(&tree, &sample.options, &mut std::io::sink()).unwrap());
}

#[divan::bench(args = FORMATS, sample_count = 5)]
fn inspect(bencher: divan::Bencher<'_, '_>, format: &str) {
    let sample = Sample::new(format);
    bencher
        .counter(BytesCount::new(sample.unpacked))
        .bench_local(|| inspect_archive(&sample.archive()).unwrap());
}

#[divan::bench(args = FORMATS, sample_count = 5)]
fn unpack(bencher: divan::Bencher<'_, '_>, format: &str) {
    let sample = Sample::new(format);
    let mut count = 0;
    bencher
        .counter(BytesCount::new(sample.unpacked))
        .bench_local(|| {
            count += 1;
            let to = sample.home.path().join(format!("to-{count}"));
            unpack_archive(&sample.archive(), &to).unwrap()
        });
}

#[divan::bench(sample_count = 10)]
fn digest(bencher: divan::Bencher<'_, '_>) {
    let bytes = noise(LARGE_FILE_BYTES);
    bencher
        .counter(BytesCount::of_slice(&bytes))
        .bench_local(|| Digest::of_reader(&mut &bytes[..]).unwrap());
}
