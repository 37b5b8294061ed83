//! A server that goes away: calls fail soon, and the store is back by itself.

use std::{sync::Arc, time::Duration};

use futures::{FutureExt as _, future::join_all};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use trapline_backends::{PostgresStore, postgres::PostgresOptions};
use trapline_core::{
    Clock as _, ErrorKind, JobId,
    job::{Expect, JobMove},
    ports::{Pulse, Want},
};
use trapline_testkit::{
    ManualClock, RealClock,
    conformance::World,
    services::{Network, Postgres, free_port},
    until, within,
};

use crate::{node, races::success, support::Databases};

const SOON: Duration = Duration::from_secs(3);

/// Calls for which a worker or a person waits.
async fn all_fail_soon(w: &World, job: trapline_core::JobId, grant: &trapline_testkit::conformance::Grant) {
    let request = w.request(job, Want::Batch, 1, grant.0.worker);
    let pulse = Pulse {
        first: false,
        grace: w.policy().ttr,
        clock: &w.clock,
        last: None,
    };
    let calls = [
        w.store.ping().boxed(),
        w.store.grant(&request).map(|r| r.map(drop)).boxed(),
        w.store.heartbeat(&pulse).map(|r| r.map(drop)).boxed(),
        w.store.standing(grant.0.worker, 2).map(|r| r.map(drop)).boxed(),
        w.store.waiting_jobs(&[], None, 2).map(|r| r.map(drop)).boxed(),
        w.store.token_by_hash(&[1; 32]).map(|r| r.map(drop)).boxed(),
    ];
    let answers = join_all(calls.map(|call| within(SOON, call))).await;
    for (at, answer) in answers.into_iter().enumerate() {
        let failed = answer.expect_err("the server is away");
        assert_eq!(failed.kind, ErrorKind::Unavailable, "call {at}: {failed}");
    }
}

async fn is_back(w: &World) {
    until("the store is back", Duration::from_secs(10), async || {
        w.store.ping().await.map_err(|e| e.to_string())
    })
    .await;
}

pub(crate) async fn a_server_that_is_killed_makes_calls_fail_soon_and_is_found_again(_: Arc<Databases>) {
    let mut server = Postgres::start().await;
    let w = node(&server.url("postgres"), &ManualClock::new()).await;
    let job = w.job_of(3).await;
    let tasks = w.grant(job, 2, "w").await;
    w.succeed(tasks[0], 1).await;
    server.kill();
    all_fail_soon(&w, job, &tasks[0]).await;
    let failed = within(SOON, w.store.settle(&[success(&tasks[1])], w.now())).await;
    assert_eq!(failed.unwrap_err().kind, ErrorKind::Unavailable);
    server.restart().await;
    is_back(&w).await;
    // What was answered is there.
    assert_eq!(w.counts(job).await, [3, 1, 1, 1, 0]);
    w.succeed(tasks[1], 1).await;
    w.check_counts(job).await;
}

pub(crate) async fn a_server_that_says_nothing_makes_calls_fail_soon_and_is_found_again(
    databases: Arc<Databases>,
) {
    let (network, w, _) = on_a_network(&databases).await;
    let job = w.job_of(3).await;
    let tasks = w.grant(job, 2, "w").await;
    network.silence();
    all_fail_soon(&w, job, &tasks[0]).await;
    network.heal();
    is_back(&w).await;
    w.succeed(tasks[0], 1).await;
    w.check_counts(job).await;
}

async fn on_a_network(databases: &Databases) -> (Network, World, String) {
    let url = databases.fresh().await;
    let port: u16 = url
        .split_once("127.0.0.1:")
        .and_then(|(_, rest)| rest.split('/').next()?.parse().ok())
        .unwrap();
    let network = Network::to(port).await;
    let w = node(&network.through(&url, port), &ManualClock::new()).await;
    (network, w, url)
}

/// A transaction of somebody else that holds a job's row.
async fn lock_of(url: &str, job: JobId) -> PgConnection {
    let mut other = PgConnection::connect(url).await.unwrap();
    for sql in [
        "BEGIN".to_owned(),
        format!("SELECT 1 FROM jobs WHERE id = {job} FOR UPDATE"),
    ] {
        sqlx::query(AssertSqlSafe(sql)).execute(&mut other).await.unwrap();
    }
    other
}

/// Waits until somebody waits for a lock.
async fn somebody_waits(url: &str) {
    let mut other = PgConnection::connect(url).await.unwrap();
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
    until(
        "a call waits",
        SOON,
        async || match sqlx::query_scalar::<_, i64>(sql)
            .fetch_one(&mut other)
            .await
            .unwrap()
        {
            0 => Err("nobody".to_owned()),
            _ => Ok(()),
        },
    )
    .await;
}

pub(crate) async fn a_call_under_way_when_the_server_falls_silent_is_given_up_soon(
    databases: Arc<Databases>,
) {
    let (network, w, url) = on_a_network(&databases).await;
    let job = w.job_of(3).await;
    let _lock = lock_of(&url, job).await;
    // A call that may take much longer than this.
    let cancel = w.store.move_job(job, JobMove::Cancel, &Expect::ANYTHING, w.now());
    let silence = async {
        somebody_waits(&url).await;
        network.silence();
    };
    let (answer, ()) = within(SOON, async { futures::join!(cancel, silence) }).await;
    assert_eq!(answer.unwrap_err().kind, ErrorKind::Unavailable);
}

pub(crate) async fn a_call_that_waits_on_a_server_that_lives_is_not_given_up(databases: Arc<Databases>) {
    let (_network, w, url) = on_a_network(&databases).await;
    let job = w.job_of(3).await;
    let lock = lock_of(&url, job).await;
    let release = async {
        somebody_waits(&url).await;
        // As long as a server that is silent would be waited for.
        RealClock::new().sleep(Duration::from_secs(2)).await;
        lock.close().await.unwrap();
    };
    let (answer, ()) = futures::join!(
        w.store.move_job(job, JobMove::Cancel, &Expect::ANYTHING, w.now()),
        release
    );
    assert!(answer.unwrap().unwrap().changed);
}

pub(crate) async fn what_can_not_be_opened_is_told_apart(databases: Arc<Databases>) {
    let kind = async |url: &str| {
        let opened = PostgresStore::connect(url, PostgresOptions::default());
        within(SOON, opened).await.err().expect("it can't be opened").kind
    };
    let nobody = format!("postgres://trapline@127.0.0.1:{}/x", free_port());
    assert_eq!(kind(&nobody).await, ErrorKind::Unavailable);
    assert_eq!(kind(&databases.server.url("unknown")).await, ErrorKind::Invalid);
    assert_eq!(kind("what is this").await, ErrorKind::Invalid);
}
