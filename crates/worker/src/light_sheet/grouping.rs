//! Cuts apart insects that touch, and joins the parts of one insect.
//!
//! Neighbours usually touch by a leg or a feeler, which is thin beside both bodies; a wing and its body meet broadly. So
//! thin necks are cut by thickness alone, and broader ones where more speaks for two insects (`parting`). What was cut apart is never joined again.

use image::{GrayImage, Luma};
use imageproc::distance_transform::{Norm, distance_transform};

use super::contrast::Contrast;
use super::mask::{Bounds, Part, patches};
use super::parting::two_insects;

/// Necks up to twice as wide are cut, in working pixels, if both sides are thick enough.
const NECK_RADIUS_MAX: u8 = 5;
/// Both sides of a neck must be at least this many times as thick as the neck.
const BODY_TO_NECK: f32 = 2.5;
/// Anything less thick is a limb, not a body, in working pixels.
const BODY_RADIUS_MIN: f32 = 4.0;
/// A part is joined to a larger one that has at least this many times its area.
const LARGER_TIMES: f32 = 3.0;

/// Cuts a part wherever two insects touch.
pub(super) fn cut_apart(part: Part, contrast: &Contrast, contrast_min: f32) -> Vec<Part> {
    let mut pieces = cut(part, contrast, contrast_min);
    for piece in pieces.iter_mut().filter(|piece| piece.cut) {
        // A clump of grain that hung on an insect's leg must now stand out by itself.
        piece.contrast = contrast.mean(&piece.pixels);
    }
    pieces
}

fn cut(part: Part, contrast: &Contrast, contrast_min: f32) -> Vec<Part> {
    let pieces = at_thin_necks(&part).or_else(|| {
        let two = two_insects(&part, contrast, contrast_min)?;
        let piece = |pixels| Part {
            pixels,
            contrast: part.contrast,
            cut: true,
        };
        Some(two.map(piece).into())
    });
    match pieces {
        Some(pieces) => pieces
            .into_iter()
            .flat_map(|piece| cut(piece, contrast, contrast_min))
            .collect(),
        None => vec![part],
    }
}

/// The pieces of a part on both sides of its thin necks, if it has some.
fn at_thin_necks(part: &Part) -> Option<Vec<Part>> {
    let (mut stencil, corner) = part.stencil(1);
    image::imageops::invert(&mut stencil);
    let depth = distance_transform(&stencil, Norm::L2);
    (1..=NECK_RADIUS_MAX).find_map(|radius| {
        let thick = (BODY_TO_NECK * f32::from(radius)).max(BODY_RADIUS_MIN);
        let cores = thick_cores(&depth, radius, thick);
        (cores.len() > 1).then(|| share_out(part, moved(cores, corner)))
    })
}

/// What is deeper than `radius`, in pieces that are somewhere deeper than `thick`.
fn thick_cores(depth: &GrayImage, radius: u8, thick: f32) -> Vec<Vec<(i32, i32)>> {
    let mut inner = depth.clone();
    for pixel in inner.pixels_mut() {
        pixel.0[0] = if pixel.0[0] > radius { 255 } else { 0 };
    }
    let deep_enough = |core: &Vec<(i32, i32)>| {
        core.iter()
            .any(|&(x, y)| f32::from(depth.get_pixel(x as u32, y as u32).0[0]) > thick)
    };
    patches(&inner, 255).into_iter().filter(deep_enough).collect()
}

fn moved(cores: Vec<Vec<(i32, i32)>>, corner: (i32, i32)) -> Vec<Vec<(i32, i32)>> {
    cores.into_iter().map(|core| shifted(core, corner)).collect()
}

fn shifted(core: Vec<(i32, i32)>, by: (i32, i32)) -> Vec<(i32, i32)> {
    core.into_iter().map(|(x, y)| (x + by.0, y + by.1)).collect()
}

/// Gives every pixel of a part to the core that reaches it first.
fn share_out(part: &Part, cores: Vec<Vec<(i32, i32)>>) -> Vec<Part> {
    let (mut free, corner) = part.stencil(1);
    let mut pieces: Vec<Part> = cores
        .into_iter()
        .map(|pixels| Part {
            pixels,
            contrast: part.contrast,
            cut: true,
        })
        .collect();
    for &(x, y) in pieces.iter().flat_map(|piece| &piece.pixels) {
        free.put_pixel((x - corner.0) as u32, (y - corner.1) as u32, Luma([0]));
    }
    let mut fronts = vec![0; pieces.len()];
    let mut growing = true;
    while growing {
        growing = false;
        for (piece, front) in pieces.iter_mut().zip(&mut fronts) {
            let end = piece.pixels.len();
            for at in *front..end {
                let (x, y) = piece.pixels[at];
                for (x, y) in [(x + 1, y), (x - 1, y), (x, y + 1), (x, y - 1)] {
                    let pixel = free.get_pixel_mut((x - corner.0) as u32, (y - corner.1) as u32);
                    if pixel.0[0] > 0 {
                        pixel.0[0] = 0;
                        piece.pixels.push((x, y));
                        growing = true;
                    }
                }
            }
            *front = end;
        }
    }
    pieces
}

/// Joins small parts to a much larger one within `reach` working pixels: a severed leg, a wing's tip.
///
/// Parts of like size stay apart however near they are, since they may be two insects.
pub(super) fn join(mut parts: Vec<Part>, reach: i32) -> Vec<Part> {
    parts.sort_by_key(|part| std::cmp::Reverse(part.pixels.len()));
    // With their bounds, which would else be measured anew for every pair: a grainy sheet has many parts.
    let mut joined: Vec<(Bounds, Part)> = Vec::new();
    for part in parts {
        let bounds = part.bounds();
        let host = joined.iter_mut().find(|(around, host)| {
            bounds.gap(around) <= reach && is_much_smaller(&part, host) && is_near(&part, host, reach)
        });
        match host {
            Some((around, host)) => {
                *around = around.union(&bounds);
                host.pixels.extend(part.pixels);
            }
            None => joined.push((bounds, part)),
        }
    }
    joined.into_iter().map(|(_, part)| part).collect()
}

fn is_much_smaller(part: &Part, host: &Part) -> bool {
    !part.cut && part.pixels.len() as f32 * LARGER_TIMES <= host.pixels.len() as f32
}

fn is_near(part: &Part, host: &Part, reach: i32) -> bool {
    let near = |&(x, y): &(i32, i32), &(other_x, other_y): &(i32, i32)| {
        let (across, down) = (x - other_x, y - other_y);
        across * across + down * down <= (reach + 1) * (reach + 1)
    };
    part.pixels
        .iter()
        .any(|pixel| host.pixels.iter().any(|other| near(pixel, other)))
}
