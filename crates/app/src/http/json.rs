//! JSON bodies: bounded, and read as leniently as upstream reads them.
//!
//! [`Fields`] collects what is wrong with *all* fields of a body before it refuses it. A read of a wrong field
//! returns a stand-in; [`Fields::check`] comes before any use of what was read.

use axum::{
    body::Body,
    extract::{FromRequest, Request},
    http::{HeaderMap, header},
};
use futures::StreamExt as _;
use serde_json::{Map, Value, json};
use trapline_core::Timestamp;

use super::{ApiError, AppState};

const REQUIRED: &str = "This field is required.";
const NOT_NULL: &str = "This field may not be null.";

/// The essence of the content type, in lower case; `None` if the header is missing.
#[must_use]
pub fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().unwrap_or("?");
    Some(value.split(';').next().unwrap_or("").trim().to_ascii_lowercase())
}

/// Refuses a body that says that it is something else than JSON.
///
/// # Errors
/// 415.
pub fn require_json(headers: &HeaderMap) -> Result<(), ApiError> {
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
/// 413 if it is larger, 400 if it breaks off.
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
        let chunk = chunk.map_err(|_| ApiError::invalid("the body broke off"))?;
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
    let text = std::str::from_utf8(bytes).map_err(|e| {
        ApiError::invalid(format!(
            "JSON parse error - byte {} is not UTF-8",
            e.valid_up_to()
        ))
    })?;
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

/// The fields of a JSON object, and what is wrong with them.
#[derive(Debug, Default)]
pub struct Fields {
    map: Map<String, Value>,
    errors: Map<String, Value>,
}

impl FromRequest<AppState> for Fields {
    type Rejection = ApiError;

    /// An empty body is an empty object, as upstream has it.
    async fn from_request(request: Request, state: &AppState) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let bytes = read_bounded(&parts.headers, body, state.json_bytes_max).await?;
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        require_json(&parts.headers)?;
        Self::of(parse(&bytes)?)
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "NoneType",
        Value::Bool(_) => "bool",
        Value::Number(n) if n.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "str",
        Value::Array(_) => "list",
        Value::Object(_) => "dict",
    }
}

impl Fields {
    /// The fields of a document.
    ///
    /// # Errors
    /// 400 if it is not an object.
    pub fn of(document: Value) -> Result<Self, ApiError> {
        match document {
            Value::Object(map) => Ok(Self {
                map,
                errors: Map::new(),
            }),
            other => {
                let text = format!("Invalid data. Expected a dictionary, but got {}.", kind(&other));
                Err(ApiError::field("non_field_errors", text))
            }
        }
    }

    /// Whether the body has the field at all, for PATCH.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.map.contains_key(name)
    }

    /// Notes that a field is wrong.
    pub fn error(&mut self, name: &str, text: impl Into<String>) {
        let text = Value::String(text.into());
        match self.errors.get_mut(name) {
            Some(Value::Array(texts)) => texts.push(text),
            _ => {
                self.errors.insert(name.to_owned(), json!([text]));
            }
        }
    }

    /// Refuses the body if any field was wrong.
    ///
    /// # Errors
    /// 400 with all of them.
    pub fn check(&mut self) -> Result<(), ApiError> {
        if self.errors.is_empty() {
            Ok(())
        } else {
            Err(ApiError::fields(std::mem::take(&mut self.errors)))
        }
    }

    /// The raw value; `None` if absent or null.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        self.map.remove(name).filter(|v| !v.is_null())
    }

    fn required<T: Default>(&mut self, name: &str, read: impl FnOnce(&mut Self) -> Option<T>) -> T {
        match self.map.get(name) {
            None => self.error(name, REQUIRED),
            Some(Value::Null) => self.error(name, NOT_NULL),
            Some(_) => return read(self).unwrap_or_default(),
        }
        T::default()
    }

    /// A text that must be there and not be blank, of at most `max` characters.
    pub fn text(&mut self, name: &str, max: usize) -> String {
        self.required(name, |fields| {
            let text = fields.maybe_text(name, max)?;
            if text.is_empty() {
                fields.error(name, "This field may not be blank.");
            }
            Some(text)
        })
    }

    /// A text of at most `max` characters, blanks around it cut off.
    pub fn maybe_text(&mut self, name: &str, max: usize) -> Option<String> {
        let text = match self.take(name)? {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            _ => {
                self.error(name, "Not a valid string.");
                return None;
            }
        };
        if text.contains('\0') {
            self.error(name, "Null characters are not allowed.");
        } else if text.len() > max && text.chars().count() > max {
            self.error(
                name,
                format!("Ensure this field has no more than {max} characters."),
            );
        }
        Some(text)
    }

    /// An integer that must be there, `min` at the least; digit strings are accepted.
    pub fn int(&mut self, name: &str, min: i64) -> i64 {
        self.required(name, |fields| fields.maybe_int(name, min))
    }

    /// An integer, `min` at the least; digit strings are accepted, an empty one is as absent.
    pub fn maybe_int(&mut self, name: &str, min: i64) -> Option<i64> {
        let value = self.take(name)?;
        if value.as_str().is_some_and(str::is_empty) {
            return None;
        }
        match as_int(&value) {
            Some(n) if n >= min => Some(n),
            Some(_) => {
                self.error(
                    name,
                    format!("Ensure this value is greater than or equal to {min}."),
                );
                None
            }
            None => {
                self.error(name, "A valid integer is required.");
                None
            }
        }
    }

    /// A number between two bounds, both included.
    pub fn maybe_number(&mut self, name: &str, min: f64, max: f64) -> Option<f64> {
        let value = self.take(name)?;
        let number = match &value {
            Value::Number(n) => n.as_f64(),
            Value::String(s) => s.trim().parse().ok(),
            _ => None,
        };
        let text = match number.filter(|n| n.is_finite()) {
            None => "A valid number is required.".to_owned(),
            Some(n) if n < min => format!("Ensure this value is greater than or equal to {min}."),
            Some(n) if n > max => format!("Ensure this value is less than or equal to {max}."),
            Some(n) => return Some(n),
        };
        self.error(name, text);
        None
    }

    /// A truth value, in any of upstream's spellings.
    pub fn maybe_bool(&mut self, name: &str) -> Option<bool> {
        let value = self.take(name)?;
        let text = match &value {
            Value::String(text) => text.to_ascii_lowercase(),
            other => other.to_string(),
        };
        match text.as_str() {
            "true" | "t" | "yes" | "y" | "on" | "1" => Some(true),
            "false" | "f" | "no" | "n" | "off" | "0" => Some(false),
            _ => {
                self.error(name, "Must be a valid boolean.");
                None
            }
        }
    }

    /// A time; without an offset it is UTC.
    pub fn maybe_time(&mut self, name: &str) -> Option<Timestamp> {
        let value = self.take(name)?;
        let at = value.as_str().and_then(|text| Timestamp::parse(text).ok());
        if at.is_none() {
            self.error(
                name,
                "Datetime has wrong format. Use one of these formats instead: \
                 YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z].",
            );
        }
        at
    }

    /// A list that must be there.
    pub fn list(&mut self, name: &str) -> Vec<Value> {
        self.required(name, |fields| fields.maybe_list(name))
    }

    /// A list.
    pub fn maybe_list(&mut self, name: &str) -> Option<Vec<Value>> {
        match self.take(name)? {
            Value::Array(list) => Some(list),
            other => {
                self.error(
                    name,
                    format!("Expected a list of items but got type \"{}\".", kind(&other)),
                );
                None
            }
        }
    }

    /// A list of texts, each of at most `max` characters.
    pub fn maybe_texts(&mut self, name: &str, max: usize) -> Option<Vec<String>> {
        let list = self.maybe_list(name)?;
        let mut items = Self::default();
        let texts = list
            .into_iter()
            .filter_map(|item| {
                items.map.insert(name.to_owned(), item);
                items.maybe_text(name, max)
            })
            .collect();
        self.errors.append(&mut items.errors);
        Some(texts)
    }

    /// An object, with its own fields; hand it back to [`Fields::nested`] when it is read.
    pub fn maybe_object(&mut self, name: &str) -> Option<Self> {
        match self.take(name)? {
            Value::Object(map) => Some(Self {
                map,
                errors: Map::new(),
            }),
            other => {
                self.error(
                    name,
                    format!(
                        "Expected a dictionary of items but got type \"{}\".",
                        kind(&other)
                    ),
                );
                None
            }
        }
    }

    /// Takes over what was wrong inside an object.
    pub fn nested(&mut self, name: &str, inner: Self) {
        if !inner.errors.is_empty() {
            self.errors.insert(name.to_owned(), Value::Object(inner.errors));
        }
    }
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

    fn fields(document: Value) -> Fields {
        Fields::of(document).unwrap()
    }

    fn said(mut fields: Fields) -> String {
        format!("{:?}", fields.check().unwrap_err())
    }

    #[test]
    fn all_wrong_fields_are_named_at_once() {
        let mut f = fields(json!({"name": " ", "size": "x", "count": 0, "list": "no", "on": "maybe"}));
        f.text("name", 9);
        f.text("other", 9);
        f.int("size", 1);
        f.int("count", 1);
        f.list("list");
        f.maybe_bool("on");
        let said = said(f);
        for text in [
            "This field may not be blank.",
            "This field is required.",
            "A valid integer is required.",
            "Ensure this value is greater than or equal to 1.",
            "Expected a list of items but got type \\\"str\\\".",
            "Must be a valid boolean.",
        ] {
            assert!(
                said.contains(&format!("{text:?}").replace("\\\\", "\\")) || said.contains(text),
                "{text} in {said}"
            );
        }
    }

    #[test]
    fn digit_strings_and_whole_floats_are_integers() {
        let mut f = fields(json!({"a": "24", "b": 24.0, "c": 24, "d": ""}));
        assert_eq!([f.int("a", 1), f.int("b", 1), f.int("c", 1)], [24; 3]);
        assert_eq!(f.maybe_int("d", 1), None);
        f.check().unwrap();
        let mut f = fields(json!({"a": true}));
        f.int("a", 1);
        assert!(said(f).contains("A valid integer is required."));
    }

    #[test]
    fn nul_and_length_are_refused() {
        let mut f = fields(json!({"a": "x\u{0}y", "b": "é".repeat(256), "c": "é".repeat(255)}));
        f.text("a", 255);
        f.text("b", 255);
        f.text("c", 255);
        let said = said(f);
        assert!(said.contains("Null characters are not allowed."));
        assert!(said.contains("no more than 255 characters"));
        assert!(!said.contains("\"c\""));
    }

    #[test]
    fn a_parse_error_names_its_place_as_upstream_does() {
        let detail = |text: &str| format!("{:?}", parse(text.as_bytes()).unwrap_err());
        assert!(detail("xyz").contains("JSON parse error - Expecting value: line 1 column 1 (char 0)"));
        assert!(detail("{\"a\":\n [1,").contains("Expecting value: line 2 column 5 (char 10)"));
        assert!(detail("{} x").contains("Extra data: line 1 column 4 (char 3)"));
    }
}
