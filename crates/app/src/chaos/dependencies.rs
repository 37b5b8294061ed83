//! Dependencies that fail: a store that takes no writes for a while or for long, projections that are wiped, a disk that
//! is full. What could not be saved was never answered as saved, and no job fails for it.

use std::{process::Command, time::Duration};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use trapline_drill::{Fleet, Server, pass};
use trapline_worker::client::ApiError;

use super::{
    fleet::STEADY,
    ground::{Ground, Links},
    hand::{Hand, successes},
    world::{SAFE_LEASE, World},
};

/// Enough that some are free while the fault lasts.
const IMAGES: u64 = 120;
/// Of them, those that a worker by hand holds while the fault lasts.
const HELD: usize = 3;
/// A result waits for the store no longer than this; by default it is 25 s.
const SHORT_WAIT: (&str, &str) = ("TRAPLINE_SETTLE_WAIT", "1");
/// So long that every lease that was out would be over: each would be a strike, were it not for the outage.
const OUTAGE: Duration = Duration::from_secs(6);

/// B: the store takes no writes for two seconds; on a cluster, nothing passes between the nodes and all they stand on. A
/// result waits for it, and nobody notices.
pub(super) async fn transient_error(ground: &Ground) -> Result<String> {
    const FAULT: Duration = Duration::from_secs(2);
    let world = World::linked(ground, &[]).await?;
    let (job, fleet) = under_way(&world).await?;
    let hand = Hand::new(&world, job);
    let held = hand.take_in_the_end(HELD).await?;
    if let Some(links) = world.links() {
        links.silence();
    }
    let away = world.store_away().await?;
    let fault = async {
        pass(FAULT).await;
        if let Some(links) = world.links() {
            links.heal();
        }
        away.back().await
    };
    let results = successes(&held);
    let (saved, released) = futures::join!(hand.saves(&results), fault);
    released?;
    saved.context("a result that was posted meanwhile waits for the store")?;
    world.landed(job, "SUCCESS", IMAGES, 0).await?;
    world.unstruck().await?;
    fleet.stop().await?;
    let what = world
        .links()
        .map_or("no writes", |_| "store, queue and progress silent");
    world.end().await?;
    Ok(format!(
        "{what} for {FAULT:?}; a result posted meanwhile waited and was saved, none of {IMAGES} failed or was struck"
    ))
}

/// C: queue and progress are wiped while the job runs.
pub(super) async fn progress_lost(ground: &Ground) -> Result<String> {
    let world = World::new(ground, &[("TRAPLINE_ALLOW_CHAOS", "true")]).await?;
    let job = world.started_job(IMAGES).await?;
    let fleet = world.fleet(STEADY)?;
    world.until_processed(job, 4).await?;
    for what in ["progress", "queue"] {
        let flushed = world.post("chaos/flush/", &json!({ "what": what })).await?;
        ensure!(flushed["jobs"] == 1, "there was nothing to wipe: {flushed}");
    }
    world.landed(job, "SUCCESS", IMAGES, 0).await?;
    fleet.stop_after_each_once(IMAGES).await?;
    world.end().await?;
    Ok(format!(
        "progress and queue wiped mid-flight, none of {IMAGES} images failed or was handed out twice"
    ))
}

/// E: the store is away for longer than a result waits, and comes back. On a cluster, queue and progress before it.
pub(super) async fn dependency_down(ground: &Ground) -> Result<String> {
    let world = World::linked(ground, &[SAFE_LEASE, SHORT_WAIT]).await?;
    let (job, fleet) = under_way(&world).await?;
    let mut seen = String::new();
    if let Some(links) = world.links() {
        let done = from_the_store_alone(&world, links, job).await?;
        seen = format!("{done} images processed without queue and progress; ");
    }
    let hand = Hand::new(&world, job);
    let held = hand.take_in_the_end(HELD).await?;
    let away = world.store_away().await?;
    let (refused, ()) = futures::join!(refused_meanwhile(&hand, &held), pass(OUTAGE));
    away.back().await?;
    refused?;
    // The first is never answered: its lease ends after the outage, as that of a worker that died of it.
    hand.saves_in_the_end(&successes(&held[1..])).await?;
    world.landed(job, "SUCCESS", IMAGES, 0).await?;
    world.unstruck().await?;
    fleet.stop().await?;
    world.end().await?;
    Ok(format!(
        "{seen}results and tasks got 503 until the store was back, none of {IMAGES} images failed or was struck"
    ))
}

/// While the projections are away, tasks are handed out from the store and results are saved.
async fn from_the_store_alone(world: &World<'_>, links: &Links, job: i64) -> Result<u64> {
    /// More than the workers can have held when the queue went away.
    const MORE: u64 = 24;
    links.queue.silence();
    links.progress.silence();
    let before = world.until_processed(job, 0).await?;
    let before = before["counts"]["processed"].as_u64().unwrap_or_default();
    world.until_processed(job, before + MORE).await?;
    links.queue.heal();
    links.progress.heal();
    Ok(MORE)
}

/// M: the disk is full, and somebody makes room.
pub(super) async fn disk_full(ground: &Ground) -> Result<String> {
    let world = World::new(ground, &[SAFE_LEASE, SHORT_WAIT]).await?;
    let (job, fleet) = under_way(&world).await?;
    let hand = Hand::new(&world, job);
    let held = hand.take_in_the_end(HELD).await?;
    limit_files(world.node(), "0:unlimited")?;
    let (refused, ()) = futures::join!(refused_meanwhile(&hand, &held), pass(OUTAGE));
    limit_files(world.node(), "unlimited:unlimited")?;
    refused?;
    // The first is never answered: its lease ends after the outage, as that of a worker that died of it.
    hand.saves_in_the_end(&successes(&held[1..])).await?;
    world.landed(job, "SUCCESS", IMAGES, 0).await?;
    world.unstruck().await?;
    fleet.stop().await?;
    world.end().await?;
    Ok(format!(
        "results and tasks got 503 while no byte could be written, none of {IMAGES} images failed or was struck"
    ))
}

/// A job, and workers at work on it.
async fn under_way(world: &World<'_>) -> Result<(i64, Fleet)> {
    let job = world.started_job(IMAGES).await?;
    let fleet = world.fleet(STEADY)?;
    world.until_processed(job, 4).await?;
    Ok((job, fleet))
}

/// What can't be recorded is neither handed out nor answered as saved.
async fn refused_meanwhile(hand: &Hand<'_>, held: &[Value]) -> Result<()> {
    let results = successes(held);
    let (posted, taken) = futures::join!(hand.post(&results), hand.take(1));
    for (what, answer) in [
        ("a result", posted.map(drop)),
        ("a call for tasks", taken.map(drop)),
    ] {
        ensure!(
            matches!(&answer, Err(ApiError::Unavailable { status, .. }) if *status == 503),
            "{what} was not refused with 503: {answer:?}"
        );
    }
    Ok(())
}

/// Bounds the length of every file that the server may write.
fn limit_files(server: &Server, limit: &str) -> Result<()> {
    let status = Command::new("prlimit")
        .args(["--pid", &server.pid()?.to_string()])
        .arg(format!("--fsize={limit}"))
        .status()
        .context("`prlimit` (util-linux) is needed to fill the disk of a server")?;
    ensure!(status.success(), "prlimit failed: {status}");
    Ok(())
}
