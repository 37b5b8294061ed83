//! Workers: good ones, dead ones, slow ones, and one that takes and never answers.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::{
    exhaust::exhaust,
    fleet::{Kind, QUICK},
    ground::Ground,
    world::{SHORT_LEASE, World},
};
use crate::cli::client::ServerArgs;

/// A: nothing goes wrong.
pub(super) async fn happy_path(ground: &Ground) -> Result<String> {
    const IMAGES: u64 = 40;
    let world = World::new(ground, &[]).await?;
    let fleet = world.fleet(QUICK)?;
    let job = world.new_job(IMAGES).await?;
    world.press(job, "run").await?;
    let landed = world.landed(job, "SUCCESS", IMAGES, 0).await?;
    fleet.stop_after_each_once(IMAGES).await?;
    world.end().await?;
    Ok(format!(
        "{IMAGES} images, {} detections, each image handed out once",
        landed["counts"]["detections"]
    ))
}

/// F: a worker takes two images as often as it may, and never answers. They are lost, the others are not, and
/// `retry-failed` redeems them.
pub(super) async fn deliveries_exhausted(ground: &Ground) -> Result<String> {
    const IMAGES: u64 = 10;
    const TAKEN: usize = 2;
    let world = World::new(
        ground,
        &[
            ("NATS_TASK_TTR", "1"),
            ("NATS_MAX_DELIVER", "2"),
            ("TRAPLINE_ALLOW_CHAOS", "true"),
        ],
    )
    .await?;
    let job = world.started_job(IMAGES).await?;
    let images = world.images(job).await?;
    let ids: Vec<i64> = images
        .iter()
        .filter_map(|row| row["image_id"].as_str()?.parse().ok())
        .take(TAKEN)
        .collect();
    let client = ServerArgs {
        url: world.url(),
        token: Some(world.token().to_owned()),
        json: false,
    }
    .client()?;
    exhaust(&client, job, &ids, true, |_| {}).await?;

    let fleet = world.fleet(QUICK)?;
    let lost = TAKEN as u64;
    world.landed(job, "SUCCESS", IMAGES - lost, lost).await?;
    for row in world
        .images(job)
        .await?
        .iter()
        .filter(|row| row["state"] == "failed")
    {
        let detail = row["detail"].as_str().unwrap_or_default();
        ensure!(
            row["reason"] == "lost" && row["attempts"] == 2 && detail.matches("chaos").count() == 2,
            "it does not say how often and to whom it went: {row}"
        );
    }
    world.press(job, "retry-failed").await?;
    world.landed(job, "SUCCESS", IMAGES, 0).await?;
    fleet.stop().await?;
    world.end().await?;
    Ok(format!(
        "{TAKEN} of {IMAGES} images lost after 2 hand-outs each, SUCCESS; all processed after retry-failed"
    ))
}

/// G: all workers die with their leases, and others come. The dead ones' tasks are suspects, and nothing is lost.
pub(super) async fn all_workers_die(ground: &Ground) -> Result<String> {
    const IMAGES: u64 = 16;
    let world = World::new(ground, &[SHORT_LEASE]).await?;
    let stuck = Kind {
        takes: Duration::from_secs(600),
        ..QUICK
    };
    let dying = world.fleet(stuck)?;
    let job = world.new_job(IMAGES).await?;
    world.press(job, "run").await?;
    let at_work = world
        .until_job(job, "the workers hold tasks", |body| {
            body["counts"]["in_flight"].as_u64().is_some_and(|n| n >= 8)
        })
        .await?;
    dying.die().await;
    let fleet = world.fleet(QUICK)?;
    world.landed(job, "SUCCESS", IMAGES, 0).await?;
    fleet.stop().await?;
    world.end().await?;
    Ok(format!(
        "{} of {IMAGES} images died with their workers and were processed by others",
        at_work["counts"]["in_flight"]
    ))
}

/// L: a batch takes longer than two leases, and its worker says that it is alive. Nobody else gets it.
pub(super) async fn slow_worker(ground: &Ground) -> Result<String> {
    const IMAGES: u64 = 4;
    // Long enough that a machine that is busy with other things does not end it.
    const LEASE: &str = "3";
    let world = World::new(ground, &[("NATS_TASK_TTR", LEASE)]).await?;
    let slow = Kind {
        workers: 1,
        batch: IMAGES as usize,
        takes: Duration::from_millis(6_500),
    };
    let fleet = world.fleet(slow)?;
    let job = world.started_job(IMAGES).await?;
    world
        .until_job(job, "the slow worker has them", |body| {
            body["counts"]["in_flight"] == IMAGES
        })
        .await?;
    let idle = world.fleet(QUICK)?;
    world.landed(job, "SUCCESS", IMAGES, 0).await?;
    fleet.stop_after_each_once(IMAGES).await?;
    idle.stop_after_each_once(0).await?;
    world.end().await?;
    Ok(format!(
        "{IMAGES} images took {:?} under leases of {} s, each handed out once",
        slow.takes, LEASE
    ))
}
