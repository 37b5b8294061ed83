//! An answer of the server: whole, for `--json`, and what this version reads of it.

use std::ops::Deref;

use serde::{Deserialize, Serialize, Serializer, de::DeserializeOwned};
use serde_json::Value;

/// It is printed as it came, fields that this version does not know included.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Value", bound = "T: DeserializeOwned")]
pub(super) struct Answer<T> {
    whole: Value,
    read: T,
}

impl<T: DeserializeOwned> TryFrom<Value> for Answer<T> {
    type Error = serde_json::Error;

    fn try_from(whole: Value) -> Result<Self, Self::Error> {
        let read = T::deserialize(&whole)?;
        Ok(Self { whole, read })
    }
}

impl<T> Serialize for Answer<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.whole.serialize(serializer)
    }
}

impl<T> Deref for Answer<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.read
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use trapline_wire as wire;

    use super::*;

    #[test]
    fn what_this_version_does_not_know_or_miss_is_printed_as_it_came() {
        for (body, level, image) in [
            (json!({"id": 1, "level": "INFO", "shard": {"n": 2}}), "INFO", None),
            (
                json!({"level": "TRACE", "image_id": "7", "score": 0.10}),
                "TRACE",
                Some("7"),
            ),
            (json!({}), "", None),
        ] {
            let line = Answer::<wire::LogLine>::try_from(body.clone()).unwrap();
            assert_eq!((&*line.level, line.image_id.as_deref()), (level, image));
            assert_eq!(json!(line), body);
        }
        for (body, why) in [
            (json!("job 7"), "invalid type"),
            (json!({"id": "x"}), "invalid type"),
            (json!(7), "invalid type"),
        ] {
            let error = Answer::<wire::Job>::try_from(body).unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
        }
    }
}
