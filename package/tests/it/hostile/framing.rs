//! Hostile compression around a tar, and bombs.

use std::io::Write as _;

use provisioning_package::ArchiveFormat;

use super::raw::{Tar, compress, file, hard_link, head, pax};
use super::{Arena, FORMATS};

fn honest() -> Vec<u8> {
    Tar::new().with(file("a", "x")).end()
}

fn skippable(data: &[u8]) -> Vec<u8> {
    let length = u32::try_from(data.len()).unwrap().to_le_bytes();
    [&[0x50, 0x2a, 0x4d, 0x18], &length[..], data].concat()
}

#[test]
fn files_that_are_no_archive_are_refused_by_name() {
    let arena = Arena::new();
    for (name, bytes) in [
        ("empty", Vec::new()),
        ("one byte", vec![0x28]),
        ("text", b"hello".to_vec()),
        ("plain tar", honest()),
        ("zip", b"PK\x03\x04".to_vec()),
        ("xz", b"\xfd7zXZ\0".to_vec()),
        ("skippable frame first", skippable(b"x")),
    ] {
        assert_eq!(arena.code(&bytes, name), "archive-format-unknown", "{name}");
    }
}

#[test]
fn an_archive_cut_at_any_byte_is_refused() {
    let arena = Arena::new();
    for format in FORMATS {
        let whole = compress(&honest(), format);
        for end in 4..whole.len() {
            let code = arena.code(&whole[..end], &format!("{format} cut at {end}"));
            assert!(
                matches!(code, "archive-truncated" | "archive-corrupt"),
                "{format} cut at {end}: {code}"
            );
        }
    }
}

#[test]
fn a_flipped_bit_never_passes_unnoticed_in_gzip_or_zstd_data() {
    let arena = Arena::new();
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(&honest()).unwrap();
    let whole = encoder.finish().unwrap();
    for at in [whole.len() - 1, whole.len() - 4, whole.len() / 2] {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        arena.code(&bytes, &format!("zstd flipped at {at}"));
    }
    let whole = compress(&honest(), ArchiveFormat::TarGz);
    for at in [whole.len() - 1, whole.len() - 8] {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        assert_eq!(arena.code(&bytes, "gzip flipped"), "archive-corrupt");
    }
}

#[test]
fn what_follows_the_compressed_data_is_refused() {
    let arena = Arena::new();
    for format in FORMATS {
        let whole = compress(&honest(), format);
        let other = match format {
            ArchiveFormat::TarZst => compress(&honest(), ArchiveFormat::TarGz),
            ArchiveFormat::TarGz => compress(&honest(), ArchiveFormat::TarZst),
        };
        for tail in [
            &b"x"[..],
            &[0; 512],
            b"garbage that is longer than a header",
            &other,
        ] {
            let bytes = [&whole[..], tail].concat();
            assert_eq!(arena.code(&bytes, "tail"), "archive-trailing-data");
        }
        let twice = [&whole[..], &whole[..]].concat();
        assert_eq!(arena.code(&twice, "twice"), "archive-trailing-data");
    }
    let whole = compress(&honest(), ArchiveFormat::TarZst);
    let bytes = [&whole[..], &skippable(b"hidden")].concat();
    assert_eq!(arena.code(&bytes, "skippable"), "archive-skippable-frame");
}

#[test]
fn a_frame_that_wants_a_large_window_is_refused() {
    let arena = Arena::new();
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(24).unwrap();
    encoder.write_all(&honest()).unwrap();
    let bytes = encoder.finish().unwrap();
    assert_eq!(arena.code(&bytes, "window"), "archive-window-too-large");
    let mut single = b"\x28\xb5\x2f\xfd\xe0".to_vec();
    single.extend(u64::MAX.to_le_bytes());
    single.extend([1, 0, 0]);
    assert_eq!(
        arena.code(&single, "single segment"),
        "archive-window-too-large"
    );
}

#[test]
fn a_bomb_is_refused_while_it_is_still_small() {
    let arena = Arena::new();
    let size = 80 << 20;
    let tar = Tar::new().with(head("zeros", b'0').claim(size)).no_end();
    for format in FORMATS {
        let bytes = match format {
            ArchiveFormat::TarZst => {
                let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
                write_bomb(&mut encoder, &tar, size);
                encoder.finish().unwrap()
            }
            ArchiveFormat::TarGz => {
                let level = flate2::Compression::best();
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
                write_bomb(&mut encoder, &tar, size);
                encoder.finish().unwrap()
            }
        };
        assert_eq!(arena.code(&bytes, "bomb"), "archive-expansion-ratio");
    }
}

fn write_bomb(out: &mut impl std::io::Write, tar: &[u8], size: u64) {
    out.write_all(tar).unwrap();
    let zeros = vec![0; 1 << 20];
    for _ in 0..size >> 20 {
        out.write_all(&zeros).unwrap();
    }
    out.write_all(&[0; 1024]).unwrap();
}

#[test]
fn hard_links_count_as_the_copies_that_they_become() {
    let arena = Arena::new();
    let megabyte: Vec<u8> = (0_u32..1 << 18)
        .flat_map(|it| it.wrapping_mul(0x9e37_79b9).to_le_bytes())
        .collect();
    let few = (0..70).map(|it| hard_link(format!("l{it}"), "big"));
    let few = few
        .fold(Tar::new().with(file("big", &megabyte)), Tar::with)
        .end();
    let bytes = compress(&few, ArchiveFormat::TarZst);
    super::fs::write(&arena.archive, &bytes).unwrap();
    let report = provisioning_package::inspect_archive(&arena.archive).unwrap();
    assert_eq!(report.facts.unpacked, 71 << 20);
    let many = (0..8192).map(|it| hard_link(format!("l{it}"), "big"));
    let many = many
        .fold(Tar::new().with(file("big", &megabyte)), Tar::with)
        .end();
    for format in FORMATS {
        let code = arena.code(&compress(&many, format), "hard link bomb");
        assert_eq!(code, "archive-unpacked-too-large");
    }
}

/// The code of one door, for archives that are large to read.
fn inspected(tar: &[u8]) -> &'static str {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), compress(tar, ArchiveFormat::TarZst)).unwrap();
    let report = provisioning_package::inspect_archive(file.path());
    report.map_or_else(|problem| problem.code(), |_| "accepted")
}

#[test]
fn two_hundred_thousand_entries_are_accepted_and_one_more_is_not() {
    let most = (0..200_000).fold(Tar::new(), |tar, it| tar.with(file(format!("f{it}"), "")));
    assert_eq!(inspected(&most.clone().end()), "accepted");
    let more = most.with(file("one-more", "")).end();
    assert_eq!(inspected(&more), "archive-too-many-entries");
}

#[test]
fn implied_folders_are_limited_like_entries() {
    let deep = (0..14_000).fold(Tar::new(), |tar, it| {
        let path = vec![format!("{it:05x}"); 16].join("/");
        tar.with(file(path, ""))
    });
    assert_eq!(inspected(&deep.end()), "archive-too-many-entries");
}

/// Bytes that no compressor makes smaller.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let step = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    std::iter::repeat_with(step).take(length).collect()
}

#[test]
fn extended_headers_are_limited_as_a_whole() {
    let comment = "x".repeat(60_000);
    let extended = pax(&[("comment", &comment)]).put(156, b"g");
    let mut tar = Tar::new().with(file("noise", noise(1 << 20)));
    for _ in 0..4_500 {
        tar = tar.with(extended.clone());
    }
    let tar = tar.with(file("a", "x")).end();
    assert_eq!(inspected(&tar), "archive-extension-too-large");
}

#[test]
fn many_small_records_are_read_in_time() {
    let keys: Vec<String> = (0..3_000)
        .map(|it| format!("SCHILY.acl.{it:04x}"))
        .collect();
    let records: Vec<(&str, &str)> = keys.iter().map(|it| (it.as_str(), "")).collect();
    let extended = pax(&records).put(156, b"g");
    let tar = (0..300).fold(Tar::new(), |tar, _| tar.with(extended.clone()));
    let start = std::time::Instant::now();
    assert_eq!(inspected(&tar.with(file("a", "x")).end()), "accepted");
    // A search through all earlier records would take minutes.
    assert!(start.elapsed() < std::time::Duration::from_secs(30));
}
