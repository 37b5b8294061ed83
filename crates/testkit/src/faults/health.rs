//! The health check's part of a faulty store.

use std::time::Duration;

use async_trait::async_trait;
use trapline_core::{
    CaptureId, JobId, Result, Timestamp,
    health::TickReport,
    ports::{Ended, Health, MarkLost, MarkedLost, Outlook, Vitals},
    verify::{JobAudit, RowKey, Stray, StrayKind, TaskAudit},
};

use super::FaultyStore;

#[async_trait]
impl Health for FaultyStore {
    async fn take_tick(
        &self,
        node: &str,
        now: Timestamp,
        lease: Duration,
        not_since: Option<Timestamp>,
    ) -> Result<bool> {
        self.call("take_tick", self.inner.take_tick(node, now, lease, not_since))
            .await
    }

    async fn save_tick(&self, tick: &TickReport, keep_since: Timestamp) -> Result<()> {
        self.call("save_tick", self.inner.save_tick(tick, keep_since))
            .await
    }

    async fn ticks(&self, before: Option<i64>, limit: u64) -> Result<Vec<(i64, TickReport)>> {
        self.call("ticks", self.inner.ticks(before, limit)).await
    }

    async fn vitals(&self, after: JobId, limit: u64, max_deliver: i64) -> Result<Vec<Vitals>> {
        self.call("vitals", self.inner.vitals(after, limit, max_deliver))
            .await
    }

    async fn mark_lost(&self, request: &MarkLost) -> Result<MarkedLost> {
        let tell = |marked: &MarkedLost| self.witness.marked(request, marked);
        self.watched("mark_lost", self.inner.mark_lost(request), tell)
            .await
    }

    async fn end_stale(
        &self,
        job: &Vitals,
        cutoff: Timestamp,
        line: &str,
        now: Timestamp,
        dry_run: bool,
    ) -> Result<Ended> {
        let tell = |ended: &Ended| self.witness.ended(job, *ended, dry_run);
        let work = self.inner.end_stale(job, cutoff, line, now, dry_run);
        self.watched("end_stale", work, tell).await
    }

    async fn outlook(&self, job: JobId, seen_since: Timestamp) -> Result<Option<Outlook>> {
        self.call("outlook", self.inner.outlook(job, seen_since)).await
    }

    async fn audit_jobs(&self, after: JobId, limit: u64) -> Result<Vec<JobAudit>> {
        self.call("audit_jobs", self.inner.audit_jobs(after, limit)).await
    }

    async fn audit_tasks(&self, job: JobId, after: CaptureId, limit: u64) -> Result<Vec<TaskAudit>> {
        self.call("audit_tasks", self.inner.audit_tasks(job, after, limit))
            .await
    }

    async fn strays(
        &self,
        kind: StrayKind,
        after: RowKey,
        limit: u64,
    ) -> Result<(Vec<Stray>, Option<RowKey>)> {
        self.call("strays", self.inner.strays(kind, after, limit)).await
    }
}
