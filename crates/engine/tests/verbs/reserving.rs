//! A reserve that the queue leaves short.

use std::collections::BTreeSet;

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
