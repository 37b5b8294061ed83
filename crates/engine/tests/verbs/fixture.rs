//! One node: an engine over a store in a temporary folder. Time moves only in [`Node::live`].

use std::{path::PathBuf, sync::Arc, time::Duration};

use sqlx::{Connection as _, SqliteConnection};
use trapline_backends::{EmbeddedProgress, EmbeddedQueue, SqliteStore, sqlite::Access};
use trapline_core::{
    FailReason, JobId, ProjectId, TokenId, WorkerId, batch_error,
    ports::{ImageQuery, ImageRow, ImageState, NewJob, Posted, Settled, Settlement, WorkerIdentity},
};
use trapline_engine::{Caller, ClaimRequest, Engine, Policy, Ports, ReservedTask, Supervisor};
use trapline_testkit::{ManualClock, conformance::World, until};

/// A node with everything plugged in. The lease is 10 s, its margin 4 s, the budget 2 strikes.
pub(crate) struct Node {
    pub(crate) engine: Engine,
    /// The store with its verbs.
    pub(crate) world: World,
    supervisor: Supervisor,
    file: PathBuf,
}

/// What a worker says of a task.
#[derive(Clone, Copy)]
pub(crate) enum Says {
    Done,
    Error(&'static str),
}

/// Longer than a lease and its margin.
pub(crate) const DEATH: u64 = 16;

impl Node {
    pub(crate) async fn start() -> Self {
        Self::with_lease(Duration::from_secs(10)).await
    }

    pub(crate) async fn with_lease(task_ttr: Duration) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = ManualClock::new();
        let file = dir.path().join("test.db");
        let store = SqliteStore::open(&file, Access::Exclusive, Arc::new(clock.clone()))
            .await
            .unwrap();
        let world = World {
            store: Arc::new(store),
            clock: clock.clone(),
            keep: Box::new(dir),
        };
        let clock: Arc<dyn trapline_core::Clock> = Arc::new(clock);
        let ports = Ports {
            store: Arc::clone(&world.store),
            queue: Arc::new(EmbeddedQueue::new(Arc::clone(&clock))),
            progress: Arc::new(EmbeddedProgress::new()),
            clock: Arc::clone(&clock),
        };
        let policy = Policy {
            task_ttr,
            ..Policy::default()
        };
        let supervisor = Supervisor::new(clock);
        let engine = Engine::start(
            ports,
            policy,
            Arc::new(|_, _, url| url.to_owned()),
            supervisor.clone(),
        )
        .await
        .unwrap();
        Self {
            engine,
            world,
            supervisor,
            file,
        }
    }

    pub(crate) async fn stop(self) {
        self.supervisor.stop(Duration::from_secs(10)).await.unwrap();
        self.engine.finish().await.unwrap();
    }

    /// Changes the store behind the node's back.
    pub(crate) async fn sql(&self, statements: &'static str) {
        let url = format!("sqlite://{}", self.file.display());
        let mut conn = SqliteConnection::connect(&url).await.unwrap();
        sqlx::raw_sql(statements).execute(&mut conn).await.unwrap();
    }

    /// How many grants the store holds.
    pub(crate) async fn grants(&self) -> i64 {
        let url = format!("sqlite://{}", self.file.display());
        let mut conn = SqliteConnection::connect(&url).await.unwrap();
        let counted = sqlx::query_scalar("SELECT count(*) FROM grants");
        counted.fetch_one(&mut conn).await.unwrap()
    }

    /// A job of `n` captures, its tasks offered to the queue.
    pub(crate) async fn job_of(&self, n: usize) -> JobId {
        let pipeline = self.world.pipeline().await;
        let set = self.world.set(&vec![true; n]).await;
        let new = NewJob {
            reprocess: true,
            ..self.world.new_job(pipeline, set)
        };
        let job = self.engine.create_job(&new).await.unwrap();
        while self.engine.dispatch_once().await.unwrap() {}
        // One of the node's own dispatchers may have been faster to claim it, and the projection at start may have
        // offered it once more.
        until("the job is dispatched", Duration::from_secs(10), || async {
            let seen = self.engine.queue().info(job).await.unwrap();
            match seen {
                Some(queue) if queue.num_pending >= n as u64 => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
        job
    }

    /// Time passes while the node is up.
    pub(crate) async fn live(&self, seconds: u64) {
        for _ in 0..seconds {
            self.world.pass(1);
            self.engine.beat(false).await.unwrap();
            self.engine.flush_signs().await.unwrap();
        }
        self.engine.sweep_once().await.unwrap();
    }

    /// A worker known by token and address.
    pub(crate) async fn address(&self, address: &str) -> WorkerId {
        self.meet(address, None).await
    }

    /// A worker that is one process, by its `client_info`.
    pub(crate) async fn process(&self, instance: &str) -> WorkerId {
        self.meet(instance, Some(format!(r#"{{"instance":"{instance}"}}"#)))
            .await
    }

    async fn meet(&self, instance: &str, client_info: Option<String>) -> WorkerId {
        let who = WorkerIdentity {
            token: TokenId(1),
            instance: instance.into(),
            name: instance.into(),
            client_info,
            service: None,
        };
        self.engine.meet(&who, &["p".into()]).await.unwrap()
    }

    /// Reserves, and reads the answer.
    pub(crate) async fn reserve(&self, job: JobId, limit: usize, worker: WorkerId) -> Vec<ReservedTask> {
        let mut reservation = self.engine.reserve(job, limit, worker).await.unwrap();
        reservation.delivered();
        std::mem::take(&mut reservation.tasks)
    }

    /// Claims without waiting, and reads the answer.
    pub(crate) async fn claim(&self, limit: usize, worker: WorkerId) -> Option<(JobId, Vec<ReservedTask>)> {
        let request = ClaimRequest {
            pipelines: vec!["p".into()],
            batch_size: limit,
            wait: Duration::ZERO,
        };
        let caller = Caller {
            worker,
            project: Some(ProjectId(1)),
        };
        let mut claimed = self.engine.claim(&request, &caller).await.unwrap()?;
        claimed.reservation.delivered();
        let tasks = std::mem::take(&mut claimed.reservation.tasks);
        Some((claimed.reservation.job, tasks))
    }

    /// Posts one word on each task, as one post of a worker is read.
    pub(crate) async fn post(&self, job: JobId, tasks: &[ReservedTask], says: Says) -> Vec<Settled> {
        let posted = match says {
            Says::Done => vec![Posted::Success(self.world.detections(1).await); tasks.len()],
            Says::Error(text) => {
                batch_error::posted(&vec![text; tasks.len()], self.engine.policy().max_deliver)
            }
        };
        let mut pending = Vec::new();
        for (task, posted) in tasks.iter().zip(posted) {
            let receipt = self.engine.verify(job, &task.receipt).unwrap();
            let settlement = Settlement { receipt, posted };
            pending.push(self.engine.submit(settlement, 100).await.unwrap());
        }
        let mut settled = Vec::new();
        for outcome in pending {
            settled.push(outcome.outcome().await.unwrap());
        }
        settled
    }

    /// Why tasks failed.
    pub(crate) async fn failed(&self, job: JobId) -> Vec<FailReason> {
        self.failed_rows(job)
            .await
            .into_iter()
            .filter_map(|r| r.reason)
            .collect()
    }

    pub(crate) async fn failed_rows(&self, job: JobId) -> Vec<ImageRow> {
        let query = ImageQuery {
            job,
            state: Some(ImageState::Failed),
            reason: None,
            after: trapline_core::CaptureId(0),
            back: false,
            limit: 1_000,
        };
        self.world.store.images(&query).await.unwrap()
    }
}
