//! The port, method by method; the operations live beside this file.

use std::{path::Path, time::Duration};

use async_trait::async_trait;
use trapline_core::{
    CaptureId, JobId, ProjectId, Result, Timestamp, WorkerId,
    job::{Expect, JobMove},
    pace::JobMinute,
    plan::lost::By,
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
};

use super::{SqliteStore, direct, store_error};
use crate::cold::{
    Cold as _, QUICK, SLOW, cluster, collect, failures, free, jobs, listed, minutes, outlooks, purge, recent,
    reports, summary, workers,
};
use crate::{rows::Columns as _, turns};

#[async_trait]
impl Store for SqliteStore {
    async fn receipt_key(&self) -> Result<ReceiptKey> {
        self.for_worker(SLOW, cluster::receipt_key(self)).await?
    }

    async fn heartbeat(&self, pulse: &Pulse<'_>) -> Result<Beat> {
        self.beat(pulse).await
    }

    async fn stopped_cleanly(&self) -> Result<()> {
        self.mark_clean().await
    }

    async fn ping(&self) -> Result<()> {
        sqlx::query(include_str!("../sql/cluster/ping.sql"))
            .fetch_one(&self.readers)
            .await
            .map(drop)
            .map_err(store_error)
    }

    async fn room(&self) -> Result<Room> {
        let row = sqlx::query(include_str!("sql/cluster/size.sql"))
            .fetch_one(&self.readers)
            .await
            .map_err(store_error)?;
        let file: String = row.col("file").map_err(store_error)?;
        let folder = Path::new(&file).parent().unwrap_or(Path::new("/"));
        Ok(Room {
            bytes: row.unsigned("bytes").map_err(store_error)?,
            free: rustix::fs::statvfs(folder)
                .ok()
                .map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize)),
        })
    }

    async fn create_job(&self, job: &NewJob, now: Timestamp) -> Result<JobId> {
        self.aside(jobs::create(self, job, now)).await?
    }

    async fn number_jobs_from(&self, first: JobId) -> Result<()> {
        self.aside(jobs::number_from(self, first)).await
    }

    async fn edit_job(&self, job: JobId, edit: &JobEdit, now: Timestamp) -> Result<Option<()>> {
        self.aside(jobs::edit(self, job, edit, now)).await?
    }

    async fn move_job(
        &self,
        job: JobId,
        by: JobMove,
        expect: &Expect,
        now: Timestamp,
    ) -> Result<Option<Moved>> {
        self.aside(jobs::moved(self, job, by, expect, now)).await?
    }

    async fn delete_job(&self, job: JobId, now: Timestamp) -> Result<Option<()>> {
        self.aside(jobs::hide(self, job, now)).await
    }

    async fn purge(&self) -> Result<bool> {
        self.aside(purge::slice(self)).await
    }

    async fn claim_job(&self, now: Timestamp, lease: Duration, seed: i64) -> Result<Option<Claim>> {
        self.aside(collect::claim(self, now, lease, seed)).await
    }

    async fn collect_slice(&self, claim: &Claim, now: Timestamp, lease: Duration) -> Result<Slice> {
        self.aside(collect::slice(self, claim, now, lease)).await
    }

    async fn pending_tasks(&self, job: JobId, after: FreeCursor, limit: u64) -> Result<Vec<FreeCursor>> {
        self.aside(free::pending(self, job, after, limit)).await
    }

    async fn free_tasks(
        &self,
        job: JobId,
        after: FreeCursor,
        limit: u64,
    ) -> Result<Vec<(FreeCursor, Candidate)>> {
        self.aside(free::page(self, job, after, limit)).await
    }

    async fn standing(&self, worker: WorkerId, max_deliver: i64) -> Result<Standing> {
        self.glance(|conn| direct::done(turns::standing(conn, worker, max_deliver)))
    }

    async fn grant(&self, request: &GrantRequest) -> Result<Granted> {
        self.grant_tasks(request).await
    }

    async fn settle(&self, items: &[Settlement], now: Timestamp) -> Result<SettleReport> {
        self.settle_group(items, now).await
    }

    async fn receipts_of(&self, grants: &[GrantKey]) -> Result<Vec<Receipt>> {
        self.held_by(grants).await
    }

    async fn change_leases(
        &self,
        change: LeaseChange,
        receipts: &[Receipt],
        policy: &LeasePolicy,
        now: Timestamp,
    ) -> Result<(Vec<LeaseAnswer>, Vec<(JobId, Candidate)>)> {
        self.change(change, receipts, policy, now).await
    }

    async fn meet_worker(&self, who: &WorkerIdentity, now: Timestamp) -> Result<WorkerId> {
        self.meet(who, now).await
    }

    async fn keep_alive(&self, signs: &[SignOfLife], policy: &LeasePolicy, now: Timestamp) -> Result<()> {
        self.write_signs(signs, policy, now).await
    }

    async fn sweep(
        &self,
        policy: &LeasePolicy,
        queues: Option<&QueueCounters>,
        now: Timestamp,
    ) -> Result<Swept> {
        self.sweep_slice(By::Sweep(queues), policy, now).await
    }

    async fn cleanup_due(&self, limit: u64) -> Result<Vec<(JobId, i64)>> {
        self.aside(jobs::cleanup_due(self, limit)).await
    }

    async fn cleaned(&self, job: JobId, run: i64) -> Result<bool> {
        self.aside(jobs::cleaned(self, job, run)).await
    }

    async fn is_waiting(&self, job: JobId, max_deliver: i64) -> Result<bool> {
        let waiting = async { free::is_waiting(&mut *self.worker_reader().await?, job, max_deliver).await };
        self.for_worker(QUICK, waiting).await
    }

    async fn waiting_jobs(
        &self,
        slugs: &[String],
        project: Option<ProjectId>,
        max_deliver: i64,
    ) -> Result<Vec<WaitingJob>> {
        let jobs = free::jobs(self, slugs, project, max_deliver);
        self.for_worker(QUICK, jobs).await
    }

    async fn running_jobs(&self) -> Result<Vec<JobId>> {
        self.aside(jobs::running(self)).await
    }

    async fn job(&self, id: JobId) -> Result<Option<Job>> {
        self.aside(jobs::find(self, id)).await
    }

    async fn job_head(&self, id: JobId) -> Result<Option<JobHead>> {
        self.for_worker(QUICK, jobs::head(self, id)).await
    }

    async fn run_algorithms(&self, job: JobId, run: i64) -> Result<Option<RunAlgorithms>> {
        self.for_worker(SLOW, jobs::run_algorithms(self, job, run)).await
    }

    async fn jobs(&self, filter: &JobFilter, page: OffsetPage) -> Result<Total<Job>> {
        self.aside(listed::page(self, filter, page)).await
    }

    async fn outlooks(&self, jobs: &[JobId], seen_since: Timestamp) -> Result<Vec<(JobId, Outlook)>> {
        self.aside(outlooks::of(self, jobs, seen_since)).await
    }

    async fn recent_jobs(&self, query: &RecentQuery) -> Result<RecentJobs> {
        self.aside(recent::page(self, query)).await
    }

    async fn group_counts(&self, project: Option<ProjectId>, count_max: u64) -> Result<Vec<(JobGroup, u64)>> {
        self.aside(recent::group_counts(self, project, count_max)).await
    }

    async fn images(&self, query: &ImageQuery) -> Result<Vec<ImageRow>> {
        self.aside(reports::images(self, query)).await
    }

    async fn hand_outs(&self, job: JobId, capture: CaptureId) -> Result<Option<HandOuts>> {
        self.aside(reports::hand_outs(self, job, capture)).await
    }

    async fn failure_groups(&self, job: JobId) -> Result<Option<FailureGroups>> {
        self.aside(failures::groups(self, job)).await
    }

    async fn results(&self, query: &ResultQuery) -> Result<Vec<ResultRow>> {
        self.aside(reports::results(self, query)).await
    }

    async fn attempts(&self, captures: &[CaptureId]) -> Result<Vec<Attempt>> {
        self.aside(reports::attempts(self, captures)).await
    }

    async fn detections(&self, of: DetectionsOf<'_>, scores: bool) -> Result<Vec<DetectionRow>> {
        self.detection_page(of, scores).await
    }

    async fn log(&self, lines: &[LogLine], now: Timestamp) -> Result<()> {
        self.add_log(lines, now).await
    }

    async fn add_minutes(&self, rows: &[JobMinute]) -> Result<()> {
        self.aside(minutes::add(self, rows)).await
    }

    async fn minutes(&self, jobs: &[JobId], since: i64) -> Result<Vec<JobMinute>> {
        self.aside(minutes::read(self, jobs, since)).await
    }

    async fn fold_minutes(&self, before: i64) -> Result<bool> {
        self.aside(minutes::fold(self, before)).await
    }

    async fn summarise(&self, job: JobId, now: Timestamp) -> Result<bool> {
        self.aside(summary::slice(self, job, now)).await
    }

    async fn summaries_due(&self, limit: u64) -> Result<Vec<JobId>> {
        self.aside(summary::due(self, limit)).await
    }

    async fn summary(&self, job: JobId, label: Option<&str>) -> Result<Option<Summary>> {
        self.aside(summary::read(self, job, label)).await
    }

    async fn top_labels(&self, job: JobId, limit: u64) -> Result<Vec<String>> {
        self.aside(summary::top_labels(self, job, limit)).await
    }

    async fn labelled(&self, query: &LabelledQuery) -> Result<Vec<(i64, i64, ResultRow)>> {
        self.aside(summary::labelled(self, query)).await
    }

    async fn taken(&self, query: &TakenQuery) -> Result<Vec<(i64, ResultRow)>> {
        self.aside(summary::taken(self, query)).await
    }

    async fn workers(&self, only: Option<WorkerId>, limit: u64) -> Result<Vec<WorkerRow>> {
        self.aside(workers::page(self, only, limit)).await
    }

    async fn holdings(&self, limit: u64) -> Result<Vec<Holding>> {
        self.aside(workers::holdings(self, limit)).await
    }

    async fn drain(&self, worker: WorkerId, draining: bool) -> Result<bool> {
        self.aside(workers::drain(self, worker, draining)).await
    }

    async fn add_worker_minutes(&self, minutes: &[WorkerMinute]) -> Result<()> {
        self.aside(workers::add_minutes(self, minutes)).await
    }

    async fn worker_minutes(&self, workers: &[WorkerId], step: i64, since: i64) -> Result<Vec<WorkerMinute>> {
        self.aside(workers::minutes(self, workers, step, since)).await
    }

    async fn forget_worker_minutes(&self, step: i64, before: i64, limit: u64) -> Result<u64> {
        self.aside(workers::forget_minutes(self, step, before, limit))
            .await
    }

    async fn logs(&self, query: &LogQuery) -> Result<Vec<LogRow>> {
        self.aside(reports::log(self, query)).await
    }
}
