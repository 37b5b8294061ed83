//! A job that nobody comes for. The store is the one in memory, so that weeks take seconds.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{sync::Arc, time::Duration};

use trapline_backends::{EmbeddedProgress, EmbeddedQueue};
use trapline_core::{
    JobStatus, TokenId,
    ports::{Posted, Settlement, Store, WorkerIdentity},
};
use trapline_engine::{Engine, Policy, Ports, Supervisor};
use trapline_testkit::{ManualClock, conformance::World, memory::MemoryStore, until};

const WEEKS: u64 = 2;
/// Below what is an outage.
const STEP_SECONDS: u64 = 4;
const TICKS_PER_DAY: u64 = 24 * 6;

#[tokio::test]
async fn a_job_without_a_worker_waits_for_weeks_and_fails_nothing_until_one_comes() {
    let clock = ManualClock::new();
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new(Arc::new(clock.clone())));
    let ports = Ports {
        store: Arc::clone(&store),
        queue: Arc::new(EmbeddedQueue::new(Arc::new(clock.clone()))),
        progress: Arc::new(EmbeddedProgress::new()),
        clock: Arc::new(clock.clone()),
    };
    let world = World {
        store,
        clock: clock.clone(),
        keep: Box::new(()),
    };
    let url = Arc::new(|_, _, url: &str| url.to_owned());
    let engine = Engine::start(ports, Policy::default(), url, Supervisor::new(Arc::new(clock)))
        .await
        .unwrap();
    let (pipeline, set) = (world.pipeline().await, world.set(&[true; 5]).await);
    let job = engine.create_job(&world.new_job(pipeline, set)).await.unwrap();
    until("the dispatch", Duration::from_secs(20), async || {
        match world.job(job).await {
            j if j.collected => Ok(()),
            j => Err(format!("{}", j.status)),
        }
    })
    .await;

    let before = world.job(job).await;
    for _ in 0..WEEKS * 7 * TICKS_PER_DAY {
        for _ in 0..24 * 3_600 / TICKS_PER_DAY / STEP_SECONDS {
            world.pass(STEP_SECONDS);
            engine.beat(false).await.unwrap();
        }
        engine.sweep_once().await.unwrap();
        engine.tick_once(false).await.unwrap();
    }
    let after = world.job(job).await;
    assert_eq!((after.status, after.counts), (JobStatus::Started, before.counts));
    assert_eq!(after.updated_at, before.updated_at, "waiting is no progress");
    let view = engine.view(after).await.unwrap();
    let why = view.waiting_for.unwrap();
    assert!(why.starts_with("waiting for workers: none has asked"), "{why}");

    let who = WorkerIdentity {
        token: TokenId(1),
        instance: "late".into(),
        name: "late".into(),
        client_info: None,
        service: None,
    };
    let worker = engine.meet(&who, &["p".into()]).await.unwrap();
    let mut reservation = engine.reserve(job, 10, worker).await.unwrap();
    reservation.delivered();
    assert_eq!(reservation.tasks.len(), 5);
    for task in &reservation.tasks {
        let receipt = engine.verify(job, &task.receipt).unwrap();
        let posted = Posted::Success(vec![]);
        engine
            .submit(Settlement { receipt, posted }, 1)
            .await
            .unwrap()
            .outcome()
            .await
            .unwrap();
    }
    assert_eq!(world.job(job).await.status, JobStatus::Success);
}
