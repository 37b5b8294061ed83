//! Cuts apart insects that touch, and joins the parts of one insect.
//!
//! Neighbours usually touch by a leg or a feeler, which is thin beside both bodies; a wing and its body meet broadly. So
//! thin necks are cut by thickness alone, and broader ones only where both sides are round bodies and the whole is
//! none. What was cut apart is never joined again.

use image::{GrayImage, Luma};
use imageproc::distance_transform::{Norm, distance_transform};
use imageproc::geometry::{contour_area, convex_hull};
use imageproc::point::Point;

use super::contrast::Contrast;
use super::mask::{Bounds, Part, patches};

/// Necks up to twice as wide are cut, in working pixels, if both sides are thick enough.
const NECK_RADIUS_MAX: u8 = 5;
/// Both sides of a neck must be at least this many times as thick as the neck.
const BODY_TO_NECK: f32 = 2.5;
/// Anything less thick is a limb, not a body, in working pixels.
const BODY_RADIUS_MIN: f32 = 4.0;
/// A smaller body has too few pixels for its shape to be judged, in working pixels.
const ROUND_RADIUS_MIN: f32 = 8.0;
/// Both sides of a broad neck must be at least this many times as thick as it.
const BODY_TO_BROAD_NECK: f32 = 1.2;
/// Of more than two insects side by side, each has at least this share of the thickest one's thickness.
const LIKE_THICKNESS: f32 = 0.7;
/// Limbs up to twice as wide don't count for the shape of a body, in working pixels.
const LIMB_RADIUS: u8 = 2;
/// A round body fills at least this share of its convex hull.
const ROUND_MIN: f32 = 0.9;
/// Two round bodies together fill less of theirs, by at least this share: the less, the narrower their neck is.
const ROUNDER_BY: f32 = 0.035;
const ROUNDER_BY_NARROW: f32 = 0.01;
/// A neck is narrow if both sides are this many times as thick.
const BODY_TO_NARROW_NECK: f32 = 1.6;
/// A part is joined to a larger one that has at least this many times its area.
const LARGER_TIMES: f32 = 3.0;

/// Cuts every part at its thin necks.
pub(super) fn cut_apart(parts: Vec<Part>, contrast: &Contrast) -> Vec<Part> {
    let mut pieces: Vec<Part> = parts.into_iter().flat_map(cut).collect();
    for piece in pieces.iter_mut().filter(|piece| piece.cut) {
        // A clump of grain that hung on an insect's leg must now stand out by itself.
        piece.contrast = contrast.mean(&piece.pixels);
    }
    pieces
}

fn cut(part: Part) -> Vec<Part> {
    let (mut stencil, corner) = part.stencil(1);
    for pixel in stencil.pixels_mut() {
        pixel.0[0] = 255 - pixel.0[0];
    }
    let depth = distance_transform(&stencil, Norm::L2);
    let cores = |radius: u8, times: f32| {
        thick_cores(&depth, radius, (times * f32::from(radius)).max(BODY_RADIUS_MIN))
    };
    for radius in 1..=NECK_RADIUS_MAX {
        let cores = cores(radius, BODY_TO_NECK);
        if cores.len() > 1 {
            return share_out(&part, moved(cores, corner))
                .into_iter()
                .flat_map(cut)
                .collect();
        }
    }
    let deepest = depth.pixels().map(|p| p.0[0]).max().unwrap_or(0);
    let whole = roundness(&part.pixels, &depth, corner);
    for radius in 1..deepest {
        let round =
            |times: f32| thick_cores(&depth, radius, (times * f32::from(radius)).max(ROUND_RADIUS_MIN));
        let cores = round(BODY_TO_BROAD_NECK);
        if cores.len() < 2 {
            continue;
        }
        let pieces = share_out(&part, moved(cores, corner));
        if !are_neighbours(&pieces, &depth, corner) {
            continue;
        }
        let least = pieces
            .iter()
            .map(|piece| roundness(&piece.pixels, &depth, corner));
        let least = least.fold(f32::INFINITY, f32::min);
        let is_narrow = round(BODY_TO_NARROW_NECK).len() == pieces.len();
        let by = if is_narrow { ROUNDER_BY_NARROW } else { ROUNDER_BY };
        if least >= ROUND_MIN.max(whole + by) {
            return pieces.into_iter().flat_map(cut).collect();
        }
    }
    vec![part]
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

/// Whether pieces may be insects side by side. A body between two wings is thinner than they are, so several pieces must be
/// about equally thick.
fn are_neighbours(pieces: &[Part], depth: &GrayImage, corner: (i32, i32)) -> bool {
    let thickness = |piece: &Part| {
        let depths = piece
            .pixels
            .iter()
            .map(|&(x, y)| depth.get_pixel((x - corner.0) as u32, (y - corner.1) as u32).0[0]);
        f32::from(depths.max().unwrap_or(0))
    };
    let thickest = pieces.iter().map(thickness).fold(0.0, f32::max);
    pieces.len() == 2
        || pieces
            .iter()
            .all(|piece| thickness(piece) >= LIKE_THICKNESS * thickest)
}

/// The share of its convex hull that a body fills, without its limbs.
fn roundness(pixels: &[(i32, i32)], depth: &GrayImage, corner: (i32, i32)) -> f32 {
    let deep = |&&(x, y): &&(i32, i32)| {
        depth.get_pixel((x - corner.0) as u32, (y - corner.1) as u32).0[0] > LIMB_RADIUS
    };
    let body: Vec<_> = pixels
        .iter()
        .filter(deep)
        .map(|&(x, y)| Point::new(x, y))
        .collect();
    if body.len() < 3 {
        return 0.0;
    }
    let hull = convex_hull(body.as_slice());
    // The hull goes through the middles of pixels: half a pixel is missing all around it.
    let around: f64 = hull
        .iter()
        .zip(hull.iter().cycle().skip(1))
        .map(|(a, b)| f64::from((a.x - b.x).pow(2) + (a.y - b.y).pow(2)).sqrt())
        .sum();
    let area = contour_area(&hull).abs() + around / 2.0 + 1.0;
    (body.len() as f64 / area) as f32
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
