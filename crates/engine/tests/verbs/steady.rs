//! A worker that answers steadily loses no lease, however many processes are one identity and in whatever order they take
//! what they hold (docs/rules.md A3).

use std::{collections::VecDeque, time::Duration};

use trapline_core::{
    JobId, WorkerId,
    ports::{ImageQuery, Level, LogPage, LogQuery},
};
use trapline_engine::ReservedTask;

use crate::fixture::{Node, Says};

/// A process as ADC's: loaders that reserve ahead, taken in turn, and a post in the background.
struct Process {
    worker: WorkerId,
    starts_at: u64,
    loaders: Vec<VecDeque<Vec<ReservedTask>>>,
    turn: usize,
    /// The batch on the GPU, and when it will be done.
    computing: Option<(Vec<ReservedTask>, u64)>,
    /// What was computed last, and is being posted.
    posting: Vec<ReservedTask>,
}

const LOADERS: usize = 4;
const AHEAD: usize = 4;
const BATCH: usize = 24;

impl Process {
    fn new(worker: WorkerId, starts_at: u64) -> Self {
        Self {
            worker,
            starts_at,
            loaders: vec![VecDeque::new(); LOADERS],
            turn: 0,
            computing: None,
            posting: Vec::new(),
        }
    }

    /// Each loader fills up in a row, before the next one does.
    async fn fill(&mut self, node: &Node, job: JobId) {
        for loader in &mut self.loaders {
            while loader.len() < AHEAD {
                let tasks = node.reserve(job, BATCH, self.worker).await;
                if tasks.is_empty() {
                    return;
                }
                loader.push_back(tasks);
            }
        }
    }

    async fn step(&mut self, node: &Node, job: JobId, now: u64, per_image: u64) {
        if now < self.starts_at {
            return;
        }
        node.post(job, &std::mem::take(&mut self.posting), Says::Done)
            .await;
        if let Some((batch, _)) = self.computing.take_if(|(_, done)| *done <= now) {
            self.posting = batch;
        }
        self.fill(node, job).await;
        if self.computing.is_some() {
            return;
        }
        for _ in 0..LOADERS {
            let loader = &mut self.loaders[self.turn % LOADERS];
            self.turn += 1;
            if let Some(batch) = loader.pop_front() {
                let done = now + per_image * batch.len() as u64;
                self.computing = Some((batch, done));
                return;
            }
        }
    }

    fn is_done(&self) -> bool {
        self.computing.is_none() && self.posting.is_empty()
    }
}

#[tokio::test]
async fn two_identities_of_two_processes_each_compute_nothing_twice_and_none_is_taken_for_dead() {
    const STEP: u64 = 2;
    let node = Node::with_lease(Duration::from_secs(60)).await;
    let job = node.job_of(4 * 20 * BATCH).await;
    let mut processes = Vec::new();
    for (identity, starts_at) in [("a", 0), ("b", 6), ("a", 14), ("b", 50)] {
        processes.push(Process::new(node.address(identity).await, starts_at));
    }
    let mut now = 0;
    while now <= 50 || processes.iter().any(|p| !p.is_done()) {
        for process in &mut processes {
            process.step(&node, job, now, 1).await;
        }
        node.world.pass(STEP);
        now += STEP;
        node.engine.beat(false).await.unwrap();
        node.engine.flush_signs().await.unwrap();
        node.engine.sweep_once().await.unwrap();
        assert!(now < 1_000, "the job does not end");
    }
    let total = 4 * 20 * BATCH as u64;
    assert_eq!(node.world.counts(job).await, [total, 0, 0, total, 0]);
    let query = ImageQuery {
        job,
        state: None,
        reason: None,
        after: trapline_core::CaptureId(0),
        back: false,
        limit: total,
    };
    let images = node.world.store.images(&query).await.unwrap();
    let again = images.iter().filter(|image| image.attempts > 1).count();
    assert_eq!((images.len() as u64, again), (total, 0), "handed out twice");
    let query = LogQuery {
        job,
        level: Some(Level::Warning),
        capture: None,
        page: LogPage::After(0),
        limit: 10,
    };
    let said = node.world.store.logs(&query).await.unwrap();
    assert!(said.is_empty(), "{said:?}");
    node.stop().await;
}

#[tokio::test]
async fn an_answer_within_the_margin_keeps_what_its_worker_holds() {
    let node = Node::start().await;
    let job = node.job_of(3).await;
    let worker = node.address("w").await;
    let tasks = node.reserve(job, 2, worker).await;
    // Past the deadlines of both, and not past the margin.
    node.live(12).await;
    assert_eq!(node.world.counts(job).await, [3, 1, 2, 0, 0]);
    node.post(job, &tasks[..1], Says::Done).await;
    node.live(9).await;
    assert_eq!(
        node.world.counts(job).await,
        [3, 1, 1, 1, 0],
        "nine seconds after the answer"
    );
    node.live(6).await;
    assert_eq!(
        node.world.counts(job).await,
        [3, 2, 0, 1, 0],
        "a lease and a margin after it"
    );
    node.stop().await;
}
