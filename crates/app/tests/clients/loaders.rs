//! Workers that are as ADC's: many processes behind one token and address, each with loaders that take turns and a post in
//! the background (docs/rules.md A3, A6).

use std::{
    process::{Command, Output},
    time::Duration,
};

use serde_json::json;
use trapline_testkit::{SERVER_TOKEN, until};

use crate::{
    scenarios::{SLUG, world, world_with_leases},
    support::{Deployment, World, on_each_deployment},
};

/// One process, to its end.
async fn process(world: &World, job: i64, args: &[&str]) -> Output {
    let mut worker = Command::new("python3");
    worker
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/loaders.py"))
        .args(["--url", &world.urls(), "--token", SERVER_TOKEN])
        .args(["--job", &job.to_string()])
        .args(args);
    tokio::task::spawn_blocking(move || worker.output())
        .await
        .unwrap()
        .unwrap()
}

async fn an_image_that_kills_workers_whose_loaders_take_turns_is_lost_alone(on: Deployment) {
    const IMAGES: usize = 96;
    const KILLER: &str = "/57.jpg";
    let (world, job) = world(on, IMAGES, "2").await;
    let mut deaths = 0;
    // Restarted as by a supervisor, also when it found nothing.
    let landed = until("the job lands", Duration::from_secs(120), async || {
        let args = ["--killer", KILLER, "--ahead", "2"];
        let output = process(&world, job, &args).await;
        let body = world.job(job).await;
        let died = output.status.code().is_none();
        assert!(died || output.status.success(), "{output:?}");
        deaths += usize::from(died);
        match body["status"].as_str() {
            Some("SUCCESS" | "FAILURE") => Ok(body),
            _ => Err(format!("{} after {deaths} death(s)", body["counts"])),
        }
    })
    .await;
    // With its batch, alone in its answer, and alone with its worker.
    assert_eq!(deaths, 3);
    let counts = &landed["counts"];
    assert_eq!(
        (&landed["status"], &counts["processed"], &counts["failed"]),
        (&json!("SUCCESS"), &json!(IMAGES - 1), &json!(1))
    );
    let images = world.images(job).await;
    let lost: Vec<_> = images.values().filter(|i| i["state"] == "failed").collect();
    assert!(lost[0]["url"].as_str().unwrap().ends_with(KILLER), "{lost:?}");
    assert_eq!(lost[0]["reason"], "lost");
}

async fn processes_that_work_steadily_in_turns_lose_no_lease(on: Deployment) {
    const IMAGES: usize = 128;
    let (world, job) = world_with_leases(on, IMAGES, "2", "10").await;
    assert_eq!(world.job(job).await["pipeline"]["slug"], SLUG);
    // A round over the loaders takes longer than a lease of 10 s, and all that is held twice as long. The first answer is due
    // within a lease of the first hand-out, so a busy machine has nearly five seconds for the other seven.
    let args = ["--ahead", "2", "--batch", "8", "--pace", "2.6"];
    let (first, second) = futures::join!(process(&world, job, &args), process(&world, job, &args));
    assert!(
        first.status.success() && second.status.success(),
        "{first:?} {second:?}"
    );
    let landed = world.landed(job, Duration::from_secs(20)).await;
    assert_eq!(landed["counts"]["processed"], IMAGES);
    for image in world.images(job).await.values() {
        assert_eq!(image["attempts"], 1, "handed out once: {image}");
    }
}

on_each_deployment!(
    an_image_that_kills_workers_whose_loaders_take_turns_is_lost_alone,
    processes_that_work_steadily_in_turns_lose_no_lease,
);
