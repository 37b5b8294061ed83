//! The port, each operation in the file of its subject.

use std::time::Duration;

use async_trait::async_trait;
use trapline_core::{
    CaptureId, JobId, ProjectId, Result, Timestamp, WorkerId,
    job::{Expect, JobMove},
    pace::JobMinute,
    ports::{
        Attempt, Beat, Candidate, Claim, DetectionRow, DetectionsOf, FailureGroups, FreeCursor, GrantKey,
        GrantRequest, Granted, HandOuts, Holding, ImageQuery, ImageRow, Job, JobEdit, JobFilter, JobGroup,
        JobHead, LeaseAnswer, LeaseChange, LeasePolicy, LogLine, LogQuery, LogRow, Moved, NewJob, OffsetPage,
        Outlook, Pulse, QueueCounters, RecentJobs, RecentQuery, ResultQuery, ResultRow, Room, RunAlgorithms,
        SettleReport, Settlement, SignOfLife, Slice, Standing, Store, Swept, Total, WaitingJob,
        WorkerIdentity, WorkerMinute, WorkerRow,
    },
    receipt::{Receipt, ReceiptKey},
    summary::{LabelledQuery, Summary, TakenQuery},
    timeline::Reading,
};

use super::MemoryStore;

#[async_trait]
impl Store for MemoryStore {
    async fn receipt_key(&self) -> Result<ReceiptKey> {
        Ok(ReceiptKey::new([7; 32]))
    }

    async fn heartbeat(&self, pulse: &Pulse<'_>) -> Result<Beat> {
        let reading = Reading {
            before: pulse.clock.uptime(),
            wall: self.clock.now(),
            after: pulse.clock.uptime(),
        };
        Ok(self.rows().beat(pulse, &reading))
    }

    async fn stopped_cleanly(&self) -> Result<()> {
        self.rows().mark_clean();
        Ok(())
    }

    async fn ping(&self) -> Result<()> {
        Ok(())
    }

    async fn room(&self) -> Result<Room> {
        Ok(Room::default())
    }

    async fn create_job(&self, job: &NewJob, now: Timestamp) -> Result<JobId> {
        self.rows().insert_job(job, now)
    }

    async fn number_jobs_from(&self, first: JobId) -> Result<()> {
        let mut rows = self.rows();
        rows.last.job = rows.last.job.max(first.0 - 1);
        Ok(())
    }

    async fn edit_job(&self, job: JobId, edit: &JobEdit, now: Timestamp) -> Result<Option<()>> {
        self.rows().update_job(job, edit, now)
    }

    async fn move_job(
        &self,
        job: JobId,
        by: JobMove,
        expect: &Expect,
        now: Timestamp,
    ) -> Result<Option<Moved>> {
        let mut rows = self.rows();
        rows.check_seen(job, expect)?;
        Ok(rows.move_one(job, by, now))
    }

    async fn delete_job(&self, job: JobId, _now: Timestamp) -> Result<Option<()>> {
        Ok(self.rows().hide_job(job))
    }

    async fn purge(&self) -> Result<bool> {
        Ok(self.rows().purge_slice())
    }

    async fn claim_job(&self, now: Timestamp, lease: Duration, seed: i64) -> Result<Option<Claim>> {
        Ok(self.rows().claim_next(now, lease, seed))
    }

    async fn collect_slice(&self, claim: &Claim, now: Timestamp, lease: Duration) -> Result<Slice> {
        Ok(self.rows().slice(claim, now, lease))
    }

    async fn pending_tasks(&self, job: JobId, after: FreeCursor, limit: u64) -> Result<Vec<FreeCursor>> {
        Ok(self.rows().pending_page(job, after, limit))
    }

    async fn free_tasks(
        &self,
        job: JobId,
        after: FreeCursor,
        limit: u64,
    ) -> Result<Vec<(FreeCursor, Candidate)>> {
        Ok(self.rows().free_page(job, after, limit))
    }

    async fn grant(&self, request: &GrantRequest) -> Result<Granted> {
        Ok(self.rows().grant_tasks(request))
    }

    async fn standing(&self, worker: WorkerId, max_deliver: i64) -> Result<Standing> {
        Ok(self.rows().standing(worker, max_deliver))
    }

    async fn settle(&self, items: &[Settlement], now: Timestamp) -> Result<SettleReport> {
        Ok(self.rows().settle_group(items, now))
    }

    async fn receipts_of(&self, grants: &[GrantKey]) -> Result<Vec<Receipt>> {
        Ok(self.rows().held_by(grants))
    }

    async fn change_leases(
        &self,
        change: LeaseChange,
        receipts: &[Receipt],
        policy: &LeasePolicy,
        now: Timestamp,
    ) -> Result<(Vec<LeaseAnswer>, Vec<(JobId, Candidate)>)> {
        Ok(self.rows().change_leases(change, receipts, policy, now))
    }

    async fn meet_worker(&self, who: &WorkerIdentity, now: Timestamp) -> Result<WorkerId> {
        Ok(self.rows().meet(who, now))
    }

    async fn keep_alive(&self, signs: &[SignOfLife], policy: &LeasePolicy, now: Timestamp) -> Result<()> {
        self.rows().write_signs(signs, policy, now);
        Ok(())
    }

    async fn sweep(
        &self,
        policy: &LeasePolicy,
        queues: Option<&QueueCounters>,
        now: Timestamp,
    ) -> Result<Swept> {
        Ok(self.rows().sweep_or_ask(policy, queues, now))
    }

    async fn cleanup_due(&self, limit: u64) -> Result<Vec<(JobId, i64)>> {
        let rows = self.rows();
        let due = rows.jobs.values().filter(|j| j.cleanup_due);
        Ok(due
            .take(usize::try_from(limit).unwrap_or(usize::MAX))
            .map(|j| (j.job.id, j.job.run))
            .collect())
    }

    async fn cleaned(&self, job: JobId, run: i64) -> Result<bool> {
        let mut rows = self.rows();
        let row = rows.jobs.get_mut(&job).filter(|j| j.job.run == run);
        Ok(row.map(|row| row.cleanup_due = false).is_some())
    }

    async fn is_waiting(&self, job: JobId, max_deliver: i64) -> Result<bool> {
        Ok(self.rows().is_waiting(job, max_deliver))
    }

    async fn waiting_jobs(
        &self,
        slugs: &[String],
        project: Option<ProjectId>,
        max_deliver: i64,
    ) -> Result<Vec<WaitingJob>> {
        Ok(self.rows().waiting(slugs, project, max_deliver))
    }

    async fn running_jobs(&self) -> Result<Vec<JobId>> {
        let rows = self.rows();
        let running = rows
            .jobs
            .values()
            .filter(|j| !j.deleted && j.job.collected && j.job.status.is_active());
        Ok(running.map(|j| j.job.id).collect())
    }

    async fn job(&self, id: JobId) -> Result<Option<Job>> {
        Ok(self.rows().read_job(id))
    }

    async fn job_head(&self, id: JobId) -> Result<Option<JobHead>> {
        Ok(self.rows().read_head(id))
    }

    async fn run_algorithms(&self, job: JobId, run: i64) -> Result<Option<RunAlgorithms>> {
        Ok(self.rows().read_run(job, run))
    }

    async fn jobs(&self, filter: &JobFilter, page: OffsetPage) -> Result<Total<Job>> {
        Ok(self.rows().read_jobs(filter, page))
    }

    async fn outlooks(&self, jobs: &[JobId], seen_since: Timestamp) -> Result<Vec<(JobId, Outlook)>> {
        Ok(self.rows().outlooks_of(jobs, seen_since))
    }

    async fn recent_jobs(&self, query: &RecentQuery) -> Result<RecentJobs> {
        Ok(self.rows().read_recent(query))
    }

    async fn group_counts(&self, project: Option<ProjectId>, count_max: u64) -> Result<Vec<(JobGroup, u64)>> {
        Ok(self.rows().count_groups(project, count_max))
    }

    async fn images(&self, query: &ImageQuery) -> Result<Vec<ImageRow>> {
        Ok(self.rows().image_page(query))
    }

    async fn hand_outs(&self, job: JobId, capture: CaptureId) -> Result<Option<HandOuts>> {
        Ok(self.rows().hand_outs(job, capture))
    }

    async fn failure_groups(&self, job: JobId) -> Result<Option<FailureGroups>> {
        Ok(self.rows().failure_groups(job))
    }

    async fn results(&self, query: &ResultQuery) -> Result<Vec<ResultRow>> {
        Ok(self.rows().result_page(query))
    }

    async fn attempts(&self, captures: &[CaptureId]) -> Result<Vec<Attempt>> {
        Ok(self.rows().attempts(captures))
    }

    async fn detections(&self, of: DetectionsOf<'_>, scores: bool) -> Result<Vec<DetectionRow>> {
        Ok(self.rows().detection_page(of, scores))
    }

    async fn log(&self, lines: &[LogLine], now: Timestamp) -> Result<()> {
        self.rows().add_log(lines, now);
        Ok(())
    }

    async fn add_minutes(&self, minutes: &[JobMinute]) -> Result<()> {
        self.rows().add_minutes(minutes);
        Ok(())
    }

    async fn minutes(&self, jobs: &[JobId], since: i64) -> Result<Vec<JobMinute>> {
        Ok(self.rows().read_minutes(jobs, since))
    }

    async fn fold_minutes(&self, before: i64) -> Result<bool> {
        Ok(self.rows().fold_minutes(before))
    }

    async fn summarise(&self, job: JobId, now: Timestamp) -> Result<bool> {
        Ok(self.rows().summarise(job, now))
    }

    async fn summaries_due(&self, limit: u64) -> Result<Vec<JobId>> {
        Ok(self.rows().summaries_due(limit))
    }

    async fn summary(&self, job: JobId, label: Option<&str>) -> Result<Option<Summary>> {
        Ok(self.rows().summary(job, label))
    }

    async fn top_labels(&self, job: JobId, limit: u64) -> Result<Vec<String>> {
        Ok(self.rows().top_labels(job, limit))
    }

    async fn labelled(&self, query: &LabelledQuery) -> Result<Vec<(i64, i64, ResultRow)>> {
        Ok(self.rows().labelled(query))
    }

    async fn taken(&self, query: &TakenQuery) -> Result<Vec<(i64, ResultRow)>> {
        Ok(self.rows().taken(query))
    }

    async fn workers(&self, only: Option<WorkerId>, limit: u64) -> Result<Vec<WorkerRow>> {
        Ok(self.rows().worker_page(only, limit))
    }

    async fn holdings(&self, limit: u64) -> Result<Vec<Holding>> {
        Ok(self.rows().holdings(limit))
    }

    async fn drain(&self, worker: WorkerId, draining: bool) -> Result<bool> {
        let mut rows = self.rows();
        let row = rows.workers.get_mut(&worker);
        Ok(row.map(|row| row.draining = draining).is_some())
    }

    async fn add_worker_minutes(&self, minutes: &[WorkerMinute]) -> Result<()> {
        self.rows().add_worker_minutes(minutes);
        Ok(())
    }

    async fn worker_minutes(&self, workers: &[WorkerId], step: i64, since: i64) -> Result<Vec<WorkerMinute>> {
        Ok(self.rows().read_worker_minutes(workers, step, since))
    }

    async fn forget_worker_minutes(&self, step: i64, before: i64, limit: u64) -> Result<u64> {
        Ok(self.rows().forget_worker_minutes(step, before, limit))
    }

    async fn logs(&self, query: &LogQuery) -> Result<Vec<LogRow>> {
        Ok(self.rows().log_page(query))
    }
}
