//! Soft shadows: of what is in front of the sheet, or of the sheet's own folds.
//!
//! A shadow out of focus changes slowly everywhere, an insect somewhere suddenly. So a part that is smooth but for
//! a few dark cores is a shadow, and the cores with sharp edges are the insects inside it.

use image::{GrayImage, Luma};
use imageproc::distance_transform::Norm;
use imageproc::morphology::dilate;

use super::contrast::Contrast;
use super::mask::{Part, patches};
use super::plane::quantile;

/// The steepest that a shadow is nearly everywhere, in levels of 255 for a working pixel.
const SHADOW_SLOPE_MAX: f32 = 6.5;
const NEARLY: f32 = 0.9;
/// The rim of an insect is at least this steep, at half of its pixels.
const INSECT_SLOPE_MIN: f32 = 6.0;
/// Slopes are measured over so many pixels each way.
const STEP: i32 = 2;
/// An insect inside a shadow is darker than that by this much, in levels of 255.
const CORE_CONTRAST: f32 = 28.0;
/// Around a core the picture is that of the insect's edge and not of the shadow.
const CORE_MARGIN_PX: u8 = 3;
/// A part of which less than this share is left without its cores says nothing about a shadow.
const REST_SHARE_MIN: f32 = 0.2;

/// Puts the insects inside a shadow into its place; any other part stays as it is.
pub(super) fn without_shadow(part: Part, contrast: &Contrast) -> Vec<Part> {
    if quantile(&mut rim_slopes(&part, contrast), 0.5) >= INSECT_SLOPE_MIN {
        return vec![part];
    }
    let mut values: Vec<f32> = part.pixels.iter().map(|pixel| value(contrast, *pixel)).collect();
    let shade = quantile(&mut values, 0.5);
    let (cores, mut rest) = cores_and_rest(&part, contrast, shade);
    let (whole, left) = (part.pixels.len(), rest.len());
    let mut all = slopes(&part.pixels, contrast);
    let judged = if (left as f32) < REST_SHARE_MIN * whole as f32 {
        &mut all
    } else {
        &mut rest
    };
    if quantile(judged, NEARLY) >= SHADOW_SLOPE_MAX {
        return vec![part];
    }
    // A core may be the darkest of the shadow itself, with the insects inside that.
    let inside: Vec<Part> = cores
        .into_iter()
        .map(|pixels| Part {
            contrast: contrast.mean(&pixels) - shade,
            pixels,
            cut: true,
        })
        .flat_map(|core| without_shadow(core, contrast))
        .collect();
    // One insect that fills most of it is no insect in a shadow: the pale part is its legs and wings.
    if inside.len() == 1 && left * 2 < whole {
        return vec![part];
    }
    inside
}

/// The connected pixels that are clearly darker than the shade, and the slopes of what is apart from them.
fn cores_and_rest(part: &Part, contrast: &Contrast, shade: f32) -> (Vec<Vec<(i32, i32)>>, Vec<f32>) {
    let (stencil, corner) = part.stencil(i32::from(CORE_MARGIN_PX) + 1);
    let mut mask = GrayImage::new(stencil.width(), stencil.height());
    for &(x, y) in &part.pixels {
        if value(contrast, (x, y)) > shade + CORE_CONTRAST {
            mask.put_pixel((x - corner.0) as u32, (y - corner.1) as u32, Luma([255]));
        }
    }
    let around = dilate(&mask, Norm::LInf, CORE_MARGIN_PX);
    let is_apart = |&&(x, y): &&(i32, i32)| {
        let pixel = around.get_pixel((x - corner.0) as u32, (y - corner.1) as u32);
        pixel.0[0] == 0
    };
    let rest: Vec<_> = part.pixels.iter().filter(is_apart).copied().collect();
    let carried = |core: Vec<(i32, i32)>| {
        core.into_iter()
            .map(|(x, y)| (x + corner.0, y + corner.1))
            .collect()
    };
    let cores = patches(&mask, 255).into_iter().map(carried).collect();
    (cores, slopes(&rest, contrast))
}

fn rim_slopes(part: &Part, contrast: &Contrast) -> Vec<f32> {
    let (stencil, corner) = part.stencil(1);
    let is_outside = |(x, y): (i32, i32)| {
        let pixel = stencil.get_pixel((x - corner.0) as u32, (y - corner.1) as u32);
        pixel.0[0] == 0
    };
    let on_rim = |&&(x, y): &&(i32, i32)| {
        [(x + 1, y), (x - 1, y), (x, y + 1), (x, y - 1)]
            .into_iter()
            .any(is_outside)
    };
    let rim: Vec<_> = part.pixels.iter().filter(on_rim).copied().collect();
    slopes(&rim, contrast)
}

fn slopes(pixels: &[(i32, i32)], contrast: &Contrast) -> Vec<f32> {
    pixels.iter().map(|pixel| slope(contrast, *pixel)).collect()
}

fn value(contrast: &Contrast, (x, y): (i32, i32)) -> f32 {
    let plane = &contrast.difference;
    let (x, y) = (
        x.clamp(0, plane.width as i32 - 1),
        y.clamp(0, plane.height as i32 - 1),
    );
    plane.values[y as usize * plane.width + x as usize]
}

fn slope(contrast: &Contrast, (x, y): (i32, i32)) -> f32 {
    let across = value(contrast, (x + STEP, y)) - value(contrast, (x - STEP, y));
    let down = value(contrast, (x, y + STEP)) - value(contrast, (x, y - STEP));
    across.hypot(down) / (2 * STEP) as f32
}
