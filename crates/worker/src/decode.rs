//! From bytes to pixels, under limits.
//!
//! A few kilobytes can declare gigabytes of pixels. What a file declares is checked before it is believed,
//! and decoding happens where a panic in a decoder ends one image and not the worker.

use std::io::Cursor;

use image::{DynamicImage, ImageError, ImageReader, Limits, Rgb, RgbImage};

use crate::http;
use crate::photograph::Photograph;

pub(crate) mod heic;
mod jpeg;
mod tiff;
mod whole;

const ERROR_CHARACTERS_MAX: usize = 300;

/// Bounds of a decoded image.
#[derive(Clone, Debug)]
pub struct DecodeLimits {
    /// The longest side, in pixels.
    pub side_max: u32,
    /// The most memory that the pixels may take.
    pub bytes_max: u64,
}

impl Default for DecodeLimits {
    fn default() -> Self {
        Self {
            side_max: 30_000,
            bytes_max: 512 << 20,
        }
    }
}

/// Decodes an image as people see it: with its orientation applied. The error is one line for people.
pub fn decode(bytes: &[u8], limits: &DecodeLimits) -> Result<(DynamicImage, Photograph), String> {
    let mut image = eight_bit(pixels(bytes, limits)?);
    let mut photograph = Photograph::of(bytes);
    image.apply_orientation(photograph.transformation());
    photograph.width = Some(image.width());
    photograph.height = Some(image.height());
    Ok((image, photograph))
}

/// The picture in eight bits for each of three colours, on white where it is transparent: every format then finds the
/// same detector, and the same picture in another depth gives the same insects.
fn eight_bit(image: DynamicImage) -> DynamicImage {
    if matches!(image, DynamicImage::ImageRgb8(_)) {
        return image;
    }
    if !image.color().has_alpha() && image.color().bytes_per_pixel() == image.color().channel_count() {
        return DynamicImage::ImageRgb8(image.into_rgb8());
    }
    let deep = image.into_rgba16();
    let on_white = |level: u16, alpha: u16| {
        let (level, alpha, white) = (u32::from(level), u32::from(alpha), u32::from(u16::MAX));
        // The upper byte, as other programs do: both `v * 257` and `v << 8` become `v`.
        (((level * alpha + white * (white - alpha)) / white) >> 8) as u8
    };
    let picture = RgbImage::from_fn(deep.width(), deep.height(), |x, y| {
        let [red, green, blue, alpha] = deep.get_pixel(x, y).0;
        Rgb([red, green, blue].map(|level| on_white(level, alpha)))
    });
    DynamicImage::ImageRgb8(picture)
}

fn pixels(bytes: &[u8], limits: &DecodeLimits) -> Result<DynamicImage, String> {
    if bytes.is_empty() {
        return Err("empty file".to_owned());
    }
    if heic::is_heic(bytes) {
        return heic::decode(bytes, limits);
    }
    // Before the guess: which formats `image` names and can't read differs with what else is built.
    if let Some(name) = foreign(bytes) {
        return Err(format!("{name} can't be read; convert it to JPEG, PNG or TIFF"));
    }
    let mut reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|error| format!("not an image: {error}"))?;
    if reader.format().is_none() {
        return Err(format!("not an image: {}", first_look(bytes)));
    }
    if let Some(missing) = whole::missing(bytes, reader.format()) {
        return Err(format!("broken image: {missing}"));
    }
    let mut image_limits = Limits::default();
    image_limits.max_image_width = Some(limits.side_max);
    image_limits.max_image_height = Some(limits.side_max);
    image_limits.max_alloc = Some(limits.bytes_max);
    reader.limits(image_limits);
    reader.decode().map_err(|error| {
        let kind = match error {
            ImageError::Limits(_) => "too large an image",
            ImageError::Unsupported(_) => "not an image that can be read",
            _ => "broken image",
        };
        http::cut(&format!("{kind}: {}", http::chain(&error)), ERROR_CHARACTERS_MAX)
    })
}

/// The name of a format that is known and not read.
fn foreign(bytes: &[u8]) -> Option<&'static str> {
    let is_at = |at: usize, text: &[u8]| bytes.get(at..at + text.len()) == Some(text);
    [
        ("AVIF", is_at(4, b"ftypavi")),
        ("Canon's CR3", is_at(4, b"ftypcrx ")),
        ("Fujifilm's RAF", is_at(0, b"FUJIFILMCCD-RAW")),
        ("Panasonic's RW2", is_at(0, b"IIU\0")),
        (
            "Olympus's ORF",
            is_at(0, b"IIRO") || is_at(0, b"IIRS") || is_at(0, b"MMOR"),
        ),
        ("GIF", is_at(0, b"GIF8")),
        ("JPEG 2000", is_at(4, b"jP  ") || is_at(0, b"\xFF\x4F\xFF\x51")),
        ("JPEG XL", is_at(4, b"JXL ") || is_at(0, b"\xFF\x0A")),
        ("a video", is_at(4, b"ftyp")),
        ("PDF", is_at(0, b"%PDF")),
    ]
    .into_iter()
    .find_map(|(name, is_it)| is_it.then_some(name))
}

/// What a file that is no image looks like, so that a login page is told from a damaged file.
fn first_look(bytes: &[u8]) -> String {
    let start = &bytes[..bytes.len().min(24)];
    let is_text = start
        .iter()
        .all(|byte| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~'));
    if is_text {
        let text: Vec<_> = std::str::from_utf8(start)
            .unwrap_or_default()
            .split_whitespace()
            .collect();
        format!("text that begins `{}`", text.join(" "))
    } else {
        format!("{} bytes of no known format", bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use image::ImageFormat;

    use super::*;

    fn png(width: u32, height: u32) -> Vec<u8> {
        file(ImageFormat::Png, width, height)
    }

    fn file(format: ImageFormat, width: u32, height: u32) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        DynamicImage::new_rgb8(width, height)
            .write_to(&mut bytes, format)
            .unwrap();
        bytes.into_inner()
    }

    #[test]
    fn an_image_is_decoded_whatever_its_name() {
        let (image, _) = decode(&png(7, 5), &DecodeLimits::default()).unwrap();
        assert_eq!((image.width(), image.height()), (7, 5));
    }

    #[test]
    fn an_empty_file_says_so() {
        assert_eq!(decode(&[], &DecodeLimits::default()).unwrap_err(), "empty file");
    }

    #[test]
    fn a_text_file_is_not_an_image_and_its_start_is_shown() {
        let error = decode(b"<html>please log in</html>", &DecodeLimits::default()).unwrap_err();
        assert_eq!(error, "not an image: text that begins `<html>please log in</htm`");
    }

    #[test]
    fn bytes_of_no_format_are_not_an_image() {
        let error = decode(&[0, 1, 2, 3], &DecodeLimits::default()).unwrap_err();
        assert_eq!(error, "not an image: 4 bytes of no known format");
    }

    #[test]
    fn a_cut_off_image_is_broken() {
        for format in [ImageFormat::Png, ImageFormat::Jpeg] {
            let whole = file(format, 64, 64);
            assert!(decode(&whole, &DecodeLimits::default()).is_ok());
            // Of a PNG's last bytes none is a pixel's, so half of each is taken.
            match decode(&whole[..whole.len() / 2], &DecodeLimits::default()) {
                Err(error) => assert!(error.starts_with("broken image: "), "{format:?}: {error}"),
                Ok(_) => panic!("half a {format:?} was decoded"),
            }
        }
    }

    #[test]
    fn what_a_camera_writes_after_the_end_of_a_jpeg_is_passed_over() {
        let mut jpeg = file(ImageFormat::Jpeg, 9, 9);
        jpeg.extend_from_slice(b"\0\0maker's notes");
        assert!(decode(&jpeg, &DecodeLimits::default()).is_ok());
    }

    #[test]
    fn a_format_that_is_not_read_is_named() {
        for (bytes, name) in [
            (b"\0\0\0\x1Cftypavif\0\0\0\0".as_slice(), "AVIF"),
            (b"\0\0\0\x18ftypcrx \0\0\0\x01", "Canon's CR3"),
            (b"GIF89a\x01\0\x01\0\0\0\0", "GIF"),
            (b"\0\0\0\x18ftypmp42\0\0\0\0", "a video"),
        ] {
            let error = decode(bytes, &DecodeLimits::default()).unwrap_err();
            assert_eq!(
                error,
                format!("{name} can't be read; convert it to JPEG, PNG or TIFF")
            );
        }
    }

    #[test]
    fn an_image_that_declares_too_many_pixels_is_refused() {
        let sides = DecodeLimits {
            side_max: 10,
            ..DecodeLimits::default()
        };
        let memory = DecodeLimits {
            bytes_max: 100,
            ..DecodeLimits::default()
        };
        for limits in [sides, memory] {
            let error = decode(&png(64, 64), &limits).unwrap_err();
            assert!(error.starts_with("too large an image: "), "{error}");
        }
    }
}
