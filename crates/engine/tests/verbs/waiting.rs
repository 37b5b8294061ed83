//! Which job a poll names.

use crate::fixture::Node;

#[tokio::test]
async fn a_poll_chooses_from_a_recent_list_and_names_no_job_that_has_nothing_by_now() {
    let node = Node::start().await;
    let (a, b) = (node.job_of(2).await, node.job_of(2).await);
    let next = async || node.engine.next_waiting(&[], None, None).await.unwrap();
    assert_eq!(next().await.map(|next| next.waiting), Some(2));
    let worker = node.address("w").await;
    assert_eq!(node.reserve(a, 2, worker).await.len(), 2);
    for _ in 0..4 {
        let found = next().await.unwrap();
        assert_eq!(found.job.0, b);
    }
    assert_eq!(node.reserve(b, 2, worker).await.len(), 2);
    assert!(next().await.is_none());
    node.stop().await;
}

#[tokio::test]
async fn work_that_comes_is_in_the_list_at_once() {
    let node = Node::start().await;
    let a = node.job_of(1).await;
    let next = async || node.engine.next_waiting(&[], None, None).await.unwrap().unwrap();
    assert_eq!((next().await.job.0, next().await.waiting), (a, 1));
    node.job_of(1).await;
    assert_eq!(next().await.waiting, 2);
    node.stop().await;
}
