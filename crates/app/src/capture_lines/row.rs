//! One record of a list as a capture, or why it is none.

use std::{borrow::Cow, path::PathBuf};

use serde_json::Value;
use trapline_core::catalog::{CaptureFacts, NewCapture};

use super::{
    columns::{Columns, FIELDS, fields},
    csv::Values,
    decode::text,
    file_name,
    place::{Place, Reading},
    values::{camera, pixels, taken_at},
};

/// What a record says, as it is written.
struct Row<'a> {
    place: Cow<'a, [u8]>,
    /// The time, the day, the width, the height, the camera.
    others: [Option<Cow<'a, str>>; FIELDS - 1],
}

/// A record that is a capture.
#[derive(Debug, PartialEq)]
pub(super) struct Judged {
    /// Its URL is empty if there is a file.
    pub(super) capture: NewCapture,
    pub(super) file: Option<PathBuf>,
    /// Values that can't be read, and are left out.
    pub(super) warnings: Vec<String>,
    /// Its place was no UTF-8, and was taken for Windows-1252.
    pub(super) guessed: bool,
}

impl Row<'_> {
    fn judge(self, reading: &Reading) -> Result<Judged, String> {
        let (place, guessed) = Place::parse(&self.place, &reading.files)?;
        let others = self
            .others
            .each_ref()
            .map(|value| value.as_deref().unwrap_or_default());
        let [time, day, width, height, model] = others;
        let mut warnings = Vec::new();
        let mut warn = |name: &str, why: String| warnings.push(format!("`{name}` is left out: {why}"));
        let taken_at = taken_at(time)
            .or_else(|why| match day {
                "" => Err(why),
                day => taken_at(&format!("{day} {time}")),
            })
            .map_err(|why| warn("taken_at", why))
            .unwrap_or_default();
        let width = pixels(width)
            .map_err(|why| warn("width", why))
            .unwrap_or_default();
        let height = pixels(height)
            .map_err(|why| warn("height", why))
            .unwrap_or_default();
        // Else by its name. `run` reads the photograph, and prefers what that says to both.
        let times = reading.times.as_ref();
        let named = || match &place {
            Place::Url(url) => file_name::taken_at_of_url(url, times),
            Place::File(path) => file_name::taken_at(path, times),
        };
        let taken_at = taken_at.or_else(named);
        let (url, file) = match place {
            Place::Url(url) => (url, None),
            Place::File(path) => (String::new(), Some(path)),
        };
        let capture = NewCapture {
            url,
            facts: CaptureFacts {
                taken_at,
                width,
                height,
                camera: camera(model),
                file: None,
            },
        };
        Ok(Judged {
            capture,
            file,
            warnings,
            guessed,
        })
    }
}

/// Reads a line that is a URL or a path.
pub(super) fn of_text(line: &[u8], reading: &Reading) -> Result<Judged, String> {
    Row {
        place: Cow::Borrowed(line),
        others: Default::default(),
    }
    .judge(reading)
}

/// Reads a record of CSV.
pub(super) fn of_csv(columns: &Columns, values: Values<'_>, reading: &Reading) -> Result<Judged, String> {
    let (place, others) = columns
        .row(values)
        .ok_or_else(|| format!("the line has no value in the column `{}`", columns.place_name()))?;
    Row {
        place: Cow::Borrowed(place),
        others: others.map(|value| value.map(|bytes| text(bytes).0)),
    }
    .judge(reading)
}

/// Reads a line or an item of JSON.
pub(super) fn of_json(bytes: &[u8], reading: &Reading) -> Result<Judged, String> {
    let (text, guessed) = text(bytes);
    let read = serde_json::from_str(&text).or_else(|e| match without_nan(&text) {
        Some(mended) => serde_json::from_str(&mended),
        None => Err(e),
    });
    let value: Value = read.map_err(|e| format!("not JSON: {e}"))?;
    let mut judged = of_value(&value, reading)?;
    judged.guessed |= guessed;
    Ok(judged)
}

/// Python writes `NaN`, and `Infinity`, where JSON has only `null`. `None` if there is none outside of strings.
fn without_nan(text: &str) -> Option<String> {
    let mut mended = String::with_capacity(text.len());
    let mut found = false;
    for (at, part) in parts(text) {
        // Between strings.
        if at {
            let plain = part
                .replace("-Infinity", "null")
                .replace("Infinity", "null")
                .replace("NaN", "null");
            found |= plain != part;
            mended.push_str(&plain);
        } else {
            mended.push_str(part);
        }
    }
    found.then_some(mended)
}

/// The parts of a JSON text, in turn outside (`true`) and within strings; their quotes are outside.
fn parts(text: &str) -> Vec<(bool, &str)> {
    let (mut parts, mut start, mut outside, mut escaped) = (Vec::new(), 0, true, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if !outside => escaped = true,
            b'"' => {
                parts.push((outside, &text[start..at]));
                (start, outside) = (at, !outside);
            }
            _ => {}
        }
    }
    parts.push((outside, &text[start..]));
    parts
}

fn of_value(value: &Value, reading: &Reading) -> Result<Judged, String> {
    let object = match value {
        Value::String(place) => return of_text(place.as_bytes(), reading),
        Value::Object(object) => object,
        _ => return Err("not an object".to_owned()),
    };
    let at = fields(object.keys().map(String::as_str));
    let [place, others @ ..] = at.map(|at| object.values().nth(at?));
    let place = match place {
        None => return Err("`url` is missing".to_owned()),
        Some(Value::Null) => "",
        Some(Value::String(place)) => place,
        Some(_) => return Err("`url` is not a string".to_owned()),
    };
    let others = others.map(|value| match value? {
        Value::Null => None,
        Value::String(text) => Some(Cow::Borrowed(text.as_str())),
        other => Some(Cow::Owned(other.to_string())),
    });
    Row {
        place: Cow::Borrowed(place.as_bytes()),
        others,
    }
    .judge(reading)
}

/// Reads an inline capture of a job, of which each value must be right.
///
/// # Errors
/// A text that says why it is rejected.
pub fn from_json(value: &Value, reading: &Reading) -> Result<NewCapture, String> {
    let judged = of_value(value, reading)?;
    match judged.warnings.into_iter().next() {
        None => Ok(judged.capture),
        Some(why) => Err(why.replacen(" is left out", "", 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Files, *};

    fn read(line: &str) -> Result<Judged, String> {
        of_json(line.as_bytes(), &Files::Refused.into())
    }

    #[test]
    fn json_captures_are_objects_or_urls() {
        let full =
            read(r#"{"url": "http://h/a", "width": "64", "height": 48.0, "taken_at": null, "Model": "R5"}"#)
                .unwrap()
                .capture;
        assert_eq!(
            (full.facts.width, full.facts.height, full.facts.taken_at),
            (Some(64), Some(48), None)
        );
        assert_eq!(full.facts.camera.as_deref(), Some("R5"));
        assert_eq!(read(r#""http://h/a""#).unwrap().capture.url, "http://h/a");
        assert_eq!(read(r#"{"url": null}"#).unwrap().capture.url, "");
        assert_eq!(
            read(r#"{"Image_URL": "http://h/a", "file": 1}"#)
                .unwrap()
                .capture
                .url,
            "http://h/a"
        );
        for bad in ["{}", "[]", "{", r#"{"url": 1}"#, r#"{"width": 1}"#, "NaN"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_value_that_cant_be_read_costs_a_warning_in_a_list_and_is_refused_in_a_job() {
        for value in [
            r#"{"url": "http://h", "width": 0}"#,
            r#"{"url": "http://h", "height": [1]}"#,
            r#"{"url": "http://h", "taken_at": "x"}"#,
        ] {
            let judged = read(value).unwrap();
            assert_eq!(
                (judged.capture.url.as_str(), judged.warnings.len()),
                ("http://h", 1)
            );
            let value = serde_json::from_str(value).unwrap();
            assert!(from_json(&value, &Files::Refused.into()).is_err());
        }
    }

    #[test]
    fn pythons_nan_is_no_value_outside_of_strings() {
        let judged = read(r#"{"url": "http://h/NaN\"NaN", "width": NaN, "height": -Infinity}"#).unwrap();
        assert_eq!(
            (judged.capture.url.as_str(), judged.warnings.len()),
            ("http://h/NaN\"NaN", 0)
        );
        assert_eq!(judged.capture.facts.width, None);
    }
}
