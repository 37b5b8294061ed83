use std::io::Cursor;

use ::exif::experimental::Writer;
use ::exif::{Context, Field, In, Tag, Value};
use image::codecs::{jpeg::JpegEncoder, png::PngEncoder, webp::WebPEncoder};
use image::{ExtendedColorType, ImageEncoder};
use jiff::civil;

use super::*;

fn field(tag: Tag, value: Value) -> Field {
    Field {
        tag,
        ifd_num: In::PRIMARY,
        value,
    }
}

fn text(tag: Tag, text: &str) -> Field {
    field(tag, Value::Ascii(vec![text.as_bytes().to_vec()]))
}

fn block(fields: &[Field]) -> Vec<u8> {
    let mut writer = Writer::new();
    for field in fields {
        writer.push_field(field);
    }
    let mut block = Cursor::new(Vec::new());
    writer.write(&mut block, false).unwrap();
    block.into_inner()
}

/// A picture of 6 by 4 pixels with an EXIF block.
fn write(mut encoder: impl ImageEncoder, block: Vec<u8>) {
    encoder.set_exif_metadata(block).unwrap();
    encoder
        .write_image(&[200; 72], 6, 4, ExtendedColorType::Rgb8)
        .unwrap();
}

fn jpeg(block: Vec<u8>) -> Vec<u8> {
    let mut file = Vec::new();
    write(JpegEncoder::new(&mut file), block);
    file
}

fn png(block: Vec<u8>) -> Vec<u8> {
    let mut file = Vec::new();
    write(PngEncoder::new(&mut file), block);
    file
}

fn webp(block: Vec<u8>) -> Vec<u8> {
    let mut file = Vec::new();
    write(WebPEncoder::new_lossless(&mut file), block);
    file
}

/// What a camera of a moth trap writes.
fn fields() -> Vec<Field> {
    vec![
        text(Tag::Make, "Canon\0\0"),
        text(Tag::Model, "Canon EOS 80D "),
        field(Tag::Orientation, Value::Short(vec![6])),
        text(Tag::DateTime, "2025:01:01 00:00:00"),
        text(Tag::DateTimeOriginal, "2024:06:23 05:00:07"),
        text(Tag::OffsetTimeOriginal, "+02:00"),
        text(Tag::SubSecTimeOriginal, "42"),
    ]
}

fn expected() -> Photograph {
    Photograph {
        taken_at: Some(TakenAt {
            local: civil::datetime(2024, 6, 23, 5, 0, 7, 0),
            offset_minutes: Some(120),
        }),
        camera: Some("Canon EOS 80D".to_owned()),
        width: Some(4),
        height: Some(6),
        orientation: 6,
    }
}

#[test]
fn a_photograph_tells_time_camera_and_its_size_as_people_see_it_in_every_container() {
    let block = block(&fields());
    for (name, file) in [
        ("JPEG", jpeg(block.clone())),
        ("PNG", png(block.clone())),
        ("WebP", webp(block.clone())),
    ] {
        assert_eq!(Photograph::of(&file), expected(), "{name}");
    }
    // A block is a TIFF file without pixels.
    let tiff = Photograph::of(&block);
    assert_eq!(
        (tiff.taken_at, tiff.camera),
        (expected().taken_at, expected().camera)
    );
}

#[test]
fn a_webp_block_with_the_prefix_of_jpeg_is_read() {
    let prefixed = [b"Exif\0\0".as_slice(), &block(&fields())].concat();
    assert_eq!(Photograph::of(&webp(prefixed)), expected());
}

#[test]
fn the_head_of_a_jpeg_tells_as_much_as_the_file() {
    let file = jpeg(block(&fields()));
    let scan = file.windows(2).position(|pair| pair == [0xFF, 0xDA]).unwrap();
    assert_eq!(Photograph::of(&file[..scan + 15]), expected());
}

#[test]
fn a_time_without_an_offset_is_plainly_local() {
    let block = block(&[text(Tag::DateTimeOriginal, "2024:06:23 05:00:07")]);
    let taken = Photograph::of(&jpeg(block)).taken_at.unwrap();
    assert_eq!(taken.offset_minutes, None);
}

#[test]
fn the_times_of_digitising_and_changing_stand_in_for_a_missing_or_unset_one() {
    let unset = text(Tag::DateTimeOriginal, "0000:00:00 00:00:00");
    let changed = text(Tag::DateTime, "2024:06:23 05:00:07");
    let taken = Photograph::of(&jpeg(block(&[unset.clone(), changed]))).taken_at;
    assert_eq!(
        taken.map(|taken| taken.local),
        Some(civil::datetime(2024, 6, 23, 5, 0, 7, 0))
    );
    assert_eq!(Photograph::of(&jpeg(block(&[unset]))).taken_at, None);
}

#[test]
fn tags_in_the_directory_where_they_do_not_belong_are_read() {
    let misplaced = |tag: Tag| Tag(Context::Tiff, tag.number());
    let block = block(&[
        text(misplaced(Tag::DateTimeOriginal), "2024:06:23 05:00:07"),
        text(misplaced(Tag::OffsetTimeOriginal), "+02:00"),
    ]);
    assert_eq!(Photograph::of(&jpeg(block)).taken_at, expected().taken_at);
}

#[test]
fn a_damaged_block_costs_no_more_than_itself() {
    let whole = block(&fields());
    for length in 0..whole.len() {
        let photograph = Photograph::of(&jpeg(whole[..length].to_vec()));
        let sides = (photograph.width, photograph.height);
        assert!(
            [(Some(6), Some(4)), (Some(4), Some(6))].contains(&sides),
            "{length}: {sides:?}"
        );
    }
    let nonsense = block(&[field(Tag::Orientation, Value::Short(vec![9]))]);
    assert_eq!(Photograph::of(&jpeg(nonsense)).orientation, 1);
}

#[test]
fn what_is_no_image_says_nothing() {
    for bytes in [b"".as_slice(), b"GIF89a", b"\xFF\xD8\xFF", b"II*\0"] {
        let photograph = Photograph::of(bytes);
        assert_eq!((photograph.taken_at, photograph.width), (None, None), "{bytes:?}");
    }
}
