use std::collections::HashMap;

use serde_json::json;
use trapline_core::doctor::Verdict;

use super::*;

fn facts(version: &str, cluster_size: usize) -> Facts {
    Facts {
        servers: vec![Server {
            address: "a:4222".into(),
            version: version.into(),
        }],
        away: Vec::new(),
        cluster_size,
        jetstream: Ok(json!({ "limits": { "max_streams": -1, "max_ack_pending": -1 } })),
        streams: Vec::new(),
        clocks: None,
    }
}

fn synced() -> [Value; 1] {
    [json!({ "config": { "sync_always": true } })]
}

fn judged(facts: &Facts, replicas: usize, monitors: &[Value]) -> HashMap<&'static str, Verdict> {
    judge(facts, &JetStreamOptions::replicated(replicas), monitors)
        .into_iter()
        .inspect(|c| assert_eq!(c.advice.is_none(), c.verdict == Verdict::Ok, "{c:?}"))
        .map(|c| (c.name, c.verdict))
        .collect()
}

#[test]
fn three_servers_with_three_replicas_that_sync_are_fine() {
    let all = judged(&facts("2.15.1", 3), 3, &synced());
    assert!(all.values().all(|v| *v == Verdict::Ok), "{all:?}");
}

#[test]
fn versions_that_lose_streams_are_unsafe_and_those_never_tested_too() {
    for (version, verdict) in [
        ("2.8.4", Verdict::Fail),
        ("2.9.10", Verdict::Fail),
        ("2.10.22", Verdict::Fail),
        ("2.10.23", Verdict::Ok),
        ("2.15.1", Verdict::Ok),
    ] {
        assert_eq!(
            judged(&facts(version, 3), 3, &[])["nats.version"],
            verdict,
            "{version}"
        );
    }
}

#[test]
fn a_sync_that_is_off_or_can_not_be_seen_is_warned_of() {
    let sync = |monitors: &[Value]| judged(&facts("2.15.1", 3), 3, monitors)["nats.sync_always"];
    assert_eq!(sync(&synced()), Verdict::Ok);
    assert_eq!(sync(&[]), Verdict::Warn);
    // Monitoring that answers without JetStream's part tells nothing.
    assert_eq!(sync(&[json!({})]), Verdict::Warn);
    let one_of_two = [synced()[0].clone(), json!({ "config": { "sync_interval": 120 } })];
    assert_eq!(sync(&one_of_two), Verdict::Warn);
}

#[test]
fn replicas_need_as_many_servers() {
    let replicas = |wanted, size| judged(&facts("2.15.1", size), wanted, &[])["nats.replicas"];
    assert_eq!(replicas(3, 3), Verdict::Ok);
    assert_eq!(replicas(3, 1), Verdict::Fail);
    assert_eq!(replicas(1, 1), Verdict::Warn);
    assert_eq!(replicas(1, 3), Verdict::Warn);
}

#[test]
fn without_jetstream_nothing_else_is_said_of_it() {
    let off = Facts {
        jetstream: Err("JetStream not enabled for account".into()),
        ..facts("2.15.1", 1)
    };
    let all = judged(&off, 1, &[]);
    assert_eq!(all["nats.jetstream"], Verdict::Fail);
    assert!(!all.contains_key("nats.replicas"));
}

#[test]
fn limits_of_the_account_are_held_against_the_settings() {
    let limits = |streams: i64, pending: i64| {
        let limited = Facts {
            jetstream: Ok(json!({ "limits": { "max_streams": streams, "max_ack_pending": pending } })),
            ..facts("2.15.1", 3)
        };
        judged(&limited, 3, &[])["nats.limits"]
    };
    assert_eq!(limits(300, 10_000), Verdict::Ok);
    assert_eq!(limits(299, 10_000), Verdict::Warn);
    assert_eq!(limits(-1, 9_999), Verdict::Fail);
}

#[test]
fn streams_and_servers_that_lag_are_warned_of() {
    let stream = |replicas: u64, current: bool| {
        json!({
            "config": { "num_replicas": replicas },
            "cluster": { "replicas": [{ "current": current }] },
        })
    };
    let with = |stream| Facts {
        streams: vec![stream],
        ..facts("2.15.1", 3)
    };
    assert!(!judged(&with(stream(3, true)), 3, &[]).contains_key("nats.streams"));
    assert_eq!(
        judged(&with(stream(1, true)), 3, &[])["nats.streams"],
        Verdict::Warn
    );
    assert_eq!(
        judged(&with(stream(3, false)), 3, &[])["nats.streams"],
        Verdict::Warn
    );
    let one_away = Facts {
        away: vec!["b:4222: refused".into()],
        ..facts("2.15.1", 3)
    };
    assert_eq!(judged(&one_away, 3, &[])["nats.server"], Verdict::Warn);
}
