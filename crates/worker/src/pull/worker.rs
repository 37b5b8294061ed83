//! The worker as a whole: what its loops share, how they start, and how they end.
//!
//! Ends in stages: told to drain, the claim loop ends and gives back what is not started; the work loop
//! finishes what is; then the post loop delivers the last results. `halt`, at the drain's deadline or at
//! once, cuts each stage short. Leases are extended until the end.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::config::WorkerConfig;
use super::ledger::{Counts, Ledger};
use super::post::{Ends, post_loop};
use super::stop::Stop;
use super::{claim, keep, register, work};
use crate::backoff::Backoff;
use crate::client::{Api, ApiError, ApiSetupError};
use crate::http;
use crate::pipeline::Pipeline;
use crate::time;
use crate::wire::PipelineConfig;

/// How long nothing is claimed after a pipeline was unavailable, at first and at most.
const PAUSE_FIRST: Duration = Duration::from_secs(5);
const PAUSE_LONGEST: Duration = Duration::from_secs(120);

/// Why a worker ended, or could not begin.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// A setting that can't be worked with.
    #[error("{0}")]
    Config(String),
    /// The client could not be made.
    #[error("the worker can't talk to its server")]
    Setup(#[from] ApiSetupError),
    /// 401, or 403 to a claim.
    #[error("the server refuses the token: {0}")]
    TokenRefused(String),
    /// No project takes the registration.
    #[error("no project takes the registration: {0}")]
    NoProject(String),
    /// The server has no work endpoint for us.
    #[error("the server does not let this worker claim tasks: {0}")]
    ClaimRefused(String),
}

/// What a worker did, at its end.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The last counts. `unsent` results and tasks in `working` were left behind; their leases end.
    pub counts: Counts,
}

/// Runs a worker until it is told to stop, or until the server refuses it.
pub async fn run(
    config: WorkerConfig,
    pipelines: Vec<Arc<dyn Pipeline>>,
    stop: Stop,
) -> Result<Summary, WorkerError> {
    Worker::new(config, pipelines)?.run(stop).await
}

/// A worker that is ready to run.
pub struct Worker {
    shared: Arc<Shared>,
}

impl Worker {
    /// Checks the settings. Nothing is sent yet.
    pub fn new(config: WorkerConfig, pipelines: Vec<Arc<dyn Pipeline>>) -> Result<Self, WorkerError> {
        if let Some(problem) = config.problem() {
            return Err(WorkerError::Config(problem.to_owned()));
        }
        let api = Api::new(&config.url, &config.token)?;
        let offers = chosen(&config, &pipelines)?;
        let slugs = offers.iter().map(|(offered, _)| offered.slug.clone()).collect();
        let by_slug = offers
            .iter()
            .map(|(offered, pipeline)| (offered.slug.clone(), Arc::clone(pipeline)))
            .collect();
        let registration = offers.into_iter().map(|(offered, _)| offered).collect();
        let shared = Shared {
            config,
            api,
            ledger: Ledger::new(),
            slugs,
            by_slug,
            registration,
            pause: Pause::default(),
            is_away: AtomicBool::new(false),
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// The counts, as they change.
    pub fn counts(&self) -> watch::Receiver<Counts> {
        self.shared.ledger.watch()
    }

    /// Works until told to stop, or until the server refuses.
    pub async fn run(self, stop: Stop) -> Result<Summary, WorkerError> {
        let shared = self.shared;
        let drain = stop.drain_token();
        let started = drain.run_until_cancelled(register::register_first(&shared)).await;
        if let Some(started) = started {
            started?;
            let slugs = shared.slugs.join(", ");
            tracing::info!(url = %shared.api.base(), pipelines = slugs, "the worker is ready");
            run_loops(&shared, &stop).await?;
        }
        let counts = shared.ledger.counts();
        if counts.unsent > 0 {
            tracing::error!(
                results = counts.unsent,
                "stopped before the server had all results"
            );
        }
        Ok(Summary { counts })
    }
}

async fn run_loops(shared: &Arc<Shared>, stop: &Stop) -> Result<(), WorkerError> {
    let (drain, at_once) = (stop.drain_token(), stop.at_once_token());
    let halt = at_once.child_token();
    let (worked, done) = (CancellationToken::new(), CancellationToken::new());
    // Dropped with an error of any loop, these end what the others have spawned.
    let _guards = (halt.clone().drop_guard(), done.clone().drop_guard());
    let claiming = async {
        claim::claim_loop(shared, drain).await?;
        let unstarted = shared.ledger.take_unstarted();
        at_once
            .run_until_cancelled(keep::release(shared, unstarted))
            .await;
        Ok(())
    };
    let working = async {
        let working = work::work_loop(shared, drain, &halt);
        let worked_out = at_once.run_until_cancelled(working).await.unwrap_or(Ok(()));
        worked.cancel();
        worked_out
    };
    let ends = Ends {
        drain,
        worked: &worked,
        halt: &halt,
    };
    let main = async {
        futures::try_join!(claiming, working, post_loop(shared, &ends))?;
        done.cancel();
        Ok(())
    };
    let deadline = async {
        let over = async {
            drain.cancelled().await;
            time::sleep(shared.config.drain).await;
        };
        if done.run_until_cancelled(over).await.is_some() {
            tracing::warn!("the stop took too long; what is left is given back");
            halt.cancel();
        }
        Ok(())
    };
    futures::try_join!(
        main,
        deadline,
        keep::keep_loop(shared, &done),
        register::heartbeat_loop(shared, &done)
    )?;
    Ok(())
}

/// One slug, and what processes it.
type Offer = (PipelineConfig, Arc<dyn Pipeline>);

/// The pipelines to serve, one per slug.
fn chosen(config: &WorkerConfig, pipelines: &[Arc<dyn Pipeline>]) -> Result<Vec<Offer>, WorkerError> {
    let offers: Vec<Offer> = pipelines
        .iter()
        .flat_map(|pipeline| {
            pipeline
                .registration()
                .into_iter()
                .map(|offer| (offer, Arc::clone(pipeline)))
        })
        .collect();
    let known: Vec<&str> = offers.iter().map(|(offer, _)| offer.slug.as_str()).collect();
    if let Some(unknown) = config
        .pipelines
        .iter()
        .find(|slug| !known.contains(&slug.as_str()))
    {
        let known = match known.as_slice() {
            [] => "there is none".to_owned(),
            [only] => format!("the only one is `{only}`"),
            several => format!("there are `{}`", several.join("`, `")),
        };
        return Err(WorkerError::Config(format!("no pipeline `{unknown}`; {known}")));
    }
    if let Some(twice) = known
        .iter()
        .enumerate()
        .find(|(at, slug)| known[..*at].contains(slug))
    {
        return Err(WorkerError::Config(format!(
            "two pipelines are called `{}`",
            twice.1
        )));
    }
    if offers.is_empty() {
        return Err(WorkerError::Config("no pipelines to serve".to_owned()));
    }
    let is_chosen =
        |offer: &PipelineConfig| config.pipelines.is_empty() || config.pipelines.contains(&offer.slug);
    Ok(offers.into_iter().filter(|(offer, _)| is_chosen(offer)).collect())
}

/// What the loops share.
pub(super) struct Shared {
    pub(super) config: WorkerConfig,
    pub(super) api: Api,
    pub(super) ledger: Ledger,
    pub(super) slugs: Vec<String>,
    pub(super) registration: Vec<PipelineConfig>,
    pub(super) pause: Pause,
    by_slug: HashMap<String, Arc<dyn Pipeline>>,
    is_away: AtomicBool,
}

impl Shared {
    pub(super) fn pipeline(&self, slug: &str) -> Option<&Arc<dyn Pipeline>> {
        self.by_slug.get(slug)
    }

    pub(super) fn pipelines(&self) -> impl Iterator<Item = &Arc<dyn Pipeline>> {
        self.by_slug.values()
    }

    /// The server answered.
    pub(super) fn note_online(&self) {
        self.ledger.set_online(true);
        if self.is_away.swap(false, Ordering::Relaxed) {
            tracing::info!("the server answers again");
        }
    }

    /// The server did not answer, or not usefully. Only the first failure in a row is worth a warning. True if it is that.
    pub(super) fn note_failure(&self, doing: &str, error: &ApiError) -> bool {
        self.ledger.set_online(false);
        let error = http::chain(error);
        let is_news = !self.is_away.swap(true, Ordering::Relaxed);
        if is_news {
            tracing::warn!(doing, error, "the request failed; trying again until it succeeds");
        } else {
            tracing::debug!(doing, error, "the request failed; trying again");
        }
        is_news
    }
}

/// A time in which nothing is claimed, because what would process it is away.
pub(super) struct Pause {
    state: Mutex<(Backoff, Option<Instant>)>,
}

impl Default for Pause {
    fn default() -> Self {
        Self {
            state: Mutex::new((Backoff::new(PAUSE_FIRST, PAUSE_LONGEST), None)),
        }
    }
}

impl Pause {
    /// Begins, or goes on longer. Says for how long.
    pub(super) fn begin(&self) -> Duration {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = state.0.after_failure(None);
        state.1 = Some(time::now() + wait);
        wait
    }

    /// It works again.
    pub(super) fn reset(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.0.reset();
        state.1 = None;
    }

    /// Waits until it is over. True if nothing has worked since it began.
    pub(super) async fn over(&self) -> bool {
        let until = self.state.lock().unwrap_or_else(PoisonError::into_inner).1;
        if let Some(until) = until {
            time::sleep_until(until).await;
        }
        until.is_some()
    }
}
