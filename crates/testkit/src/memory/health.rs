//! What the health check, `explain` and `verify` ask of the store: the port, with the lease and the reports of ticks.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use trapline_core::{
    CaptureId, JobId, Result, Timestamp,
    health::TickReport,
    ports::{Ended, Health, MarkLost, MarkedLost, Outlook, Vitals},
    verify::{JobAudit, RowKey, Stray, StrayKind, TaskAudit},
};

use super::{Db, MemoryStore};

/// The reports of ticks, and the lease of the one node that runs them.
#[derive(Clone, Default)]
pub(super) struct TickRows {
    reports: BTreeMap<i64, TickReport>,
    last: i64,
    holder: Option<(String, Timestamp)>,
    started_at: Option<Timestamp>,
}

impl TickRows {
    fn take(&mut self, node: &str, now: Timestamp, lease: Duration, not_since: Option<Timestamp>) -> bool {
        let held = self.holder.as_ref().filter(|(_, until)| *until > now);
        let ours = held.is_some_and(|(holder, _)| holder == node);
        // A node that died between its reports holds it no longer than its lease; its own renewal is always its own.
        let by_other = held.is_some() && !ours;
        let recent = not_since
            .zip(self.started_at)
            .is_some_and(|(since, at)| at > since);
        if by_other || recent {
            return false;
        }
        if !ours {
            self.started_at = Some(now);
        }
        self.holder = Some((node.to_owned(), now.plus(lease)));
        true
    }

    fn save(&mut self, tick: &TickReport, keep_since: Timestamp) {
        self.reports.insert(super::next(&mut self.last), tick.clone());
        self.reports.retain(|_, report| report.started_at >= keep_since);
        if self.holder.as_ref().is_some_and(|(node, _)| *node == tick.node) {
            self.holder = None;
        }
    }
}

fn limited(limit: u64) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

impl MemoryStore {
    /// A dry run is the same operation, on a copy of the rows.
    fn change<T>(&self, dry_run: bool, work: impl FnOnce(&mut Db) -> T) -> T {
        let mut rows = self.rows();
        if dry_run {
            work(&mut rows.clone())
        } else {
            work(&mut rows)
        }
    }
}

#[async_trait]
impl Health for MemoryStore {
    async fn take_tick(
        &self,
        node: &str,
        now: Timestamp,
        lease: Duration,
        not_since: Option<Timestamp>,
    ) -> Result<bool> {
        Ok(self.rows().ticks.take(node, now, lease, not_since))
    }

    async fn save_tick(&self, tick: &TickReport, keep_since: Timestamp) -> Result<()> {
        self.rows().ticks.save(tick, keep_since);
        Ok(())
    }

    async fn ticks(&self, before: Option<i64>, limit: u64) -> Result<Vec<(i64, TickReport)>> {
        let rows = self.rows();
        let older = rows.ticks.reports.range(..before.unwrap_or(i64::MAX));
        let page = older.rev().take(limited(limit));
        Ok(page.map(|(key, report)| (*key, report.clone())).collect())
    }

    async fn vitals(&self, after: JobId, limit: u64, max_deliver: i64) -> Result<Vec<Vitals>> {
        Ok(self.rows().vitals_page(after, limited(limit), max_deliver))
    }

    async fn mark_lost(&self, request: &MarkLost) -> Result<MarkedLost> {
        Ok(self.change(request.dry_run, |rows| {
            if request.dry_run {
                rows.slice_rows = usize::MAX;
            }
            rows.mark_lost_slice(request)
        }))
    }

    async fn end_stale(
        &self,
        job: &Vitals,
        cutoff: Timestamp,
        line: &str,
        now: Timestamp,
        dry_run: bool,
    ) -> Result<Ended> {
        Ok(self.change(dry_run, |rows| rows.end_stale_job(job, cutoff, line, now)))
    }

    async fn outlook(&self, job: JobId, seen_since: Timestamp) -> Result<Option<Outlook>> {
        Ok(self.rows().outlook_of(job, seen_since))
    }

    async fn audit_jobs(&self, after: JobId, limit: u64) -> Result<Vec<JobAudit>> {
        Ok(self.rows().job_audits(after, limited(limit)))
    }

    async fn audit_tasks(&self, job: JobId, after: CaptureId, limit: u64) -> Result<Vec<TaskAudit>> {
        Ok(self.rows().task_audits(job, after, limited(limit)))
    }

    async fn strays(
        &self,
        kind: StrayKind,
        after: RowKey,
        limit: u64,
    ) -> Result<(Vec<Stray>, Option<RowKey>)> {
        Ok(self.rows().stray_page(kind, after, limited(limit)))
    }
}
