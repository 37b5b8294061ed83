//! A node that starts or stops while something that it depends on is away.

use std::{process::Command, time::Duration};

use trapline_core::Clock as _;
use trapline_testkit::RealClock;

use crate::{
    cluster::{
        Cluster,
        Dependency::{Progress, Queue, Store},
        Mode, trapline,
    },
    fleet::{lands, reserve, results_of, start_job},
};

/// How long a stop may take that waits for nobody.
const STOP: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_starts_and_stops_without_its_projections_and_does_not_start_without_its_store() {
    // A lease outlives this test.
    let mut cluster = Cluster::start(&[("NATS_TASK_TTR", "600")]).await;
    let [a, b] = cluster.clients();
    a.register_pipeline("hand").await;
    let job = start_job(&a, "hand", 6).await;
    let mut left = reserve(&a, job, "one", 2).await;
    cluster.both_say(None).await;

    for (queue, progress) in [(Mode::Partition, Mode::Pause), (Mode::Kill, Mode::Partition)] {
        cluster.take_away(Queue, queue);
        cluster.take_away(Progress, progress);
        assert!(stops(&mut cluster).await, "all was written");
        cluster.nodes[0].restart().await;
        left.extend(reserve(&a, job, "one", 2).await);
        cluster.give_back(Queue, queue).await;
        cluster.give_back(Progress, progress).await;
        cluster.both_say(None).await;
    }

    cluster.take_away(Store, Mode::Pause);
    // Its last words can't be written, and it says so.
    assert!(!stops(&mut cluster).await);
    for how in [Mode::Pause, Mode::Kill] {
        if how == Mode::Kill {
            cluster.give_back(Store, Mode::Pause).await;
            cluster.take_away(Store, Mode::Kill);
        }
        does_not_start(&cluster).await;
    }
    cluster.give_back(Store, Mode::Kill).await;
    cluster.nodes[0].restart().await;
    cluster.both_say(None).await;
    let path = format!("/api/v2/jobs/{job}/result/");
    let answer = b.post(&path, &results_of("hand", &left)).await;
    assert_eq!(answer["results_queued"], 6, "{answer}");
    lands(&a, job, 6).await;
    cluster.verify();
}

/// Stops the first node; whether it said that all is well.
async fn stops(cluster: &mut Cluster) -> bool {
    let clock = RealClock::new();
    let ended = cluster.nodes[0].stop().await;
    let took = clock.monotonic();
    assert!(took < STOP, "a stop took {took:?}");
    println!("a stop took {took:?}");
    ended.success()
}

/// A start that fails soon, and says at which address there is no store.
async fn does_not_start(cluster: &Cluster) {
    let clock = RealClock::new();
    let database = cluster.url_of(Store).to_owned();
    let folder = cluster.folder().to_owned();
    let started = tokio::task::spawn_blocking(move || {
        Command::new(trapline())
            .args(["serve", "--listen", "127.0.0.1:0", "--database", &database])
            .current_dir(folder)
            .output()
            .unwrap()
    });
    let done = started.await.unwrap();
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(3), "{said}");
    assert!(said.contains("cannot open the store at `127.0.0.1:"), "{said}");
    let took = clock.monotonic();
    assert!(took < STOP, "{took:?}");
}
