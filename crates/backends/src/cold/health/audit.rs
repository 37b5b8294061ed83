//! Pages of rows for `verify`: each one statement on a reader, so no snapshot outlives its page.

use trapline_core::{
    CaptureId, JobId, Timestamp,
    health::STRICT_DETAIL,
    verify::{JobAudit, OVERDUE_AFTER, RowKey, Stray, StrayKind, TaskAudit},
};

use super::Cold;
use crate::{
    rows,
    sql::{Conn as _, Value, bound, sql},
};

pub(crate) async fn jobs<S: Cold>(store: &S, after: JobId, limit: u64) -> sqlx::Result<Vec<JobAudit>> {
    let mut conn = store.reader().await?;
    conn.list(
        sql!("health/audit_jobs.sql"),
        &[&after.0, &bound(limit)],
        rows::audit,
    )
    .await
}

pub(crate) async fn tasks<S: Cold>(
    store: &S,
    job: JobId,
    after: CaptureId,
    limit: u64,
) -> sqlx::Result<Vec<TaskAudit>> {
    let values: [&dyn Value<'_>; 4] = [&job.0, &after.0, &bound(limit), &STRICT_DETAIL];
    let mut conn = store.reader().await?;
    conn.list(sql!(each "health/audit_tasks.sql"), &values, rows::task_audit)
        .await
}

pub(crate) async fn strays<S: Cold>(
    store: &S,
    kind: StrayKind,
    after: RowKey,
    limit: u64,
) -> sqlx::Result<(Vec<Stray>, Option<RowKey>)> {
    let sql = match kind {
        StrayKind::Grants => sql!(each "health/stray_grants.sql"),
        StrayKind::OverdueGrants => sql!(each "health/stray_overdue.sql"),
        StrayKind::Detections => sql!("health/stray_detections.sql"),
        StrayKind::Classifications => sql!("health/stray_classifications.sql"),
    };
    let (limited, overdue) = (bound(limit), Timestamp::default().plus(OVERDUE_AFTER).0);
    let mut values: Vec<&dyn Value<'_>> = vec![&limited];
    values.extend(kind.columns(&after).iter().map(|column| column as &dyn Value<'_>));
    if kind == StrayKind::OverdueGrants {
        values.push(&overdue);
    }
    let mut conn = store.reader().await?;
    rows::strays(&conn.rows(sql, &values).await?, limit)
}
