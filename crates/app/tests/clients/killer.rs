//! One image that takes its whole batch with it: only that image is given up (docs/rules.md A6, B8).

use std::{process::Command, time::Duration};

use serde_json::json;
use trapline_testkit::SERVER_TOKEN;

use crate::support::{Deployment, World, on_each_deployment};

const IMAGES: usize = 24;
const KILLER: &str = "/13.jpg";

/// Runs the worker until its job has ended, restarted as by a supervisor each time that it dies; how often it died.
async fn restarted_until_done(world: &World, job: i64, mode: &str) -> usize {
    let mut deaths = 0;
    loop {
        let mut worker = Command::new("python3");
        worker
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/dying.py"))
            .args(["--url", &world.urls(), "--token", SERVER_TOKEN])
            .args(["--job", &job.to_string(), "--killer", KILLER, "--mode", mode]);
        let output = tokio::task::spawn_blocking(move || worker.output())
            .await
            .unwrap()
            .unwrap();
        if output.status.success() {
            return deaths;
        }
        assert_eq!(output.status.code(), None, "it was killed: {output:?}");
        deaths += 1;
        assert!(deaths <= 3, "the image is lost after three deaths");
    }
}

async fn world(on: Deployment) -> (World, i64) {
    let world = World::new(on, &[("NATS_TASK_TTR", "2"), ("NATS_MAX_DELIVER", "2")]).await;
    let pipeline = json!({ "name": "Dying", "slug": "dying", "version": 1, "algorithms": [], "stages": [] });
    let body = json!({ "processing_service_name": "dying", "pipelines": [pipeline] });
    world.admin.post("/api/v2/projects/1/pipelines/", &body).await;
    let job = world.start_job("dying", IMAGES).await;
    (world, job)
}

async fn ended(world: &World, job: i64, reason: &str) {
    let landed = world.landed(job, Duration::from_secs(60)).await;
    let counts = &landed["counts"];
    assert_eq!(
        (&landed["status"], &counts["processed"], &counts["failed"]),
        (&json!("SUCCESS"), &json!(IMAGES - 1), &json!(1))
    );
    for image in world.images(job).await.values() {
        let is_killer = image["url"].as_str().unwrap().ends_with(KILLER);
        assert_eq!(image["state"] == "failed", is_killer, "{image}");
        if is_killer {
            assert_eq!(image["reason"], reason, "{image}");
        }
    }
}

async fn an_image_that_kills_its_worker_each_time_is_lost_alone_out_of_its_batch(on: Deployment) {
    let (world, job) = world(on).await;
    // With its batch, alone in its answer, and alone with its worker.
    assert_eq!(restarted_until_done(&world, job, "die").await, 3);
    ended(&world, job, "lost").await;
}

async fn the_crash_of_a_batch_of_24_that_adc_reports_on_each_image_fails_only_the_bad_one(on: Deployment) {
    let (world, job) = world(on).await;
    assert_eq!(restarted_until_done(&world, job, "report").await, 0);
    ended(&world, job, "worker_error").await;
}

on_each_deployment!(
    an_image_that_kills_its_worker_each_time_is_lost_alone_out_of_its_batch,
    the_crash_of_a_batch_of_24_that_adc_reports_on_each_image_fails_only_the_bad_one,
);
