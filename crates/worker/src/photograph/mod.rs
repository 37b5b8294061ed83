//! What a photograph says about itself: when it was taken, by which camera, how large it is.
//!
//! Everything here is optional. A file whose EXIF block is missing, damaged or nonsense is a photograph all
//! the same, and what can be read of the block is used.

mod exif;
mod time;

use std::io::Cursor;

use image::metadata::Orientation;
use image::{ImageDecoder as _, ImageReader};

pub use self::time::TakenAt;
use crate::decode::heic;

/// How much of a JPEG, PNG or HEIC file [`Photograph::of`] needs. A TIFF or WebP file may have its EXIF block at its end.
pub const HEAD_BYTES: usize = 256 << 10;

/// What a photograph says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Photograph {
    /// When it was taken, by the camera's clock.
    pub taken_at: Option<TakenAt>,
    /// Make and model.
    pub camera: Option<String>,
    /// The width in pixels as people see it, after the orientation is applied.
    pub width: Option<u32>,
    /// The height in pixels as people see it, after the orientation is applied.
    pub height: Option<u32>,
    /// The EXIF orientation, 1 to 8. 1 means that the pixels are stored as people see them.
    pub orientation: u8,
}

impl Photograph {
    /// Reads a file, or the beginning of one (see [`HEAD_BYTES`]). Decodes no pixels.
    pub fn of(bytes: &[u8]) -> Self {
        let mut exif = exif::read(bytes);
        if heic::is_heic(bytes) {
            // The container says how to turn the picture, and the block repeats it (ISO/IEC 23008-12).
            exif.orientation = 1;
        }
        let stored = size(bytes).or(exif.size);
        let seen = stored.map(|(width, height)| match exif.orientation {
            5..=8 => (height, width),
            _ => (width, height),
        });
        Self {
            taken_at: exif.taken_at,
            camera: exif.camera,
            width: seen.map(|(width, _)| width),
            height: seen.map(|(_, height)| height),
            orientation: exif.orientation,
        }
    }

    /// The transformation that the orientation asks for.
    pub(crate) fn transformation(&self) -> Orientation {
        Orientation::from_exif(self.orientation).unwrap_or(Orientation::NoTransforms)
    }
}

/// Width and height as they are stored.
fn size(bytes: &[u8]) -> Option<(u32, u32)> {
    if heic::is_heic(bytes) {
        return heic::size(bytes);
    }
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().ok()?;
    Some(reader.into_decoder().ok()?.dimensions())
}

#[cfg(test)]
mod tests;
