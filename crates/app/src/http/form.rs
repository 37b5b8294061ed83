//! Form bodies, as Antenna's own tests and HTML forms send them: every value is a text, which the fields coerce. Of a
//! repeated name the last value counts. Files are not taken this way.

use axum::http::{HeaderMap, header};
use serde_json::{Map, Value};

use super::{ApiError, json::media_type};

/// The fields of a form; `None` if the content type is not a form's.
///
/// # Errors
/// 400 if it can't be read as what it says it is.
pub(super) fn parse(headers: &HeaderMap, bytes: &[u8]) -> Result<Option<Map<String, Value>>, ApiError> {
    let pairs = match media_type(headers).as_deref() {
        Some("application/x-www-form-urlencoded") => urlencoded(bytes),
        Some("multipart/form-data") => boundary(headers).and_then(|boundary| multipart(bytes, &boundary)),
        _ => return Ok(None),
    };
    let pairs = pairs
        .ok_or_else(|| ApiError::invalid("Form parse error - the body is not the form that it says it is"))?;
    let fields = pairs
        .into_iter()
        .map(|(name, value)| (name, Value::String(value)));
    Ok(Some(fields.collect()))
}

fn urlencoded(bytes: &[u8]) -> Option<Vec<(String, String)>> {
    let mut url = reqwest::Url::parse("http://form.invalid/").ok()?;
    url.set_query(Some(std::str::from_utf8(bytes).ok()?));
    Some(url.query_pairs().into_owned().collect())
}

fn boundary(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    parameter(value, "boundary").filter(|b| !b.is_empty())
}

/// A parameter of a header's value, out of its quotes.
fn parameter(value: &str, name: &str) -> Option<String> {
    value.split(';').skip(1).find_map(|part| {
        let (key, value) = part.split_once('=')?;
        key.trim()
            .eq_ignore_ascii_case(name)
            .then(|| value.trim().trim_matches('"').to_owned())
    })
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// The text fields of a multipart form.
fn multipart(bytes: &[u8], boundary: &str) -> Option<Vec<(String, String)>> {
    let delimiter = format!("\r\n--{boundary}");
    let mut pairs = Vec::new();
    let mut rest = bytes.strip_prefix(&delimiter.as_bytes()[2..])?;
    while !rest.starts_with(b"--") {
        rest = rest.strip_prefix(b"\r\n")?;
        let end = find(rest, delimiter.as_bytes())?;
        let part = &rest[..end];
        let body = find(part, b"\r\n\r\n")?;
        let head = std::str::from_utf8(&part[..body]).ok()?;
        let disposition = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-disposition").then_some(value)
        })?;
        if parameter(disposition, "filename").is_some() {
            return None;
        }
        let value = std::str::from_utf8(&part[body + 4..]).ok()?;
        pairs.push((parameter(disposition, "name")?, value.to_owned()));
        rest = &rest[end + delimiter.len()..];
    }
    Some(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(content_type: &'static str, body: &str) -> Option<Value> {
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, content_type.parse().unwrap())]);
        parse(&headers, body.as_bytes()).ok().flatten().map(Value::Object)
    }

    #[test]
    fn a_form_is_an_object_of_texts() {
        let encoded = "application/x-www-form-urlencoded; charset=utf-8";
        assert_eq!(
            read(encoded, "name=June+night%20%C3%A9&delay=0&delay=1&a=b=c&empty="),
            Some(json!({"name": "June night é", "delay": "1", "a": "b=c", "empty": ""}))
        );
        assert_eq!(read(encoded, ""), Some(json!({})));
        assert_eq!(read("application/json", "{}"), None);
    }

    #[test]
    fn a_multipart_form_is_an_object_of_texts_and_takes_no_file() {
        let multipart = "multipart/form-data; boundary=\"BoUnDaRy\"";
        let part = |name: &str, value: &str| {
            format!("--BoUnDaRy\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        let body = format!("{}{}--BoUnDaRy--\r\n", part("name", "a\r\nb"), part("delay", "0"));
        assert_eq!(
            read(multipart, &body),
            Some(json!({"name": "a\r\nb", "delay": "0"}))
        );
        assert_eq!(read(multipart, "--BoUnDaRy--\r\n"), Some(json!({})));
        let file = part("f\"; filename=\"x", "bytes");
        for broken in [
            format!("{file}--BoUnDaRy--"),
            part("name", "x"),
            "x".to_owned(),
            "--BoUnDaRy".to_owned(),
        ] {
            assert_eq!(read(multipart, &broken), None, "{broken}");
        }
        assert_eq!(read("multipart/form-data", &body), None);
    }
}
