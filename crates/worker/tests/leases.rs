//! Leases are extended while they are of use, and given back when the worker stops.

mod support;

use std::sync::Arc;

use std::time::Duration;

use support::running::Running;
use support::{Act, Fault, Gate, Server, config, receipt, receipts};
use trapline_worker::WorkerConfig;

#[tokio::test]
async fn a_held_lease_is_extended_again_and_again_and_no_longer_after_its_answer() {
    let server = Server::start().await;
    server.offer(7, 0, 2, 0.3);
    let gate = Gate::closed();
    let settings = WorkerConfig {
        concurrency: 1,
        ..config(&server.url)
    };
    let mut worker = Running::start(settings, gate.clone());
    let extends = |n: usize| {
        move |script: &support::Script| {
            script
                .lease_receipts("extend")
                .iter()
                .filter(|extended| **extended == receipt(n))
                .count()
                >= 2
        }
    };
    server
        .until("the one in work is extended twice", extends(0))
        .await;
    server
        .until("the one that waits is extended twice", extends(1))
        .await;
    assert!(server.script(|script| script.leases.iter().all(|(job_id, _)| *job_id == 7)));
    gate.permits.add_permits(1);
    worker.until("one answered", |counts| counts.delivered == 1).await;
    server.script(|script| script.leases.clear());
    server.until("the other is still extended", extends(1)).await;
    assert!(!server.script(|script| script.lease_receipts("extend").contains(&receipt(0))));
    gate.permits.add_permits(1);
    worker.drained().await;
}

#[tokio::test]
async fn a_task_whose_lease_is_lost_is_not_started_and_one_in_work_is_still_posted() {
    let server = Server::start().await;
    server.script(|script| script.lost_receipts = receipts(0..2));
    server.offer(7, 0, 3, 0.3);
    let gate = Gate::closed();
    let settings = WorkerConfig {
        concurrency: 1,
        ..config(&server.url)
    };
    let mut worker = Running::start(settings, gate.clone());
    worker.until("two leases lost", |counts| counts.lost == 2).await;
    gate.permits.add_permits(3);
    worker
        .until("two delivered", |counts| counts.delivered == 2)
        .await;
    let counts = worker.drained().await;
    assert_eq!(
        (counts.delivered, counts.lost, counts.waiting, counts.working),
        (2, 2, 0, 0)
    );
    assert_eq!(gate.started(), ["0", "2"]);
}

#[tokio::test]
async fn leases_of_results_that_wait_for_the_server_are_extended_too() {
    let server = Server::start().await;
    let faults = std::iter::repeat_n(Fault::Answer(503, serde_json::json!({})), 100_000);
    server.script(|script| script.result_faults.extend(faults));
    server.offer(7, 0, 1, 0.3);
    let mut worker = Running::start(config(&server.url), Gate::open());
    worker
        .until("a result that waits", |counts| counts.unsent == 1)
        .await;
    server.script(|script| script.leases.clear());
    server
        .until("its lease extended", |script| {
            !script.lease_receipts("extend").is_empty()
        })
        .await;
    server.script(|script| script.result_faults.clear());
    worker.drained().await;
}

#[tokio::test]
async fn the_next_batch_is_claimed_ahead_and_no_more_than_that() {
    let server = Server::start().await;
    (0..6).for_each(|batch| server.offer(7, batch * 2, 2, 300.0));
    let gate = Gate::closed();
    let settings = WorkerConfig {
        batch_size: 2,
        concurrency: 1,
        prefetch: 1,
        ..config(&server.url)
    };
    let mut worker = Running::start(settings, gate.clone());
    // One in work, and what waits is over one batch, so nothing more is asked for.
    worker
        .until("a full hand", |counts| counts.working == 1 && counts.waiting == 3)
        .await;
    assert_eq!(server.script(|script| script.claims.len()), 2);
    gate.permits.add_permits(1);
    server
        .until("the next claim", |script| script.claims.len() == 3)
        .await;
    gate.permits.add_permits(100);
    worker.until("all of it", |counts| counts.delivered == 12).await;
    worker.drained().await;
}

#[tokio::test]
async fn a_graceful_stop_posts_what_is_in_work_and_gives_back_the_rest() {
    let server = Server::start().await;
    server.offer(7, 0, 8, 300.0);
    server.offer(9, 8, 2, 300.0);
    let gate = Gate::closed();
    let settings = WorkerConfig {
        concurrency: 2,
        ..config(&server.url)
    };
    let mut worker = Running::start(settings, gate.clone());
    worker
        .until("a full hand", |counts| counts.working == 2 && counts.waiting == 8)
        .await;
    worker.stop.drain();
    server
        .until("the rest given back", |script| {
            script.lease_receipts("release").len() == 8
        })
        .await;
    gate.permits.add_permits(2);
    let counts = worker.drained().await;
    assert_eq!((counts.delivered, counts.released), (2, 8));
    assert_eq!((counts.waiting, counts.working, counts.unsent), (0, 0, 0));
    server.script(|script| {
        assert_eq!(script.saved_receipts(), receipts(0..2));
        let mut released = script.lease_receipts("release");
        released.sort();
        assert_eq!(released, receipts(2..10));
        let mut jobs: Vec<i64> = script.leases.iter().map(|(job_id, _)| *job_id).collect();
        jobs.sort();
        assert_eq!(jobs, [7, 9]);
    });
}

#[tokio::test]
async fn a_stop_that_takes_too_long_gives_back_what_is_in_work() {
    let server = Server::start().await;
    server.offer(7, 0, 2, 300.0);
    let settings = WorkerConfig {
        concurrency: 1,
        drain: Duration::from_millis(50),
        ..config(&server.url)
    };
    let mut worker = Running::start(settings, Gate::closed());
    worker.until("one in work", |counts| counts.working == 1).await;
    let counts = worker.drained().await;
    assert_eq!((counts.delivered, counts.released, counts.working), (0, 2, 0));
}

#[tokio::test]
async fn a_second_signal_ends_at_once_and_says_what_was_left() {
    let server = Server::start().await;
    let faults = std::iter::repeat_n(Fault::Answer(503, serde_json::json!({})), 100_000);
    server.script(|script| script.result_faults.extend(faults));
    server.offer(7, 0, 1, 300.0);
    let mut worker = Running::start(config(&server.url), Gate::open());
    worker
        .until("a result that waits", |counts| counts.unsent == 1)
        .await;
    worker.stop.drain();
    worker.stop.at_once();
    let summary = worker.ended().await.expect("told to stop is no error");
    assert_eq!((summary.counts.unsent, summary.counts.delivered), (1, 0));
}

#[tokio::test]
async fn stopping_an_idle_worker_ends_it_and_twice_is_harmless() {
    let server = Server::start().await;
    let worker = Running::start(config(&server.url), Gate::open());
    server
        .until("a long poll", |script| script.claims.len() == 1)
        .await;
    worker.stop.drain();
    worker.stop.drain();
    assert_eq!(worker.drained().await.claimed, 0);
}

/// A worker that has claimed one task, for which what it needs is away.
async fn with_one_away() -> (Server, Arc<Gate>, Running) {
    let server = Server::start().await;
    server.offer(7, 0, 1, 300.0);
    let gate = Gate::with(100, &[(0, Act::Away)]);
    let settings = WorkerConfig {
        prefetch: 0,
        ..config(&server.url)
    };
    let worker = Running::start(settings, gate.clone());
    (server, gate, worker)
}

#[tokio::test]
async fn nothing_is_claimed_until_what_was_away_answers_again() {
    let (server, gate, worker) = with_one_away().await;
    gate.looked.notified().await;
    assert_eq!(server.script(|script| script.claims.len()), 1);
    server.offer(7, 1, 1, 300.0);
    gate.ready.add_permits(1);
    server
        .until("the next is processed", |script| {
            script.saved_receipts() == receipts(1..2)
        })
        .await;
    worker.drained().await;
}

#[tokio::test]
async fn tasks_that_nobody_can_process_now_are_given_back_and_none_claimed_for_a_while() {
    let (server, _gate, worker) = with_one_away().await;
    server
        .until("it is given back", |script| {
            script.lease_receipts("release") == receipts(0..1)
        })
        .await;
    let counts = worker.drained().await;
    assert_eq!((counts.released, counts.failed, counts.unsent), (1, 0, 0));
    assert!(server.script(|script| script.saved.is_empty()));
}
