//! Photographs as a camera writes them: large, with the noise of its sensor, and no two with the same bytes.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::Result;
use image::{RgbImage, codecs::jpeg::JpegEncoder};
use trapline_worker::samples::{SAMPLE_SEED, sample};

pub(super) const WIDTH: u32 = 4_000;
const HEIGHT: u32 = 3_000;
/// Pictures that differ in more than a comment.
const DIFFERENT: usize = 4;
const QUALITY: u8 = 90;
/// The most that a pixel is lighter or darker than it should be.
const NOISE: u32 = 6;
/// `COM` of JPEG, which may follow the first two bytes.
const COMMENT: [u8; 2] = [0xff, 0xfe];

/// So many, in a new folder.
pub(super) fn write(folder: &Path, images: usize) -> Result<Vec<PathBuf>> {
    std::fs::create_dir(folder)?;
    let different = (0..DIFFERENT.min(images))
        .map(|n| photograph(n as u32))
        .collect::<Result<Vec<_>>>()?;
    let mut files = Vec::with_capacity(images);
    for n in 0..images {
        let path = folder.join(format!("{n:05}.jpg"));
        let (start, rest) = different[n % different.len()].split_at(2);
        let comment = format!("photograph {n}");
        let length = u16::try_from(2 + comment.len())?.to_be_bytes();
        let mut file = std::fs::File::create(&path)?;
        for part in [start, &COMMENT, &length, comment.as_bytes(), rest] {
            file.write_all(part)?;
        }
        files.push(path);
    }
    Ok(files)
}

/// A sheet with insects, mirrored at its edges until it is as large.
fn photograph(index: u32) -> Result<Vec<u8>> {
    let tile = sample(SAMPLE_SEED, index).image;
    let mut state = u64::from(index) + SAMPLE_SEED;
    let picture = RgbImage::from_fn(WIDTH, HEIGHT, |x, y| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let lighter = (state >> 33) as u32 % (2 * NOISE + 1);
        let mut pixel = *tile.get_pixel(mirrored(x, tile.width()), mirrored(y, tile.height()));
        for value in &mut pixel.0 {
            *value = (u32::from(*value) + lighter).saturating_sub(NOISE).min(255) as u8;
        }
        pixel
    });
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, QUALITY).encode_image(&picture)?;
    Ok(bytes)
}

/// Back and forth over a length.
const fn mirrored(at: u32, length: u32) -> u32 {
    let at = at % (2 * length);
    if at < length { at } else { 2 * length - 1 - at }
}
