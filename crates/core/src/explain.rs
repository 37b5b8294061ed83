//! Says in one sentence why a job is not moving, from its row, its workers and leases, and the state of its
//! projections. The evidence is returned beside it.

use std::time::Duration;

use crate::{
    JobId, JobStatus, Timestamp,
    counts::Counts,
    health::REAPED,
    ports::{Job, OldestLease, Outlook, QueueInfo, WorkerNow},
    timeline::Step,
    words::{about, count, counted, when},
};

/// A worker that made no request for this long does not count as online (Antenna's "online recently").
pub const ONLINE: Duration = Duration::from_secs(300);

/// The state of a dependency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It answers.
    Ok,
    /// It answers, and holds nothing of this job.
    Gone,
    /// It can't be reached, for this reason.
    Unreachable(String),
}

/// The input of the sentence.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// The job.
    pub job: &'a Job,
    /// Its workers and leases.
    pub outlook: &'a Outlook,
    /// Its queue; `Ok` if nobody looked.
    pub queue: &'a Reach,
    /// Its progress; `Ok` if nobody looked.
    pub progress: &'a Reach,
    /// How long a lease lasts.
    pub ttr: Duration,
    /// Store time.
    pub now: Timestamp,
}

/// The next thing that happens by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Next {
    /// The action.
    pub action: &'static str,
    /// The time, if it is known.
    pub at: Option<Timestamp>,
}

/// A sentence and its evidence.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The job.
    pub job: JobId,
    /// The sentence: why the job is not moving, or how it moves.
    pub sentence: String,
    /// The status; `None` while the store is away.
    pub status: Option<JobStatus>,
    /// Its counts.
    pub counts: Option<Counts>,
    /// Workers that asked for its pipeline and were seen lately.
    pub workers: Vec<WorkerNow>,
    /// Tasks under a lease.
    pub leases_out: u64,
    /// The oldest of these leases.
    pub oldest_lease: Option<OldestLease>,
    /// The age of that lease, in seconds.
    pub oldest_lease_seconds: Option<u64>,
    /// The queue's counters.
    pub queue_counters: Option<QueueInfo>,
    /// The store.
    pub store: Reach,
    /// The queue.
    pub queue: Reach,
    /// The progress.
    pub progress: Reach,
    /// When the last tick began.
    pub last_tick_at: Option<Timestamp>,
    /// The last step of the store's clock that was noticed.
    pub clock_step: Option<ClockStep>,
    /// What happens next.
    pub next: Next,
}

/// A step of the store's clock, as people see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockStep {
    /// The time at which it was noticed.
    pub at: Timestamp,
    /// How far the clock was set forward, in seconds; negative if it was set back.
    pub by_seconds: i64,
}

/// Returns what a step of the store's clock means for a job that existed when it came. It follows the sentence.
#[must_use]
pub fn clock_step(job: &Job, step: Option<Step>) -> String {
    match step.filter(|step| step.at >= job.created_at && !job.status.is_final()) {
        Some(step) => format!("; {}", step.words()),
        None => String::new(),
    }
}

/// Returns the sentence while the store is away.
#[must_use]
pub fn store_away(why: &str) -> String {
    format!("the store can't be reached, so nothing is handed out and results wait: {why}")
}

/// Returns the sentence.
#[must_use]
pub fn sentence(scene: &Scene<'_>) -> String {
    let job = scene.job;
    match job.status {
        JobStatus::Created => "waiting to be started: run it".to_owned(),
        JobStatus::Success | JobStatus::Failure => landed(job, scene.now),
        JobStatus::Revoked => revoked(job, scene.now),
        JobStatus::Canceling => "being canceled; the sweep finishes that within seconds".to_owned(),
        JobStatus::Received | JobStatus::Unknown => {
            format!(
                "in the state {}, which nothing moves on; the health check reaps it",
                job.status
            )
        }
        JobStatus::Pending | JobStatus::Retry => match job.not_before.filter(|at| *at > scene.now) {
            Some(at) => format!("waiting for its delay to pass, {}", when(at, scene.now)),
            None => "waiting for a dispatcher to collect its images".to_owned(),
        },
        JobStatus::Started if !job.collected => "a dispatcher collects its images".to_owned(),
        JobStatus::Started => started(scene) + &last_tries(scene) + &projections(scene),
    }
}

/// Returns what is said of suspects that are tried alone, because a worker waits for that.
fn last_tries(scene: &Scene<'_>) -> String {
    let outlook = scene.outlook;
    let tried = outlook.tried_by.as_ref().map(|worker| {
        format!(
            "; worker `{worker}` has a suspect image for the last time, alone, and gets nothing else until it is answered \
             or its lease is over"
        )
    });
    let put_off = outlook.put_off.as_ref().map(|worker| {
        format!(
            "; suspect images wait to be tried alone: worker `{worker}` gets nothing else until it has answered what it \
             holds. Processes that send `client_info.instance` do not wait for one another"
        )
    });
    tried.unwrap_or_default() + &put_off.unwrap_or_default()
}

/// Returns what is said of projections that are gone or away, beside whatever else is said. They are needed as long
/// as tasks are unsettled.
fn projections(scene: &Scene<'_>) -> String {
    let counts = &scene.job.counts;
    if counts.pending + counts.in_flight == 0 {
        return String::new();
    }
    let queue = match scene.queue {
        Reach::Gone => {
            "; its queue is gone: free images are handed out from the store, and the health check \
             projects it again if there is room"
                .to_owned()
        }
        Reach::Unreachable(why) => {
            format!("; the queue can't be reached, so free images are handed out from the store: {why}")
        }
        Reach::Ok => String::new(),
    };
    let progress = match scene.progress {
        Reach::Gone => {
            "; its progress is gone: live counts and wake-ups are late until the health check projects \
             it again"
                .to_owned()
        }
        Reach::Unreachable(why) => {
            format!("; the progress can't be reached, so live counts and wake-ups are late: {why}")
        }
        Reach::Ok => String::new(),
    };
    queue + &progress
}

/// Returns whether hand-outs have ended without an answer, and no result has come for a whole lease. A worker that
/// answered some of its tasks keeps the leases of the others alive by that, so the time of their hand-out tells
/// nothing. But none of them ends sooner than a lease after the last result.
fn unanswered(scene: &Scene<'_>) -> bool {
    let last = scene.job.last_result_at;
    scene.outlook.strikes > 0 && last.is_none_or(|at| scene.now.since(at) >= scene.ttr)
}

fn landed(job: &Job, now: Timestamp) -> String {
    let c = &job.counts;
    let landed = format!("landed {}{}", job.status, ended(job, now));
    let share = format!("{} of {} failed", count(c.failed), counted(c.total, "image"));
    let limit = job.failure_threshold * 100.0;
    let skipped = match c.skipped {
        0 => String::new(),
        skipped => format!(
            "; {} of its capture set had been processed by this pipeline before, and `reprocess` takes them again",
            counted(skipped, "image")
        ),
    };
    match job.status {
        JobStatus::Failure => format!("{landed}: {share}, more than {limit}%"),
        _ if c.total == 0 => format!("{landed}: there was no image to process{skipped}"),
        _ if c.failed == 0 => format!(
            "{landed}: {} processed, none failed{skipped}",
            counted(c.total, "image")
        ),
        _ => format!("{landed}: {share}, not more than {limit}%{skipped}"),
    }
}

fn revoked(job: &Job, now: Timestamp) -> String {
    match job.errors.iter().rev().find(|e| e.starts_with(REAPED)) {
        Some(why) => format!("revoked by the health check{}: {why}", ended(job, now)),
        None => format!(
            "canceled{} with {} unsettled; results are kept",
            ended(job, now),
            counted(job.counts.pending + job.counts.in_flight, "image")
        ),
    }
}

/// Returns when the job ended, as ` 2 min ago`.
fn ended(job: &Job, now: Timestamp) -> String {
    job.finished_at
        .map_or_else(String::new, |at| format!(" {}", when(at.min(now), now)))
}

fn started(scene: &Scene<'_>) -> String {
    let (job, outlook) = (scene.job, scene.outlook);
    let leased = job.counts.in_flight;
    if let Some(lease) = outlook.oldest_lease.as_ref().filter(|_| leased > 0) {
        let (worker, age) = (&lease.worker, about(scene.now.since(lease.granted_at)));
        if unanswered(scene) {
            return format!(
                "{}, and the oldest of {} is {age} old",
                does_not_answer(worker, outlook.strikes),
                counted(leased, "lease")
            );
        }
        return match leased {
            1 => format!("1 image has been at worker `{worker}` for {age}"),
            _ => format!(
                "{} are at workers, the oldest for {age}, at worker `{worker}`",
                counted(leased, "image")
            ),
        };
    }
    if job.counts.processed + job.counts.failed >= job.counts.total {
        return "all its images are settled and it has not landed; the health check lands it".to_owned();
    }
    waiting_for_workers(scene)
}

fn does_not_answer(worker: &str, hand_outs: u64) -> String {
    let have = if hand_outs == 1 { "has" } else { "have" };
    format!(
        "worker `{worker}` reserves and does not answer: {} {have} ended without a result",
        counted(hand_outs, "hand-out")
    )
}

/// A worker that waits asks again sooner: a claim takes 25 s at the most.
const BETWEEN_ASKS: Duration = Duration::from_secs(60);

fn waiting_for_workers(scene: &Scene<'_>) -> String {
    let (job, outlook) = (scene.job, scene.outlook);
    let slug = job.pipeline.as_ref().map_or("", |(_, slug)| slug);
    let last_seen = |at: Timestamp| {
        format!(
            "waiting for workers: the last one for pipeline `{slug}` was seen {}",
            when(at.min(scene.now), scene.now)
        )
    };
    let workers: Vec<&WorkerNow> = outlook.workers.iter().filter(|w| !w.draining).collect();
    if let Some(drains) = outlook.workers.first().filter(|_| workers.is_empty()) {
        let n = count(outlook.workers.len() as u64);
        let worker = &drains.name;
        return format!(
            "waiting for workers: all {n} for pipeline `{slug}` drain, worker `{worker}` among them, so nothing is handed to \
             them; have one resume, or start another"
        );
    }
    let Some(latest) = workers.iter().map(|w| w.last_seen).max() else {
        return outlook.last_seen.map_or_else(
            || format!("waiting for workers: none has asked for pipeline `{slug}` yet"),
            last_seen,
        );
    };
    let is_busy = |w: &&WorkerNow| w.busy_elsewhere || w.busy_with.is_some_and(|with| with != job.id);
    if workers.iter().all(is_busy) {
        let n = count(workers.len() as u64);
        let known = workers.iter().find(|w| w.busy_with.is_some());
        let (worker, with) = match known.and_then(|w| Some((w, w.busy_with?))) {
            Some((worker, with)) => (worker, format!("job {with}")),
            None => (&workers[0], "a job of another project".to_owned()),
        };
        return format!(
            "waiting for workers: all {n} for pipeline `{slug}` are busy, worker `{}` with {with}",
            worker.name
        );
    }
    if let Some(worker) = outlook.struck_by.as_ref().filter(|_| unanswered(scene)) {
        return does_not_answer(worker, outlook.strikes);
    }
    if scene.now.since(latest) > BETWEEN_ASKS {
        return last_seen(latest);
    }
    format!("waiting for workers: those for pipeline `{slug}` are about to ask")
}

/// Returns the next thing that happens by itself. `margin` is the time from the deadline of a lease to its end;
/// `tick_at` is the time of the next tick.
#[must_use]
pub fn next(scene: &Scene<'_>, margin: Duration, tick_at: Option<Timestamp>) -> Next {
    let job = scene.job;
    let (action, at) = match job.status {
        s if s.is_final() => ("none: the job has ended", None),
        JobStatus::Created => ("none until it is run", None),
        JobStatus::Pending | JobStatus::Retry => ("a dispatcher collects its images", job.not_before),
        JobStatus::Canceling => ("the sweep finishes the cancel", None),
        JobStatus::Started if !job.collected => ("its images are handed out", None),
        JobStatus::Started if job.counts.in_flight > 0 => (
            "a result; or the oldest of these images is offered again, unless its worker shows signs of life",
            scene
                .outlook
                .oldest_lease
                .as_ref()
                .map(|l| l.lease_until.plus(margin)),
        ),
        JobStatus::Started if job.counts.pending > 0 => {
            ("the next worker that asks is handed its images", None)
        }
        _ => ("the health check", tick_at),
    };
    Next { action, at }
}

#[cfg(test)]
mod tests;
