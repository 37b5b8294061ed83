//! What is printed of the body that the server really answers: the type that it writes.

use trapline_wire as wire;

use super::support::{Server, answer};

fn explanation() -> wire::Explanation {
    let now = "1970-01-01T00:01:40.000000Z".to_owned();
    wire::Explanation {
        job: 1,
        sentence: "1 image\u{1b}[2J has been at worker `gpu` for 40 s".into(),
        status: Some("STARTED".into()),
        counts: Some(wire::Counts::default()),
        workers: vec![wire::WorkerSeen {
            name: "gpu".into(),
            last_seen: now.clone(),
            busy_with: Some(1),
            busy_elsewhere: false,
            draining: false,
        }],
        leases_out: 1,
        oldest_lease: Some(wire::OldestLease {
            granted_at: now.clone(),
            lease_until: now.clone(),
            worker: "gpu".into(),
            last_seen: None,
        }),
        oldest_lease_seconds: Some(40),
        queue_counters: Some(wire::QueueCounters {
            job: 1,
            num_pending: 3,
            ..wire::QueueCounters::default()
        }),
        store: reach("ok", None),
        queue: reach("unreachable", Some("no answer within 2s")),
        progress: reach("gone", None),
        last_tick_at: None,
        clock_step: None,
        next: wire::Next {
            action: "a result".into(),
            at: Some(now),
        },
    }
}

fn reach(state: &'static str, detail: Option<&str>) -> wire::Reach {
    wire::Reach {
        state: state.into(),
        detail: detail.map(str::to_owned),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_begins_with_the_sentence_and_goes_on_with_the_evidence() {
    let body = serde_json::to_value(explanation()).unwrap();
    let server = Server::start(move |_| answer(200, &body)).await;
    let ran = server.run(&["job", "explain", "1"]).await.exits(0);
    let (sentence, evidence) = ran.out.split_once('\n').unwrap();
    assert_eq!(sentence, "1 image [2J has been at worker `gpu` for 40 s");
    for part in [
        "  status: STARTED\n",
        "  worker gpu: seen ",
        " days ago, busy with job 1\n",
        "  oldest lease: held by gpu for ",
        "  queue: can't be reached: no answer within 2s\n",
        "  queue: 3 candidates\n",
        "  progress: has nothing of this job\n",
        "  next: a result, due now\n",
    ] {
        assert!(evidence.contains(part), "{part} is not in\n{evidence}");
    }
    for raw in ["sentence", "null", "num_pending", "1970", ": -"] {
        assert!(!evidence.contains(raw), "{raw} is in\n{evidence}");
    }
    assert_eq!(
        server
            .run(&["job", "explain", "1", "--json"])
            .await
            .exits(0)
            .json(),
        serde_json::to_value(explanation()).unwrap()
    );
    assert_eq!(server.lines(), ["GET jobs/1/explain", "GET jobs/1/explain"]);
}
