//! Workers of a project: they register, poll, compute, post until they are answered; some vanish while they ask, some die.

use std::{sync::atomic::Ordering, time::Duration};

use rand::{RngExt as _, rngs::StdRng};
use serde_json::{Value, json};
use tokio::sync::watch;
use trapline_drill::pass;
use trapline_testkit::Client;

use super::Project;
use crate::trial::tasks;

pub(super) const SLUG: &str = "night";
/// Before it asks again, when it was handed nothing or got no answer.
const AGAIN: Duration = Duration::from_millis(300);

/// Works until all jobs have landed, and dies now and then until nothing goes away any more.
pub(super) async fn work(
    project: &Project,
    n: usize,
    mut dice: StdRng,
    over: watch::Receiver<bool>,
    done: watch::Receiver<bool>,
) {
    let mut life = 0;
    while !*done.borrow() {
        life += 1;
        let process = Process {
            project,
            // Every other process is as ADC's.
            instance: n.is_multiple_of(2).then(|| format!("{n}-{life}")),
            definition: project.definition.load(Ordering::Relaxed),
        };
        process.live(&mut dice, &over, &done).await;
    }
}

/// A process from its registration to its death or its next definition.
struct Process<'a> {
    project: &'a Project,
    instance: Option<String>,
    definition: u64,
}

impl Process<'_> {
    async fn live(&self, dice: &mut StdRng, over: &watch::Receiver<bool>, done: &watch::Receiver<bool>) {
        if !self.register().await {
            return pass(AGAIN).await;
        }
        for _ in 0..dice.random_range(5..60) {
            if *done.borrow() {
                return;
            }
            let Some(job) = self.poll(dice).await else {
                pass(AGAIN).await;
                continue;
            };
            let got = self.reserve(job, dice).await;
            if got.is_empty() {
                pass(AGAIN).await;
                continue;
            }
            pass(Duration::from_millis(dice.random_range(0..400))).await;
            if !*over.borrow() && dice.random_ratio(1, 100) {
                self.project.seen().died += 1;
                return;
            }
            let definition = self.definition_for(job, dice).await;
            self.post(job, definition, &got, dice).await;
        }
        if self.project.changes && dice.random_ratio(1, 3) {
            self.project.definition.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn register(&self) -> bool {
        let (n, project) = (self.definition, self.project.id);
        let detector = json!({
            "name": "Detector", "key": format!("detector-{n}"), "task_type": "localization", "version": n,
        });
        let labels = ["moth", "not a moth"];
        let classifier = json!({
            "name": "Classifier", "key": "classifier", "task_type": "classification", "version": n,
            "category_map": { "data": [], "labels": labels, "version": format!("v{n}") },
        });
        let pipeline = json!({
            "name": format!("Night {n}"), "slug": SLUG, "version": n, "algorithms": [detector, classifier], "stages": [],
        });
        let body =
            json!({ "processing_service_name": "gpu", "pipelines": [pipeline], "client_info": self.info() });
        let path = format!("/api/v2/projects/{project}/pipelines/");
        let answer = self.project.worker.try_post(&path, &body).await;
        answer.is_ok_and(|a| a.status == 201)
    }

    fn info(&self) -> Value {
        match &self.instance {
            Some(instance) => json!({ "instance": instance }),
            None => Value::Null,
        }
    }

    async fn poll(&self, dice: &mut StdRng) -> Option<i64> {
        let path = format!("/api/v2/jobs/?ids_only=1&incomplete_only=1&pipeline__slug__in={SLUG}&limit=5");
        let answer = self.project.worker.try_get(&path).await.ok()?;
        let rows = answer.body["results"].as_array()?;
        let row = rows.get(dice.random_range(0..rows.len().max(1)))?;
        row["id"].as_i64()
    }

    async fn reserve(&self, job: i64, dice: &mut StdRng) -> Vec<Value> {
        let body = json!({ "batch_size": dice.random_range(1..17), "client_info": self.info() });
        let path = format!("/api/v2/jobs/{job}/tasks/");
        let asks = self.project.worker.try_post(&path, &body);
        if dice.random_ratio(5, 100) {
            let moment = Duration::from_millis(dice.random_range(1..20));
            let answered = tokio::time::timeout(moment, asks).await.is_ok();
            self.project.seen().vanished += u64::from(!answered);
            return Vec::new();
        }
        asks.await.map(|a| tasks(&a.body)).unwrap_or_default()
    }

    /// By which definition it computes: mostly the job's, as far as it can be had, and else its own.
    async fn definition_for(&self, job: i64, dice: &mut StdRng) -> u64 {
        if !self.project.changes || dice.random_ratio(1, 5) {
            return self.definition;
        }
        let path = format!("/api/v2/jobs/{job}/?logs_limit=1");
        let answer = self.project.worker.try_get(&path).await;
        let version = answer.ok().and_then(|a| a.body["pipeline"]["version"].as_u64());
        version.unwrap_or(self.definition)
    }

    /// Posts until it is answered, on whichever node is there.
    async fn post(&self, job: i64, definition: u64, got: &[Value], dice: &mut StdRng) {
        let results: Vec<Value> = got
            .iter()
            .map(|task| match dice.random_ratio(1, 50) {
                true => trapline_drill::failure(task),
                false => result(task, definition),
            })
            .collect();
        let body = json!({ "results": results });
        let path = format!("/api/v2/jobs/{job}/result/");
        let client: &Client = &self.project.worker;
        loop {
            match client.try_post(&path, &body).await {
                Ok(answer) if answer.status < 500 => return self.answered(job, definition, &answer.body),
                _ => pass(AGAIN).await,
            }
        }
    }

    fn answered(&self, job: i64, definition: u64, answer: &Value) {
        let mut seen = self.project.seen();
        seen.saved += answer["results_queued"].as_u64().unwrap_or(0);
        for detail in crate::trial::gpu::refused(answer) {
            seen.refused.push((job, definition, detail));
        }
    }
}

fn result(task: &Value, definition: u64) -> Value {
    let detector = json!({ "name": "Detector", "key": format!("detector-{definition}") });
    let classification = json!({
        "classification": "moth", "labels": null, "scores": [0.9, 0.1], "logits": [2.2, 0.0], "inference_time": 0.01,
        "algorithm": { "name": "Classifier", "key": "classifier" }, "terminal": true, "timestamp": "2024-06-23T05:00:07Z",
    });
    let detection = json!({
        "source_image_id": task["image_id"], "bbox": { "x1": 1.0, "y1": 2.0, "x2": 30.5, "y2": 40.0 },
        "inference_time": 0.01, "algorithm": detector, "timestamp": "2024-06-23T05:00:07Z", "crop_image_url": null,
        "classifications": [classification],
    });
    json!({
        "reply_subject": task["reply_subject"],
        "result": {
            "pipeline": SLUG, "algorithms": {}, "total_time": 0.1,
            "source_images": [{ "id": task["image_id"], "url": task["image_url"] }], "detections": [detection],
        },
    })
}
