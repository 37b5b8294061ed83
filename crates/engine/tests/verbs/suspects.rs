//! One bad image does not take its batch with it (docs/rules.md A6, B8).

use std::{collections::VecDeque, time::Duration};

use futures::StreamExt as _;
use trapline_core::{CaptureId, FailReason, JobId, JobStatus, WorkerId, ports::Hint};
use trapline_engine::ReservedTask;

use crate::fixture::{DEATH, Node, Says};

/// A worker under a supervisor that starts it anew whenever it dies, which it does on some images.
struct Restarted<'a> {
    node: &'a Node,
    job: JobId,
    killers: Vec<CaptureId>,
    /// Answers that it reserves ahead.
    ahead: usize,
    deaths: usize,
}

impl Restarted<'_> {
    /// Works until the job has landed. `identity` makes the worker of each life.
    async fn run<F: Future<Output = WorkerId>>(&mut self, identity: impl Fn(usize) -> F) {
        let mut held: VecDeque<Vec<ReservedTask>> = VecDeque::new();
        let mut idle = 0;
        while !self.node.world.job(self.job).await.status.is_final() {
            let worker = identity(self.deaths).await;
            while held.len() < self.ahead {
                let tasks = self.node.reserve(self.job, 24, worker).await;
                if tasks.is_empty() {
                    break;
                }
                held.push_back(tasks);
            }
            self.node.live(1).await;
            match held.pop_front() {
                Some(tasks) if tasks.iter().any(|t| self.killers.contains(&t.capture)) => {
                    self.deaths += 1;
                    held.clear();
                }
                Some(tasks) => {
                    self.node.post(self.job, &tasks, Says::Done).await;
                }
                None => idle += 1,
            }
            assert!(idle < 200, "the job does not land");
        }
    }
}

/// Runs a job of `n`; only the killers, given by their place in the order of dispatch, are lost.
async fn lose(n: usize, killers: &[usize], ahead: usize, same_identity: bool) -> usize {
    let node = Node::start().await;
    let job = node.job_of(n).await;
    let page = node
        .world
        .store
        .free_tasks(job, (i64::MIN, CaptureId(0)), 1_000)
        .await
        .unwrap();
    let mut worker = Restarted {
        node: &node,
        job,
        killers: killers.iter().map(|at| page[*at].1.capture).collect(),
        ahead,
        deaths: 0,
    };
    worker
        .run(async |life| {
            if same_identity {
                node.address("10.0.0.7").await
            } else {
                node.process(&format!("life {life}")).await
            }
        })
        .await;
    let deaths = worker.deaths;
    let (n, lost) = (n as u64, killers.len());
    assert_eq!(
        node.world.counts(job).await,
        [n, 0, 0, n - lost as u64, lost as u64]
    );
    assert_eq!(node.failed(job).await, vec![FailReason::Lost; lost]);
    assert_eq!(node.world.job(job).await.status, JobStatus::Success);
    node.world.check_counts(job).await;
    node.stop().await;
    deaths
}

#[tokio::test]
async fn a_worker_that_dies_on_one_image_of_a_batch_loses_only_that_one() {
    // With its batch, alone in the answer, and alone with its worker.
    assert_eq!(lose(24, &[13], 1, true).await, 3);
    assert_eq!(lose(24, &[13], 1, false).await, 3);
}

#[tokio::test]
async fn what_the_dead_worker_held_ahead_is_processed_too() {
    assert_eq!(lose(96, &[13], 3, true).await, 3);
    // A worker that is one process holds nothing beside a suspect, but it may hold batches when it gets one.
    assert_eq!(lose(96, &[90], 3, false).await, 3);
}

#[tokio::test]
async fn of_several_killers_in_several_batches_only_they_are_lost() {
    for killers in [&[30, 60][..], &[3, 4, 5, 6, 7, 8], &[0, 24, 48, 72]] {
        for same_identity in [true, false] {
            lose(96, killers, 3, same_identity).await;
        }
    }
}

#[tokio::test]
async fn the_same_batch_error_on_all_fails_only_the_image_that_has_it_alone() {
    let node = Node::start().await;
    let job = node.job_of(24).await;
    let worker = node.address("adc").await;
    let mut hints = node.engine.progress().hints().await.unwrap();
    let tasks = node.reserve(job, 24, worker).await;
    let bad = tasks[17].capture;
    node.post(
        job,
        &tasks,
        Says::Error("Batch processing error: CUDA out of memory"),
    )
    .await;
    assert_eq!(node.world.counts(job).await, [24, 24, 0, 0, 0]);
    loop {
        let heard = tokio::time::timeout(Duration::from_secs(10), hints.next()).await;
        if heard.expect("free tasks are told of") == Some(Hint::Work(job)) {
            break;
        }
    }
    let live = node.engine.progress().read(job).await.unwrap().unwrap();
    assert_eq!((live.pending, live.failed), (24, 0));
    while let Some((_, tasks)) = node.claim(24, worker).await {
        assert_eq!(tasks.len(), 1);
        let says = if tasks[0].capture == bad {
            Says::Error("Batch processing error: CUDA out of memory")
        } else {
            Says::Done
        };
        node.post(job, &tasks, says).await;
    }
    assert_eq!(node.world.counts(job).await, [24, 0, 0, 23, 1]);
    assert_eq!(node.failed(job).await, [FailReason::WorkerError]);
    let row = &node.failed_rows(job).await[0];
    assert!(row.capture == bad && row.detail.as_deref().unwrap().contains("CUDA"));
    node.world.check_counts(job).await;
    node.stop().await;
}

#[tokio::test]
async fn suspects_and_batches_take_turns() {
    let node = Node::start().await;
    let job = node.job_of(64).await;
    let dead = node.address("dead").await;
    assert_eq!(node.reserve(job, 24, dead).await.len(), 24);
    node.live(DEATH).await;
    let worker = node.address("b").await;
    let mut sizes = Vec::new();
    loop {
        match node.reserve(job, 8, worker).await.len() {
            0 => break,
            n => sizes.push(n),
        }
    }
    assert_eq!(sizes[..10], [8, 1, 8, 1, 8, 1, 8, 1, 8, 1]);
    assert_eq!(sizes[10..], [1; 19]);
    node.stop().await;
}

#[tokio::test]
async fn a_process_that_holds_a_suspect_gets_nothing_and_takes_nothing_from_the_queue() {
    let node = Node::start().await;
    let (bad, good) = (node.job_of(2).await, node.job_of(20).await);
    let dead = node.address("dead").await;
    node.reserve(bad, 2, dead).await;
    node.live(DEATH).await;
    let process = node.process("p").await;
    let queued = async || node.engine.queue().info(good).await.unwrap().unwrap().num_pending;
    let before = queued().await;
    let suspect = node.reserve(bad, 8, process).await;
    assert_eq!(suspect.len(), 1);
    for _ in 0..3 {
        assert!(node.claim(8, process).await.is_none());
        assert!(node.reserve(good, 8, process).await.is_empty());
    }
    assert_eq!(queued().await, before);
    let other = node.process("q").await;
    assert_eq!(node.reserve(good, 8, other).await.len(), 8);
    node.post(bad, &suspect, Says::Done).await;
    assert_eq!(node.reserve(good, 8, process).await.len(), 8);
    node.stop().await;
}

#[tokio::test]
async fn the_lease_of_a_last_try_goes_by_what_others_took_and_a_busy_worker_is_put_off_until_then() {
    let node = Node::with_lease(Duration::from_secs(300)).await;
    let (job, other) = (node.job_of(2).await, node.job_of(4).await);
    for name in ["first", "second"] {
        let worker = node.address(name).await;
        while !node.reserve(job, 2, worker).await.is_empty() {}
        node.live(305).await;
    }
    let worker = node.address("busy").await;
    let held = node.reserve(other, 2, worker).await;
    assert_eq!(held.len(), 2);
    assert!(
        node.reserve(job, 2, worker).await.is_empty(),
        "it holds something"
    );
    assert!(node.reserve(other, 2, worker).await.is_empty(), "it is put off");
    let shown = async || node.engine.waiting_jobs(&[], None, Some(worker)).await.unwrap();
    assert!(shown().await.is_empty(), "it would get nothing");
    node.post(other, &held, Says::Done).await;
    assert_eq!(
        shown().await.iter().map(|(job, _)| *job).collect::<Vec<_>>(),
        [job]
    );
    let (_, alone) = node.claim(2, worker).await.unwrap();
    assert_eq!((alone.len(), alone[0].lease), (1, Duration::from_secs(300)));
    assert!(node.claim(2, worker).await.is_none(), "nothing beside it");
    node.live(2).await;
    node.post(job, &alone, Says::Done).await;
    let last = node.reserve(job, 2, worker).await;
    // Twenty times the two seconds.
    assert_eq!((last.len(), last[0].lease.as_secs_f64().round()), (1, 40.0));
    node.live(45).await;
    assert_eq!(node.world.counts(job).await, [2, 0, 0, 1, 1]);
    assert_eq!(node.reserve(other, 2, worker).await.len(), 2, "and batches again");
    node.stop().await;
}

#[tokio::test]
async fn the_lease_of_a_last_try_goes_by_the_slowest_of_those_before() {
    let node = Node::with_lease(Duration::from_secs(300)).await;
    let job = node.job_of(4).await;
    for name in ["first", "second"] {
        let worker = node.address(name).await;
        while !node.reserve(job, 4, worker).await.is_empty() {}
        node.live(305).await;
    }
    let worker = node.address("w").await;
    let mut leases = Vec::new();
    for seconds in [4, 2, 6, 1] {
        let alone = node.reserve(job, 4, worker).await;
        leases.push(alone[0].lease.as_secs_f64().round());
        node.live(seconds).await;
        node.post(job, &alone, Says::Done).await;
    }
    assert_eq!(leases, [300.0, 80.0, 80.0, 120.0], "twenty times the slowest");
    node.stop().await;
}
