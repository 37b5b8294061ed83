//! Which column of a CSV list, and which field of a JSON object, holds what.

use serde_json::{Map, Value};
use trapline_core::time::head;

use super::{
    csv::{Records, Values},
    decode::text,
};

/// Where the image is. The first of these that a list has is taken.
pub(super) const PLACE: [&str; 12] = [
    "url",
    "image_url",
    "uri",
    "image_uri",
    "source_file",
    "file_path",
    "image_path",
    "path",
    "file",
    "file_name",
    "image",
    "link",
];
pub(super) const TAKEN_AT: [&str; 10] = [
    "taken_at",
    "captured_at",
    "subsec_date_time_original",
    "date_time_original",
    "timestamp",
    "date_time",
    "capture_time",
    "time_taken",
    "create_date",
    "time",
];
pub(super) const WIDTH: [&str; 3] = ["width", "image_width", "exif_image_width"];
pub(super) const HEIGHT: [&str; 3] = ["height", "image_height", "exif_image_height"];
pub(super) const CAMERA: [&str; 4] = ["camera", "camera_model", "model", "camera_model_name"];

/// A name without what people vary: capitals, spaces, underscores, the group that exiftool puts before it.
fn plain(name: &str) -> String {
    let name = name.rsplit(':').next().unwrap_or(name);
    name.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

fn means(name: &str, known: &str) -> bool {
    let known = known.bytes().filter(|b| *b != b'_');
    plain(name).bytes().eq(known)
}

/// The field of an object that has the first of the known names.
pub(super) fn field<'v>(fields: &'v Map<String, Value>, known: &[&str]) -> Option<&'v Value> {
    let of = |known: &&str| {
        let exact = fields.get(*known);
        exact.or_else(|| fields.iter().find(|(name, _)| means(name, known)).map(|(_, v)| v))
    };
    known.iter().find_map(of)
}

/// Where in a record each value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Columns {
    names: Vec<String>,
    place: usize,
    taken_at: Option<usize>,
    width: Option<usize>,
    height: Option<usize>,
    camera: Option<usize>,
}

impl Columns {
    /// Reads the first record. Columns that are not known are passed over.
    pub(super) fn of(header: Values<'_>) -> Result<Self, String> {
        let names: Vec<String> = header.iter().map(|name| text(name).0.trim().to_owned()).collect();
        let at = |known: &[&str]| {
            let of = |known: &&str| names.iter().position(|name| means(name, known));
            known.iter().find_map(of)
        };
        let Some(place) = at(&PLACE) else {
            return Err(no_place(&names));
        };
        Ok(Self {
            place,
            taken_at: at(&TAKEN_AT),
            width: at(&WIDTH),
            height: at(&HEIGHT),
            camera: at(&CAMERA),
            names,
        })
    }

    /// As the list calls the column of the image's place.
    pub(super) fn place_name(&self) -> &str {
        self.names.get(self.place).map_or("url", String::as_str)
    }

    /// Whether a record is the header once more, as where lists are joined.
    pub(super) fn is_again(&self, record: Values<'_>) -> bool {
        record.len() == self.names.len()
            && record
                .iter()
                .zip(&self.names)
                .all(|(value, name)| text(value).0.trim() == name)
    }

    /// R writes the number of each row before its values, and no name for it: then the values stand one further.
    fn shift(&self, record: Values<'_>) -> usize {
        let is_place = |at| {
            record
                .get(at)
                .is_some_and(|v| v.iter().any(|b| matches!(b, b'/' | b'.')))
        };
        let one_more = record.len() == self.names.len() + 1;
        usize::from(one_more && !is_place(self.place) && is_place(self.place + 1))
    }

    /// The values of a record, in the order of the fields.
    pub(super) fn row<'v>(&self, record: Values<'v>) -> Option<(&'v [u8], [Option<&'v [u8]>; 4])> {
        let shift = self.shift(record);
        let get = |at: Option<usize>| record.get(at? + shift);
        let place = get(Some(self.place))?;
        Some((
            place,
            [self.taken_at, self.width, self.height, self.camera].map(get),
        ))
    }
}

fn is_url(name: &str) -> bool {
    name.contains("://")
}

fn no_place(names: &[String]) -> String {
    if let Some(url) = names.iter().find(|name| is_url(name)) {
        return format!(
            "the first line of a CSV list must name its columns, and here holds `{}`; add a line such as `url` on top",
            head(url, 100)
        );
    }
    let found: Vec<String> = names
        .iter()
        .take(20)
        .map(|n| format!("`{}`", head(n, 40)))
        .collect();
    format!(
        "the first line of a CSV list must name the column `url` (or {}); it names {}",
        PLACE[1..].join(", "),
        if found.is_empty() {
            "none".to_owned()
        } else {
            found.join(", ")
        }
    )
}

/// What the first line of a list says of it.
pub(super) struct Header {
    pub(super) delimiter: u8,
    named: bool,
    count: usize,
}

impl Header {
    /// Finds what stands between the values.
    pub(super) fn of_line(line: &[u8]) -> Self {
        let line = line.trim_ascii();
        // Excel's own way to say it.
        if let Some(&[delimiter]) = sep(line) {
            return Self {
                delimiter,
                named: true,
                count: 1,
            };
        }
        let as_cut_by = |delimiter| {
            let mut header = Self {
                delimiter,
                named: false,
                count: line.iter().filter(|b| **b == delimiter).count(),
            };
            let mut records = Records::new(delimiter);
            let mut see = |(_, record): super::csv::Record<'_>| {
                let Ok(values) = record else { return };
                let urls = values.iter().any(|v| is_url(&text(v).0));
                header.named = !urls && Columns::of(values).is_ok();
            };
            records.push(line, &mut see);
            records.finish(&mut see);
            header
        };
        let first = as_cut_by(b',');
        [b';', b'\t']
            .into_iter()
            .map(as_cut_by)
            .fold(first, |best, other| {
                let better = (other.named, other.count) > (best.named, best.count);
                if better { other } else { best }
            })
    }

    /// Whether it names a column that may hold the image's place.
    pub(super) fn is_header(&self) -> bool {
        self.named
    }
}

/// What follows in a line such as `sep=;`.
fn sep(line: &[u8]) -> Option<&[u8]> {
    let (name, rest) = line.split_at_checked(4)?;
    name.eq_ignore_ascii_case(b"sep=").then_some(rest)
}

/// Whether a record is such a line.
pub(super) fn is_sep(record: Values<'_>) -> bool {
    record.get(0).and_then(sep).is_some_and(|rest| rest.len() <= 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(line: &str) -> Result<Columns, String> {
        let mut read = Err("nothing".to_owned());
        let mut records = Records::new(Header::of_line(line.as_bytes()).delimiter);
        let mut see = |(_, record): super::super::csv::Record<'_>| read = record.and_then(Columns::of);
        records.push(line.as_bytes(), &mut see);
        records.finish(&mut see);
        read
    }

    #[test]
    fn columns_are_found_by_any_of_their_names_and_the_better_name_wins() {
        let at = |line: &str| columns(line).map(|c| (c.place, c.taken_at, c.width, c.height));
        assert_eq!(at("width,URL,x,taken_at"), Ok((1, Some(3), Some(0), None)));
        assert_eq!(at("path; Image URL ;Width"), Ok((1, None, Some(2), None)));
        assert_eq!(
            at("SourceFile,FileName,EXIF:DateTimeOriginal,ImageWidth,ImageHeight"),
            Ok((0, Some(2), Some(3), Some(4)))
        );
        assert_eq!(
            at("file_name\t\"Date/Time Original\""),
            Ok((0, Some(1), None, None))
        );
        assert_eq!(at("image"), Ok((0, None, None, None)));
    }

    #[test]
    fn a_header_that_names_no_place_says_what_is_understood_and_what_was_found() {
        let said = columns("photo;Breite").unwrap_err();
        assert!(
            said.contains("image_url, uri") && said.contains("`photo`, `Breite`"),
            "{said}"
        );
        let said = columns("http://h/1.jpg,640").unwrap_err();
        assert!(said.contains("holds `http://h/1.jpg`"), "{said}");
    }
}
