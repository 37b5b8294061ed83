//! Which column of a CSV list, and which field of a JSON object, holds what.

use trapline_core::time::head;

use super::{
    csv::{Records, Values},
    decode::text,
};

/// What is known of a capture, and how people call it. Of several such columns, the one is taken whose name stands first.
const NAMES: [&[&str]; FIELDS] = [
    &[
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
    ],
    &[
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
    ],
    &["date", "date_taken"],
    &["width", "image_width", "exif_image_width"],
    &["height", "image_height", "exif_image_height"],
    &["camera", "camera_model", "model", "camera_model_name"],
];
/// The place, the time, the day if it stands alone, the width, the height, the camera: in this order everywhere.
pub(super) const FIELDS: usize = 6;
/// What a record has in the fields but the place.
type Others<'v> = [Option<&'v [u8]>; FIELDS - 1];

/// A name without what people vary: capitals, spaces, underscores, the group that exiftool puts before it.
fn plain(name: &str) -> String {
    let name = name.rsplit(':').next().unwrap_or(name);
    name.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

/// Which of the names is that of each field.
pub(super) fn fields<'n>(names: impl Iterator<Item = &'n str>) -> [Option<usize>; FIELDS] {
    let mut best: [Option<(usize, usize)>; FIELDS] = [None; FIELDS];
    for (at, name) in names.enumerate() {
        let name = plain(name);
        let means = |known: &&str| known.bytes().filter(|b| *b != b'_').eq(name.bytes());
        for (best, known) in best.iter_mut().zip(NAMES) {
            let rank = known.iter().position(means);
            *best = match (*best, rank) {
                (Some(better), Some(rank)) if better.0 <= rank => Some(better),
                (_, Some(rank)) => Some((rank, at)),
                (best, None) => best,
            };
        }
    }
    best.map(|best| best.map(|(_, at)| at))
}

/// Where in a record each value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Columns {
    names: Vec<String>,
    place: usize,
    others: [Option<usize>; FIELDS - 1],
}

impl Columns {
    /// Reads the first record. Columns that are not known are passed over.
    pub(super) fn of(header: Values<'_>) -> Result<Self, String> {
        let names: Vec<String> = header.iter().map(|name| text(name).0.trim().to_owned()).collect();
        let [place, others @ ..] = fields(names.iter().map(String::as_str));
        let Some(place) = place else {
            return Err(no_place(&names));
        };
        Ok(Self { names, place, others })
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
    pub(super) fn row<'v>(&self, record: Values<'v>) -> Option<(&'v [u8], Others<'v>)> {
        let shift = self.shift(record);
        let get = |at: Option<usize>| record.get(at? + shift);
        Some((get(Some(self.place))?, self.others.map(get)))
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
        NAMES[0][1..].join(", "),
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
                count: 1 + line.iter().filter(|b| **b == delimiter).count(),
            };
            let mut records = Records::new(delimiter);
            let mut see = |(_, record): super::csv::Record<'_>| {
                let Ok(values) = record else { return };
                header.count = values.len();
                let urls = values.iter().any(|v| is_url(&text(v).0));
                header.named = !urls && Columns::of(values).is_ok();
            };
            records.push(line, &mut see);
            records.finish(&mut see);
            header
        };
        // R puts spaces between values if it is told nothing else, and quotes around names.
        let spaces = line.starts_with(b"\"").then_some(b' ');
        let others = [b';', b'\t'].into_iter().chain(spaces).map(as_cut_by);
        others.fold(as_cut_by(b','), |best, other| {
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
        let at = |line: &str| columns(line).map(|c| (c.place, c.others));
        let none = [None; FIELDS - 1];
        assert_eq!(
            at("width,URL,x,taken_at"),
            Ok((1, [Some(3), None, Some(0), None, None]))
        );
        assert_eq!(
            at("path; Image URL ;Width"),
            Ok((1, [None, None, Some(2), None, None]))
        );
        assert_eq!(
            at("SourceFile,FileName,EXIF:DateTimeOriginal,ImageWidth,ImageHeight,Model"),
            Ok((0, [Some(2), None, Some(3), Some(4), Some(5)]))
        );
        assert_eq!(
            at("file_name\t\"Date/Time Original\""),
            Ok((0, [Some(1), None, None, None, None]))
        );
        assert_eq!(
            at("File,Date,Time"),
            Ok((0, [Some(2), Some(1), None, None, None]))
        );
        assert_eq!(at("\"x\" \"url\""), Ok((1, none)));
        assert_eq!(at("\"Image URL\""), Ok((0, none)));
        assert_eq!(at("Image URL"), Ok((0, none)));
        assert_eq!(at("image"), Ok((0, none)));
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

    #[test]
    fn the_docs_name_all_names_in_their_order() {
        let docs = include_str!("../../../../docs/capture-lists.md");
        let words: Vec<String> = docs.split('`').skip(1).step_by(2).map(plain).collect();
        for names in NAMES {
            let table = words.iter().rposition(|word| *word == plain(names[0])).unwrap();
            let mut rest = words[table..].iter();
            for name in names {
                assert!(rest.any(|word| *word == plain(name)), "{name}");
            }
        }
    }
}
