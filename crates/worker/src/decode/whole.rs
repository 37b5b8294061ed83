//! What a file lacks that its decoder would not miss.

use image::ImageFormat;

use memchr::memmem;

use super::{jpeg, tiff};

pub(super) const CUT: &str = "the file is cut off";
pub(super) const CONTRADICTION: &str = "the sizes in the file contradict each other";
pub(super) const ANOTHER: &str = "another file begins in the middle of it";
pub(super) const SEVERAL: &str =
    "the file holds several photographs, or a smaller copy comes first: save each as a file of its own";
/// Fewer bytes than these behind the pixels fill a file up, whatever its rows.
pub(super) const LEFT_OVER_MIN: u64 = 16;
const PNG_SIGNATURE: usize = 8;

/// What is missing of a file of this format, in words.
pub(super) fn missing(bytes: &[u8], format: Option<ImageFormat>) -> Option<&'static str> {
    match format {
        Some(ImageFormat::Jpeg) => jpeg::check(bytes).err(),
        Some(ImageFormat::Png) => (!png_ends(bytes)).then_some(CUT),
        Some(ImageFormat::WebP) => webp(bytes).err(),
        Some(ImageFormat::Bmp) => bmp(bytes).err(),
        Some(ImageFormat::Tiff) => tiff::check(bytes).err(),
        _ => None,
    }
}

/// Whether the chunks lead to the last one.
fn png_ends(bytes: &[u8]) -> bool {
    let mut at = PNG_SIGNATURE;
    while let Some([a, b, c, d, kind @ ..]) = bytes.get(at..at + 8) {
        let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        at = at.saturating_add(length).saturating_add(12);
        if kind == b"IEND" {
            return at <= bytes.len();
        }
    }
    false
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let [a, b, c, d] = *bytes.get(at..at.checked_add(4)?)? else {
        return None;
    };
    Some(u32::from_le_bytes([a, b, c, d]))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let [a, b] = *bytes.get(at..at.checked_add(2)?)? else {
        return None;
    };
    Some(u16::from_le_bytes([a, b]))
}

/// Whether the chunks fill the length that the head gives, and the file has that length.
fn webp(bytes: &[u8]) -> Result<(), &'static str> {
    const HEAD: usize = 12;
    const CHUNK_HEAD: usize = 8;
    let end = u32_at(bytes, 4).map_or(usize::MAX, |length| (length as usize).saturating_add(8));
    let Some(file) = bytes.get(..end) else {
        return Err(CUT);
    };
    let mut at = HEAD;
    while at < end {
        let length = u32_at(file, at + 4).ok_or(CONTRADICTION)? as usize;
        at = at.saturating_add(CHUNK_HEAD).saturating_add(length);
        if at > end {
            return Err(CONTRADICTION);
        }
        // Some programs leave out what fills the last chunk up to an even length.
        at = (at + length % 2).min(end);
    }
    if at == HEAD {
        return Err(CONTRADICTION);
    }
    let mut others = memmem::find_iter(&file[HEAD..], b"WEBPVP8");
    if others.any(|at| at >= CHUNK_HEAD && file[HEAD + at - CHUNK_HEAD..].starts_with(b"RIFF")) {
        return Err(ANOTHER);
    }
    Ok(())
}

/// Whether a bitmap holds its pixels. The length in its head counts only where they are packed: many programs give none there,
/// or a wrong one.
fn bmp(bytes: &[u8]) -> Result<(), &'static str> {
    const FILE_HEAD: u64 = 14;
    let field = |at| u32_at(bytes, at).map(u64::from).ok_or(CUT);
    let (length, pixels, info) = (field(2)?, field(10)?, field(14)?);
    if pixels < FILE_HEAD + info {
        return Err(CONTRADICTION);
    }
    let rows = bmp_rows(bytes, info);
    let needed = rows.map_or(length, |(row, rows)| pixels.saturating_add(row * rows));
    if needed > bytes.len() as u64 {
        return Err(CUT);
    }
    // More than that, a whole number of rows: the height in the head is not that of the picture. Anything else is a note behind it.
    let surplus = length.saturating_sub(needed);
    if rows.is_some_and(|(row, _)| surplus >= LEFT_OVER_MIN && surplus.is_multiple_of(row)) {
        return Err(CONTRADICTION);
    }
    let end = if length > pixels {
        length
    } else {
        bytes.len() as u64
    };
    let picture = bytes.get(pixels as usize..end as usize).ok_or(CUT)?;
    // What is the same in all bitmaps of one program, behind `BM` and the length of the file.
    let like_this = bytes.get(6..18).ok_or(CUT)?;
    let mut others = memmem::find_iter(picture, like_this);
    if others.any(|at| at >= 6 && picture[at - 6..].starts_with(b"BM")) {
        return Err(ANOTHER);
    }
    Ok(())
}

/// The bytes of a row, and how many rows there are. `None` if they are packed, or something else lies behind them.
fn bmp_rows(bytes: &[u8], info: u64) -> Option<(u64, u64)> {
    const CORE: u64 = 12;
    const WITH_PROFILE: u64 = 124;
    /// None, and none with masks for the colours.
    const NOT_PACKED: [u32; 3] = [0, 3, 6];
    if info >= WITH_PROFILE {
        return None;
    }
    let (width, height, bits) = if info == CORE {
        let side = |at| u16_at(bytes, at).map(u64::from);
        (side(18)?, side(20)?, u16_at(bytes, 24)?)
    } else {
        let side = |at| u32_at(bytes, at).map(|side| u64::from(side.cast_signed().unsigned_abs()));
        NOT_PACKED.contains(&u32_at(bytes, 30)?).then_some(())?;
        (side(18)?, side(22)?, u16_at(bytes, 28)?)
    };
    let row = width
        .saturating_mul(u64::from(bits))
        .div_ceil(32)
        .saturating_mul(4);
    row.checked_mul(height).map(|_| (row, height))
}
