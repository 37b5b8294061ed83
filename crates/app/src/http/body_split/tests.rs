//! Bodies in any pieces, whole and broken.

use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

fn split(text: &str, chunk: usize) -> (Vec<Item>, Result<(), Malformed>) {
    let mut splitter = Splitter::new(1 << 20);
    let mut end = Ok(());
    for piece in text.as_bytes().chunks(chunk) {
        end = splitter.feed(piece);
        if end.is_err() {
            break;
        }
    }
    let end = end.and_then(|()| splitter.finish());
    (splitter.items.into_iter().collect(), end)
}

#[test]
fn the_shape_of_the_body_is_told_apart() {
    assert_eq!(split("{}", 9).1, Err(Malformed::NoResults));
    assert_eq!(split("", 9).1, Err(Malformed::NoResults));
    assert_eq!(split("[]", 9).1, Err(Malformed::NotAnObject("list")));
    assert_eq!(split(r#"{"results": 7}"#, 9).1, Err(Malformed::NotAList("int")));
    assert_eq!(split(r#"{"results": [] }"#, 9), (vec![], Ok(())));
    for text in [
        r#"{"results": [1 2]}"#,
        r#"{"results": [,]}"#,
        r#"{"results": []]"#,
        "{1}",
        r#"{"a": ]}"#,
        r#"{"a":1,}"#,
    ] {
        assert!(matches!(split(text, 9).1, Err(Malformed::Syntax(_))), "{text}");
    }
}

#[test]
fn what_was_whole_before_the_body_broke_off_is_there() {
    let (items, end) = split(r#"{"results": [{"a": 1}, {"b": [2]}, {"c": "#, 5);
    assert_eq!(items.len(), 2);
    assert_eq!(end, Err(Malformed::BrokeOff));
}

#[test]
fn a_byte_order_mark_before_the_body_is_passed_over_and_nowhere_else() {
    for chunk in 1..6 {
        let (items, end) = split("\u{feff} {\"results\": [1]}", chunk);
        assert_eq!((items.len(), end), (1, Ok(())));
        for text in ["\u{feff}\u{feff}{}", " \u{feff}{}", "{\u{feff}}"] {
            assert!(
                matches!(split(text, chunk).1, Err(Malformed::Syntax(_))),
                "{text}"
            );
        }
    }
    let mut splitter = Splitter::new(9);
    assert!(matches!(splitter.feed(b"\xef\xbb{}"), Err(Malformed::Syntax(_))));
    assert_eq!(split("\u{feff}", 1).1, Err(Malformed::NoResults));
}

#[test]
fn what_a_text_cant_hold_is_mended_in_its_item() {
    let (items, end) = split(
        r#"{"results": [{"a": "\udce4"}, {"a": "\u0000 é"}, {"a": "\\udce4"}]}"#,
        7,
    );
    end.unwrap();
    let expected = [
        r#"{"a": "\ufffd"}"#,
        r#"{"a": "\ufffd é"}"#,
        r#"{"a": "\\udce4"}"#,
    ];
    for (item, expected) in items.iter().zip(expected) {
        assert_eq!(*item, Item::Whole(expected.as_bytes().to_vec()));
    }
}

#[test]
fn an_item_over_its_bound_is_passed_over_alone() {
    let long = "x".repeat(5_000);
    let mut splitter = Splitter::new(1_000);
    splitter
        .feed(format!(r#"{{"results": [{{"a": "{long}"}}, {{"b": 1}}]}}"#).as_bytes())
        .unwrap();
    assert!(matches!(&splitter.items[0], Item::TooLarge(head) if head.starts_with(b"{\"a\": \"x")));
    assert_eq!(splitter.items[1], Item::Whole(br#"{"b": 1}"#.to_vec()));
    splitter.finish().unwrap();
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::vec((any::<String>(), inner), 0..6)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn every_item_comes_out_as_it_went_in(items in proptest::collection::vec(any_json(), 0..8), other in any_json(), chunk in 1usize..40, pretty: bool) {
        let body = json!({"client_info": other, "results": items, "zzz": other});
        let text = if pretty { serde_json::to_string_pretty(&body) } else { serde_json::to_string(&body) }.unwrap();
        let (out, end) = split(&text, chunk);
        prop_assert_eq!(end, Ok(()));
        let out: Vec<Value> = out.iter().map(|i| match i {
            Item::Whole(bytes) => serde_json::from_slice(bytes).unwrap(),
            Item::TooLarge(_) => Value::Null,
        }).collect();
        prop_assert_eq!(out, items);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), chunk in 1usize..9) {
        let mut splitter = Splitter::new(50);
        for piece in bytes.chunks(chunk) {
            if splitter.feed(piece).is_err() { break }
        }
        splitter.finish().ok();
    }
}
