//! Claim: tasks of the job that is next in turn, and a wait for work if there is none (docs/rules.md B11).

use std::{collections::HashMap, sync::atomic::Ordering, time::Duration};

use futures::StreamExt as _;
use trapline_core::{
    JobId, ProjectId, Result, WorkerId,
    choose::Waiting,
    ports::{Hint, HintStream, WaitingJob},
};

use crate::{Caller, Engine, Reservation};

/// A request for a claim.
#[derive(Clone, Debug)]
pub struct ClaimRequest {
    /// Slugs of the pipelines that the worker runs.
    pub pipelines: Vec<String>,
    /// The maximum number of tasks.
    pub batch_size: usize,
    /// How long to wait for work.
    pub wait: Duration,
}

/// The answer to a claim: tasks of one job.
#[derive(Debug)]
pub struct Claimed {
    /// The job's pipeline.
    pub pipeline_slug: String,
    /// The tasks.
    pub reservation: Reservation,
}

impl Engine {
    /// Returns the jobs with a task for this worker (or for any, if it is `None`), in the order in which they should
    /// be served.
    ///
    /// # Errors
    /// As the store's.
    pub async fn waiting_jobs(
        &self,
        slugs: &[String],
        project: Option<ProjectId>,
        worker: Option<WorkerId>,
    ) -> Result<Vec<(JobId, String)>> {
        let (ports, budget) = (&self.inner.ports, self.inner.policy.max_deliver);
        let mut jobs: Vec<WaitingJob> = ports.store.waiting_jobs(slugs, project, budget).await?;
        if let Some(worker) = worker.filter(|_| !jobs.is_empty()) {
            let standing = self.standing(worker).await?;
            let gets = |job| standing.waits_for.is_none_or(|waits_for| waits_for == job);
            jobs.retain(|j| !standing.held_back && !standing.busy && gets(j.waiting.job));
        }
        let mut order: Vec<Waiting> = jobs.iter().map(|j| j.waiting).collect();
        let mut slugs: HashMap<JobId, String> = jobs.into_iter().map(|j| (j.waiting.job, j.slug)).collect();
        self.inner
            .turns
            .order(&mut order, self.inner.turn.fetch_add(1, Ordering::Relaxed));
        Ok(order
            .iter()
            .filter_map(|j| slugs.remove(&j.job).map(|slug| (j.job, slug)))
            .collect())
    }

    /// Returns tasks of the job that is next in turn, and waits for work if there is none. `None` when the wait is
    /// over.
    ///
    /// # Errors
    /// As [`Engine::reserve`].
    pub async fn claim(&self, request: &ClaimRequest, caller: &Caller) -> Result<Option<Claimed>> {
        /// A long poll looks again at least this often, whatever the hints say.
        const LOOK: Duration = Duration::from_secs(2);
        let clock = &self.inner.ports.clock;
        let until = clock.monotonic() + request.wait;
        // It listens before it looks, so that tasks which become free in between are not missed.
        let mut hints = self.inner.ports.progress.hints().await.ok();
        let stop = &self.inner.no_waiting;
        loop {
            self.inner.time.now()?;
            let worker = Some(caller.worker);
            let waiting = self
                .waiting_jobs(&request.pipelines, caller.project, worker)
                .await?;
            for (job, pipeline_slug) in waiting {
                let reservation = self.reserve(job, request.batch_size, caller.worker).await?;
                if !reservation.tasks.is_empty() {
                    return Ok(Some(Claimed {
                        pipeline_slug,
                        reservation,
                    }));
                }
            }
            let left = until.saturating_sub(clock.monotonic());
            if left.is_zero() || stop.is_cancelled() {
                return Ok(None);
            }
            self.inner
                .liveness
                .seen(caller.worker, self.now(), &request.pipelines);
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = next_work(&mut hints) => {}
                () = clock.sleep(left.min(LOOK)) => {}
            }
        }
    }
}

async fn next_work(hints: &mut Option<HintStream>) {
    let Some(stream) = hints else {
        return std::future::pending().await;
    };
    loop {
        match stream.next().await {
            Some(Hint::Work(_) | Hint::Everything) => return,
            Some(Hint::Job(_)) => {}
            None => return std::future::pending().await,
        }
    }
}
