//! The `light-sheet` detector on pictures: drawn ones, the samples, and real photographs if they are there.

#[path = "support/sheet.rs"]
mod sheet;

use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use image::{DynamicImage, Rgb, RgbImage};
use imageproc::drawing::{draw_filled_circle_mut, draw_filled_ellipse_mut, draw_filled_rect_mut};
use imageproc::rect::Rect;
use trapline_worker::light_sheet::{Insect, LightSheet};
use trapline_worker::samples::{SAMPLE_COUNT, SAMPLE_SEED, sample};

use sheet::sheet;

type Box4 = [f32; 4];

const DARK: Rgb<u8> = Rgb([70, 55, 45]);
const BLACK: Rgb<u8> = Rgb([15, 15, 18]);

fn detect(image: RgbImage) -> Vec<Insect> {
    LightSheet::default().detect(&DynamicImage::ImageRgb8(image))
}

fn corners(insect: &Insect) -> Box4 {
    [insect.x1, insect.y1, insect.x2, insect.y2]
}

fn overlap(a: Box4, b: Box4) -> f32 {
    let shared = (a[2].min(b[2]) - a[0].max(b[0])).max(0.0) * (a[3].min(b[3]) - a[1].max(b[1])).max(0.0);
    let area = |c: Box4| (c[2] - c[0]) * (c[3] - c[1]);
    shared / (area(a) + area(b) - shared)
}

/// The boxes that no insect of their own overlaps by at least `least`.
fn unmatched(boxes: &[Box4], found: &[Insect], least: f32) -> Vec<Box4> {
    let mut taken = HashSet::new();
    let mut missed = Vec::new();
    for wanted in boxes {
        let free = found.iter().enumerate().filter(|(at, _)| !taken.contains(at));
        let best = free
            .map(|(at, insect)| (overlap(*wanted, corners(insect)), at))
            .max_by(|a, b| a.0.total_cmp(&b.0));
        match best {
            Some((share, at)) if share >= least => {
                taken.insert(at);
            }
            _ => missed.push(*wanted),
        }
    }
    missed
}

fn draw_rect(image: &mut RgbImage, (x, y): (i32, i32), (width, height): (u32, u32), colour: Rgb<u8>) {
    draw_filled_rect_mut(image, Rect::at(x, y).of_size(width, height), colour);
}

/// A body with two wings, 100 pixels wide, that only touch.
fn draw_moth(image: &mut RgbImage, (x, y): (i32, i32)) {
    draw_filled_ellipse_mut(image, (x, y), 8, 34, DARK);
    draw_filled_ellipse_mut(image, (x - 29, y), 22, 14, DARK);
    draw_filled_ellipse_mut(image, (x + 29, y), 22, 14, DARK);
}

#[test]
fn every_sample_insect_is_found_and_nothing_else() {
    for index in 0..SAMPLE_COUNT {
        let sample = sample(SAMPLE_SEED, index);
        let found = detect(sample.image);
        assert_eq!(
            unmatched(&sample.insects, &found, 0.4),
            Vec::<Box4>::new(),
            "sample {index}"
        );
        assert_eq!(found.len(), sample.insects.len(), "sample {index}");
    }
}

#[test]
fn the_same_picture_gives_the_same_insects_in_reading_order() {
    let picture = sample(SAMPLE_SEED, 1).image;
    let found = detect(picture.clone());
    assert!(found.len() > 1);
    assert!(found.is_sorted_by(|a, b| (a.y1, a.x1) <= (b.y1, b.x1)));
    assert_eq!(found, detect(picture));
}

#[test]
fn uneven_light_without_insects_gives_nothing() {
    let slanted = RgbImage::from_fn(1500, 900, |x, y| {
        let light = 120.0 + 0.08 * x as f32 - 0.03 * y as f32;
        Rgb([
            light as u8,
            (light * 0.97) as u8,
            (light * 0.9 + 0.01 * y as f32) as u8,
        ])
    });
    assert_eq!(detect(slanted), []);
    assert_eq!(detect(sheet()), []);
}

#[test]
fn pictures_that_hold_nothing_give_nothing() {
    for (width, height) in [
        (1, 1),
        (3, 2),
        (64, 1),
        (1, 2000),
        (63, 63),
        (800, 600),
        (2000, 1500),
    ] {
        for level in [0, 128, 255] {
            let blank = RgbImage::from_pixel(width, height, Rgb([level; 3]));
            assert_eq!(detect(blank), [], "{width} by {height} of {level}");
        }
    }
    assert_eq!(
        LightSheet::default().detect(&DynamicImage::new_rgba16(700, 500)),
        []
    );
}

#[test]
fn boxes_stay_within_the_picture_when_an_insect_is_cut_off() {
    let mut picture = sheet();
    draw_moth(&mut picture, (1190, 10));
    draw_moth(&mut picture, (10, 790));
    let found = detect(picture);
    assert_eq!(found.len(), 2);
    for insect in found {
        assert!(0.0 <= insect.x1 && insect.x1 < insect.x2 && insect.x2 <= 1200.0);
        assert!(0.0 <= insect.y1 && insect.y1 < insect.y2 && insect.y2 <= 800.0);
        assert!(insect.score > 0.0 && insect.score < 1.0);
    }
}

#[test]
fn a_scale_bar_is_not_an_insect() {
    let mut picture = sheet();
    draw_rect(&mut picture, (400, 300), (24, 40), Rgb([140, 140, 150]));
    draw_rect(&mut picture, (576, 300), (24, 40), Rgb([140, 140, 150]));
    for step in 0..19 {
        draw_rect(
            &mut picture,
            (426 + step * 8, 304 + (step % 2) * 14),
            (8, 14),
            BLACK,
        );
    }
    draw_rect(&mut picture, (300, 600), (260, 26), BLACK);
    draw_moth(&mut picture, (900, 300));
    let found = detect(picture);
    assert_eq!(
        unmatched(&[[848.0, 265.0, 952.0, 335.0]], &found, 0.7),
        Vec::<Box4>::new()
    );
    assert_eq!(found.len(), 1);
}

#[test]
fn screw_heads_are_not_insects_whole_or_cut_off_by_the_edge() {
    let mut picture = sheet();
    for centre in [(300, 300), (800, 200), (500, 795), (3, 400)] {
        draw_filled_circle_mut(&mut picture, centre, 17, BLACK);
        draw_filled_circle_mut(&mut picture, centre, 4, Rgb([190, 190, 195]));
    }
    assert_eq!(detect(picture), []);
}

#[test]
fn a_strip_of_frame_at_the_edge_is_not_an_insect() {
    let mut picture = sheet();
    draw_rect(&mut picture, (1188, 200), (12, 300), BLACK);
    draw_rect(&mut picture, (100, 792), (700, 8), BLACK);
    assert_eq!(detect(picture), []);
}

#[test]
fn parts_of_one_insect_with_a_thin_gap_between_them_are_one() {
    let mut picture = sheet();
    draw_filled_ellipse_mut(&mut picture, (600, 400), 8, 34, DARK);
    draw_filled_ellipse_mut(&mut picture, (571, 400), 18, 14, DARK);
    draw_filled_ellipse_mut(&mut picture, (629, 400), 18, 14, DARK);
    let found = detect(picture);
    assert_eq!(found.len(), 1);
    assert!(overlap(corners(&found[0]), [553.0, 366.0, 648.0, 435.0]) > 0.85);
}

#[test]
fn two_insects_stay_two_whether_apart_or_joined_by_a_leg() {
    let mut picture = sheet();
    draw_moth(&mut picture, (400, 300));
    draw_moth(&mut picture, (516, 300));
    draw_moth(&mut picture, (400, 600));
    draw_moth(&mut picture, (530, 600));
    draw_rect(&mut picture, (445, 599), (40, 2), DARK);
    assert_eq!(detect(picture).len(), 4);
}

#[test]
fn pale_and_coloured_insects_are_found_as_well_as_dark_ones() {
    let colours = [Rgb([150, 205, 110]), Rgb([235, 205, 120]), Rgb([190, 190, 188])];
    for colour in colours {
        let mut picture = sheet();
        draw_filled_ellipse_mut(&mut picture, (500, 400), 50, 26, colour);
        draw_filled_ellipse_mut(&mut picture, (500, 420), 10, 34, colour);
        assert_eq!(detect(picture).len(), 1, "{colour:?}");
    }
}

/// What a person sees on a photograph, in its pixels, each box drawn by hand to within some ten pixels.
struct Photograph {
    name: &'static str,
    /// Every large insect. Where one covers another, the box is around both.
    insects: &'static [Box4],
    /// Scale bars, screws, frames and stains.
    not_insects: &'static [Box4],
    /// How many insects may be found in all: the large ones, and small ones that some would count.
    found: RangeInclusive<usize>,
}

/// The folder of the photographs, which are not part of the project; none if it is not there.
fn photographs() -> Option<PathBuf> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/moths");
    let folder = std::env::var_os("TRAPLINE_TEST_MOTHS").map_or_else(beside, PathBuf::from);
    folder.is_dir().then_some(folder)
}

#[test]
#[expect(
    clippy::print_stderr,
    reason = "who runs the tests should know that this one saw nothing"
)]
fn large_insects_on_photographs_are_found_and_tools_are_not() {
    let Some(folder) = photographs() else {
        eprintln!("the photographs are not there: set TRAPLINE_TEST_MOTHS to their folder");
        return;
    };
    for photograph in PHOTOGRAPHS {
        let name = photograph.name;
        let found = LightSheet::default().detect(&image::open(folder.join(name)).unwrap());
        assert_eq!(
            unmatched(photograph.insects, &found, 0.3),
            Vec::<Box4>::new(),
            "missed on {name}"
        );
        assert!(
            photograph.found.contains(&found.len()),
            "{} found on {name}",
            found.len()
        );
        for insect in &found {
            let (x, y) = ((insect.x1 + insect.x2) / 2.0, (insect.y1 + insect.y2) / 2.0);
            let within = |tool: &&Box4| (tool[0]..tool[2]).contains(&x) && (tool[1]..tool[3]).contains(&y);
            assert_eq!(
                photograph.not_insects.iter().find(within),
                None,
                "{insect:?} on {name}"
            );
        }
    }
}

const PHOTOGRAPHS: &[Photograph] = &[
    Photograph {
        name: "01-20231110214539-snapshot.jpg",
        insects: &[
            [176.0, 0.0, 325.0, 103.0],
            [393.0, 0.0, 753.0, 157.0],
            [87.0, 141.0, 406.0, 452.0],
            [1392.0, 358.0, 1539.0, 572.0],
            [1655.0, 366.0, 1761.0, 455.0],
            [2043.0, 393.0, 2324.0, 517.0],
            [3050.0, 73.0, 3156.0, 163.0],
            [2793.0, 490.0, 2934.0, 628.0],
            [2844.0, 637.0, 3148.0, 780.0],
            [3099.0, 750.0, 3497.0, 956.0],
            [3254.0, 962.0, 3676.0, 1208.0],
            [3530.0, 1192.0, 4069.0, 1487.0],
            [2013.0, 1016.0, 2316.0, 1162.0],
            [455.0, 954.0, 563.0, 1059.0],
            [103.0, 1281.0, 333.0, 1422.0],
            [710.0, 1178.0, 821.0, 1308.0],
            [637.0, 1327.0, 1051.0, 1563.0],
            [173.0, 1495.0, 306.0, 1666.0],
            [653.0, 1560.0, 761.0, 1652.0],
            [726.0, 1625.0, 956.0, 1883.0],
            [1471.0, 1360.0, 1736.0, 1490.0],
            [2297.0, 1411.0, 2582.0, 1571.0],
            [1983.0, 1774.0, 2113.0, 1940.0],
            [1707.0, 1869.0, 2089.0, 2140.0],
            [2300.0, 1861.0, 2392.0, 1964.0],
            [2579.0, 1972.0, 2834.0, 2160.0],
            [3665.0, 1777.0, 3909.0, 1913.0],
            [520.0, 1932.0, 623.0, 2159.0],
        ],
        not_insects: &[],
        found: 35..=48,
    },
    Photograph {
        name: "20220622000459-108-snapshot.jpg",
        insects: &[
            [637.0, 899.0, 1181.0, 1157.0],
            [1869.0, 536.0, 2005.0, 834.0],
            [1888.0, 1514.0, 2170.0, 1755.0],
            [2666.0, 1468.0, 2831.0, 1663.0],
            [1075.0, 1612.0, 1262.0, 1818.0],
            [3300.0, 255.0, 3449.0, 528.0],
            [3459.0, 0.0, 3587.0, 114.0],
            [3801.0, 1127.0, 3877.0, 1235.0],
            [3508.0, 1699.0, 3581.0, 1820.0],
            [2186.0, 1845.0, 2747.0, 2160.0],
            [2796.0, 1950.0, 3034.0, 2160.0],
            [601.0, 2032.0, 726.0, 2160.0],
            [135.0, 2045.0, 255.0, 2160.0],
            [3259.0, 60.0, 3302.0, 146.0],
            [3115.0, 339.0, 3183.0, 439.0],
        ],
        not_insects: &[[1655.0, 856.0, 2032.0, 959.0], [4074.0, 509.0, 4096.0, 666.0]],
        found: 15..=24,
    },
    Photograph {
        name: "20220623043000-215-snapshot.jpg",
        insects: &[
            [3741.0, 16.0, 3893.0, 390.0],
            [2270.0, 536.0, 2444.0, 821.0],
            [0.0, 1317.0, 962.0, 2160.0],
            [1168.0, 2005.0, 1241.0, 2146.0],
            [3459.0, 1620.0, 3511.0, 1715.0],
            [1013.0, 1094.0, 1108.0, 1135.0],
            [2511.0, 864.0, 2552.0, 956.0],
            [1024.0, 542.0, 1192.0, 731.0],
        ],
        not_insects: &[[1655.0, 856.0, 2032.0, 959.0], [4074.0, 509.0, 4096.0, 840.0]],
        found: 10..=22,
    },
    Photograph {
        name: "20220728232239-00-69.jpg",
        insects: &[
            [818.0, 723.0, 975.0, 975.0],
            [1577.0, 425.0, 1755.0, 593.0],
            [1373.0, 826.0, 1699.0, 1029.0],
            [2617.0, 677.0, 2823.0, 994.0],
            [1688.0, 1493.0, 1769.0, 1620.0],
            [745.0, 1593.0, 845.0, 1709.0],
            [683.0, 1368.0, 742.0, 1498.0],
            [2137.0, 249.0, 2175.0, 371.0],
            [534.0, 33.0, 582.0, 130.0],
        ],
        not_insects: &[],
        found: 10..=21,
    },
    Photograph {
        name: "20220728232445-00-71.jpg",
        insects: &[
            [856.0, 528.0, 1103.0, 723.0],
            [1577.0, 425.0, 1755.0, 593.0],
            [1373.0, 826.0, 1699.0, 1029.0],
            [2620.0, 677.0, 2823.0, 994.0],
            [1688.0, 1493.0, 1769.0, 1620.0],
            [745.0, 1593.0, 851.0, 1709.0],
            [683.0, 1368.0, 742.0, 1498.0],
            [2137.0, 249.0, 2175.0, 371.0],
            [783.0, 837.0, 848.0, 913.0],
            [534.0, 43.0, 582.0, 135.0],
        ],
        not_insects: &[],
        found: 11..=22,
    },
    Photograph {
        name: "20220810232637-00-16.jpg",
        insects: &[[1611.0, 1005.0, 1975.0, 1234.0], [1031.0, 1472.0, 1118.0, 1522.0]],
        not_insects: &[[2440.0, 1393.0, 2637.0, 1688.0]],
        found: 2..=4,
    },
    Photograph {
        name: "20220811005907-00-78.jpg",
        insects: &[
            [957.0, 1179.0, 1337.0, 1598.0],
            [752.0, 1962.0, 923.0, 2131.0],
            [219.0, 496.0, 258.0, 641.0],
            [345.0, 475.0, 398.0, 585.0],
            [2234.0, 111.0, 2287.0, 206.0],
            [2131.0, 1319.0, 2210.0, 1435.0],
            [0.0, 1055.0, 87.0, 1160.0],
        ],
        not_insects: &[[2440.0, 1503.0, 2637.0, 1688.0]],
        found: 10..=17,
    },
    Photograph {
        name: "84-20220916202959-snapshot.jpg",
        insects: &[
            [788.0, 607.0, 875.0, 759.0],
            [753.0, 1040.0, 870.0, 1214.0],
            [2316.0, 886.0, 2419.0, 1019.0],
            [1929.0, 1428.0, 2018.0, 1615.0],
            [910.0, 1644.0, 1008.0, 1783.0],
        ],
        not_insects: &[
            [1092.0, 726.0, 1192.0, 826.0],
            [634.0, 886.0, 745.0, 1000.0],
            [2985.0, 726.0, 3086.0, 826.0],
            [3432.0, 883.0, 3543.0, 1000.0],
            [1084.0, 2099.0, 1195.0, 2160.0],
            [2991.0, 2099.0, 3105.0, 2160.0],
        ],
        found: 7..=11,
    },
];
