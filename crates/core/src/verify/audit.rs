//! Checks the invariants on the rows of one job.

use std::{collections::BTreeMap, time::Duration};

use super::{Invariant, JobAudit, LeaseAudit, OVERDUE_AFTER, ROWS_MAX, TaskAudit, Violation};
use crate::{
    FailReason, JobId, JobStatus, TaskState, Timestamp,
    failures::{GroupId, Kind},
    handout::lease,
    ports::FailureGroups,
};

/// How long after its end a job may still have the mark to remove its projections, and how long a cancel may be
/// unfinished.
const SOON: Duration = Duration::from_secs(60);

/// Returns how long the store was served from `at` until it was served last. The time of an outage does not count,
/// because nobody could do anything in it.
fn served_since(job: &JobAudit, at: Timestamp) -> Duration {
    let since = job.gap.map_or(at, |gap| at.max(gap.to));
    job.served_at.since(since)
}

/// The tasks of one job, seen one after the other.
#[derive(Default)]
pub(super) struct Audit {
    pub(super) tasks: u64,
    /// Total, processed, failed, detections, classifications, as the rows say.
    sums: [i64; 5],
    /// Pending, of the current run, under no lease or under one that will be ended.
    movable: u64,
    /// The failed tasks of the current run by group.
    failed: BTreeMap<GroupId, (FailReason, u64)>,
    pub(super) broken: BTreeMap<Invariant, (u64, Vec<String>)>,
}

impl Audit {
    fn breaks(&mut self, invariant: Invariant, row: impl FnOnce() -> String) {
        let (count, rows) = self.broken.entry(invariant).or_default();
        *count += 1;
        if rows.len() < ROWS_MAX {
            rows.push(row());
        }
    }

    pub(super) fn task(&mut self, job: &JobAudit, t: &TaskAudit) {
        self.tasks += 1;
        let settled = t.state != TaskState::Pending;
        let of = |state| i64::from(t.state == state);
        let row = [
            1,
            of(TaskState::Processed),
            of(TaskState::Failed),
            t.stored_detections,
            t.stored_classifications,
        ];
        for (sum, n) in self.sums.iter_mut().zip(row) {
            *sum += n;
        }
        self.movable +=
            u64::from(!settled && t.run == job.run && t.lease.as_ref().is_none_or(|l| l.has_grant));
        if let Some(reason) = t
            .reason
            .filter(|_| t.state == TaskState::Failed && t.run == job.run)
        {
            let group = Kind::of(reason, t.detail.as_deref().unwrap_or_default()).id;
            self.failed.entry(group).or_insert((reason, 0)).1 += 1;
        }
        let what = |text: String| move || format!("task {}: {text}", t.capture);
        if (t.n_detections, t.n_classifications) != (t.stored_detections, t.stored_classifications) {
            let text = format!(
                "says {} detection(s) and {} classification(s), {} and {} are stored",
                t.n_detections, t.n_classifications, t.stored_detections, t.stored_classifications
            );
            self.breaks(Invariant::TaskCounts, what(text));
        }
        if (t.state == TaskState::Failed) != t.reason.is_some() || settled != t.settled_at.is_some() {
            let text = format!(
                "is {}, its reason is {:?}, and it was settled at {:?}",
                t.state.as_str(),
                t.reason,
                t.settled_at
            );
            self.breaks(Invariant::OneOutcome, what(text));
        }
        if settled && t.delivery == 0 && t.reason != Some(FailReason::NoUrl) && !t.by_strict_policy {
            self.breaks(
                Invariant::SettledWasHandedOut,
                what("was never handed out".to_owned()),
            );
        }
        if let Some(lease) = &t.lease {
            self.lease(job, t, lease);
        }
        if t.distinct_detections != t.stored_detections {
            let text = format!(
                "{} detections, {} keys",
                t.stored_detections, t.distinct_detections
            );
            self.breaks(Invariant::DetectionsUnique, what(text));
        }
    }

    fn lease(&mut self, job: &JobAudit, t: &TaskAudit, lease: &LeaseAudit) {
        let what = |text: String| move || format!("task {}: {text}", t.capture);
        let landed = matches!(job.status, JobStatus::Success | JobStatus::Failure);
        let settled = t.state != TaskState::Pending;
        if settled {
            self.breaks(
                Invariant::NoLeaseOnSettled,
                what(format!("is {}", t.state.as_str())),
            );
        } else if landed {
            let text = format!("is under a lease, and its job is {}", job.status);
            self.breaks(Invariant::NoLeaseOnLanded, what(text));
        }
        if !lease.has_grant {
            self.breaks(
                Invariant::LeaseHasGrant,
                what("its grant is not there".to_owned()),
            );
        }
        let (deadline, _) = lease::deadline(lease.granted_at, lease.until, lease.life.as_ref(), job.gap);
        let overdue = served_since(job, deadline);
        if !settled && overdue > OVERDUE_AFTER {
            let text = format!(
                "its lease was over for {} s when the store was last served",
                overdue.as_secs()
            );
            self.breaks(Invariant::LeaseIsEnded, what(text));
        }
    }

    pub(super) fn job(&mut self, job: &JobAudit) {
        let [total, processed, failed, ..] = job.counters;
        // The total is written when the collect has ended.
        let written = |sums: [i64; 5]| {
            if job.collected {
                sums
            } else {
                [total, sums[1], sums[2], sums[3], sums[4]]
            }
        };
        if job.counters != written(self.sums) {
            let (says, rows) = (job.counters, self.sums);
            self.breaks(Invariant::JobCounts, || {
                format!(
                    "total, processed, failed, detections, classifications: says {says:?}, its rows {rows:?}"
                )
            });
        }
        let remaining = total - processed - failed;
        let complete = job.collected && remaining == 0;
        if matches!(job.status, JobStatus::Success | JobStatus::Failure) && !complete {
            let text = format!(
                "{} with {remaining} remaining, collected: {}",
                job.status, job.collected
            );
            self.breaks(Invariant::LandedIsComplete, || text);
        }
        if !job.can_run && runs_or_landed(job.status) {
            let text = format!("{} without a pipeline and exactly one source", job.status);
            self.breaks(Invariant::JobCanRun, || text);
        }
        if job.collected && !job.has_spec {
            let text = format!(
                "run {} is collected and has no algorithms to judge results by",
                job.run
            );
            self.breaks(Invariant::RunHasSpec, || text);
        }
        let unmoved = served_since(job, job.updated_at);
        if let Some(why) = self.ownerless(job, complete, unmoved) {
            let text = format!("{} for {} s: {why}", job.status, unmoved.as_secs());
            self.breaks(Invariant::JobHasAnOwner, || text);
        }
        if job.cleanup_due && (!job.status.is_final() || unmoved > SOON) {
            let text = format!("{}, and its projections are still to be removed", job.status);
            self.breaks(Invariant::CleanedUp, || text);
        }
    }

    /// After all tasks: compares their groups with those that are counted.
    pub(super) fn groups(&mut self, counted: &FailureGroups) {
        let known: BTreeMap<GroupId, u64> = counted.groups.iter().map(|g| (g.id, g.count)).collect();
        let mut rows: BTreeMap<GroupId, u64> = known.keys().map(|id| (*id, 0)).collect();
        for (group, (reason, n)) in std::mem::take(&mut self.failed) {
            let group = if known.contains_key(&group) {
                group
            } else {
                Kind::rest(reason).id
            };
            *rows.entry(group).or_default() += n;
        }
        for (group, n) in rows {
            let says = known.get(&group).copied().unwrap_or(0);
            if says != n {
                self.breaks(Invariant::FailureGroups, || {
                    format!("group {group} of failures: says {says}, its rows {n}")
                });
            }
        }
    }

    fn ownerless(&self, job: &JobAudit, complete: bool, unmoved: Duration) -> Option<&'static str> {
        match job.status {
            // It waits for somebody to run it.
            JobStatus::Created => None,
            JobStatus::Success | JobStatus::Failure | JobStatus::Revoked => None,
            // A dispatcher claims it.
            JobStatus::Pending | JobStatus::Retry => None,
            JobStatus::Started if !job.collected => None,
            JobStatus::Started if complete => Some("all its tasks are settled and it has not landed"),
            JobStatus::Started if self.movable == 0 => {
                Some("none of its tasks can be handed out or will be ended")
            }
            JobStatus::Started => None,
            JobStatus::Canceling if unmoved <= SOON => None,
            JobStatus::Canceling => Some("its cancel was not finished"),
            JobStatus::Received | JobStatus::Unknown => Some("nothing moves a job in this state"),
        }
    }

    pub(super) fn violations(self, job: JobId) -> impl Iterator<Item = Violation> {
        self.broken
            .into_iter()
            .map(move |(invariant, (count, rows))| Violation {
                invariant,
                job: Some(job),
                count,
                rows,
            })
    }
}

fn runs_or_landed(status: JobStatus) -> bool {
    matches!(
        status,
        JobStatus::Pending | JobStatus::Retry | JobStatus::Started | JobStatus::Success | JobStatus::Failure
    )
}

#[cfg(test)]
mod tests;
