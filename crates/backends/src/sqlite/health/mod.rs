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

use super::SqliteStore;

#[async_trait]
impl Health for SqliteStore {
    async fn take_tick(
        &self,
        node: &str,
        now: Timestamp,
        lease: Duration,
        not_since: Option<Timestamp>,
    ) -> Result<bool> {
        self.claim_tick(node, now, lease, not_since).await
    }

    async fn save_tick(&self, tick: &TickReport, keep_since: Timestamp) -> Result<()> {
        self.insert_tick(tick, keep_since).await
    }

    async fn ticks(&self, before: Option<i64>, limit: u64) -> Result<Vec<(i64, TickReport)>> {
        self.tick_page(before, limit).await
    }

    async fn vitals(&self, after: JobId, limit: u64, max_deliver: i64) -> Result<Vec<Vitals>> {
        self.vitals_page(after, limit, max_deliver).await
    }

    async fn mark_lost(&self, request: &MarkLost) -> Result<MarkedLost> {
        self.mark_lost_slice(request).await
    }

    async fn end_stale(
        &self,
        job: &Vitals,
        cutoff: Timestamp,
        line: &str,
        now: Timestamp,
        dry_run: bool,
    ) -> Result<Ended> {
        self.end_stale_job(job, cutoff, line, now, dry_run).await
    }

    async fn outlook(&self, job: JobId, seen_since: Timestamp) -> Result<Option<Outlook>> {
        self.outlook_of(job, seen_since).await
    }

    async fn audit_jobs(&self, after: JobId, limit: u64) -> Result<Vec<JobAudit>> {
        self.job_audits(after, limit).await
    }

    async fn audit_tasks(&self, job: JobId, after: CaptureId, limit: u64) -> Result<Vec<TaskAudit>> {
        self.task_audits(job, after, limit).await
    }

    async fn strays(
        &self,
        kind: StrayKind,
        after: RowKey,
        limit: u64,
    ) -> Result<(Vec<Stray>, Option<RowKey>)> {
        self.stray_page(kind, after, limit).await
    }
}
