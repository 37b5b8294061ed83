//! How much every pixel differs from the bare sheet, and how much it would anyway.
//!
//! Most insects are darker than the sheet; some are as bright and only coloured, a few are paler than a
//! sheet in the shade. One number takes in all three.

use image::RgbImage;

use super::background::bare_sheet;
use super::plane::{Plane, quantile};

/// A paler pixel counts less than a darker one: lamps leave highlights, but no insect is brighter than a
/// well-lit sheet.
const PALE_WEIGHT: f32 = 0.6;
/// Colour differences are numerically small beside differences of brightness, and mean more.
const COLOUR_WEIGHT: f32 = 1.6;
/// Side of the blocks over which noise is measured, in working pixels.
const NOISE_BLOCK: usize = 24;
/// Noise is taken from the calmer blocks of so many each way, so that an insect is not taken for noise.
const NOISE_REACH: usize = 5;
/// Which of the blocks, sorted by noise, as a share of them.
const NOISE_RANK: f32 = 0.35;
/// Nowhere is noise believed to be more than this many times that of the whole sheet: a moth can cover
/// more blocks than are looked at.
const NOISE_TIMES_MAX: f32 = 2.5;

/// The difference of every pixel from the bare sheet, and the noise of the sheet around it.
pub(super) struct Contrast {
    /// In levels of 255, never negative.
    pub(super) difference: Plane,
    /// What it is made of: brightness, blueness and redness above those of the sheet.
    pub(super) offsets: [Plane; 3],
    /// The usual `difference` of bare sheet hereabouts.
    pub(super) noise: Plane,
}

impl Contrast {
    /// The mean difference over some pixels, of which there must be one at least.
    pub(super) fn mean(&self, pixels: &[(i32, i32)]) -> f32 {
        pixels.iter().map(|pixel| self.at(*pixel)).sum::<f32>() / pixels.len() as f32
    }

    /// The difference at a pixel, which must be in the picture.
    pub(super) fn at(&self, (x, y): (i32, i32)) -> f32 {
        self.difference.values[y as usize * self.difference.width + x as usize]
    }

    /// How far the mean colours of two sets of pixels lie apart, in levels of 255; neither may be empty.
    pub(super) fn colours_apart(&self, one: &[(i32, i32)], other: &[(i32, i32)]) -> f32 {
        let [luma, blue, red] = self.offsets.each_ref().map(|offset| {
            let at = |&(x, y): &(i32, i32)| offset.values[y as usize * offset.width + x as usize];
            let mean = |pixels: &[(i32, i32)]| pixels.iter().map(at).sum::<f32>() / pixels.len() as f32;
            mean(one) - mean(other)
        });
        (luma * luma + COLOUR_WEIGHT * COLOUR_WEIGHT * (blue * blue + red * red)).sqrt()
    }
}

pub(super) fn contrast(image: &RgbImage) -> Contrast {
    let mut offsets = luma_and_colour(image).map(|channel| channel.box_blur(1));
    let sheets = bare_sheet(&offsets);
    for (channel, sheet) in offsets.iter_mut().zip(sheets) {
        for (value, bare) in channel.values.iter_mut().zip(sheet.values) {
            *value -= bare;
        }
    }
    let mut difference = Plane::new(offsets[0].width, offsets[0].height);
    for (at, value) in difference.values.iter_mut().enumerate() {
        let [luma, blue, red] = [0, 1, 2].map(|channel: usize| offsets[channel].values[at]);
        let light = if luma > 0.0 { luma * PALE_WEIGHT } else { luma };
        let colour = COLOUR_WEIGHT * COLOUR_WEIGHT * (blue * blue + red * red);
        *value = (light * light + colour).sqrt();
    }
    let noise = local_noise(&difference);
    Contrast {
        difference,
        offsets,
        noise,
    }
}

/// Splits the colours as JPEG does (ITU-R BT.601): brightness, blueness, redness.
fn luma_and_colour(image: &RgbImage) -> [Plane; 3] {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let mut planes = [0; 3].map(|_| Plane::new(width, height));
    for (at, pixel) in image.pixels().enumerate() {
        let [red, green, blue] = pixel.0.map(f32::from);
        let luma = 0.299 * red + 0.587 * green + 0.114 * blue;
        planes[0].values[at] = luma;
        planes[1].values[at] = (blue - luma) * 0.564;
        planes[2].values[at] = (red - luma) * 0.713;
    }
    planes
}

fn local_noise(difference: &Plane) -> Plane {
    let (columns, rows) = (
        difference.width.div_ceil(NOISE_BLOCK),
        difference.height.div_ceil(NOISE_BLOCK),
    );
    let mut blocks = Plane::new(columns, rows);
    let mut values = Vec::new();
    for row in 0..rows {
        for column in 0..columns {
            values.clear();
            let (left, right) = (
                column * NOISE_BLOCK,
                ((column + 1) * NOISE_BLOCK).min(difference.width),
            );
            for y in row * NOISE_BLOCK..((row + 1) * NOISE_BLOCK).min(difference.height) {
                values.extend_from_slice(&difference.values[y * difference.width + left..][..right - left]);
            }
            blocks.values[row * columns + column] = quantile(&mut values, 0.5);
        }
    }
    let loudest = NOISE_TIMES_MAX * quantile(&mut blocks.values.clone(), 0.5);
    let mut calm = blocks.clone();
    for row in 0..rows {
        for column in 0..columns {
            values.clear();
            for y in row.saturating_sub(NOISE_REACH)..(row + NOISE_REACH + 1).min(rows) {
                for x in column.saturating_sub(NOISE_REACH)..(column + NOISE_REACH + 1).min(columns) {
                    values.push(blocks.values[y * columns + x]);
                }
            }
            calm.values[row * columns + column] = quantile(&mut values, NOISE_RANK).min(loudest);
        }
    }
    calm.stretch(difference.width, difference.height)
}
