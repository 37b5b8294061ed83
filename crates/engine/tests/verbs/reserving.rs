//! A reserve that the queue leaves short.

use std::collections::BTreeSet;

use trapline_core::{CaptureId, ports::Candidate};

use crate::fixture::Node;

#[tokio::test]
async fn workers_that_ask_at_once_while_the_queue_has_nothing_all_get_tasks_from_the_store() {
    const WORKERS: usize = 8;
    const EACH: usize = 3;
    let node = Node::start().await;
    let job = node.job_of(WORKERS * EACH).await;
    node.engine.flush_queue().await.unwrap();
    let reserves = (0..WORKERS).map(async |n| {
        let worker = node.address(&format!("w{n}")).await;
        let mut reservation = node.engine.reserve(job, EACH, worker).await.unwrap();
        reservation.delivered();
        reservation.tasks.iter().map(|t| t.capture).collect::<Vec<_>>()
    });
    let taken = futures::future::join_all(reserves).await;
    assert!(taken.iter().all(|t| t.len() == EACH), "{taken:?}");
    let different: BTreeSet<_> = taken.into_iter().flatten().collect();
    assert_eq!(different.len(), WORKERS * EACH);
    node.stop().await;
}

#[tokio::test]
async fn tasks_are_handed_out_in_the_order_of_dispatch_with_a_queue_and_without() {
    let node = Node::start().await;
    // The first captures of a store are hardly shuffled.
    node.world.set(&[true; 300]).await;
    for flushed in [false, true] {
        let job = node.job_of(20).await;
        let page = node.world.store.free_tasks(job, (i64::MIN, CaptureId(0)), 20);
        let order: Vec<_> = page.await.unwrap().into_iter().map(|(_, c)| c.capture).collect();
        assert!(!order.is_sorted());
        if flushed {
            node.engine.flush_queue().await.unwrap();
        }
        let worker = node.address("w").await;
        for expected in order.chunks(4) {
            let tasks = node.reserve(job, 4, worker).await;
            let taken: BTreeSet<_> = tasks.iter().map(|t| t.capture).collect();
            assert_eq!(taken, expected.iter().copied().collect(), "flushed: {flushed}");
        }
    }
    node.stop().await;
}

#[tokio::test]
async fn what_is_out_already_does_not_make_an_answer_short_and_the_answer_is_one_grant() {
    let node = Node::start().await;
    let job = node.job_of(20).await;
    let out = node.reserve(job, 4, node.address("a").await).await;
    let candidate = |capture, delivery| Candidate {
        capture,
        run: 1,
        delivery,
    };
    let free = node.world.store.free_tasks(job, (i64::MIN, CaptureId(0)), 20);
    let free: Vec<_> = free.await.unwrap().into_iter().map(|(_, c)| c.capture).collect();
    node.engine.flush_queue().await.unwrap();
    // Three that are out, and the last one that is free.
    let stale = out[1..].iter().map(|t| candidate(t.capture, 1));
    let proposed: Vec<Candidate> = stale.chain([candidate(free[15], 0)]).collect();
    node.engine.queue().publish(job, &proposed).await.unwrap();
    let before = node.grants().await;
    let tasks = node.reserve(job, 4, node.address("b").await).await;
    let mut taken: Vec<_> = tasks.iter().map(|t| t.capture).collect();
    let mut expected = vec![free[15], free[0], free[1], free[2]];
    taken.sort();
    expected.sort();
    assert_eq!(taken, expected);
    assert_eq!(node.grants().await - before, 1);
    node.stop().await;
}
