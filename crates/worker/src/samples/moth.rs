//! The insects of the sample pictures, drawn from a few curves.
//!
//! An insect is described in its own coordinates: `u` across the body, `v` along it from head to tail,
//! with a body of length 1 around the origin. Its left half mirrors its right.

use std::f32::consts::TAU;

use image::RgbImage;

use super::Dice;

/// Colours of wings: browns, greys, orange, straw, dark and green.
const COLOURS: [[f32; 3]; 7] = [
    [128.0, 92.0, 62.0],
    [92.0, 78.0, 70.0],
    [118.0, 116.0, 120.0],
    [206.0, 128.0, 44.0],
    [198.0, 170.0, 116.0],
    [54.0, 44.0, 46.0],
    [126.0, 160.0, 92.0],
];
/// How much darker the shadow makes the sheet, as a share of its light.
const SHADOW: f32 = 0.05;
/// Feelers are about this wide, in pixels.
const FEELER_WIDTH: f32 = 1.0;
/// How much of the sheet a feeler hides.
const FEELER_COVER: f32 = 0.7;

/// How the wings are held.
#[derive(Clone, Copy)]
enum Pose {
    /// Both pairs spread flat, like a geometer.
    Spread,
    /// Folded to a triangle over the back, like an owlet.
    Roof,
    /// Rolled around the body, like a grass moth.
    Rolled,
}

/// One insect, placed in a picture.
pub(super) struct Moth {
    pub(super) x: f32,
    pub(super) y: f32,
    /// The length of the body in pixels.
    length: f32,
    sine: f32,
    cosine: f32,
    pose: Pose,
    colour: [f32; 3],
    /// How often bands cross the wings, and where they begin.
    bands: (f32, f32),
}

impl Moth {
    /// Rolls an insect that lies within the picture, `margin` pixels from the edges.
    pub(super) fn roll(width: u32, height: u32, margin: f32, dice: &mut Dice) -> Self {
        let (pose, longest) = match dice.below(5) {
            0 | 1 => (Pose::Spread, 105.0),
            2 | 3 => (Pose::Roof, 95.0),
            _ => (Pose::Rolled, 60.0),
        };
        // Small insects are far more common than large ones.
        let length = 20.0 + (longest - 20.0) * dice.between(0.0, 1.0).powf(1.6);
        let (sine, cosine) = dice.between(0.0, TAU).sin_cos();
        let mut moth = Self {
            x: 0.0,
            y: 0.0,
            length,
            sine,
            cosine,
            pose,
            colour: COLOURS[dice.below(COLOURS.len() as u32) as usize],
            bands: (dice.between(9.0, 20.0), dice.between(0.0, TAU)),
        };
        let room = moth.reach() + margin;
        moth.x = dice.between(room, width as f32 - room);
        moth.y = dice.between(room, height as f32 - room);
        moth
    }

    /// The radius of a circle that holds the whole insect, in pixels.
    pub(super) fn reach(&self) -> f32 {
        match self.pose {
            Pose::Spread => self.length,
            Pose::Roof | Pose::Rolled => 0.8 * self.length,
        }
    }

    /// Draws the insect and returns its box without the feelers.
    pub(super) fn draw(&self, image: &mut RgbImage) -> [f32; 4] {
        let reach = self.reach().ceil() + 6.0;
        let columns = (self.x - reach).max(0.0) as u32..((self.x + reach) as u32).min(image.width());
        let rows = (self.y - reach).max(0.0) as u32..((self.y + reach) as u32).min(image.height());
        let mut bounds = [f32::MAX, f32::MAX, 0.0, 0.0_f32];
        for row in rows {
            for column in columns.clone() {
                let (x, y) = (column as f32, row as f32);
                let (cover, colour) = self.pixel(x, y);
                if cover >= 0.5 {
                    bounds = [
                        bounds[0].min(x),
                        bounds[1].min(y),
                        bounds[2].max(x + 1.0),
                        bounds[3].max(y + 1.0),
                    ];
                }
                let cover = cover.max(FEELER_COVER * self.feelers(x + 0.5, y + 0.5));
                let shade = if self.covers(x - 3.0, y - 4.0) {
                    1.0 - SHADOW
                } else {
                    1.0
                };
                let pixel = image.get_pixel_mut(column, row);
                for (level, paint) in pixel.0.iter_mut().zip(colour) {
                    *level =
                        (f32::from(*level) * shade * (1.0 - cover) + paint * cover).clamp(0.0, 255.0) as u8;
                }
            }
        }
        bounds
    }

    /// How much of a pixel the insect covers, and in which colour: the mean of four points in it.
    fn pixel(&self, x: f32, y: f32) -> (f32, [f32; 3]) {
        let mut cover = 0.0;
        let mut colour = [0.0; 3];
        for (across, down) in [(0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)] {
            let (u, v) = self.own_coordinates(x + across, y + down);
            if let Some(darkness) = self.at(u.abs(), v) {
                cover += 0.25;
                for (sum, level) in colour.iter_mut().zip(self.colour) {
                    *sum += level * darkness;
                }
            }
        }
        let points = (cover * 4.0_f32).max(1.0);
        (cover, colour.map(|sum| sum / points))
    }

    fn own_coordinates(&self, x: f32, y: f32) -> (f32, f32) {
        let (across, down) = ((x - self.x) / self.length, (y - self.y) / self.length);
        (
            across * self.cosine + down * self.sine,
            down * self.cosine - across * self.sine,
        )
    }

    /// How dark the insect is at a point of its right half, around 1; nothing where it is not.
    fn at(&self, u: f32, v: f32) -> Option<f32> {
        let body =
            ellipse(u, v, (0.0, 0.04), (0.1, 0.46), 0.0) || ellipse(u, v, (0.0, -0.36), (0.12, 0.13), 0.0);
        let wing = match self.pose {
            Pose::Spread => {
                ellipse(u, v, (0.46, -0.2), (0.5, 0.19), -0.32)
                    || ellipse(u, v, (0.32, 0.13), (0.34, 0.24), 0.5)
            }
            Pose::Roof => {
                let down = (v + 0.42) / 0.9;
                down > 0.0 && u < 0.4 * down.powf(0.75) && v < 0.5 - 0.9 * u * u - 0.25 * (0.12 - u).max(0.0)
            }
            Pose::Rolled => u < 0.16 * ((v + 0.5) * 3.0).clamp(0.0, 1.0).sqrt() && v < 0.5 - 4.0 * u * u,
        };
        if !wing && !body {
            return None;
        }
        if body && !matches!(self.pose, Pose::Roof | Pose::Rolled) {
            return Some(0.72 + 0.1 * (v * 40.0).sin());
        }
        let from_root = u.hypot(v + 0.35);
        let band = 0.14 * (from_root * self.bands.0 + self.bands.1 + 0.6 * (u * 18.0).sin()).sin();
        let vein = if (u.atan2(v + 0.5) * 22.0).sin() > 0.93 {
            -0.12
        } else {
            0.0
        };
        let spot = if (u - 0.28).hypot(v + 0.12) < 0.05 {
            -0.4
        } else {
            0.0
        };
        Some(1.0 + band + vein + spot)
    }

    fn covers(&self, x: f32, y: f32) -> bool {
        let (u, v) = self.own_coordinates(x, y);
        self.at(u.abs(), v).is_some()
    }

    /// How much of a point the feelers cover: two curved lines from the head forwards and outwards.
    fn feelers(&self, x: f32, y: f32) -> f32 {
        let (u, v) = self.own_coordinates(x, y);
        let share = (v + 0.44) / -0.2;
        if !(0.0..=1.0).contains(&share) {
            return 0.0;
        }
        let line = 0.04 + 0.2 * share * share.sqrt();
        let away = (u.abs() - line).abs() * self.length;
        (FEELER_WIDTH - away).clamp(0.0, 1.0)
    }
}

/// Whether a point lies within an ellipse that is turned by `turn` radians.
fn ellipse(u: f32, v: f32, centre: (f32, f32), half: (f32, f32), turn: f32) -> bool {
    let (sine, cosine) = turn.sin_cos();
    let (across, down) = (u - centre.0, v - centre.1);
    let (along, over) = (across * cosine + down * sine, down * cosine - across * sine);
    (along / half.0).powi(2) + (over / half.1).powi(2) <= 1.0
}
