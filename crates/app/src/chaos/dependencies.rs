//! Dependencies that fail: a store that takes no writes for a while or for long, projections that are wiped, a disk that
//! is full. What could not be saved was never answered as saved, and no job fails for it.

use std::{process::Command, time::Duration};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use trapline_backends::sqlite::WriteLock;
use trapline_worker::client::ApiError;

use super::{
    fleet::{Fleet, STEADY},
    hand::{Hand, successes},
    server::Server,
    wait::last,
    world::{SHORT_LEASE, World},
};

/// Enough that some are free while the fault lasts.
const IMAGES: u64 = 60;
/// Of them, those that a worker by hand holds while the fault lasts.
const HELD: usize = 2;
/// A result waits for the store no longer than this; by default it is 25 s.
const SHORT_WAIT: (&str, &str) = ("TRAPLINE_SETTLE_WAIT", "1");

/// B: the store takes no writes for two seconds. A result waits for it, and nobody notices.
pub(super) async fn transient_error() -> Result<String> {
    const FAULT: Duration = Duration::from_secs(2);
    let world = World::new(&[]).await?;
    let (job, held) = half_done(&world).await?;
    let (fleet, hand) = (Fleet::start(&world.server, STEADY)?, Hand::new(&world, job));
    world.until_processed(job, 4).await?;
    let lock = WriteLock::hold(&world.server.database()).await?;
    let fault = async {
        last(FAULT).await;
        lock.release().await.context("the lock is let go")
    };
    let results = successes(&held);
    let (saved, released) = futures::join!(hand.saves(&results), fault);
    released?;
    saved.context("a result that was posted meanwhile waits for the store")?;
    world.landed(job, "SUCCESS", IMAGES, 0).await?;
    fleet.stop().await?;
    world.end().await?;
    Ok(format!(
        "no writes for {FAULT:?}; a result posted meanwhile waited and was saved, none of {IMAGES} failed"
    ))
}

/// C: queue and progress are wiped while the job runs.
pub(super) async fn progress_lost() -> Result<String> {
    let world = World::new(&[("TRAPLINE_ALLOW_CHAOS", "true")]).await?;
    let job = world.started_job(IMAGES).await?;
    let fleet = Fleet::start(&world.server, STEADY)?;
    world.until_processed(job, 4).await?;
    for what in ["progress", "queue"] {
        let flushed = world.post("chaos/flush/", &json!({ "what": what })).await?;
        ensure!(flushed["jobs"] == 1, "there was nothing to wipe: {flushed}");
    }
    world.landed(job, "SUCCESS", IMAGES, 0).await?;
    world.handed_out_once(job).await?;
    fleet.stop().await?;
    world.end().await?;
    Ok(format!(
        "progress and queue wiped mid-flight, none of {IMAGES} images failed or was handed out twice"
    ))
}

/// E: the store takes no writes for longer than a result waits, and comes back.
pub(super) async fn dependency_down() -> Result<String> {
    let world = World::new(&[SHORT_LEASE, SHORT_WAIT]).await?;
    let (job, held) = half_done(&world).await?;
    let (fleet, hand) = (Fleet::start(&world.server, STEADY)?, Hand::new(&world, job));
    world.until_processed(job, 4).await?;
    let lock = WriteLock::hold(&world.server.database()).await?;
    let refused = refused_meanwhile(&hand, &held).await;
    lock.release().await?;
    refused?;
    hand.saves_in_the_end(&successes(&held)).await?;
    world.landed(job, "SUCCESS", IMAGES, 0).await?;
    fleet.stop().await?;
    world.end().await?;
    Ok(format!(
        "results and tasks got 503 until the store was back, none of {IMAGES} images failed"
    ))
}

/// M: the disk is full, and somebody makes room.
pub(super) async fn disk_full() -> Result<String> {
    let world = World::new(&[SHORT_LEASE, SHORT_WAIT]).await?;
    let (job, held) = half_done(&world).await?;
    let (fleet, hand) = (Fleet::start(&world.server, STEADY)?, Hand::new(&world, job));
    world.until_processed(job, 4).await?;
    limit_files(&world.server, "0:unlimited")?;
    let refused = refused_meanwhile(&hand, &held).await;
    limit_files(&world.server, "unlimited:unlimited")?;
    refused?;
    hand.saves_in_the_end(&successes(&held)).await?;
    world.landed(job, "SUCCESS", IMAGES, 0).await?;
    fleet.stop().await?;
    world.end().await?;
    Ok(format!(
        "results and tasks got 503 while no byte could be written, none of {IMAGES} images failed"
    ))
}

/// A started job, and some of its tasks in hand.
async fn half_done(world: &World) -> Result<(i64, Vec<Value>)> {
    let job = world.started_job(IMAGES).await?;
    let held = Hand::new(world, job).take_all(HELD).await?;
    Ok((job, held))
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
