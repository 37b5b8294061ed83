//! Reserve: the queue suggests candidates, and one transaction of the store grants those that are free, and free tasks besides
//! if the queue has too few (docs/rules.md A7). An answer is one grant; only tasks that were granted are handed out. A suspect
//! is alone in its answer; suspects and batches take turns, and the last try of a suspect is alone with its worker (A6).

use std::time::Duration;

use trapline_core::{
    CaptureId, JobId, ProjectId, Result, WorkerId,
    error::chain,
    fault,
    handout::last_try,
    ports::{GrantKey, GrantRequest, Granted, LeaseChange, Standing, Want},
    receipt::Receipt,
};

use crate::{Engine, settle::RETRY};

/// How long a reserve waits for a store that is busy but answers heartbeats.
const PATIENCE: Duration = Duration::from_secs(10);

/// The caller of a reserve.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The worker.
    pub worker: WorkerId,
    /// The project that it is bound to, if it is bound to one.
    pub project: Option<ProjectId>,
}

/// A task as handed out.
#[derive(Clone, Debug)]
pub struct ReservedTask {
    /// The capture.
    pub capture: CaptureId,
    /// Where to get the image.
    pub image_url: String,
    /// The signed lease token.
    pub receipt: String,
    /// Which hand-out this is, from 1.
    pub attempt: i64,
    /// How long its lease lasts.
    pub lease: Duration,
}

/// Tasks of one job, under a lease. If it is dropped before [`Reservation::delivered`], it gives them back: no worker
/// had an answer that could not be written to its client (A5).
pub struct Reservation {
    /// The job.
    pub job: JobId,
    /// The tasks; may be empty.
    pub tasks: Vec<ReservedTask>,
    engine: Engine,
    undelivered: Vec<Receipt>,
}

impl std::fmt::Debug for Reservation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reservation")
            .field("job", &self.job)
            .field("tasks", &self.tasks)
            .finish_non_exhaustive()
    }
}

impl Reservation {
    /// Notes that the answer was written.
    pub fn delivered(&mut self) {
        self.undelivered.clear();
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if !self.undelivered.is_empty() {
            let (engine, receipts) = (self.engine.clone(), std::mem::take(&mut self.undelivered));
            self.engine.inner.supervisor.once("undelivered", async move {
                if let Err(error) = engine.take_back(&receipts).await {
                    // Then the sweep ends the leases, as if the worker had died.
                    tracing::warn!(error = chain(&error), "an undelivered answer was not taken back");
                }
            });
        }
    }
}

impl Engine {
    /// Hands out up to `limit` tasks of a job. Fewer, or none, is normal.
    ///
    /// # Errors
    /// `Unavailable` within `reserve_wait` while the store is away, because tasks are handed out only if that is
    /// recorded. A store that is busy is waited for, because ADC's loaders end at such an answer.
    pub async fn reserve(&self, job: JobId, limit: usize, worker: WorkerId) -> Result<Reservation> {
        self.inner.time.now()?;
        let limit = limit.min(self.inner.policy.grant_max);
        let engine = self.clone();
        let wait = self.inner.policy.reserve_wait;
        self.while_heard("reserve", wait, PATIENCE.max(wait), async move {
            engine.reserve_now(job, limit, worker).await
        })
        .await
    }

    async fn reserve_now(&self, job: JobId, limit: usize, worker: WorkerId) -> Result<Reservation> {
        let mut reservation = Reservation {
            job,
            tasks: Vec::new(),
            engine: self.clone(),
            undelivered: Vec::new(),
        };
        // The store is asked before the queue: what the queue proposes to a worker that may get nothing, no other worker
        // gets from it.
        if limit == 0 || !self.may_reserve(job, worker).await? {
            return Ok(reservation);
        }
        let turns = &self.inner.turns;
        if turns.last_tries_wait(job) && self.last_try(&mut reservation, false, worker).await? {
            return Ok(reservation);
        }
        if turns.take_suspects_turn(job) {
            self.grant(&mut reservation, Want::Suspect, 1, worker).await?;
        }
        if reservation.tasks.is_empty() {
            let suspects = self.grant_batch(&mut reservation, limit, worker).await?;
            if suspects && reservation.tasks.is_empty() {
                self.grant(&mut reservation, Want::Suspect, 1, worker).await?;
            } else if suspects {
                turns.give_suspects_turn(job);
            }
        }
        if reservation.tasks.is_empty() && turns.last_tries_wait(job) {
            self.last_try(&mut reservation, true, worker).await?;
        }
        if !reservation.tasks.is_empty() {
            turns.handed_out(job, self.now());
        }
        Ok(reservation)
    }

    /// Returns whether the worker may get anything of this job.
    async fn may_reserve(&self, job: JobId, worker: WorkerId) -> Result<bool> {
        let standing = self.standing(worker).await?;
        if standing.waits_for == Some(job) {
            self.inner.turns.note_last_tries(job, true);
        }
        Ok(!standing.held_back && standing.waits_for.is_none_or(|waits_for| waits_for == job))
    }

    pub(crate) async fn standing(&self, worker: WorkerId) -> Result<Standing> {
        let store = &self.inner.ports.store;
        store.standing(worker, self.inner.policy.max_deliver).await
    }

    /// Grants a last try, or puts the worker off until it is free for one. Returns whether that is all that it gets
    /// now. `only`: the job has nothing else for it.
    async fn last_try(&self, into: &mut Reservation, only: bool, worker: WorkerId) -> Result<bool> {
        let seen = self.grant(into, Want::LastTry { only }, 1, worker).await?;
        if !into.tasks.is_empty() {
            self.inner.turns.handed_out(into.job, self.now());
        }
        Ok(seen.held_back || !into.tasks.is_empty())
    }

    /// Grants what the queue proposes, and free tasks of the store where that is too little. Returns whether suspects of the
    /// job wait.
    async fn grant_batch(&self, into: &mut Reservation, limit: usize, worker: WorkerId) -> Result<bool> {
        let (job, queue) = (into.job, &self.inner.ports.queue);
        loop {
            // If the queue can't be reached, tasks are filled from the store.
            let proposed = queue.propose(job, limit).await;
            self.inner.queue_presence.heard(&proposed);
            let proposal = proposed.ok().flatten().unwrap_or_default();
            let candidates: Vec<CaptureId> = proposal.candidates.iter().map(|c| c.capture).collect();
            let filling = match candidates.is_empty() {
                true => Some(self.inner.turns.fill(job).await),
                false => self.inner.turns.try_fill(job),
            };
            let fill = filling.is_some();
            let seen = self
                .grant_from(into, Want::Batch, candidates, fill, limit, worker)
                .await?;
            drop(filling);
            if seen.held_back {
                // It got a suspect meanwhile. What is not acknowledged is proposed again to others, or filled.
                return Ok(false);
            }
            if let Err(error) = queue.acknowledge(job, proposal).await {
                tracing::debug!(%job, error = chain(&error), "a proposal was not acknowledged; it will be refused");
            }
            // Else nothing of the proposal was free, and others are filling; the queue may hold more.
            if fill || !into.tasks.is_empty() {
                return Ok(seen.suspects);
            }
        }
    }

    /// Gives back leases that no worker knows of, and tries for as long as they last: it is not the worker's fault if
    /// the store is away for a moment (A5).
    async fn take_back(&self, receipts: &[Receipt]) -> Result<()> {
        let clock = &self.inner.ports.clock;
        let until = clock.monotonic() + self.inner.policy.task_ttr;
        let stop = self.inner.supervisor.stopping();
        loop {
            match self.change_receipts(LeaseChange::Undelivered, receipts).await {
                Err(error) if error.kind.retry() && !stop.is_cancelled() && clock.monotonic() < until => {
                    clock.sleep(RETRY).await;
                }
                done => return done.map(drop),
            }
        }
    }

    /// Grants tasks that the queue does not propose.
    async fn grant(
        &self,
        into: &mut Reservation,
        want: Want,
        limit: usize,
        worker: WorkerId,
    ) -> Result<Granted> {
        self.grant_from(into, want, Vec::new(), true, limit, worker).await
    }

    async fn grant_from(
        &self,
        into: &mut Reservation,
        want: Want,
        candidates: Vec<CaptureId>,
        fill: bool,
        limit: usize,
        worker: WorkerId,
    ) -> Result<Granted> {
        let granted_at = self.inner.lost_replies.moment(self.inner.time.now()?);
        let policy = &self.inner.policy;
        let request = GrantRequest {
            job: into.job,
            want,
            candidates,
            fill,
            limit,
            worker,
            now: granted_at,
            ttr: policy.task_ttr,
            exclusive_ttr: last_try::lease(policy.task_ttr, self.inner.tried.slowest(into.job)),
            max_deliver: policy.max_deliver,
        };
        let lease = request.lease_until().since(granted_at);
        let granted = self.inner.ports.store.grant(&request).await;
        if granted.as_ref().is_err_and(|e| e.kind.retry()) {
            self.inner.lost_replies.note(GrantKey {
                job: into.job,
                worker,
                granted_at,
            });
        }
        let mut granted = granted?;
        if !granted.held_back || granted.last_tries {
            self.inner.turns.note_last_tries(into.job, granted.last_tries);
        }
        if !granted.tasks.is_empty() {
            fault::reach(fault::GRANT_COMMITTED);
        }
        for task in std::mem::take(&mut granted.tasks) {
            let receipt = Receipt {
                job: into.job,
                run: granted.run,
                capture: task.capture,
                delivery: task.delivery,
                worker,
                granted_at,
            };
            into.tasks.push(ReservedTask {
                capture: task.capture,
                image_url: (self.inner.image_url)(into.job, task.capture, &task.url),
                receipt: self.inner.key.sign(&receipt),
                attempt: task.delivery,
                lease,
            });
            if want.is_exclusive() {
                self.inner.tried.handed_out(&receipt);
            }
            into.undelivered.push(receipt);
        }
        Ok(granted)
    }
}
