//! What only the queue on JetStream has to show, on every version of the server that is there: outages, foreign
//! messages, streams that others made, limits, and what a call costs.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
#![allow(clippy::print_stdout, reason = "the figures are the point")]
#![allow(
    clippy::disallowed_methods,
    reason = "measures real calls, and drives some at once"
)]

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use async_nats::jetstream::{consumer::PullConsumer, stream};
use futures::future::join_all;
use libtest_mimic::{Arguments, Trial};
use trapline_backends::{JetStreamOptions, JetStreamQueue};
use trapline_core::{
    CaptureId, ErrorKind, JobId, Result,
    ports::{Candidate, Offered, Proposal, Queue as _},
};
use trapline_testkit::{
    RealClock,
    conformance::projections::queue::{candidates, offer, told, works_again},
    services::{Nats, NatsBinary},
    until,
};

const JOB: JobId = JobId(7);
/// A call while the server is away, at the longest.
const AWAY_MAX: Duration = Duration::from_secs(2);
/// A call that does not wait for the server: less than any deadline, and more than a busy machine takes.
const AT_ONCE: Duration = Duration::from_millis(400);
const RETURNS: Duration = Duration::from_secs(10);

async fn connect(nats: &Nats, options: JetStreamOptions) -> JetStreamQueue {
    JetStreamQueue::connect(&nats.url(), options, Arc::new(RealClock::new()))
        .await
        .unwrap()
}

async fn queue(nats: &Nats) -> JetStreamQueue {
    connect(nats, JetStreamOptions::default()).await
}

/// A client of somebody else.
async fn raw(nats: &Nats) -> async_nats::jetstream::Context {
    async_nats::jetstream::new(async_nats::connect(nats.url()).await.unwrap())
}

async fn publish_raw(js: &async_nats::jetstream::Context, text: &'static str) {
    let sent = js.publish("job.7.tasks", text.into()).await.unwrap();
    sent.await.unwrap();
}

async fn timed<T>(work: impl Future<Output = T>) -> (T, Duration) {
    let started = Instant::now();
    (work.await, started.elapsed())
}

fn assert_away<T: std::fmt::Debug>(what: &str, (done, took): (Result<T>, Duration), bound: Duration) {
    assert_eq!(done.unwrap_err().kind, ErrorKind::Unavailable, "{what}");
    assert!(took < bound, "{what} took {took:?}");
}

async fn proposed(queue: &JetStreamQueue, job: JobId, limit: usize) -> Proposal {
    queue.propose(job, limit).await.unwrap().unwrap()
}

async fn calls_under_way_when_it_is_killed_fail_in_time_and_later_ones_at_once(mut nats: Nats) {
    let queue = Arc::new(queue(&nats).await);
    queue.publish(JOB, &candidates(1..100)).await.unwrap();
    let publisher = Arc::clone(&queue);
    let publishing = tokio::spawn(async move {
        let mut from = 1_000;
        loop {
            let (done, took) = timed(publisher.publish(JOB, &candidates(from..from + 5_000))).await;
            if done.is_err() {
                return (done, took);
            }
            from += 5_000;
        }
    });
    let proposer = Arc::clone(&queue);
    let proposing = tokio::spawn(async move {
        loop {
            let (done, took) = timed(proposer.propose(JOB, 10)).await;
            if done.is_err() {
                return (done, took);
            }
        }
    });
    until("some are published", RETURNS, || async {
        let held = queue.info(JOB).await.unwrap().unwrap();
        if held.num_pending > 1_000 {
            Ok(())
        } else {
            Err(format!("{held:?}"))
        }
    })
    .await;
    nats.kill();
    assert_away("propose", proposing.await.unwrap(), AWAY_MAX);
    assert_away("publish", publishing.await.unwrap(), Duration::from_secs(5));
    assert_away("a later propose", timed(queue.propose(JOB, 10)).await, AT_ONCE);
    assert_away("a later ping", timed(queue.ping()).await, AT_ONCE);
    nats.restart().await;
    works_again(&*queue, JOB).await;
}

async fn one_that_stands_still_costs_the_deadline_once_and_returns(nats: Nats) {
    let queue = queue(&nats).await;
    queue.publish(JOB, &candidates(1..4)).await.unwrap();
    nats.stop();
    assert_away("propose", timed(queue.propose(JOB, 10)).await, AWAY_MAX);
    for _ in 0..20 {
        assert_away("a later propose", timed(queue.propose(JOB, 10)).await, AT_ONCE);
    }
    let more = candidates(4..9);
    let (publish, list) = futures::join!(timed(queue.publish(JOB, &more)), timed(queue.list()));
    assert_away("publish", publish, AWAY_MAX);
    assert_away("list", list, AWAY_MAX);
    nats.resume();
    works_again(&queue, JOB).await;
}

async fn one_that_stands_still_ends_a_publish_within_seconds(nats: Nats) {
    let queue = queue(&nats).await;
    queue.publish(JOB, &candidates(1..4)).await.unwrap();
    nats.stop();
    let publish = timed(queue.publish(JOB, &candidates(4..2_000))).await;
    assert_away("publish", publish, Duration::from_secs(4));
}

async fn restarted_empty_it_works_again_by_itself(mut nats: Nats) {
    let queue = queue(&nats).await;
    offer(&queue, JOB, &candidates(1..4)).await;
    proposed(&queue, JOB, 1).await;
    nats.restart_empty().await;
    until("a lost queue is told from an empty one", RETURNS, || async {
        match queue.propose(JOB, 10).await {
            Ok(None) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    offer(&queue, JOB, &candidates(1..4)).await;
    assert_eq!(proposed(&queue, JOB, 10).await.candidates, candidates(1..4));
    // And when it is the publisher who notices.
    nats.restart_empty().await;
    until("publishing works again", RETURNS, || async {
        queue
            .publish(JOB, &candidates(4..6))
            .await
            .map_err(|e| e.to_string())
    })
    .await;
    told(&queue, JOB, |i| i.num_pending == 2).await;
    assert_eq!(proposed(&queue, JOB, 10).await.candidates, candidates(4..6));
}

async fn restarted_with_its_files_it_still_holds_what_was_published(mut nats: Nats) {
    let queue = queue(&nats).await;
    queue.publish(JOB, &candidates(1..501)).await.unwrap();
    nats.kill();
    nats.restart().await;
    let proposal = until("it proposes again", RETURNS, || async {
        match queue.propose(JOB, 1_000).await {
            Ok(Some(proposal)) if !proposal.candidates.is_empty() => Ok(proposal),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    assert_eq!(proposal.candidates, candidates(1..501));
}

async fn it_starts_without_a_server_and_uses_it_when_it_comes(mut nats: Nats) {
    nats.kill();
    let (queue, took) = timed(queue(&nats)).await;
    assert!(took < AWAY_MAX, "connecting took {took:?}");
    assert_away("propose", timed(queue.propose(JOB, 10)).await, AT_ONCE);
    assert_away(
        "publish",
        timed(queue.publish(JOB, &candidates(1..4))).await,
        AT_ONCE,
    );
    nats.restart().await;
    works_again(&queue, JOB).await;
}

async fn what_nobody_acknowledged_is_proposed_again(nats: Nats) {
    let options = JetStreamOptions {
        ack_wait: Duration::from_millis(500),
        ..JetStreamOptions::default()
    };
    let queue = connect(&nats, options).await;
    offer(&queue, JOB, &candidates(1..4)).await;
    let mut first = proposed(&queue, JOB, 10).await;
    assert!(proposed(&queue, JOB, 10).await.candidates.is_empty());
    let info = queue.info(JOB).await.unwrap().unwrap();
    assert_eq!((info.num_pending, info.num_ack_pending), (0, 3));
    first.candidates.truncate(1);
    first.tickets.truncate(1);
    queue.acknowledge(JOB, first).await.unwrap();
    let mut again = until("it is proposed again", RETURNS, || async {
        let proposal = proposed(&queue, JOB, 10).await;
        if proposal.candidates.len() == 2 {
            Ok(proposal)
        } else {
            Err(format!("{proposal:?}"))
        }
    })
    .await;
    again.candidates.sort_by_key(|c| c.capture);
    assert_eq!(again.candidates, candidates(2..4));
    assert_eq!(queue.info(JOB).await.unwrap().unwrap().num_redelivered, 2);
}

async fn foreign_messages_are_taken_out_and_harm_nothing_else(nats: Nats) {
    let queue = queue(&nats).await;
    queue.publish(JOB, &candidates(1..3)).await.unwrap();
    let js = raw(&nats).await;
    let antenna = r#"{"id":"4","image_id":"4","image_url":"https://x/4.jpg","reply_subject":null}"#;
    for text in ["not json", "", antenna] {
        publish_raw(&js, text).await;
    }
    queue.publish(JOB, &candidates(3..5)).await.unwrap();
    told(&queue, JOB, |i| i.num_pending == 7).await;
    let proposal = proposed(&queue, JOB, 10).await;
    assert_eq!(proposal.candidates, candidates(1..5));
    queue.acknowledge(JOB, proposal).await.unwrap();
    // Foreign messages alone hide nothing behind them.
    for _ in 0..5 {
        publish_raw(&js, "x").await;
    }
    queue.publish(JOB, &candidates(5..6)).await.unwrap();
    told(&queue, JOB, |i| i.num_pending == 6).await;
    let proposal = proposed(&queue, JOB, 2).await;
    assert_eq!(proposal.candidates, candidates(5..6));
    queue.acknowledge(JOB, proposal).await.unwrap();
    let info = queue.info(JOB).await.unwrap().unwrap();
    assert_eq!((info.num_pending, info.num_ack_pending), (0, 0));
    assert_eq!(queue.list().await.unwrap()[0].num_pending, 0);
}

async fn messages_carry_what_operators_tools_read(nats: Nats) {
    let queue = queue(&nats).await;
    queue.publish(JOB, &candidates(12..13)).await.unwrap();
    let stream = raw(&nats).await.get_stream("job_7").await.unwrap();
    let message = stream.get_raw_message(1).await.unwrap();
    assert_eq!(message.subject.as_str(), "job.7.tasks");
    assert_eq!(
        &message.payload[..],
        br#"{"id":"12","image_id":"12","run":1,"delivery":0}"#
    );
    let config = &stream.cached_info().config;
    assert_eq!(config.retention, stream::RetentionPolicy::WorkQueue);
    assert_eq!(config.max_age, Duration::ZERO);
    let consumer: PullConsumer = stream.get_consumer("job-7-consumer").await.unwrap();
    let consumer = &consumer.cached_info().config;
    assert_eq!(
        (consumer.ack_wait, consumer.max_deliver),
        (Duration::from_secs(30), -1)
    );
}

async fn a_stream_and_a_consumer_of_other_settings_are_brought_up_to_ours(nats: Nats) {
    let js = raw(&nats).await;
    let antenna = stream::Config {
        name: "job_7".into(),
        subjects: vec!["job.7.tasks".into()],
        max_age: Duration::from_secs(86_400),
        ..Default::default()
    };
    js.create_stream(antenna).await.unwrap();
    let small = JetStreamOptions {
        max_ack_pending: 2,
        ..JetStreamOptions::default()
    };
    let small = connect(&nats, small).await;
    let offered = candidates(1..6);
    // NATS 2.10 may refuse to make the stream while it still removes the files of the old one. A dispatcher tries again, too.
    until("the stream is made again", RETURNS, async || {
        let published = small.publish(JOB, &offered).await;
        published.map_err(|error| error.to_string())
    })
    .await;
    told(&small, JOB, |info| info.num_pending == 5).await;
    let config = js.get_stream("job_7").await.unwrap().cached_info().config.clone();
    assert_eq!(
        (config.retention, config.max_age),
        (stream::RetentionPolicy::WorkQueue, Duration::ZERO)
    );
    // Another node, with other settings.
    let queue = queue(&nats).await;
    assert_eq!(proposed(&queue, JOB, 10).await.candidates, candidates(1..6));
    // Somebody removes the consumer: what was not acknowledged comes again, from a new one.
    js.get_stream("job_7")
        .await
        .unwrap()
        .delete_consumer("job-7-consumer")
        .await
        .unwrap();
    assert_eq!(proposed(&queue, JOB, 10).await.candidates, candidates(1..6));
}

async fn proposals_stop_at_max_ack_pending_and_cost_no_wait(nats: Nats) {
    let options = JetStreamOptions {
        max_ack_pending: 5,
        ..JetStreamOptions::default()
    };
    let queue = connect(&nats, options).await;
    offer(&queue, JOB, &candidates(1..21)).await;
    let first = proposed(&queue, JOB, 10).await;
    assert_eq!(first.candidates, candidates(1..6));
    for bound in [Duration::from_millis(800), AT_ONCE, AT_ONCE] {
        let (none, took) = timed(proposed(&queue, JOB, 10)).await;
        assert!(none.candidates.is_empty());
        assert!(took < bound, "a full house took {took:?}");
    }
    queue.acknowledge(JOB, first).await.unwrap();
    assert_eq!(proposed(&queue, JOB, 10).await.candidates, candidates(6..11));
}

async fn beyond_max_projected_jobs_publishing_is_a_quiet_no_op(nats: Nats) {
    let options = JetStreamOptions {
        max_projected_jobs: 2,
        ..JetStreamOptions::default()
    };
    let queue = connect(&nats, options).await;
    for (n, offered) in [(1, Offered::Held), (2, Offered::Held), (3, Offered::NoRoom)] {
        assert_eq!(queue.publish(JobId(n), &candidates(1..3)).await.unwrap(), offered);
    }
    assert_eq!(queue.list().await.unwrap().len(), 2);
    assert!(queue.propose(JobId(3), 9).await.unwrap().is_none());
    queue.remove(JobId(1)).await.unwrap();
    let offered = queue.publish(JobId(3), &candidates(1..3)).await.unwrap();
    assert_eq!(offered, Offered::Held, "there is room at once");
}

async fn every_page_of_streams_is_listed_and_others_streams_are_not_jobs(nats: Nats) {
    let queue = queue(&nats).await;
    let js = raw(&nats).await;
    for name in ["events", "job_x"] {
        js.create_stream(stream::Config {
            name: name.into(),
            subjects: vec![format!("{name}.>")],
            ..Default::default()
        })
        .await
        .unwrap();
    }
    // A page of the server's is 256.
    let many: Vec<i64> = (1..=300).collect();
    let one = candidates(1..2);
    for part in many.chunks(50) {
        for done in join_all(part.iter().map(|n| queue.publish(JobId(*n), &one))).await {
            done.unwrap();
        }
    }
    let listed: Vec<i64> = queue.list().await.unwrap().iter().map(|q| q.job.0).collect();
    assert_eq!(listed, many);
}

async fn more_than_the_client_can_have_under_way_is_published_and_taken_once(nats: Nats) {
    let queue = queue(&nats).await;
    let many: Vec<Candidate> = candidates(1..20_001);
    queue.publish(JOB, &many).await.unwrap();
    let mut taken = Vec::new();
    while taken.len() < many.len() {
        let proposal = proposed(&queue, JOB, 500).await;
        taken.extend_from_slice(&proposal.candidates);
        queue.acknowledge(JOB, proposal).await.unwrap();
    }
    assert_eq!(taken, many);
    assert!(proposed(&queue, JOB, 500).await.candidates.is_empty());
}

async fn a_malformed_url_is_invalid_and_its_password_is_not_told(_: Nats) {
    for url in [
        "",
        "nats://",
        "http://u:secret@h",
        "nats://u:secret@h:port",
        "nats://h,",
    ] {
        let clock = Arc::new(RealClock::new());
        let error = JetStreamQueue::connect(url, JetStreamOptions::default(), clock)
            .await
            .err()
            .unwrap_or_else(|| panic!("`{url}` was taken"));
        assert_eq!(error.kind, ErrorKind::Invalid, "{url}");
        assert!(
            !trapline_core::error::chain(&error).contains("secret"),
            "{error:?}"
        );
    }
}

async fn a_capture_is_named_by_its_own_number(nats: Nats) {
    let queue = queue(&nats).await;
    let candidate = Candidate {
        capture: CaptureId(i64::MAX),
        run: 3,
        delivery: 12,
    };
    offer(&queue, JOB, &[candidate]).await;
    assert_eq!(proposed(&queue, JOB, 1).await.candidates, [candidate]);
}

type TestCase = (&'static str, fn(Nats) -> Pin<Box<dyn Future<Output = ()>>>);

macro_rules! table {
    ($($name:ident),+ $(,)?) => { &[$((stringify!($name), |nats| Box::pin($name(nats)))),+] };
}

const CASES: &[TestCase] = table![
    calls_under_way_when_it_is_killed_fail_in_time_and_later_ones_at_once,
    one_that_stands_still_costs_the_deadline_once_and_returns,
    one_that_stands_still_ends_a_publish_within_seconds,
    restarted_empty_it_works_again_by_itself,
    restarted_with_its_files_it_still_holds_what_was_published,
    it_starts_without_a_server_and_uses_it_when_it_comes,
    what_nobody_acknowledged_is_proposed_again,
    foreign_messages_are_taken_out_and_harm_nothing_else,
    messages_carry_what_operators_tools_read,
    a_stream_and_a_consumer_of_other_settings_are_brought_up_to_ours,
    proposals_stop_at_max_ack_pending_and_cost_no_wait,
    beyond_max_projected_jobs_publishing_is_a_quiet_no_op,
    every_page_of_streams_is_listed_and_others_streams_are_not_jobs,
    more_than_the_client_can_have_under_way_is_published_and_taken_once,
    a_malformed_url_is_invalid_and_its_password_is_not_told,
    a_capture_is_named_by_its_own_number,
];

fn main() {
    let arguments = Arguments::from_args();
    let binaries = NatsBinary::all().unwrap_or_else(|missing| panic!("{missing}"));
    let versions: Vec<&str> = binaries.iter().map(|b| b.version.as_str()).collect();
    println!("NATS versions under test: {}", versions.join(", "));
    let mut trials = Vec::new();
    for binary in &binaries {
        for (name, case) in CASES {
            let binary = binary.clone();
            trials.push(Trial::test(
                format!("nats_{}::{name}", binary.version),
                move || {
                    let runtime = tokio::runtime::Builder::new_current_thread()
                        .enable_all()
                        .build()?;
                    runtime.block_on(async { case(Nats::start(binary).await).await });
                    Ok(())
                },
            ));
        }
    }
    libtest_mimic::run(&arguments, trials).exit();
}
