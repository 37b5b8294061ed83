//! The port, method by method, each with its deadline; the operations live beside this file.

use std::time::Duration;

use async_trait::async_trait;
use trapline_core::{
    CaptureId, Error, JobId, ProjectId, Result, Timestamp, WorkerId,
    job::JobMove,
    plan::lost::By,
    ports::{
        Attempt, Beat, Candidate, Claim, DetectionRow, DetectionsOf, FreeCursor, GrantKey, GrantRequest,
        Granted, ImageQuery, ImageRow, Job, JobEdit, JobFilter, JobHead, LeaseAnswer, LeaseChange,
        LeasePolicy, LogLine, LogQuery, LogRow, Moved, NewJob, OffsetPage, Pulse, QueueCounters,
        RunAlgorithms, SettleReport, Settlement, SignOfLife, Slice, Standing, Store, Swept, Total,
        WaitingJob, WorkerIdentity,
    },
    receipt::{Receipt, ReceiptKey},
};

use super::{PostgresStore, QUICK, SLOW, WALK, bound, store_error};

#[async_trait]
impl Store for PostgresStore {
    async fn receipt_key(&self) -> Result<ReceiptKey> {
        let key = async {
            let key: Vec<u8> = sqlx::query_scalar("SELECT receipt_key FROM cluster")
                .fetch_one(&self.pool())
                .await
                .map_err(store_error)?;
            key.try_into()
                .map(ReceiptKey::new)
                .map_err(|_| Error::internal("the receipt key has not 32 bytes"))
        };
        self.connections.within(SLOW, key).await
    }

    async fn heartbeat(&self, pulse: &Pulse<'_>) -> Result<Beat> {
        self.connections.asking(QUICK, self.beat(pulse)).await
    }

    async fn stopped_cleanly(&self) -> Result<()> {
        self.connections.within(SLOW, self.mark_clean()).await
    }

    async fn ping(&self) -> Result<()> {
        let ping = async {
            sqlx::query("SELECT id FROM cluster")
                .fetch_one(&self.pool())
                .await
                .map(drop)
                .map_err(store_error)
        };
        self.connections.asking(QUICK, ping).await
    }

    async fn create_job(&self, job: &NewJob, now: Timestamp) -> Result<JobId> {
        self.connections.aside(SLOW, self.insert_job(job, now)).await
    }

    async fn number_jobs_from(&self, first: JobId) -> Result<()> {
        self.connections.aside(SLOW, self.raise_job_ids(first)).await
    }

    async fn edit_job(&self, job: JobId, edit: &JobEdit, now: Timestamp) -> Result<Option<()>> {
        self.connections
            .aside(SLOW, self.update_job(job, edit, now))
            .await
    }

    async fn move_job(&self, job: JobId, by: JobMove, now: Timestamp) -> Result<Option<Moved>> {
        self.connections.aside(SLOW, self.move_one(job, by, now)).await
    }

    async fn delete_job(&self, job: JobId, now: Timestamp) -> Result<Option<()>> {
        self.connections.aside(SLOW, self.hide_job(job, now)).await
    }

    async fn purge(&self) -> Result<bool> {
        self.connections.aside(WALK, self.analyze_if_grown()).await?;
        self.connections.aside(SLOW, self.purge_slice()).await
    }

    async fn claim_job(&self, now: Timestamp, lease: Duration, seed: i64) -> Result<Option<Claim>> {
        self.connections
            .aside(SLOW, self.claim_next(now, lease, seed))
            .await
    }

    async fn collect_slice(&self, claim: &Claim, now: Timestamp, lease: Duration) -> Result<Slice> {
        self.connections.aside(WALK, self.slice(claim, now, lease)).await
    }

    async fn free_tasks(
        &self,
        job: JobId,
        after: FreeCursor,
        limit: u64,
    ) -> Result<Vec<(FreeCursor, Candidate)>> {
        self.connections
            .aside(SLOW, self.free_page(job, after, limit))
            .await
    }

    async fn standing(&self, worker: WorkerId, max_deliver: i64) -> Result<Standing> {
        self.connections
            .within(QUICK, self.standing_of(worker, max_deliver))
            .await
    }

    async fn grant(&self, request: &GrantRequest) -> Result<Granted> {
        self.connections.within(QUICK, self.grant_tasks(request)).await
    }

    async fn settle(&self, items: &[Settlement], now: Timestamp) -> Result<SettleReport> {
        self.connections.within(SLOW, self.settle_group(items, now)).await
    }

    async fn receipts_of(&self, grants: &[GrantKey]) -> Result<Vec<Receipt>> {
        self.connections.within(SLOW, self.held_by(grants)).await
    }

    async fn change_leases(
        &self,
        change: LeaseChange,
        receipts: &[Receipt],
        policy: &LeasePolicy,
        now: Timestamp,
    ) -> Result<(Vec<LeaseAnswer>, Vec<(JobId, Candidate)>)> {
        self.connections
            .within(SLOW, self.change(change, receipts, policy, now))
            .await
    }

    async fn meet_worker(&self, who: &WorkerIdentity, now: Timestamp) -> Result<WorkerId> {
        self.connections.within(QUICK, self.meet(who, now)).await
    }

    async fn keep_alive(&self, signs: &[SignOfLife], policy: &LeasePolicy, now: Timestamp) -> Result<()> {
        self.connections
            .within(SLOW, self.write_signs(signs, policy, now))
            .await
    }

    async fn sweep(
        &self,
        policy: &LeasePolicy,
        queues: Option<&QueueCounters>,
        now: Timestamp,
    ) -> Result<Swept> {
        self.connections
            .within(SLOW, self.sweep_slice(By::Sweep(queues), policy, now))
            .await
    }

    async fn cleanup_due(&self, limit: u64) -> Result<Vec<(JobId, i64)>> {
        let due = async {
            let sql = "SELECT id, run FROM jobs WHERE cleanup_due ORDER BY id LIMIT $1";
            let rows: Vec<(i64, i64)> = sqlx::query_as(sql)
                .bind(bound(limit))
                .fetch_all(&self.side())
                .await
                .map_err(store_error)?;
            Ok(rows.into_iter().map(|(job, run)| (JobId(job), run)).collect())
        };
        self.connections.aside(SLOW, due).await
    }

    async fn cleaned(&self, job: JobId, run: i64) -> Result<bool> {
        let cleaned = async {
            sqlx::query("UPDATE jobs SET cleanup_due = false WHERE id = $1 AND run = $2")
                .bind(job.0)
                .bind(run)
                .execute(&self.side())
                .await
                .map(|done| done.rows_affected() > 0)
                .map_err(store_error)
        };
        self.connections.aside(SLOW, cleaned).await
    }

    async fn waiting_jobs(
        &self,
        slugs: &[String],
        project: Option<ProjectId>,
        max_deliver: i64,
    ) -> Result<Vec<WaitingJob>> {
        self.connections
            .within(QUICK, self.waiting(slugs, project, max_deliver))
            .await
    }

    async fn running_jobs(&self) -> Result<Vec<JobId>> {
        let running = async {
            let sql = "SELECT id FROM jobs WHERE status IN ('STARTED', 'RETRY') AND collected AND deleted_at IS NULL ORDER BY id";
            let ids: Vec<i64> = sqlx::query_scalar(sql)
                .fetch_all(&self.side())
                .await
                .map_err(store_error)?;
            Ok(ids.into_iter().map(JobId).collect())
        };
        self.connections.aside(SLOW, running).await
    }

    async fn job(&self, id: JobId) -> Result<Option<Job>> {
        self.connections.aside(SLOW, self.read_job(id)).await
    }

    async fn job_head(&self, id: JobId) -> Result<Option<JobHead>> {
        self.connections.within(QUICK, self.read_head(id)).await
    }

    async fn run_algorithms(&self, job: JobId, run: i64) -> Result<Option<RunAlgorithms>> {
        self.connections.within(SLOW, self.read_run(job, run)).await
    }

    async fn jobs(&self, filter: &JobFilter, page: OffsetPage) -> Result<Total<Job>> {
        self.connections.aside(SLOW, self.read_jobs(filter, page)).await
    }

    async fn images(&self, query: &ImageQuery) -> Result<Vec<ImageRow>> {
        self.connections.aside(SLOW, self.image_page(query)).await
    }

    async fn attempts(&self, captures: &[CaptureId]) -> Result<Vec<Attempt>> {
        self.attempts_of(captures).await
    }

    async fn detections(&self, of: DetectionsOf<'_>, scores: bool) -> Result<Vec<DetectionRow>> {
        self.connections
            .aside(SLOW, self.detection_page(of, scores))
            .await
    }

    async fn log(&self, lines: &[LogLine], now: Timestamp) -> Result<()> {
        self.connections.within(SLOW, self.add_log(lines, now)).await
    }

    async fn logs(&self, query: &LogQuery) -> Result<Vec<LogRow>> {
        self.connections.aside(SLOW, self.log_page(query)).await
    }
}
