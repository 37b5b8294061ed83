//! A projection that goes away and comes back: nobody waits for it, and it is made good.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};

use async_trait::async_trait;
use trapline_core::{
    Clock as _, ErrorKind, JobId, JobStatus, Result,
    health::Action,
    ports::{Candidate, LiveCounts, Offered, Proposal, Queue, QueueInfo},
};
use trapline_testkit::until;

use crate::{
    said,
    support::{Node, did, node, node_with, quiet},
};

const BOUND: Duration = Duration::from_secs(20);

pub(crate) async fn collected(node: &Node, job: JobId) {
    until("the collect", BOUND, async || match node.job(job).await {
        j if j.collected => Ok(()),
        j => Err(j.status.to_string()),
    })
    .await;
}

/// Time passes until the progress says this.
async fn progress_says(node: &Node, job: JobId, expected: LiveCounts) {
    until("the progress is made good", BOUND, async || {
        node.live(1).await;
        match node.ports.progress.read(job).await.unwrap() {
            Some(live) if live == expected => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
}

#[tokio::test]
async fn a_progress_that_is_away_keeps_no_task_from_the_queue_and_is_made_good_when_it_is_back() {
    let node = node(quiet()).await;
    node.progress_outage.begin();
    let job = node.job_of(30).await;
    let worker = node.worker("w").await;
    let receipts = node.reserve(job, 12, worker).await;
    node.answer(job, &receipts[..5]).await;
    node.live(10).await;
    node.progress_outage.end();
    // Those under a lease are not settled either.
    let expected = LiveCounts {
        total: 30,
        pending: 25,
        failed: 0,
    };
    progress_says(&node, job, expected).await;
}

#[tokio::test]
async fn what_was_settled_while_the_progress_was_away_is_taken_out_of_it() {
    let node = node(quiet()).await;
    let job = node.job_of(30).await;
    let worker = node.worker("w").await;
    let receipts = node.reserve(job, 12, worker).await;
    node.progress_outage.begin();
    node.answer(job, &receipts).await;
    node.progress_outage.end();
    let expected = LiveCounts {
        total: 30,
        pending: 18,
        failed: 0,
    };
    progress_says(&node, job, expected).await;
}

#[tokio::test]
async fn a_progress_that_disagrees_with_the_store_at_two_ticks_is_made_anew() {
    let node = node(quiet()).await;
    let job = node.job_of(30).await;
    let worker = node.worker("w").await;
    let receipts = node.reserve(job, 12, worker).await;
    node.answer(job, &receipts).await;
    // As a crash of the broker leaves it: settled tasks are pending again.
    let captures: Vec<_> = node.images(job).await;
    node.ports.progress.add(job, 30, &captures).await.unwrap();
    assert_eq!(
        did(&node.tick().await.missing_queues),
        [],
        "a result has just come"
    );
    node.live(8).await;
    assert_eq!(
        did(&node.tick().await.missing_queues),
        [(job, Action::ProgressStale)]
    );
    assert_eq!(did(&node.tick().await.missing_queues), [(job, Action::Projected)]);
    assert_eq!(node.ports.progress.read(job).await.unwrap().unwrap().pending, 18);
    assert_eq!(did(&node.tick().await.missing_queues), []);
}

#[tokio::test]
async fn while_the_queue_is_away_tasks_come_from_the_store_and_it_is_made_at_the_first_tick_after() {
    let node = node(quiet()).await;
    node.queue_outage.begin();
    let job = node.start_job(30).await;
    collected(&node, job).await;
    let worker = node.worker("w").await;
    let receipts = node.reserve(job, 12, worker).await;
    assert_eq!(receipts.len(), 12);
    node.answer(job, &receipts).await;
    node.tick().await;
    node.queue_outage.end();
    assert_eq!(did(&node.tick().await.missing_queues), [(job, Action::Projected)]);
    assert_eq!(node.ports.queue.info(job).await.unwrap().unwrap().num_pending, 18);
}

#[tokio::test]
async fn a_progress_that_is_away_does_not_keep_the_tick_from_the_queues() {
    let node = node(quiet()).await;
    let job = node.job_of(30).await;
    node.ports.queue.remove(job).await.unwrap();
    node.progress_outage.begin();
    let tick = node.tick().await.missing_queues;
    assert_eq!(did(&tick), [(job, Action::Projected)]);
    assert_eq!(tick.error.as_deref(), Some("the broker is away"));
    assert_eq!(node.ports.queue.info(job).await.unwrap().unwrap().num_pending, 30);
}

#[tokio::test]
async fn an_outage_is_logged_when_it_begins_and_when_it_ends_and_not_at_each_call() {
    let node = node(quiet()).await;
    let job = node.job_of(60).await;
    said::listen();
    let worker = node.worker("w").await;
    for outage in [&node.queue_outage, &node.progress_outage] {
        outage.begin();
        for _ in 0..10 {
            let receipts = node.reserve(job, 2, worker).await;
            node.answer(job, &receipts).await;
        }
        outage.end();
        let receipts = node.reserve(job, 1, worker).await;
        node.answer(job, &receipts).await;
    }
    for what in ["queue", "progress"] {
        let away = said::count(tracing::Level::WARN, &format!("the {what} is away"));
        let back = said::count(tracing::Level::INFO, &format!("the {what} answers again"));
        assert_eq!((away, back), (1, 1), "{what}");
    }
    assert_eq!(said::count(tracing::Level::WARN, ""), 2, "and of nothing else");
}

#[tokio::test]
async fn each_result_waits_for_the_store_for_its_own_time_and_not_for_that_of_its_group() {
    let node = node(quiet()).await;
    let job = node.job_of(3).await;
    let worker = node.worker("w").await;
    let receipts = node.reserve(job, 3, worker).await;
    node.sqlite.close().await;
    let (clock, wait) = (&node.world.clock, node.engine.policy().settle_wait);
    let mut posted = Vec::new();
    // The second and the third are one group, behind the first.
    for (receipt, seconds) in receipts.iter().zip([1, 19, 0]) {
        let at = clock.monotonic();
        posted.push((at, Box::pin(node.submit(job, receipt).await.outcome())));
        for _ in 0..seconds {
            clock.advance(Duration::from_secs(1));
            tokio::task::yield_now().await;
        }
    }
    for (at, outcome) in &mut posted {
        let answered = until("the result is answered", BOUND, async || {
            if let Poll::Ready(outcome) = futures::poll!(&mut *outcome) {
                return Ok(outcome);
            }
            clock.advance(Duration::from_secs(1));
            Err("it waits".to_owned())
        })
        .await;
        assert_eq!(answered.unwrap_err().kind, ErrorKind::Unavailable);
        let waited = clock.monotonic() - *at;
        assert!(waited <= wait + Duration::from_secs(2), "{waited:?}");
    }
}

/// A queue that holds so many jobs and no more.
pub(crate) struct Small {
    pub(crate) inner: Arc<dyn Queue>,
    pub(crate) jobs_max: usize,
    pub(crate) refused: Arc<AtomicUsize>,
}

#[async_trait]
impl Queue for Small {
    async fn publish(&self, job: JobId, candidates: &[Candidate]) -> Result<Offered> {
        if self.inner.info(job).await?.is_none() && self.inner.list().await?.len() >= self.jobs_max {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return Ok(Offered::NoRoom);
        }
        self.inner.publish(job, candidates).await
    }
    async fn propose(&self, job: JobId, limit: usize) -> Result<Option<Proposal>> {
        self.inner.propose(job, limit).await
    }
    async fn acknowledge(&self, job: JobId, proposal: Proposal) -> Result<()> {
        self.inner.acknowledge(job, proposal).await
    }
    async fn remove(&self, job: JobId) -> Result<()> {
        self.inner.remove(job).await
    }
    async fn info(&self, job: JobId) -> Result<Option<QueueInfo>> {
        self.inner.info(job).await
    }
    async fn list(&self) -> Result<Vec<QueueInfo>> {
        self.inner.list().await
    }
    async fn ping(&self) -> Result<()> {
        self.inner.ping().await
    }
}

#[tokio::test]
async fn jobs_for_which_the_queue_has_no_room_are_served_from_the_store_and_not_projected_at_each_tick() {
    let refused = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&refused);
    let node = node_with(quiet(), |inner| {
        Arc::new(Small {
            inner,
            jobs_max: 1,
            refused: counted,
        })
    })
    .await;
    let first = node.job_of(3).await;
    let mut others = Vec::new();
    for _ in 0..4 {
        let job = node.start_job(3_000).await;
        collected(&node, job).await;
        others.push(job);
    }
    until("all are refused", BOUND, async || {
        match refused.load(Ordering::Relaxed) {
            4 => Ok(()),
            n => Err(n.to_string()),
        }
    })
    .await;
    assert_eq!(did(&node.tick().await.missing_queues), []);
    assert_eq!(
        refused.load(Ordering::Relaxed),
        5,
        "one is asked for all, one page of it"
    );
    let worker = node.worker("w").await;
    assert_eq!(node.reserve(others[3], 5, worker).await.len(), 5);
    let receipts = node.reserve(first, 3, worker).await;
    node.answer(first, &receipts).await;
    assert_eq!(node.ended(first).await, (JobStatus::Success, 3, 0));
    node.engine.sweep_once().await.unwrap();
    assert_eq!(
        did(&node.tick().await.missing_queues),
        [(others[0], Action::Projected)],
        "there is room again"
    );
}
