//! A node on a real SQLite store with a clock that is moved by hand, its timers switched off unless a test wants them.

use std::{path::PathBuf, sync::Arc, time::Duration};

use sqlx::{Connection as _, SqliteConnection};
use trapline_backends::{EmbeddedProgress, EmbeddedQueue, SqliteStore, sqlite::Access};
use trapline_core::{
    CaptureId, Clock as _, FailReason, JobId, JobStatus, Timestamp, TokenId, WorkerId,
    health::{Action, CheckReport, TickReport},
    ports::{ImageQuery, ImageRow, Job, NewJob, Posted, Progress, Queue, Settlement, Store, WorkerIdentity},
};
use trapline_engine::{Engine, Pending, Policy, Ports, Supervisor};
use trapline_testkit::{
    ManualClock,
    conformance::World,
    faults::{Breakable, Outage},
    until,
};

/// Never, for timers that a test does without.
pub(crate) const NEVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);
/// The bound of waiting for what a node does by itself.
const BOUND: Duration = Duration::from_secs(20);
const TTR: Duration = Duration::from_secs(60);

pub(crate) struct Node {
    pub(crate) engine: Engine,
    pub(crate) world: World,
    pub(crate) sqlite: Arc<SqliteStore>,
    pub(crate) ports: Ports,
    pub(crate) queue_outage: Outage,
    pub(crate) progress_outage: Outage,
    file: PathBuf,
}

/// Neither sweep nor ticks by themselves.
pub(crate) fn quiet() -> Policy {
    let mut policy = Policy {
        task_ttr: TTR,
        sweep_interval: NEVER,
        ..Policy::default()
    };
    policy.health.health_interval = NEVER;
    policy
}

pub(crate) async fn node(policy: Policy) -> Node {
    node_with(policy, |queue| queue).await
}

pub(crate) async fn node_with(policy: Policy, wrap: impl FnOnce(Arc<dyn Queue>) -> Arc<dyn Queue>) -> Node {
    let (queue_outage, progress_outage) = (Outage::default(), Outage::default());
    let dir = tempfile::tempdir().unwrap();
    let clock = ManualClock::new();
    let file = dir.path().join("t.db");
    let sqlite = SqliteStore::open(&file, Access::Exclusive, Arc::new(clock.clone()))
        .await
        .unwrap();
    let sqlite = Arc::new(sqlite);
    let store: Arc<dyn Store> = Arc::clone(&sqlite) as _;
    let queue: Arc<dyn Queue> = Arc::new(EmbeddedQueue::new(Arc::new(clock.clone())));
    let progress: Arc<dyn Progress> = Arc::new(EmbeddedProgress::new());
    let ports = Ports {
        store: Arc::clone(&store),
        queue: wrap(Arc::new(Breakable::new(queue, &queue_outage))),
        progress: Arc::new(Breakable::new(progress, &progress_outage)),
        clock: Arc::new(clock.clone()),
    };
    let world = World {
        store,
        clock,
        keep: Box::new(dir),
    };
    let engine = start(&ports, policy).await;
    Node {
        engine,
        world,
        sqlite,
        ports,
        queue_outage,
        progress_outage,
        file,
    }
}

pub(crate) async fn start(ports: &Ports, policy: Policy) -> Engine {
    let supervisor = Supervisor::new(Arc::clone(&ports.clock));
    let url = Arc::new(|_, _, url: &str| url.to_owned());
    Engine::start(ports.clone(), policy, url, supervisor)
        .await
        .unwrap()
}

impl Node {
    /// Time passes while the node is up.
    pub(crate) async fn live(&self, seconds: u64) {
        let mut left = seconds;
        while left > 0 {
            let step = left.min(4);
            self.pass(step).await;
            left -= step;
        }
    }

    pub(crate) fn clock_shows(&self) -> Timestamp {
        self.world.clock.now()
    }

    /// Time passes, and the node hears from the store again.
    pub(crate) async fn pass(&self, seconds: u64) {
        self.world.pass(seconds);
        self.engine.beat(false).await.unwrap();
    }

    pub(crate) async fn new_job(&self, n: usize) -> NewJob {
        let (pipeline, set) = (self.world.pipeline().await, self.world.set(&vec![true; n]).await);
        self.world.new_job(pipeline, set)
    }

    pub(crate) async fn start_job(&self, n: usize) -> JobId {
        self.engine.create_job(&self.new_job(n).await).await.unwrap()
    }

    /// A job of `n` captures, collected and projected.
    pub(crate) async fn job_of(&self, n: usize) -> JobId {
        let job = self.start_job(n).await;
        until("the dispatch", BOUND, async || {
            let queue = self.ports.queue.info(job).await.unwrap();
            match queue.map(|q| q.num_pending) {
                Some(held) if held == n as u64 => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
        job
    }

    /// As `job_of`, and its progress is there, so that no tick has to make it.
    pub(crate) async fn projected_job_of(&self, n: usize) -> JobId {
        let job = self.job_of(n).await;
        until("its progress", BOUND, async || {
            let progress = self.ports.progress.read(job).await.unwrap();
            match progress.map(|p| p.pending) {
                Some(pending) if pending == n as u64 => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
        job
    }

    pub(crate) async fn worker(&self, name: &str) -> WorkerId {
        let who = WorkerIdentity {
            token: TokenId(1),
            instance: name.into(),
            name: name.into(),
            client_info: None,
            service: None,
        };
        self.engine.meet(&who, &["p".into()]).await.unwrap()
    }

    /// Receipts of up to `n` tasks.
    pub(crate) async fn reserve(&self, job: JobId, n: usize, worker: WorkerId) -> Vec<String> {
        let mut all = Vec::new();
        while all.len() < n {
            let mut answer = self.engine.reserve(job, n - all.len(), worker).await.unwrap();
            if answer.tasks.is_empty() {
                break;
            }
            answer.delivered();
            all.extend(answer.tasks.drain(..).map(|t| t.receipt));
        }
        all
    }

    /// Hands every free task to a worker of its own that never answers: those of a batch that died go alone.
    pub(crate) async fn each_to_a_silent_one(&self, job: JobId) -> usize {
        let mut handed = 0;
        loop {
            let worker = self.worker(&format!("silent {handed}")).await;
            let tasks = self.reserve(job, 1, worker).await.len();
            if tasks == 0 {
                return handed;
            }
            handed += tasks;
        }
    }

    pub(crate) async fn submit(&self, job: JobId, receipt: &str) -> Pending {
        let receipt = self.engine.verify(job, receipt).unwrap();
        let posted = Posted::Success(vec![]);
        self.engine
            .submit(Settlement { receipt, posted }, 1)
            .await
            .unwrap()
    }

    pub(crate) async fn answer(&self, job: JobId, receipts: &[String]) {
        for receipt in receipts {
            self.submit(job, receipt).await.outcome().await.unwrap();
        }
    }

    /// A worker takes `silent` tasks and never answers them; another answers the rest.
    pub(crate) async fn all_but(&self, job: JobId, silent: usize) {
        let lost = self.worker("silent").await;
        assert_eq!(self.reserve(job, silent, lost).await.len(), silent);
        let good = self.worker("good").await;
        let rest = self.reserve(job, 100_000, good).await;
        self.answer(job, &rest).await;
    }

    /// Rows as no verb of ours leaves them.
    pub(crate) async fn sql(&self, statements: &'static str) {
        let url = format!("sqlite://{}", self.file.display());
        let mut conn = SqliteConnection::connect(&url).await.unwrap();
        sqlx::raw_sql(statements).execute(&mut conn).await.unwrap();
    }

    pub(crate) async fn tick(&self) -> TickReport {
        self.engine.tick_once(false).await.unwrap().unwrap()
    }

    pub(crate) async fn job(&self, id: JobId) -> Job {
        self.world.job(id).await
    }

    /// Status, processed, failed.
    pub(crate) async fn ended(&self, id: JobId) -> (JobStatus, u64, u64) {
        let job = self.job(id).await;
        (job.status, job.counts.processed, job.counts.failed)
    }

    pub(crate) async fn lost(&self, job: JobId) -> usize {
        self.images_of(job, Some(FailReason::Lost)).await.len()
    }

    pub(crate) async fn images(&self, job: JobId) -> Vec<CaptureId> {
        self.images_of(job, None).await
    }

    async fn images_of(&self, job: JobId, reason: Option<FailReason>) -> Vec<CaptureId> {
        let rows = self.rows(job, reason).await;
        rows.into_iter().map(|r| r.capture).collect()
    }

    pub(crate) async fn rows(&self, job: JobId, reason: Option<FailReason>) -> Vec<ImageRow> {
        let query = ImageQuery {
            job,
            state: None,
            reason,
            after: CaptureId(0),
            back: false,
            limit: 10_000,
        };
        self.ports.store.images(&query).await.unwrap()
    }
}

pub(crate) fn numbers(check: &CheckReport) -> (u64, u64, u64) {
    (check.checked, check.fixed, check.unfixable)
}

pub(crate) fn did(check: &CheckReport) -> Vec<(JobId, Action)> {
    check.findings.iter().map(|f| (f.job, f.did)).collect()
}
