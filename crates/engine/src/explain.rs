//! Why a job is not moving: the evidence gathered, and core's sentence on it.

use std::{collections::HashMap, time::Duration};

use trapline_core::{
    Error, JobId, JobStatus, Result,
    error::chain,
    explain::{self, ClockStep, Explanation, Next, ONLINE, Reach, Scene},
    ports::{Job, Outlook, QueueInfo},
};

use crate::Engine;

/// How long a part may take to answer before it counts as unreachable.
const PATIENCE: Duration = Duration::from_secs(2);

impl Engine {
    /// Why a job is not moving, with the evidence. An unreachable store is an answer, not an error.
    ///
    /// # Errors
    /// `NotFound` if there is no such job.
    pub async fn explain(&self, id: JobId) -> Result<Explanation> {
        let engine = self.clone();
        let read = self
            .within("explain", PATIENCE, async move {
                engine.inner.time.now()?;
                let store = &engine.inner.ports.store;
                let seen_since = engine.now().minus(ONLINE);
                let Some(job) = store.job(id).await? else {
                    return Ok(None);
                };
                let outlook = store.outlook(id, seen_since).await?.unwrap_or_default();
                Ok(Some((
                    job,
                    outlook,
                    engine.last_tick().await?.map(|t| t.started_at),
                )))
            })
            .await;
        match read {
            Ok(None) => Err(Error::not_found()),
            Err(error) if error.kind.retry() => Ok(self.without_store(id, &chain(&error)).await),
            Err(error) => Err(error),
            Ok(Some((job, outlook, last_tick_at))) => {
                let (queue_counters, queue, progress) = self.projections(id).await;
                let timeline = self.inner.time.timeline();
                let step = explain::clock_step(&job, timeline.step);
                // People read the store's clock; all times are shown by it, so their distances stay.
                let (job, outlook) = (job.shown(timeline.offset), outlook.shown(timeline.offset));
                let last_tick_at = last_tick_at.map(|at| self.shown(at));
                let now = self.wall_now();
                let scene = Scene {
                    job: &job,
                    outlook: &outlook,
                    queue: &queue,
                    progress: &progress,
                    ttr: self.inner.policy.task_ttr,
                    now,
                };
                let tick_at = last_tick_at.map(|at| at.plus(self.inner.policy.health.health_interval));
                let oldest = outlook.oldest_lease.clone();
                Ok(Explanation {
                    job: id,
                    sentence: explain::sentence(&scene) + &step,
                    next: explain::next(&scene, self.inner.policy.leases().margin, tick_at),
                    status: Some(job.status),
                    counts: Some(job.counts),
                    workers: outlook.workers.clone(),
                    leases_out: job.counts.in_flight,
                    oldest_lease_seconds: oldest.as_ref().map(|l| now.since(l.granted_at).as_secs()),
                    oldest_lease: oldest,
                    queue_counters,
                    store: Reach::Ok,
                    queue,
                    progress,
                    last_tick_at,
                    clock_step: timeline.step.map(|step| ClockStep {
                        at: self.shown(step.at),
                        by_seconds: step.by / 1_000_000,
                    }),
                })
            }
        }
    }

    async fn without_store(&self, id: JobId, why: &str) -> Explanation {
        let (queue_counters, queue, progress) = self.projections(id).await;
        Explanation {
            job: id,
            sentence: explain::store_away(why),
            status: None,
            counts: None,
            workers: Vec::new(),
            leases_out: 0,
            oldest_lease: None,
            oldest_lease_seconds: None,
            queue_counters,
            store: Reach::Unreachable(why.to_owned()),
            queue,
            progress,
            last_tick_at: None,
            clock_step: None,
            next: Next {
                action: "the store is asked again every second",
                at: None,
            },
        }
    }

    async fn projections(&self, job: JobId) -> (Option<QueueInfo>, Reach, Reach) {
        let ports = &self.inner.ports;
        let queue = self.patiently(ports.queue.info(job));
        let progress = self.patiently(ports.progress.read(job));
        let (queue, progress) = futures::join!(queue, progress);
        let counters = queue.as_ref().ok().copied().flatten();
        (counters, reach(queue), reach(progress))
    }

    async fn patiently<T>(&self, asked: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            biased;
            answer = asked => answer,
            () = self.inner.ports.clock.sleep(PATIENCE) => {
                Err(Error::unavailable(format!("no answer within {PATIENCE:?}")))
            }
        }
    }

    /// The sentence for each of these jobs that does not move, beside every job that people see.
    pub(crate) async fn waiting_for(&self, jobs: &[Job]) -> Result<Vec<Option<String>>> {
        let now = self.now();
        // One that waits for no worker costs no read.
        let started = jobs
            .iter()
            .filter(|job| waits(job) && job.status == JobStatus::Started);
        let started: Vec<JobId> = started.map(|job| job.id).collect();
        let mut outlooks: HashMap<JobId, Outlook> = match started.is_empty() {
            true => HashMap::new(),
            false => {
                let store = &self.inner.ports.store;
                let read = store.outlooks(&started, now.minus(ONLINE)).await?;
                read.into_iter().collect()
            }
        };
        let offset = self.inner.time.timeline().offset;
        let mut sentence = |job: &Job| {
            let outlook = outlooks.remove(&job.id).unwrap_or_default();
            explain::sentence(&Scene {
                job: &job.clone().shown(offset),
                outlook: &outlook.shown(offset),
                queue: &Reach::Ok,
                progress: &Reach::Ok,
                ttr: self.inner.policy.task_ttr,
                now: self.shown(now),
            })
        };
        Ok(jobs.iter().map(|job| waits(job).then(|| sentence(job))).collect())
    }
}

/// Whether a job waits for what a sentence names.
fn waits(job: &Job) -> bool {
    let for_it = match job.status {
        JobStatus::Pending | JobStatus::Retry => true,
        JobStatus::Started => job.collected && job.counts.in_flight == 0 && job.counts.pending > 0,
        _ => false,
    };
    for_it && job.pipeline.is_some()
}

fn reach<T>(answer: Result<Option<T>>) -> Reach {
    match answer {
        Ok(Some(_)) => Reach::Ok,
        Ok(None) => Reach::Gone,
        Err(error) => Reach::Unreachable(chain(&error)),
    }
}
