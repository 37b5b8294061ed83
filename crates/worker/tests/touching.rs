//! Insects whose bodies touch, and single ones that must not be cut.

#[path = "support/sheet.rs"]
mod sheet;

use image::{DynamicImage, Rgb, RgbImage};
use trapline_worker::light_sheet::LightSheet;

use sheet::sheet;

const DARK: Rgb<u8> = Rgb([70, 55, 45]);

fn detect(image: RgbImage) -> usize {
    LightSheet::default()
        .detect(&DynamicImage::ImageRgb8(image))
        .len()
}

/// The pixels of an ellipse that is turned by some degrees.
fn draw_body(image: &mut RgbImage, (x, y): (f32, f32), (long, wide): (f32, f32), degrees: f32) {
    let (sin, cos) = degrees.to_radians().sin_cos();
    for (column, row, pixel) in image.enumerate_pixels_mut() {
        let (across, down) = (column as f32 - x, row as f32 - y);
        let (along, aside) = (across * cos + down * sin, down * cos - across * sin);
        if (along / long).powi(2) + (aside / wide).powi(2) <= 1.0 {
            *pixel = DARK;
        }
    }
}

#[test]
fn insects_whose_bodies_touch_are_as_many_as_they_are() {
    let side_by_side = [
        ((400.0, 400.0), (30.0, 18.0), 90.0),
        ((434.0, 400.0), (30.0, 18.0), 90.0),
    ];
    let end_to_end = [
        ((400.0, 400.0), (40.0, 20.0), 0.0),
        ((474.0, 404.0), (38.0, 22.0), 10.0),
    ];
    let crossed = [
        ((400.0, 400.0), (50.0, 16.0), 30.0),
        ((455.0, 375.0), (45.0, 16.0), 110.0),
    ];
    for (name, bodies) in [
        ("side by side", &side_by_side[..]),
        ("end to end", &end_to_end),
        ("crossed", &crossed),
    ] {
        let mut picture = sheet();
        for (at, size, degrees) in bodies {
            draw_body(&mut picture, *at, *size, *degrees);
        }
        assert_eq!(detect(picture), bodies.len(), "{name}");
    }
}

#[test]
fn one_insect_of_one_shape_stays_one() {
    let long = [((400.0, 400.0), (70.0, 15.0), 20.0)];
    let waist = [
        ((400.0, 400.0), (40.0, 22.0), 0.0),
        ((430.0, 400.0), (40.0, 22.0), 0.0),
    ];
    for (name, bodies) in [("long", &long[..]), ("waist", &waist)] {
        let mut picture = sheet();
        for (at, size, degrees) in bodies {
            draw_body(&mut picture, *at, *size, *degrees);
        }
        assert_eq!(detect(picture), 1, "{name}");
    }
}
