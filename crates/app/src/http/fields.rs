//! The fields of a JSON body, read as leniently as upstream reads them.
//!
//! [`Fields`] collects what is wrong with *all* fields of a body before it refuses it. A read of a wrong field
//! returns a stand-in; [`Fields::check`] comes before any use of what was read.

use axum::{
    extract::{FromRequest, Request},
    http::HeaderMap,
};
use serde_json::{Map, Value, json};
use trapline_core::{Error, Timestamp};

use super::{
    ApiError, AppState,
    bodies::{Allowance, parsed_bytes},
    form,
    json::{as_int, parse, read_bounded, require_json},
};

/// A body larger than this is parsed off the runtime's threads.
const INLINE_BYTES_MAX: usize = 128 << 10;
const REQUIRED: &str = "This field is required.";
/// Faults of one field that an answer tells.
const TOLD_MAX: usize = 100;
/// What is said of a text that no store can hold.
pub(super) const NO_NUL: &str = "Null characters are not allowed.";
const NOT_NULL: &str = "This field may not be null.";

/// The fields of a JSON object, and what is wrong with them.
#[derive(Debug, Default)]
pub struct Fields {
    map: Map<String, Value>,
    errors: Map<String, Value>,
    /// Whether it takes long to free.
    large: bool,
}

impl Drop for Fields {
    /// Millions of values are freed where nobody waits for it.
    fn drop(&mut self) {
        if self.large
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let map = std::mem::take(&mut self.map);
            runtime.spawn_blocking(move || drop(map));
        }
    }
}

impl FromRequest<AppState> for Fields {
    type Rejection = ApiError;

    /// An empty body is an empty object, as upstream has it.
    async fn from_request(request: Request, state: &AppState) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let allowance = parts.extensions.get::<Allowance>();
        let bytes_max = allowance.map_or(state.limits.json_bytes, |a| a.bytes_max);
        let bytes = read_bounded(&parts.headers, body, bytes_max).await?;
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        if let Some(form) = form::parse(&parts.headers, &bytes)? {
            return Self::of(Value::Object(form));
        }
        require_json(&parts.headers)?;
        if bytes.len() <= INLINE_BYTES_MAX {
            return Self::of(parse(&bytes)?);
        }
        if let Some(hold) = allowance.and_then(|a| a.hold.as_ref()) {
            hold.grow_to(parsed_bytes(&bytes))?;
        }
        // It takes long enough to be felt by others: off the runtime's threads, and never on all processors.
        let _turn = state.guards.parsers().acquire().await;
        let parsed = tokio::task::spawn_blocking(move || {
            let mut fields = Self::of(parse(&bytes)?)?;
            fields.large = true;
            Ok(fields)
        })
        .await;
        parsed.unwrap_or_else(|e| {
            Err(Error::internal("the parser of a body panicked")
                .with_source(e)
                .into())
        })
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
                large: false,
            }),
            other => {
                let text = format!("Invalid data. Expected a dictionary, but got {}.", kind(&other));
                Err(ApiError::field("non_field_errors", text))
            }
        }
    }

    /// The fields of a form that was read; none if it is of another kind.
    ///
    /// # Errors
    /// 400 if it is not the form that its headers say it is.
    pub(crate) fn of_form(headers: &HeaderMap, bytes: &[u8]) -> Result<Self, ApiError> {
        let form = form::parse(headers, bytes)?.unwrap_or_default();
        Self::of(Value::Object(form))
    }

    /// The whole body, the same for bodies that say the same.
    #[must_use]
    pub fn text_of_all(&self) -> Vec<u8> {
        serde_json::to_vec(&self.map).unwrap_or_default()
    }

    /// Whether the body has the field at all, for PATCH.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.map.contains_key(name)
    }

    /// Those that are texts, in the order of their names.
    #[must_use]
    pub fn texts(&self) -> Vec<(String, String)> {
        let text = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
        self.map.iter().filter_map(text).collect()
    }

    /// Notes that a field is wrong. Of a long list of faults the first ones are told: the answer must not outgrow
    /// the body that it is about.
    pub fn error(&mut self, name: &str, text: impl Into<String>) {
        let text = Value::String(text.into());
        match self.errors.get_mut(name) {
            Some(Value::Array(texts)) if texts.len() < TOLD_MAX => texts.push(text),
            Some(Value::Array(texts)) if texts.len() == TOLD_MAX => texts.push("... and more".into()),
            Some(Value::Array(_)) => {}
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

    /// The raw values of a form's fields `name.…`, by what follows the dot.
    pub(crate) fn take_below(&mut self, name: &str) -> Vec<(String, Value)> {
        let below = |field: &str| Some(field.strip_prefix(name)?.strip_prefix('.')?.to_owned());
        let fields: Vec<String> = self.map.keys().filter(|f| below(f).is_some()).cloned().collect();
        let taken = fields
            .into_iter()
            .filter_map(|field| Some((below(&field)?, self.map.remove(&field)?)));
        taken.collect()
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
            self.error(name, NO_NUL);
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
        self.required(name, |fields| {
            if fields.map.get(name) == Some(&Value::String(String::new())) {
                // As absent it would pass for 0.
                fields.error(name, "A valid integer is required.");
            }
            fields.maybe_int(name, min)
        })
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
                large: false,
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
    pub fn nested(&mut self, name: &str, mut inner: Self) {
        if !inner.errors.is_empty() {
            self.errors
                .insert(name.to_owned(), Value::Object(std::mem::take(&mut inner.errors)));
        }
    }
}

#[cfg(test)]
mod tests;
