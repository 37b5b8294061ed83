//! Lists of captures, line by line: what uploads and manifests are made of.
//!
//! A line is judged alone, so that one bad line rejects that line only.

mod reader;
mod split;

use serde_json::Value;
use trapline_core::{TakenAt, catalog::NewCapture, time::head};

pub use self::{
    reader::{Line, Reader},
    split::{Record, Splitter},
};

/// A record is never longer (RULES.md B10).
pub const LINE_BYTES_MAX: usize = 64 << 10;

/// How the records of a list are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// A URL.
    Text,
    /// A JSON object with `url` and, if known, `taken_at`, `width`, `height`; or a JSON string, the URL.
    Json,
    /// Values in the order of a header.
    Csv(Columns),
}

/// Where in a CSV line each value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns {
    url: usize,
    taken_at: Option<usize>,
    width: Option<usize>,
    height: Option<usize>,
}

impl Columns {
    /// Reads the first line of a CSV list. Columns that are not known are passed over.
    ///
    /// # Errors
    /// A text that says what the header lacks.
    pub fn parse(header: &[u8]) -> Result<Self, String> {
        // What spreadsheets write in front.
        let header = header.strip_prefix(b"\xef\xbb\xbf").unwrap_or(header);
        let names = csv_values(header)?;
        let at = |name: &str| names.iter().position(|n| n.trim().eq_ignore_ascii_case(name));
        Ok(Self {
            url: at("url").ok_or("the first line of a CSV list must name the column `url`")?,
            taken_at: at("taken_at"),
            width: at("width"),
            height: at("height"),
        })
    }
}

fn csv_values(line: &[u8]) -> Result<Vec<String>, String> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(line);
    let mut record = csv::StringRecord::new();
    match reader.read_record(&mut record) {
        Ok(_) => Ok(record.iter().map(str::to_owned).collect()),
        Err(_) => Err("the line is not UTF-8".to_owned()),
    }
}

/// Reads one record. An empty URL is a capture that will fail `no_url`; a blank line is no record, skip it before.
///
/// # Errors
/// A text that says why the record is rejected.
pub fn parse_capture_line(format: &Format, bytes: &[u8], allow_file: bool) -> Result<NewCapture, String> {
    if bytes.len() > LINE_BYTES_MAX {
        return Err(too_long());
    }
    match format {
        Format::Text => {
            let url = std::str::from_utf8(bytes)
                .map_err(|_| "the line is not UTF-8")?
                .trim();
            capture(url, None, None, None, allow_file)
        }
        Format::Json => {
            let value = serde_json::from_slice(bytes).map_err(|e| format!("not JSON: {e}"))?;
            from_json(&value, allow_file)
        }
        Format::Csv(columns) => {
            let values = csv_values(bytes)?;
            let value = |at: Option<usize>| {
                at.and_then(|at| values.get(at))
                    .map(|v| v.trim())
                    .filter(|v| !v.is_empty())
            };
            let pixels = |at, name: &str| {
                value(at)
                    .map(|v| v.parse().map_err(|_| not_pixels(name)))
                    .transpose()
            };
            let url = values
                .get(columns.url)
                .ok_or("the line has no value in the column `url`")?;
            let width = pixels(columns.width, "width")?;
            let height = pixels(columns.height, "height")?;
            capture(url.trim(), value(columns.taken_at), width, height, allow_file)
        }
    }
}

/// Reads a capture as JSON has it, as the inline captures of a job too.
///
/// # Errors
/// A text that says why it is rejected.
pub fn from_json(value: &Value, allow_file: bool) -> Result<NewCapture, String> {
    let fields = match value {
        Value::String(url) => return capture(url, None, None, None, allow_file),
        Value::Object(fields) => fields,
        _ => return Err("not an object".to_owned()),
    };
    let get = |name: &str| fields.get(name).filter(|v| !v.is_null());
    let url = match fields.get("url") {
        None => return Err("`url` is missing".to_owned()),
        Some(Value::Null) => "",
        Some(Value::String(url)) => url,
        Some(_) => return Err("`url` is not a string".to_owned()),
    };
    let taken_at = match get("taken_at") {
        None => None,
        Some(Value::String(at)) if at.is_empty() => None,
        Some(Value::String(at)) => Some(at.as_str()),
        Some(_) => return Err("`taken_at` is not a string".to_owned()),
    };
    let pixels = |name: &str| match get(name) {
        None => Ok(None),
        Some(v) => crate::http::json::as_int(v)
            .map(Some)
            .ok_or_else(|| not_pixels(name)),
    };
    capture(url, taken_at, pixels("width")?, pixels("height")?, allow_file)
}

fn not_pixels(name: &str) -> String {
    format!("`{name}` is not a whole number of pixels")
}

fn too_long() -> String {
    format!("longer than {LINE_BYTES_MAX} bytes")
}

fn capture(
    url: &str,
    taken_at: Option<&str>,
    width: Option<i64>,
    height: Option<i64>,
    allow_file: bool,
) -> Result<NewCapture, String> {
    check_url(url, allow_file)?;
    for (name, pixels) in [("width", width), ("height", height)] {
        if pixels.is_some_and(|n| !(1..=i64::from(u32::MAX)).contains(&n)) {
            return Err(not_pixels(name));
        }
    }
    let taken_at = taken_at.map(TakenAt::parse).transpose()?;
    Ok(NewCapture {
        url: url.to_owned(),
        taken_at,
        width,
        height,
        ..NewCapture::default()
    })
}

/// The server never fetches a URL; it only keeps those from workers that they must not follow.
fn check_url(url: &str, allow_file: bool) -> Result<(), String> {
    if url.is_empty() {
        return Ok(());
    }
    if url.chars().any(char::is_control) {
        return Err("the URL holds a control character".to_owned());
    }
    if url.len() > LINE_BYTES_MAX {
        return Err(too_long());
    }
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err(format!("`{}` is not a URL", head(url, 100)));
    };
    let scheme = scheme.to_ascii_lowercase();
    match scheme.as_str() {
        "http" | "https" if rest.is_empty() || rest.starts_with('/') => {
            Err(format!("the URL `{}` names no host", head(url, 100)))
        }
        "http" | "https" => Ok(()),
        "file" if allow_file => Ok(()),
        _ => Err(format!(
            "the scheme `{}` is not allowed, only http and https",
            head(&scheme, 20)
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_http_or_where_allowed_file() {
        let read = |line: &str, file| parse_capture_line(&Format::Text, line.as_bytes(), file);
        assert!(read("https://h/a b.jpg", false).is_ok());
        assert!(read("", false).is_ok());
        assert!(read("file:///a.jpg", true).is_ok());
        assert!(read("HTTP://h/a", false).is_ok());
        for bad in [
            "file:///a.jpg",
            "ftp://h/a",
            "a.jpg",
            "http://",
            "http:///a",
            "http://h/\u{0}",
        ] {
            assert!(read(bad, false).is_err(), "{bad}");
        }
    }

    #[test]
    fn csv_values_are_found_by_their_header() {
        let format = Format::Csv(Columns::parse(b"\xef\xbb\xbfwidth,URL,x,taken_at").unwrap());
        let read = |line: &str| parse_capture_line(&format, line.as_bytes(), false);
        let full = read("640,\"http://h/a,b\",?,2024-06-23T05:00:07").unwrap();
        assert_eq!(
            (full.url.as_str(), full.width, full.height),
            ("http://h/a,b", Some(640), None)
        );
        assert_eq!(full.taken_at.unwrap().to_string(), "2024-06-23T05:00:07");
        assert_eq!(read(",http://h/a").unwrap().width, None);
        assert!(read("wide,http://h/a").is_err());
        assert!(read("640").is_err());
        assert!(Columns::parse(b"image,width").is_err());
    }

    #[test]
    fn json_captures_are_objects_or_urls() {
        let read = |line: &str| parse_capture_line(&Format::Json, line.as_bytes(), false);
        assert_eq!(
            read(r#"{"url": "http://h/a", "width": "64", "taken_at": null}"#)
                .unwrap()
                .width,
            Some(64)
        );
        assert_eq!(read(r#""http://h/a""#).unwrap().url, "http://h/a");
        assert_eq!(read(r#"{"url": null}"#).unwrap().url, "");
        for bad in [
            "{}",
            "[]",
            "{",
            r#"{"url": 1}"#,
            r#"{"url": "http://h", "width": 0}"#,
            r#"{"url":"http://h","taken_at":"x"}"#,
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
