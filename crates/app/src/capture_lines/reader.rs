//! From bytes to captures: what an upload and a manifest on disk have in common.

use std::{path::PathBuf, slice::Chunks};

use trapline_core::catalog::NewCapture;

use super::{
    Format, LINE_BYTES_MAX, Reading,
    columns::{Columns, Header, is_sep},
    csv::{Records, Values},
    decode::Decode,
    row::{self, Judged},
    split::Splitter,
    unpack::Unpack,
};

/// How many bytes are taken at once: of packed ones, so many that what they become stays small.
const PART: usize = 64 << 10;
const PACKED_PART: usize = 256;

/// What a list holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// A capture with its URL, which is empty if it is not known.
    Capture(NewCapture),
    /// The capture of a file of this machine; its URL is empty.
    File(PathBuf, NewCapture),
    /// No capture, and why.
    Rejected(String),
    /// Something was left out or guessed that costs no capture.
    Warning(String),
}

/// A line's number, from 1, or an item's in a JSON list, and what was found there.
pub type Line = (u64, Found);
type Sink<'s> = &'s mut dyn FnMut(Line);

/// Reads a list of captures as it arrives.
#[derive(Debug)]
pub struct Reader {
    unpack: Unpack,
    decode: Decode,
    unpacked: Vec<u8>,
    pub(super) text: Vec<u8>,
    cut: Cut,
    judge: Judge,
}

#[derive(Debug)]
enum Cut {
    /// Before the end of the first line, which says how the list is written.
    Head(Vec<u8>, Option<Format>),
    Text(Splitter),
    Json(Splitter),
    Csv(Box<Records>, Option<Columns>),
}

#[derive(Debug)]
struct Judge {
    reading: Reading,
    /// A text that is no UTF-8 is told once.
    guessed: bool,
}

impl Reader {
    /// Reads a list of this format, or of the one that its beginning shows.
    #[must_use]
    pub fn new(format: Option<Format>, reading: impl Into<Reading>) -> Self {
        Self {
            unpack: Unpack::new(),
            decode: Decode::new(),
            unpacked: Vec::new(),
            text: Vec::new(),
            cut: Cut::Head(Vec::new(), format),
            judge: Judge {
                reading: reading.into(),
                guessed: false,
            },
        }
    }

    /// How many lines, or items, were begun.
    #[must_use]
    pub fn number(&self) -> u64 {
        match &self.cut {
            Cut::Head(head, _) => u64::from(!head.is_empty()),
            Cut::Text(splitter) | Cut::Json(splitter) => splitter.number(),
            Cut::Csv(records, _) => records.line(),
        }
    }

    /// Cuts bytes into parts for [`push`](Self::push), so small that what a part holds may be kept in memory.
    pub fn parts<'b>(&self, bytes: &'b [u8]) -> Chunks<'b, u8> {
        bytes.chunks(if self.unpack.may_grow() { PACKED_PART } else { PART })
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// A text if the list itself, not a line of it, can't be read.
    pub fn push(&mut self, bytes: &[u8], line: Sink<'_>) -> Result<(), String> {
        self.step(line, |s| {
            s.unpack.push(bytes, &mut s.unpacked)?;
            s.decode.push(&s.unpacked, &mut s.text)
        })
    }

    /// The bytes have ended.
    ///
    /// # Errors
    /// A text if the list has not, or has no header.
    pub fn finish(&mut self, line: Sink<'_>) -> Result<(), String> {
        let unpacked = self.step(line, |s| {
            s.unpack.finish(&mut s.unpacked)?;
            s.decode.push(&s.unpacked, &mut s.text)
        });
        unpacked?;
        self.step(line, |s| s.decode.finish(&mut s.text))?;
        if let Cut::Head(..) = self.cut {
            self.begin(line)?;
        }
        let judge = &mut self.judge;
        match &mut self.cut {
            Cut::Head(..) => Ok(()),
            Cut::Text(splitter) => splitter.finish(&mut |r| judge.text(r, line)),
            Cut::Json(splitter) => splitter.finish(&mut |r| judge.json(r, line)),
            Cut::Csv(records, columns) => {
                let mut refused = Ok(());
                records.finish(&mut |r| refused = judge.csv(columns, r, line, &refused));
                refused
            }
        }
    }

    fn step(
        &mut self,
        line: Sink<'_>,
        read: impl FnOnce(&mut Self) -> Result<(), String>,
    ) -> Result<(), String> {
        self.unpacked.clear();
        self.text.clear();
        let read = read(self);
        let text = std::mem::take(&mut self.text);
        self.cut(&text, line)?;
        self.text = text;
        read
    }

    fn cut(&mut self, text: &[u8], line: Sink<'_>) -> Result<(), String> {
        let judge = &mut self.judge;
        match &mut self.cut {
            Cut::Head(head, _) => {
                head.extend_from_slice(text);
                let shown = head.trim_ascii_start();
                if shown.iter().any(|b| matches!(b, b'\n' | b'\r')) || head.len() > LINE_BYTES_MAX {
                    return self.begin(line);
                }
                Ok(())
            }
            Cut::Text(splitter) => splitter.push(text, &mut |r| judge.text(r, line)),
            Cut::Json(splitter) => splitter.push(text, &mut |r| judge.json(r, line)),
            Cut::Csv(records, columns) => {
                let mut refused = Ok(());
                records.push(text, &mut |r| refused = judge.csv(columns, r, line, &refused));
                refused
            }
        }
    }

    /// Finds out how the list is written.
    fn begin(&mut self, line: Sink<'_>) -> Result<(), String> {
        let Cut::Head(head, format) = &mut self.cut else {
            return Ok(());
        };
        let head = std::mem::take(head);
        let mut lines = head.trim_ascii_start().split(|b| matches!(b, b'\n' | b'\r'));
        let first = lines.next().unwrap_or_default();
        let format = format.unwrap_or_else(|| Format::of_head(first));
        if format == Format::Ndjson && first.trim_ascii() == b"{" {
            return Err(
                "the list is a JSON object over several lines; begin it with `[`, or write each object on one line \
                 (`jq -c`)"
                    .to_owned(),
            );
        }
        self.cut = match format {
            Format::Txt => Cut::Text(Splitter::lines()),
            Format::Ndjson => Cut::Json(Splitter::lines()),
            Format::Json => Cut::Json(Splitter::json_list()),
            Format::Csv => Cut::Csv(Box::new(Records::new(Header::of_line(first).delimiter)), None),
        };
        self.cut(&head, line)
    }
}

impl Judge {
    fn text(&mut self, (number, record): super::split::Record<'_>, line: Sink<'_>) {
        if !record.as_ref().is_ok_and(|r| is_blank(r)) {
            let judged = record.and_then(|r| row::of_text(r, &self.reading));
            self.tell(number, judged, line);
        }
    }

    fn json(&mut self, (number, record): super::split::Record<'_>, line: Sink<'_>) {
        if !record.as_ref().is_ok_and(|r| is_blank(r)) {
            let judged = record.and_then(|r| row::of_json(r, &self.reading));
            self.tell(number, judged, line);
        }
    }

    /// The first record is the header; without one there is nothing to read.
    fn csv(
        &mut self,
        columns: &mut Option<Columns>,
        (number, record): super::csv::Record<'_>,
        line: Sink<'_>,
        refused: &Result<(), String>,
    ) -> Result<(), String> {
        refused.clone()?;
        let Some(columns) = columns else {
            let values = record.map_err(|why| format!("line {number}: {why}"))?;
            if !is_blank_row(values) && !is_sep(values) {
                *columns = Some(Columns::of(values)?);
            }
            return Ok(());
        };
        match record {
            Ok(values) if is_blank_row(values) => {}
            Ok(values) if columns.is_again(values) => {
                let why = "the header stands here again and is passed over";
                line((number, Found::Warning(why.to_owned())));
            }
            _ => {
                let judged = record.and_then(|values| row::of_csv(columns, values, &self.reading));
                self.tell(number, judged, line);
            }
        }
        Ok(())
    }

    fn tell(&mut self, number: u64, judged: Result<Judged, String>, line: Sink<'_>) {
        let judged = match judged {
            Ok(judged) => judged,
            Err(why) => return line((number, Found::Rejected(why))),
        };
        if judged.guessed && !std::mem::replace(&mut self.guessed, true) {
            let why = "the list is not UTF-8 and is read as Windows-1252 (Latin-1); save it as UTF-8 if names look wrong";
            line((number, Found::Warning(why.to_owned())));
        }
        for why in judged.warnings {
            line((number, Found::Warning(why)));
        }
        line((
            number,
            match judged.file {
                None => Found::Capture(judged.capture),
                Some(path) => Found::File(path, judged.capture),
            },
        ));
    }
}

/// Files end with a blank line.
fn is_blank(record: &[u8]) -> bool {
    record.iter().all(u8::is_ascii_whitespace)
}

/// Spreadsheets end with rows of nothing but separators.
fn is_blank_row(values: Values<'_>) -> bool {
    values.iter().all(is_blank)
}
