//! The tick's lease in the midst of a check that takes longer than it.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use trapline_core::{Clock as _, JobId};
use trapline_engine::{Engine, Policy};

use crate::{
    meddler::{Meddler, meddled},
    support::{Node, numbers, quiet},
};

const INTERVAL: Duration = Duration::from_secs(60);

/// Ticks by request, with a lease of two intervals.
fn by_hand() -> Policy {
    let mut policy = quiet();
    policy.health.health_interval = INTERVAL;
    policy
}

async fn jobs(node: &Node, n: usize) -> Vec<JobId> {
    let mut all = Vec::new();
    for _ in 0..n {
        all.push(node.job_of(2).await);
    }
    all
}

/// At each look at a queue so many seconds pass, then another node tries to tick; its answers.
fn slow(node: &Node, meddler: &Meddler, seconds: u64) -> Arc<Mutex<Vec<bool>>> {
    let taken = Arc::new(Mutex::new(Vec::new()));
    let answers = Arc::clone(&taken);
    let (engine, ports, clock) = (node.engine.clone(), node.ports.clone(), node.world.clock.clone());
    meddler.set(move |_| {
        let (engine, store, clock): (Engine, _, _) = (engine.clone(), ports.store.clone(), clock.clone());
        let answers = Arc::clone(&answers);
        Box::pin(async move {
            for _ in 0..seconds / 3 {
                clock.advance(Duration::from_secs(3));
                engine.beat(false).await.unwrap();
            }
            let other = store.take_tick("other", clock.now(), 2 * INTERVAL, None).await;
            answers.lock().unwrap().push(other.unwrap());
        })
    });
    taken
}

#[tokio::test]
async fn a_check_longer_than_the_lease_of_its_tick_lets_no_other_node_tick() {
    let (node, meddler) = meddled(by_hand()).await;
    jobs(&node, 6).await;
    let others = slow(&node, &meddler, 30);
    let tick = node.tick().await;
    assert_eq!(
        tick.finished_at.since(tick.started_at),
        Duration::from_secs(12 * 30)
    );
    assert_eq!(numbers(&tick.running_job_snapshots), (6, 0, 0));
    assert_eq!(
        *others.lock().unwrap(),
        [false; 12],
        "six looks by each of two checks"
    );
}

#[tokio::test]
async fn a_tick_that_lost_its_lease_to_another_node_stops() {
    let (node, meddler) = meddled(by_hand()).await;
    jobs(&node, 6).await;
    let others = slow(&node, &meddler, 123);
    let tick = node.tick().await;
    assert_eq!(*others.lock().unwrap(), [true], "it looks at no second job");
    assert_eq!(tick.missing_queues.checked, 1);
    assert_eq!(
        tick.missing_queues.error.as_deref(),
        Some("another node has taken the tick over")
    );
    for (name, check) in &tick.checks()[2..] {
        assert_eq!(numbers(check), (0, 0, 0), "{name}");
        assert_eq!(
            check.error.as_deref(),
            Some("the lease of the tick was lost"),
            "{name}"
        );
    }
    assert_eq!(
        node.engine.last_tick().await.unwrap(),
        Some(tick),
        "what it did is kept"
    );
    assert_eq!(
        node.engine.tick_once(false).await.unwrap(),
        None,
        "the other is at it"
    );
}
