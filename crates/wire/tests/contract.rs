//! The examples of docs/wire.md and the structs have the same fields.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::path::Path;

use serde_json::{Value, json};
use trapline_wire::{
    Claim, CountedPage, Job, Null, RegistrationAnswer, ResultAnswer, ResultStatus, Task, Tasks, no_settings,
};

/// The example that has this field.
fn example(field: &str) -> Value {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/wire.md");
    let text = std::fs::read_to_string(page).unwrap();
    let blocks = text.split("```json\n").skip(1);
    let mut examples = blocks.map(|block| serde_json::from_str(block.split("```").next().unwrap()).unwrap());
    examples
        .find(|example: &Value| example.get(field).is_some())
        .unwrap()
}

/// Compares the fields of objects; an example may leave out what is inside of one.
fn assert_same_fields(example: &Value, ours: &Value) {
    match (example, ours) {
        (Value::Object(theirs), Value::Object(fields)) if !theirs.is_empty() => {
            let names = |map: &serde_json::Map<String, Value>| map.keys().cloned().collect::<Vec<_>>();
            assert_eq!(names(theirs), names(fields));
            theirs
                .iter()
                .for_each(|(name, value)| assert_same_fields(value, &fields[name]));
        }
        (Value::Array(theirs), Value::Array(items)) => {
            theirs
                .iter()
                .zip(items)
                .for_each(|(a, b)| assert_same_fields(a, b));
        }
        _ => {}
    }
}

#[test]
fn a_job_and_a_page_have_the_fields_of_the_contract() {
    let job = Job {
        result: Some(Null),
        ..Job::default()
    };
    assert_same_fields(&example("source_image_single"), &json!(job));
    let page = CountedPage::<Job> {
        count: 2,
        next: None,
        previous: None,
        results: Vec::new(),
        user_permissions: Vec::new(),
    };
    assert_same_fields(&example("previous"), &json!(page));
    assert_same_fields(
        &example("pipelines_created"),
        &json!(RegistrationAnswer::default()),
    );
}

#[test]
fn tasks_and_the_answer_to_results_have_the_fields_of_the_contract() {
    let task = Task {
        id: "4".to_owned(),
        image_id: "4".to_owned(),
        image_url: Some(String::new()),
        receipt: String::new(),
        attempt: Some(1),
        lease_seconds: Some(300_u64.into()),
        config: Some(no_settings()),
    };
    let tasks = json!(Tasks { tasks: vec![task] });
    assert_same_fields(&example("tasks"), &tasks);
    assert_eq!(tasks["tasks"][0]["lease_seconds"].to_string(), "300");
    let status = |status: &'static str, detail: Option<&str>| ResultStatus {
        receipt: String::new(),
        status: status.into(),
        task_id: String::new(),
        detail: detail.map(str::to_owned),
    };
    let answer = ResultAnswer {
        status: Some("accepted".into()),
        job_id: Some(2),
        detail: None,
        results_queued: Some(1),
        tasks: vec![status("queued", None), status("rejected", Some("why"))],
    };
    assert_same_fields(&example("results_queued"), &json!(answer));
}

#[test]
fn what_another_server_leaves_out_adds_or_writes_differently_is_read_all_the_same() {
    for (body, tasks) in [
        (json!({"tasks": null}), 0),
        (json!({"job_id": 3, "shard": {"n": 1}, "tasks": []}), 0),
        (
            json!({"tasks": [{"image_id": 7, "reply_subject": "r", "lease_seconds": 0.5}]}),
            1,
        ),
    ] {
        let claim: Claim = serde_json::from_value(body).unwrap();
        assert_eq!(claim.tasks.len(), tasks);
        assert!(claim.tasks.iter().all(|task| task.image_id == "7"));
    }
    for (body, name) in [
        (json!({}), ""),
        (
            json!({"name": "june", "deployment": {"id": 1}, "result": [1]}),
            "june",
        ),
        (
            json!({"name": "july", "progress": {"stages": [{"params": [{"value": ""}]}]}}),
            "july",
        ),
    ] {
        let job: Job = serde_json::from_value(body).unwrap();
        assert_eq!(job.name, name);
    }
}
