//! The store that is shipped beside the one of the simulation: each operation goes to both, on one schedule, and what they answer
//! must be the same (docs/adr/0010-two-stores-one-schedule.md).

use std::{
    fmt::Debug,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use sqlx::{ConnectOptions as _, Connection as _, sqlite::SqliteConnectOptions};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use trapline_backends::{SqliteStore, sqlite::Access};
use trapline_core::{
    AlgorithmId, CaptureId, Clock, CollectionId, JobId, PipelineId, ProjectId, Result, ServiceId, Timestamp,
    TokenId, WorkerId,
    catalog::{
        Added, Algorithm, Capture, CaptureScope, CategoryMap, Collection, CollectionProgress, Files, Learnt,
        NewCapture, NewService, NewToken, Pipeline, Project, ProjectSettings, Registered, Registration,
        Service, Token,
    },
    health::TickReport,
    job::JobMove,
    ports::*,
    receipt::{Receipt, ReceiptKey},
    verify::{JobAudit, RowKey, Stray, StrayKind, TaskAudit},
};
use trapline_testkit::{faults::Trace, memory::MemoryStore};

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
    ($port:ident { $($more:item)* } $($name:ident($($arg:ident: $type:ty),*) -> $answer:ty;)*) => {
        #[async_trait]
        impl $port for Twins {
            $($more)*
            $(async fn $name(&self, $($arg: $type),*) -> Result<$answer> {
                let asked = if self.trace.is_on() { format!(concat!($(stringify!($arg), " {:?}, "),*), $($arg),*) } else { String::new() };
                let model = self.model.$name($($arg),*).await;
                let shipped = instant(&self.aside, || self.shipped.$name($($arg),*));
                self.compare(stringify!($name), &asked, &model, &shipped);
                model
            })*
        }
    };
}

twins! { Catalog {
        /// The numbers of captures are the model's: SQLite spends one for each that it has already.
        async fn add_captures(&self, set: CollectionId, captures: &[NewCapture]) -> Result<Added> {
            let added = self.model.add_captures(set, captures).await?;
            let every = CaptureScope::Collection(set);
            let rows = self.model.captures(every, CaptureId(0), u64::MAX).await?;
            instant(&self.aside, || self.copy(set, &rows)).unwrap();
            Ok(added)
        }

        /// The model keeps no services.
        async fn pipeline(&self, project: Option<ProjectId>, id: PipelineId) -> Result<Option<Pipeline>> {
            let model = self.model.pipeline(project, id).await;
            let mut shipped = instant(&self.aside, || self.shipped.pipeline(project, id));
            if let Ok(Some(pipeline)) = &mut shipped {
                pipeline.services.clear();
            }
            self.compare("pipeline", &format!("{project:?}, {id:?}"), &model, &shipped);
            model
        }
    }
    create_project(name: &str, description: &str, settings: &ProjectSettings) -> Project;
    projects(only: Option<ProjectId>, page: OffsetPage) -> Total<Project>;
    project(id: ProjectId) -> Option<Project>;
    create_token(token: &NewToken) -> Token;
    token_by_hash(hash: &[u8; 32]) -> Option<Token>;
    tokens(page: OffsetPage) -> Total<Token>;
    delete_token(id: TokenId) -> bool;
    register(registration: &Registration) -> Registered;
    pipelines(project: Option<ProjectId>, page: OffsetPage) -> Total<Pipeline>;
    pipeline_by_slug(project: ProjectId, slug: &str) -> Option<PipelineId>;
    pipeline_slugs(project: ProjectId) -> Vec<String>;
    algorithms(project: Option<ProjectId>, ids: &[AlgorithmId]) -> Vec<Algorithm>;
    category_map(project: Option<ProjectId>, id: i64) -> Option<CategoryMap>;
    services(project: Option<ProjectId>, page: OffsetPage) -> Total<Service>;
    service(project: Option<ProjectId>, id: ServiceId) -> Option<Service>;
    create_service(service: &NewService) -> ServiceId;
    delete_service(id: ServiceId) -> bool;
    create_collection(project: ProjectId, name: &str) -> Collection;
    collections(project: Option<ProjectId>, page: OffsetPage) -> Total<Collection>;
    collection(id: CollectionId) -> Option<Collection>;
    collection_progress(sets: &[CollectionId]) -> Vec<CollectionProgress>;
    merge_collection(into: CollectionId, from: CollectionId) -> ();
    delete_collection(id: CollectionId) -> bool;
    capture(id: CaptureId) -> Option<Capture>;
    captures(of: CaptureScope, after: CaptureId, limit: u64) -> Vec<Capture>;
    file_captures(project: ProjectId, files: Files<'_>) -> Vec<Capture>;
    describe_captures(learnt: &[Learnt]) -> ();
}

twins! { Health {}
    take_tick(node: &str, now: Timestamp, lease: Duration, not_since: Option<Timestamp>) -> bool;
    save_tick(tick: &TickReport, keep_since: Timestamp) -> ();
    ticks(before: Option<i64>, limit: u64) -> Vec<(i64, TickReport)>;
    vitals(after: JobId, limit: u64, max_deliver: i64) -> Vec<Vitals>;
    mark_lost(request: &MarkLost) -> MarkedLost;
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

        async fn heartbeat(&self, pulse: &Pulse<'_>) -> Result<Beat> {
            let model = self.model.heartbeat(pulse).await;
            let shipped = instant(&self.aside, || self.shipped.heartbeat(pulse));
            self.compare("heartbeat", "", &model, &shipped);
            model
        }
    }
    stopped_cleanly() -> ();
    ping() -> ();
    create_job(job: &NewJob, now: Timestamp) -> JobId;
    number_jobs_from(first: JobId) -> ();
    edit_job(job: JobId, edit: &JobEdit, now: Timestamp) -> Option<()>;
    move_job(job: JobId, by: JobMove, now: Timestamp) -> Option<Moved>;
    delete_job(job: JobId, now: Timestamp) -> Option<()>;
    purge() -> bool;
    claim_job(now: Timestamp, lease: Duration, seed: i64) -> Option<Claim>;
    collect_slice(claim: &Claim, now: Timestamp, lease: Duration) -> Slice;
    free_tasks(job: JobId, after: FreeCursor, limit: u64) -> Vec<(FreeCursor, Candidate)>;
    grant(request: &GrantRequest) -> Granted;
    standing(worker: WorkerId, max_deliver: i64) -> Standing;
    settle(items: &[Settlement], now: Timestamp) -> SettleReport;
    receipts_of(grants: &[GrantKey]) -> Vec<Receipt>;
    change_leases(change: LeaseChange, receipts: &[Receipt], policy: &LeasePolicy, now: Timestamp) -> (Vec<LeaseAnswer>, Vec<(JobId, Candidate)>);
    meet_worker(who: &WorkerIdentity, now: Timestamp) -> WorkerId;
    keep_alive(signs: &[SignOfLife], policy: &LeasePolicy, now: Timestamp) -> ();
    sweep(policy: &LeasePolicy, queues: Option<&QueueCounters>, now: Timestamp) -> Swept;
    cleanup_due(limit: u64) -> Vec<(JobId, i64)>;
    cleaned(job: JobId, run: i64) -> bool;
    waiting_jobs(slugs: &[String], project: Option<ProjectId>, max_deliver: i64) -> Vec<WaitingJob>;
    running_jobs() -> Vec<JobId>;
    job(id: JobId) -> Option<Job>;
    job_head(id: JobId) -> Option<JobHead>;
    run_algorithms(job: JobId, run: i64) -> Option<RunAlgorithms>;
    jobs(filter: &JobFilter, page: OffsetPage) -> Total<Job>;
    images(query: &ImageQuery) -> Vec<ImageRow>;
    attempts(captures: &[CaptureId]) -> Vec<Attempt>;
    detections(of: DetectionsOf<'_>, scores: bool) -> Vec<DetectionRow>;
    log(lines: &[LogLine], now: Timestamp) -> ();
    logs(query: &LogQuery) -> Vec<LogRow>;
}
