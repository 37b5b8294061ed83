//! A file's EXIF block, as far as it can be read.

use std::io::Cursor;

use exif::{Context, Error, Exif, In, Reader, Tag, Value};
use image::{ImageDecoder as _, ImageReader};

use super::time::{TakenAt, moment, offset_minutes};

const CAMERA_CHARACTERS_MAX: usize = 100;
/// What some writers put before the block in containers that want the bare block.
const PREFIX: &[u8] = b"Exif\0\0";

/// Each time tag with the tag of its offset, the best first: taken, digitised, and last changed, which is all
/// that some cameras write.
const TIMES: [(Tag, Tag); 3] = [
    (Tag::DateTimeOriginal, Tag::OffsetTimeOriginal),
    (Tag::DateTimeDigitized, Tag::OffsetTimeDigitized),
    (Tag::DateTime, Tag::OffsetTime),
];

pub(super) struct Block {
    pub(super) taken_at: Option<TakenAt>,
    pub(super) camera: Option<String>,
    pub(super) orientation: u8,
    /// What the camera says that it stored. A program that resizes a picture may leave it as it was.
    pub(super) size: Option<(u32, u32)>,
}

/// Reads the block of any container. What can't be read is as if it weren't there.
pub(super) fn read(bytes: &[u8]) -> Block {
    let Some(exif) = from_container(bytes).or_else(|| behind_prefix(bytes)) else {
        return Block {
            taken_at: None,
            camera: None,
            orientation: 1,
            size: None,
        };
    };
    let number = |tag| value(&exif, tag).and_then(|value| value.get_uint(0));
    Block {
        taken_at: TIMES.iter().find_map(|tags| taken_at(&exif, *tags)),
        camera: camera(text(&exif, Tag::Make), text(&exif, Tag::Model)),
        orientation: number(Tag::Orientation)
            .and_then(|number| u8::try_from(number).ok())
            .filter(|number| (1..=8).contains(number))
            .unwrap_or(1),
        size: number(Tag::PixelXDimension)
            .zip(number(Tag::PixelYDimension))
            .filter(|(width, height)| *width > 0 && *height > 0),
    }
}

fn reader() -> Reader {
    let mut reader = Reader::new();
    reader.continue_on_error(true);
    reader
}

fn whole_or_part(result: Result<Exif, Error>) -> Option<Exif> {
    result.or_else(|error| error.distill_partial_result(|_| ())).ok()
}

fn from_container(bytes: &[u8]) -> Option<Exif> {
    whole_or_part(reader().read_from_container(&mut Cursor::new(bytes)))
}

/// WebP and PNG files of older programs have JPEG's prefix before the block.
fn behind_prefix(bytes: &[u8]) -> Option<Exif> {
    let image = ImageReader::new(Cursor::new(bytes)).with_guessed_format().ok()?;
    let block = image.into_decoder().ok()?.exif_metadata().ok()??;
    whole_or_part(reader().read_raw(block.strip_prefix(PREFIX)?.to_vec()))
}

/// A tag's value. Simple programs put every tag into the first directory, where EXIF's own don't belong.
fn value(exif: &Exif, tag: Tag) -> Option<&Value> {
    let misplaced = Tag(Context::Tiff, tag.number());
    let field = exif
        .get_field(tag, In::PRIMARY)
        .or_else(|| exif.get_field(misplaced, In::PRIMARY))?;
    Some(&field.value)
}

fn text(exif: &Exif, tag: Tag) -> Option<String> {
    let bytes = match value(exif, tag)? {
        Value::Ascii(parts) => parts.iter().find(|part| !part.is_empty())?,
        Value::Byte(bytes) | Value::Undefined(bytes, _) => bytes,
        _ => return None,
    };
    let text = String::from_utf8_lossy(bytes);
    let words: Vec<_> = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    (!words.is_empty()).then(|| words.join(" "))
}

fn taken_at(exif: &Exif, (time, offset): (Tag, Tag)) -> Option<TakenAt> {
    Some(TakenAt {
        local: moment(&text(exif, time)?)?,
        offset_minutes: text(exif, offset).and_then(|text| offset_minutes(&text)),
    })
}

/// `Canon` and `Canon EOS 80D` are one `Canon EOS 80D`; `NIKON CORPORATION` and `NIKON D850` are `NIKON D850`.
fn camera(make: Option<String>, model: Option<String>) -> Option<String> {
    let name = match (make, model) {
        (Some(make), Some(model)) => {
            let first = |text: &str| text.split(' ').next().unwrap_or_default().to_lowercase();
            if first(&make) == first(&model) || model.to_lowercase().starts_with(&make.to_lowercase()) {
                model
            } else {
                format!("{make} {model}")
            }
        }
        (make, model) => make.or(model)?,
    };
    Some(name.chars().take(CAMERA_CHARACTERS_MAX).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_camera_is_named_without_its_make_twice() {
        for (make, model, expected) in [
            ("Canon", "Canon EOS 80D", "Canon EOS 80D"),
            ("NIKON CORPORATION", "NIKON D850", "NIKON D850"),
            ("LG", "LG-H815", "LG-H815"),
            ("Panasonic", "DMC-G7", "Panasonic DMC-G7"),
            ("RaspberryPi", "imx708_wide", "RaspberryPi imx708_wide"),
        ] {
            assert_eq!(
                camera(Some(make.to_owned()), Some(model.to_owned())).as_deref(),
                Some(expected)
            );
        }
        assert_eq!(camera(None, Some("E6".to_owned())).as_deref(), Some("E6"));
        assert_eq!(camera(None, None), None);
    }
}
