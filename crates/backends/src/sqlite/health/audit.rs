//! Pages of rows for `verify`: each one statement on a reader, so no snapshot outlives its page.

use trapline_core::{
    CaptureId, JobId, Result, Timestamp,
    health::STRICT_DETAIL,
    verify::{JobAudit, OVERDUE_AFTER, RowKey, Stray, StrayKind, TaskAudit},
};

use super::super::{SqliteStore, store_error};
use crate::rows;

impl SqliteStore {
    pub(super) async fn job_audits(&self, after: JobId, limit: u64) -> Result<Vec<JobAudit>> {
        let rows = sqlx::query(include_str!("../../sql/health/audit_jobs.sql"))
            .bind(after.0)
            .bind(bound(limit))
            .fetch_all(&self.readers)
            .await
            .map_err(store_error)?;
        rows.iter()
            .map(|row| rows::audit(row).map_err(store_error))
            .collect()
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
        rows.iter()
            .map(|row| rows::task_audit(row).map_err(store_error))
            .collect()
    }

    pub(super) async fn stray_page(
        &self,
        kind: StrayKind,
        after: RowKey,
        limit: u64,
    ) -> Result<(Vec<Stray>, Option<RowKey>)> {
        let sql = match kind {
            StrayKind::Grants => include_str!("../sql/health/stray_grants.sql"),
            StrayKind::OverdueGrants => include_str!("../sql/health/stray_overdue.sql"),
            StrayKind::Detections => include_str!("../sql/health/stray_detections.sql"),
            StrayKind::Classifications => include_str!("../sql/health/stray_classifications.sql"),
        };
        let mut query = sqlx::query(sql).bind(bound(limit));
        for column in kind.columns(&after) {
            query = query.bind(column);
        }
        if kind == StrayKind::OverdueGrants {
            query = query.bind(Timestamp::default().plus(OVERDUE_AFTER).0);
        }
        let rows = query.fetch_all(&self.readers).await.map_err(store_error)?;
        rows::strays(&rows, limit).map_err(store_error)
    }
}

fn bound(limit: u64) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
