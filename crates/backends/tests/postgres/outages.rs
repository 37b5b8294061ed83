//! A server that goes away: calls fail soon, and the store is back by itself.

use std::{sync::Arc, time::Duration};

use futures::{FutureExt as _, future::join_all};
use trapline_backends::{PostgresStore, postgres::PostgresOptions};
use trapline_core::{ErrorKind, ports::Want};
use trapline_testkit::{
    ManualClock,
    conformance::World,
    services::{Network, Postgres, free_port},
    until, within,
};

use crate::{node, races::success, support::Databases};

const SOON: Duration = Duration::from_secs(3);

/// Calls for which a worker or a person waits.
async fn all_fail_soon(w: &World, job: trapline_core::JobId, grant: &trapline_testkit::conformance::Grant) {
    let request = trapline_core::ports::GrantRequest {
        job,
        want: Want::Batch,
        candidates: None,
        limit: 1,
        worker: grant.0.worker,
        now: w.now(),
        ttr: w.policy().ttr,
        max_deliver: 2,
    };
    let calls = [
        w.store.ping().boxed(),
        w.store.grant(&request).map(|r| r.map(drop)).boxed(),
        w.store
            .heartbeat(false, w.policy().ttr)
            .map(|r| r.map(drop))
            .boxed(),
        w.store.holds_suspect(grant.0.worker).map(|r| r.map(drop)).boxed(),
        w.store.waiting_jobs(&[], None).map(|r| r.map(drop)).boxed(),
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
    let url = databases.fresh().await;
    let port: u16 = url
        .split_once("127.0.0.1:")
        .and_then(|(_, rest)| rest.split('/').next()?.parse().ok())
        .unwrap();
    let network = Network::to(port).await;
    let w = node(&network.through(&url, port), &ManualClock::new()).await;
    let job = w.job_of(3).await;
    let tasks = w.grant(job, 2, "w").await;
    network.silence();
    all_fail_soon(&w, job, &tasks[0]).await;
    network.heal();
    is_back(&w).await;
    w.succeed(tasks[0], 1).await;
    w.check_counts(job).await;
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
