//! The store that is shipped beside the one of the simulation: each operation goes to both, on one schedule, and what they answer
//! must be the same (docs/adr/0010-two-stores-one-schedule.md).

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use libtest_mimic::Failed;
use sqlx::{ConnectOptions as _, Connection as _, sqlite::SqliteConnectOptions};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use trapline_backends::{SqliteStore, sqlite::Access};
use trapline_core::{
    CaptureId, Clock, CollectionId, JobId, ProjectId, Result, Timestamp, WorkerId,
    catalog::Capture,
    health::TickReport,
    job::{Expect, JobMove},
    pace::JobMinute,
    ports::*,
    receipt::{Receipt, ReceiptKey},
    summary::{LabelledQuery, Summary, TakenQuery},
    verify::{JobAudit, RowKey, Stray, StrayKind, TaskAudit, verify},
};
use trapline_testkit::{
    faults::{Dice, SimClock, Trace},
    memory::MemoryStore,
};

mod apart;

pub(crate) use apart::rows_that_no_operation_asked_for_are_compared;

/// More rows than a seed has of any kind.
const PAGE: u64 = 10_000;

/// Both stores. What it answers is the model's answer.
pub(crate) struct Twins {
    model: Arc<MemoryStore>,
    shipped: SqliteStore,
    path: PathBuf,
    /// SQLite's own time: it works while the simulation's stands still.
    aside: Runtime,
    trace: Arc<Trace>,
    differences: Mutex<Vec<String>>,
    _folder: TempDir,
}

impl Twins {
    /// A new file beside the model.
    pub(crate) fn new(model: Arc<MemoryStore>, clock: Arc<dyn Clock>, trace: Arc<Trace>) -> Self {
        let folder = tempfile::tempdir_in(shared_memory()).unwrap();
        let aside = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let path = folder.path().join("twin.db");
        let shipped = instant(&aside, || SqliteStore::open(&path, Access::Shared, clock)).unwrap();
        Self {
            model,
            shipped,
            path,
            aside,
            trace,
            differences: Mutex::default(),
            _folder: folder,
        }
    }

    async fn copy(&self, set: CollectionId, captures: &[Capture]) -> sqlx::Result<()> {
        let mut file = SqliteConnectOptions::new().filename(&self.path).connect().await?;
        for capture in captures {
            sqlx::query("INSERT OR IGNORE INTO captures (id, project_id, url) VALUES (?1, ?2, ?3)")
                .bind(capture.id.0)
                .bind(capture.project.0)
                .bind(&capture.url)
                .execute(&mut file)
                .await?;
            sqlx::query("INSERT OR IGNORE INTO collection_captures VALUES (?1, ?2)")
                .bind(set.0)
                .bind(capture.id.0)
                .execute(&mut file)
                .await?;
        }
        file.close().await
    }

    /// Compares the rows of jobs: an operation may answer alike and write otherwise.
    async fn look(&self, jobs: impl IntoIterator<Item = JobId>) -> Result<()> {
        for job in jobs.into_iter().collect::<BTreeSet<_>>() {
            self.job(job).await?;
            self.audit_tasks(job, CaptureId(0), PAGE).await?;
            self.failure_groups(job).await?;
        }
        Ok(())
    }

    /// Compares what is left at the end, whether or not the seed asked for it.
    pub(crate) async fn compare_all(&self) -> Result<()> {
        let page = OffsetPage {
            limit: PAGE,
            offset: 0,
        };
        let jobs = self.jobs(&JobFilter::default(), page).await?.rows;
        for Job { id: job, run, .. } in jobs {
            self.look([job]).await?;
            self.run_algorithms(job, run).await?;
            self.outlook(job, Timestamp(0)).await?;
            self.outlooks(&[job], Timestamp(0)).await?;
            self.summary(job, None).await?;
            self.top_labels(job, 8).await?;
            self.detections(DetectionsOf::first(job, PAGE), true).await?;
            let images = ImageQuery {
                job,
                state: None,
                reason: None,
                after: CaptureId(0),
                back: false,
                limit: PAGE,
            };
            let images = self.images(&images).await?;
            let captures: Vec<_> = images.iter().map(|image| image.capture).collect();
            for capture in &captures {
                self.hand_outs(job, *capture).await?;
            }
            self.attempts(&captures).await?;
            self.logs(&LogQuery {
                job,
                level: None,
                capture: None,
                page: LogPage::After(0),
                limit: PAGE,
            })
            .await?;
        }
        verify(self, PAGE).await.map(drop)
    }

    /// Removes every job from both, and compares what that leaves. Of a seed the last thing.
    pub(crate) async fn remove_all(&self) -> Result<()> {
        let page = OffsetPage {
            limit: PAGE,
            offset: 0,
        };
        for Job { id: job, .. } in self.jobs(&JobFilter::default(), page).await?.rows {
            self.delete_job(job, Timestamp(0)).await?;
        }
        for (job, run) in self.cleanup_due(PAGE).await? {
            self.cleaned(job, run).await?;
        }
        while self.purge().await? {}
        verify(self, PAGE).await.map(drop)
    }

    /// Where the stores answered differently.
    pub(crate) fn differences(&self) -> Vec<String> {
        self.differences.lock().unwrap().clone()
    }

    fn compare<T: Debug>(&self, what: &str, asked: &str, model: &Result<T>, shipped: &Result<T>) {
        let told = |answer: &Result<T>| match answer {
            Ok(value) => format!("{value:?}"),
            Err(e) => format!("{:?}", e.kind),
        };
        let (a, b) = (told(model), told(shipped));
        if a != b {
            let line = format!("{what}({asked}): the model answers {a}, SQLite {b}");
            self.trace.line(|| line.clone());
            self.differences.lock().unwrap().push(line);
        }
    }
}

/// What is counted alike in both: the model has no group that is empty again, and may name another image of it.
fn counted(of: &FailureGroups) -> impl Debug {
    let groups = of.groups.iter().filter(|group| group.count > 0);
    let groups = groups.map(|g| (g.id, (g.reason, g.text.as_str(), g.count)));
    (of.failed, of.is_counted, groups.collect::<BTreeMap<_, _>>())
}

/// No disk: nothing is proved here about what a crash leaves.
fn shared_memory() -> &'static std::path::Path {
    let shm = std::path::Path::new("/dev/shm");
    if shm.is_dir() {
        shm
    } else {
        std::path::Path::new("/tmp")
    }
}

/// A call that takes no time: the simulation's thread waits for it.
fn instant<T: Send, F: Future<Output = T>>(aside: &Runtime, call: impl FnOnce() -> F + Send) -> T {
    std::thread::scope(|threads| threads.spawn(|| aside.block_on(call())).join().unwrap())
}

macro_rules! twins {
    (
        $port:ident { $($more:item)* }
        $($name:ident($($arg:ident: $type:ty),*) -> $answer:ty $(, changes |$answered:pat_param| $jobs:expr)?;)*
    ) => {
        #[async_trait]
        impl $port for Twins {
            $($more)*
            $(async fn $name(&self, $($arg: $type),*) -> Result<$answer> {
                let asked = if self.trace.is_on() { format!(concat!($(stringify!($arg), " {:?}, "),*), $($arg),*) } else { String::new() };
                let model = self.model.$name($($arg),*).await;
                let shipped = instant(&self.aside, || self.shipped.$name($($arg),*));
                self.compare(stringify!($name), &asked, &model, &shipped);
                $(if let Ok($answered) = &model {
                    self.look($jobs).await?;
                })?
                model
            })*
        }
    };
}

mod catalog;

twins! { Health {}
    take_tick(node: &str, now: Timestamp, lease: Duration, not_since: Option<Timestamp>) -> bool;
    save_tick(tick: &TickReport, keep_since: Timestamp) -> ();
    ticks(before: Option<i64>, limit: u64) -> Vec<(i64, TickReport)>;
    vitals(after: JobId, limit: u64, max_deliver: i64) -> Vec<Vitals>;
    mark_lost(request: &MarkLost) -> MarkedLost, changes |_| [request.job];
    end_stale(job: &Vitals, cutoff: Timestamp, line: &str, now: Timestamp, dry_run: bool) -> Ended;
    outlook(job: JobId, seen_since: Timestamp) -> Option<Outlook>;
    audit_jobs(after: JobId, limit: u64) -> Vec<JobAudit>;
    audit_tasks(job: JobId, after: CaptureId, limit: u64) -> Vec<TaskAudit>;
    strays(kind: StrayKind, after: RowKey, limit: u64) -> (Vec<Stray>, Option<RowKey>);
}

twins! { Store {
        async fn receipt_key(&self) -> Result<ReceiptKey> {
            self.model.receipt_key().await
        }

        async fn room(&self) -> Result<Room> {
            self.model.room().await
        }

        async fn heartbeat(&self, pulse: &Pulse<'_>) -> Result<Beat> {
            let model = self.model.heartbeat(pulse).await;
            let shipped = instant(&self.aside, || self.shipped.heartbeat(pulse));
            self.compare("heartbeat", "", &model, &shipped);
            model
        }

        async fn failure_groups(&self, job: JobId) -> Result<Option<FailureGroups>> {
            let model = self.model.failure_groups(job).await?;
            let shipped = instant(&self.aside, || self.shipped.failure_groups(job))?;
            let (a, b) = (model.as_ref().map(counted), shipped.as_ref().map(counted));
            self.compare("failure_groups", &job.to_string(), &Ok(a), &Ok(b));
            Ok(model)
        }
    }
    stopped_cleanly() -> ();
    ping() -> ();
    create_job(job: &NewJob, now: Timestamp) -> JobId;
    number_jobs_from(first: JobId) -> ();
    edit_job(job: JobId, edit: &JobEdit, now: Timestamp) -> Option<()>, changes |_| [job];
    move_job(job: JobId, by: JobMove, expect: &Expect, now: Timestamp) -> Option<Moved>, changes |_| [job];
    delete_job(job: JobId, now: Timestamp) -> Option<()>;
    purge() -> bool;
    claim_job(now: Timestamp, lease: Duration, seed: i64) -> Option<Claim>, changes |claim| claim.iter().map(|c| c.job);
    collect_slice(claim: &Claim, now: Timestamp, lease: Duration) -> Slice, changes |_| [claim.job];
    pending_tasks(job: JobId, after: FreeCursor, limit: u64) -> Vec<FreeCursor>;
    free_tasks(job: JobId, after: FreeCursor, limit: u64) -> Vec<(FreeCursor, Candidate)>;
    grant(request: &GrantRequest) -> Granted, changes |_| [request.job];
    standing(worker: WorkerId, max_deliver: i64) -> Standing;
    settle(items: &[Settlement], now: Timestamp) -> SettleReport, changes |_| items.iter().map(|i| i.receipt.job);
    receipts_of(grants: &[GrantKey]) -> Vec<Receipt>;
    change_leases(change: LeaseChange, receipts: &[Receipt], policy: &LeasePolicy, now: Timestamp) -> (Vec<LeaseAnswer>, Vec<(JobId, Candidate)>), changes |_| receipts.iter().map(|r| r.job);
    meet_worker(who: &WorkerIdentity, now: Timestamp) -> WorkerId;
    keep_alive(signs: &[SignOfLife], policy: &LeasePolicy, now: Timestamp) -> ();
    sweep(policy: &LeasePolicy, queues: Option<&QueueCounters>, now: Timestamp) -> Swept, changes |swept| swept.touched.iter().map(|t| t.job).chain(swept.freed.iter().map(|f| f.0));
    cleanup_due(limit: u64) -> Vec<(JobId, i64)>;
    cleaned(job: JobId, run: i64) -> bool;
    is_waiting(job: JobId, max_deliver: i64) -> bool;
    waiting_jobs(slugs: &[String], project: Option<ProjectId>, max_deliver: i64) -> Vec<WaitingJob>;
    running_jobs() -> Vec<JobId>;
    job(id: JobId) -> Option<Job>;
    job_head(id: JobId) -> Option<JobHead>;
    run_algorithms(job: JobId, run: i64) -> Option<RunAlgorithms>;
    jobs(filter: &JobFilter, page: OffsetPage) -> Total<Job>;
    outlooks(jobs: &[JobId], seen_since: Timestamp) -> Vec<(JobId, Outlook)>;
    recent_jobs(query: &RecentQuery) -> RecentJobs;
    group_counts(project: Option<ProjectId>, count_max: u64) -> Vec<(JobGroup, u64)>;
    images(query: &ImageQuery) -> Vec<ImageRow>;
    results(query: &ResultQuery) -> Vec<ResultRow>;
    hand_outs(job: JobId, capture: CaptureId) -> Option<HandOuts>;
    attempts(captures: &[CaptureId]) -> Vec<Attempt>;
    detections(of: DetectionsOf<'_>, scores: bool) -> Vec<DetectionRow>;
    log(lines: &[LogLine], now: Timestamp) -> ();
    add_minutes(minutes: &[JobMinute]) -> ();
    minutes(jobs: &[JobId], since: i64) -> Vec<JobMinute>;
    fold_minutes(before: i64) -> bool;
    summarise(job: JobId, now: Timestamp) -> bool;
    summaries_due(limit: u64) -> Vec<JobId>;
    summary(job: JobId, label: Option<&str>) -> Option<Summary>;
    top_labels(job: JobId, limit: u64) -> Vec<String>;
    labelled(query: &LabelledQuery) -> Vec<(i64, i64, ResultRow)>;
    taken(query: &TakenQuery) -> Vec<(i64, ResultRow)>;
    workers(only: Option<WorkerId>, limit: u64) -> Vec<WorkerRow>;
    holdings(limit: u64) -> Vec<Holding>;
    drain(worker: WorkerId, draining: bool) -> bool;
    add_worker_minutes(minutes: &[WorkerMinute]) -> ();
    worker_minutes(workers: &[WorkerId], step: i64, since: i64) -> Vec<WorkerMinute>;
    forget_worker_minutes(step: i64, before: i64, limit: u64) -> u64;
    logs(query: &LogQuery) -> Vec<LogRow>;
}
