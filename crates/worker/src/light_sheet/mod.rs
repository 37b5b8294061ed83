//! The `light-sheet` detector: insects on a lit pale sheet, found without a model file.
//!
//! It knows one thing, that the sheet is smooth and its light changes slowly. So it estimates the bare
//! sheet (`background`), measures what differs from it (`contrast`), gathers that into parts
//! (`mask`), takes the insects out of soft shadows (`shadow`), joins the parts of one insect and cuts apart neighbours that touch (`grouping`), and
//! drops what is too small or has the shape of a tool (`shape`). It can't tell an insect from a leaf.
//!
//! Invariant: the same picture gives the same insects in the same order, on every machine and run.

mod background;
mod basins;
mod body_length;
mod contrast;
mod grouping;
mod mask;
mod parting;
mod plane;
mod shadow;
mod shape;
mod symmetry;

use image::{DynamicImage, RgbImage};

pub use body_length::{BODY_LENGTH_CLASSES, BodyLength, body_length};
use contrast::Contrast;
use mask::Part;

/// The settings of the detector.
///
/// Contrast is in levels of 255. Shares are of the picture's longer side. Pixels (`_px`) are those of the
/// working picture, whose longer side is at most `working_side`; they suit its default.
#[derive(Clone, Debug, PartialEq)]
pub struct LightSheet {
    /// The longer side to which pictures are shrunk. Default 1280: a moth's leg is then about a pixel wide,
    /// so that it counts, and the grain of paint and cloth is averaged away.
    pub working_side: u32,
    /// The contrast from which a pixel may belong to an insect. Default 14.
    pub weak_contrast: f32,
    /// The same in multiples of the noise around it; the larger of the two holds. Default 4.
    pub weak_noise: f32,
    /// The contrast that some pixels of every insect must have. Default 32.
    pub strong_contrast: f32,
    /// The same in multiples of the noise around it; the larger of the two holds. Default 8.
    pub strong_noise: f32,
    /// More than this share of an insect's pixels must be strong. Default 0.1.
    pub strong_share: f32,
    /// Gaps up to twice as wide are closed. Default 2.
    pub closing_px: u8,
    /// Holes of up to this inner radius belong to what encloses them. Default 8.
    pub hole_px: u8,
    /// Small parts are joined to a much larger one over gaps of up to this width. Default 4.
    pub joining_px: i32,
    /// The least mean contrast of an insect. Default 28: stains and grain stay below.
    pub contrast_min: f32,
    /// The shortest length of an insect, as a share. Default 0.008.
    pub length_min: f32,
    /// The smallest area of an insect, as a share of the square of the longer side. Default 0.00003.
    pub area_min: f32,
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
            hole_px: 8,
            joining_px: 4,
            contrast_min: 28.0,
            length_min: 0.008,
            area_min: 3e-5,
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

/// The contrast at which the score is 0.63, in levels of 255; the moths of test photographs lie near 0.9.
const CONTRAST_SCALE: f32 = 40.0;

/// The brightest tenth of a picture of a lit sheet is at least this bright, in levels of 255.
const LIT_MIN: f32 = 40.0;
/// Where there is a sheet, half of the picture differs less than this from a smooth surface, in levels of 255.
const SMOOTH_MAX: f32 = 9.0;

/// There is no lit sheet in the picture, so that what is found in it would be a guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoSheet {
    /// The lamp is off, or nothing is lit by it.
    #[error("no lit sheet was found in the picture: it is dark")]
    Dark,
    /// Something else fills the picture.
    #[error("no lit sheet was found in the picture: it is not smooth anywhere")]
    Rough,
}

/// Pictures with a longer side of fewer pixels hold no sheet that could be told from an insect.
const PICTURE_SIDE_MIN: u32 = 64;

impl LightSheet {
    /// Finds the insects, from top to bottom and then from left to right by their corners; none without a sheet.
    pub fn detect(&self, image: &DynamicImage) -> Vec<Insect> {
        self.look(image).unwrap_or_default()
    }

    /// Finds the insects, or says that there is no sheet.
    pub fn look(&self, image: &DynamicImage) -> Result<Vec<Insect>, NoSheet> {
        self.look_at(&shrink(image, self.working_side), (image.width(), image.height()))
    }

    /// The same of a picture that is shrunk already; `given` is the size of the one that the insects are of.
    pub fn look_at(&self, picture: &RgbImage, given: (u32, u32)) -> Result<Vec<Insect>, NoSheet> {
        if given.0.max(given.1) < PICTURE_SIDE_MIN {
            return Ok(Vec::new());
        }
        let size = (picture.width() as i32, picture.height() as i32);
        if !is_lit(picture) {
            return Err(NoSheet::Dark);
        }
        let contrast = contrast::contrast(picture);
        if plane::quantile(&mut contrast.difference.values.clone(), 0.5) > SMOOTH_MAX {
            return Err(NoSheet::Rough);
        }
        let pieces: Vec<Part> = mask::parts(&contrast, self)
            .into_iter()
            .flat_map(|part| shadow::without_shadow(part, &contrast))
            .flat_map(|part| self.bodies(part, &contrast, size))
            .collect();
        let mut insects: Vec<Insect> = grouping::join(pieces, self.joining_px)
            .into_iter()
            .filter(|part| self.is_large_and_clear(part, size))
            .map(|part| insect(&part, size, given))
            .collect();
        insects.sort_by(|a, b| a.y1.total_cmp(&b.y1).then(a.x1.total_cmp(&b.x1)));
        Ok(insects)
    }

    /// The insects that a part holds, each with its limbs; none if it is a tool.
    ///
    /// Tools are told before they are cut: a scale bar would be torn into its squares. But insects side by side fill a
    /// rectangle too, except for its corners; they are told by their pieces, of which none is a tool.
    fn bodies(&self, part: Part, contrast: &Contrast, size: (i32, i32)) -> Vec<Part> {
        let is_tool = |part: &Part| shape::is_tool(part, size);
        let looks_like_tool = is_tool(&part);
        if looks_like_tool && !shape::may_be_row(&part, size) {
            return Vec::new();
        }
        let mut pieces = grouping::cut_apart(part, contrast, self.contrast_min);
        if looks_like_tool && (pieces.len() == 1 || pieces.iter().any(is_tool)) {
            return Vec::new();
        }
        pieces.retain(|piece| !is_tool(piece));
        pieces
    }

    fn is_large_and_clear(&self, part: &Part, size: (i32, i32)) -> bool {
        let longer = size.0.max(size.1) as f32;
        part.bounds().longest() as f32 >= self.length_min * longer
            && part.pixels.len() as f32 >= self.area_min * longer * longer
            && part.contrast >= self.contrast_min
    }
}

/// A picture of 8 bits whose longer side is `side` at the most: each of its pixels is the mean of those that it stands for.
#[must_use]
pub fn shrink(image: &DynamicImage, side: u32) -> RgbImage {
    let longer = image.width().max(image.height());
    if longer <= side {
        return image.to_rgb8();
    }
    let shrunk = |of: u32| (u64::from(of) * u64::from(side) / u64::from(longer)).max(1) as u32;
    image
        .thumbnail_exact(shrunk(image.width()), shrunk(image.height()))
        .into_rgb8()
}

fn is_lit(picture: &RgbImage) -> bool {
    let brightness = |pixel: &image::Rgb<u8>| pixel.0.iter().copied().map(f32::from).sum::<f32>() / 3.0;
    let mut levels: Vec<f32> = picture.pixels().map(brightness).collect();
    plane::quantile(&mut levels, 0.9) >= LIT_MIN
}

/// Carries a part of the working picture over to the picture given.
fn insect(part: &Part, working: (i32, i32), given: (u32, u32)) -> Insect {
    let bounds = part.bounds();
    let across = given.0 as f32 / working.0 as f32;
    let down = given.1 as f32 / working.1 as f32;
    Insect {
        x1: bounds.left as f32 * across,
        y1: bounds.top as f32 * down,
        x2: ((bounds.right + 1) as f32 * across).min(given.0 as f32),
        y2: ((bounds.bottom + 1) as f32 * down).min(given.1 as f32),
        score: 1.0 - (-part.contrast / CONTRAST_SCALE).exp(),
    }
}
