//! The table of docs/worker-protocol.md, row by row.

use serde_json::{Value, json};
use trapline_core::{CaptureId, Timestamp, ports::Posted};

use super::{
    super::body_split::{Item, Splitter},
    tests::{spec, success},
    *,
};

const PAGE: &str = include_str!("../../../../../docs/worker-protocol.md");
const NOW: Timestamp = Timestamp(7);

/// The rows under this heading, each with its cells.
fn rows(heading: &str) -> Vec<[&'static str; 3]> {
    let (_, under) = PAGE.split_once(&format!("## {heading}\n")).unwrap();
    let under = under.split("\n## ").next().unwrap();
    let lines = under.lines().filter(|l| l.starts_with("| ")).skip(2);
    lines
        .map(|line| {
            let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
            cells.try_into().unwrap_or_else(|c| panic!("three cells: {c:?}"))
        })
        .collect()
}

fn code(cell: &str) -> Option<&str> {
    cell.strip_prefix('`')?.strip_suffix('`')
}

/// The text of a result with a value, as it is written in the page, in a place of it.
fn sent(place: &str, value: &str) -> String {
    /// Stands for the value, whose escapes must arrive as they are.
    const MARK: &str = "the value of this row";
    if place == "whole" {
        return code(value).unwrap().to_owned();
    }
    let mut item = success();
    let (parent, name) = code(place).unwrap().rsplit_once('/').unwrap();
    let parent = item.pointer_mut(parent).unwrap();
    match (parent, value) {
        (Value::Object(map), "absent") => {
            map.remove(name).unwrap();
        }
        (Value::Array(list), _) => list[name.parse::<usize>().unwrap()] = json!(MARK),
        (parent, _) => parent[name] = json!(MARK),
    }
    item.to_string()
        .replace(&format!("{MARK:?}"), code(value).unwrap_or_default())
}

/// What is saved of a result that is posted.
fn saved(result: &str) -> Result<Value> {
    let body = format!("{{\"results\": [{{\"reply_subject\": \"r\", \"result\": {result}}}]}}");
    let mut splitter = Splitter::new(1 << 20);
    splitter.feed(body.as_bytes()).unwrap();
    let Some(Item::Whole(bytes)) = splitter.items.pop_front() else {
        panic!("an item: {body}")
    };
    let envelope = envelope(&bytes);
    let spec = spec();
    let context = Context {
        capture: CaptureId(4),
        spec: &spec,
        now: NOW,
    };
    Ok(match read(envelope.result?, &context)?.0 {
        Posted::Success(detections) => {
            json!({ "detections": detections.iter().map(detection).collect::<Vec<_>>() })
        }
        Posted::Fail { detail, .. } => json!({ "error": detail }),
        other => panic!("{other:?}"),
    })
}

fn time(at: Timestamp) -> Value {
    if at == NOW { json!("now") } else { json!(at) }
}

fn detection(d: &Detection) -> Value {
    let classification = |c: &Classification| {
        json!({"label": c.label, "score": c.score, "labels": c.labels, "scores": c.scores, "logits": c.logits,
            "terminal": c.terminal, "inference_seconds": c.inference_seconds, "at": time(c.at)})
    };
    json!({"bbox": d.bbox.map(|b| [b.x1, b.y1, b.x2, b.y2]), "at": time(d.at), "inference_seconds": d.inference_seconds,
        "crop_image_url": d.crop_image_url, "score": d.score,
        "classifications": d.classifications.iter().map(classification).collect::<Vec<_>>()})
}

#[test]
fn each_row_of_the_page_is_what_happens() {
    let rows = rows("What a result may look like");
    assert!(rows.len() > 60, "{} rows", rows.len());
    for [place, value, expected] in rows {
        let row = format!("{place} | {value} | {expected}");
        let outcome = saved(&sent(place, value));
        if let Some(words) = expected.strip_prefix("rejected: ") {
            let said = outcome.unwrap_err().to_string();
            assert!(said.contains(words), "{row}: {said}");
            continue;
        }
        let saved = outcome.unwrap_or_else(|why| panic!("{row}: {why}"));
        if expected == "taken" {
            let usual = self::saved(&success().to_string()).unwrap();
            assert_eq!(saved, usual, "{row}: nothing of it is saved, and nothing refused");
        } else {
            let (place, value) = expected.split_once(" = ").unwrap();
            let value: Value = serde_json::from_str(code(value).unwrap()).unwrap();
            assert_eq!(saved.pointer(code(place).unwrap()), Some(&value), "{row}");
        }
    }
}

/// Every field of the models is in the table, so that one that comes to be read is seen there.
#[test]
fn every_field_that_is_read_has_a_row() {
    let table = rows("What a result may look like");
    let source = include_str!("wire.rs");
    for field in source
        .lines()
        .filter_map(|l| l.trim().strip_prefix("pub(super) ")?.split(':').next())
    {
        let has = |[place, value, _]: &[&str; 3]| place.contains(field) || value.contains(field);
        let skip = field.starts_with("struct") || ["reply_subject", "result"].contains(&field);
        let corner = ["y1", "x2", "y2"].contains(&field);
        assert!(skip || corner || table.iter().any(has), "no row has `{field}`");
    }
}
