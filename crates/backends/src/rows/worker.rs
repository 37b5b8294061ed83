//! Workers, as people see them.

use trapline_core::{
    ProjectId, WorkerId,
    ports::WorkerRow,
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
        token: row.col("token")?,
        project: row.col::<Option<i64>>("project_id")?.map(ProjectId),
    })
}
