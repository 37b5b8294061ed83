//! What commands print: data on standard output, everything else on standard error.
//!
//! Texts of a server are never printed raw: a name may hold what moves a terminal's cursor.

use std::{
    borrow::Cow,
    fmt,
    io::{self, Write as _},
};

use console::{Term, measure_text_width, truncate_str};
use serde::Serialize;
use serde_json::Value;
use trapline_core::{Timestamp, error::chain, words::when};

use super::exit::{CliError, CliResult, Exit};

/// A line of data.
pub fn line(text: impl fmt::Display) -> CliResult<()> {
    Ok(writeln!(io::stdout().lock(), "{text}")?)
}

/// A text for people on standard output. On a terminal its lines fit the width.
pub fn prose(text: impl fmt::Display) -> CliResult<()> {
    line(fitting(text, &Term::stdout()))
}

/// A JSON document on a line.
pub fn json(value: &impl Serialize) -> CliResult<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, value).map_err(io::Error::from)?;
    Ok(writeln!(out)?)
}

/// A JSON document for people.
pub fn json_pretty(value: &Value) -> CliResult<()> {
    line(format_args!("{value:#}"))
}

/// A line for the person in front: progress, warnings. On a terminal it fits the width.
pub fn note(text: impl fmt::Display) {
    let text = fitting(text, &Term::stderr());
    if writeln!(io::stderr().lock(), "{text}").is_err() {
        // The terminal is gone, so there is nobody to tell; the command itself goes on.
    }
}

/// Says why a command failed, and how it ends for that.
pub fn finish(result: CliResult) -> Exit {
    result.unwrap_or_else(|error| {
        if error.exit() != Exit::Done {
            note(format_args!("error: {}", chain(&error)));
        }
        error.exit()
    })
}

/// A text in lines that fit a terminal; elsewhere as it is.
pub(super) fn fitting(text: impl fmt::Display, term: &Term) -> String {
    let text = text.to_string();
    if !term.is_term() {
        return text;
    }
    let width = usize::from(term.size().1);
    text.split('\n')
        .map(|line| broken(line, width))
        .collect::<Vec<_>>()
        .join("\n")
}

/// What goes on in the next line stands further in.
const INDENT: usize = 2;

/// A line, broken at its blanks so that it fits `width`. A longer word stays whole: a path is copied as it is.
fn broken(line: &str, width: usize) -> String {
    if measure_text_width(line) <= width {
        return line.to_owned();
    }
    let own = line.len() - line.trim_start().len();
    let mut text = line[..own].to_owned();
    let mut taken = own;
    for (at, word) in line[own..].split(' ').enumerate() {
        let needs = measure_text_width(word);
        if at > 0 && taken + 1 + needs > width {
            text.push_str(&format!("\n{}", " ".repeat(own + INDENT)));
            taken = own + INDENT;
        } else if at > 0 {
            text.push(' ');
            taken += 1;
        }
        text.push_str(word);
        taken += needs;
    }
    text
}

/// A text of the server on one line, without control characters.
#[must_use]
pub fn clean(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// When something was that is not in the future; the server's clock may be ahead of this one.
#[must_use]
pub fn ago<'a>(at: impl Into<Option<&'a str>>, now: Timestamp) -> Option<String> {
    let at = Timestamp::parse(at.into()?).ok()?;
    Some(when(at.min(now), now))
}

/// Aligned columns, page by page: a million rows need no more memory than a page. On a terminal a row fits its width.
pub struct Table {
    widths: Vec<usize>,
    header: Option<Vec<String>>,
    /// Whether the values of a column stand to the right.
    right: Vec<bool>,
    room: Option<usize>,
}

/// Columns are not cut to less than that.
const COLUMN_MIN: usize = 8;
/// Between two columns.
const GAP: usize = 2;

impl Table {
    /// A table with these headings; they are printed before the first row.
    #[must_use]
    pub fn new(headings: &[&str]) -> Self {
        let room = Term::stdout()
            .is_term()
            .then(|| usize::from(Term::stdout().size().1));
        Self {
            widths: vec![0; headings.len()],
            header: Some(headings.iter().map(|&h| h.to_owned()).collect()),
            right: vec![false; headings.len()],
            room,
        }
    }

    /// Values under these headings stand to the right.
    #[must_use]
    pub fn numbers(mut self, headings: &[&str]) -> Self {
        for (right, heading) in self.right.iter_mut().zip(self.header.iter().flatten()) {
            *right = headings.contains(&heading.as_str());
        }
        self
    }

    /// No value is cut: what is longer than a line goes on in the next one.
    #[must_use]
    pub fn whole(mut self) -> Self {
        self.room = None;
        self
    }

    /// Prints rows. A later page only ever makes columns wider.
    pub fn page(&mut self, rows: Vec<Vec<String>>) -> CliResult<()> {
        self.lines(rows).iter().try_for_each(prose)
    }

    /// Prints rows, each with a line below it, if there is something to add.
    pub fn page_with_notes(&mut self, rows: Vec<(Vec<String>, Option<String>)>) -> CliResult<()> {
        let (rows, notes): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
        let lines = self.lines(rows);
        let header = lines.len() - notes.len();
        lines[..header].iter().try_for_each(prose)?;
        for (row, note) in lines[header..].iter().zip(notes) {
            prose(row)?;
            note.iter().try_for_each(prose)?;
        }
        Ok(())
    }

    fn lines(&mut self, rows: Vec<Vec<String>>) -> Vec<String> {
        let rows: Vec<Vec<String>> = self.header.take().into_iter().chain(rows).collect();
        for row in &rows {
            for (width, value) in self.widths.iter_mut().zip(row) {
                *width = (*width).max(measure_text_width(value));
            }
        }
        let widths = fitted(&self.widths, self.room);
        rows.iter().map(|row| self.aligned(row, &widths)).collect()
    }

    fn aligned(&self, row: &[String], widths: &[usize]) -> String {
        let mut text = String::new();
        for ((value, &width), right) in row.iter().zip(widths).zip(&self.right) {
            let value = shortened(value, width);
            let pad = " ".repeat(width.saturating_sub(measure_text_width(&value)));
            let (before, after) = if *right {
                (pad.as_str(), "")
            } else {
                ("", pad.as_str())
            };
            text.push_str(&format!("{before}{value}{after}{}", " ".repeat(GAP)));
        }
        text.truncate(text.trim_end().len());
        text
    }
}

/// Widths that fit the room: the widest column gives way.
fn fitted(widths: &[usize], room: Option<usize>) -> Vec<usize> {
    let mut widths = widths.to_vec();
    let Some(room) = room else { return widths };
    let gaps = GAP * widths.len().saturating_sub(1);
    while widths.iter().sum::<usize>() + gaps > room {
        match widths.iter_mut().max() {
            Some(widest) if *widest > COLUMN_MIN => *widest -= 1,
            _ => break,
        }
    }
    widths
}

/// A value that is too wide, without its middle: names and URLs differ at their ends.
fn shortened(value: &str, width: usize) -> Cow<'_, str> {
    if measure_text_width(value) <= width {
        return value.into();
    }
    let tail = width.saturating_sub(1) * 2 / 3;
    let head = width.saturating_sub(1 + tail);
    let mut end: Vec<char> = Vec::new();
    let mut taken = 0;
    for c in value.chars().rev() {
        taken += measure_text_width(c.encode_utf8(&mut [0; 4]));
        if taken > tail {
            break;
        }
        end.push(c);
    }
    let end: String = end.into_iter().rev().collect();
    format!("{}{end}", truncate_str(value, head + 1, "…")).into()
}

impl From<serde_json::Error> for CliError {
    fn from(error: serde_json::Error) -> Self {
        Self::Output(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_for_a_terminal_is_broken_at_its_blanks_and_a_path_stays_whole() {
        for (line, width, shown) in [
            ("SUCCESS: 40 of 40 images", 24, "SUCCESS: 40 of 40 images"),
            ("SUCCESS: 40 of 40 images", 23, "SUCCESS: 40 of 40\n  images"),
            (
                "  a.jpg (lost): by two workers",
                16,
                "  a.jpg (lost):\n    by two\n    workers",
            ),
            ("no /a/very/long/path here", 8, "no\n  /a/very/long/path\n  here"),
            ("夜夜夜 夜夜夜", 10, "夜夜夜\n  夜夜夜"),
            ("", 10, ""),
        ] {
            assert_eq!(broken(line, width), shown);
        }
    }

    #[test]
    fn a_name_can_not_move_the_cursor() {
        assert_eq!(clean("a\u{1b}[2Jb\nc"), "a [2Jb c");
    }

    fn rows(rows: &[&[&str]]) -> Vec<Vec<String>> {
        let owned = |row: &&[&str]| row.iter().map(|&v| v.to_owned()).collect();
        rows.iter().map(owned).collect()
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_value_so_far() {
        let mut table = Table::new(&["ID", "NAME", "N"]).numbers(&["N"]);
        let first = table.lines(rows(&[
            &["1", "a", "7"],
            &["1000", "äö", "1,200"],
            &["2", "夜", "12"],
        ]));
        assert_eq!(
            first,
            [
                "ID    NAME      N",
                "1     a         7",
                "1000  äö    1,200",
                "2     夜       12",
            ]
        );
        assert_eq!(table.lines(rows(&[&["7", "", "1"]])), ["7               1"]);
    }

    #[test]
    fn on_a_terminal_a_row_fits_its_width_and_keeps_both_ends_of_what_is_long() {
        let mut table = Table::new(&["ID", "URL"]);
        table.room = Some(30);
        let lines = table.lines(rows(&[&["1", "https://example.org/night-1/IMG_0042.jpg"]]));
        assert_eq!(lines[1], "1   https://e…t-1/IMG_0042.jpg");
        assert!(lines.iter().all(|l| measure_text_width(l) <= 30), "{lines:?}");
        assert_eq!(shortened("夜夜夜夜夜夜", 7), "夜…夜夜");
    }

    #[test]
    fn the_widest_column_gives_way_and_none_is_cut_to_nothing() {
        assert_eq!(fitted(&[4, 50, 20], Some(60)), [4, 32, 20]);
        assert_eq!(fitted(&[4, 50, 20], Some(40)), [4, 16, 16]);
        assert_eq!(fitted(&[4, 50, 20], Some(10)), [4, 8, 8]);
        assert_eq!(fitted(&[4, 50, 20], None), [4, 50, 20]);
    }

    #[test]
    fn a_clock_that_is_ahead_makes_nothing_happen_in_the_future() {
        let now = Timestamp(1_000_000_000);
        let at = |seconds: i64| Timestamp(now.0 + seconds * 1_000_000).to_string();
        assert_eq!(ago(at(-125).as_str(), now).as_deref(), Some("2 min ago"));
        assert_eq!(ago(at(30).as_str(), now).as_deref(), Some("just now"));
        assert_eq!(ago(None, now), None);
    }
}
