//! What a TIFF file says of where its pictures lie, against what the file holds.

use std::collections::HashSet;
use std::io::Cursor;

use memchr::memmem;
use tiff::decoder::{Decoder, IfdDecoder};
use tiff::tags::Tag;

use super::whole::{ANOTHER, CONTRADICTION, CUT, LEFT_OVER_MIN, SEVERAL};

const PAGES_MAX: usize = 1_000;
/// Byte order, version, and where the first directory is.
const HEAD: usize = 8;
/// No compression, LZW, deflate under both numbers, PackBits: in these no other file has a place. A JPEG may hold one.
const WITHOUT_FILES: [u64; 5] = [1, 5, 8, 32_946, 32_773];
const UNCOMPRESSED: u64 = 1;
/// Colours that may be stored for several pixels at once.
const YCBCR: u64 = 6;

/// Bits of a directory's kind: a smaller copy of another picture, or a mask.
const ASIDE: u64 = 1 | 4;

/// What is missing or damaged, in words. Of a file whose first directory can't be read its decoder says more. Only the first
/// picture is decoded. The others may be smaller copies of it, and must lie within the file.
pub(super) fn check(bytes: &[u8]) -> Result<(), &'static str> {
    let Ok(mut decoder) = Decoder::new(Cursor::new(bytes)) else {
        return Ok(());
    };
    let mut seen = HashSet::new();
    let mut next = decoder.ifd_pointer();
    let mut pixels = 0;
    while let Some(at) = next.filter(|at| seen.len() < PAGES_MAX && seen.insert(at.0)) {
        let is_first = seen.len() == 1;
        if at.0 >= bytes.len() as u64 {
            return Err(CUT);
        }
        let directory = match decoder.read_directory(at) {
            Ok(directory) => directory,
            Err(_) if is_first => return Err(CUT),
            Err(_) => break,
        };
        match Page::of(&mut decoder.read_directory_tags(&directory)) {
            Some(page) if is_first => {
                page.lies_within(bytes.len() as u64)?;
                if page.holds_another(bytes) {
                    return Err(ANOTHER);
                }
                pixels = page.pixels();
            }
            Some(page) if page.is_cut(bytes.len() as u64) => return Err(CUT),
            Some(page) if page.kind & ASIDE == 0 && page.pixels() >= pixels / 2 => return Err(SEVERAL),
            None if is_first => return Err(CONTRADICTION),
            _ => {}
        }
        next = directory.next();
    }
    Ok(())
}

/// A picture, as its directory tells of it.
struct Page {
    /// Where the strips or tiles begin and end.
    parts: Vec<(u64, u64)>,
    are_strips: bool,
    kind: u64,
    compression: u64,
    colours: u64,
    width: u64,
    height: u64,
    rows_per_strip: u64,
    bits_per_pixel: u64,
}

impl Page {
    /// `None` if a value is not of its type or lies outside of the file.
    fn of(tags: &mut IfdDecoder<'_>) -> Option<Self> {
        let mut list = |tag| match tags.find_tag_unsigned_vec::<u64>(tag) {
            Ok(values) => Some(values.unwrap_or_default()),
            Err(_) => None,
        };
        let strips = list(Tag::StripOffsets)?;
        let are_strips = !strips.is_empty();
        let (starts, lengths) = if are_strips {
            (strips, list(Tag::StripByteCounts)?)
        } else {
            (list(Tag::TileOffsets)?, list(Tag::TileByteCounts)?)
        };
        let lengths = lengths.into_iter().chain(std::iter::repeat(0));
        let parts = starts
            .into_iter()
            .zip(lengths)
            .map(|(start, length)| (start, start.saturating_add(length)));
        let bits = list(Tag::BitsPerSample)?;
        let parts = parts.collect();
        let mut one = |tag, default| Some(list(tag)?.first().copied().unwrap_or(default));
        let samples = one(Tag::SamplesPerPixel, 1)?;
        let bits_per_pixel = match bits.as_slice() {
            [] => samples,
            [each] => each.saturating_mul(samples),
            all => all.iter().fold(0, |sum, bits| bits.saturating_add(sum)),
        };
        Some(Self {
            parts,
            are_strips,
            kind: one(Tag::NewSubfileType, 0)?,
            compression: one(Tag::Compression, UNCOMPRESSED)?,
            colours: one(Tag::PhotometricInterpretation, 0)?,
            width: one(Tag::ImageWidth, 0)?,
            height: one(Tag::ImageLength, 0)?,
            rows_per_strip: one(Tag::RowsPerStrip, u64::MAX)?,
            bits_per_pixel,
        })
    }

    fn pixels(&self) -> u64 {
        self.width.saturating_mul(self.height)
    }

    /// Whether a part of it would lie beyond the end of the file.
    fn is_cut(&self, length: u64) -> bool {
        self.parts.iter().any(|(start, end)| start < end && *end > length)
    }

    fn lies_within(&self, length: u64) -> Result<(), &'static str> {
        // A part that holds nothing may stand anywhere.
        let mut parts: Vec<_> = self
            .parts
            .iter()
            .copied()
            .filter(|(start, end)| start < end)
            .collect();
        if self.is_cut(length) {
            return Err(CUT);
        }
        // Parts that are the same may share their place, but none lies over another's end.
        parts.sort_unstable();
        parts.dedup();
        let overlap = parts.windows(2).any(|two| two[0].1 > two[1].0);
        let in_head = parts.first().is_some_and(|(start, _)| *start < HEAD as u64);
        if overlap || in_head || !self.is_as_long_as_its_pixels() {
            return Err(CONTRADICTION);
        }
        Ok(())
    }

    /// Whether the strips of a picture that is not compressed are as long as its pixels are many.
    fn is_as_long_as_its_pixels(&self) -> bool {
        if self.compression != UNCOMPRESSED || self.colours == YCBCR || !self.are_strips {
            return true;
        }
        let row = self.width.saturating_mul(self.bits_per_pixel) / 8;
        let rows_max = if self.rows_per_strip == 0 || self.rows_per_strip >= self.height {
            self.height
        } else {
            // The last strip may be as long as the others.
            self.height.next_multiple_of(self.rows_per_strip)
        };
        let stored = self
            .parts
            .iter()
            .fold(0_u64, |sum, (start, end)| sum.saturating_add(end - start));
        // Rows of few bits are filled up to whole bytes, and each colour may have rows of its own.
        let filled_up = rows_max.saturating_mul(self.bits_per_pixel);
        let most = row.saturating_mul(rows_max).saturating_add(filled_up);
        stored >= row.saturating_mul(self.height) && stored < most.saturating_add(row.max(LEFT_OVER_MIN))
    }

    /// Whether a file like this one begins within its pixels.
    fn holds_another(&self, bytes: &[u8]) -> bool {
        let head = &bytes[..HEAD];
        let part = |(start, end): &(u64, u64)| bytes.get(*start as usize..*end as usize);
        WITHOUT_FILES.contains(&self.compression)
            && self
                .parts
                .iter()
                .filter_map(part)
                .any(|part| memmem::find(part, head).is_some())
    }
}
