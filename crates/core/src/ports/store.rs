//! The store: the truth. Each method is one domain operation, in one transaction unless it says otherwise.
//!
//! Every `now` is *store time* (docs/rules.md A1): the caller's estimate from [`Store::heartbeat`]. Every change of a
//! counter goes through one function of the implementation, which also lands the job (A9).

use std::time::Duration;

use async_trait::async_trait;

use crate::{
    CaptureId, JobId, ProjectId, Result, Timestamp, WorkerId,
    job::{Expect, JobMove},
    pace::JobMinute,
    ports::{
        Attempt, Beat, Candidate, Catalog, Claim, DetectionRow, DetectionsOf, FailureGroups, FreeCursor,
        GrantKey, GrantRequest, Granted, HandOuts, Health, Holding, ImageQuery, ImageRow, Job, JobEdit,
        JobFilter, JobGroup, JobHead, LeaseAnswer, LeaseChange, LeasePolicy, LogLine, LogQuery, LogRow,
        Moved, NewJob, OffsetPage, Outlook, Pulse, QueueCounters, RecentJobs, RecentQuery, ResultQuery,
        ResultRow, Room, RunAlgorithms, SettleReport, Settlement, SignOfLife, Slice, Standing, Swept, Total,
        WaitingJob, WorkerIdentity, WorkerMinute, WorkerRow,
    },
    receipt::{Receipt, ReceiptKey},
    summary::{LabelledQuery, Summary, TakenQuery},
};

/// The port of the store.
#[async_trait]
pub trait Store: Catalog + Health {
    /// The key that signs receipts: made once, the same for every node.
    async fn receipt_key(&self) -> Result<ReceiptKey>;
    /// Touches the cluster's row and returns store time: the store's clock, less its steps ([`crate::timeline`]).
    /// Records a gap if the row was untouched for more than 5 s, or if this is the first node after an unclean end (A4).
    async fn heartbeat(&self, pulse: &Pulse<'_>) -> Result<Beat>;
    /// Marks a clean end, so that the next start records a gap only if nobody served the store for more than 5 s.
    async fn stopped_cleanly(&self) -> Result<()>;
    /// Whether the store answers.
    async fn ping(&self) -> Result<()>;
    /// How large it is, and how much room its disk has left.
    async fn room(&self) -> Result<Room>;

    /// Stores a job. A [`NewJob::key`] that the project has already answers its job, or `Conflict` if that was asked for
    /// otherwise.
    async fn create_job(&self, job: &NewJob, now: Timestamp) -> Result<JobId>;
    /// Gives the next job this id, if no job ever had it or a higher one. For the chaos tools, whose caller names the
    /// id.
    async fn number_jobs_from(&self, first: JobId) -> Result<()>;
    /// Changes a job. `Ok(None)` if it is gone; `Invalid` if it is no longer CREATED and the edit needs that.
    async fn edit_job(&self, job: JobId, edit: &JobEdit, now: Timestamp) -> Result<Option<()>>;
    /// Moves a job by the table of [`JobMove::transition`], unless it is in a state in which the move is not legal.
    /// `Conflict` if it is not as expected.
    async fn move_job(
        &self,
        job: JobId,
        by: JobMove,
        expect: &Expect,
        now: Timestamp,
    ) -> Result<Option<Moved>>;
    /// Removes a job from sight; [`Store::purge`] removes its rows.
    async fn delete_job(&self, job: JobId, now: Timestamp) -> Result<Option<()>>;
    /// Removes rows of deleted jobs of which no lease is left, in one background slice; `true` if there is more.
    async fn purge(&self) -> Result<bool>;

    /// Claims the next job that waits for a dispatcher, for `lease`. The first claim of a run freezes what its results
    /// may name, in the same transaction; see [`Store::run_algorithms`].
    async fn claim_job(&self, now: Timestamp, lease: Duration, seed: i64) -> Result<Option<Claim>>;
    /// Collects the next slice of a claimed job, fenced (A12), and renews the claim.
    async fn collect_slice(&self, claim: &Claim, now: Timestamp, lease: Duration) -> Result<Slice>;
    /// Pending tasks of a job in dispatch order after a cursor, free or handed out.
    async fn pending_tasks(&self, job: JobId, after: FreeCursor, limit: u64) -> Result<Vec<FreeCursor>>;
    /// Free tasks of a job in dispatch order after a cursor, with the cursor after each.
    async fn free_tasks(
        &self,
        job: JobId,
        after: FreeCursor,
        limit: u64,
    ) -> Result<Vec<(FreeCursor, Candidate)>>;

    /// Hands out tasks (A7) in one transaction. No other grant of the same node has the time of the request, so that
    /// [`Store::receipts_of`] finds the tasks again if the reply is lost.
    async fn grant(&self, request: &GrantRequest) -> Result<Granted>;
    /// Returns whether the worker may be given tasks: not while it holds an exclusive hand-out, nor while it is one
    /// process (known by `client_info.instance`) and holds a suspect. [`Store::grant`] checks again.
    async fn standing(&self, worker: WorkerId, max_deliver: i64) -> Result<Standing>;
    /// Settles results (A8): one transaction, or several if the database refuses an item (A11).
    async fn settle(&self, items: &[Settlement], now: Timestamp) -> Result<SettleReport>;
    /// Returns the receipts of the tasks that these grants hold, if the grants were made at all.
    async fn receipts_of(&self, grants: &[GrantKey]) -> Result<Vec<Receipt>>;
    /// Extends or gives back leases. Returns an answer per receipt, and the tasks that became free.
    async fn change_leases(
        &self,
        change: LeaseChange,
        receipts: &[Receipt],
        policy: &LeasePolicy,
        now: Timestamp,
    ) -> Result<(Vec<LeaseAnswer>, Vec<(JobId, Candidate)>)>;
    /// Returns the worker with this identity, and stores it if it is new.
    async fn meet_worker(&self, who: &WorkerIdentity, now: Timestamp) -> Result<WorkerId>;
    /// Writes signs of life, one row per worker (A3).
    async fn keep_alive(&self, signs: &[SignOfLife], policy: &LeasePolicy, now: Timestamp) -> Result<()>;
    /// Ends leases that are over, leaves exhausted tasks a last try, finishes cancels; one background slice.
    ///
    /// `queues` are the counters for the lines in the errors of jobs that lose tasks. Without them nothing is
    /// settled: the answer names those jobs in [`Swept::losing`], so that the engine can ask the queue for their
    /// counters and sweep again.
    async fn sweep(
        &self,
        policy: &LeasePolicy,
        queues: Option<&QueueCounters>,
        now: Timestamp,
    ) -> Result<Swept>;
    /// Returns the jobs whose projections are to be removed, with their run.
    async fn cleanup_due(&self, limit: u64) -> Result<Vec<(JobId, i64)>>;
    /// Notes that the projections of that run were removed. Returns `false` if a new run has begun meanwhile, whose
    /// projections must then be made again.
    async fn cleaned(&self, job: JobId, run: i64) -> Result<bool>;
    /// Returns the active jobs with a task that [`Store::grant`] would hand out under this budget: of these pipelines
    /// (any, if `slugs` is empty), and of this project if one is given.
    async fn waiting_jobs(
        &self,
        slugs: &[String],
        project: Option<ProjectId>,
        max_deliver: i64,
    ) -> Result<Vec<WaitingJob>>;
    /// Whether [`Store::waiting_jobs`] would return the job.
    async fn is_waiting(&self, job: JobId, max_deliver: i64) -> Result<bool>;
    /// Running jobs that are collected, to be projected again when a node starts.
    async fn running_jobs(&self) -> Result<Vec<JobId>>;

    /// One job.
    async fn job(&self, id: JobId) -> Result<Option<Job>>;
    /// Returns the head of a job, read by key.
    async fn job_head(&self, id: JobId) -> Result<Option<JobHead>>;
    /// Returns the algorithms that results of this run may name. `None` until the run is claimed; from then on they
    /// never change. Tasks are handed out only after the claim, so a valid receipt names a run that has them, until
    /// the job is deleted.
    async fn run_algorithms(&self, job: JobId, run: i64) -> Result<Option<RunAlgorithms>>;
    /// A page of jobs.
    async fn jobs(&self, filter: &JobFilter, page: OffsetPage) -> Result<Total<Job>>;
    /// What [`Health::outlook`] says of each of these jobs, but for the oldest lease, which is not looked for. By id; those that are
    /// gone are left out.
    async fn outlooks(&self, jobs: &[JobId], seen_since: Timestamp) -> Result<Vec<(JobId, Outlook)>>;
    /// A page of jobs, of which a bounded number is looked at.
    async fn recent_jobs(&self, query: &RecentQuery) -> Result<RecentJobs>;
    /// How many jobs of each group there are, of all projects or of one; none of its statuses is counted further than
    /// `count_max`.
    async fn group_counts(&self, project: Option<ProjectId>, count_max: u64) -> Result<Vec<(JobGroup, u64)>>;
    /// A page of tasks by key.
    async fn images(&self, query: &ImageQuery) -> Result<Vec<ImageRow>>;
    /// What is known of the hand-outs of a task; `None` if there is no such task.
    async fn hand_outs(&self, job: JobId, capture: CaptureId) -> Result<Option<HandOuts>>;
    /// The failed images of a job's run by why they failed; `None` if there is no such job.
    async fn failure_groups(&self, job: JobId) -> Result<Option<FailureGroups>>;
    /// A page of tasks by key, in either direction, with their captures.
    async fn results(&self, query: &ResultQuery) -> Result<Vec<ResultRow>>;
    /// Returns what jobs that are not deleted did with these captures, by capture and job; a page of captures at a
    /// time.
    async fn attempts(&self, captures: &[CaptureId]) -> Result<Vec<Attempt>>;
    /// Returns detections with their classifications; all scores only on request.
    async fn detections(&self, of: DetectionsOf<'_>, scores: bool) -> Result<Vec<DetectionRow>>;
    /// Adds lines to job logs.
    async fn log(&self, lines: &[LogLine], now: Timestamp) -> Result<()>;
    /// Adds what jobs settled in minutes to what is stored. Of a deleted job nothing is kept.
    async fn add_minutes(&self, minutes: &[JobMinute]) -> Result<()>;
    /// Returns what jobs settled since a minute, by job and minute.
    async fn minutes(&self, jobs: &[JobId], since: i64) -> Result<Vec<JobMinute>>;
    /// Makes one row of the minutes of the oldest hour of a job that has any before a minute. Returns whether there were any.
    async fn fold_minutes(&self, before: i64) -> Result<bool>;
    /// Makes the next slice of a job's summary, in one transaction with its watermark. Two nodes never count the same slice. Returns
    /// whether there is more to do now.
    async fn summarise(&self, job: JobId, now: Timestamp) -> Result<bool>;
    /// Jobs whose summary may have to go on.
    async fn summaries_due(&self, limit: u64) -> Result<Vec<JobId>>;
    /// The summary of a job as far as it is made, with the scores and times of one label or of all.
    async fn summary(&self, job: JobId, label: Option<&str>) -> Result<Option<Summary>>;
    /// The most frequent labels in the summary of a job, the most frequent first; none if there is no summary.
    async fn top_labels(&self, job: JobId, limit: u64) -> Result<Vec<String>>;
    /// A page of the detections of a label by their score: rank and number of each, with its image.
    async fn labelled(&self, query: &LabelledQuery) -> Result<Vec<(i64, i64, ResultRow)>>;
    /// A page of images by the half-hour in which they were taken.
    async fn taken(&self, query: &TakenQuery) -> Result<Vec<(i64, ResultRow)>>;
    /// The newest workers, or one, with their tokens.
    async fn workers(&self, only: Option<WorkerId>, limit: u64) -> Result<Vec<WorkerRow>>;
    /// What workers hold, by hand-out; so many hand-outs are looked at.
    async fn holdings(&self, limit: u64) -> Result<Vec<Holding>>;
    /// Whether a worker is handed nothing more. Returns whether there is such a worker.
    async fn drain(&self, worker: WorkerId, draining: bool) -> Result<bool>;
    /// Adds what workers did to what is stored.
    async fn add_worker_minutes(&self, minutes: &[WorkerMinute]) -> Result<()>;
    /// What workers did in minutes or in hours, by worker and time.
    async fn worker_minutes(&self, workers: &[WorkerId], step: i64, since: i64) -> Result<Vec<WorkerMinute>>;
    /// Forgets minutes or hours before one; returns how many.
    async fn forget_worker_minutes(&self, step: i64, before: i64, limit: u64) -> Result<u64>;
    /// A page of a job's log.
    async fn logs(&self, query: &LogQuery) -> Result<Vec<LogRow>>;
}
