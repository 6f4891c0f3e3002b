//! A gzip writer whose bytes are the same everywhere.
//!
//! `flate2` picks its compressor by what else is compiled in, and one of them hashes with
//! whatever instructions the processor has: two builds of this program, or two machines,
//! would give two digests. So the compressor is called by name here.

use std::io::{self, Write};

use flate2::Crc;
use miniz_oxide::deflate::core::create_comp_flags_from_zip_params;
use miniz_oxide::deflate::core::{CompressorOxide, TDEFLFlush, TDEFLStatus, compress};

/// No name, no time, unknown system (RFC 1952, section 2.3.1).
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// A part of every archive's digest, and the last level that is not slow.
const LEVEL: i32 = 6;
const OUT_BYTES: usize = 64 * 1024;

/// Raw deflate: gzip brings its own header and sum.
const RAW_WINDOW_BITS: i32 = -15;

/// Compresses what is written to it.
pub(super) struct GzipWriter<W> {
    out: W,
    compressor: Box<CompressorOxide>,
    crc: Crc,
    buffer: Vec<u8>,
}

impl<W: Write> GzipWriter<W> {
    pub(super) fn new(mut out: W) -> io::Result<Self> {
        out.write_all(&HEADER)?;
        let flags = create_comp_flags_from_zip_params(LEVEL, RAW_WINDOW_BITS, 0);
        Ok(Self {
            out,
            compressor: Box::new(CompressorOxide::new(flags)),
            crc: Crc::new(),
            buffer: vec![0; OUT_BYTES],
        })
    }

    /// Writes the end and gives the inner writer back.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.compress(&[], TDEFLFlush::Finish)?;
        self.out.write_all(&self.crc.sum().to_le_bytes())?;
        self.out.write_all(&self.crc.amount().to_le_bytes())?;
        Ok(self.out)
    }

    fn compress(&mut self, mut input: &[u8], flush: TDEFLFlush) -> io::Result<()> {
        loop {
            let (status, read, written) =
                compress(&mut self.compressor, input, &mut self.buffer, flush);
            self.out.write_all(&self.buffer[..written])?;
            input = &input[read..];
            match status {
                TDEFLStatus::Done => return Ok(()),
                TDEFLStatus::Okay if flush != TDEFLFlush::Finish && input.is_empty() => {
                    return Ok(());
                }
                TDEFLStatus::Okay => {}
                TDEFLStatus::BadParam | TDEFLStatus::PutBufFailed => {
                    return Err(io::Error::other("the compressor failed"));
                }
            }
        }
    }
}

impl<W: Write> Write for GzipWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.crc.update(bytes);
        self.compress(bytes, TDEFLFlush::None)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
