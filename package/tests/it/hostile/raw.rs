//! Tar, byte by byte, as no honest writer makes it.

use std::io::Write as _;

use provisioning_package::ArchiveFormat;

/// A tar under construction.
#[derive(Clone, Default)]
pub(crate) struct Tar {
    bytes: Vec<u8>,
}

/// One header and its data.
#[derive(Clone)]
pub(crate) struct Head {
    block: [u8; 512],
    data: Vec<u8>,
    sum: Option<Vec<u8>>,
}

/// A regular file.
pub(crate) fn file(name: impl AsRef<[u8]>, data: impl AsRef<[u8]>) -> Head {
    head(name, b'0').data(data)
}

/// A folder.
pub(crate) fn folder(name: impl AsRef<[u8]>) -> Head {
    head(name, b'5').mode("0000755")
}

/// A symlink.
pub(crate) fn symlink(name: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Head {
    head(name, b'2').link(target)
}

/// A hard link.
pub(crate) fn hard_link(name: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Head {
    head(name, b'1').link(target)
}

/// A POSIX extended header with these records.
pub(crate) fn pax(records: &[(&str, &str)]) -> Head {
    let mut data = Vec::new();
    for (key, value) in records {
        data.extend(record(key, value.as_bytes()));
    }
    head("pax", b'x').data(data)
}

/// One record of an extended header.
pub(crate) fn record(key: &str, value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length += 1;
    }
    let mut record = format!("{length} {key}=").into_bytes();
    record.extend(value);
    record.push(b'\n');
    record
}

/// A GNU long name (`L`) or long link (`K`).
pub(crate) fn gnu(kind: u8, name: impl AsRef<[u8]>) -> Head {
    let mut data = name.as_ref().to_vec();
    data.push(0);
    head("././@LongLink", kind).gnu_magic().data(data)
}

/// Any entry.
pub(crate) fn head(name: impl AsRef<[u8]>, kind: u8) -> Head {
    let mut head = Head {
        block: [0; 512],
        data: Vec::new(),
        sum: None,
    };
    let name = name.as_ref();
    head.block[..name.len()].copy_from_slice(name);
    head.put(100, b"0000644\0")
        .put(108, b"0000000\0")
        .put(116, b"0000000\0")
        .put(124, b"00000000000\0")
        .put(136, b"00000000000\0")
        .put(156, [kind])
        .put(257, b"ustar\x0000")
}

impl Head {
    pub(crate) fn put(mut self, at: usize, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        self.block[at..at + bytes.len()].copy_from_slice(bytes);
        self
    }

    pub(crate) fn mode(self, octal: &str) -> Self {
        self.put(100, octal)
    }

    pub(crate) fn link(self, target: impl AsRef<[u8]>) -> Self {
        self.put(157, target)
    }

    pub(crate) fn prefix(self, prefix: &str) -> Self {
        self.put(345, prefix)
    }

    pub(crate) fn gnu_magic(self) -> Self {
        self.put(257, b"ustar  \0")
    }

    pub(crate) fn v7(self) -> Self {
        self.put(257, [0; 8])
    }

    /// Data, with the size that it has.
    pub(crate) fn data(mut self, data: impl AsRef<[u8]>) -> Self {
        self.data = data.as_ref().to_vec();
        let size = self.data.len() as u64;
        self.claim(size)
    }

    /// A size that need not be the data's.
    pub(crate) fn claim(self, size: u64) -> Self {
        self.put(124, format!("{size:011o}\0"))
    }

    /// A checksum field as given.
    pub(crate) fn sum(mut self, sum: impl AsRef<[u8]>) -> Self {
        self.sum = Some(sum.as_ref().to_vec());
        self
    }
}

impl Tar {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// The next entry.
    pub(crate) fn with(mut self, head: Head) -> Self {
        let mut block = head.block;
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|it| u32::from(*it)).sum();
        let field = head.sum.unwrap_or(format!("{sum:06o}\0 ").into_bytes());
        block[148..148 + field.len()].copy_from_slice(&field);
        self.bytes.extend(block);
        self.bytes.extend(&head.data);
        let padded = self.bytes.len().next_multiple_of(512);
        self.bytes.resize(padded, 0);
        self
    }

    /// Bytes as they are.
    pub(crate) fn raw(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.bytes.extend(bytes.as_ref());
        self
    }

    /// With the end marker.
    pub(crate) fn end(self) -> Vec<u8> {
        self.raw([0; 1024]).bytes
    }

    /// Without it.
    pub(crate) fn no_end(self) -> Vec<u8> {
        self.bytes
    }
}

/// Compresses as any tool would.
pub(crate) fn compress(bytes: &[u8], format: ArchiveFormat) -> Vec<u8> {
    match format {
        ArchiveFormat::TarZst => zstd::encode_all(bytes, 1).unwrap(),
        ArchiveFormat::TarGz => {
            let level = flate2::Compression::fast();
            let mut writer = flate2::write::GzEncoder::new(Vec::new(), level);
            writer.write_all(bytes).unwrap();
            writer.finish().unwrap()
        }
    }
}
