//! A job of which some images go to workers that never answer, until their hand-outs are spent.

use std::time::Duration;

use serde_json::{Value, json};
use trapline_drill::empty_result;

use crate::{Client, until};

/// How long a task may take to be offered again after its lease.
const SOON: Duration = Duration::from_secs(20);

/// Answers all tasks of a job but `silent`, which are handed out until each has as many strikes as are allowed but one, and once
/// more; returns at the last of these hand-outs. The first one makes suspects and is no strike. They are handed out alone, so each
/// silent worker is a process of its own, and the last try is alone with it.
///
/// # Panics
/// If the server hands out something else.
pub async fn leave_silent(client: &Client, job: i64, slug: &str, silent: usize, max_deliver: usize) {
    let all = until("the job is dispatched", SOON, async || {
        let counts = client.get(&format!("/api/v2/jobs/{job}/")).await["counts"].take();
        let total = counts["total"].as_u64().filter(|total| *total > 0);
        total.ok_or_else(|| counts.to_string())
    })
    .await as usize;
    let honest = reserve(client, job, "honest", all - silent).await;
    let results: Vec<Value> = honest.iter().map(|task| empty_result(task, slug)).collect();
    client
        .post(
            &format!("/api/v2/jobs/{job}/result/"),
            &json!({ "results": results }),
        )
        .await;
    reserve(client, job, "silent", silent).await;
    // Some leases may end while others are still to be handed out, so an image may be ahead of another.
    let mut last = 0;
    while last < silent {
        let alone = reserve(client, job, &format!("silent and alone {last}"), 1).await;
        let attempt = alone[0]["attempt"].as_u64().unwrap() as usize;
        assert!((2..=max_deliver + 1).contains(&attempt), "{alone:?}");
        last += usize::from(attempt == max_deliver + 1);
    }
}

/// As many tasks, as they become free. If they come in several answers, each is to a process of its own: of one that falls
/// silent on several, only the oldest is charged.
async fn reserve(client: &Client, job: i64, instance: &str, count: usize) -> Vec<Value> {
    let mut taken: Vec<Value> = Vec::new();
    until("the tasks are offered", SOON, async || {
        let instance = format!("{instance} of job {job} from {}", taken.len());
        let body = json!({
            "batch_size": count - taken.len(),
            "client_info": { "instance": instance, "hostname": instance },
        });
        let mut answer = client.post(&format!("/api/v2/jobs/{job}/tasks/"), &body).await;
        match answer["tasks"].take() {
            Value::Array(tasks) => taken.extend(tasks),
            other => panic!("no tasks: {other}"),
        }
        if taken.len() == count {
            Ok(std::mem::take(&mut taken))
        } else {
            Err(format!("{} of {count}", taken.len()))
        }
    })
    .await
}
