//! From bytes to captures: what an upload and a manifest on disk have in common.

use trapline_core::catalog::NewCapture;

use super::{Columns, Format, Splitter, parse_capture_line};

/// Reads a list of captures as it arrives.
#[derive(Debug)]
pub struct Reader {
    splitter: Splitter,
    /// `None` until the header of a CSV list was read.
    format: Option<Format>,
    allow_file: bool,
}

/// A line's number, from 1, and its capture, or why it is none.
pub type Line = (u64, Result<NewCapture, String>);

impl Reader {
    /// One URL a line.
    #[must_use]
    pub fn text(allow_file: bool) -> Self {
        Self::new(Splitter::lines(), Some(Format::Text), allow_file)
    }

    /// One JSON object or string a line.
    #[must_use]
    pub fn ndjson(allow_file: bool) -> Self {
        Self::new(Splitter::lines(), Some(Format::Json), allow_file)
    }

    /// One JSON list.
    #[must_use]
    pub fn json(allow_file: bool) -> Self {
        Self::new(Splitter::json_list(), Some(Format::Json), allow_file)
    }

    /// CSV with a header.
    #[must_use]
    pub fn csv(allow_file: bool) -> Self {
        Self::new(Splitter::lines(), None, allow_file)
    }

    fn new(splitter: Splitter, format: Option<Format>, allow_file: bool) -> Self {
        Self {
            splitter,
            format,
            allow_file,
        }
    }

    /// How many records were begun.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.splitter.number()
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// A text if the list itself, not a line of it, can't be read.
    pub fn push(&mut self, bytes: &[u8], line: &mut dyn FnMut(Line)) -> Result<(), String> {
        let mut refused = Ok(());
        let (format, allow_file) = (&mut self.format, self.allow_file);
        self.splitter
            .push(bytes, &mut |r| record(format, allow_file, r, &mut refused, line))?;
        refused
    }

    /// The bytes have ended.
    ///
    /// # Errors
    /// A text if the list has not, or has no header.
    pub fn finish(&mut self, line: &mut dyn FnMut(Line)) -> Result<(), String> {
        let mut refused = Ok(());
        let (format, allow_file) = (&mut self.format, self.allow_file);
        self.splitter
            .finish(&mut |r| record(format, allow_file, r, &mut refused, line))?;
        refused
    }
}

fn record(
    format: &mut Option<Format>,
    allow_file: bool,
    (number, bytes): super::Record<'_>,
    refused: &mut Result<(), String>,
    line: &mut dyn FnMut(Line),
) {
    if refused.is_err() {
        return;
    }
    let Some(format) = format else {
        match bytes.and_then(Columns::parse) {
            Ok(columns) => *format = Some(Format::Csv(columns)),
            Err(why) => *refused = Err(why),
        }
        return;
    };
    match bytes {
        // A blank line is no capture: files end with one.
        Ok(bytes) if bytes.iter().all(u8::is_ascii_whitespace) => {}
        Ok(bytes) => line((number, parse_capture_line(format, bytes, allow_file))),
        Err(why) => line((number, Err(why))),
    }
}
