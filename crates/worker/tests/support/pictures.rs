//! Small pictures of every format that is read.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use trapline_worker::decode::{DecodeLimits, decode};

pub(crate) fn read(bytes: &[u8]) -> Result<DynamicImage, String> {
    decode(bytes, &DecodeLimits::default()).map(|(image, _)| image)
}

pub(crate) fn written(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).expect("memory takes it");
    bytes.into_inner()
}

/// A picture with something in every block, so that there is no part that could be missing unnoticed.
pub(crate) fn busy() -> DynamicImage {
    DynamicImage::ImageRgb8(RgbImage::from_fn(160, 120, |x, y| {
        Rgb([x * 37 + y * 91, x * x + y * 13, x * 5 + y * y * 7].map(|level| level as u8))
    }))
}

/// Small files of kinds that the `image` crate can't write: name and content.
pub(crate) fn pictures() -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pictures");
    let mut pictures: Vec<_> = std::fs::read_dir(folder)
        .expect("the pictures are there")
        .map(|entry| entry.expect("a file").path())
        .map(|path| (path.clone(), std::fs::read(path).expect("a file")))
        .collect();
    for format in [
        ImageFormat::Jpeg,
        ImageFormat::Png,
        ImageFormat::Tiff,
        ImageFormat::WebP,
        ImageFormat::Bmp,
    ] {
        let name = PathBuf::from(format!("busy.{}", format.extensions_str()[0]));
        pictures.push((name, written(&busy(), format)));
    }
    pictures
}
