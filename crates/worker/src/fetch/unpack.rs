//! Undoes content encodings: a host may keep or send its files packed.
//!
//! The bound on a file holds for what comes out, so that a few kilobytes can't become gigabytes.

use std::io::Read;

use brotli_decompressor::Decompressor;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use ruzstd::decoding::StreamingDecoder;

use crate::decode::heic::is_heic;

/// More than this many encodings on top of each other are nobody's mistake.
const LAYERS_MAX: usize = 3;
const BROTLI_BUFFER: usize = 32 << 10;

/// Why a packed file can't be unpacked.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum UnpackError {
    #[error("larger than {0} bytes once it is unpacked")]
    TooLarge(usize),
    #[error("the host sent the file packed as `{0}`, which can't be unpacked")]
    Unknown(String),
    #[error("the host sent the file packed as `{0}`, and it is damaged or cut off")]
    Broken(String),
}

/// Unpacks what was packed by `encodings`, the value of `Content-Encoding`.
pub(super) fn unpack(bytes: Vec<u8>, encodings: &str, bytes_max: usize) -> Result<Vec<u8>, UnpackError> {
    let names = encodings.split(',').map(|name| name.trim().to_ascii_lowercase());
    let names: Vec<_> = names.filter(|name| !name.is_empty()).collect();
    if names.len() > LAYERS_MAX {
        return Err(UnpackError::Unknown(encodings.to_owned()));
    }
    // The last encoding was applied last.
    names
        .iter()
        .rev()
        .try_fold(bytes, |bytes, name| unpack_one(bytes, name, bytes_max))
}

/// Encodings of which even nothing has some bytes.
const KNOWN: [&str; 5] = ["gzip", "x-gzip", "deflate", "br", "zstd"];

fn unpack_one(bytes: Vec<u8>, name: &str, bytes_max: usize) -> Result<Vec<u8>, UnpackError> {
    // Object stores keep whatever header an upload had, also for a file that was not packed.
    if name == "identity" || image::guess_format(&bytes).is_ok() || is_heic(&bytes) {
        return Ok(bytes);
    }
    let broken = || UnpackError::Broken(name.to_owned());
    let packed = bytes.as_slice();
    if packed.is_empty() && KNOWN.contains(&name) {
        return Err(broken());
    }
    match name {
        "gzip" | "x-gzip" => read(MultiGzDecoder::new(packed), bytes_max),
        "deflate" if has_zlib_header(packed) => read(ZlibDecoder::new(packed), bytes_max),
        "deflate" => read(DeflateDecoder::new(packed), bytes_max),
        "br" => read(Decompressor::new(packed, BROTLI_BUFFER), bytes_max),
        "zstd" => read(StreamingDecoder::new(packed).map_err(|_| broken())?, bytes_max),
        _ => return Err(UnpackError::Unknown(name.to_owned())),
    }
    .ok_or_else(broken)?
    .ok_or(UnpackError::TooLarge(bytes_max))
}

/// The outer option is none if it is broken, the inner if it is too long.
fn read(reader: impl Read, bytes_max: usize) -> Option<Option<Vec<u8>>> {
    let mut unpacked = Vec::new();
    let limit = (bytes_max as u64).saturating_add(1);
    reader.take(limit).read_to_end(&mut unpacked).ok()?;
    Some((unpacked.len() <= bytes_max).then_some(unpacked))
}

/// `deflate` means zlib's format (RFC 9110), but some servers send the bare stream.
fn has_zlib_header(bytes: &[u8]) -> bool {
    matches!(bytes, [first, second, ..]
        if first & 0x0F == 8 && u16::from_be_bytes([*first, *second]).is_multiple_of(31))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;

    const TEXT: &[u8] = b"a photograph, a photograph, a photograph, a photograph";
    /// `TEXT` as Google's brotli packs it.
    const BROTLI: &[u8] = &[
        27, 53, 0, 248, 37, 65, 88, 194, 10, 26, 107, 234, 1, 133, 92, 254, 37, 0,
    ];

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn bare(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn every_encoding_is_undone() {
        let zstd = compress_to_vec(TEXT, CompressionLevel::Fastest);
        for (name, packed) in [
            ("gzip", gzip(TEXT)),
            ("x-gzip", gzip(TEXT)),
            ("GZIP", gzip(TEXT)),
            ("deflate", zlib(TEXT)),
            ("deflate", bare(TEXT)),
            ("br", BROTLI.to_vec()),
            ("zstd", zstd),
            ("identity", TEXT.to_vec()),
            ("", TEXT.to_vec()),
            ("deflate, gzip", gzip(&zlib(TEXT))),
        ] {
            assert_eq!(unpack(packed, name, 1_000).as_deref(), Ok(TEXT), "{name}");
        }
    }

    #[test]
    fn a_bomb_is_refused() {
        let bomb = gzip(&vec![0; 1_000_000]);
        assert!(bomb.len() < 10_000);
        assert_eq!(unpack(bomb, "gzip", 10_000), Err(UnpackError::TooLarge(10_000)));
        let nested = gzip(&gzip(&vec![0; 1_000_000]));
        assert_eq!(
            unpack(nested, "gzip, gzip", 100_000),
            Err(UnpackError::TooLarge(100_000))
        );
        assert_eq!(
            unpack(gzip(TEXT), "gzip", TEXT.len()).as_deref(),
            Ok(TEXT),
            "the bound itself is allowed"
        );
    }

    #[test]
    fn what_is_damaged_or_unknown_says_so() {
        let cut = gzip(TEXT)[..20].to_vec();
        assert_eq!(
            unpack(cut, "gzip", 1_000),
            Err(UnpackError::Broken("gzip".to_owned()))
        );
        assert_eq!(
            unpack(TEXT.to_vec(), "zstd", 1_000),
            Err(UnpackError::Broken("zstd".to_owned()))
        );
        assert_eq!(
            unpack(TEXT.to_vec(), "rot13", 1_000),
            Err(UnpackError::Unknown("rot13".to_owned()))
        );
    }

    #[test]
    fn what_is_cut_anywhere_is_broken_and_never_a_shorter_file() {
        let zstd = compress_to_vec(TEXT, CompressionLevel::Fastest);
        for (name, packed) in [
            ("gzip", gzip(TEXT)),
            ("deflate", zlib(TEXT)),
            ("deflate", bare(TEXT)),
            ("br", BROTLI.to_vec()),
            ("zstd", zstd),
            ("deflate, gzip", gzip(&zlib(TEXT))),
        ] {
            for length in 0..packed.len() {
                let cut = unpack(packed[..length].to_vec(), name, 1_000);
                assert!(
                    matches!(cut, Err(UnpackError::Broken(_))),
                    "{name} to {length}: {cut:?}"
                );
            }
        }
    }

    #[test]
    fn a_photograph_that_is_not_packed_after_all_is_taken_as_it_is() {
        let heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic";
        for photograph in [&b"\xFF\xD8\xFF\xE0 and so on"[..], heic] {
            for name in ["gzip", "br", "aws-chunked", "utf-8"] {
                let taken = unpack(photograph.to_vec(), name, 1_000);
                assert_eq!(taken.as_deref(), Ok(photograph), "{name}");
            }
        }
    }
}
