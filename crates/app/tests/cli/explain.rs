//! What is printed of the body that the server really answers: core's own type, serialized as the server does.

use std::time::Duration;

use trapline_core::{
    JobId, JobStatus, Timestamp,
    counts::Counts,
    explain::{Explanation, Next, Reach},
    ports::{OldestLease, QueueInfo, WorkerNow},
};

use super::support::{Server, answer};

fn explanation() -> Explanation {
    let now = Timestamp(0).plus(Duration::from_secs(100));
    Explanation {
        job: JobId(1),
        sentence: "1 lease is out\u{1b}[2J for 40 s, held by worker `gpu`".into(),
        status: Some(JobStatus::Started),
        counts: Some(Counts::default()),
        workers: vec![WorkerNow {
            name: "gpu".into(),
            last_seen: now,
            busy_with: Some(JobId(1)),
            busy_elsewhere: false,
        }],
        leases_out: 1,
        oldest_lease: Some(OldestLease {
            granted_at: now,
            lease_until: now,
            worker: "gpu".into(),
            last_seen: None,
        }),
        oldest_lease_seconds: Some(40),
        queue_counters: Some(QueueInfo {
            job: JobId(1),
            num_pending: 3,
            num_ack_pending: 0,
            num_redelivered: 0,
            created_at: None,
            in_nats: true,
        }),
        store: Reach::Ok,
        queue: Reach::Unreachable("no answer within 2s".into()),
        progress: Reach::Gone,
        last_tick_at: None,
        clock_step: None,
        next: Next {
            action: "a result",
            at: Some(now),
        },
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_begins_with_the_sentence_and_goes_on_with_the_evidence() {
    let body = serde_json::to_value(explanation()).unwrap();
    let server = Server::start(move |_| answer(200, &body)).await;
    let ran = server.run(&["job", "explain", "1"]).await.exits(0);
    let (sentence, evidence) = ran.out.split_once('\n').unwrap();
    assert_eq!(sentence, "1 lease is out [2J for 40 s, held by worker `gpu`");
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
