//! The queue or the progress is away: all goes on from the store, and what they hold is made again when they are back.

use std::time::Duration;

use serde_json::{Value, json};
use trapline_testkit::{Client, until};

use crate::{
    cluster::{
        BOUND, Cluster,
        Dependency::{self, Progress, Queue},
        Mode,
    },
    endpoints::{self, Call, Victims, slowest},
    fleet::{Workers, lands, results_of, start_job},
};

const IMAGES: usize = 150;
const WAITING: usize = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_queue_or_the_progress_is_away_jobs_land_and_both_are_made_again() {
    let mut cluster = Cluster::start(&[]).await;
    let [a, _] = cluster.clients();
    for slug in ["work", "victim", "hand"] {
        a.register_pipeline(slug).await;
    }
    let workers = Workers::start(&cluster.urls(), "work", 2);
    let waiting = start_job(&a, "hand", WAITING).await;
    endpoints::check(&a, waiting).await;
    let mut settled = 0;
    for what in [Queue, Progress] {
        for how in [Mode::Partition, Mode::Kill, Mode::Quit, Mode::Pause] {
            goes_away(&mut cluster, what, how, waiting).await;
            settled += 2;
            is_made_again(&cluster, &a, waiting, WAITING - settled).await;
        }
    }
    workers.stop().await;
    cluster.verify();
    for what in [Queue, Progress] {
        let said = cluster.warnings(&format!("the {} is away", what.name()));
        assert!(
            (2..=24).contains(&said),
            "{what:?}: {said} warnings of 4 outages on 2 nodes"
        );
    }
}

async fn goes_away(cluster: &mut Cluster, what: Dependency, how: Mode, waiting: i64) {
    let [a, b] = cluster.clients();
    let before = start_job(&a, "work", IMAGES).await;
    let victims = Victims::new(&a).await;
    cluster.take_away(what, how);
    let all = endpoints::all(before, &victims);
    let (onset, (tasks, result)) = futures::join!(endpoints::measure(&a, &all), one_task(&b, waiting));
    for measured in &onset {
        // One node at a time runs a tick.
        let busy = measured.call.contains("health/check") && measured.status == 503;
        assert!(measured.status < 500 || busy, "{measured:?}");
    }
    let slowest = slowest(&onset);
    cluster.both_say(Some(what)).await;
    let (again, _) = one_task(&a, waiting).await;
    let meanwhile = start_job(&b, "work", IMAGES).await;
    lands(&a, before, IMAGES).await;
    lands(&b, meanwhile, IMAGES).await;
    println!("{what:?} {how:?}: tasks {tasks:?}, later {again:?}, slowest {slowest:?}, result {result:?}");
    cluster.give_back(what, how).await;
    cluster.both_say(None).await;
}

/// Reserves one task and posts its result; how long each took.
async fn one_task(client: &Client, job: i64) -> (Duration, Duration) {
    let body = json!({ "batch_size": 1, "client_info": { "instance": "hand" } });
    let tasks = Call::post(&format!("/api/v2/jobs/{job}/tasks/"), body);
    let handed = tasks.measure(client).await;
    let got = handed.body["tasks"].as_array().filter(|t| t.len() == 1);
    let got = got.unwrap_or_else(|| panic!("{handed:?}"));
    let post = Call::post(&format!("/api/v2/jobs/{job}/result/"), results_of("hand", got));
    let saved = post.measure(client).await;
    assert_eq!(saved.status, 200, "{saved:?}");
    (handed.took, saved.took)
}

/// The queue holds every free task, and the progress tells of every unsettled one.
async fn is_made_again(cluster: &Cluster, client: &Client, job: i64, unsettled: usize) {
    until("the projections agree with the store", BOUND, async || {
        let seen = client.get(&format!("/api/v2/jobs/{job}/explain/")).await;
        let counts = &client.get(&format!("/api/v2/jobs/{job}/")).await["counts"];
        let number = |v: &Value| v.as_u64().unwrap_or_default();
        let live = cluster
            .redis
            .ask(&format!("SCARD job:{job}:pending_images:process"))
            .await;
        let total = cluster
            .redis
            .ask(&format!("EXISTS job:{job}:pending_images_total"))
            .await;
        let held = number(&seen["queue_counters"]["num_pending"]);
        let pending = number(&counts["pending"]);
        let state = format!("{held} held, {live} live of {counts}");
        // Candidates that were granted from the store are refused when their turn comes.
        let agree =
            held >= pending && live == pending.to_string() && total == "1" && pending == unsettled as u64;
        if agree { Ok(()) } else { Err(state) }
    })
    .await;
}
