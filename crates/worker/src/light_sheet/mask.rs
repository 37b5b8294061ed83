//! From contrast to parts: connected patches of the picture that aren't bare sheet.

use image::{GrayImage, Luma};
use imageproc::distance_transform::{Norm, distance_transform};
use imageproc::geometry::{contour_area, convex_hull};
use imageproc::morphology::{close, open};
use imageproc::point::Point;

use super::LightSheet;
use super::contrast::Contrast;

/// A patch of connected pixels, holes included, in the working picture.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Part {
    /// Pixel positions, `(x, y)`; never empty.
    pub(super) pixels: Vec<(i32, i32)>,
    /// Mean difference from the sheet, in levels of 255.
    pub(super) contrast: f32,
    /// Whether it was cut off from a neighbour, and so must stay apart.
    pub(super) cut: bool,
}

/// A box of whole pixels, both ends within.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bounds {
    pub(super) left: i32,
    pub(super) top: i32,
    pub(super) right: i32,
    pub(super) bottom: i32,
}

impl Bounds {
    pub(super) fn width(&self) -> i32 {
        self.right - self.left + 1
    }

    pub(super) fn height(&self) -> i32 {
        self.bottom - self.top + 1
    }

    /// Whether it lies at the left or right edge of a picture of this size.
    pub(super) fn is_at_side(&self, width: i32) -> bool {
        self.left <= 1 || self.right >= width - 2
    }

    /// Whether it lies at the upper or lower edge.
    pub(super) fn is_at_end(&self, height: i32) -> bool {
        self.top <= 1 || self.bottom >= height - 2
    }

    pub(super) fn longest(&self) -> i32 {
        self.width().max(self.height())
    }

    /// Pixels between two boxes, the larger of the two directions; 0 if they touch or overlap.
    pub(super) fn gap(&self, other: &Self) -> i32 {
        let across = (other.left - self.right).max(self.left - other.right);
        let down = (other.top - self.bottom).max(self.top - other.bottom);
        across.max(down).max(1) - 1
    }

    pub(super) fn union(&self, other: &Self) -> Self {
        Self {
            left: self.left.min(other.left),
            top: self.top.min(other.top),
            right: self.right.max(other.right),
            bottom: self.bottom.max(other.bottom),
        }
    }
}

impl Part {
    pub(super) fn bounds(&self) -> Bounds {
        bounds(&self.pixels)
    }

    /// The part alone on a small picture, with `margin` pixels around it, and where its corner lies.
    pub(super) fn stencil(&self, margin: i32) -> (GrayImage, (i32, i32)) {
        stencil(&self.pixels, margin)
    }
}

fn bounds(pixels: &[(i32, i32)]) -> Bounds {
    let mut bounds = Bounds {
        left: i32::MAX,
        top: i32::MAX,
        right: i32::MIN,
        bottom: i32::MIN,
    };
    for &(x, y) in pixels {
        bounds = bounds.union(&Bounds {
            left: x,
            top: y,
            right: x,
            bottom: y,
        });
    }
    bounds
}

/// Some pixels alone on a small picture, with `margin` pixels around them, and where its corner lies.
pub(super) fn stencil(pixels: &[(i32, i32)], margin: i32) -> (GrayImage, (i32, i32)) {
    let bounds = bounds(pixels);
    let corner = (bounds.left - margin, bounds.top - margin);
    let size = (bounds.width() + 2 * margin, bounds.height() + 2 * margin);
    let mut stencil = GrayImage::new(size.0 as u32, size.1 as u32);
    for &(x, y) in pixels {
        stencil.put_pixel((x - corner.0) as u32, (y - corner.1) as u32, Luma([255]));
    }
    (stencil, corner)
}

/// The area of the convex hull of some pixels.
pub(super) fn hull_area(pixels: &[(i32, i32)]) -> f32 {
    if pixels.len() < 3 {
        return pixels.len() as f32;
    }
    let points: Vec<_> = pixels.iter().map(|&(x, y)| Point::new(x, y)).collect();
    let hull = convex_hull(points.as_slice());
    // The hull goes through the middles of pixels: half a pixel is missing all around it.
    let around: f64 = hull
        .iter()
        .zip(hull.iter().cycle().skip(1))
        .map(|(a, b)| f64::from((a.x - b.x).pow(2) + (a.y - b.y).pow(2)).sqrt())
        .sum();
    (contour_area(&hull).abs() + around / 2.0 + 1.0) as f32
}

/// Finds the parts that differ clearly from the sheet.
///
/// Two thresholds: what differs a little belongs to an insect only where something differs a lot. One
/// threshold alone either loses pale wings or takes in the grain of the sheet.
pub(super) fn parts(contrast: &Contrast, settings: &LightSheet) -> Vec<Part> {
    let (width, height) = (contrast.difference.width, contrast.difference.height);
    let weak = GrayImage::from_fn(width as u32, height as u32, |x, y| {
        let at = y as usize * width + x as usize;
        let limit = settings
            .weak_contrast
            .max(settings.weak_noise * contrast.noise.values[at]);
        Luma([if contrast.difference.values[at] > limit {
            255
        } else {
            0
        }])
    });
    let closed = close(&weak, Norm::L2, settings.closing_px);
    let opened = open(&fill_holes(closed, settings.hole_px), Norm::L1, 1);
    let is_strong = |&&(x, y): &&(i32, i32)| {
        let at = y as usize * width + x as usize;
        let limit = settings
            .strong_contrast
            .max(settings.strong_noise * contrast.noise.values[at]);
        contrast.difference.values[at] > limit
    };
    let stands_out = |pixels: &Vec<(i32, i32)>| {
        pixels.iter().filter(is_strong).count() as f32 > settings.strong_share * pixels.len() as f32
    };
    patches(&opened, 255)
        .into_iter()
        .filter(stands_out)
        .map(|pixels| Part {
            contrast: contrast.mean(&pixels),
            pixels,
            cut: false,
        })
        .collect()
}

/// Fills small holes: pale bands and spots on a wing belong to the insect.
///
/// A wide hole is more likely the sheet between several insects that touch.
pub(super) fn fill_holes(mut mask: GrayImage, radius: u8) -> GrayImage {
    let (right, bottom) = (mask.width() as i32 - 1, mask.height() as i32 - 1);
    let is_inside = |&(x, y): &(i32, i32)| x > 0 && y > 0 && x < right && y < bottom;
    for hole in patches(&mask, 0) {
        if hole.iter().all(is_inside) && inner_radius(&hole) <= radius {
            for (x, y) in hole {
                mask.put_pixel(x as u32, y as u32, Luma([255]));
            }
        }
    }
    mask
}

/// How far the middle of a patch is from what is around it. Of the patch alone: most of a picture is one, the sheet.
fn inner_radius(patch: &[(i32, i32)]) -> u8 {
    let (mut outside, _) = stencil(patch, 1);
    image::imageops::invert(&mut outside);
    let depth = distance_transform(&outside, Norm::L2);
    depth.as_raw().iter().copied().max().unwrap_or(0)
}

/// The connected patches of one value, in reading order of their first pixels.
///
/// Foreground connects over corners, background (0) doesn't: else a diagonal line would be crossed by both.
pub(super) fn patches(mask: &GrayImage, value: u8) -> Vec<Vec<(i32, i32)>> {
    const AROUND: [(i32, i32); 8] = [
        (1, 0),
        (-1, 0),
        (0, 1),
        (0, -1),
        (1, 1),
        (1, -1),
        (-1, 1),
        (-1, -1),
    ];
    let steps = if value == 0 { &AROUND[..4] } else { &AROUND[..] };
    let (width, height) = (mask.width() as i32, mask.height() as i32);
    let mut open: Vec<bool> = mask.as_raw().iter().map(|pixel| *pixel == value).collect();
    let mut found = Vec::new();
    for start in 0..open.len() {
        if !open[start] {
            continue;
        }
        open[start] = false;
        let mut patch = vec![(start as i32 % width, start as i32 / width)];
        let mut next = 0;
        while let Some(&(x, y)) = patch.get(next) {
            next += 1;
            for (across, down) in steps {
                let (x, y) = (x + across, y + down);
                if x < 0 || y < 0 || x >= width || y >= height {
                    continue;
                }
                let at = (y * width + x) as usize;
                if open[at] {
                    open[at] = false;
                    patch.push((x, y));
                }
            }
        }
        found.push(patch);
    }
    found
}
