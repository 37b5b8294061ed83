//! Pages of rows for `verify`: each one statement on a reader, so no snapshot outlives its page.

use sqlx::{Row as _, sqlite::SqliteRow};
use trapline_core::{
    CaptureId, FailReason, JobId, Result, TaskState, Timestamp,
    health::STRICT_DETAIL,
    verify::{JobAudit, Stray, StrayKind, TaskAudit},
};

use super::super::{SqliteStore, counts, get, store_error};

impl SqliteStore {
    pub(super) async fn job_audits(&self, after: JobId, limit: u64) -> Result<Vec<JobAudit>> {
        let rows = sqlx::query(include_str!("../sql/health/audit_jobs.sql"))
            .bind(after.0)
            .bind(bound(limit))
            .fetch_all(&self.readers)
            .await
            .map_err(store_error)?;
        rows.iter().map(|row| job(row).map_err(store_error)).collect()
    }

    pub(super) async fn task_audits(
        &self,
        job: JobId,
        after: CaptureId,
        limit: u64,
    ) -> Result<Vec<TaskAudit>> {
        let rows = sqlx::query(include_str!("../sql/health/audit_tasks.sql"))
            .bind(job.0)
            .bind(after.0)
            .bind(bound(limit))
            .bind(STRICT_DETAIL)
            .fetch_all(&self.readers)
            .await
            .map_err(store_error)?;
        rows.iter().map(|row| task(row).map_err(store_error)).collect()
    }

    pub(super) async fn stray_page(
        &self,
        kind: StrayKind,
        after: i64,
        limit: u64,
    ) -> Result<(Vec<Stray>, Option<i64>)> {
        let sql = match kind {
            StrayKind::Grants => include_str!("../sql/health/stray_grants.sql"),
            StrayKind::Detections => include_str!("../sql/health/stray_detections.sql"),
            StrayKind::Classifications => include_str!("../sql/health/stray_classifications.sql"),
        };
        let rows = sqlx::query(sql)
            .bind(after)
            .bind(bound(limit))
            .fetch_all(&self.readers)
            .await
            .map_err(store_error)?;
        let mut strays = Vec::new();
        for row in &rows {
            if get(row, "stray")? {
                strays.push(Stray {
                    job: get::<Option<i64>>(row, "job_id")?.map(JobId),
                    row: get(row, "row")?,
                });
            }
        }
        let next = match rows.last() {
            Some(last) if rows.len() as u64 == limit => Some(get(last, "key")?),
            _ => None,
        };
        Ok((strays, next))
    }
}

fn bound(limit: u64) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn job(row: &SqliteRow) -> sqlx::Result<JobAudit> {
    Ok(JobAudit {
        job: JobId(row.try_get("id")?),
        run: row.try_get("run")?,
        status: counts::decode(row.try_get("status")?)?,
        collected: row.try_get("collected")?,
        counters: [
            row.try_get("total")?,
            row.try_get("processed")?,
            row.try_get("failed")?,
            row.try_get("detections")?,
            row.try_get("classifications")?,
        ],
        cleanup_due: row.try_get("cleanup_due")?,
        updated_at: Timestamp(row.try_get("updated_at")?),
        served_at: Timestamp(row.try_get("served_at")?),
    })
}

fn task(row: &SqliteRow) -> sqlx::Result<TaskAudit> {
    let state: String = row.try_get("state")?;
    let reason: Option<String> = row.try_get("reason")?;
    Ok(TaskAudit {
        capture: CaptureId(row.try_get("capture_id")?),
        run: row.try_get("run")?,
        state: TaskState::parse(&state).ok_or_else(|| sqlx::Error::Decode(state.into()))?,
        reason: reason.as_deref().and_then(FailReason::parse),
        delivery: row.try_get("delivery")?,
        settled_at: row.try_get::<Option<i64>, _>("settled_at")?.map(Timestamp),
        by_strict_policy: row.try_get("by_strict_policy")?,
        leased: row.try_get("leased")?,
        has_grant: row.try_get("has_grant")?,
        n_detections: row.try_get("n_detections")?,
        n_classifications: row.try_get("n_classifications")?,
        stored_detections: row.try_get("stored_detections")?,
        distinct_detections: row.try_get("distinct_detections")?,
        stored_classifications: row.try_get("stored_classifications")?,
    })
}
