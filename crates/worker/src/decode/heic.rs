//! HEIC: what telephones write instead of JPEG.

use image::{DynamicImage, RgbImage};

use super::DecodeLimits;

const BRANDS: [&[u8]; 6] = [b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1"];
const BYTES_PER_PIXEL: u64 = 3;

/// Whether the file says so itself. AVIF, which has the same container, does not.
pub(crate) fn is_heic(bytes: &[u8]) -> bool {
    bytes.get(4..8) == Some(b"ftyp") && bytes.get(8..12).is_some_and(|brand| BRANDS.contains(&brand))
}

/// Width and height as people see it.
pub(crate) fn size(bytes: &[u8]) -> Option<(u32, u32)> {
    let info = heic_rs::probe(bytes).ok()?;
    Some((info.width, info.height))
}

/// The picture as people see it.
pub(super) fn decode(bytes: &[u8], limits: &DecodeLimits) -> Result<DynamicImage, String> {
    if is_cut(bytes) {
        return Err("broken image: the file is cut off".to_owned());
    }
    let (width, height) = size(bytes).unwrap_or_default();
    if width.max(height) > limits.side_max {
        return Err(format!("too large an image: {width} by {height} pixels"));
    }
    let options = heic_rs::DecodeOptions {
        max_pixels: Some(limits.bytes_max / BYTES_PER_PIXEL),
        ..heic_rs::DecodeOptions::default()
    };
    let image = heic_rs::decode(bytes, &options).map_err(|error| match error {
        heic_rs::Error::PixelLimit { .. } => format!("too large an image: {error}"),
        heic_rs::Error::Unsupported(_) => format!("not an image that can be read: {error}"),
        _ => format!("broken image: {error}"),
    })?;
    RgbImage::from_raw(image.width, image.height, image.data)
        .map(DynamicImage::ImageRgb8)
        .ok_or_else(|| "broken image: pixels are missing".to_owned())
}

/// Whether one of the file's own boxes ends behind its end. What follows them is not the picture's.
fn is_cut(bytes: &[u8]) -> bool {
    const OWN: [&[u8]; 6] = [b"ftyp", b"free", b"idat", b"mdat", b"meta", b"skip"];
    let mut at = 0_usize;
    while let Some([a, b, c, d, kind @ ..]) = bytes.get(at..at.saturating_add(8)) {
        if !OWN.contains(&kind) {
            break;
        }
        let length = match u32::from_be_bytes([*a, *b, *c, *d]) {
            0 => return false,
            1 => bytes
                .get(at + 8..at + 16)
                .and_then(|length| length.try_into().ok())
                .map_or(u64::MAX, u64::from_be_bytes),
            length => u64::from(length),
        };
        at = usize::try_from(length.max(8)).map_or(usize::MAX, |length| at.saturating_add(length));
    }
    at > bytes.len()
}
