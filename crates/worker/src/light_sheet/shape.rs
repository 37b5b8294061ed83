//! Shapes that no insect has: the discs of screw heads, the rectangles of scale bars, strips of a frame.

use std::f64::consts::TAU;

use image::GrayImage;
use imageproc::geometry::{contour_area, convex_hull, min_area_rect};
use imageproc::point::Point;

use super::mask::{Bounds, Part};

/// Discs with a smaller radius can't be told from a beetle, in working pixels.
const DISC_RADIUS_MIN: f64 = 4.0;
/// How far the rim of a disc may stray from a circle: a share of the radius, and the grain of the pixels.
const RIM_STRAY: f64 = 0.04;
const RIM_GRAIN_PX: f64 = 0.35;
/// Rim this near the centre, as a share of the radius, is a notch; so much of the rim may be.
const NOTCH_DEPTH_MIN: f64 = 0.75;
const NOTCH_SHARE_MAX: f64 = 0.3;
/// The share of the full circle that must be seen; less fits the edge of any wing.
const RIM_SEEN_MIN: f64 = 0.35;
/// The convex hull of a rectangle fills at least this share of the tightest rectangle around it; those of
/// moths with their feelers spread come up to 0.90.
const RECTANGLE_FILL_MIN: f64 = 0.93;
/// Rectangles with a shorter side can't be told from a stick-like moth, in working pixels.
const RECTANGLE_SIDE_MIN: f64 = 6.0;
/// A corner of the rectangle is filled if a pixel of the part is nearer than this, in working pixels.
const CORNER_REACH: f64 = 3.0;
/// A tool fills at least so many; insects side by side fill one at most.
const CORNERS_FILLED: usize = 2;
/// A part at the picture's edge is a strip of the frame if it is this many times as long as deep.
const STRIP_LENGTH_TIMES: i32 = 3;

/// Whether the part has the shape of a thing that people put on or around a sheet.
pub(super) fn is_tool(part: &Part, size: (i32, i32)) -> bool {
    is_edge_strip(&part.bounds(), size) || is_rectangle(part) || is_disc(part, size)
}

/// Whether what looks like a tool may as well be some insects side by side.
pub(super) fn may_be_row(part: &Part, size: (i32, i32)) -> bool {
    let is_filled = |corner: &Point<i32>| {
        part.pixels.iter().any(|&(x, y)| {
            (f64::from(x) + 0.5 - f64::from(corner.x)).hypot(f64::from(y) + 0.5 - f64::from(corner.y))
                < CORNER_REACH
        })
    };
    !is_disc(part, size)
        && rectangle_around(part)
            .1
            .iter()
            .filter(|corner| is_filled(corner))
            .count()
            < CORNERS_FILLED
}

/// Whether the part is a disc, whole or cut off by the picture's edge.
fn is_disc(part: &Part, size: (i32, i32)) -> bool {
    let rim = rim(part, size);
    let Some(rough) = Circle::through(&rim) else {
        return false;
    };
    // A bright socket that the picture's edge cuts open shows as a notch; the rest must still be a circle.
    let no_notch = |point: &(i32, i32)| rough.distance(*point) > NOTCH_DEPTH_MIN * rough.radius;
    let outer: Vec<(i32, i32)> = rim.iter().copied().filter(no_notch).collect();
    if (outer.len() as f64) < (1.0 - NOTCH_SHARE_MAX) * rim.len() as f64 {
        return false;
    }
    Circle::through(&outer).is_some_and(|circle| {
        circle.radius >= DISC_RADIUS_MIN
            && circle.stray(&outer) <= RIM_STRAY * circle.radius + RIM_GRAIN_PX
            && circle.share_seen(&outer) >= RIM_SEEN_MIN
    })
}

/// The pixels next to the sheet, less those where the picture ends.
fn rim(part: &Part, (width, height): (i32, i32)) -> Vec<(i32, i32)> {
    let (stencil, corner) = part.stencil(1);
    let empty = |stencil: &GrayImage, x: i32, y: i32| {
        stencil.get_pixel((x - corner.0) as u32, (y - corner.1) as u32).0[0] == 0
    };
    let on_rim = |&&(x, y): &&(i32, i32)| {
        let inside = x > 0 && y > 0 && x < width - 1 && y < height - 1;
        inside
            && (empty(&stencil, x + 1, y)
                || empty(&stencil, x - 1, y)
                || empty(&stencil, x, y + 1)
                || empty(&stencil, x, y - 1))
    };
    part.pixels.iter().filter(on_rim).copied().collect()
}

struct Circle {
    x: f64,
    y: f64,
    radius: f64,
}

impl Circle {
    /// The circle through a set of points, by least squares of the algebraic distance (Kåsa 1976); none
    /// through few points or points on a line.
    fn through(points: &[(i32, i32)]) -> Option<Self> {
        if points.len() < 8 {
            return None;
        }
        let count = points.len() as f64;
        let mean_x = points.iter().map(|point| f64::from(point.0)).sum::<f64>() / count;
        let mean_y = points.iter().map(|point| f64::from(point.1)).sum::<f64>() / count;
        let (mut xx, mut xy, mut yy, mut xr, mut yr) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for point in points {
            let (x, y) = (f64::from(point.0) - mean_x, f64::from(point.1) - mean_y);
            let square = x * x + y * y;
            xx += x * x;
            xy += x * y;
            yy += y * y;
            xr += x * square;
            yr += y * square;
        }
        let determinant = xx * yy - xy * xy;
        if determinant < 1e-6 * count * count {
            return None;
        }
        let x = (xr * yy - yr * xy) / (2.0 * determinant);
        let y = (yr * xx - xr * xy) / (2.0 * determinant);
        let radius = (x * x + y * y + (xx + yy) / count).sqrt();
        Some(Self {
            x: x + mean_x,
            y: y + mean_y,
            radius,
        })
    }

    fn distance(&self, (x, y): (i32, i32)) -> f64 {
        (f64::from(x) - self.x).hypot(f64::from(y) - self.y)
    }

    /// How far the points lie from the circle: the root of the mean square.
    fn stray(&self, points: &[(i32, i32)]) -> f64 {
        let squares: f64 = points
            .iter()
            .map(|point| (self.distance(*point) - self.radius).powi(2))
            .sum();
        (squares / points.len() as f64).sqrt()
    }

    /// The share of the circle's directions in which there is a point.
    fn share_seen(&self, points: &[(i32, i32)]) -> f64 {
        let mut seen = [false; 32];
        for &(x, y) in points {
            let turn = (f64::from(y) - self.y).atan2(f64::from(x) - self.x) / TAU;
            seen[((turn + 1.0).fract() * 32.0) as usize % 32] = true;
        }
        seen.iter().filter(|direction| **direction).count() as f64 / 32.0
    }
}

/// Whether the part fills the tightest rectangle around it.
fn is_rectangle(part: &Part) -> bool {
    let (fill, shorter) = rectangle(part);
    shorter >= RECTANGLE_SIDE_MIN && fill >= RECTANGLE_FILL_MIN
}

/// The part's convex hull, and the corners of the tightest rectangle around it.
fn rectangle_around(part: &Part) -> (Vec<Point<i32>>, [Point<i32>; 4]) {
    let mut corners = Vec::with_capacity(4 * part.pixels.len());
    for &(x, y) in &part.pixels {
        corners.extend([(x, y), (x + 1, y), (x, y + 1), (x + 1, y + 1)].map(|(x, y)| Point::new(x, y)));
    }
    let hull = convex_hull(corners);
    let around = min_area_rect(&hull);
    (hull, around)
}

/// How much of the tightest rectangle the part's convex hull fills, and the shorter side of that.
fn rectangle(part: &Part) -> (f64, f64) {
    let (hull, around) = rectangle_around(part);
    let side = |from: Point<i32>, to: Point<i32>| f64::from(from.x - to.x).hypot(f64::from(from.y - to.y));
    let sides = [side(around[0], around[1]), side(around[1], around[2])];
    (
        contour_area(&hull) / (sides[0] * sides[1]),
        sides[0].min(sides[1]),
    )
}

/// Whether the part is a strip along the picture's edge: a frame, or a camera's stamp.
fn is_edge_strip(bounds: &Bounds, (width, height): (i32, i32)) -> bool {
    (bounds.is_at_side(width) && bounds.height() >= STRIP_LENGTH_TIMES * bounds.width())
        || (bounds.is_at_end(height) && bounds.width() >= STRIP_LENGTH_TIMES * bounds.height())
}
