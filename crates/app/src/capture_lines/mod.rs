//! Lists of captures: what uploads and manifests are made of, as editors, spreadsheets, pandas, R and cameras write them.
//!
//! A list is read as it arrives, one record at a time: unpacked, made UTF-8, cut into records, judged. Each record is
//! judged alone, so that a bad one rejects that record only, and a value that a capture can do without costs no capture.

mod columns;
mod csv;
mod decode;
pub mod file_name;
mod list;
mod place;
mod reader;
mod row;
mod split;
mod unpack;
mod values;

use clap::ValueEnum;

pub use self::{
    list::List,
    place::{Files, Reading},
    reader::{Found, Line, Reader},
    row::from_json,
};

/// A record is never longer (docs/rules.md B10).
pub const LINE_BYTES_MAX: usize = 64 << 10;

/// How a list is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A URL on each line
    Txt,
    /// A header that names `url`, and maybe `taken_at`, `width`, `height`; commas, semicolons or tabs
    #[value(alias = "tsv")]
    Csv,
    /// A JSON object with `url` on each line
    #[value(alias = "jsonl")]
    Ndjson,
    /// One JSON list of such objects
    Json,
}

/// Of a file's name, without what says that it is packed.
fn extension(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    name.rsplit_once('.')
        .map_or("", |(_, extension)| extension)
        .to_owned()
}

impl Format {
    /// By the name of a file, packed or not. What other names hold is known by its beginning.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        matches!(extension(name).as_str(), "csv" | "tsv").then_some(Self::Csv)
    }

    /// By the first line that is not blank.
    fn of_head(line: &[u8]) -> Self {
        match line.trim_ascii().first() {
            Some(b'{') => Self::Ndjson,
            Some(b'[') => Self::Json,
            _ if columns::Header::of_line(line).is_header() => Self::Csv,
            Some(b'"') => Self::Ndjson,
            _ => Self::Txt,
        }
    }
}

fn too_long() -> String {
    format!("longer than {LINE_BYTES_MAX} bytes")
}

#[cfg(test)]
mod tests;
