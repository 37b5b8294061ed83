//! Undoes gzip, known by its first bytes, as a list arrives.

use std::io::Write as _;

use flate2::write::MultiGzDecoder;

/// How the beginnings of other files are called, and what to do with them.
const OTHERS: [(&[u8], &str); 11] = [
    (b"PK\x03\x04", "a spreadsheet or zip file; save it as CSV"),
    (b"\xd0\xcf\x11\xe0", "an Excel file; save it as CSV"),
    (
        b"\x28\xb5\x2f\xfd",
        "packed with zstd; unpack it, or pack it with gzip",
    ),
    (b"\xfd7zX", "packed with xz; unpack it, or pack it with gzip"),
    (b"BZh", "packed with bzip2; unpack it, or pack it with gzip"),
    (b"PAR1", "a Parquet file; save it as CSV"),
    (b"\xff\xd8\xff", "an image; give a list of images"),
    (b"\x89PNG", "an image; give a list of images"),
    (b"<!DO", "a web page"),
    (b"<!do", "a web page"),
    (b"<htm", "a web page"),
];
const GZIP: &[u8] = b"\x1f\x8b";
/// As many bytes as show what a file is.
const HEAD: usize = 4;

/// What gives the bytes of a list, packed or not.
#[derive(Debug)]
pub(super) enum Unpack {
    /// Too few bytes to know.
    Head(Vec<u8>),
    Plain,
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
}

impl Unpack {
    pub(super) fn new() -> Self {
        Self::Head(Vec::new())
    }

    /// Whether few bytes may become many.
    pub(super) fn may_grow(&self) -> bool {
        !matches!(self, Self::Plain)
    }

    /// Adds to `out` what the next bytes hold.
    pub(super) fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        match self {
            Self::Plain => out.extend_from_slice(bytes),
            Self::Gzip(decoder) => {
                let written = decoder.write_all(bytes);
                out.append(decoder.get_mut());
                written.map_err(|_| "the gzip data is damaged; what stood before the damage was read")?;
            }
            Self::Head(head) => {
                head.extend_from_slice(bytes);
                if head.len() >= HEAD {
                    return self.begin(out);
                }
            }
        }
        Ok(())
    }

    /// The bytes have ended.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), String> {
        if let Self::Head(_) = self {
            self.begin(out)?;
        }
        if let Self::Gzip(decoder) = self {
            decoder.try_finish().map_err(|_| {
                "the gzip data is cut short or damaged: its end is missing; what stood before it was read"
                    .to_owned()
            })?;
            out.append(decoder.get_mut());
        }
        Ok(())
    }

    fn begin(&mut self, out: &mut Vec<u8>) -> Result<(), String> {
        let Self::Head(head) = self else { return Ok(()) };
        let head = std::mem::take(head);
        if let Some((_, what)) = OTHERS.iter().find(|(magic, _)| head.starts_with(magic)) {
            return Err(format!("this is no list of captures but {what}"));
        }
        *self = if head.starts_with(GZIP) {
            Self::Gzip(Box::new(MultiGzDecoder::new(Vec::new())))
        } else {
            Self::Plain
        };
        self.push(&head, out)
    }
}

#[cfg(test)]
mod tests {
    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn unpack(bytes: &[u8], chunk: usize) -> Result<Vec<u8>, String> {
        let (mut unpack, mut out) = (Unpack::new(), Vec::new());
        for part in bytes.chunks(chunk) {
            unpack.push(part, &mut out)?;
        }
        unpack.finish(&mut out)?;
        Ok(out)
    }

    #[test]
    fn packed_and_plain_lists_are_the_same_however_the_bytes_are_cut_and_all_members_are_read() {
        let text: Vec<u8> = (0..5_000_u32).flat_map(u32::to_be_bytes).collect();
        let members = [gzip(&text[..7_000]), gzip(b""), gzip(&text[7_000..])].concat();
        for chunk in [1, 2, 3, 500, 100_000] {
            assert_eq!(unpack(&members, chunk).unwrap(), text);
            assert_eq!(unpack(&text, chunk).unwrap(), text);
            assert_eq!(unpack(b"ab", chunk).unwrap(), b"ab");
        }
        assert_eq!(unpack(b"", 1).unwrap(), b"");
    }

    #[test]
    fn a_packed_list_that_is_cut_short_or_damaged_is_an_error_wherever_that_is() {
        let whole = gzip("http://h/1.jpg\n".repeat(50).as_bytes());
        for end in 2..whole.len() {
            assert!(unpack(&whole[..end], 10).is_err(), "{end} of {}", whole.len());
        }
        let mut damaged = whole.clone();
        damaged[whole.len() / 2] ^= 0x55;
        assert!(unpack(&damaged, 10).is_err());
        assert!(unpack(&[whole, b"more".to_vec()].concat(), 10).is_err());
    }

    #[test]
    fn a_file_that_is_no_text_is_called_by_its_kind() {
        for (magic, what) in OTHERS {
            let said = unpack(&[magic, b"...."].concat(), 1).unwrap_err();
            assert!(said.contains(what), "{said}");
        }
    }
}
