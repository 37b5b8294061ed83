//! JSON bodies: bounded, and refused in upstream's words.

use axum::{
    body::Body,
    http::{HeaderMap, StatusCode, header},
};
use futures::StreamExt as _;
use serde_json::Value;

use super::{
    ApiError,
    mend::{Replace, mend},
    timed::Slow,
};

/// The essence of the content type, in lower case; `None` if the header is missing.
#[must_use]
pub fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().unwrap_or("?");
    Some(value.split(';').next().unwrap_or("").trim().to_ascii_lowercase())
}

/// Refuses a body that says that it is packed, by the name of its encoding and with what to do instead.
///
/// # Errors
/// 415.
pub fn require_unpacked(headers: &HeaderMap, instead: &str) -> Result<(), ApiError> {
    for encoding in headers.get_all(header::CONTENT_ENCODING) {
        let encoding = encoding.to_str().unwrap_or("?").trim();
        if !encoding.is_empty() && !encoding.eq_ignore_ascii_case("identity") {
            return Err(ApiError::detail(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                format!("Unsupported content encoding \"{encoding}\" in request; {instead}."),
            ));
        }
    }
    Ok(())
}

/// Refuses a body that says that it is something else than plain JSON. A packed one is refused by its name: a bound
/// on its bytes would bound nothing.
///
/// # Errors
/// 415.
pub fn require_json(headers: &HeaderMap) -> Result<(), ApiError> {
    require_unpacked(headers, "send it unpacked")?;
    match media_type(headers) {
        None => Ok(()),
        Some(t) if t == "application/json" || (t.starts_with("application/") && t.ends_with("+json")) => {
            Ok(())
        }
        Some(t) => Err(ApiError::media_type(&t)),
    }
}

/// Reads a whole body of at most `bytes_max`.
///
/// # Errors
/// 413 if it is larger, 408 if it comes too slowly, 400 if it breaks off.
pub async fn read_bounded(headers: &HeaderMap, body: Body, bytes_max: usize) -> Result<Vec<u8>, ApiError> {
    let declared = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|n| n > bytes_max) {
        return Err(ApiError::too_large(bytes_max));
    }
    let mut bytes = Vec::with_capacity(declared.unwrap_or(0).min(bytes_max));
    let mut stream = body.into_data_stream();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|error| match Slow::of(&error) {
            Some(slow) => ApiError::too_slow(slow.to_string()),
            None => ApiError::invalid("the body broke off"),
        })?;
        if bytes.len() + chunk.len() > bytes_max {
            return Err(ApiError::too_large(bytes_max));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// Parses a document, with upstream's words for what is wrong with it.
///
/// # Errors
/// 400 `{"detail": "JSON parse error - …: line 1 column 1 (char 0)"}`.
pub fn parse(bytes: &[u8]) -> Result<Value, ApiError> {
    // What editors write in front is no part of the document.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|e| {
        ApiError::invalid(format!(
            "JSON parse error - byte {} is not UTF-8",
            e.valid_up_to()
        ))
    })?;
    // Python writes lone surrogates, which no text can hold.
    if text.contains("\\ud") || text.contains("\\uD") {
        let mut mended = text.as_bytes().to_vec();
        mend(&mut mended, Replace::Surrogates);
        return serde_json::from_slice(&mended).map_err(|e| parse_error(&e, text));
    }
    serde_json::from_str(text).map_err(|e| parse_error(&e, text))
}

/// The words of a parse error. `text` is what was parsed, for the offset.
#[must_use]
pub fn parse_error(error: &serde_json::Error, text: &str) -> ApiError {
    let said = error.to_string();
    let said = said
        .rsplit_once(" at line ")
        .map_or(said.as_str(), |(what, _)| what);
    let what = match said {
        "expected value" | "expected ident" | "EOF while parsing a value" => "Expecting value",
        "EOF while parsing a string" => "Unterminated string",
        "key must be a string" | "trailing comma" => "Expecting property name enclosed in double quotes",
        "expected `:`" => "Expecting ':' delimiter",
        "trailing characters" => "Extra data",
        s if s.starts_with("expected `,`") || s.starts_with("EOF while parsing") => "Expecting ',' delimiter",
        s => s,
    };
    // The parser counts the bytes that it has read; upstream names the place where it stands.
    let column = if error.is_eof() {
        error.column() + 1
    } else {
        error.column().max(1)
    };
    let line = error.line().max(1);
    let before: usize = text.split_inclusive('\n').take(line - 1).map(str::len).sum();
    let at = before + column - 1;
    ApiError::invalid(format!(
        "JSON parse error - {what}: line {line} column {column} (char {at})"
    ))
}

/// An integer as upstream coerces it: a number without a fraction, or its digits as a string.
#[must_use]
pub fn as_int(value: &Value) -> Option<i64> {
    match value {
        #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
        Value::Number(n) => n.as_i64().or_else(|| {
            n.as_f64()
                .filter(|f| f.fract() == 0.0 && f.abs() < 9e15)
                .map(|f| f as i64)
        }),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parse_error_names_its_place_as_upstream_does() {
        let detail = |text: &str| format!("{:?}", parse(text.as_bytes()).unwrap_err());
        assert!(detail("xyz").contains("JSON parse error - Expecting value: line 1 column 1 (char 0)"));
        assert!(detail("{\"a\":\n [1,").contains("Expecting value: line 2 column 5 (char 10)"));
        assert!(detail("{} x").contains("Extra data: line 1 column 4 (char 3)"));
    }

    #[test]
    fn a_byte_order_mark_is_passed_over_and_a_lone_surrogate_replaced() {
        let document = parse("\u{feff}{\"a\": \"\\ud800\\n\"}".as_bytes()).unwrap();
        assert_eq!(document, serde_json::json!({"a": "\u{fffd}\n"}));
    }
}
