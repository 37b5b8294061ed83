//! Jobs with images whose workers never answer land by themselves, on the share that failed.

use std::time::Duration;

use serde_json::{Value, json};
use trapline_testkit::leave_silent;

use crate::{
    scenarios::{SLUG, world},
    support::{Deployment, World, on_each_deployment},
};

async fn jobs_whose_workers_fall_silent_land_on_the_share_that_failed(on: Deployment) {
    let (world, most) = world(on, 544, "2").await;
    let job_of_20 = async || world.start_job(SLUG, 20).await;
    let (few, half, nearly_all) = (job_of_20().await, job_of_20().await, job_of_20().await);
    futures::join!(
        lands(&world, most, 544, 16, "SUCCESS"),
        lands(&world, few, 20, 3, "SUCCESS"),
        lands(&world, half, 20, 10, "SUCCESS"),
        lands(&world, nearly_all, 20, 18, "FAILURE"),
    );
}

async fn lands(world: &World, job: i64, images: usize, silent: usize, status: &str) {
    leave_silent(&world.admin, job, SLUG, silent, 2).await;
    let landed = world.landed(job, Duration::from_secs(60)).await;
    let done = images - silent;
    assert_eq!(
        stages(&landed),
        json!([
            ["collect", "SUCCESS", 1.0, { "total_images": images }],
            ["process", status, 1.0, { "processed": images, "remaining": 0, "failed": silent, "in_flight": 0 }],
            ["results", status, 1.0, { "captures": done, "detections": 0, "classifications": 0 }],
        ])
    );
    assert_eq!(
        (
            &landed["status"],
            &landed["counts"]["processed"],
            &landed["counts"]["failed"]
        ),
        (&json!(status), &json!(done), &json!(silent))
    );
    let images = world.images(job).await;
    let failed: Vec<_> = images.values().filter(|i| i["state"] == "failed").collect();
    assert_eq!(failed.len(), silent);
    for image in failed {
        let detail = image["detail"].as_str().unwrap();
        assert!(
            detail.starts_with("no answer after 3 hand-out(s), 2 of them counted: to silent of job"),
            "{detail}"
        );
        assert_eq!(
            (&image["reason"], &image["attempts"]),
            (&json!("lost"), &json!(3)),
            "{image}"
        );
    }
}

/// Key, status, progress and parameters of each stage.
fn stages(job: &Value) -> Value {
    let stages = job["progress"]["stages"].as_array().unwrap();
    let params = |stage: &Value| {
        let params = stage["params"].as_array().unwrap().iter();
        Value::Object(
            params
                .map(|p| (p["key"].as_str().unwrap().to_owned(), p["value"].clone()))
                .collect(),
        )
    };
    stages
        .iter()
        .map(|s| json!([s["key"], s["status"], s["progress"], params(s)]))
        .collect()
}

on_each_deployment!(jobs_whose_workers_fall_silent_land_on_the_share_that_failed);
