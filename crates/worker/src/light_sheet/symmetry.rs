//! How symmetrical a shape is: an insect is the mirror image of itself, nearly, and two that touch seldom are.

use std::f32::consts::TAU;

use image::GrayImage;

use super::mask::stencil;

/// So many axes are tried, and about so many pixels are mirrored in each.
const AXES: usize = 30;
const MIRRORED: usize = 500;

/// The axis in which most of a shape has a mirror image.
pub(super) struct Mirror {
    /// How much of the shape has one.
    pub(super) share: f32,
    middle: (f32, f32),
    sine: f32,
    cosine: f32,
}

impl Mirror {
    /// The best axis through the middle of some pixels.
    pub(super) fn of(pixels: &[(i32, i32)]) -> Self {
        let [first, others @ ..] = Self::all(pixels);
        let better = |best: Self, next: Self| if next.share > best.share { next } else { best };
        others.into_iter().fold(first, better)
    }

    /// Axes of all directions through the middle of some pixels.
    pub(super) fn all(pixels: &[(i32, i32)]) -> [Self; AXES] {
        let count = pixels.len().max(1) as f32;
        let middle = (
            pixels.iter().map(|pixel| pixel.0 as f32).sum::<f32>() / count,
            pixels.iter().map(|pixel| pixel.1 as f32).sum::<f32>() / count,
        );
        let shape = Shape::of(pixels);
        let step = (pixels.len() / MIRRORED).max(1);
        let sample = pixels.len().div_ceil(step).max(1);
        std::array::from_fn(|axis| {
            let (sine, cosine) = (axis as f32 * TAU / AXES as f32).sin_cos();
            let mut mirror = Self {
                share: 0.0,
                middle,
                sine,
                cosine,
            };
            let has_image = |pixel: &&(i32, i32)| shape.holds(mirror.image(**pixel));
            let mirrored = pixels.iter().step_by(step).filter(has_image).count();
            mirror.share = mirrored as f32 / sample as f32;
            mirror
        })
    }

    /// The share of some pixels whose mirror images lie in a shape.
    pub(super) fn share_onto(&self, pixels: &[(i32, i32)], shape: &Shape) -> f32 {
        let onto = |pixel: &&(i32, i32)| shape.holds(self.image(**pixel));
        pixels.iter().filter(onto).count() as f32 / pixels.len().max(1) as f32
    }

    /// Where the mirror image of a pixel lies.
    pub(super) fn image(&self, pixel: (i32, i32)) -> (i32, i32) {
        let (across, down) = (pixel.0 as f32 - self.middle.0, pixel.1 as f32 - self.middle.1);
        let x = self.middle.0 + self.cosine * across + self.sine * down;
        let y = self.middle.1 + self.sine * across - self.cosine * down;
        (x.round() as i32, y.round() as i32)
    }
}

/// Pixels of which it is quickly known whether one is among them.
pub(super) struct Shape {
    stencil: GrayImage,
    corner: (i32, i32),
}

impl Shape {
    pub(super) fn of(pixels: &[(i32, i32)]) -> Self {
        let (stencil, corner) = stencil(pixels, 1);
        Self { stencil, corner }
    }

    pub(super) fn holds(&self, (x, y): (i32, i32)) -> bool {
        let (Ok(x), Ok(y)) = (u32::try_from(x - self.corner.0), u32::try_from(y - self.corner.1)) else {
            return false;
        };
        self.stencil
            .get_pixel_checked(x, y)
            .is_some_and(|pixel| pixel.0[0] > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pixels(is_set: impl Fn(f32, f32) -> bool) -> Vec<(i32, i32)> {
        let all = (-40..=40).flat_map(|x| (-40..=40).map(move |y| (x, y)));
        all.filter(|&(x, y)| is_set(x as f32, y as f32)).collect()
    }

    #[test]
    fn an_ellipse_is_symmetrical_however_it_lies() {
        for degrees in [0.0_f32, 17.0, 45.0, 110.0] {
            let (sine, cosine) = degrees.to_radians().sin_cos();
            let ellipse = pixels(|x, y| {
                ((x * cosine + y * sine) / 36.0).powi(2) + ((y * cosine - x * sine) / 14.0).powi(2) <= 1.0
            });
            assert!(Mirror::of(&ellipse).share > 0.9, "{degrees}");
        }
    }

    #[test]
    fn a_large_and_a_small_ellipse_aslant_of_each_other_are_less_so() {
        let two = pixels(|x, y| {
            ((x + 12.0) / 24.0).powi(2) + ((y + 8.0) / 12.0).powi(2) <= 1.0
                || ((x - 20.0) / 8.0).powi(2) + ((y - 10.0) / 16.0).powi(2) <= 1.0
        });
        assert!(Mirror::of(&two).share < 0.85);
    }

    #[test]
    fn one_pixel_is_its_own_mirror_image() {
        assert_eq!(Mirror::of(&[(3, 3)]).share, 1.0);
    }
}
