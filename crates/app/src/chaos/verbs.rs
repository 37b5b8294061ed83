//! Verbs at bad moments: a cancel while the job is dispatched, a run that is pressed twice.

use anyhow::{Result, ensure};

use super::{
    fleet::{Kind, QUICK},
    ground::Ground,
    world::World,
};

/// More than one slice of a collect.
pub(super) const TWO_SLICES: u64 = 2_100;
/// For jobs of that many images.
pub(super) const BULK: Kind = Kind { batch: 200, ..QUICK };

/// I: a job is canceled while it is dispatched. It is REVOKED when the cancel is answered, nothing is handed out, and a
/// retry runs it whole.
pub(super) async fn cancel_while_dispatching(ground: &Ground) -> Result<String> {
    let world = World::new(ground, &[]).await?;
    let fleet = world.fleet(BULK)?;
    let job = world.new_job(TWO_SLICES).await?;
    world.press(job, "run").await?;
    let canceled = world.press(job, "cancel").await?;
    ensure!(
        canceled["status"] == "REVOKED",
        "the cancel was answered with {}",
        canceled["status"]
    );
    let then = world
        .until_job(job, "nothing is in flight", |body| {
            body["counts"]["in_flight"] == 0
        })
        .await?;
    ensure!(
        then["status"] == "REVOKED" && then["counts"]["failed"] == 0,
        "after the cancel: {} {}",
        then["status"],
        then["counts"]
    );
    world.press(job, "retry").await?;
    world.landed(job, "SUCCESS", TWO_SLICES, 0).await?;
    fleet.stop().await?;
    world.end().await?;
    Ok(format!(
        "REVOKED at once, with {} of {TWO_SLICES} tasks collected; SUCCESS on all after a retry",
        canceled["counts"]["total"]
    ))
}

/// J: run is pressed twice at once, and again while the job runs. It runs once.
pub(super) async fn run_pressed_twice(ground: &Ground) -> Result<String> {
    const IMAGES: u64 = 12;
    let world = World::new(ground, &[]).await?;
    let job = world.new_job(IMAGES).await?;
    let (one, other) = futures::join!(world.press(job, "run"), world.press(job, "run"));
    one.and(other)?;
    world.press(job, "run").await?;
    let fleet = world.fleet(QUICK)?;
    let landed = world.landed(job, "SUCCESS", IMAGES, 0).await?;
    ensure!(landed["run"] == 1, "it ran {} times", landed["run"]);
    fleet.stop_after_each_once(IMAGES).await?;
    world.end().await?;
    Ok(format!(
        "run pressed three times, one run, {IMAGES} images handed out once"
    ))
}
