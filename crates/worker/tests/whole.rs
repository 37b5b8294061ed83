//! Files whose sizes contradict each other or the file: such a file is not whole.

#[path = "support/pictures.rs"]
mod pictures;

use std::path::Path;

use image::ImageFormat;
use pictures::{busy, pictures, read, written};

fn is_of(name: &Path, kind: &str) -> bool {
    name.extension().is_some_and(|ext| ext == kind)
}

/// A file with another number in it.
fn with(file: &[u8], at: usize, number: u32) -> Vec<u8> {
    let mut other = file.to_vec();
    other[at..at + 4].copy_from_slice(&number.to_le_bytes());
    other
}

fn number(file: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(file[at..at + 4].try_into().expect("four bytes"))
}

/// Where the value of a tag is in the first directory of a TIFF file.
fn tag(file: &[u8], wanted: u16) -> usize {
    let entries = number(file, 4) as usize + 2;
    (0..30)
        .map(|entry| entries + 12 * entry)
        .find(|at| file[*at..at + 2] == wanted.to_le_bytes())
        .map(|at| at + 8)
        .expect("the tag is there")
}

const CUT: &str = "broken image: the file is cut off";
const CONTRADICTION: &str = "broken image: the sizes in the file contradict each other";
const ANOTHER: &str = "broken image: another file begins in the middle of it";

#[test]
fn a_bitmap_has_the_length_that_its_head_gives() {
    let whole = written(&busy(), ImageFormat::Bmp);
    let length = whole.len() as u32;
    let core =
        b"BM\x24\0\0\0\0\0\0\0\x1A\0\0\0\x0C\0\0\0\x02\0\x01\0\x01\0\x18\0\x01\x02\x03\x04\x05\x06\0\0\0\0";
    for (what, file, expected) in [
        ("no length", with(&whole, 2, 0), None),
        ("the length of the head", with(&whole, 2, 54), None),
        (
            "filled up",
            [&with(&whole, 2, length + 2)[..], &[0, 0]].concat(),
            None,
        ),
        ("an old head", core.to_vec(), None),
        ("one more", with(&whole, 2, length + 1), Some(CUT)),
        ("twice as much", with(&whole, 2, 2 * length), Some(CUT)),
        ("pixels in the head", with(&whole, 10, 20), Some(CONTRADICTION)),
        ("half the rows", with(&whole, 22, 60), Some(CONTRADICTION)),
        (
            "half the rows from above",
            with(&whole, 22, (-60_i32).cast_unsigned()),
            Some(CONTRADICTION),
        ),
        ("half the columns", with(&whole, 18, 80), Some(CONTRADICTION)),
    ] {
        assert_eq!(read(&file).err().as_deref(), expected, "{what}");
    }
}

#[test]
fn the_strips_of_a_tiff_lie_in_it_and_are_as_long_as_its_pixels() {
    let whole = written(&busy(), ImageFormat::Tiff);
    let (starts, lengths, rows) = (tag(&whole, 273), tag(&whole, 279), tag(&whole, 257));
    let (start, length) = (number(&whole, starts), number(&whole, lengths));
    let directory = number(&whole, 4) as usize;
    let entries = usize::from(whole[directory]);
    let next = directory + 2 + 12 * entries;
    for (what, file, expected) in [
        ("nothing", whole.clone(), None),
        (
            "a start behind the end",
            with(&whole, starts, 10_000_000),
            CUT.into(),
        ),
        (
            "a strip over the end",
            with(&whole, starts, start + 1_000),
            CUT.into(),
        ),
        (
            "a strip that is too long",
            with(&whole, lengths, 2 * length),
            CUT.into(),
        ),
        (
            "a strip in the head",
            with(&whole, starts, 4),
            CONTRADICTION.into(),
        ),
        (
            "half a strip",
            with(&whole, lengths, length / 2),
            CONTRADICTION.into(),
        ),
        (
            "a strip less one byte",
            with(&whole, lengths, length - 1),
            CONTRADICTION.into(),
        ),
        ("half the rows", with(&whole, rows, 60), CONTRADICTION.into()),
        (
            "a second page behind the end",
            with(&whole, next, 10_000_000),
            CUT.into(),
        ),
    ] {
        assert_eq!(read(&file).err().as_deref(), expected, "{what}");
    }
}

#[test]
fn the_chunks_of_a_webp_fill_the_length_that_its_head_gives() {
    for (name, whole) in pictures().iter().filter(|(name, _)| is_of(name, "webp")) {
        let (length, chunk) = (number(whole, 4), number(whole, 16));
        let short = [whole, &b"EXIF\x64\0\0\0Exif"[..]].concat();
        for (what, file, expected) in [
            ("longer", with(whole, 4, length + 2), CUT),
            ("shorter", with(whole, 4, length - 10), CONTRADICTION),
            ("nothing", with(whole, 4, 0), CONTRADICTION),
            ("a longer chunk", with(whole, 16, chunk + 10), CONTRADICTION),
            ("a shorter chunk", with(whole, 16, chunk - 10), CONTRADICTION),
            ("half a chunk behind", with(&short, 4, length + 12), CONTRADICTION),
        ] {
            assert_eq!(read(&file).err().as_deref(), Some(expected), "{what} in {name:?}");
        }
        let half = &whole[..whole.len() / 4 * 2];
        let mended = with(&with(half, 4, half.len() as u32 - 8), 16, half.len() as u32 - 20);
        assert!(read(&mended).is_err(), "half of {name:?} with a new head");
    }
}

#[test]
fn half_a_file_that_another_of_its_kind_follows_is_refused() {
    for kind in ["bmp", "webp", "tiff"] {
        for (_, file) in pictures().iter().filter(|(name, _)| is_of(name, kind)) {
            for eighths in 1..8 {
                let part = &file[..file.len() * eighths / 8];
                for behind in [&file[..], &file[..file.len() - part.len()]] {
                    let refused = read(&[part, behind].concat()).err();
                    assert!(refused.is_some(), "{eighths}/8 of a {kind} and {}", behind.len());
                    if kind == "bmp" {
                        assert_eq!(refused.as_deref(), Some(ANOTHER));
                    }
                }
            }
        }
    }
}

/// A TIFF file as many programs write it: the directory first, then the strips.
fn directory_first() -> Vec<u8> {
    let entries: [(u16, u16, u32, u32); 9] = [
        (256, 3, 1, 40),
        (257, 3, 1, 30),
        (258, 3, 1, 8),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 4, 2, 122),
        (277, 3, 1, 1),
        (278, 3, 1, 20),
        (279, 4, 2, 130),
    ];
    let mut file = b"II*\0\x08\0\0\0\x09\0".to_vec();
    for (tag, kind, count, value) in entries {
        file.extend(tag.to_le_bytes());
        file.extend(kind.to_le_bytes());
        file.extend(count.to_le_bytes());
        file.extend(value.to_le_bytes());
    }
    for number in [0_u32, 138, 938, 800, 400] {
        file.extend(number.to_le_bytes());
    }
    file.extend((0..1_200_u32).map(|n| (n * n + n / 7) as u8));
    file
}

#[test]
fn a_tiff_with_its_directory_first_is_checked_strip_by_strip() {
    let whole = directory_first();
    assert_eq!(read(&whole).err(), None);
    for (what, file, expected) in [
        ("less its last byte", whole[..whole.len() - 1].to_vec(), CUT),
        (
            "half of it and another",
            [&whole[..700], &whole].concat(),
            ANOTHER,
        ),
        ("strips over each other", with(&whole, 126, 500), CONTRADICTION),
        ("a short first strip", with(&whole, 130, 700), CONTRADICTION),
    ] {
        assert_eq!(read(&file).err().as_deref(), Some(expected), "{what}");
    }
}

/// The same file with a second directory of that kind and those rows, whose strip is the first one's first rows.
fn with_second(kind: u32, rows: u32) -> Vec<u8> {
    let mut file = with(&directory_first(), 118, 1_338);
    let entries: [(u16, u32); 8] = [
        (254, kind),
        (256, 40),
        (257, rows),
        (258, 8),
        (259, 1),
        (262, 1),
        (273, 138),
        (279, 40 * rows),
    ];
    file.extend(8_u16.to_le_bytes());
    for (tag, value) in entries {
        file.extend(tag.to_le_bytes());
        file.extend(4_u16.to_le_bytes());
        file.extend(1_u32.to_le_bytes());
        file.extend(value.to_le_bytes());
    }
    file.extend(0_u32.to_le_bytes());
    file
}

#[test]
fn a_tiff_with_several_photographs_is_not_processed_in_part() {
    const SEVERAL: &str = "broken image: the file holds several photographs, or a smaller copy comes first: save each as a \
                           file of its own";
    for (what, kind, rows, expected) in [
        ("another page", 0, 20, Some(SEVERAL)),
        ("a page of a document", 2, 15, Some(SEVERAL)),
        ("a smaller copy", 1, 20, None),
        ("a mask", 4, 20, None),
        ("a thumbnail that is not marked as one", 0, 5, None),
    ] {
        assert_eq!(
            read(&with_second(kind, rows)).err().as_deref(),
            expected,
            "{what}"
        );
    }
}
