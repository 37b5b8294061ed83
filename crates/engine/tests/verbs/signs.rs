//! Signs of life are gathered and written every few seconds (docs/rules.md A3): none is lost on the way.

use std::time::Duration;

use trapline_testkit::until;

use crate::fixture::{Node, Says};

#[tokio::test]
async fn signs_of_life_that_could_not_be_written_are_written_with_the_next_ones() {
    let node = Node::start().await;
    let job = node.job_of(4).await;
    let worker = node.address("w").await;
    let (older, newer) = (
        node.reserve(job, 2, worker).await,
        node.reserve(job, 2, worker).await,
    );
    node.live(9).await;
    node.sql(
        "CREATE TRIGGER broken BEFORE UPDATE ON workers BEGIN SELECT RAISE(ABORT, 'a page is torn'); END",
    )
    .await;
    node.post(job, &older[..1], Says::Done).await;
    // The node's own timer may have taken them, and puts them back in a moment.
    until("a write fails", Duration::from_secs(10), async || {
        match node.engine.flush_signs().await {
            Err(_) => Ok(()),
            Ok(()) => Err("there was nothing to write".to_owned()),
        }
    })
    .await;
    node.sql("DROP TRIGGER broken").await;
    // What comes meanwhile is no reason to forget the older answer.
    node.post(job, &newer[..1], Says::Done).await;
    node.live(9).await;
    assert_eq!(
        node.world.counts(job).await,
        [4, 0, 2, 2, 0],
        "nine seconds after the answers"
    );
    node.live(6).await;
    assert_eq!(
        node.world.counts(job).await,
        [4, 2, 0, 2, 0],
        "a lease and a margin after them"
    );
    node.stop().await;
}

#[tokio::test]
async fn of_the_answers_between_two_flushes_the_oldest_reservation_counts_in_whatever_order_they_come() {
    for order in [[0, 1], [1, 0]] {
        let node = Node::start().await;
        let job = node.job_of(4).await;
        let worker = node.address("w").await;
        let mut batches = Vec::new();
        for _ in 0..2 {
            batches.push(node.reserve(job, 2, worker).await);
            node.live(4).await;
        }
        for at in order {
            node.post(job, &batches[at][..1], Says::Done).await;
        }
        node.live(9).await;
        assert_eq!(
            node.world.counts(job).await,
            [4, 0, 2, 2, 0],
            "{order:?}: nine seconds after the answers"
        );
        node.stop().await;
    }
}
