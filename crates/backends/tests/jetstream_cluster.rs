//! The queue on a cluster of NATS servers: streams with replicas, a server that dies under them, and servers that want to know
//! who asks.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
#![allow(clippy::print_stdout, reason = "which versions ran is told")]

use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_nats::jetstream::stream;
use trapline_backends::{JetStreamOptions, JetStreamQueue};
use trapline_core::{
    CaptureId, JobId,
    error::chain,
    ports::{Candidate, Queue as _},
};
use trapline_testkit::{
    RealClock,
    conformance::projections::queue::candidates,
    services::{Nats, NatsBinary, NatsCluster},
    until,
};

const JOB: JobId = JobId(7);
const OTHER: JobId = JobId(8);
/// A cluster elects a new leader in seconds; a busy machine takes longer.
const RETURNS: Duration = Duration::from_secs(60);

async fn connect(url: &str, replicas: usize) -> JetStreamQueue {
    let options = JetStreamOptions::replicated(replicas);
    JetStreamQueue::connect(url, options, Arc::new(RealClock::new()))
        .await
        .unwrap()
}

/// A job's stream, as anybody sees it.
async fn stream(url: &str, job: JobId) -> stream::Info {
    let addresses: Vec<&str> = url.split(',').collect();
    let client = async_nats::connect(addresses).await.unwrap();
    let js = async_nats::jetstream::new(client);
    js.get_stream(format!("job_{job}"))
        .await
        .unwrap()
        .cached_info()
        .clone()
}

/// Publishes until the queue takes it; what was taken twice costs nothing.
async fn publish(queue: &JetStreamQueue, job: JobId, all: &[Candidate]) {
    until("candidates are published", RETURNS, || async {
        queue.publish(job, all).await.map_err(|e| chain(&e))
    })
    .await;
}

/// Takes and acknowledges until every capture of these was proposed.
async fn take(queue: &JetStreamQueue, job: JobId, all: &[Candidate]) {
    let left = Mutex::new(all.iter().map(|c| c.capture).collect::<BTreeSet<CaptureId>>());
    until("every candidate is proposed", RETURNS, || async {
        let proposal = queue.propose(job, 100).await.map_err(|e| chain(&e))?;
        let proposal = proposal.ok_or("there is no stream")?;
        let unseen = {
            let mut left = left.lock().unwrap();
            for candidate in &proposal.candidates {
                left.remove(&candidate.capture);
            }
            left.len()
        };
        queue.acknowledge(job, proposal).await.map_err(|e| chain(&e))?;
        if unseen == 0 {
            Ok(())
        } else {
            Err(format!("{unseen} were not proposed"))
        }
    })
    .await;
}

/// Waits until a stream has as many copies, all of them current; its leader.
async fn replicated(url: &str, job: JobId, replicas: usize) -> String {
    until("the stream has its replicas", RETURNS, || async {
        let info = stream(url, job).await;
        let cluster = info.cluster.clone().unwrap();
        let current = cluster
            .replicas
            .iter()
            .filter(|r| r.current && !r.offline)
            .count();
        match cluster.leader {
            Some(leader) if info.config.num_replicas == replicas && current + 1 == replicas => Ok(leader),
            _ => Err(format!("{info:?}")),
        }
    })
    .await
}

async fn one_server_less(binary: NatsBinary) {
    println!("nats-server {}", binary.version);
    let mut cluster = NatsCluster::start(binary).await;
    let url = cluster.url();
    let queue = connect(&url, 3).await;
    let (first, second) = (candidates(1..200), candidates(200..400));
    publish(&queue, JOB, &first).await;
    let leader = replicated(&url, JOB, 3).await;

    cluster.server(&leader).kill();
    publish(&queue, JOB, &second).await;
    take(&queue, JOB, &[first, second].concat()).await;

    cluster.server(&leader).restart().await;
    cluster.wait().await;
    queue.remove(JOB).await.unwrap();
    assert!(queue.info(JOB).await.unwrap().is_none());
    grows(&url, &queue).await;
}

/// A stream of a time before the replicas is brought up to them. 2.15 takes more than ten seconds to settle it, and until then
/// the stream is away with its first server, as it was before.
async fn grows(url: &str, queue: &JetStreamQueue) {
    let before = connect(url, 1).await;
    publish(&before, OTHER, &candidates(1..100)).await;
    assert_eq!(stream(url, OTHER).await.config.num_replicas, 1);
    publish(queue, OTHER, &candidates(100..200)).await;
    replicated(url, OTHER, 3).await;
    take(queue, OTHER, &candidates(1..200)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_three_replicas_publish_and_take_go_on_without_the_streams_leader_on_the_oldest_server() {
    one_server_less(NatsBinary::all().unwrap().swap_remove(0)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_three_replicas_publish_and_take_go_on_without_the_streams_leader_on_the_newest_server() {
    one_server_less(NatsBinary::all().unwrap().pop().unwrap()).await;
}

#[tokio::test]
async fn a_user_and_a_password_in_the_address_are_used() {
    let named = ["--user", "trapline", "--pass", "p@ss/word"].map(str::to_owned);
    let nats = Nats::start_with(NatsBinary::all().unwrap().swap_remove(0), &named).await;
    let at = nats.url().replace("nats://", "nats://trapline:p%40ss%2Fword@");
    let queue = connect(&format!("{},{at}", nats.url()), 1).await;
    queue.publish(JOB, &candidates(1..10)).await.unwrap();
    let stranger = connect(&nats.url(), 1).await;
    assert!(stranger.ping().await.is_err());
}

#[tokio::test]
async fn a_file_of_credentials_opens_a_server_that_knows_users_by_jwt() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/credentials");
    let config = ["-c".to_owned(), folder.join("nats.conf").display().to_string()];
    for binary in NatsBinary::all().unwrap() {
        let nats = Nats::start_with(binary, &config).await;
        let options = JetStreamOptions {
            credentials: Some(folder.join("node.creds")),
            ..JetStreamOptions::default()
        };
        let clock = Arc::new(RealClock::new());
        let queue = JetStreamQueue::connect(&nats.url(), options, clock)
            .await
            .unwrap();
        queue.publish(JOB, &candidates(1..10)).await.unwrap();
        assert!(connect(&nats.url(), 1).await.ping().await.is_err());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_that_one_server_can_not_give_are_refused_with_what_to_do() {
    for binary in NatsBinary::all().unwrap() {
        let nats = Nats::start(binary).await;
        let alone = connect(&nats.url(), 1).await;
        alone.publish(JOB, &candidates(1..10)).await.unwrap();
        let queue = connect(&nats.url(), 3).await;
        let refused = queue.publish(OTHER, &candidates(10..20)).await;
        let said = chain(&refused.unwrap_err());
        assert!(said.contains("`queue_replicas`"), "{}: {said}", nats.version());
        until("it is tried again", RETURNS, || async {
            queue.ping().await.map_err(|e| chain(&e))
        })
        .await;
        // One that is there already: 2.9 leaves it as it is, and it can be used.
        match queue.publish(JOB, &candidates(10..20)).await {
            Ok(_) => println!("{} leaves it", nats.version()),
            Err(e) => {
                let said = chain(&e);
                println!("{} {said}", nats.version());
                assert!(said.contains("`queue_replicas`"), "{}: {said}", nats.version());
            }
        }
    }
}
