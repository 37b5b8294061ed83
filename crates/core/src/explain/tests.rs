use super::*;
use crate::{PipelineId, ProjectId, job::RunMode};

const NOW: Timestamp = Timestamp(1_000_000_000);
const TTR: Duration = Duration::from_secs(30);

fn ago(seconds: u64) -> Timestamp {
    NOW.minus(Duration::from_secs(seconds))
}

fn job(status: JobStatus, pending: u64, in_flight: u64, processed: u64, failed: u64) -> Job {
    let counts = Counts {
        total: pending + in_flight + processed + failed,
        pending,
        in_flight,
        processed,
        failed,
        ..Counts::default()
    };
    Job {
        id: JobId(7),
        project: ProjectId(1),
        name: String::new(),
        status,
        run: 1,
        mode: RunMode::All,
        collected: true,
        priority: 0,
        failure_threshold: 0.5,
        delay_seconds: 0,
        not_before: None,
        pipeline: Some((PipelineId(1), "moths".into())),
        collection: None,
        capture: None,
        limit: None,
        shuffle: false,
        reprocess: false,
        job_type: "ml".into(),
        candidates: 0,
        counts,
        errors: vec![],
        created_at: ago(100),
        updated_at: ago(100),
        started_at: Some(ago(100)),
        finished_at: None,
        last_result_at: None,
    }
}

fn worker(name: &str, busy_with: Option<i64>) -> WorkerNow {
    WorkerNow {
        name: name.into(),
        last_seen: ago(1),
        busy_with: busy_with.map(JobId),
        busy_elsewhere: false,
        draining: false,
    }
}

fn lease() -> OldestLease {
    OldestLease {
        granted_at: ago(40),
        lease_until: ago(0),
        worker: "gpu-3".into(),
        last_seen: Some(ago(40)),
    }
}

fn say(job: &Job, outlook: &Outlook) -> String {
    say_with(job, outlook, &Reach::Ok, &Reach::Ok)
}

fn say_with(job: &Job, outlook: &Outlook, queue: &Reach, progress: &Reach) -> String {
    sentence(&Scene {
        job,
        outlook,
        queue,
        progress,
        ttr: TTR,
        now: NOW,
    })
}

fn free() -> Job {
    job(JobStatus::Started, 3, 0, 17, 0)
}

#[test]
fn no_worker_for_this_pipeline() {
    let none = Outlook::default();
    assert_eq!(
        say(&free(), &none),
        "waiting for workers: none has asked for pipeline `moths` yet"
    );
    let gone = Outlook {
        last_seen: Some(ago(900)),
        ..Outlook::default()
    };
    assert!(
        say(&free(), &gone) == "waiting for workers: the last one for pipeline `moths` was seen 15 min ago"
    );
}

#[test]
fn workers_alive_but_busy_with_another_job() {
    let busy = Outlook {
        workers: vec![worker("gpu-1", Some(4)), worker("gpu-2", Some(5))],
        ..Outlook::default()
    };
    assert_eq!(
        say(&free(), &busy),
        "waiting for workers: all 2 for pipeline `moths` are busy, worker `gpu-1` with job 4"
    );
}

#[test]
fn workers_alive_and_about_to_ask() {
    let one_idle = Outlook {
        workers: vec![worker("gpu-1", Some(4)), worker("gpu-2", None)],
        ..Outlook::default()
    };
    assert_eq!(
        say(&free(), &one_idle),
        "waiting for workers: those for pipeline `moths` are about to ask"
    );
    let seen = |seconds| {
        let mut gone = one_idle.clone();
        gone.workers.iter_mut().for_each(|w| w.last_seen = ago(seconds));
        gone
    };
    assert!(say(&free(), &seen(60)).ends_with("are about to ask"));
    assert_eq!(
        say(&free(), &seen(240)),
        "waiting for workers: the last one for pipeline `moths` was seen 4 min ago"
    );
}

#[test]
fn leases_out_with_the_oldest_age_and_holder() {
    let out = Outlook {
        oldest_lease: Some(lease()),
        ..Outlook::default()
    };
    assert_eq!(
        say(&job(JobStatus::Started, 0, 3, 17, 0), &out),
        "3 images are at workers, the oldest for 40 s, at worker `gpu-3`"
    );
}

#[test]
fn a_worker_that_reserves_and_never_answers() {
    let silent = Outlook {
        oldest_lease: Some(lease()),
        strikes: 2,
        ..Outlook::default()
    };
    let leased = job(JobStatus::Started, 0, 3, 0, 0);
    assert!(
        say(&leased, &silent).starts_with("worker `gpu-3` reserves and does not answer: 2 hand-outs have")
    );
    let between = Outlook {
        workers: vec![worker("gpu-3", None)],
        oldest_lease: None,
        struck_by: Some("gpu-3".into()),
        ..silent.clone()
    };
    assert!(
        say(&free(), &between).starts_with("worker `gpu-3` reserves and does not answer: 2 hand-outs have")
    );
    let answers = Job {
        last_result_at: Some(ago(2)),
        ..leased
    };
    assert!(say(&answers, &silent).starts_with("3 images are at workers"));
}

#[test]
fn a_worker_that_answered_most_of_its_tasks_and_then_went_silent_does_not_answer() {
    let silent = Outlook {
        workers: vec![worker("gpu-3", None)],
        strikes: 3,
        struck_by: Some("gpu-3".into()),
        ..Outlook::default()
    };
    let last_result = |seconds| Job {
        last_result_at: Some(ago(seconds)),
        ..free()
    };
    assert_eq!(
        say(&last_result(30), &silent),
        "worker `gpu-3` reserves and does not answer: 3 hand-outs have ended without a result"
    );
    assert!(
        say(&last_result(29), &silent).ends_with("are about to ask"),
        "somebody has answered since"
    );
}

#[test]
fn a_worker_that_has_just_reserved_is_not_blamed_for_anothers_strikes_while_results_come() {
    let lease = OldestLease {
        granted_at: ago(1),
        ..lease()
    };
    let fresh = Outlook {
        oldest_lease: Some(lease),
        strikes: 1,
        ..Outlook::default()
    };
    let busy = Job {
        last_result_at: Some(ago(2)),
        ..job(JobStatus::Started, 1, 3, 16, 0)
    };
    assert!(say(&busy, &fresh).starts_with("3 images are at workers, the oldest for 1 s"));
}

#[test]
fn a_projection_that_is_gone_or_unreachable_is_told_whatever_else_is_said() {
    let (gone, away) = (Reach::Gone, Reach::Unreachable("timed out".into()));
    let alive = Outlook {
        workers: vec![worker("gpu-1", None)],
        ..Outlook::default()
    };
    let out = Outlook {
        oldest_lease: Some(lease()),
        ..Outlook::default()
    };
    let leased = job(JobStatus::Started, 0, 3, 17, 0);
    for (job, outlook) in [(free(), &alive), (free(), &Outlook::default()), (leased, &out)] {
        let first = say(&job, outlook);
        let both = say_with(&job, outlook, &gone, &gone);
        assert!(
            both.starts_with(&format!("{first}; its queue is gone: ")),
            "{both}"
        );
        assert!(both.contains("; its progress is gone: "), "{both}");
        let both = say_with(&job, outlook, &away, &away);
        assert!(
            both.starts_with(&format!("{first}; the queue can't be reached, ")),
            "{both}"
        );
        assert!(
            both.contains("; the progress can't be reached, ") && both.ends_with("timed out"),
            "{both}"
        );
    }
}

#[test]
fn a_job_without_unsettled_images_misses_no_projection() {
    let none = Outlook::default();
    for status in [JobStatus::Started, JobStatus::Success] {
        let settled = job(status, 0, 0, 20, 0);
        assert_eq!(
            say_with(&settled, &none, &Reach::Gone, &Reach::Gone),
            say(&settled, &none)
        );
    }
}

#[test]
fn the_store_is_unreachable() {
    assert!(store_away("disk full").ends_with("results wait: disk full"));
}

#[test]
fn waiting_for_a_dispatcher() {
    let waits = job(JobStatus::Pending, 0, 0, 0, 0);
    assert_eq!(
        say(&waits, &Outlook::default()),
        "waiting for a dispatcher to collect its images"
    );
    let collecting = Job {
        collected: false,
        ..free()
    };
    assert_eq!(
        say(&collecting, &Outlook::default()),
        "a dispatcher collects its images"
    );
}

#[test]
fn waiting_for_its_delay() {
    let delayed = Job {
        not_before: Some(NOW.plus(Duration::from_secs(5))),
        ..job(JobStatus::Pending, 0, 0, 0, 0)
    };
    assert_eq!(
        say(&delayed, &Outlook::default()),
        "waiting for its delay to pass, in 5 s"
    );
}

#[test]
fn landed_and_why_so() {
    let none = Outlook::default();
    let of = |status, processed, failed| {
        let ended = Job {
            finished_at: Some(ago(150)),
            ..job(status, 0, 0, processed, failed)
        };
        say(&ended, &none)
    };
    assert_eq!(
        of(JobStatus::Success, 20, 0),
        "landed SUCCESS 2 min ago: 20 images processed, none failed"
    );
    assert_eq!(
        of(JobStatus::Success, 10, 10),
        "landed SUCCESS 2 min ago: 10 of 20 images failed, not more than 50%"
    );
    assert_eq!(
        of(JobStatus::Failure, 3, 17),
        "landed FAILURE 2 min ago: 17 of 20 images failed, more than 50%"
    );
    let skipped = |processed, skipped| {
        let mut job = job(JobStatus::Success, 0, 0, processed, 0);
        job.counts.skipped = skipped;
        say(&job, &none)
    };
    assert_eq!(skipped(0, 0), "landed SUCCESS: there was no image to process");
    assert_eq!(
        skipped(0, 1_200),
        "landed SUCCESS: there was no image to process; 1,200 images of its capture set had been processed by this pipeline \
         before, and `reprocess` takes them again"
    );
    assert!(
        skipped(1, 1)
            .starts_with("landed SUCCESS: 1 image processed, none failed; 1 image of its capture set")
    );
}

#[test]
fn canceled_or_reaped() {
    let canceled = job(JobStatus::Revoked, 3, 0, 17, 0);
    assert_eq!(
        say(&canceled, &Outlook::default()),
        "canceled with 3 images unsettled; results are kept"
    );
    let reaped = Job {
        errors: vec!["Reaping stalled job: no progress for 600 s".into()],
        ..canceled
    };
    assert!(
        say(&reaped, &Outlook::default()).starts_with("revoked by the health check: Reaping stalled job")
    );
}

#[test]
fn not_started_canceling_and_states_that_nothing_moves() {
    let of = |status| say(&job(status, 3, 0, 0, 0), &Outlook::default());
    assert!(of(JobStatus::Created).starts_with("waiting to be started"));
    assert!(of(JobStatus::Canceling).starts_with("being canceled"));
    assert!(of(JobStatus::Unknown).starts_with("in the state UNKNOWN"));
}

#[test]
fn settled_and_not_landed_is_for_the_health_check() {
    let settled = job(JobStatus::Started, 0, 0, 20, 0);
    assert!(say(&settled, &Outlook::default()).contains("has not landed"));
    let scene = Scene {
        job: &settled,
        outlook: &Outlook::default(),
        queue: &Reach::Ok,
        progress: &Reach::Ok,
        ttr: TTR,
        now: NOW,
    };
    assert_eq!(next(&scene, Duration::ZERO, Some(NOW)).at, Some(NOW));
}

mod drains;
mod runbook;

#[test]
fn last_tries_are_told_with_whom_they_are_and_for_whom_they_wait() {
    let told = Outlook {
        oldest_lease: Some(lease()),
        tried_by: Some("gpu-3".into()),
        put_off: Some("gpu-4".into()),
        ..Outlook::default()
    };
    let said = say(&job(JobStatus::Started, 0, 3, 17, 0), &told);
    assert!(said.starts_with("3 images are at workers"), "{said}");
    assert!(
        said.contains("worker `gpu-3` has a suspect image for the last time, alone"),
        "{said}"
    );
    assert!(
        said.contains("worker `gpu-4` gets nothing else until it has answered what it holds"),
        "{said}"
    );
}
