//! The requests and answers of Trapline's HTTP API (docs/wire.md), for the server, the command line and the worker.
//!
//! Writing is strict: a struct is exactly the contract's shape. Reading is lenient, as the server may be newer or older:
//! unknown fields are ignored, absent ones have defaults, and ids may be strings or integers. What the server reads of a
//! request is not defined here: its handlers take more than the documented shape.
//!
//! A [`serde_json::Value`] or a `RawValue` is passed on as it came.

mod captures;
mod catalog;
mod explain;
mod image;
mod jobs;
mod preflight;
mod server;
mod service;
mod summary;
mod work;
mod workers;

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _, de::IgnoredAny};

pub use captures::*;
pub use catalog::*;
pub use explain::*;
pub use image::*;
pub use jobs::*;
pub use preflight::*;
pub use server::*;
pub use service::*;
pub use summary::*;
pub use work::*;
pub use workers::*;

/// A time: UTC with microseconds, `2026-11-23T16:57:33.766542Z`.
pub type Time = String;

/// A word of a known list, which may be longer on another server.
pub type Word = Cow<'static, str>;

/// Verbs that the caller may use, as `user_permissions` lists them.
#[must_use]
pub fn words(words: &[&'static str]) -> Vec<Word> {
    words.iter().map(|&word| word.into()).collect()
}

/// A field of Antenna's for which Trapline has no value: null.
#[derive(Clone, Copy, Debug, Default)]
pub struct Null;

impl Serialize for Null {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }
}

impl<'de> Deserialize<'de> for Null {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

/// A page of a list by key; of a list by offset, what is needed to read on.
#[derive(Debug, Serialize, Deserialize)]
pub struct Page<T> {
    /// The rows.
    pub results: Vec<T>,
    /// The URL of the next page.
    #[serde(default)]
    pub next: Option<String>,
}

/// A page of a list by offset, as Antenna's.
#[derive(Debug, Serialize)]
pub struct CountedPage<T> {
    /// The number of rows on all pages.
    pub count: u64,
    /// The URL of the next page.
    pub next: Option<String>,
    /// The URL of the page before.
    pub previous: Option<String>,
    /// The rows.
    pub results: Vec<T>,
    /// What the caller may do with the list.
    pub user_permissions: Vec<Word>,
}

/// Most errors.
#[derive(Debug, Serialize)]
pub struct Detail {
    /// What is wrong.
    pub detail: String,
}

fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

fn string_or_integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::String(text) => Ok(text),
        serde_json::Value::Number(number) if number.is_i64() || number.is_u64() => Ok(number.to_string()),
        other => Err(D::Error::custom(format!(
            "an id must be a string or an integer, not {other}"
        ))),
    }
}
