//! Workers, as people see them.

use trapline_core::{
    JobId, ProjectId, TokenId, WorkerId,
    ports::{Holding, WorkerMinute, WorkerRow},
};

use super::Columns;

pub(crate) fn worker(row: &impl Columns) -> sqlx::Result<WorkerRow> {
    Ok(WorkerRow {
        id: WorkerId(row.col("id")?),
        name: row.col("name")?,
        client_info: row.col("client_info")?,
        pipelines: row.json("pipelines")?,
        last_seen: row.time("last_seen")?,
        draining: row.col("draining")?,
        token_id: TokenId(row.col("token_id")?),
        token: row.col("token")?,
        project: row.col::<Option<i64>>("project_id")?.map(ProjectId),
    })
}

/// What a worker holds of one hand-out.
pub(crate) fn holding(row: &impl Columns) -> sqlx::Result<Holding> {
    Ok(Holding {
        worker: WorkerId(row.col("worker_id")?),
        job: JobId(row.col("job_id")?),
        granted_at: row.time("granted_at")?,
        images: row.unsigned("images")?,
    })
}

/// What a worker did in a minute or an hour.
pub(crate) fn worker_minute(row: &impl Columns) -> sqlx::Result<WorkerMinute> {
    Ok(WorkerMinute {
        worker: WorkerId(row.col("worker_id")?),
        step: row.col("step")?,
        minute: row.col("minute")?,
        processed: row.unsigned("processed")?,
        failed: row.unsigned("failed")?,
        lost: row.unsigned("lost")?,
    })
}
