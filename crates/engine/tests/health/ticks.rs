//! One tick at a time, kept, and watched.

use std::time::Duration;

use trapline_core::health::HealthPolicy;
use trapline_testkit::until;

use crate::support::{node, quiet, start};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn two_nodes_run_one_tick_at_a_time_and_one_per_interval() {
    let mut policy = quiet();
    policy.health = HealthPolicy::default();
    let node = node(policy).await;
    let second = start(&node.ports, policy).await;
    until("six ticks by the timers", Duration::from_secs(60), async || {
        node.pass(4).await;
        second.beat(false).await.unwrap();
        match node.engine.ticks(None, 100).await.unwrap().len() {
            6.. => Ok(()),
            ticks => Err(format!("{ticks} ticks")),
        }
    })
    .await;
    let ticks = second.ticks(None, 100).await.unwrap();
    let least = MINUTE * 9 / 10;
    assert!(
        ticks
            .windows(2)
            .all(|t| t[0].1.started_at.since(t[1].1.started_at) >= least),
        "{ticks:?}"
    );
}

#[tokio::test]
async fn a_tick_on_request_yields_to_another_node_and_follows_one_that_died() {
    let node = node(quiet()).await;
    let lease = Duration::from_secs(120);
    assert!(
        node.ports
            .store
            .take_tick("other", node.world.now(), lease, None)
            .await
            .unwrap()
    );
    assert_eq!(node.engine.tick_once(false).await.unwrap(), None);
    assert!(
        node.engine.tick_once(true).await.unwrap().is_some(),
        "looking needs no lease"
    );
    node.live(120).await;
    let tick = node.tick().await;
    assert_eq!(node.engine.last_tick().await.unwrap(), Some(tick));
}

#[tokio::test]
async fn a_report_has_the_five_checks_at_top_level_with_upstreams_three_numbers() {
    let node = node(quiet()).await;
    node.job_of(2).await;
    let json = serde_json::to_value(node.tick().await).unwrap();
    let checks = [
        "lost_images",
        "missing_queues",
        "stale_jobs",
        "running_job_snapshots",
        "zombie_streams",
    ];
    for check in checks {
        let report = json[check].as_object().unwrap();
        let keys: Vec<&str> = report.keys().map(String::as_str).collect();
        assert_eq!(keys, ["checked", "fixed", "unfixable"], "{check}");
    }
}
