//! The rows of tasks.

use trapline_core::{
    CaptureId, FailReason, GrantId, JobId, TaskState, WorkerId,
    failures::{Group, GroupId, Kind},
    handout::last_try::Turn,
    plan::{TaskKey, leases::LeaseRow, lost::IdleTask, settle::TaskView, sweep::HeldTask},
    ports::{
        Attempt, Candidate, FailureGroups, FreeCursor, HandOuts, ImageRow, OldestLease, ResultRow, WorkerNow,
    },
    receipt::Receipt,
    verify::{LeaseAudit, TaskAudit},
};

use super::{Columns, catalog::capture, lease::signs_of, status, word};

fn state(row: &impl Columns) -> sqlx::Result<TaskState> {
    word(&row.col::<String>("state")?, TaskState::parse)
}

fn reason(row: &impl Columns) -> sqlx::Result<Option<FailReason>> {
    let text: Option<String> = row.col("reason")?;
    text.map(|t| word(&t, FailReason::parse)).transpose()
}

fn key(row: &impl Columns) -> sqlx::Result<TaskKey> {
    Ok((JobId(row.col("job_id")?), CaptureId(row.col("capture_id")?)))
}

/// A free task, and the cursor after it.
pub(crate) fn free_task(row: &impl Columns) -> sqlx::Result<(FreeCursor, Candidate)> {
    let capture = CaptureId(row.col("capture_id")?);
    let candidate = Candidate {
        capture,
        run: row.col("run")?,
        delivery: row.col("delivery")?,
    };
    Ok(((row.col("ord")?, capture), candidate))
}

/// What decides on a result for the task. By place, because a name is looked for in each row.
pub(crate) fn task_view(row: &impl Columns) -> sqlx::Result<(TaskKey, TaskView)> {
    let state: String = row.at(5)?;
    let reason: Option<String> = row.at(6)?;
    let reason = reason.map(|r| word(&r, FailReason::parse)).transpose()?;
    let grant = |place| Ok::<_, sqlx::Error>(row.at::<Option<i64>>(place)?.map(GrantId));
    let view = TaskView {
        ord: row.at(2)?,
        run: row.at(3)?,
        delivery: row.at(4)?,
        state: word(&state, TaskState::parse)?,
        reason,
        failed_as: match (reason, row.at::<Option<String>>(15)?) {
            (Some(reason), detail) => Some(Kind::of(reason, &detail.unwrap_or_default()).id),
            (None, _) => None,
        },
        n_detections: row.at(7)?,
        n_classifications: row.at(8)?,
        grant: grant(9)?,
        attempts: row.at(10)?,
        strikes: row.at(11)?,
        suspect: row.at(12)?,
        died: grant(13)?.zip(row.at(14)?),
    };
    Ok(((JobId(row.at(0)?), CaptureId(row.at(1)?)), view))
}

/// The groups of a job's run, of which each row is one, and one without a group if there is none; `None` if there is no row.
pub(crate) fn failure_groups(rows: &[impl Columns]) -> sqlx::Result<Option<FailureGroups>> {
    let Some(job) = rows.first() else { return Ok(None) };
    let groups = rows.iter().map(failure_group).collect::<sqlx::Result<Vec<_>>>()?;
    Ok(Some(FailureGroups {
        failed: job.unsigned("failed")?,
        is_counted: job.col("is_counted")?,
        groups: groups.into_iter().flatten().collect(),
    }))
}

fn failure_group(row: &impl Columns) -> sqlx::Result<Option<Group>> {
    let Some(id) = row.col::<Option<i64>>("id")? else {
        return Ok(None);
    };
    Ok(Some(Group {
        id: word(&id.to_string(), |_| GroupId::from_row(id))?,
        reason: word(&row.col::<String>("reason")?, FailReason::parse)?,
        text: row.col("text")?,
        is_rest: false,
        count: row.unsigned("n")?,
        first_at: row.maybe_time("first_at")?,
        last_at: row.maybe_time("last_at")?,
        workers: Vec::new(),
        sample: CaptureId(row.col("sample")?),
    }))
}

/// What decides on the end of the task's lease.
pub(crate) fn held_task(row: &impl Columns) -> sqlx::Result<HeldTask> {
    Ok(HeldTask {
        grant: GrantId(row.col("grant_id")?),
        key: key(row)?,
        run: row.col("run")?,
        delivery: row.col("delivery")?,
        delivery_base: row.col("delivery_base")?,
        strikes: row.col("strikes")?,
        suspect: row.col("suspect")?,
        returns: row.col("returns")?,
        lease_until: row.time("lease_until")?,
        history: row.col("history")?,
        status: status(&row.col::<String>("status")?)?,
        job_run: row.col("job_run")?,
    })
}

/// A pending task of an idle job.
pub(crate) fn idle_task(job: JobId, row: &impl Columns) -> sqlx::Result<IdleTask> {
    Ok(IdleTask {
        key: (job, CaptureId(row.col("capture_id")?)),
        strikes: row.col("strikes")?,
        history: row.col("history")?,
    })
}

/// Where a worker stands between batches and last tries.
pub(crate) fn turn(row: &impl Columns) -> sqlx::Result<Turn> {
    Ok(Turn {
        waits_for: row.col::<Option<i64>>("waits_for")?.map(JobId),
        in_a_row: row.col("last_tries")?,
        batches_until: row.maybe_time("batches_until")?,
    })
}

/// The receipt of a task that a grant holds.
pub(crate) fn receipt(row: &impl Columns) -> sqlx::Result<Receipt> {
    Ok(Receipt {
        job: JobId(row.col("job_id")?),
        run: row.col("run")?,
        capture: CaptureId(row.col("capture_id")?),
        delivery: row.col("delivery")?,
        worker: WorkerId(row.col("worker_id")?),
        granted_at: row.time("granted_at")?,
    })
}

/// What decides on a change of the task's lease.
pub(crate) fn lease_row(row: &impl Columns) -> sqlx::Result<(TaskKey, LeaseRow)> {
    let lease = LeaseRow {
        state: state(row)?,
        run: row.col("run")?,
        delivery: row.col("delivery")?,
        grant: row.col::<Option<i64>>("grant_id")?.map(GrantId),
        granted_at: row.maybe_time("granted_at")?.unwrap_or_default(),
        lease_until: row.maybe_time("lease_until")?.unwrap_or_default(),
        releases: row.col("releases")?,
        life: signs_of(row)?,
    };
    Ok((key(row)?, lease))
}

pub(crate) fn attempt(row: &impl Columns) -> sqlx::Result<Attempt> {
    Ok(Attempt {
        capture: CaptureId(row.col("capture_id")?),
        job: JobId(row.col("job_id")?),
        pipeline: row.col("slug")?,
        state: state(row)?,
        reason: reason(row)?,
        detail: row.col("detail")?,
        settled_at: row.maybe_time("settled_at")?,
        detections: row.col("n_detections")?,
    })
}

pub(crate) fn result(row: &impl Columns) -> sqlx::Result<ResultRow> {
    Ok(ResultRow {
        capture: capture(row)?,
        state: state(row)?,
        settled_at: row.maybe_time("settled_at")?,
        detections: row.col("n_detections")?,
    })
}

pub(crate) fn image(row: &impl Columns) -> sqlx::Result<ImageRow> {
    let attempts = row.col("attempts")?;
    // That of an earlier run stays in the row.
    let granted_at = row.maybe_time("granted_at")?.filter(|_| attempts > 0);
    Ok(ImageRow {
        capture: CaptureId(row.col("capture_id")?),
        url: row.col("url")?,
        state: state(row)?,
        in_flight: row.col("in_flight")?,
        reason: reason(row)?,
        detail: row.col("detail")?,
        attempts,
        worker: row.col("worker")?,
        holder: row.col::<Option<i64>>("holder")?.map(WorkerId),
        granted_at,
        settled_at: row.maybe_time("settled_at")?,
        detections: row.col("n_detections")?,
    })
}

pub(crate) fn hand_outs(row: &impl Columns) -> sqlx::Result<HandOuts> {
    Ok(HandOuts {
        given_back: row.col("releases")?,
        returned: row.col("returns")?,
        history: row.col("history")?,
        lease_until: row.maybe_time("lease_until")?,
    })
}

pub(crate) fn task_audit(row: &impl Columns) -> sqlx::Result<TaskAudit> {
    Ok(TaskAudit {
        capture: CaptureId(row.col("capture_id")?),
        run: row.col("run")?,
        state: state(row)?,
        reason: reason(row)?,
        detail: row.col("detail")?,
        delivery: row.col("delivery")?,
        strikes: row.col("strikes")?,
        settled_at: row.maybe_time("settled_at")?,
        by_strict_policy: row.col("by_strict_policy")?,
        lease: lease_audit(row)?,
        n_detections: row.col("n_detections")?,
        n_classifications: row.col("n_classifications")?,
        stored_detections: row.col("stored_detections")?,
        distinct_detections: row.col("distinct_detections")?,
        stored_classifications: row.col("stored_classifications")?,
    })
}

fn lease_audit(row: &impl Columns) -> sqlx::Result<Option<LeaseAudit>> {
    if !row.col("leased")? {
        return Ok(None);
    }
    Ok(Some(LeaseAudit {
        has_grant: row.col("has_grant")?,
        granted_at: row.maybe_time("granted_at")?.unwrap_or_default(),
        until: row.maybe_time("lease_until")?.unwrap_or_default(),
        life: signs_of(row)?,
    }))
}

pub(crate) fn oldest_lease(row: &impl Columns) -> sqlx::Result<OldestLease> {
    Ok(OldestLease {
        granted_at: row.time("granted_at")?,
        lease_until: row.time("lease_until")?,
        worker: row.col("worker")?,
        last_seen: row.maybe_time("last_seen")?,
    })
}

pub(crate) fn worker_now(row: &impl Columns) -> sqlx::Result<WorkerNow> {
    Ok(WorkerNow {
        name: row.col("name")?,
        last_seen: row.time("last_seen")?,
        busy_with: row.col::<Option<i64>>("busy_with")?.map(JobId),
        busy_elsewhere: row.col("busy_elsewhere")?,
        draining: row.col("draining")?,
    })
}
