//! The engine: what a node holds, and how it starts and stops. The verbs live beside this file.

use std::{
    pin::pin,
    sync::{Arc, Mutex, atomic::AtomicU64},
    time::Duration,
};

use tokio_util::sync::CancellationToken;
use trapline_core::{
    CaptureId, Clock, JobId, Result, Timestamp,
    error::chain,
    health::HealthPolicy,
    ports::{Hint, LeasePolicy, Progress, Pulse, Queue, Store},
    receipt::ReceiptKey,
};

use crate::{
    Supervisor, health::Ticking, job_cache::JobCache, journal::Journal, liveness::Liveness,
    lost_replies::LostReplies, minutes::Minutes, presence::Presence, project::Owed, settle::Settler,
    store_time::StoreTime, summaries::Summaries, tried::Tried, turns::Turns, waiting::Waits,
    workers::Workers,
};

/// The ports that a node is given.
#[derive(Clone)]
pub struct Ports {
    /// The store: the truth.
    pub store: Arc<dyn Store>,
    /// The queue: candidates.
    pub queue: Arc<dyn Queue>,
    /// The progress: live counts and hints.
    pub progress: Arc<dyn Progress>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
}

/// The settings of the engine; each has a default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How long a lease lasts.
    pub task_ttr: Duration,
    /// The budget of strikes of a task.
    pub max_deliver: i64,
    /// How often the sweep runs.
    pub sweep_interval: Duration,
    /// The maximum number of tasks in one answer.
    pub grant_max: usize,
    /// How long a result waits for the store.
    pub settle_wait: Duration,
    /// How long a reserve waits for a store that does not answer.
    pub reserve_wait: Duration,
    /// The maximum number of results that wait to be settled.
    pub settle_items_max: usize,
    /// The maximum size of results that wait to be settled, in bytes.
    pub settle_bytes_max: usize,
    /// For how long the images of a set are counted before a job of it is made.
    pub preflight_max: Duration,
    /// The settings of the health check.
    pub health: HealthPolicy,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            task_ttr: Duration::from_secs(300),
            max_deliver: 2,
            sweep_interval: Duration::from_secs(1),
            grant_max: 1_000,
            settle_wait: Duration::from_secs(25),
            reserve_wait: Duration::from_millis(1_500),
            settle_items_max: 4_096,
            settle_bytes_max: 512 << 20,
            preflight_max: Duration::from_millis(300),
            health: HealthPolicy::default(),
        }
    }
}

impl Policy {
    /// How often signs of life are written: every 2 s, and at least four times per lease.
    #[must_use]
    pub fn flush_interval(&self) -> Duration {
        (self.task_ttr / 4).min(Duration::from_secs(2))
    }

    /// How long a dispatcher's claim on a job lasts without a slice, which is the delay that a crash in the middle of
    /// a collect costs. It is as long as a lease, within bounds. Claims are fenced, so too short a one only repeats
    /// work.
    pub(crate) fn claim(&self) -> Duration {
        self.task_ttr
            .clamp(Duration::from_secs(5), Duration::from_secs(30))
    }

    pub(crate) fn leases(&self) -> LeasePolicy {
        LeasePolicy {
            ttr: self.task_ttr,
            margin: self.flush_interval() * 2,
            max_deliver: self.max_deliver,
        }
    }
}

/// Computes a task's `image_url` when it is reserved, from job, capture and the capture's own URL.
pub type ImageUrl = Arc<dyn Fn(JobId, CaptureId, &str) -> String + Send + Sync>;

/// One node's engine. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) ports: Ports,
    pub(crate) policy: Policy,
    pub(crate) supervisor: Supervisor,
    pub(crate) time: StoreTime,
    pub(crate) key: ReceiptKey,
    pub(crate) image_url: ImageUrl,
    pub(crate) liveness: Liveness,
    pub(crate) journal: Journal,
    pub(crate) job_cache: JobCache,
    pub(crate) turns: Turns,
    pub(crate) waits: Waits,
    pub(crate) settler: Settler,
    pub(crate) wake_dispatch: tokio::sync::Notify,
    pub(crate) turn: AtomicU64,
    /// Fires when requests may no longer wait for work.
    pub(crate) no_waiting: CancellationToken,
    pub(crate) ticking: Ticking,
    pub(crate) swept_at: Mutex<Option<Timestamp>>,
    pub(crate) queue_presence: Presence,
    pub(crate) progress_presence: Presence,
    pub(crate) owed: Owed,
    pub(crate) tried: Tried,
    pub(crate) lost_replies: LostReplies,
    pub(crate) minutes: Minutes,
    pub(crate) summaries: Summaries,
    /// Whether it writes nothing.
    pub(crate) is_idle: bool,
    pub(crate) workers: Workers,
}

/// How often the cluster's row is touched.
pub(crate) const BEAT: Duration = Duration::from_secs(1);

impl Engine {
    /// Starts a node: records a gap if there was one, then runs its services under `supervisor`.
    ///
    /// # Errors
    /// As the store's.
    pub async fn start(
        ports: Ports,
        policy: Policy,
        image_url: ImageUrl,
        supervisor: Supervisor,
    ) -> Result<Self> {
        let key = ports.store.receipt_key().await?;
        let (engine, inbox) = Self::assemble(ports, policy, image_url, supervisor, key, false);
        engine.beat(true).await?;
        engine.spawn_services(inbox);
        Ok(engine)
    }

    /// An engine that shows what a store holds: it has no services, and writes nothing.
    #[must_use]
    pub fn idle(ports: Ports, supervisor: Supervisor) -> Self {
        let image_url: ImageUrl = Arc::new(|_, _, url| url.to_owned());
        let no_key = ReceiptKey::new([0; 32]);
        Self::assemble(ports, Policy::default(), image_url, supervisor, no_key, true).0
    }

    fn assemble(
        ports: Ports,
        policy: Policy,
        image_url: ImageUrl,
        supervisor: Supervisor,
        key: ReceiptKey,
        is_idle: bool,
    ) -> (Self, crate::settle::Inbox) {
        let (settler, inbox) = Settler::new(&policy);
        let inner = Inner {
            time: StoreTime::new(Arc::clone(&ports.clock)),
            liveness: Liveness::default(),
            journal: Journal::default(),
            job_cache: JobCache::default(),
            turns: Turns::default(),
            waits: Waits::default(),
            wake_dispatch: tokio::sync::Notify::new(),
            turn: AtomicU64::new(0),
            no_waiting: CancellationToken::new(),
            ticking: Ticking::new(),
            swept_at: Mutex::default(),
            queue_presence: Presence::of_queue(&ports.clock),
            progress_presence: Presence::of_progress(&ports.clock),
            owed: Owed::default(),
            tried: Tried::default(),
            lost_replies: LostReplies::default(),
            minutes: Minutes::default(),
            summaries: Summaries::default(),
            is_idle,
            workers: Workers::default(),
            key,
            image_url,
            settler,
            supervisor,
            policy,
            ports,
        };
        let engine = Self {
            inner: Arc::new(inner),
        };
        (engine, inbox)
    }

    /// Ends every wait for work. This is the first step of a stop, so that waiting requests can be answered.
    pub fn stop_waiting(&self) {
        self.inner.no_waiting.cancel();
    }

    /// Ends what answers as long as somebody listens.
    #[must_use]
    pub fn waiting_ends(&self) -> CancellationToken {
        self.inner.no_waiting.clone()
    }

    /// Writes what is still in memory, and notes the clean end. Call it after the supervisor has stopped.
    ///
    /// # Errors
    /// As the store's.
    pub async fn finish(&self) -> Result<()> {
        self.flush_signs().await?;
        if let Err(error) = self.write_log().await {
            tracing::warn!(
                error = chain(&error),
                "the last lines of jobs' logs were not written"
            );
        }
        if let Err(error) = self.take_back_lost_replies().await {
            tracing::warn!(
                error = chain(&error),
                "the tasks of grants whose reply was lost were not given back"
            );
        }
        self.write_last_minutes().await;
        self.inner.ports.store.stopped_cleanly().await
    }

    /// Returns the store, for reads that need no rule.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.inner.ports.store
    }

    /// Returns the progress, for listeners to hints.
    #[must_use]
    pub fn progress(&self) -> &Arc<dyn Progress> {
        &self.inner.ports.progress
    }

    /// Returns the queue, for checks of its health.
    #[must_use]
    pub fn queue(&self) -> &Arc<dyn Queue> {
        &self.inner.ports.queue
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.ports.clock
    }

    /// Returns the settings.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.inner.policy
    }

    /// Returns store time, or an estimate while the store does not answer.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.inner.time.estimate()
    }

    /// Checks that the store has answered lately.
    ///
    /// # Errors
    /// `Unavailable` if it has not.
    pub fn check_store(&self) -> Result<()> {
        self.inner.time.now().map(drop)
    }

    /// Makes a heartbeat. The first one of a node records a gap if the last node did not end cleanly.
    ///
    /// # Errors
    /// As the store's.
    pub async fn beat(&self, first: bool) -> Result<()> {
        let before = self.inner.time.timeline();
        let pulse = Pulse {
            first,
            grace: self.inner.policy.task_ttr,
            clock: self.inner.ports.clock.as_ref(),
            last: before.anchor,
        };
        let beat = self.inner.ports.store.heartbeat(&pulse).await?;
        self.inner.time.anchor(&beat);
        if let Some(step) = beat.timeline.step.filter(|step| step.at == beat.now) {
            tracing::warn!(by_seconds = step.by / 1_000_000, "{}", step.words());
        }
        Ok(())
    }

    /// Returns a store time as the store's clock shows it now, for people.
    #[must_use]
    pub fn shown(&self, at: Timestamp) -> Timestamp {
        self.inner.time.shown(at)
    }

    /// Returns the time that the store's clock shows now.
    #[must_use]
    pub fn wall_now(&self) -> Timestamp {
        self.shown(self.now())
    }

    /// Sends a hint to all listeners. A hint that is lost costs a delay, so its failure is no error.
    pub(crate) async fn hint(&self, hint: Hint) {
        if matches!(hint, Hint::Work(_)) {
            self.inner.waits.clear();
        }
        let told = self.inner.ports.progress.hint(hint).await;
        self.inner.progress_presence.heard(&told);
    }

    /// Waits for `work` for at most `wait`. The work itself goes on when the time is up.
    pub(crate) async fn within<T: Send + 'static>(
        &self,
        name: &'static str,
        wait: Duration,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        self.while_heard(name, wait, wait, work).await
    }

    /// As [`Engine::within`], but waits up to `patience` while the store answers heartbeats: then it is busy, not
    /// away.
    pub(crate) async fn while_heard<T: Send + 'static>(
        &self,
        name: &'static str,
        wait: Duration,
        patience: Duration,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let mut task = pin!(self.inner.supervisor.once(name, work));
        let clock = &self.inner.ports.clock;
        let mut waited = Duration::ZERO;
        let mut step = wait;
        loop {
            tokio::select! {
                biased;
                done = &mut task => {
                    return done.unwrap_or_else(|e| {
                        Err(trapline_core::Error::internal(format!("the {name} task failed")).with_source(e))
                    });
                }
                () = clock.sleep(step) => waited += step,
            }
            step = BEAT.min(patience.saturating_sub(waited));
            if step.is_zero() || !self.inner.time.heard_within(2 * BEAT) {
                return Err(trapline_core::Error::unavailable(format!(
                    "the store did not answer the {name} in time; try again"
                )));
            }
        }
    }
}
