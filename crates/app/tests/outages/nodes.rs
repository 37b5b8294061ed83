//! Many nodes, none of them special: what one holds passes on when it is killed, and what one does wakes who waits on another.

use std::{sync::Arc, time::Duration};

use futures::StreamExt as _;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use trapline_backends::RedisProgress;
use trapline_core::{
    Clock as _, JobId,
    ports::{Hint, Progress as _},
};
use trapline_testkit::{Client, RealClock, until, within};

use crate::{
    cluster::{
        BOUND, Cluster,
        Dependency::{Progress, Queue},
        Mode,
    },
    fleet::{Workers, claim_of, lands, new_job, reserve, results_of, start_job},
};

/// What a killed node held is taken by another: the lease of the tick (2 s here), a dispatcher's (5 s), and a margin for busy
/// machines.
const PASSES_ON: Duration = Duration::from_secs(30);
const LARGE: usize = 30_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_nodes_tick_and_dispatch_pass_on_and_a_rolling_restart_fails_nothing() {
    let mut cluster = Cluster::start(&[]).await;
    let [a, _] = cluster.clients();
    for slug in ["work", "hand"] {
        a.register_pipeline(slug).await;
    }
    the_tick_passes_on(&mut cluster).await;
    a_dispatch_passes_on(&mut cluster).await;
    a_rolling_restart_fails_nothing(&mut cluster).await;
    cluster.verify();
}

async fn newest_tick(client: &Client) -> (String, Value) {
    let ticks = client.get("/api/v2/health/ticks/?limit=1").await;
    let tick = &ticks["results"][0];
    let node = tick["node"].as_str().unwrap_or_default().to_owned();
    (node, tick["started_at"].clone())
}

async fn the_tick_passes_on(cluster: &mut Cluster) {
    let [a, b] = cluster.clients();
    let holder = until("a tick", BOUND, async || {
        let (node, _) = newest_tick(&a).await;
        let pid = node.split('-').next().and_then(|p| p.parse::<u32>().ok());
        pid.and_then(|pid| cluster.nodes.iter().position(|n| n.pid() == pid))
            .ok_or(node)
    })
    .await;
    let other = if holder == 0 { &b } else { &a };
    let clock = RealClock::new();
    cluster.nodes[holder].kill();
    let survivor = cluster.nodes[1 - holder].pid().to_string();
    until("the other node ticks", PASSES_ON, async || {
        match newest_tick(other).await {
            (node, _) if node.starts_with(&survivor) => Ok(()),
            (node, at) => Err(format!("{node} at {at}")),
        }
    })
    .await;
    println!("the tick passed on within {:?}", clock.monotonic());
    cluster.nodes[holder].restart().await;
}

/// The second node sleeps until the first one has begun; so it is the first one that dies in the middle.
async fn a_dispatch_passes_on(cluster: &mut Cluster) {
    let [a, b] = cluster.clients();
    let job = a.post("/api/v2/jobs/", &new_job("hand", LARGE)).await["id"]
        .as_i64()
        .unwrap();
    cluster.nodes[1].pause();
    a.post(&format!("/api/v2/jobs/{job}/run/"), &json!({})).await;
    let path = format!("/api/v2/jobs/{job}/");
    let begun = until("the collect begins", BOUND, async || {
        let seen = a.get(&path).await;
        match seen["status"] == "STARTED" {
            true => Ok(seen["counts"]["total"].as_u64().unwrap_or_default()),
            false => Err(seen["status"].to_string()),
        }
    })
    .await;
    cluster.nodes[0].kill();
    cluster.nodes[1].resume();
    let clock = RealClock::new();
    until("the other node collects the rest", PASSES_ON, async || {
        match b.try_get(&path).await {
            Ok(seen) if seen.body["counts"]["pending"] == LARGE => Ok(()),
            Ok(seen) => Err(seen.body["counts"].to_string()),
            Err(error) => Err(error.to_string()),
        }
    })
    .await;
    println!(
        "a dispatch, {begun} of {LARGE} collected, passed on within {:?}",
        clock.monotonic()
    );
    until("the queue holds them all", BOUND, async || {
        let seen = b.get(&format!("{path}explain/")).await;
        match seen["queue_counters"]["num_pending"].as_u64() {
            Some(n) if n >= LARGE as u64 => Ok(()),
            held => Err(format!("{held:?}")),
        }
    })
    .await;
    let live = format!("SCARD job:{job}:pending_images:process");
    until("the progress tells of them all", BOUND, async || {
        match cluster.redis.ask(&live).await {
            n if n == LARGE.to_string() => Ok(()),
            n => Err(n),
        }
    })
    .await;
    b.post(&format!("{path}cancel/"), &json!({})).await;
    cluster.nodes[0].restart().await;
}

async fn a_rolling_restart_fails_nothing(cluster: &mut Cluster) {
    const IMAGES: usize = 1_500;
    let [a, _] = cluster.clients();
    let job = start_job(&a, "work", IMAGES).await;
    let workers = Workers::start(&cluster.urls(), "work", 3);
    for node in 0..2 {
        workers.save(IMAGES / 5 * (node + 1)).await;
        assert!(cluster.nodes[node].stop().await.success());
        cluster.nodes[node].restart().await;
    }
    lands(&a, job, IMAGES).await;
    workers.stop().await;
    let mut store = PgConnection::connect(&cluster.postgres.url("postgres"))
        .await
        .unwrap();
    let struck: i64 = sqlx::query_scalar("SELECT count(*) FROM tasks WHERE strikes > 0")
        .fetch_one(&mut store)
        .await
        .unwrap();
    assert_eq!(struck, 0, "a graceful stop is no death");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_node_does_wakes_who_waits_on_another_and_without_redis_it_takes_longer() {
    let mut cluster = Cluster::start(&[]).await;
    let [a, b] = cluster.clients();
    a.register_pipeline("hand").await;
    // A poll looks by itself every 2 s. That a hint is faster than this is seen at the best of a few.
    let mut best = Duration::MAX;
    for _ in 0..3 {
        best = best.min(wakes(&a, &b).await);
    }
    println!("woken within {best:?}");
    assert!(best < Duration::from_millis(1_200), "{best:?}");

    // As a live view would hear of it.
    let clock = Arc::new(RealClock::new());
    let redis = RedisProgress::connect(&cluster.redis.url(), clock).await.unwrap();
    let mut hints = redis.hints().await.unwrap();
    let job = start_job(&a, "hand", 1).await;
    let tasks = reserve(&a, job, "one", 1).await;
    b.post(
        &format!("/api/v2/jobs/{job}/result/"),
        &results_of("hand", &tasks),
    )
    .await;
    let heard = hints
        .by_ref()
        .filter(|h| std::future::ready(*h == Hint::Job(JobId(job))));
    within(BOUND, heard.take(1).collect::<Vec<_>>()).await;

    for how in [Mode::Kill, Mode::Pause] {
        cluster.take_away(Progress, how);
        cluster.both_say(Some(Progress)).await;
        let took = wakes(&a, &b).await;
        println!("without Redis ({how:?}), woken within {took:?}");
        assert!(took < Duration::from_secs(8), "{took:?}");
        cluster.give_back(Progress, how).await;
        cluster.both_say(None).await;
    }
    cluster.take_away(Queue, Mode::Kill);
    wakes(&a, &b).await;
}

/// How long after a job is made on one node a poll that waits on another has its task.
async fn wakes(waits: &Client, makes: &Client) -> Duration {
    let claim = claim_of("hand", "waits", 1, 20);
    let clock = RealClock::new();
    let poll = async {
        let claimed = waits.post("/api/v2/tasks/claim/", &claim).await;
        (claimed, clock.monotonic())
    };
    let make = async {
        // The poll has looked, and waits.
        clock.sleep(Duration::from_millis(300)).await;
        let made_at = clock.monotonic();
        let job = makes.post("/api/v2/jobs/?start_now", &new_job("hand", 1)).await["id"].clone();
        (job, made_at)
    };
    let ((claimed, woken_at), (job, made_at)) = futures::join!(poll, make);
    assert_eq!(claimed["job_id"], job, "{claimed}");
    let tasks = claimed["tasks"].as_array().unwrap();
    let path = format!("/api/v2/jobs/{job}/result/");
    waits.post(&path, &results_of("hand", tasks)).await;
    woken_at.saturating_sub(made_at)
}
