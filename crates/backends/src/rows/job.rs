//! The rows of jobs.

use trapline_core::{
    AlgorithmId, CaptureId, CollectionId, JobId, PipelineId, ProjectId,
    choose::Waiting,
    counts::Counts,
    job::RunMode,
    ports::{Job, JobHead, RunAlgorithms, Vitals, WaitingJob},
    verify::JobAudit,
};

use super::{Columns, lease, status};

pub(crate) fn job(row: &impl Columns) -> sqlx::Result<Job> {
    let (total, processed, failed, in_flight) = (
        row.unsigned("total")?,
        row.unsigned("processed")?,
        row.unsigned("failed")?,
        row.unsigned("in_flight")?,
    );
    let pipeline: Option<i64> = row.col("pipeline_id")?;
    let slug: Option<String> = row.col("pipeline_slug")?;
    Ok(Job {
        id: JobId(row.col("id")?),
        project: ProjectId(row.col("project_id")?),
        name: row.col("name")?,
        status: status(&row.col::<String>("status")?)?,
        run: row.col("run")?,
        mode: if row.col::<String>("mode")? == "failed" {
            RunMode::Failed
        } else {
            RunMode::All
        },
        collected: row.col("collected")?,
        priority: row.col("priority")?,
        failure_threshold: row.col("failure_threshold")?,
        delay_seconds: row.unsigned("delay_seconds")?,
        not_before: row.maybe_time("not_before")?,
        pipeline: pipeline.map(PipelineId).zip(slug),
        collection: row.col::<Option<i64>>("collection_id")?.map(CollectionId),
        capture: row.col::<Option<i64>>("capture_id")?.map(CaptureId),
        limit: row
            .col::<Option<i64>>("image_limit")?
            .and_then(|l| u64::try_from(l).ok()),
        shuffle: row.col("shuffle")?,
        reprocess: row.col("reprocess")?,
        job_type: row.col("job_type")?,
        candidates: row.unsigned("candidates")?,
        counts: Counts {
            total,
            pending: total.saturating_sub(processed + failed + in_flight),
            in_flight,
            processed,
            failed,
            detections: row.unsigned("detections")?,
            classifications: row.unsigned("classifications")?,
            skipped: row.unsigned("skipped")?,
        },
        errors: row.json("errors")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
        started_at: row.maybe_time("started_at")?,
        finished_at: row.maybe_time("finished_at")?,
        last_result_at: row.maybe_time("last_result_at")?,
    })
}

pub(crate) fn job_head(row: &impl Columns) -> sqlx::Result<JobHead> {
    Ok(JobHead {
        job: JobId(row.col("id")?),
        project: ProjectId(row.col("project_id")?),
        run: row.col("run")?,
        status: status(&row.col::<String>("status")?)?,
        pipeline_slug: row.col("pipeline_slug")?,
    })
}

pub(crate) fn run_algorithms(row: &impl Columns) -> sqlx::Result<RunAlgorithms> {
    let each = row.json::<Vec<(i64, Option<i64>)>>("algorithms")?.into_iter();
    Ok(each.map(|(id, map)| (AlgorithmId(id), map)).collect())
}

pub(crate) fn vitals(row: &impl Columns) -> sqlx::Result<Vitals> {
    let (total, processed, failed) = (
        row.unsigned("total")?,
        row.unsigned("processed")?,
        row.unsigned("failed")?,
    );
    let (leased, exhausted) = (row.unsigned("leased")?, row.unsigned("exhausted")?);
    let pending = total.saturating_sub(processed + failed + leased);
    let free = match row.col("has_free")? {
        true => pending.saturating_sub(exhausted).max(1),
        false => 0,
    };
    Ok(Vitals {
        job: JobId(row.col("id")?),
        run: row.col("run")?,
        status: status(&row.col::<String>("status")?)?,
        collected: row.col("collected")?,
        counts: Counts {
            total,
            pending,
            in_flight: leased,
            processed,
            failed,
            detections: row.unsigned("detections")?,
            classifications: row.unsigned("classifications")?,
            skipped: row.unsigned("skipped")?,
        },
        idle_since: row.time("idle_since")?,
        free,
        leased,
        exhausted,
    })
}

pub(crate) fn waiting(row: &impl Columns) -> sqlx::Result<WaitingJob> {
    Ok(WaitingJob {
        waiting: Waiting {
            job: JobId(row.col("id")?),
            priority: row.col("priority")?,
            since: row.time("since")?,
        },
        slug: row.col("slug")?,
    })
}

pub(crate) fn audit(row: &impl Columns) -> sqlx::Result<JobAudit> {
    Ok(JobAudit {
        job: JobId(row.col("id")?),
        run: row.col("run")?,
        status: status(&row.col::<String>("status")?)?,
        collected: row.col("collected")?,
        counters: [
            row.col("total")?,
            row.col("processed")?,
            row.col("failed")?,
            row.col("detections")?,
            row.col("classifications")?,
        ],
        can_run: row.col("can_run")?,
        has_spec: row.col("has_spec")?,
        cleanup_due: row.col("cleanup_due")?,
        updated_at: row.time("updated_at")?,
        served_at: row.time("served_at")?,
        gap: lease::gap(row)?,
    })
}

/// What a slice of a collect needs of the job's row.
pub(crate) struct JobSource {
    pub(crate) phase: i64,
    pub(crate) mode: String,
    pub(crate) collection: Option<i64>,
    pub(crate) capture: Option<i64>,
    pub(crate) max_capture: i64,
    pub(crate) seed: i64,
    pub(crate) shuffle: bool,
    pub(crate) reprocess: bool,
    pub(crate) fingerprint: String,
    pub(crate) limit: Option<i64>,
    pub(crate) cut: Option<(i64, i64)>,
}

impl JobSource {
    pub(crate) fn read(row: &impl Columns) -> sqlx::Result<Self> {
        let cut: (Option<i64>, Option<i64>) = (row.col("cut_ord")?, row.col("cut_capture_id")?);
        Ok(Self {
            phase: row.col("phase")?,
            mode: row.col("mode")?,
            collection: row.col("collection_id")?,
            capture: row.col("capture_id")?,
            max_capture: row.col::<Option<i64>>("max_capture_id")?.unwrap_or(0),
            seed: row.col("seed")?,
            shuffle: row.col("shuffle")?,
            reprocess: row.col("reprocess")?,
            fingerprint: row.col("fingerprint")?,
            limit: row.col("image_limit")?,
            cut: cut.0.zip(cut.1),
        })
    }
}
