//! K: a node is killed at every named fault point, at the moment itself. Another takes over, or the only one is started
//! again. The job lands as if nothing had happened.

use anyhow::{Context as _, Result, ensure};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use trapline_core::{Clock as _, fault};
use trapline_engine::SystemClock;

use super::{
    fleet::QUICK,
    ground::Ground,
    hand::Hand,
    verbs::{BULK, TWO_SLICES},
    world::{SAFE_LEASE, World},
};

const IMAGES: u64 = 12;
/// Worlds at a time.
const SIDE_BY_SIDE: usize = 6;
/// Points that no request leads to: any node may get there first, so the armed one is alone until it has died.
const ANY_NODES: [&str; 5] = [
    fault::COLLECT_SLICE,
    fault::COLLECT_DONE,
    fault::SWEEP_COMMITTED,
    fault::MARKED_LOST,
    fault::CLEANUP_BEFORE_CLEARED,
];
/// What is handed out to nobody for five seconds is lost: else the health check would have nothing to settle here.
const STRICT: [(&str, &str); 4] = [
    SAFE_LEASE,
    ("TRAPLINE_IDLE_POLICY", "strict"),
    ("TRAPLINE_HEALTH_INTERVAL", "1"),
    ("TRAPLINE_STALLED_AFTER", "5"),
];

pub(super) async fn killed_at_every_point(ground: &Ground) -> Result<String> {
    let points: Vec<String> = stream::iter(fault::ALL)
        .map(async |point| {
            let clock = SystemClock::new();
            killed_at(ground, point)
                .await
                .with_context(|| format!("at `{point}`"))?;
            Ok::<_, anyhow::Error>(format!("{point} {:.1} s", clock.monotonic().as_secs_f64()))
        })
        .buffered(SIDE_BY_SIDE)
        .try_collect()
        .await?;
    Ok(format!(
        "{} points, each job landed with exact counts: {}",
        points.len(),
        points.join(", ")
    ))
}

/// One point: a job is brought close to it, the server is armed, and dies there.
async fn killed_at(ground: &Ground, point: &'static str) -> Result<()> {
    let images = if point == fault::COLLECT_SLICE {
        TWO_SLICES
    } else {
        IMAGES
    };
    let settings = match point {
        fault::MARKED_LOST => &STRICT[..],
        _ => &[SAFE_LEASE],
    };
    let mut world = World::new(ground, settings).await?;
    let job = world.new_job(images).await?;
    match point {
        fault::CANCEL_BETWEEN => drop(world.press(job, "run").await?),
        fault::RUN_BEGUN => land(&world, job, images).await?,
        fault::SWEEP_COMMITTED => {
            world.press(job, "run").await?;
            world
                .until_job(job, "it is dispatched", |body| body["counts"]["total"] == images)
                .await?;
            // Taken by a worker that dies: the end of its lease is what the sweep commits.
            Hand::new(&world, job).take_all(3).await?;
        }
        _ => {}
    }
    world
        .arm(&format!("{point}=return"), ANY_NODES.contains(&point))
        .await?;
    press(&world, job, point).await;
    if point == fault::MARKED_LOST {
        // Nobody asks for its tasks.
        world.died_and_taken_over().await?;
        world.landed(job, "FAILURE", 0, images).await?;
    }
    let fleet = world.fleet(BULK)?;
    if point == fault::MARKED_LOST {
        world.press(job, "retry-failed").await?;
    } else {
        world.died_and_taken_over().await?;
    }
    if world.job(job).await?["status"] == "CREATED" {
        // The press itself was cut short, and nothing of it was kept.
        world.press(job, "run").await?;
    }
    if point == fault::CANCEL_BETWEEN {
        revoked(&world, job).await?;
    } else {
        world.landed(job, "SUCCESS", images, 0).await?;
    }
    fleet.stop().await?;
    if !is_struck(ground, point) {
        world.unstruck().await?;
    }
    world.end().await
}

/// Where a strike is not ours, or can't be told from one that is not: a worker died, or the only node that knew that
/// nobody had heard of a grant is gone while others serve the store, so that there is no outage in its rows.
fn is_struck(ground: &Ground, point: &str) -> bool {
    point == fault::SWEEP_COMMITTED || (point == fault::GRANT_COMMITTED && ground.nodes() > 1)
}

async fn land(world: &World<'_>, job: i64, images: u64) -> Result<()> {
    let fleet = world.fleet(QUICK)?;
    world.press(job, "run").await?;
    world.landed(job, "SUCCESS", images, 0).await?;
    fleet.stop().await.map(drop)
}

/// Does what leads to the point. The server may die before it has answered.
async fn press(world: &World<'_>, job: i64, point: &'static str) {
    let verb = match point {
        fault::CANCEL_BETWEEN => "cancel",
        fault::RUN_BEGUN => "retry",
        fault::SWEEP_COMMITTED => return,
        _ => "run",
    };
    if let Err(error) = world.press(job, verb).await {
        tracing::debug!(%error, point, "the server died over its answer");
    }
}

/// A cancel that was cut short is finished by the sweep; what was processed before stays.
async fn revoked(world: &World<'_>, job: i64) -> Result<()> {
    let body = world
        .until_job(job, "the cancel is finished", |body| body["status"] == "REVOKED")
        .await?;
    ensure!(
        body["counts"]["failed"] == 0 && body["run"] == 1,
        "after the cancel: {}",
        body["counts"]
    );
    Ok(())
}
