//! A job from its creation to its landing, and what may come between.

use trapline_core::{JobStatus, Outcome, job::Expect, ports::Settled};

use crate::fixture::{DEATH, Node, Says};

#[tokio::test]
async fn a_job_is_dispatched_reserved_settled_and_lands() {
    let node = Node::start().await;
    let job = node.job_of(10).await;
    let worker = node.address("a").await;
    let tasks = node.reserve(job, 7, worker).await;
    assert_eq!(tasks.len(), 7);
    assert_eq!(node.world.counts(job).await, [10, 3, 7, 0, 0]);
    node.post(job, &tasks, Says::Done).await;
    let live = node.engine.progress().read(job).await.unwrap().unwrap();
    assert_eq!((live.total, live.pending), (10, 3));
    let (claimed, rest) = node.claim(100, worker).await.unwrap();
    assert_eq!((claimed, rest.len()), (job, 3));
    let settled = node.post(job, &rest, Says::Done).await;
    assert_eq!(settled, [Settled::Saved, Settled::Saved, Settled::Saved]);
    let replay = node.post(job, &rest, Says::Done).await;
    assert!(replay.iter().all(|s| matches!(s, Settled::Ignored(_))));
    let view = node.world.job(job).await;
    assert_eq!(view.status, JobStatus::Success);
    assert_eq!(
        Outcome::of(view.status, view.counts.failed),
        Some(Outcome::Complete)
    );
    node.world.check_counts(job).await;
    assert!(node.claim(1, worker).await.is_none());
    node.live(1).await;
    assert!(
        node.engine.queue().info(job).await.unwrap().is_none(),
        "its projections are removed"
    );
    node.stop().await;
}

#[tokio::test]
async fn an_answer_that_is_never_read_is_taken_back_without_a_strike() {
    let node = Node::start().await;
    let job = node.job_of(4).await;
    let worker = node.address("a").await;
    for _ in 0..5 {
        let reservation = node.engine.reserve(job, 4, worker).await.unwrap();
        assert_eq!(reservation.tasks.len(), 4);
        drop(reservation);
        trapline_testkit::until("given back", std::time::Duration::from_secs(10), || async {
            match node.world.counts(job).await {
                [4, 4, 0, 0, 0] => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
    }
    assert_eq!(
        node.reserve(job, 9, worker).await.len(),
        4,
        "in one batch: none is suspect"
    );
    node.stop().await;
}

#[tokio::test]
async fn results_keep_alive_what_was_reserved_ahead() {
    let node = Node::start().await;
    let job = node.job_of(30).await;
    let worker = node.address("a").await;
    let tasks = node.reserve(job, 30, worker).await;
    for task in &tasks {
        node.live(3).await;
        node.post(job, std::slice::from_ref(task), Says::Done).await;
    }
    assert_eq!(node.world.job(job).await.status, JobStatus::Success);
    assert!(node.failed(job).await.is_empty());
    node.stop().await;
}

#[tokio::test]
async fn a_cancelled_job_hands_out_nothing_and_saves_what_comes() {
    let node = Node::start().await;
    let job = node.job_of(4).await;
    let worker = node.address("a").await;
    let tasks = node.reserve(job, 2, worker).await;
    node.engine.cancel_job(job, &Expect::ANYTHING).await.unwrap();
    assert_eq!(node.world.job(job).await.status, JobStatus::Revoked);
    assert!(node.reserve(job, 9, worker).await.is_empty());
    assert_eq!(node.post(job, &tasks[..1], Says::Done).await, [Settled::Saved]);
    node.live(DEATH).await;
    assert_eq!(node.world.counts(job).await, [4, 3, 0, 1, 0]);
    node.world.check_counts(job).await;
    node.stop().await;
}
