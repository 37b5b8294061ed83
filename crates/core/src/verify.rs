//! The invariants of a store, checked from its rows, read-only, page by page by key: no snapshot is held long
//! (docs/rules.md A18). Whatever a crash or a race left behind is named here.

mod audit;

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

use crate::{
    CaptureId, FailReason, JobId, JobStatus, Result, TaskState, Timestamp,
    handout::lease::{Gap, SignsOfLife},
    ports::Store,
};
use audit::Audit;

/// The invariants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Invariant {
    /// A job is final, or something will move it: a dispatcher, a worker, the end of a lease, the sweep.
    JobHasAnOwner,
    /// A job that runs or has landed has a pipeline and exactly one source.
    JobCanRun,
    /// A run that is collected has its spec, by which results are judged.
    RunHasSpec,
    /// A job landed SUCCESS or FAILURE has none remaining.
    LandedIsComplete,
    /// A job's counters equal its tasks' rows.
    JobCounts,
    /// The groups of failures of a run are those of its failed tasks.
    FailureGroups,
    /// A task's counters equal its stored detections and classifications.
    TaskCounts,
    /// State, reason and time of a task's outcome agree.
    OneOutcome,
    /// Only a missing URL, or the strict idle policy, settles a task that was never handed out.
    SettledWasHandedOut,
    /// A grant belongs to a job.
    GrantHasJob,
    /// A grant is looked at when it is due, and its row removed when no lease of it can live.
    GrantIsEnded,
    /// A settled task is under no lease.
    NoLeaseOnSettled,
    /// A task of a job that landed SUCCESS or FAILURE is under no lease.
    NoLeaseOnLanded,
    /// A lease belongs to a grant, else nobody ends it.
    LeaseHasGrant,
    /// A lease that is over is ended, if the store was served since.
    LeaseIsEnded,
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
    /// The invariant.
    pub invariant: Invariant,
    /// The job, if the violation belongs to one.
    pub job: Option<JobId>,
    /// The number of rows.
    pub count: u64,
    /// The first of these rows.
    pub rows: Vec<String>,
}

/// The maximum number of rows that one violation names.
const ROWS_MAX: usize = 20;

/// How long a store must have been served before an expired lease that is still there is a violation. The sweep takes
/// seconds; the rest is for what it finds after an outage, and for signs of life that are not written yet.
pub const OVERDUE_AFTER: Duration = Duration::from_secs(300);

/// The columns of a job's row that the invariants need.
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
    /// Whether it has a pipeline and exactly one source.
    pub can_run: bool,
    /// Whether the algorithms that results of its run may name are stored.
    pub has_spec: bool,
    /// Whether its projections are to be removed.
    pub cleanup_due: bool,
    /// The time of the last change.
    pub updated_at: Timestamp,
    /// The time at which the store was last served. What should have happened by then is judged by it.
    pub served_at: Timestamp,
    /// The last gap.
    pub gap: Option<Gap>,
}

/// A task's row, and its stored detections and classifications.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is named as its column")]
pub struct TaskAudit {
    pub capture: CaptureId,
    pub run: i64,
    pub state: TaskState,
    pub reason: Option<FailReason>,
    /// The reason in words, if it failed.
    pub detail: Option<String>,
    pub delivery: i64,
    pub strikes: i64,
    pub settled_at: Option<Timestamp>,
    /// Whether it was settled by the strict idle policy.
    pub by_strict_policy: bool,
    pub lease: Option<LeaseAudit>,
    pub n_detections: i64,
    pub n_classifications: i64,
    pub stored_detections: i64,
    /// The number of distinct keys among them.
    pub distinct_detections: i64,
    pub stored_classifications: i64,
}

/// A task's lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseAudit {
    /// Whether its grant exists.
    pub has_grant: bool,
    /// The time of the hand-out.
    pub granted_at: Timestamp,
    /// Its own deadline.
    pub until: Timestamp,
    /// The signs of life of its holder.
    pub life: Option<SignsOfLife>,
}

/// Rows without an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StrayKind {
    /// Grants without a job.
    Grants,
    /// Grants that were due [`OVERDUE_AFTER`] before the store was last served, and served since.
    OverdueGrants,
    /// Detections without a task.
    Detections,
    /// Classifications without a detection.
    Classifications,
}

/// A row's key: `[id, 0, 0, 0]` of a grant; job, `ord`, capture and number of a detection.
pub type RowKey = [i64; 4];

impl StrayKind {
    /// The part of a key that is used.
    #[must_use]
    pub fn columns(self, key: &RowKey) -> &[i64] {
        match self {
            Self::Grants | Self::OverdueGrants => &key[..1],
            Self::Detections | Self::Classifications => key,
        }
    }
}

/// A row without an owner, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stray {
    /// The job that it names.
    pub job: Option<JobId>,
    /// The row.
    pub row: String,
}

/// What was checked, and the violations.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// The number of jobs checked.
    pub jobs: u64,
    /// The number of tasks checked.
    pub tasks: u64,
    /// Running jobs that changed each time they were read, so that their counts could not be compared.
    pub busy: Vec<JobId>,
    /// The violations.
    pub violations: Vec<Violation>,
}

/// How often a job is read again if it changes meanwhile.
const LOOKS: usize = 3;

/// Checks every invariant, `page` rows at a time.
///
/// # Errors
/// As the store's. A violation is no error.
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
        (StrayKind::OverdueGrants, Invariant::GrantIsEnded),
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
        let groups = store.failure_groups(job.job).await?;
        let mut after = CaptureId(0);
        loop {
            let tasks = store.audit_tasks(job.job, after, page).await?;
            let Some(last) = tasks.last() else { break };
            after = last.capture;
            tasks.iter().for_each(|t| audit.task(&job, t));
        }
        audit.job(&job);
        if let Some(groups) = groups.filter(|groups| groups.is_counted) {
            audit.groups(&groups);
        }
        // Pages are read one by one, so a job that changed in between proves nothing.
        let now = store.audit_jobs(JobId(job.job.0 - 1), 1).await?.pop();
        let Some(now) = now.filter(|n| n.job == job.job) else {
            return Ok(());
        };
        let same = JobAudit {
            served_at: job.served_at,
            gap: job.gap,
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
    let mut after = Some([0; 4]);
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
