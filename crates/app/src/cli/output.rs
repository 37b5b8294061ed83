//! What commands print: data on standard output, everything else on standard error.
//!
//! Texts of a server are never printed raw: a name may hold what moves a terminal's cursor.

use std::{
    fmt,
    io::{self, Write as _},
};

use serde::Serialize;
use serde_json::Value;
use trapline_core::error::chain;

use super::exit::{CliError, CliResult, Exit};

/// A line of data.
pub fn line(text: impl fmt::Display) -> CliResult<()> {
    Ok(writeln!(io::stdout().lock(), "{text}")?)
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

/// A line for the person in front: progress, warnings.
pub fn note(text: impl fmt::Display) {
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

/// A text of the server on one line, without control characters.
#[must_use]
pub fn clean(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// A JSON value as a cell or after a colon: texts bare, nothing as `-`.
#[must_use]
pub fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) if text.is_empty() => "-".to_owned(),
        Value::String(text) => clean(text),
        other => other.to_string(),
    }
}

/// Aligned columns, page by page: a million rows need no more memory than a page.
pub struct Table {
    widths: Vec<usize>,
    header: Option<Vec<String>>,
}

impl Table {
    /// A table with these headings; they are printed before the first row, even if there is none.
    #[must_use]
    pub fn new(headings: &[&str]) -> Self {
        Self {
            widths: vec![0; headings.len()],
            header: Some(headings.iter().map(|&h| h.to_owned()).collect()),
        }
    }

    /// Prints rows. A later page only ever makes columns wider.
    pub fn page(&mut self, rows: Vec<Vec<String>>) -> CliResult<()> {
        let rows: Vec<Vec<String>> = self.header.take().into_iter().chain(rows).collect();
        for row in &rows {
            for (width, value) in self.widths.iter_mut().zip(row) {
                *width = (*width).max(value.chars().count());
            }
        }
        rows.iter().try_for_each(|row| line(self.aligned(row)))
    }

    fn aligned(&self, row: &[String]) -> String {
        let mut text = String::new();
        for (value, &width) in row.iter().zip(&self.widths) {
            text.push_str(&format!("{value:width$}  "));
        }
        text.truncate(text.trim_end().len());
        text
    }
}

/// Any JSON object as indented lines, for evidence that has no fixed shape.
#[must_use]
pub fn outline(value: &Value, indent: usize) -> String {
    let mut text = String::new();
    let mut add = |name: &str, value: &Value| {
        let margin = " ".repeat(indent);
        match value {
            Value::Object(fields) if !fields.is_empty() => {
                text.push_str(&format!("{margin}{name}:\n{}", outline(value, indent + 2)));
            }
            Value::Array(items) if items.iter().any(|i| i.is_object() || i.is_array()) => {
                text.push_str(&format!("{margin}{name}:\n{}", outline(value, indent + 2)));
            }
            Value::Array(items) => {
                let items: Vec<String> = items.iter().map(cell).collect();
                let items = if items.is_empty() {
                    "-".to_owned()
                } else {
                    items.join(", ")
                };
                text.push_str(&format!("{margin}{name}: {items}\n"));
            }
            other => text.push_str(&format!("{margin}{name}: {}\n", cell(other))),
        }
    };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| add(&clean(name), value)),
        Value::Array(items) => items.iter().for_each(|item| add("-", item)),
        other => add("", other),
    }
    text
}

impl From<serde_json::Error> for CliError {
    fn from(error: serde_json::Error) -> Self {
        Self::Output(error.into())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_name_can_not_move_the_cursor() {
        assert_eq!(cell(&json!("a\u{1b}[2Jb\nc")), "a [2Jb c");
        assert_eq!(cell(&json!(null)), "-");
        assert_eq!(cell(&json!(3)), "3");
    }

    #[test]
    fn an_outline_shows_what_is_nested() {
        let value = json!({"a": 1, "b": {"c": "x", "d": []}, "e": [{"f": null}], "g": ["h", 2]});
        let expected = "a: 1\nb:\n  c: x\n  d: -\ne:\n  -:\n    f: -\ng: h, 2\n";
        assert_eq!(outline(&value, 0), expected);
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_value_so_far() {
        let mut table = Table::new(&["ID", "NAME"]);
        table
            .page(vec![
                vec!["1".into(), "a".into()],
                vec!["1000".into(), "äö".into()],
            ])
            .unwrap();
        assert_eq!(table.aligned(&["7".into(), "b".into()]), "7     b");
    }
}
