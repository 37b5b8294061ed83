//! Why a job is not moving, from a real store.

use std::time::Duration;

use trapline_core::{ErrorKind, JobId, JobStatus, explain::Reach, job::Expect, ports::NewJob};
use trapline_testkit::until;

use crate::support::{node, quiet};

#[tokio::test]
async fn a_job_is_explained_from_its_delay_to_its_landing() {
    let node = node(quiet()).await;
    let delayed = NewJob {
        delay_seconds: 90,
        ..node.new_job(2).await
    };
    let delayed = node.engine.create_job(&delayed).await.unwrap();
    let why = node.engine.explain(delayed).await.unwrap();
    assert!(
        why.sentence
            .starts_with("waiting for its delay to pass, in 1 min"),
        "{}",
        why.sentence
    );
    assert!(why.next.at.is_some());

    let job = node.job_of(2).await;
    let say = async |job| node.engine.explain(job).await.unwrap();
    assert_eq!(
        say(job).await.sentence,
        "waiting for workers: none has asked for pipeline `p` yet"
    );
    let view = node.engine.view(node.job(job).await).await.unwrap();
    assert_eq!(view.waiting_for, Some(say(job).await.sentence));
    let worker = node.worker("gpu").await;
    let tasks = node.reserve(job, 2, worker).await;
    node.live(8).await;
    let out = say(job).await;
    assert_eq!(
        out.sentence,
        "2 images are at workers, the oldest for 8 s, at worker `gpu`"
    );
    assert_eq!((out.leases_out, out.oldest_lease_seconds), (2, Some(8)));
    assert_eq!(out.workers[0].busy_with, Some(job));
    assert_eq!(
        (out.store, out.queue, out.progress),
        (Reach::Ok, Reach::Ok, Reach::Ok)
    );
    node.answer(job, &tasks).await;
    let done = say(job).await;
    assert_eq!(
        done.sentence,
        "landed SUCCESS just now: 2 images processed, none failed"
    );
    assert_eq!(done.status, Some(JobStatus::Success));
    node.engine.cancel_job(delayed, &Expect::ANYTHING).await.unwrap();
    assert!(say(delayed).await.sentence.starts_with("canceled"));
    let none = node.engine.explain(JobId(99)).await.unwrap_err();
    assert_eq!(none.kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn a_worker_that_reserves_and_never_answers_is_named() {
    let node = node(quiet()).await;
    let job = node.job_of(2).await;
    let worker = node.worker("silent").await;
    node.reserve(job, 2, worker).await;
    node.live(70).await;
    node.engine.sweep_once().await.unwrap();
    let why = node.engine.explain(job).await.unwrap().sentence;
    assert_eq!(
        why,
        "worker `silent` reserves and does not answer: 2 hand-outs have ended without a result"
    );
}

#[tokio::test]
async fn a_worker_that_goes_silent_after_17_of_20_is_named() {
    let node = node(quiet()).await;
    let job = node.job_of(20).await;
    let worker = node.worker("silent").await;
    let tasks = node.reserve(job, 20, worker).await;
    node.live(40).await;
    node.answer(job, &tasks[..17]).await;
    node.live(90).await;
    node.engine.sweep_once().await.unwrap();
    let why = node.engine.explain(job).await.unwrap().sentence;
    assert_eq!(
        why,
        "worker `silent` reserves and does not answer: 3 hand-outs have ended without a result"
    );
}

#[tokio::test]
async fn projections_that_are_gone_are_told_beside_whatever_else_is_said() {
    let node = node(quiet()).await;
    let job = node.projected_job_of(2).await;
    let worker = node.worker("gpu").await;
    node.reserve(job, 1, worker).await;
    node.ports.progress.remove(job).await.unwrap();
    let why = node.engine.explain(job).await.unwrap();
    assert!(
        why.sentence.starts_with("1 image has been at worker `")
            && why.sentence.contains("; its progress is gone: "),
        "{}",
        why.sentence
    );
    assert!(!why.sentence.contains("queue"), "{}", why.sentence);
    node.ports.queue.remove(job).await.unwrap();
    let why = node.engine.explain(job).await.unwrap();
    assert!(why.sentence.contains("; its queue is gone: "), "{}", why.sentence);
    assert_eq!((why.queue, why.progress), (Reach::Gone, Reach::Gone));
}

#[tokio::test]
async fn a_store_that_is_away_is_an_answer() {
    let node = node(quiet()).await;
    let job = node.job_of(2).await;
    node.sqlite.close().await;
    let why = node.engine.explain(job).await.unwrap();
    assert!(
        why.sentence.starts_with("the store can't be reached"),
        "{}",
        why.sentence
    );
    assert!(matches!(why.store, Reach::Unreachable(_)));
    // A dispatch that looks again whether the job has ended, and hears nothing, takes the queue with it.
    assert!(matches!(why.queue, Reach::Ok | Reach::Gone), "{:?}", why.queue);
}

#[tokio::test]
async fn a_clock_that_is_set_is_told_of_and_people_are_shown_what_it_shows() {
    let node = node(quiet()).await;
    let delayed = NewJob {
        delay_seconds: 90,
        ..node.new_job(1).await
    };
    let delayed = node.engine.create_job(&delayed).await.unwrap();
    let due = node.engine.explain(delayed).await.unwrap();
    let (shown, before) = (due.next.at.unwrap(), node.clock_shows());
    assert_eq!(shown.since(before), Duration::from_secs(90));
    assert_eq!(due.clock_step, None);
    const TWO_DAYS: i64 = 2 * 24 * 3_600;
    node.world.clock.set_forward(-TWO_DAYS * 1_000_000);
    node.live(40).await;
    let why = node.engine.explain(delayed).await.unwrap();
    let at = why.next.at.unwrap();
    assert_eq!(
        at.since(node.clock_shows()),
        Duration::from_secs(50),
        "neither longer nor over"
    );
    assert_eq!(
        why.sentence,
        "waiting for its delay to pass, in 50 s; the store's clock was set back by 2 d; leases, delays and ages go on as if it \
         had not been"
    );
    assert_eq!(why.clock_step.unwrap().by_seconds, -TWO_DAYS);
    let view = node.engine.view(node.job(delayed).await).await.unwrap();
    assert_eq!(
        node.clock_shows().since(view.job.created_at),
        Duration::from_secs(40)
    );
    node.live(51).await;
    until("the delay passes", Duration::from_secs(20), async || {
        match node.job(delayed).await.collected {
            true => Ok(()),
            false => Err("not collected".to_owned()),
        }
    })
    .await;
    // A job that came after the step is not told of it.
    let later = node.job_of(1).await;
    let why = node.engine.explain(later).await.unwrap();
    assert!(!why.sentence.contains("clock"), "{}", why.sentence);
}
