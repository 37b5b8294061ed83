//! The thick places of a part, and the necks between them.
//!
//! A part is flooded from its deepest pixels outwards (a watershed of the distance to the sheet). Every peak of depth
//! floods a basin of its own; where two basins meet is a neck. Basins and necks are a tree, so that every neck parts the
//! whole in two.

use image::{GrayImage, Luma};
use imageproc::distance_transform::euclidean_squared_distance_transform;

use super::contrast::Contrast;
use super::mask::{Part, fill_holes};

/// A peak that is less deep belongs to a limb, in working pixels.
const PEAK_MIN: f32 = 3.5;
/// A peak that rises less above its neck is the grain of the outline, in working pixels.
const RISE_MIN: f32 = 0.8;

/// What differs from the sheet by less than this share of the part's contrast is its rim; in levels of 255, at least and at
/// most this.
const RIM_SHARE: f32 = 0.15;
const RIM_CONTRAST: (f32, f32) = (16.0, 40.0);
/// Holes of up to this inner radius in the rest are pale bands and spots, in working pixels.
const HOLE_PX: u8 = 8;

/// Where two basins meet.
pub(super) struct Neck {
    /// The basins on both sides.
    pub(super) sides: (usize, usize),
    /// Half of its width, in working pixels.
    pub(super) radius: f32,
}

pub(super) struct Basins {
    /// The distance to the sheet, pixel by pixel of the part.
    pub(super) depths: Vec<f32>,
    /// The basin, pixel by pixel of the part.
    pub(super) basins: Vec<usize>,
    pub(super) necks: Vec<Neck>,
}

const NONE: usize = usize::MAX;

impl Basins {
    pub(super) fn of(part: &Part, contrast: &Contrast) -> Self {
        let (stencil, corner) = dark(part, contrast);
        let width = stencil.width() as usize;
        let depth = depth(&stencil);
        let places: Vec<usize> = part
            .pixels
            .iter()
            .map(|&(x, y)| (y - corner.1) as usize * width + (x - corner.0) as usize)
            .collect();
        let mut flood = Flood {
            labels: vec![NONE; depth.len()],
            peaks: Vec::new(),
            basins: Unions::default(),
            bodies: Unions::default(),
            necks: Vec::new(),
        };
        let mut order = places.clone();
        order.sort_by(|a, b| depth[*b].total_cmp(&depth[*a]).then(a.cmp(b)));
        for &at in &order {
            flood.add(at, &depth, width);
        }
        let whole = |(one, other)| (flood.basins.root(one), flood.basins.root(other));
        let necks = flood
            .necks
            .iter()
            .map(|neck| Neck {
                sides: whole(neck.sides),
                radius: neck.radius,
            })
            .collect();
        let depths: Vec<f32> = places.iter().map(|at| depth[*at]).collect();
        let basins: Vec<usize> = places
            .iter()
            .map(|at| flood.basins.root(flood.labels[*at]))
            .collect();
        Self {
            depths,
            basins,
            necks,
        }
    }

    /// All basins, in order.
    pub(super) fn labels(&self) -> Vec<usize> {
        let mut labels = self.basins.clone();
        labels.sort_unstable();
        labels.dedup();
        labels
    }

    /// Which pixels of the part lie on the second side of a neck.
    pub(super) fn beyond(&self, neck: usize) -> Vec<bool> {
        let mut reached = vec![self.necks[neck].sides.1];
        let mut next = 0;
        while let Some(&basin) = reached.get(next) {
            next += 1;
            for (at, other) in self.necks.iter().enumerate() {
                if at == neck {
                    continue;
                }
                for (from, to) in [other.sides, (other.sides.1, other.sides.0)] {
                    if from == basin && !reached.contains(&to) {
                        reached.push(to);
                    }
                }
            }
        }
        self.basins.iter().map(|basin| reached.contains(basin)).collect()
    }
}

/// The part without its pale rim, which bridges the gap to a neighbour. It goes on beyond the picture's edge, so that what is
/// cut off is as thick there as it was.
fn dark(part: &Part, contrast: &Contrast) -> (GrayImage, (i32, i32)) {
    let (mut stencil, corner) = part.stencil(1);
    let (right, bottom) = (
        contrast.difference.width as i32 - 1,
        contrast.difference.height as i32 - 1,
    );
    let limit = (RIM_SHARE * part.contrast).clamp(RIM_CONTRAST.0, RIM_CONTRAST.1);
    let mut put = |x: i32, y: i32, value: u8| {
        stencil.put_pixel((x - corner.0) as u32, (y - corner.1) as u32, Luma([value]));
    };
    for &(x, y) in &part.pixels {
        if contrast.at((x, y)) <= limit {
            put(x, y, 0);
            continue;
        }
        for (x, y) in [(x - 1, y), (x + 1, y), (x, y - 1), (x, y + 1)] {
            if x <= 0 || y <= 0 || x >= right || y >= bottom {
                put(x, y, 255);
            }
        }
    }
    (fill_holes(stencil, HOLE_PX), corner)
}

/// The distance of every pixel to the nearest that is not in the stencil; below zero outside of it.
fn depth(stencil: &GrayImage) -> Vec<f32> {
    let mut outside = stencil.clone();
    image::imageops::invert(&mut outside);
    let inside = euclidean_squared_distance_transform(&outside);
    let beside = euclidean_squared_distance_transform(stencil);
    inside
        .pixels()
        .zip(beside.pixels())
        .map(|(inside, beside)| (inside.0[0].sqrt() - beside.0[0].sqrt()) as f32)
        .collect()
}

/// Labels of which some were found to be one.
#[derive(Default)]
struct Unions {
    parents: Vec<usize>,
}

impl Unions {
    fn root(&self, mut label: usize) -> usize {
        while self.parents[label] != label {
            label = self.parents[label];
        }
        label
    }

    /// The label that remains is that of `into`.
    fn unite(&mut self, from: usize, into: usize) {
        let from = self.root(from);
        self.parents[from] = self.root(into);
    }
}

struct Flood {
    /// The basin into which each pixel was flooded.
    labels: Vec<usize>,
    /// The peak of each basin, and of all that hangs together with it by now.
    peaks: Vec<f32>,
    /// Basins that are one.
    basins: Unions,
    /// Basins that hang together by now.
    bodies: Unions,
    necks: Vec<Neck>,
}

impl Flood {
    fn add(&mut self, at: usize, depths: &[f32], width: usize) {
        let around = [
            at - width,
            at + width,
            at - 1,
            at + 1,
            at - width - 1,
            at - width + 1,
            at + width - 1,
            at + width + 1,
        ];
        let mut deepest: Option<usize> = None;
        for near in around {
            if self.labels[near] == NONE {
                continue;
            }
            match deepest {
                None => deepest = Some(near),
                Some(other) => {
                    self.meet(self.labels[other], self.labels[near], depths[at]);
                    if depths[near] > depths[other] {
                        deepest = Some(near);
                    }
                }
            }
        }
        self.labels[at] = match deepest {
            Some(near) => self.labels[near],
            None => {
                let label = self.peaks.len();
                self.peaks.push(depths[at]);
                self.basins.parents.push(label);
                self.bodies.parents.push(label);
                label
            }
        };
    }

    fn meet(&mut self, one: usize, other: usize, radius: f32) {
        let (body, another) = (self.bodies.root(one), self.bodies.root(other));
        if body == another {
            return;
        }
        let (lower, higher) = if self.peaks[body] < self.peaks[another] {
            (body, another)
        } else {
            (another, body)
        };
        let peak = self.peaks[lower];
        if peak < PEAK_MIN || peak - radius < RISE_MIN {
            let (from, into) = if lower == body { (one, other) } else { (other, one) };
            self.basins.unite(from, into);
        } else {
            self.necks.push(Neck {
                sides: (one, other),
                radius,
            });
        }
        self.bodies.unite(lower, higher);
    }
}
