//! What a node does beside the work: connections of its own for what no worker waits for, statistics, grants that hold
//! nothing.

use std::{sync::Arc, time::Duration};

use futures::future::join_all;
use sqlx::{Connection as _, PgConnection};
use trapline_core::{
    CaptureId, JobStatus,
    ports::{Posted, Settlement},
};
use trapline_testkit::until;

use crate::{ManualClock, node, races::another_job, support::Databases};

const BOUND: Duration = Duration::from_secs(30);
/// A third of the eight connections of a node.
const SIDE: i64 = 2;

async fn ask(conn: &mut PgConnection, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(conn).await.unwrap()
}

pub(crate) async fn pages_that_hang_take_no_connection_from_a_reserve_or_a_result(databases: Arc<Databases>) {
    let url = databases.fresh().await;
    let world = node(&url, &ManualClock::new()).await;
    let job = another_job(&world, 2).await;
    world.collect().await;
    let (mut locking, mut asking) =
        futures::try_join!(PgConnection::connect(&url), PgConnection::connect(&url)).unwrap();
    let mut lock = locking.begin().await.unwrap();
    sqlx::query("LOCK TABLE ticks IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *lock)
        .await
        .unwrap();
    // Each asks again when the server ends its statement, so that they never give the connections back for long.
    let pages = join_all((0..32).map(async |_| {
        loop {
            world.store.ticks(None, 1).await.unwrap_err();
        }
    }));
    let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'ticks'::regclass";
    let work = async {
        until(
            "the pages hold all connections that they may have",
            BOUND,
            async || {
                let n = ask(&mut asking, waiting).await;
                (n >= SIDE).then_some(()).ok_or_else(|| n.to_string())
            },
        )
        .await;
        for task in world.grant(job, 2, "w").await {
            let item = Settlement {
                receipt: task.0,
                posted: Posted::Success(vec![]),
            };
            world.settle(&[item]).await;
        }
        let head = world.store.job_head(job).await.unwrap().unwrap();
        assert_eq!(head.status, JobStatus::Success);
        assert!(ask(&mut asking, waiting).await <= SIDE);
    };
    tokio::select! {
        _ = pages => unreachable!("they go on for ever"),
        () = work => {}
    }
    lock.rollback().await.unwrap();
}

pub(crate) async fn a_large_collect_is_analysed_and_a_small_one_is_not(databases: Arc<Databases>) {
    let url = databases.fresh().await;
    let world = node(&url, &ManualClock::new()).await;
    let mut conn = PgConnection::connect(&url).await.unwrap();
    let known = "SELECT reltuples::bigint FROM pg_class WHERE relname = 'tasks'";
    for (tasks, analysed) in [(100, false), (10_000, true)] {
        another_job(&world, tasks).await;
        world.collect().await;
        // The first finds that something was added, the second that nothing more was.
        for _ in 0..2 {
            assert!(!world.store.purge().await.unwrap());
        }
        assert_eq!(ask(&mut conn, known).await > 0, analysed, "after {tasks} tasks");
    }
}

pub(crate) async fn a_sweep_marks_grants_that_hold_nothing_and_no_other(databases: Arc<Databases>) {
    let url = databases.fresh().await;
    let world = node(&url, &ManualClock::new()).await;
    let job = another_job(&world, 4).await;
    world.collect().await;
    let answered = world.grant(job, 2, "w").await;
    let half = world.grant(job, 2, "w").await;
    for task in answered.iter().chain(&half[..1]).cloned() {
        world.succeed(task, 0).await;
    }
    world.sweep().await;
    let mut conn = PgConnection::connect(&url).await.unwrap();
    let held: Vec<Vec<i64>> = sqlx::query_scalar("SELECT captures FROM grants WHERE NOT empty")
        .fetch_all(&mut conn)
        .await
        .unwrap();
    let mut captures: Vec<CaptureId> = half.iter().map(|g| g.0.capture).collect();
    captures.sort_unstable();
    assert_eq!(held, [captures.iter().map(|c| c.0).collect::<Vec<_>>()]);
    assert_eq!(world.counts(job).await, [4, 0, 1, 3, 0]);
}
