//! What a file lacks that its decoder would not miss.

use image::ImageFormat;

use super::jpeg;

const CUT: &str = "the file is cut off";
const PNG_SIGNATURE: usize = 8;

/// What is missing of a file of this format, in words.
pub(super) fn missing(bytes: &[u8], format: Option<ImageFormat>) -> Option<&'static str> {
    match format {
        Some(ImageFormat::Jpeg) => jpeg::check(bytes).err(),
        Some(ImageFormat::Png) => (!png_ends(bytes)).then_some(CUT),
        Some(ImageFormat::WebP) => (!riff_is_complete(bytes)).then_some(CUT),
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

/// Whether the file is as long as its head says.
fn riff_is_complete(bytes: &[u8]) -> bool {
    match bytes.get(4..8) {
        Some([a, b, c, d]) => u32::from_le_bytes([*a, *b, *c, *d]) as usize + 8 <= bytes.len(),
        _ => false,
    }
}
