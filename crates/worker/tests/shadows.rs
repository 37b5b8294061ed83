//! The `light-sheet` detector on pictures with soft shadows, and on pictures without a sheet.

use image::{DynamicImage, Rgb, RgbImage};
use imageproc::drawing::{draw_filled_ellipse_mut, draw_filled_rect_mut};
use imageproc::rect::Rect;
use trapline_worker::light_sheet::{LightSheet, NoSheet};
use trapline_worker::samples::{SAMPLE_COUNT, SAMPLE_SEED, sample};

const DARK: Rgb<u8> = Rgb([60, 50, 42]);

/// A pale sheet, brightest in the middle, with a round shadow that fades over a distance like its own radius.
fn shaded(radius: f32, depth: f32) -> RgbImage {
    RgbImage::from_fn(1200, 800, |x, y| {
        let (across, down) = (x as f32 - 600.0, y as f32 - 400.0);
        let light = 238.0 - 45.0 * (across.powi(2) + down.powi(2)) / 360_000.0;
        let grain = ((x * 7 + y * 13) % 4) as f32;
        let shadow = depth * (-(across.powi(2) + down.powi(2)) / radius.powi(2)).exp();
        Rgb([(light - shadow + grain) as u8; 3])
    })
}

fn found(picture: RgbImage) -> Vec<(f32, f32)> {
    let insects = LightSheet::default()
        .look(&DynamicImage::ImageRgb8(picture))
        .expect("there is a sheet");
    insects
        .iter()
        .map(|insect| ((insect.x1 + insect.x2) / 2.0, (insect.y1 + insect.y2) / 2.0))
        .collect()
}

#[test]
fn a_soft_shadow_is_no_insect_however_large_or_dark() {
    for (radius, depth) in [
        (40.0, 50.0),
        (60.0, 70.0),
        (90.0, 90.0),
        (140.0, 60.0),
        (200.0, 100.0),
    ] {
        assert_eq!(found(shaded(radius, depth)), [], "radius {radius}, depth {depth}");
    }
}

#[test]
fn insects_inside_a_soft_shadow_are_found_each_for_itself() {
    for (radius, depth) in [(90.0, 60.0), (140.0, 80.0), (200.0, 60.0)] {
        let mut picture = shaded(radius, depth);
        let places = [(600, 400), (560, 430), (645, 370), (200, 150)];
        for place in places {
            draw_filled_ellipse_mut(&mut picture, place, 12, 6, DARK);
        }
        let found = found(picture);
        assert_eq!(found.len(), places.len(), "radius {radius}, depth {depth}");
        for (x, y) in places {
            let near = |at: &&(f32, f32)| (at.0 - x as f32).hypot(at.1 - y as f32) < 4.0;
            assert!(found.iter().any(|at| near(&at)), "{x} {y} in {found:?}");
        }
    }
}

#[test]
fn an_insect_of_one_colour_is_no_shadow_however_large() {
    for (across, down) in [(30, 12), (80, 50), (220, 140)] {
        let mut picture = shaded(100.0, 0.0);
        draw_filled_ellipse_mut(&mut picture, (600, 400), across, down, DARK);
        assert_eq!(found(picture).len(), 1, "{across} by {down}");
    }
}

fn look(picture: RgbImage) -> Result<usize, NoSheet> {
    LightSheet::default()
        .look(&DynamicImage::ImageRgb8(picture))
        .map(|insects| insects.len())
}

#[test]
fn a_dark_picture_has_no_sheet() {
    let night = |x: u32, y: u32| ((x * 31 + y * 17) % 13) as u8;
    assert_eq!(look(RgbImage::new(900, 600)), Err(NoSheet::Dark));
    assert_eq!(
        look(RgbImage::from_fn(900, 600, |x, y| Rgb([night(x, y); 3]))),
        Err(NoSheet::Dark)
    );
    let mut lamp = RgbImage::from_pixel(900, 600, Rgb([9, 9, 12]));
    draw_filled_ellipse_mut(&mut lamp, (450, 300), 60, 60, Rgb([255, 255, 250]));
    assert_eq!(look(lamp), Err(NoSheet::Dark));
}

#[test]
fn a_picture_of_something_else_has_no_sheet() {
    let mut leaves = RgbImage::from_pixel(1200, 800, Rgb([40, 60, 30]));
    let mut board = RgbImage::from_pixel(1200, 800, Rgb([235; 3]));
    for n in 0..4_000_i32 {
        let place = ((n * 7_919) % 1200, (n * 104_729 / 7) % 800);
        let green = (70 + (n * 37) % 120) as u8;
        let colour = Rgb([green / 2, green, green / 3]);
        draw_filled_ellipse_mut(&mut leaves, place, 10 + n % 50, 6 + n % 23, colour);
    }
    for n in 0..96 {
        let (column, row) = (n % 12, n / 12);
        if (column + row) % 2 == 0 {
            let square = Rect::at(column * 100, row * 100).of_size(100, 100);
            draw_filled_rect_mut(&mut board, square, Rgb([20; 3]));
        }
    }
    let static_noise = RgbImage::from_fn(900, 600, |x, y| {
        Rgb([(x.wrapping_mul(2_654_435_761).wrapping_add(y.wrapping_mul(40_503)) >> 7) as u8; 3])
    });
    for (name, picture) in [("leaves", leaves), ("board", board), ("noise", static_noise)] {
        assert_eq!(look(picture), Err(NoSheet::Rough), "{name}");
    }
}

#[test]
fn a_sheet_is_a_sheet_whether_empty_dim_or_crowded() {
    assert_eq!(look(shaded(100.0, 0.0)), Ok(0));
    let dim = RgbImage::from_fn(1200, 800, |x, _| Rgb([60 + (x / 60) as u8; 3]));
    assert_eq!(look(dim), Ok(0));
    let mut crowded = shaded(100.0, 0.0);
    for n in 0..96 {
        let place = (50 + n % 12 * 100, 50 + n / 12 * 100);
        draw_filled_ellipse_mut(&mut crowded, place, 36, 22, DARK);
    }
    assert_eq!(look(crowded), Ok(96));
    for index in 0..SAMPLE_COUNT {
        assert!(look(sample(SAMPLE_SEED, index).image).is_ok(), "sample {index}");
    }
}
