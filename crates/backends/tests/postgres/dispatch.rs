//! Two nodes that start and dispatch at once.

use std::{sync::Arc, time::Duration};

use sqlx::{Connection as _, PgConnection};
use trapline_backends::{PostgresStore, postgres::PostgresOptions};
use trapline_core::{
    Clock as _, JobStatus,
    job::JobMove,
    ports::{Catalog, Claim, OffsetPage, Pulse, Slice, Store},
};
use trapline_testkit::{ManualClock, RealClock, conformance::World};

use crate::{
    node,
    races::{another_job, success},
    support::Databases,
    two_nodes,
};

const CLAIM: Duration = Duration::from_secs(30);

pub(crate) async fn two_nodes_that_start_on_an_empty_database_make_one_schema(databases: Arc<Databases>) {
    let url = databases.empty().await;
    let start = || PostgresStore::connect(&url, PostgresOptions::default());
    let (a, b, c) = tokio::join!(start(), start(), start());
    let all = OffsetPage { limit: 9, offset: 0 };
    for store in [a, b, c] {
        let store = store.unwrap();
        assert_eq!(store.projects(None, all).await.unwrap().count, 1);
        store.close().await;
    }
}

pub(crate) async fn store_time_is_the_databases_and_goes_on(databases: Arc<Databases>) {
    let url = databases.fresh().await;
    let store = PostgresStore::connect(&url, PostgresOptions::default())
        .await
        .unwrap();
    let clock = RealClock::new();
    let pulse = |first| Pulse {
        first,
        grace: Duration::from_secs(60),
        clock: &clock,
        last: None,
    };
    let first = store.heartbeat(&pulse(true)).await.unwrap();
    let second = store.heartbeat(&pulse(false)).await.unwrap();
    assert!(second.now > first.now && second.gap.is_none());
    let real = clock.now();
    let off = real.since(second.now).max(second.now.since(real));
    assert!(off < Duration::from_secs(60), "{off:?}, on one machine");
    store.stopped_cleanly().await.unwrap();
    assert!(store.heartbeat(&pulse(true)).await.unwrap().gap.is_none());
}

async fn claim(w: &World) -> Claim {
    w.store.claim_job(w.now(), CLAIM, 7).await.unwrap().unwrap()
}

async fn collect(w: &World, mut claim: Claim) -> Slice {
    loop {
        match w.store.collect_slice(&claim, w.now(), CLAIM).await.unwrap() {
            Slice::More(to) => claim.watermark = to,
            end => return end,
        }
    }
}

/// Its first statement waits for the row that another dispatcher is just taking.
pub(crate) async fn a_dispatcher_that_wakes_up_late_writes_nothing(databases: Arc<Databases>) {
    let (url, clock) = (databases.fresh().await, ManualClock::new());
    let w = node(&url, &clock).await;
    let job = another_job(&w, 3_000).await;
    let late = claim(&w).await;
    let mut other = PgConnection::connect(&url).await.unwrap();
    let mut tx = other.begin().await.unwrap();
    sqlx::query("UPDATE jobs SET dispatch_epoch = dispatch_epoch + 1")
        .execute(&mut *tx)
        .await
        .unwrap();
    let mut slice = Box::pin(w.store.collect_slice(&late, w.now(), CLAIM));
    let waits = tokio::time::timeout(Duration::from_millis(300), &mut slice).await;
    assert!(waits.is_err(), "the row is locked");
    tx.commit().await.unwrap();
    assert_eq!(slice.await.unwrap(), Slice::Fenced);
    let tasks: i64 = sqlx::query_scalar("SELECT count(*) FROM tasks")
        .fetch_one(&mut other)
        .await
        .unwrap();
    assert_eq!(tasks, 0);
    assert_eq!(w.job(job).await.counts.total, 0);
}

pub(crate) async fn two_dispatchers_of_one_job_collect_each_capture_once(databases: Arc<Databases>) {
    let (a, b) = two_nodes(&databases).await;
    for _ in 0..3 {
        let job = another_job(&a, 5_000).await;
        let old = claim(&a).await;
        a.pass(31);
        let new = claim(&b).await;
        assert!(new.epoch > old.epoch);
        let (first, second) = tokio::join!(collect(&a, old), collect(&b, new));
        assert_eq!(first, Slice::Fenced);
        assert!(matches!(second, Slice::Done { total: 5_000, .. }), "{second:?}");
        a.check_counts(job).await;
    }
}

pub(crate) async fn late_results_and_a_reset_of_their_tasks_do_not_deadlock(databases: Arc<Databases>) {
    let (a, b) = two_nodes(&databases).await;
    for _ in 0..10 {
        let job = another_job(&a, 400).await;
        a.collect().await;
        let tasks = a.grant(job, 400, "w").await;
        a.go(job, JobMove::Cancel).await;
        a.go(job, JobMove::Revoke).await;
        assert!(a.go(job, JobMove::RetryFailed).await.1);
        let late = async {
            for few in tasks.chunks(20).rev() {
                let items: Vec<_> = few.iter().map(success).collect();
                b.settle(&items).await;
            }
        };
        tokio::join!(a.collect(), late);
        // Those that were settled before they were reset are processed, and so are those that came after.
        assert_eq!(a.counts(job).await, [400, 0, 0, 400, 0]);
        assert_eq!(a.job(job).await.status, JobStatus::Success);
        a.check_counts(job).await;
    }
}

pub(crate) async fn results_that_come_while_the_job_is_collected_count(databases: Arc<Databases>) {
    let (a, b) = two_nodes(&databases).await;
    let job = another_job(&a, 9_000).await;
    let taken = claim(&a).await;
    let works = async {
        let mut done = 0;
        while done < 9_000 {
            let tasks = b.grant_of(job, None, 300, "w").await;
            let items: Vec<_> = tasks.iter().map(success).collect();
            b.settle(&items).await;
            done += tasks.len();
        }
    };
    let (end, ()) = tokio::join!(collect(&a, taken), works);
    assert!(matches!(end, Slice::Done { total: 9_000, .. }), "{end:?}");
    assert_eq!(a.job(job).await.status, JobStatus::Success);
    a.check_counts(job).await;
}
