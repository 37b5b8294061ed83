//! The sheet on which tests of the detector draw.

use image::{Rgb, RgbImage};

/// A pale sheet of 1200 by 800, brightest in the middle, with a little regular grain.
pub(crate) fn sheet() -> RgbImage {
    RgbImage::from_fn(1200, 800, |x, y| {
        let away = ((x as f32 - 600.0) / 600.0).powi(2) + ((y as f32 - 400.0) / 600.0).powi(2);
        let grain = ((x * 7 + y * 13) % 5) as f32;
        let light = (238.0 - 45.0 * away + grain) as u8;
        Rgb([light, light, light - 4])
    })
}
