//! A store that refuses, is slow, loses its answers, and is watched: each operation is told to the witness at the
//! moment it is done.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use trapline_core::{
    CaptureId, JobId, ProjectId, Result, Timestamp, WorkerId,
    error::chain,
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
};

use super::{Gate, Storm, Trace};
use crate::witness::Witness;

/// One node's way to the store.
pub struct FaultyStore {
    pub(super) inner: Arc<dyn Store>,
    storm: Arc<Storm>,
    gate: Arc<Gate>,
    pub(super) witness: Arc<Witness>,
    trace: Arc<Trace>,
    node: String,
}

impl FaultyStore {
    /// Decorates a store for the node of this name.
    #[must_use]
    pub fn new(
        inner: Arc<dyn Store>,
        storm: Arc<Storm>,
        gate: Arc<Gate>,
        witness: Arc<Witness>,
        trace: Arc<Trace>,
        node: String,
    ) -> Self {
        Self {
            inner,
            storm,
            gate,
            witness,
            trace,
            node,
        }
    }

    pub(super) async fn call<T>(
        &self,
        what: &'static str,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        self.watched(what, work, |_| {}).await
    }

    pub(super) async fn watched<T>(
        &self,
        what: &'static str,
        work: impl Future<Output = Result<T>>,
        tell: impl FnOnce(&T),
    ) -> Result<T> {
        let fate = self.storm.fate();
        let seen = |done: &Result<T>| {
            if let Ok(value) = done {
                tell(value);
            }
            self.witness.look();
        };
        let answer = self.storm.call(&self.gate, fate, work, seen).await;
        if let Err(error) = &answer {
            self.trace
                .line(|| format!("{}: {what}: {}", self.node, chain(error)));
        }
        answer
    }
}

#[async_trait]
impl Store for FaultyStore {
    async fn receipt_key(&self) -> Result<ReceiptKey> {
        self.call("receipt_key", self.inner.receipt_key()).await
    }

    async fn heartbeat(&self, pulse: &Pulse<'_>) -> Result<Beat> {
        self.call("heartbeat", self.inner.heartbeat(pulse)).await
    }

    async fn stopped_cleanly(&self) -> Result<()> {
        self.call("stopped_cleanly", self.inner.stopped_cleanly()).await
    }

    async fn ping(&self) -> Result<()> {
        self.call("ping", self.inner.ping()).await
    }

    async fn room(&self) -> Result<Room> {
        self.call("room", self.inner.room()).await
    }

    async fn create_job(&self, job: &NewJob, now: Timestamp) -> Result<JobId> {
        let made = self.call("create_job", self.inner.create_job(job, now)).await;
        if made.is_ok() {
            self.witness.made(job.project);
        }
        made
    }

    async fn number_jobs_from(&self, first: JobId) -> Result<()> {
        self.call("number_jobs_from", self.inner.number_jobs_from(first))
            .await
    }

    async fn edit_job(&self, job: JobId, edit: &JobEdit, now: Timestamp) -> Result<Option<()>> {
        self.call("edit_job", self.inner.edit_job(job, edit, now)).await
    }

    async fn move_job(
        &self,
        job: JobId,
        by: JobMove,
        expect: &Expect,
        now: Timestamp,
    ) -> Result<Option<Moved>> {
        self.call("move_job", self.inner.move_job(job, by, expect, now))
            .await
    }

    async fn delete_job(&self, job: JobId, now: Timestamp) -> Result<Option<()>> {
        self.call("delete_job", self.inner.delete_job(job, now)).await
    }

    async fn purge(&self) -> Result<bool> {
        self.call("purge", self.inner.purge()).await
    }

    /// The engine draws its seed from the system's randomness, which does not replay: here it is one of the storm's.
    async fn claim_job(&self, now: Timestamp, lease: Duration, _seed: i64) -> Result<Option<Claim>> {
        let seed = self
            .storm
            .throw(|dice, _| i64::from_le_bytes(dice.roll().to_le_bytes()));
        let tell = |claim: &Option<Claim>| {
            if let Some(claim) = claim {
                self.trace.line(|| format!("{}: claimed {claim:?}", self.node));
            }
        };
        self.watched("claim_job", self.inner.claim_job(now, lease, seed), tell)
            .await
    }

    async fn collect_slice(&self, claim: &Claim, now: Timestamp, lease: Duration) -> Result<Slice> {
        let tell = |slice: &Slice| self.trace.line(|| format!("{}: {claim:?}: {slice:?}", self.node));
        self.watched("collect_slice", self.inner.collect_slice(claim, now, lease), tell)
            .await
    }

    async fn pending_tasks(&self, job: JobId, after: FreeCursor, limit: u64) -> Result<Vec<FreeCursor>> {
        self.call("pending_tasks", self.inner.pending_tasks(job, after, limit))
            .await
    }

    async fn free_tasks(
        &self,
        job: JobId,
        after: FreeCursor,
        limit: u64,
    ) -> Result<Vec<(FreeCursor, Candidate)>> {
        self.call("free_tasks", self.inner.free_tasks(job, after, limit))
            .await
    }

    async fn grant(&self, request: &GrantRequest) -> Result<Granted> {
        let tell = |granted: &Granted| self.witness.granted(request, granted);
        self.watched("grant", self.inner.grant(request), tell).await
    }

    async fn standing(&self, worker: WorkerId, max_deliver: i64) -> Result<Standing> {
        self.call("standing", self.inner.standing(worker, max_deliver))
            .await
    }

    async fn settle(&self, items: &[Settlement], now: Timestamp) -> Result<SettleReport> {
        let tell = |report: &SettleReport| self.witness.settled(items, report, now);
        self.watched("settle", self.inner.settle(items, now), tell).await
    }

    async fn receipts_of(&self, grants: &[GrantKey]) -> Result<Vec<Receipt>> {
        self.watched("receipts_of", self.inner.receipts_of(grants), |receipts| {
            self.witness.found_again(grants, receipts);
        })
        .await
    }

    async fn change_leases(
        &self,
        change: LeaseChange,
        receipts: &[Receipt],
        policy: &LeasePolicy,
        now: Timestamp,
    ) -> Result<(Vec<LeaseAnswer>, Vec<(JobId, Candidate)>)> {
        let tell = |(answers, _): &(Vec<LeaseAnswer>, _)| {
            self.witness
                .leases_changed(change, receipts, answers, policy, now);
        };
        let work = self.inner.change_leases(change, receipts, policy, now);
        self.watched("change_leases", work, tell).await
    }

    async fn meet_worker(&self, who: &WorkerIdentity, now: Timestamp) -> Result<WorkerId> {
        self.call("meet_worker", self.inner.meet_worker(who, now)).await
    }

    async fn keep_alive(&self, signs: &[SignOfLife], policy: &LeasePolicy, now: Timestamp) -> Result<()> {
        let tell = |_: &()| self.witness.lived(signs, now);
        self.watched("keep_alive", self.inner.keep_alive(signs, policy, now), tell)
            .await
    }

    async fn sweep(
        &self,
        policy: &LeasePolicy,
        queues: Option<&QueueCounters>,
        now: Timestamp,
    ) -> Result<Swept> {
        let tell = |swept: &Swept| self.witness.swept(swept, now);
        self.watched("sweep", self.inner.sweep(policy, queues, now), tell)
            .await
    }

    async fn cleanup_due(&self, limit: u64) -> Result<Vec<(JobId, i64)>> {
        self.call("cleanup_due", self.inner.cleanup_due(limit)).await
    }

    async fn cleaned(&self, job: JobId, run: i64) -> Result<bool> {
        self.call("cleaned", self.inner.cleaned(job, run)).await
    }

    async fn is_waiting(&self, job: JobId, max_deliver: i64) -> Result<bool> {
        self.call("is_waiting", self.inner.is_waiting(job, max_deliver))
            .await
    }

    async fn waiting_jobs(
        &self,
        slugs: &[String],
        project: Option<ProjectId>,
        max_deliver: i64,
    ) -> Result<Vec<WaitingJob>> {
        let work = self.inner.waiting_jobs(slugs, project, max_deliver);
        self.call("waiting_jobs", work).await
    }

    async fn running_jobs(&self) -> Result<Vec<JobId>> {
        self.call("running_jobs", self.inner.running_jobs()).await
    }

    async fn job(&self, id: JobId) -> Result<Option<Job>> {
        self.call("job", self.inner.job(id)).await
    }

    async fn job_head(&self, id: JobId) -> Result<Option<JobHead>> {
        self.call("job_head", self.inner.job_head(id)).await
    }

    async fn run_algorithms(&self, job: JobId, run: i64) -> Result<Option<RunAlgorithms>> {
        self.call("run_algorithms", self.inner.run_algorithms(job, run))
            .await
    }

    async fn jobs(&self, filter: &JobFilter, page: OffsetPage) -> Result<Total<Job>> {
        self.call("jobs", self.inner.jobs(filter, page)).await
    }

    async fn outlooks(&self, jobs: &[JobId], seen_since: Timestamp) -> Result<Vec<(JobId, Outlook)>> {
        self.call("outlooks", self.inner.outlooks(jobs, seen_since)).await
    }

    async fn recent_jobs(&self, query: &RecentQuery) -> Result<RecentJobs> {
        self.call("recent_jobs", self.inner.recent_jobs(query)).await
    }

    async fn group_counts(&self, project: Option<ProjectId>, count_max: u64) -> Result<Vec<(JobGroup, u64)>> {
        self.call("group_counts", self.inner.group_counts(project, count_max))
            .await
    }

    async fn images(&self, query: &ImageQuery) -> Result<Vec<ImageRow>> {
        self.call("images", self.inner.images(query)).await
    }

    async fn hand_outs(&self, job: JobId, capture: CaptureId) -> Result<Option<HandOuts>> {
        self.call("hand_outs", self.inner.hand_outs(job, capture)).await
    }

    async fn failure_groups(&self, job: JobId) -> Result<Option<FailureGroups>> {
        self.call("failure_groups", self.inner.failure_groups(job)).await
    }

    async fn results(&self, query: &ResultQuery) -> Result<Vec<ResultRow>> {
        self.call("results", self.inner.results(query)).await
    }

    async fn attempts(&self, captures: &[CaptureId]) -> Result<Vec<Attempt>> {
        self.call("attempts", self.inner.attempts(captures)).await
    }

    async fn detections(&self, of: DetectionsOf<'_>, scores: bool) -> Result<Vec<DetectionRow>> {
        self.call("detections", self.inner.detections(of, scores)).await
    }

    async fn log(&self, lines: &[LogLine], now: Timestamp) -> Result<()> {
        self.call("log", self.inner.log(lines, now)).await
    }

    async fn add_minutes(&self, minutes: &[JobMinute]) -> Result<()> {
        self.call("add_minutes", self.inner.add_minutes(minutes)).await
    }

    async fn minutes(&self, jobs: &[JobId], since: i64) -> Result<Vec<JobMinute>> {
        self.call("minutes", self.inner.minutes(jobs, since)).await
    }

    async fn fold_minutes(&self, before: i64) -> Result<bool> {
        self.call("fold_minutes", self.inner.fold_minutes(before)).await
    }

    async fn summarise(&self, job: JobId, now: Timestamp) -> Result<bool> {
        self.call("summarise", self.inner.summarise(job, now)).await
    }

    async fn summaries_due(&self, limit: u64) -> Result<Vec<JobId>> {
        self.call("summaries_due", self.inner.summaries_due(limit)).await
    }

    async fn summary(&self, job: JobId, label: Option<&str>) -> Result<Option<Summary>> {
        self.call("summary", self.inner.summary(job, label)).await
    }

    async fn top_labels(&self, job: JobId, limit: u64) -> Result<Vec<String>> {
        self.call("top_labels", self.inner.top_labels(job, limit)).await
    }

    async fn labelled(&self, query: &LabelledQuery) -> Result<Vec<(i64, i64, ResultRow)>> {
        self.call("labelled", self.inner.labelled(query)).await
    }

    async fn taken(&self, query: &TakenQuery) -> Result<Vec<(i64, ResultRow)>> {
        self.call("taken", self.inner.taken(query)).await
    }

    async fn workers(&self, only: Option<WorkerId>, limit: u64) -> Result<Vec<WorkerRow>> {
        self.call("workers", self.inner.workers(only, limit)).await
    }

    async fn holdings(&self, limit: u64) -> Result<Vec<Holding>> {
        self.call("holdings", self.inner.holdings(limit)).await
    }

    async fn drain(&self, worker: WorkerId, draining: bool) -> Result<bool> {
        self.call("drain", self.inner.drain(worker, draining)).await
    }

    async fn add_worker_minutes(&self, minutes: &[WorkerMinute]) -> Result<()> {
        self.call("add_worker_minutes", self.inner.add_worker_minutes(minutes))
            .await
    }

    async fn worker_minutes(&self, workers: &[WorkerId], step: i64, since: i64) -> Result<Vec<WorkerMinute>> {
        self.call("worker_minutes", self.inner.worker_minutes(workers, step, since))
            .await
    }

    async fn forget_worker_minutes(&self, step: i64, before: i64, limit: u64) -> Result<u64> {
        self.call(
            "forget_worker_minutes",
            self.inner.forget_worker_minutes(step, before, limit),
        )
        .await
    }

    async fn logs(&self, query: &LogQuery) -> Result<Vec<LogRow>> {
        self.call("logs", self.inner.logs(query)).await
    }
}
