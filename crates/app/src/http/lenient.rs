//! Values as upstream's pydantic (version 1) reads them: a number is a text, digits in a text are a number, and the
//! words of truth are many. An array is no object, though serde would take one for a struct.

use std::{borrow::Cow, fmt, marker::PhantomData};

use serde::{Deserialize, Deserializer, de};
use serde_json::Value;
use trapline_core::Timestamp;

type Outcome<T, E> = std::result::Result<T, E>;

/// A float as Python writes it: a whole one keeps its `.0`.
fn float_text(number: f64) -> String {
    format!("{number:?}")
}

fn bool_text(truth: bool) -> &'static str {
    if truth { "True" } else { "False" }
}

/// A number in a text, with blanks around it and underscores between digits, as Python takes it.
fn parse_number(text: &str) -> Option<f64> {
    let text = text.trim();
    if !text.contains('_') {
        return text.parse().ok();
    }
    let bytes = text.as_bytes();
    let digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
    let between = |at: usize| digit(at.checked_sub(1)) && digit(at.checked_add(1));
    if bytes.iter().enumerate().any(|(at, b)| *b == b'_' && !between(at)) {
        return None;
    }
    text.replace('_', "").parse().ok()
}

/// The text that a value stands for; `None` if it is no scalar.
pub(super) fn text_of(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) if number.is_f64() => Some(float_text(number.as_f64()?).into()),
        Value::Number(number) => Some(number.to_string().into()),
        Value::Bool(truth) => Some(bool_text(*truth).into()),
        _ => None,
    }
}

/// The integer that a value stands for: a fraction is cut off, digits in a text are read.
pub(super) fn int_of(value: &Value) -> Option<i64> {
    match value {
        #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
        Value::Number(n) => n
            .as_i64()
            .or_else(|| n.as_f64().filter(|f| f.abs() < 9e15).map(|f| f as i64)),
        Value::String(text) => text.trim().parse().ok(),
        Value::Bool(truth) => Some(i64::from(*truth)),
        _ => None,
    }
}

/// An object, and only that: a derived struct alone would be read from an array too.
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Outcome<Self, D::Error> {
        struct Visitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> de::Visitor<'de> for Visitor<T> {
            type Value = Object<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Outcome<Self::Value, A::Error> {
                T::deserialize(de::value::MapAccessDeserializer::new(map)).map(Object)
            }
        }
        deserializer.deserialize_map(Visitor(PhantomData))
    }
}

/// A text; a number or a truth value is taken for what Python writes for it.
pub(super) struct Loose<'a>(pub(super) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Loose<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Outcome<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Loose<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, v: &'de str) -> Outcome<Self::Value, E> {
                Ok(Loose(Cow::Borrowed(v)))
            }
            fn visit_str<E>(self, v: &str) -> Outcome<Self::Value, E> {
                Ok(Loose(Cow::Owned(v.to_owned())))
            }
            fn visit_i64<E>(self, v: i64) -> Outcome<Self::Value, E> {
                Ok(Loose(Cow::Owned(v.to_string())))
            }
            fn visit_u64<E>(self, v: u64) -> Outcome<Self::Value, E> {
                Ok(Loose(Cow::Owned(v.to_string())))
            }
            fn visit_f64<E>(self, v: f64) -> Outcome<Self::Value, E> {
                Ok(Loose(Cow::Owned(float_text(v))))
            }
            fn visit_bool<E>(self, v: bool) -> Outcome<Self::Value, E> {
                Ok(Loose(Cow::Borrowed(bool_text(v))))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// A scalar that stands for a number.
struct Numeric(&'static str);

impl de::Visitor<'_> for Numeric {
    type Value = f64;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
    fn visit_f64<E>(self, v: f64) -> Outcome<f64, E> {
        Ok(v)
    }
    fn visit_i64<E>(self, v: i64) -> Outcome<f64, E> {
        Ok(v as f64)
    }
    fn visit_u64<E>(self, v: u64) -> Outcome<f64, E> {
        Ok(v as f64)
    }
    fn visit_bool<E>(self, v: bool) -> Outcome<f64, E> {
        Ok(f64::from(u8::from(v)))
    }
    fn visit_str<E: de::Error>(self, v: &str) -> Outcome<f64, E> {
        parse_number(v).ok_or_else(|| E::invalid_value(de::Unexpected::Str(v), &self))
    }
}

/// A number; digits in a string and truth values are taken for one.
#[derive(Clone, Copy)]
pub(super) struct Number(pub(super) f64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Outcome<Self, D::Error> {
        deserializer.deserialize_any(Numeric("a number")).map(Number)
    }
}

/// A number of a long list. `f32` reads the usual one fast; [`LooseFloat`] reads all that upstream takes.
pub(super) trait Float: Copy {
    fn get(self) -> f32;
}

impl Float for f32 {
    fn get(self) -> f32 {
        self
    }
}

/// [`Number`] in 32 bits.
#[derive(Clone, Copy)]
pub(super) struct LooseFloat(f32);

impl Float for LooseFloat {
    fn get(self) -> f32 {
        self.0
    }
}

impl<'de> Deserialize<'de> for LooseFloat {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Outcome<Self, D::Error> {
        let number = deserializer.deserialize_any(Numeric("a number"))?;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "32 bits are what is kept; the range is checked"
        )]
        let number = number as f32;
        if number.is_finite() {
            Ok(Self(number))
        } else {
            Err(de::Error::custom("not a finite number of 32 bits"))
        }
    }
}

/// A truth value in any of pydantic's words.
#[derive(Clone, Copy)]
pub(super) struct Truth(pub(super) bool);

impl<'de> Deserialize<'de> for Truth {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Outcome<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Truth;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true or false")
            }
            fn visit_bool<E>(self, v: bool) -> Outcome<Truth, E> {
                Ok(Truth(v))
            }
            fn visit_u64<E: de::Error>(self, v: u64) -> Outcome<Truth, E> {
                self.visit_f64(v as f64)
            }
            fn visit_i64<E: de::Error>(self, v: i64) -> Outcome<Truth, E> {
                self.visit_f64(v as f64)
            }
            fn visit_f64<E: de::Error>(self, v: f64) -> Outcome<Truth, E> {
                match v {
                    0.0 => Ok(Truth(false)),
                    1.0 => Ok(Truth(true)),
                    _ => Err(E::invalid_value(de::Unexpected::Float(v), &self)),
                }
            }
            fn visit_str<E: de::Error>(self, v: &str) -> Outcome<Truth, E> {
                match v.to_ascii_lowercase().as_str() {
                    "1" | "on" | "t" | "true" | "y" | "yes" => Ok(Truth(true)),
                    "0" | "off" | "f" | "false" | "n" | "no" => Ok(Truth(false)),
                    _ => Err(E::invalid_value(de::Unexpected::Str(v), &self)),
                }
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// A point in time: ISO 8601, or a number of seconds since 1970, or of milliseconds and less if it is large.
#[derive(Clone, Copy)]
pub(super) struct Moment(pub(super) Timestamp);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Outcome<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Moment;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time")
            }
            fn visit_i64<E: de::Error>(self, v: i64) -> Outcome<Moment, E> {
                self.visit_f64(v as f64)
            }
            fn visit_u64<E: de::Error>(self, v: u64) -> Outcome<Moment, E> {
                self.visit_f64(v as f64)
            }
            fn visit_bool<E: de::Error>(self, v: bool) -> Outcome<Moment, E> {
                self.visit_f64(f64::from(u8::from(v)))
            }
            fn visit_f64<E: de::Error>(self, v: f64) -> Outcome<Moment, E> {
                Timestamp::from_number(v).map(Moment).map_err(E::custom)
            }
            fn visit_str<E: de::Error>(self, v: &str) -> Outcome<Moment, E> {
                match parse_number(v) {
                    Some(number) => self.visit_f64(number),
                    None => Timestamp::parse(v).map(Moment).map_err(E::custom),
                }
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read<T: for<'a> Deserialize<'a>>(value: &Value) -> Option<T> {
        serde_json::from_str(&value.to_string()).ok()
    }

    #[test]
    fn a_text_is_what_python_writes() {
        for (value, text) in [
            (json!("x"), "x"),
            (json!(7), "7"),
            (json!(-7), "-7"),
            (json!(1.0), "1.0"),
            (json!(0.25), "0.25"),
            (json!(true), "True"),
            (json!(false), "False"),
        ] {
            assert_eq!(text_of(&value).unwrap(), text);
            let source = value.to_string();
            assert_eq!(serde_json::from_str::<Loose<'_>>(&source).unwrap().0, text);
        }
        assert_eq!(text_of(&json!(null)), None);
        assert_eq!(text_of(&json!(["x"])), None);
    }

    #[test]
    fn numbers_and_truths_are_read_from_texts_as_pydantic_does() {
        for (value, number) in [
            (json!("1.5"), Some(1.5)),
            (json!(" +1e2 "), Some(100.0)),
            (json!("1_000"), Some(1_000.0)),
            (json!("_1"), None),
            (json!("1__0"), None),
            (json!(true), Some(1.0)),
            (json!("wide"), None),
            (json!(null), None),
            (json!([1]), None),
        ] {
            assert_eq!(read::<Number>(&value).map(|n| n.0), number, "{value}");
        }
        for (value, truth) in [
            (json!("Yes"), Some(true)),
            (json!("off"), Some(false)),
            (json!(1), Some(true)),
            (json!(0.0), Some(false)),
            (json!("T"), Some(true)),
            (json!(2), None),
            (json!("maybe"), None),
            (json!(" true"), None),
        ] {
            assert_eq!(read::<Truth>(&value).map(|t| t.0), truth, "{value}");
        }
        assert!(read::<LooseFloat>(&json!("inf")).is_none());
        assert!(read::<LooseFloat>(&json!(1e39)).is_none());
        let ints = [json!(1.9), json!("24"), json!(true), json!("1.0")];
        assert_eq!(ints.each_ref().map(int_of), [Some(1), Some(24), Some(1), None]);
    }

    #[test]
    fn an_array_is_no_object() {
        #[derive(Deserialize)]
        struct Pair {
            a: i64,
        }
        assert_eq!(read::<Object<Pair>>(&json!({"a": 1, "b": []})).unwrap().0.a, 1);
        let error = serde_json::from_str::<Object<Pair>>("[1]")
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains("expected an object"), "{error}");
    }
}

/// A text or a number as text; `None` for whatever else. It refuses nothing.
#[derive(Default)]
pub(super) struct Anything<'a>(pub(super) Option<Cow<'a, str>>);

impl<'de: 'a, 'a> Deserialize<'de> for Anything<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Outcome<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Anything<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }
            fn visit_borrowed_str<E>(self, v: &'de str) -> Outcome<Self::Value, E> {
                Ok(Anything(Some(Cow::Borrowed(v))))
            }
            fn visit_str<E>(self, v: &str) -> Outcome<Self::Value, E> {
                Ok(Anything(Some(Cow::Owned(v.to_owned()))))
            }
            fn visit_i64<E>(self, v: i64) -> Outcome<Self::Value, E> {
                Ok(Anything(Some(v.to_string().into())))
            }
            fn visit_u64<E>(self, v: u64) -> Outcome<Self::Value, E> {
                Ok(Anything(Some(v.to_string().into())))
            }
            fn visit_f64<E>(self, _: f64) -> Outcome<Self::Value, E> {
                Ok(Anything(None))
            }
            fn visit_bool<E>(self, _: bool) -> Outcome<Self::Value, E> {
                Ok(Anything(None))
            }
            fn visit_unit<E>(self) -> Outcome<Self::Value, E> {
                Ok(Anything(None))
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Outcome<Self::Value, A::Error> {
                while seq.next_element::<de::IgnoredAny>()?.is_some() {}
                Ok(Anything(None))
            }
            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Outcome<Self::Value, A::Error> {
                while map.next_entry::<de::IgnoredAny, de::IgnoredAny>()?.is_some() {}
                Ok(Anything(None))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}
