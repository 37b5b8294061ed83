//! How fields are read, each kind in a few lines.

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
