//! What photographs say about themselves, in the rows of an export; and those that say that there is no sheet.

use std::{collections::HashMap, path::Path};

use trapline_worker::decode::decode;

use super::support::{folder, photograph, ran, rows};

type Row = HashMap<String, String>;

const ORIENTATION: u16 = 0x0112;
const MAKE: u16 = 0x010F;
const MODEL: u16 = 0x0110;
const TIME: u16 = 0x9003;
const OFFSET: u16 = 0x9011;

/// Puts an EXIF block with these texts and this orientation into the JPEG file of a sample.
fn camera(path: &Path, number: u32, orientation: u16, texts: &[(u16, &str)]) {
    photograph(path, number);
    let mut fields: Vec<(u16, u16, Vec<u8>)> = texts
        .iter()
        .map(|(tag, text)| (*tag, 2, [text.as_bytes(), &[0]].concat()))
        .collect();
    fields.push((ORIENTATION, 3, orientation.to_le_bytes().to_vec()));
    fields.sort();
    let directory_end = 8 + 2 + 12 * fields.len() + 4;
    let mut block = [b"II*\0\x08\0\0\0", &(fields.len() as u16).to_le_bytes()[..]].concat();
    let mut values = Vec::new();
    for (tag, kind, mut value) in fields {
        let size = if kind == 2 { 1 } else { 2 };
        block.extend([tag, kind].map(u16::to_le_bytes).concat());
        block.extend((value.len() as u32 / size).to_le_bytes());
        if value.len() <= 4 {
            value.resize(4, 0);
            block.extend(value);
        } else {
            block.extend(((directory_end + values.len()) as u32).to_le_bytes());
            values.extend(value);
        }
    }
    let block = [b"Exif\0\0", &block[..], &[0; 4], &values].concat();
    let length = (block.len() as u16 + 2).to_be_bytes();
    let file = std::fs::read(path).unwrap();
    let (start, rest) = file.split_at(2);
    std::fs::write(path, [start, &[0xFF, 0xE1], &length, &block, rest].concat()).unwrap();
}

/// A picture of these colours.
fn picture(path: &Path, colour: impl Fn(u32, u32) -> [u8; 3]) {
    photograph(path, 1);
    let (canvas, _) = decode(&std::fs::read(path).unwrap(), &Default::default()).unwrap();
    let mut pixels = canvas.into_rgb8();
    for (x, y, pixel) in pixels.enumerate_pixels_mut() {
        pixel.0 = colour(x, y);
    }
    pixels.save(path).unwrap();
}

fn empty_sheet(path: &Path) {
    picture(path, |x, y| [200 + (x / 60) as u8, 205 + (y / 60) as u8, 210]);
}

/// The row of the image with this file name.
fn of<'a>(images: &'a [Row], name: &str) -> &'a Row {
    let is_it = |row: &&Row| Path::new(&row["image_path"]).file_name() == Some(name.as_ref());
    images
        .iter()
        .find(is_it)
        .unwrap_or_else(|| panic!("{name}: {images:?}"))
}

fn columns<'a, const N: usize>(row: &'a Row, names: [&str; N]) -> [&'a str; N] {
    names.map(|name| row[name].as_str())
}

#[test]
fn what_photographs_say_is_in_the_rows_of_images_and_of_detections() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join("night").join(name);
    let time = (TIME, "2024:06:01 22:00:03");
    camera(
        &at("west.jpg"),
        1,
        1,
        &[
            time,
            (OFFSET, "-03:30"),
            (MAKE, "Canon"),
            (MODEL, "Canon EOS 80D"),
        ],
    );
    camera(
        &at("east.jpg"),
        2,
        1,
        &[time, (OFFSET, "+05:45"), (MAKE, "RICOH"), (MODEL, "GR III")],
    );
    camera(&at("local.jpg"), 3, 1, &[time, (MODEL, "PHANTOM 4")]);
    camera(&at("turned.jpg"), 4, 6, &[time]);
    photograph(&at("silent.jpg"), 5);
    ran(dir.path(), &["night", "--export", "june.csv"], 0);
    let images = rows(&dir.path().join("june-images.csv"));
    let names = ["taken_at", "image_width", "image_height", "camera"];
    for (name, expected) in [
        (
            "west.jpg",
            ["2024-06-01T22:00:03-03:30", "1200", "800", "Canon EOS 80D"],
        ),
        (
            "east.jpg",
            ["2024-06-01T22:00:03+05:45", "1200", "800", "RICOH GR III"],
        ),
        ("local.jpg", ["2024-06-01T22:00:03", "1200", "800", "PHANTOM 4"]),
        ("turned.jpg", ["2024-06-01T22:00:03", "800", "1200", ""]),
        ("silent.jpg", ["", "1200", "800", ""]),
    ] {
        assert_eq!(columns(of(&images, name), names), expected, "{name}");
    }
    let detections = rows(&dir.path().join("june.csv"));
    for found in &detections {
        let image = images
            .iter()
            .find(|image| image["image_id"] == found["image_id"])
            .unwrap();
        assert_eq!(columns(found, names), columns(image, names), "{found:?}");
    }
    let counted: usize = images
        .iter()
        .map(|image| image["detections"].parse::<usize>().unwrap())
        .sum();
    assert!(images.iter().all(|image| image["detections"] != "0") && counted == detections.len());
    let turned = detections
        .iter()
        .filter(|found| found["image_path"].ends_with("/turned.jpg"));
    let corners: Vec<_> = turned
        .map(|found| ["x2", "y2"].map(|c| found[c].parse::<f32>().unwrap()))
        .collect();
    assert!(
        corners.iter().all(|[x, y]| *x <= 800.0 && *y <= 1200.0),
        "{corners:?}"
    );
    assert!(
        corners.iter().any(|[_, y]| *y > 800.0),
        "as people see it: {corners:?}"
    );
}

#[test]
fn every_label_of_light_sheet_has_its_meaning_in_a_run() {
    let dir = tempfile::tempdir().unwrap();
    folder(dir.path(), 6, 0);
    ran(
        dir.path(),
        &["photos", "--export", "june.csv", "--export", "june.ndjson"],
        0,
    );
    let detections = rows(&dir.path().join("june.csv"));
    let meanings: HashMap<_, _> = detections
        .iter()
        .map(|row| (row["label"].as_str(), row["label_meaning"].as_str()))
        .collect();
    assert!(meanings.len() >= 3, "{meanings:?}");
    for (label, meaning) in &meanings {
        assert!(
            meaning.ends_with("% of the image's longer side"),
            "{label}: {meaning}"
        );
    }
    let lines = std::fs::read_to_string(dir.path().join("june.ndjson")).unwrap();
    for line in lines.lines() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(
            row["label_meaning"],
            meanings[row["label"].as_str().unwrap()],
            "{line}"
        );
    }
    assert_eq!(lines.lines().count(), detections.len());
}

/// Photographs whose EXIF block, line in a list and name disagree, and what is right.
fn conflicts(dir: &Path) -> [(&'static str, &'static str, [&'static str; 2]); 6] {
    let at = |name: &str| dir.join("night").join(name);
    let time = (TIME, "2024:06:01 22:00:03");
    camera(
        &at("20200101_000001.jpg"),
        1,
        1,
        &[time, (OFFSET, "+02:00"), (MODEL, "Real")],
    );
    camera(&at("20200101_000002.jpg"), 2, 1, &[time, (MODEL, "Real")]);
    camera(&at("20200101_000003.jpg"), 3, 1, &[(TIME, "0000:00:00 00:00:00")]);
    photograph(&at("20200101_000004.jpg"), 4);
    photograph(&at("20200101_000005.jpg"), 5);
    std::fs::write(at("20200101_000006.jpg"), "no picture").unwrap();
    let listed = "2022-02-02T02:02:02-07:00,7,9,Listed";
    [
        (
            "20200101_000001.jpg",
            listed,
            ["2024-06-01T22:00:03+02:00", "Real"],
        ),
        ("20200101_000002.jpg", listed, ["2024-06-01T22:00:03", "Real"]),
        (
            "20200101_000003.jpg",
            listed,
            ["2022-02-02T02:02:02-07:00", "Listed"],
        ),
        (
            "20200101_000004.jpg",
            listed,
            ["2022-02-02T02:02:02-07:00", "Listed"],
        ),
        ("20200101_000005.jpg", ",,,", ["2020-01-01T00:00:05", ""]),
        (
            "20200101_000006.jpg",
            listed,
            ["2022-02-02T02:02:02-07:00", "Listed"],
        ),
    ]
}

#[test]
fn the_photograph_is_right_then_the_list_then_the_name() {
    let dir = tempfile::tempdir().unwrap();
    let conflicts = conflicts(dir.path());
    let lines = conflicts
        .iter()
        .map(|(name, line, _)| format!("night/{name},{line}\n"));
    let list = "path,taken_at,width,height,camera\n".to_owned() + &lines.collect::<String>();
    std::fs::write(dir.path().join("list.csv"), list).unwrap();
    let run = |source: &str, database: &str| {
        let args = [
            source,
            "--database",
            database,
            "--export",
            "june.csv",
            "--overwrite",
        ];
        ran(
            dir.path(),
            &[&args[..], &["--failure-threshold", "1"]].concat(),
            0,
        );
        rows(&dir.path().join("june-images.csv"))
    };
    let images = run("list.csv", "list.db");
    for (name, _, expected) in &conflicts {
        let row = of(&images, name);
        assert_eq!(&columns(row, ["taken_at", "camera"]), expected, "{name}");
        let size = if row["status"] == "failed" {
            ["7", "9"]
        } else {
            ["1200", "800"]
        };
        assert_eq!(columns(row, ["image_width", "image_height"]), size, "{name}");
    }
    // A list that comes when nothing is left to process.
    run("night", "both.db");
    let images = run("list.csv", "both.db");
    for (name, _, expected) in &conflicts[..2] {
        let row = of(&images, name);
        assert_eq!(&columns(row, ["taken_at", "camera"]), expected, "{name}");
        assert_eq!(
            columns(row, ["image_width", "image_height"]),
            ["1200", "800"],
            "{name}"
        );
    }
}

#[test]
fn an_image_without_a_detection_is_a_row_also_if_it_failed_before() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join("night").join(name);
    photograph(&at("1.jpg"), 1);
    empty_sheet(&at("2.jpg"));
    std::fs::write(at("3.jpg"), "no picture").unwrap();
    let args = ["night", "--database", "june.db", "--export", "june.csv"];
    ran(dir.path(), &args, 0);
    let looked_at = |name: &str| {
        let images = rows(&dir.path().join("june-images.csv"));
        assert_eq!(images.len(), 3);
        columns(of(&images, name), ["status", "reason", "detections"]).map(str::to_owned)
    };
    assert_eq!(looked_at("2.jpg"), ["processed", "", "0"]);
    assert_eq!(looked_at("3.jpg"), ["failed", "worker_error", "0"]);
    picture(&at("3.jpg"), |x, _| [190 + (x / 50) as u8; 3]);
    let summary = ran(dir.path(), &args, 0);
    assert_eq!(
        (&summary["counts"]["processed"], &summary["counts"]["detections"]),
        (&1.into(), &0.into())
    );
    assert_eq!(looked_at("3.jpg"), ["processed", "", "0"]);
    ran(dir.path(), &[&args[..], &["--reprocess"]].concat(), 0);
    assert_eq!(looked_at("2.jpg"), ["processed", "", "0"]);
    let detections = rows(&dir.path().join("june.csv"));
    assert!(!detections.is_empty() && detections.iter().all(|row| row["image_path"].ends_with("/1.jpg")));
}

#[test]
fn pictures_without_a_sheet_fail_with_that_reason_and_the_good_ones_do_not() {
    let dir = tempfile::tempdir().unwrap();
    folder(dir.path(), 2, 0);
    let at = |name: &str| dir.path().join("photos").join(name);
    let dice = |x: u32, y: u32| x.wrapping_mul(2_654_435_761).wrapping_add(y.wrapping_mul(40_503)) >> 7;
    picture(&at("black.jpg"), |_, _| [0; 3]);
    picture(&at("dusk.jpg"), |x, y| [(dice(x, y) % 13) as u8; 3]);
    picture(&at("leaves.jpg"), |x, y| {
        let leaf = dice((x + y / 3) / 17, (y + x / 5) / 11);
        let green = 70 + (leaf % 120) as u8;
        [green / 2, green, green / 3]
    });
    picture(&at("noise.jpg"), |x, y| [dice(x / 4, y / 4) as u8; 3]);
    picture(&at("board.jpg"), |x, y| {
        [if (x / 100 + y / 100) % 2 == 0 { 20 } else { 235 }; 3]
    });
    let summary = ran(
        dir.path(),
        &["photos", "--export", "june.csv", "--failure-threshold", "1"],
        0,
    );
    assert_eq!(
        (&summary["counts"]["processed"], &summary["counts"]["failed"]),
        (&2.into(), &5.into())
    );
    let images = rows(&dir.path().join("june-images.csv"));
    let why = "no lit sheet was found in the picture: it is";
    for (name, is) in [
        ("black.jpg", "dark"),
        ("dusk.jpg", "dark"),
        ("leaves.jpg", "not smooth anywhere"),
        ("noise.jpg", "not smooth anywhere"),
        ("board.jpg", "not smooth anywhere"),
    ] {
        let [status, reason, detail, found] =
            columns(of(&images, name), ["status", "reason", "detail", "detections"]);
        assert_eq!((status, reason, found), ("failed", "worker_error", "0"), "{name}");
        assert!(detail.ends_with(&format!("{why} {is}")), "{name}: {detail}");
    }
    assert_eq!(
        images.iter().filter(|row| row["status"] == "processed").count(),
        2
    );
}
