//! Files that can't be wholly read are not processed; whole ones are, in whatever format and depth.

#[path = "support/pictures.rs"]
mod pictures;

use std::path::Path;

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageBuffer, ImageEncoder, ImageFormat, Luma, Rgb, RgbImage, RgbaImage};
use pictures::{busy, pictures, read, written};
use trapline_worker::decode::{DecodeLimits, decode};
use trapline_worker::light_sheet::{Insect, LightSheet};
use trapline_worker::samples::{SAMPLE_SEED, sample};

fn is_jpeg(path: &Path) -> bool {
    path.extension().is_some_and(|ext| ext == "jpg")
}

#[test]
fn a_whole_file_is_read_and_so_is_one_with_something_behind_its_end() {
    let preview = written(&busy(), ImageFormat::Jpeg);
    for (name, file) in pictures() {
        let whole = read(&file);
        assert!(whole.is_ok(), "{name:?} was not read");
        for behind in [b"\0\0maker's notes".as_slice(), &preview] {
            let read = read(&[&file, behind].concat());
            assert!(
                read == whole,
                "{name:?} with something behind it is another picture"
            );
        }
    }
}

#[test]
fn a_file_that_is_cut_anywhere_is_refused() {
    for (name, file) in pictures() {
        for share in 1..20 {
            let cut = &file[..file.len() * share / 20];
            assert!(read(cut).is_err(), "{name:?} cut at {share}/20 was read");
        }
        // Of a TIFF the last bytes are its directory's, of the others the end marker or pixels.
        assert!(
            read(&file[..file.len() - 1]).is_err(),
            "{name:?} less its last byte"
        );
    }
}

#[test]
fn half_a_jpeg_followed_by_another_or_by_an_end_is_refused() {
    let other = written(&busy().rotate180().brighten(20), ImageFormat::Jpeg);
    for (name, file) in pictures().iter().filter(|(name, _)| is_jpeg(name)) {
        let half = &file[..file.len() / 2];
        for (what, behind) in [
            ("another", other.as_slice()),
            ("half of another", &other[other.len() / 2..]),
            ("an end", &[0xFF, 0xD9]),
        ] {
            let stitched = [half, behind].concat();
            assert!(read(&stitched).is_err(), "half of {name:?} and {what} was read");
        }
    }
}

#[test]
fn a_gap_in_the_middle_of_a_jpeg_is_noticed() {
    let file = written(&busy(), ImageFormat::Jpeg);
    let damaged = "broken image: a part of the picture is missing or damaged";
    for (at, length) in [(0.3, 2_048), (0.5, 1_024), (0.7, 4_096)] {
        let from = (file.len() as f64 * at) as usize;
        let gap = [&file[..from], &file[from + length..]].concat();
        assert_eq!(read(&gap).err().as_deref(), Some(damaged), "{length} at {at}");
    }
    let half = file.len() / 2;
    let zeros = [&file[..half], &[0; 2_000], &file[half + 2_000..]].concat();
    assert_eq!(read(&zeros).err().as_deref(), Some(damaged));
}

#[test]
fn damage_in_the_middle_of_a_progressive_jpeg_is_noticed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pictures");
    for name in ["progressive-busy.jpg", "progressive-restarts.jpg"] {
        let file = std::fs::read(folder.join(name)).expect("the picture is there");
        for share in [0.3, 0.5, 0.7, 0.9] {
            let at = (file.len() as f64 * share) as usize;
            for (what, middle) in [("a gap", &[][..]), ("zeros", &[0; 200]), ("ones", &[0x7F; 200])] {
                let damaged = [&file[..at], middle, &file[at + 200..]].concat();
                assert!(read(&damaged).is_err(), "{what} in {name} at {share} was read");
            }
        }
    }
}

fn insects(image: &DynamicImage, format: ImageFormat) -> Vec<Insect> {
    let image = read(&written(image, format)).expect("a whole picture");
    LightSheet::default().detect(&image)
}

#[test]
fn sixteen_bits_find_what_eight_bits_find() {
    for index in 0..3 {
        let picture = DynamicImage::ImageRgb8(sample(SAMPLE_SEED, index).image);
        let expected = insects(&picture, ImageFormat::Png);
        assert!(!expected.is_empty());
        let deep = DynamicImage::ImageRgb16(picture.to_rgb16());
        for format in [ImageFormat::Png, ImageFormat::Tiff] {
            assert_eq!(insects(&deep, format), expected, "{format:?} of sample {index}");
        }
        // Of a camera that only shifts its eight bits up.
        let grey = picture.to_luma8();
        let shifted: ImageBuffer<Luma<u16>, Vec<u16>> =
            ImageBuffer::from_fn(grey.width(), grey.height(), |x, y| {
                Luma([u16::from(grey.get_pixel(x, y).0[0]) << 8])
            });
        assert_eq!(
            insects(&DynamicImage::ImageLuma16(shifted), ImageFormat::Png),
            insects(&DynamicImage::ImageLuma8(grey), ImageFormat::Png),
            "grey of sample {index}"
        );
    }
}

#[test]
fn what_is_transparent_is_white() {
    let picture = sample(SAMPLE_SEED, 0).image;
    let clear = RgbaImage::from_fn(picture.width(), picture.height(), |x, y| {
        let [red, green, blue] = picture.get_pixel(x, y).0;
        image::Rgba(if x < 300 {
            [0, 0, 0, 0]
        } else {
            [red, green, blue, 255]
        })
    });
    let white = RgbImage::from_fn(picture.width(), picture.height(), |x, y| {
        if x < 300 {
            Rgb([255; 3])
        } else {
            *picture.get_pixel(x, y)
        }
    });
    let read = read(&written(&clear.into(), ImageFormat::Png)).expect("a whole picture");
    assert_eq!(read, DynamicImage::ImageRgb8(white));
}

/// An EXIF block that holds an orientation and nothing else.
fn orientation(number: u8) -> Vec<u8> {
    [
        b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".as_slice(),
        &[number, 0, 0, 0, 0, 0, 0],
    ]
    .concat()
}

#[test]
fn boxes_are_where_people_see_the_insects_whatever_the_orientation() {
    let seen = DynamicImage::ImageRgb8(sample(SAMPLE_SEED, 1).image);
    let expected = LightSheet::default().detect(&seen);
    let size = (seen.width(), seen.height());
    for (number, stored) in [
        (1, seen.clone()),
        (2, seen.fliph()),
        (3, seen.rotate180()),
        (4, seen.flipv()),
        (5, seen.rotate90().fliph()),
        (6, seen.rotate270()),
        (7, seen.rotate270().fliph()),
        (8, seen.rotate90()),
    ] {
        let mut file = Vec::new();
        let mut encoder = JpegEncoder::new_with_quality(&mut file, 100);
        encoder
            .set_exif_metadata(orientation(number))
            .expect("JPEG has it");
        stored.write_with_encoder(encoder).expect("memory takes it");
        let (image, photograph) = decode(&file, &DecodeLimits::default()).expect("a whole picture");
        assert_eq!(photograph.orientation, number);
        assert_eq!(
            (photograph.width, photograph.height),
            (Some(size.0), Some(size.1))
        );
        let found = LightSheet::default().detect(&image);
        assert_eq!(found.len(), expected.len(), "orientation {number}");
        for (insect, expected) in found.iter().zip(&expected) {
            let apart = (insect.x1 - expected.x1).abs() + (insect.y2 - expected.y2).abs();
            assert!(apart < 6.0, "orientation {number}: {insect:?} is {expected:?}");
        }
    }
}

#[test]
fn a_heic_of_a_turned_telephone_is_read_as_people_see_it() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pictures/turned.heic");
    let file = std::fs::read(path).expect("the picture is there");
    let (image, photograph) = decode(&file, &DecodeLimits::default()).expect("a whole picture");
    assert_eq!((photograph.width, photograph.height), (Some(64), Some(96)));
    assert_eq!(photograph.camera.as_deref(), Some("Apple iPhone 15"));
    assert_eq!(
        photograph
            .taken_at
            .map(|taken| (taken.local.to_string(), taken.offset_minutes)),
        Some(("2024-06-23T05:00:07".to_owned(), Some(120)))
    );
    let image = image.to_rgb8();
    for ((x, y), expected) in [
        ((5, 5), [220, 30, 30]),
        ((58, 5), [220, 30, 30]),
        ((5, 90), [40, 40, 220]),
        ((58, 90), [30, 200, 40]),
    ] {
        let found = image.get_pixel(x, y).0;
        let apart: u32 = found
            .iter()
            .zip(expected)
            .map(|(a, b)| u32::from(a.abs_diff(b)))
            .sum();
        assert!(apart < 12, "{x} {y}: {found:?} is {expected:?}");
    }
}
