//! The decision of each check about a job, from what the store and the projections say of it.

use std::time::Duration;

use crate::{
    JobStatus, Timestamp,
    ports::{LiveCounts, QueueInfo, Vitals},
};

use super::{Action, HealthPolicy};

/// Returns whether a job is idle: its tasks are handed out, and no worker has posted a result since the cut-off,
/// which is `stalled_after` before now. Only such a job can have lost images.
#[must_use]
pub fn idle(job: &Vitals, cutoff: Timestamp) -> bool {
    job.collected && job.status.is_active() && job.idle_since <= cutoff
}

/// How long a job must be without a result before its progress can be compared: that of a busy job always lags a
/// little.
const CALM: Duration = Duration::from_secs(5);

fn is_projected(job: &Vitals) -> bool {
    job.collected && job.status.is_active()
}

/// Returns what `missing_queues` does about a job's queue. One that does not hold all free tasks is made anew at the
/// second look, because at one look that is normal. `was_short`: the last tick found that too.
#[must_use]
pub fn missing_queue(job: &Vitals, queue: Option<QueueInfo>, was_short: bool) -> Option<(Action, String)> {
    if !is_projected(job) || job.free == 0 {
        return None;
    }
    let Some(queue) = queue else {
        return Some((Action::Projected, "its queue was gone".to_owned()));
    };
    let held = queue.num_pending + queue.num_ack_pending;
    if held >= job.free {
        return None;
    }
    let did = if was_short {
        Action::Projected
    } else {
        Action::QueueIncomplete
    };
    Some((
        did,
        format!("its queue held {held} candidate(s) of {} free task(s)", job.free),
    ))
}

/// Returns what `missing_queues` does about a job's progress. One that is gone is written anew, and so is one that
/// disagrees with the store at two looks while the job is calm. `was_behind`: the last tick found that too.
#[must_use]
pub fn missing_progress(
    job: &Vitals,
    live: Option<LiveCounts>,
    was_behind: bool,
    now: Timestamp,
) -> Option<(Action, String)> {
    let unsettled = job.counts.pending + job.counts.in_flight;
    if !is_projected(job) || unsettled == 0 {
        return None;
    }
    let Some(live) = live else {
        return Some((Action::Projected, "its progress was gone".to_owned()));
    };
    if live.pending == unsettled || now.since(job.idle_since) < CALM {
        return None;
    }
    let did = if was_behind {
        Action::Projected
    } else {
        Action::ProgressStale
    };
    let said = live.pending;
    Some((
        did,
        format!("its progress reported {said} unsettled task(s) of {unsettled}"),
    ))
}

/// Returns what `stale_jobs` does about a job: nothing, unless it is idle and waits neither for a dispatcher nor for
/// a worker nor for the end of a lease. Whether it is landed or reaped is decided by the store, which counts the
/// rows.
#[must_use]
pub fn stale_jobs(job: &Vitals, cutoff: Timestamp) -> Option<Action> {
    if job.idle_since > cutoff {
        return None;
    }
    let claimable = matches!(job.status, JobStatus::Pending | JobStatus::Retry)
        || (job.status == JobStatus::Started && !job.collected);
    if claimable {
        return None;
    }
    let settled = job.counts.processed + job.counts.failed >= job.counts.total;
    if job.collected && settled && JobStatus::FINALIZABLE.contains(&job.status) {
        return Some(Action::Landed);
    }
    let explained = job.status.is_active() && (job.free > 0 || job.leased > 0 || job.exhausted > 0);
    (!explained).then_some(Action::Reaped)
}

/// Returns whether `zombie_streams` removes a queue: it is old, and its job has ended (`Some`) or was deleted
/// (`None`). An unknown age is never old.
#[must_use]
pub fn zombie(queue: &QueueInfo, job: Option<JobStatus>, now: Timestamp, policy: &HealthPolicy) -> bool {
    let old = queue
        .created_at
        .is_some_and(|at| now.since(at) >= policy.zombie_after);
    old && job.is_none_or(JobStatus::is_final)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{JobId, counts::Counts};
    use std::time::Duration;

    const CUTOFF: Timestamp = Timestamp(100);

    fn job() -> Vitals {
        let counts = Counts {
            total: 20,
            processed: 17,
            in_flight: 1,
            pending: 2,
            ..Counts::default()
        };
        Vitals {
            job: JobId(1),
            run: 1,
            status: JobStatus::Started,
            collected: true,
            counts,
            idle_since: CUTOFF,
            free: 2,
            leased: 1,
            exhausted: 0,
        }
    }

    fn queue(num_pending: u64) -> QueueInfo {
        QueueInfo {
            job: JobId(1),
            num_pending,
            num_ack_pending: 0,
            num_redelivered: 0,
            created_at: Some(Timestamp(0)),
            in_nats: true,
        }
    }

    fn did(found: Option<(Action, String)>) -> Option<Action> {
        found.map(|(did, _)| did)
    }

    #[test]
    fn a_job_is_idle_from_its_last_result_on_and_only_if_it_is_handed_out() {
        assert!(idle(&job(), CUTOFF));
        assert!(!idle(&job(), Timestamp(99)));
        let collecting = Vitals {
            collected: false,
            ..job()
        };
        assert!(!idle(&collecting, CUTOFF));
        let canceling = Vitals {
            status: JobStatus::Canceling,
            ..job()
        };
        assert!(!idle(&canceling, CUTOFF));
    }

    #[test]
    fn a_queue_that_vanished_is_projected_at_once_unless_there_is_nothing_to_hold() {
        assert_eq!(did(missing_queue(&job(), None, false)), Some(Action::Projected));
        let leased = Vitals { free: 0, ..job() };
        assert_eq!(missing_queue(&leased, None, false), None);
    }

    #[test]
    fn a_short_queue_is_projected_at_the_second_tick_in_a_row() {
        assert_eq!(missing_queue(&job(), Some(queue(2)), true), None);
        let short = |was| did(missing_queue(&job(), Some(queue(1)), was));
        assert_eq!(
            (short(false), short(true)),
            (Some(Action::QueueIncomplete), Some(Action::Projected))
        );
    }

    #[test]
    fn a_progress_is_projected_if_it_vanished_or_is_behind_at_two_ticks_while_the_job_is_calm() {
        let calm = CUTOFF.plus(CALM);
        let found = |pending: Option<u64>, was, now| {
            let live = pending.map(|pending| LiveCounts {
                total: 20,
                pending,
                failed: 0,
            });
            did(missing_progress(&job(), live, was, now))
        };
        assert_eq!(found(None, false, CUTOFF), Some(Action::Projected));
        assert_eq!(found(Some(3), true, calm), None);
        assert_eq!(found(Some(4), true, CUTOFF), None, "a result has just come");
        assert_eq!(found(Some(4), false, calm), Some(Action::ProgressStale));
        assert_eq!(found(Some(2), true, calm), Some(Action::Projected));
    }

    #[test]
    fn a_job_with_free_leased_or_exhausted_tasks_is_never_stale() {
        assert_eq!(stale_jobs(&job(), CUTOFF), None);
        let one = |free, leased, exhausted| Vitals {
            free,
            leased,
            exhausted,
            ..job()
        };
        for explained in [one(1, 0, 0), one(0, 1, 0), one(0, 0, 1)] {
            assert_eq!(stale_jobs(&explained, CUTOFF), None);
        }
        assert_eq!(stale_jobs(&one(0, 0, 0), CUTOFF), Some(Action::Reaped));
        assert_eq!(stale_jobs(&one(0, 0, 0), Timestamp(99)), None);
    }

    #[test]
    fn a_job_that_waits_for_a_dispatcher_is_never_stale() {
        let waits = |status, collected| Vitals {
            status,
            collected,
            free: 0,
            leased: 0,
            ..job()
        };
        assert_eq!(stale_jobs(&waits(JobStatus::Pending, false), CUTOFF), None);
        assert_eq!(stale_jobs(&waits(JobStatus::Retry, true), CUTOFF), None);
        assert_eq!(stale_jobs(&waits(JobStatus::Started, false), CUTOFF), None);
    }

    #[test]
    fn a_job_that_is_settled_is_landed_and_one_in_no_mans_land_is_reaped() {
        let counts = Counts {
            processed: 20,
            pending: 0,
            in_flight: 0,
            ..job().counts
        };
        let settled = Vitals {
            counts,
            free: 0,
            leased: 0,
            ..job()
        };
        assert_eq!(stale_jobs(&settled, CUTOFF), Some(Action::Landed));
        let unknown = Vitals {
            status: JobStatus::Unknown,
            ..job()
        };
        assert_eq!(stale_jobs(&unknown, CUTOFF), Some(Action::Reaped));
        let canceling = Vitals {
            status: JobStatus::Canceling,
            ..settled
        };
        assert_eq!(stale_jobs(&canceling, CUTOFF), Some(Action::Reaped));
    }

    #[test]
    fn only_an_old_queue_of_an_ended_job_is_a_zombie_and_an_unknown_age_is_never_old() {
        let policy = HealthPolicy::default();
        let late = Timestamp(0).plus(policy.zombie_after);
        let old = queue(0);
        assert!(zombie(&old, None, late, &policy));
        assert!(zombie(&old, Some(JobStatus::Revoked), late, &policy));
        assert!(!zombie(&old, Some(JobStatus::Started), late, &policy));
        assert!(!zombie(&old, None, late.minus(Duration::from_secs(1)), &policy));
        let ageless = QueueInfo {
            created_at: None,
            ..old
        };
        assert!(!zombie(&ageless, None, late, &policy));
    }
}
