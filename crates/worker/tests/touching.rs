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

type Body = ((f32, f32), (f32, f32), f32);

fn found(bodies: &[Body]) -> usize {
    let mut picture = sheet();
    for (at, size, degrees) in bodies {
        draw_body(&mut picture, *at, *size, *degrees);
    }
    detect(picture)
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
    let large_and_small = [
        ((400.0, 400.0), (60.0, 36.0), 20.0),
        ((470.0, 430.0), (20.0, 12.0), 60.0),
    ];
    let beside_a_third = |x: f32, y: f32, degrees: f32| {
        [
            ((400.0, 400.0), (44.0, 26.0), 0.0),
            ((x, y), (26.0, 15.0), degrees),
        ]
    };
    for (name, bodies) in [
        ("side by side", &side_by_side[..]),
        ("end to end", &end_to_end),
        ("crossed", &crossed),
        ("large and small", &large_and_small),
        ("a third as large, aslant", &beside_a_third(430.0, 432.0, 40.0)),
        ("a third as large, below", &beside_a_third(398.0, 440.0, 5.0)),
        (
            "a third as large, at the end",
            &beside_a_third(458.0, 410.0, 80.0),
        ),
    ] {
        assert_eq!(found(bodies), bodies.len(), "{name}");
    }
}

#[test]
fn rows_of_insects_are_no_tools_and_chains_are_parted_too() {
    let upright = |step: usize| ((300.0 + 34.0 * step as f32, 400.0), (30.0, 18.0), 90.0);
    let in_line = |step: usize| ((300.0 + 58.0 * step as f32, 400.0), (30.0, 18.0), 0.0);
    let aslant = |step: usize| {
        let along = step as f32;
        ((300.0 + 30.0 * along, 400.0 + 17.0 * along), (30.0, 18.0), 120.0)
    };
    let corner = [
        ((400.0, 400.0), (30.0, 20.0), 90.0),
        ((400.0, 456.0), (30.0, 20.0), 90.0),
        ((438.0, 460.0), (30.0, 20.0), 90.0),
    ];
    let block = |across: f32, down: f32| {
        [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)].map(|(column, row)| {
            let at = (400.0 + across * column, 400.0 + down * row);
            (at, (30.0, 20.0), 90.0)
        })
    };
    for count in [3, 4, 5] {
        let bodies: Vec<Body> = (0..count).map(upright).collect();
        assert_eq!(found(&bodies), count, "{count} side by side");
    }
    assert_eq!(found(&[0, 1, 2].map(in_line)), 3, "in line");
    assert_eq!(found(&[0, 1, 2].map(aslant)), 3, "aslant");
    assert_eq!(found(&corner), 3, "around a corner");
    for (across, down) in [(38.0, 57.0), (36.0, 58.0), (40.0, 59.0)] {
        assert_eq!(found(&block(across, down)), 4, "two by two, {across} by {down}");
    }
}

#[test]
fn one_insect_of_one_shape_stays_one() {
    let long = [((400.0, 400.0), (70.0, 15.0), 20.0)];
    let waist = [
        ((400.0, 400.0), (40.0, 22.0), 0.0),
        ((430.0, 400.0), (40.0, 22.0), 0.0),
    ];
    let spread = [
        ((400.0, 400.0), (34.0, 8.0), 90.0),
        ((360.0, 392.0), (38.0, 15.0), 15.0),
        ((440.0, 392.0), (38.0, 15.0), -15.0),
    ];
    let butterfly = [
        ((400.0, 400.0), (40.0, 7.0), 90.0),
        ((368.0, 385.0), (34.0, 20.0), 25.0),
        ((432.0, 385.0), (34.0, 20.0), -25.0),
        ((375.0, 425.0), (24.0, 17.0), -30.0),
        ((425.0, 425.0), (24.0, 17.0), 30.0),
    ];
    for (name, bodies) in [
        ("long", &long[..]),
        ("waist", &waist),
        ("spread wings", &spread),
        ("two pairs of wings", &butterfly),
    ] {
        assert_eq!(found(bodies), 1, "{name}");
    }
}
