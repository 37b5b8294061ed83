//! The invariants of a store, checked from its rows, read-only, page by page by key: no snapshot is held long
//! (RULES.md A18). Whatever a crash or a race left behind is named here.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

use crate::{CaptureId, FailReason, JobId, JobStatus, Result, TaskState, Timestamp, ports::Store};

/// What must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Invariant {
    /// A job is final, or something will move it: a dispatcher, a worker, the end of a lease, the sweep.
    JobHasAnOwner,
    /// A job landed SUCCESS or FAILURE has none remaining.
    LandedIsComplete,
    /// A job's counters equal its tasks' rows.
    JobCounts,
    /// A task's counters equal its stored detections and classifications.
    TaskCounts,
    /// State, reason and time of a task's outcome agree.
    OneOutcome,
    /// Only a missing URL, or the strict idle policy, settles a task that was never handed out.
    SettledWasHandedOut,
    /// A grant belongs to a job.
    GrantHasJob,
    /// A settled task is under no lease.
    NoLeaseOnSettled,
    /// A lease belongs to a grant, else nobody ends it.
    LeaseHasGrant,
    /// Projections are marked for removal when a job ends, and only then, and removed soon.
    CleanedUp,
    /// A detection belongs to a task.
    DetectionHasTask,
    /// A classification belongs to a detection.
    ClassificationHasDetection,
    /// A task's detections are unique by algorithm and box.
    DetectionsUnique,
}

/// An invariant that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// Of which job, if it is one's.
    pub job: Option<JobId>,
    /// How many rows.
    pub count: u64,
    /// The first of them.
    pub rows: Vec<String>,
}

/// Rows that one violation names at the most.
const ROWS_MAX: usize = 20;

/// A job's row, as far as the invariants go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobAudit {
    /// The job.
    pub job: JobId,
    /// Its run.
    pub run: i64,
    /// Its status.
    pub status: JobStatus,
    /// Whether the task set of this run is complete.
    pub collected: bool,
    /// Total, processed, failed, detections, classifications.
    pub counters: [i64; 5],
    /// Whether its projections are to be removed.
    pub cleanup_due: bool,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When the store was last served; what should have been done since is judged by it.
    pub served_at: Timestamp,
}

/// A task's row, and what is stored for it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is named as its column")]
pub struct TaskAudit {
    pub capture: CaptureId,
    pub run: i64,
    pub state: TaskState,
    pub reason: Option<FailReason>,
    pub delivery: i64,
    pub settled_at: Option<Timestamp>,
    /// Whether it was settled by the strict idle policy.
    pub by_strict_policy: bool,
    pub leased: bool,
    /// Whether the grant of its lease is there.
    pub has_grant: bool,
    pub n_detections: i64,
    pub n_classifications: i64,
    pub stored_detections: i64,
    /// Different keys among them.
    pub distinct_detections: i64,
    pub stored_classifications: i64,
}

/// Rows that belong to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StrayKind {
    /// Grants without a job.
    Grants,
    /// Detections without a task.
    Detections,
    /// Classifications without a detection.
    Classifications,
}

/// Such a row, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stray {
    /// Whose it says it is.
    pub job: Option<JobId>,
    /// Which row.
    pub row: String,
}

/// What was looked at, and what does not hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Jobs looked at.
    pub jobs: u64,
    /// Tasks looked at.
    pub tasks: u64,
    /// Running jobs that changed at every look, so that their counts could not be compared.
    pub busy: Vec<JobId>,
    /// What does not hold.
    pub violations: Vec<Violation>,
}

/// How long after the end of a job its projections may be marked, and a cancel unfinished.
const SOON: Duration = Duration::from_secs(60);

/// The tasks of one job, seen one after the other.
#[derive(Default)]
struct Audit {
    tasks: u64,
    /// Total, processed, failed, detections, classifications, as the rows say.
    sums: [i64; 5],
    /// Pending, of the current run, under no lease or under one that will be ended.
    movable: u64,
    broken: BTreeMap<Invariant, (u64, Vec<String>)>,
}

impl Audit {
    fn breaks(&mut self, invariant: Invariant, row: impl FnOnce() -> String) {
        let (count, rows) = self.broken.entry(invariant).or_default();
        *count += 1;
        if rows.len() < ROWS_MAX {
            rows.push(row());
        }
    }

    fn task(&mut self, job: &JobAudit, t: &TaskAudit) {
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
        self.movable += u64::from(!settled && t.run == job.run && (!t.leased || t.has_grant));
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
        if settled && t.leased {
            self.breaks(
                Invariant::NoLeaseOnSettled,
                what(format!("is {}", t.state.as_str())),
            );
        }
        if t.leased && !t.has_grant {
            self.breaks(
                Invariant::LeaseHasGrant,
                what("its grant is not there".to_owned()),
            );
        }
        if t.distinct_detections != t.stored_detections {
            let text = format!(
                "{} detections, {} keys",
                t.stored_detections, t.distinct_detections
            );
            self.breaks(Invariant::DetectionsUnique, what(text));
        }
    }

    fn job(&mut self, job: &JobAudit) {
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
        let unmoved = job.served_at.since(job.updated_at);
        if let Some(why) = self.ownerless(job, complete, unmoved) {
            let text = format!("{} for {} s: {why}", job.status, unmoved.as_secs());
            self.breaks(Invariant::JobHasAnOwner, || text);
        }
        if job.cleanup_due && (!job.status.is_final() || unmoved > SOON) {
            let text = format!("{}, and its projections are still to be removed", job.status);
            self.breaks(Invariant::CleanedUp, || text);
        }
    }

    fn ownerless(&self, job: &JobAudit, complete: bool, unmoved: Duration) -> Option<&'static str> {
        match job.status {
            // Its owner is whoever will run it.
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

    fn violations(self, job: JobId) -> impl Iterator<Item = Violation> {
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

/// How often a job is looked at that changes meanwhile.
const LOOKS: usize = 3;

/// Checks every invariant, `page` rows at a time.
///
/// # Errors
/// As the store's; that something does not hold is no error.
pub async fn verify(store: &dyn Store, page: u64) -> Result<Verified> {
    let mut verified = Verified::default();
    let mut after = JobId(0);
    loop {
        let jobs = store.audit_jobs(after, page).await?;
        let Some(last) = jobs.last() else { break };
        after = last.job;
        for job in jobs {
            verify_job(store, job, page, &mut verified).await?;
        }
    }
    for (kind, invariant) in [
        (StrayKind::Grants, Invariant::GrantHasJob),
        (StrayKind::Detections, Invariant::DetectionHasTask),
        (StrayKind::Classifications, Invariant::ClassificationHasDetection),
    ] {
        verify_strays(store, kind, invariant, page, &mut verified).await?;
    }
    Ok(verified)
}

async fn verify_job(store: &dyn Store, mut job: JobAudit, page: u64, into: &mut Verified) -> Result<()> {
    for _ in 0..LOOKS {
        let mut audit = Audit::default();
        let mut after = CaptureId(0);
        loop {
            let tasks = store.audit_tasks(job.job, after, page).await?;
            let Some(last) = tasks.last() else { break };
            after = last.capture;
            tasks.iter().for_each(|t| audit.task(&job, t));
        }
        audit.job(&job);
        // Pages are read one by one, so what changed in between proves nothing.
        let now = store.audit_jobs(JobId(job.job.0 - 1), 1).await?.pop();
        let Some(now) = now.filter(|n| n.job == job.job) else {
            return Ok(());
        };
        let same = JobAudit {
            served_at: job.served_at,
            ..now.clone()
        } == job;
        if same || audit.broken.is_empty() {
            into.jobs += 1;
            into.tasks += audit.tasks;
            into.violations.extend(audit.violations(job.job));
            return Ok(());
        }
        job = now;
    }
    into.busy.push(job.job);
    Ok(())
}

async fn verify_strays(
    store: &dyn Store,
    kind: StrayKind,
    invariant: Invariant,
    page: u64,
    into: &mut Verified,
) -> Result<()> {
    let mut by_job: BTreeMap<Option<JobId>, (u64, Vec<String>)> = BTreeMap::new();
    let mut after = Some(0);
    while let Some(from) = after {
        let (strays, next) = store.strays(kind, from, page).await?;
        for stray in strays {
            let (count, rows) = by_job.entry(stray.job).or_default();
            *count += 1;
            if rows.len() < ROWS_MAX {
                rows.push(stray.row);
            }
        }
        after = next;
    }
    into.violations
        .extend(by_job.into_iter().map(|(job, (count, rows))| Violation {
            invariant,
            job,
            count,
            rows,
        }));
    Ok(())
}
