//! Claim: tasks of the job that is next in turn, and a wait for work if there is none (docs/rules.md B11).

use std::{collections::BTreeMap, time::Duration};

use futures::StreamExt as _;
use trapline_core::{
    JobId, Result,
    ports::{Hint, HintStream},
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

/// How many jobs are chosen one by one, each of a list that may be a moment old, before all that wait are gone through.
const TRIES: usize = 3;

impl Engine {
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
            if let Some(claimed) = self.claim_now(request, caller).await? {
                return Ok(Some(claimed));
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

    async fn claim_now(&self, request: &ClaimRequest, caller: &Caller) -> Result<Option<Claimed>> {
        let (slugs, project, worker) = (&request.pipelines, caller.project, Some(caller.worker));
        let mut tried = BTreeMap::new();
        let mut claimed = None;
        while claimed.is_none() && tried.len() < TRIES {
            let Some(next) = self.next_waiting(slugs, project, worker).await? else {
                break;
            };
            let job = next.job.0;
            if tried.contains_key(&job) {
                break;
            }
            // Another claim chooses another job: this one may be taken whole.
            tried.insert(job, self.inner.turns.handed_out(job, self.now()));
            claimed = self.claim_of([next.job], request, caller).await?;
        }
        if let Some(claimed) = &claimed {
            tried.remove(&claimed.reservation.job);
        }
        for (job, before) in &tried {
            self.inner.turns.take_back(*job, *before);
        }
        if claimed.is_some() || tried.is_empty() {
            return Ok(claimed);
        }
        let waiting = self.waiting_jobs(slugs, project, worker).await?;
        let others = waiting.into_iter().filter(|(job, _)| !tried.contains_key(job));
        self.claim_of(others, request, caller).await
    }

    /// Tasks of the first of these jobs that has any.
    async fn claim_of(
        &self,
        jobs: impl IntoIterator<Item = (JobId, String)>,
        request: &ClaimRequest,
        caller: &Caller,
    ) -> Result<Option<Claimed>> {
        for (job, pipeline_slug) in jobs {
            let reservation = self.reserve(job, request.batch_size, caller.worker).await?;
            if !reservation.tasks.is_empty() {
                return Ok(Some(Claimed {
                    pipeline_slug,
                    reservation,
                }));
            }
        }
        Ok(None)
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
