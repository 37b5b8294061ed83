//! What the health check, `explain` and `verify` ask of the store.

mod audit;
mod idle;
mod outlook;
mod ticks;

use std::time::Duration;

use async_trait::async_trait;
use trapline_core::{
    CaptureId, JobId, Result, Timestamp,
    health::TickReport,
    ports::{Ended, Health, MarkLost, MarkedLost, Outlook, Vitals},
    verify::{JobAudit, RowKey, Stray, StrayKind, TaskAudit},
};

use super::{Cold, RowOf, Turn, write};
use crate::{
    PostgresStore, SqliteStore, rows,
    sql::{Conn as _, Value, bound, sql},
};

macro_rules! health {
    ($($store:ty),+) => {$(
        #[async_trait]
        impl Health for $store {
            async fn take_tick(
                &self,
                node: &str,
                now: Timestamp,
                lease: Duration,
                not_since: Option<Timestamp>,
            ) -> Result<bool> {
                self.aside(ticks::take(self, node, now, lease, not_since)).await
            }

            async fn save_tick(&self, tick: &TickReport, keep_since: Timestamp) -> Result<()> {
                self.aside(ticks::save(self, tick, keep_since)).await
            }

            async fn ticks(&self, before: Option<i64>, limit: u64) -> Result<Vec<(i64, TickReport)>> {
                self.aside(ticks::page(self, before, limit)).await
            }

            async fn vitals(&self, after: JobId, limit: u64, max_deliver: i64) -> Result<Vec<Vitals>> {
                self.aside(vitals(self, after, limit, max_deliver)).await
            }

            async fn mark_lost(&self, request: &MarkLost) -> Result<MarkedLost> {
                self.aside(idle::mark_lost(self, request)).await
            }

            async fn end_stale(
                &self,
                job: &Vitals,
                cutoff: Timestamp,
                line: &str,
                now: Timestamp,
                dry_run: bool,
            ) -> Result<Ended> {
                self.aside(idle::end_stale(self, job, cutoff, line, now, dry_run)).await
            }

            async fn outlook(&self, job: JobId, seen_since: Timestamp) -> Result<Option<Outlook>> {
                self.aside(outlook::of(self, job, seen_since)).await
            }

            async fn audit_jobs(&self, after: JobId, limit: u64) -> Result<Vec<JobAudit>> {
                self.aside(audit::jobs(self, after, limit)).await
            }

            async fn audit_tasks(&self, job: JobId, after: CaptureId, limit: u64) -> Result<Vec<TaskAudit>> {
                self.aside(audit::tasks(self, job, after, limit)).await
            }

            async fn strays(&self, kind: StrayKind, after: RowKey, limit: u64) -> Result<(Vec<Stray>, Option<RowKey>)> {
                self.aside(audit::strays(self, kind, after, limit)).await
            }
        }
    )+};
}

health!(SqliteStore, PostgresStore);

async fn vitals<S: Cold>(store: &S, after: JobId, limit: u64, max_deliver: i64) -> sqlx::Result<Vec<Vitals>> {
    let values: [&dyn Value<'_>; 3] = [&after.0, &bound(limit), &max_deliver];
    let mut conn = store.reader().await?;
    conn.list(sql!(each "health/vitals.sql"), &values, rows::vitals)
        .await
}
