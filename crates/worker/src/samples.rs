//! Seeded pictures of a light sheet with insects whose boxes are known.
//!
//! They let a new user run a job with nothing at hand, and a test check what was found. Invariant: the
//! same seed and index give the same picture on every machine, which is why the numbers come from a
//! generator of a few lines here and not from a crate that may change its own.

mod moth;
mod sheet;

use std::io;
use std::path::{Path, PathBuf};

use image::RgbImage;
use image::codecs::jpeg::JpegEncoder;

use moth::Moth;

/// The seed of the default samples.
pub const SAMPLE_SEED: u64 = 2024;
/// How many default samples there are.
pub const SAMPLE_COUNT: u32 = 12;

const WIDTH: u32 = 1200;
const HEIGHT: u32 = 800;
const INSECTS_MAX: u32 = 8;
const JPEG_QUALITY: u8 = 90;
/// Attempts to find a free place before an insect is left out.
const PLACING_TRIES: u32 = 60;
/// The least distance between two insects and to the edge, in pixels.
const MARGIN: f32 = 14.0;

/// One sample picture.
pub struct Sample {
    /// 1200 by 800 pixels.
    pub image: RgbImage,
    /// The box `[x1, y1, x2, y2]` of every insect in pixels, feelers left out.
    pub insects: Vec<[f32; 4]>,
}

/// Draws one sample: an unevenly lit sheet with one to eight insects and some specks of dust.
pub fn sample(seed: u64, index: u32) -> Sample {
    let mut dice = Dice::new(seed, index);
    let mut image = sheet::bare(WIDTH, HEIGHT, &mut dice);
    sheet::strew_specks(&mut image, &mut dice);
    let wanted = 1 + dice.below(INSECTS_MAX);
    let mut moths: Vec<Moth> = Vec::new();
    for _ in 0..wanted {
        moths.extend(place(&moths, &mut dice));
    }
    let insects = moths.iter().map(|moth| moth.draw(&mut image)).collect();
    Sample { image, insects }
}

/// Rolls insects until one lies free of the others, or gives up.
fn place(others: &[Moth], dice: &mut Dice) -> Option<Moth> {
    (0..PLACING_TRIES).find_map(|_| {
        let moth = Moth::roll(WIDTH, HEIGHT, MARGIN, dice);
        let free = |other: &Moth| {
            let distance = (moth.x - other.x).hypot(moth.y - other.y);
            distance > moth.reach() + other.reach() + MARGIN
        };
        others.iter().all(free).then_some(moth)
    })
}

/// Writes the first `count` samples as JPEG files into a folder, which is made if it is missing.
///
/// The names begin with a date and time, one picture every ten minutes, and sort in that order, as those
/// of a camera do.
///
/// # Errors
///
/// When the folder or a file can't be written, or `count` goes beyond the year 9999.
pub fn write_samples(dir: &Path, seed: u64, count: u32) -> io::Result<Vec<PathBuf>> {
    std::fs::create_dir_all(dir)?;
    let first = jiff::civil::date(2024, 6, 14).at(22, 0, 0, 0);
    let mut paths = Vec::new();
    for index in 0..count {
        let pause = jiff::SignedDuration::from_mins(10 * i64::from(index));
        let taken = first.checked_add(pause).map_err(io::Error::other)?;
        let path = dir.join(format!("{}-sample.jpg", taken.strftime("%Y%m%d%H%M%S")));
        let mut jpeg = Vec::new();
        let encoder = JpegEncoder::new_with_quality(&mut jpeg, JPEG_QUALITY);
        sample(seed, index)
            .image
            .write_with_encoder(encoder)
            .map_err(io::Error::other)?;
        std::fs::write(&path, jpeg)?;
        paths.push(path);
    }
    Ok(paths)
}

/// A generator of numbers that look random: SplitMix64 (Steele, Lea and Flood 2014).
struct Dice {
    state: u64,
}

impl Dice {
    fn new(seed: u64, index: u32) -> Self {
        let mut dice = Self {
            state: seed ^ (u64::from(index) << 32),
        };
        dice.next();
        dice
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A whole number less than `end`.
    fn below(&mut self, end: u32) -> u32 {
        (self.next() % u64::from(end.max(1))) as u32
    }

    /// A number from `low` up to but not including `high`.
    fn between(&mut self, low: f32, high: f32) -> f32 {
        let share = (self.next() >> 40) as f32 / (1_u32 << 24) as f32;
        low + (high - low) * share
    }

    /// A number around 0 with a standard deviation of about 1: the sum of four even ones.
    fn noise(&mut self) -> f32 {
        let bits = self.next();
        let sum: u64 = (0..4).map(|part| (bits >> (16 * part)) & 0xFFFF).sum();
        (sum as f32 / 65_536.0 - 2.0) * 1.732
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_the_same_every_time_and_another_for_another_seed_or_index() {
        let first = sample(1, 2);
        assert_eq!(first.image, sample(1, 2).image);
        assert_ne!(first.image, sample(1, 3).image);
        assert_ne!(first.image, sample(2, 2).image);
    }

    #[test]
    fn every_sample_has_one_to_eight_insects_within_the_picture() {
        for index in 0..SAMPLE_COUNT {
            let sample = sample(SAMPLE_SEED, index);
            assert!((1..=8).contains(&sample.insects.len()));
            for [x1, y1, x2, y2] in sample.insects {
                assert!(0.0 <= x1 && x1 < x2 && x2 <= WIDTH as f32);
                assert!(0.0 <= y1 && y1 < y2 && y2 <= HEIGHT as f32);
            }
        }
    }

    #[test]
    fn written_samples_are_pictures_with_names_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let paths = write_samples(&dir.path().join("new"), 3, 3).unwrap();
        assert!(paths.is_sorted());
        assert!(paths[2].ends_with("20240614222000-sample.jpg"));
        for path in paths {
            let picture = image::open(path).unwrap();
            assert_eq!((picture.width(), picture.height()), (WIDTH, HEIGHT));
        }
    }
}
