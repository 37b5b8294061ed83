//! The `light-sheet` detector: insects on a lit pale sheet, found without a model file.
//!
//! It knows one thing, that the sheet is smooth and its light changes slowly. So it estimates the bare
//! sheet ([`background`]), measures what differs from it ([`contrast`]), gathers that into parts
//! ([`mask`]), joins the parts of one insect and cuts apart neighbours that touch ([`grouping`]), and
//! drops what is too small or has the shape of a tool ([`shape`]). It can't tell an insect from a leaf.
//!
//! Invariant: the same picture gives the same insects in the same order, on every machine and run.

mod background;
mod contrast;
mod mask;
mod plane;

use image::{DynamicImage, RgbImage};

/// The settings of the detector. Shares are of the picture's longer side; pixels are working pixels, of
/// which the longer side has at most [`LightSheet::working_side`].
#[derive(Clone, Debug)]
pub struct LightSheet {
    /// The longer side to which pictures are shrunk. Default 1280: a leg is then about a pixel wide.
    pub working_side: u32,
    /// Difference from the bare sheet from which a pixel may belong to an insect, in levels of 255.
    pub weak_contrast: f32,
    /// The same in multiples of the noise around; the larger of the two holds.
    pub weak_noise: f32,
    /// Difference that a share of the pixels of every insect must have, in levels of 255.
    pub strong_contrast: f32,
    /// The same in multiples of the noise around; the larger of the two holds.
    pub strong_noise: f32,
    /// The share of an insect's pixels that must be strong.
    pub strong_share: f32,
    /// Gaps up to about twice as wide are closed, in working pixels.
    pub closing_px: u8,
    /// The shortest length of an insect, as a share.
    pub length_min: f32,
}

impl Default for LightSheet {
    fn default() -> Self {
        Self {
            working_side: 1280,
            weak_contrast: 14.0,
            weak_noise: 4.0,
            strong_contrast: 32.0,
            strong_noise: 8.0,
            strong_share: 0.1,
            closing_px: 2,
            length_min: 0.008,
        }
    }
}

/// One insect found, in pixels of the picture given: `x1 < x2`, `y1 < y2`, within the picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Insect {
    /// Left edge.
    pub x1: f32,
    /// Top edge.
    pub y1: f32,
    /// Right edge.
    pub x2: f32,
    /// Bottom edge.
    pub y2: f32,
    /// How clearly it stands out from the sheet, in (0, 1).
    pub score: f32,
}

/// Pictures with a longer side of fewer pixels hold no sheet that could be told from an insect.
const PICTURE_SIDE_MIN: u32 = 64;

impl LightSheet {
    /// Finds the insects, from top to bottom and then from left to right.
    pub fn detect(&self, image: &DynamicImage) -> Vec<Insect> {
        let longer = image.width().max(image.height());
        if longer < PICTURE_SIDE_MIN {
            return Vec::new();
        }
        let picture = self.working_picture(image);
        let contrast = contrast::contrast(&picture);
        let parts = mask::parts(&contrast, self);
        let across = image.width() as f32 / picture.width() as f32;
        let down = image.height() as f32 / picture.height() as f32;
        let shortest = self.length_min * picture.width().max(picture.height()) as f32;
        let mut insects = Vec::new();
        for part in parts {
            let b = part.bounds();
            if (b.longest() as f32) < shortest {
                continue;
            }
            insects.push(Insect {
                x1: b.left as f32 * across,
                y1: b.top as f32 * down,
                x2: ((b.right + 1) as f32 * across).min(image.width() as f32),
                y2: ((b.bottom + 1) as f32 * down).min(image.height() as f32),
                score: 1.0 - (-part.contrast / 40.0).exp(),
            });
        }
        insects.sort_by(|a, b| a.y1.total_cmp(&b.y1).then(a.x1.total_cmp(&b.x1)));
        insects
    }

    fn working_picture(&self, image: &DynamicImage) -> RgbImage {
        let longer = image.width().max(image.height());
        if longer <= self.working_side {
            return image.to_rgb8();
        }
        let shrunk =
            |side: u32| (u64::from(side) * u64::from(self.working_side) / u64::from(longer)).max(1) as u32;
        image
            .thumbnail_exact(shrunk(image.width()), shrunk(image.height()))
            .into_rgb8()
    }
}
