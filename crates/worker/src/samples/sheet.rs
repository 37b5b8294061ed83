//! The sheet of the sample pictures: cloth under an uneven lamp, with dust on it.

use image::{Rgb, RgbImage};

use super::Dice;

/// The noise of the camera, in levels of 255.
const NOISE: f32 = 2.6;

/// A sheet without insects: a bright spot, darker corners of another tint, a weave and noise.
pub(super) fn bare(width: u32, height: u32, dice: &mut Dice) -> RgbImage {
    let lamp = (dice.between(0.3, 0.7), dice.between(0.25, 0.75));
    let brightness = dice.between(218.0, 240.0);
    let fall = dice.between(0.10, 0.24);
    let slope = (dice.between(-0.08, 0.08), dice.between(-0.08, 0.08));
    let tint = [dice.between(-0.03, 0.03), 0.0, dice.between(-0.03, 0.05)];
    let thread = dice.between(2.2, 3.4);
    let across_threads: Vec<f32> = (0..width).map(|x| 1.2 * (x as f32 / thread).sin()).collect();
    let down_threads: Vec<f32> = (0..height).map(|y| 1.2 * (y as f32 / thread).cos()).collect();
    RgbImage::from_fn(width, height, |x, y| {
        let (across, down) = (x as f32 / width as f32, y as f32 / height as f32);
        let away = (across - lamp.0).powi(2) + (down - lamp.1).powi(2);
        let light =
            brightness * (1.0 - fall * 2.0 * away + slope.0 * (across - 0.5) + slope.1 * (down - 0.5));
        let weave = across_threads[x as usize] + down_threads[y as usize];
        let grain = weave + NOISE * dice.noise();
        Rgb(tint.map(|tint| (light * (1.0 + tint * away * 2.0) + grain).clamp(0.0, 255.0) as u8))
    })
}

/// Strews dust: dark dots of at most five pixels, too small for any insect.
pub(super) fn strew_specks(image: &mut RgbImage, dice: &mut Dice) {
    for _ in 0..12 + dice.below(25) {
        let x = dice.between(3.0, image.width() as f32 - 3.0);
        let y = dice.between(3.0, image.height() as f32 - 3.0);
        let radius = dice.between(0.6, 2.2);
        let darkness = dice.between(0.3, 0.75);
        for row in (y - 3.0) as u32..=(y + 2.0) as u32 {
            for column in (x - 3.0) as u32..=(x + 2.0) as u32 {
                let away = (column as f32 + 0.5 - x).hypot(row as f32 + 0.5 - y);
                let cover = (radius + 0.5 - away).clamp(0.0, 1.0) * darkness;
                let pixel = image.get_pixel_mut(column, row);
                pixel.0 = pixel.0.map(|level| (f32::from(level) * (1.0 - cover)) as u8);
            }
        }
    }
}
