//! Makes the queue and the progress of a job from the store's rows. Neither waits for the other, and a failure of one
//! does not affect the other: tasks that the queue lacks are filled from the store, and changes that the progress was
//! not told of are written later.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use trapline_core::{
    CaptureId, JobId, Result,
    error::chain,
    ports::{Candidate, Hint, ImageQuery, ImageRow, ImageState, Offered, Touched},
};

use crate::{Engine, Ports};

/// The number of tasks that are offered at a time.
const PAGE: u64 = 1_000;

/// Jobs whose progress missed a change of this node, because it was away.
#[derive(Default)]
pub(crate) struct Owed(Mutex<BTreeSet<JobId>>);

impl Owed {
    fn jobs(&self) -> MutexGuard<'_, BTreeSet<JobId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, job: JobId) {
        self.jobs().insert(job);
    }

    fn take(&self) -> Option<JobId> {
        self.jobs().pop_first()
    }
}

impl Engine {
    /// Offers a job's free tasks to the queue, and writes its progress anew.
    ///
    /// # Errors
    /// As the store's and the queue's. A progress that is away is no error.
    pub(crate) async fn project(&self, job: JobId, total: u64) -> Result<Offered> {
        let (offered, ()) = futures::join!(self.fill_queue(job), self.write_or_owe(job, total));
        self.remove_if_ended(job).await;
        offered
    }

    /// Makes a job's queue anew. The rest of the old one is removed first, because a broker that drops duplicates
    /// would drop the tasks that are published again.
    ///
    /// # Errors
    /// As the store's and the queue's.
    pub(crate) async fn project_queue(&self, job: JobId) -> Result<Offered> {
        self.inner.ports.queue.remove(job).await?;
        let offered = self.fill_queue(job).await;
        self.remove_if_ended(job).await;
        offered
    }

    /// Makes a job's progress anew.
    ///
    /// # Errors
    /// As the store's and the progress's.
    pub(crate) async fn project_progress(&self, job: JobId, total: u64) -> Result<()> {
        let written = self.write_progress(job, total).await;
        self.remove_if_ended(job).await;
        written
    }

    async fn write_or_owe(&self, job: JobId, total: u64) {
        if let Err(error) = self.write_progress(job, total).await {
            tracing::debug!(%job, error = chain(&error), "the progress of a job was not written");
            self.inner.owed.add(job);
        }
    }

    /// Offers a job's free tasks to the queue, a page at a time.
    async fn fill_queue(&self, job: JobId) -> Result<Offered> {
        let stop = self.inner.supervisor.stopping();
        let mut after = (i64::MIN, CaptureId(0));
        while !stop.is_cancelled() {
            let page = self.inner.ports.store.free_tasks(job, after, PAGE).await?;
            let Some((last, _)) = page.last() else { break };
            after = *last;
            let candidates: Vec<Candidate> = page.iter().map(|(_, c)| *c).collect();
            let offered = self.publish(job, &candidates).await;
            // Workers that wait are served from the store, if not by the queue.
            self.hint(Hint::Work(job)).await;
            if offered? == Offered::NoRoom {
                return Ok(Offered::NoRoom);
            }
            if is_last(&page) {
                break;
            }
        }
        Ok(Offered::Held)
    }

    /// Writes a job's progress anew: its pending tasks, and then those that have failed.
    async fn write_progress(&self, job: JobId, total: u64) -> Result<()> {
        self.inner.ports.progress.remove(job).await?;
        let settled = self.write_pending(job, total).await?;
        self.write_settled(job, settled).await
    }

    /// Writes pending tasks, a page at a time. Each page is read again after it is written: a task that was settled in between was
    /// reported to a progress that did not have it yet. Returns those.
    async fn write_pending(&self, job: JobId, total: u64) -> Result<BTreeSet<CaptureId>> {
        let Ports { progress, store, .. } = &self.inner.ports;
        let stop = self.inner.supervisor.stopping();
        let mut after = (i64::MIN, CaptureId(0));
        let mut settled = BTreeSet::new();
        while !stop.is_cancelled() {
            let page = store.pending_tasks(job, after, PAGE).await?;
            let captures: Vec<CaptureId> = page.iter().map(|(_, capture)| *capture).collect();
            progress.add(job, total, &captures).await?;
            let again = store.pending_tasks(job, after, PAGE).await?;
            // What became pending meanwhile may push others from a full page: they are read with the next one.
            let last = match is_last(&again) {
                true => page.last(),
                false => again.last().min(page.last()),
            };
            let seen = page.iter().filter(|task| Some(*task) <= last);
            settled.extend(
                seen.filter(|task| again.binary_search(task).is_err())
                    .map(|(_, capture)| *capture),
            );
            if is_last(&page) && last == page.last() {
                break;
            }
            after = last.copied().unwrap_or(after);
        }
        Ok(settled)
    }

    /// Tells of the tasks that have failed, and of others that were settled while they were written as pending.
    async fn write_settled(&self, job: JobId, mut settled: BTreeSet<CaptureId>) -> Result<()> {
        let progress = &self.inner.ports.progress;
        let stop = self.inner.supervisor.stopping();
        let mut after = CaptureId(i64::MIN);
        while !stop.is_cancelled() {
            let page = self.failed(job, after).await?;
            let Some(last) = page.last() else { break };
            after = last.capture;
            let failed: Vec<(CaptureId, bool)> = page.iter().map(|task| (task.capture, true)).collect();
            for (capture, _) in &failed {
                settled.remove(capture);
            }
            progress.settled(job, &failed).await?;
            if is_last(&page) {
                break;
            }
        }
        let processed: Vec<(CaptureId, bool)> = settled.into_iter().map(|capture| (capture, false)).collect();
        progress.settled(job, &processed).await
    }

    async fn failed(&self, job: JobId, after: CaptureId) -> Result<Vec<ImageRow>> {
        let query = ImageQuery {
            job,
            state: Some(ImageState::Failed),
            reason: None,
            after,
            back: false,
            limit: PAGE,
        };
        self.inner.ports.store.images(&query).await
    }

    async fn publish(&self, job: JobId, candidates: &[Candidate]) -> Result<Offered> {
        let offered = self.inner.ports.queue.publish(job, candidates).await;
        self.inner.queue_presence.heard(&offered);
        offered
    }

    /// Removes what was just made if the job has ended (docs/rules.md A17): it may have landed meanwhile, and its
    /// clean-up may be over. If the store does not answer, the projections are removed too: they are made again, and
    /// until then tasks are filled from the store.
    async fn remove_if_ended(&self, job: JobId) {
        let ports = &self.inner.ports;
        if let Ok(Some(head)) = ports.store.job_head(job).await
            && head.status.is_active()
        {
            return;
        }
        // A queue that is left is a zombie, which a tick removes. A progress that is left expires.
        let (queue, progress) = futures::join!(ports.queue.remove(job), ports.progress.remove(job));
        self.inner.queue_presence.heard(&queue);
        self.inner.progress_presence.heard(&progress);
    }

    /// Projects every running job that has no queue or no progress: a node that restarted has lost those in its
    /// process.
    pub(crate) async fn project_running(&self) -> Result<()> {
        let ports = &self.inner.ports;
        for job in ports.store.running_jobs().await? {
            // If it is away now, the next tick looks again.
            let (queue, progress) = futures::join!(ports.queue.info(job), ports.progress.read(job));
            self.inner.queue_presence.heard(&queue);
            self.inner.progress_presence.heard(&progress);
            if matches!(queue, Ok(None))
                && let Err(error) = self.project_queue(job).await
            {
                tracing::debug!(%job, error = chain(&error), "the queue of a job was not made");
            }
            if matches!(progress, Ok(None))
                && let Some(view) = ports.store.job(job).await?
            {
                self.write_or_owe(job, view.counts.total).await;
                self.remove_if_ended(job).await;
            }
        }
        Ok(())
    }

    /// Offers tasks that became free.
    pub(crate) async fn offer(&self, freed: Vec<(JobId, Candidate)>) {
        let mut by_job: BTreeMap<JobId, Vec<Candidate>> = BTreeMap::new();
        for (job, candidate) in freed {
            by_job.entry(job).or_default().push(candidate);
        }
        for (job, candidates) in by_job {
            if let Err(error) = self.publish(job, &candidates).await {
                tracing::debug!(%job, error = chain(&error), "free tasks were not offered; the fill finds them");
            }
            self.remove_if_ended(job).await;
            self.hint(Hint::Work(job)).await;
        }
    }

    /// Tells the projections what a transaction changed.
    pub(crate) async fn tell(&self, touched: &[Touched]) {
        self.note_minutes(touched);
        self.note_summaries(touched);
        for t in touched {
            let told = self.inner.ports.progress.settled(t.job, &t.settled).await;
            self.inner.progress_presence.heard(&told);
            if told.is_err() {
                self.inner.owed.add(t.job);
            }
            if t.landed {
                tracing::info!(job = %t.job, status = %t.status, "the job landed");
                self.inner.turns.forget(t.job);
            }
            self.hint(Hint::Job(t.job)).await;
        }
    }

    /// Pings the progress, so that a silent connection is noticed even if nothing else uses it, and writes anew what
    /// it missed.
    ///
    /// # Errors
    /// As the store's.
    pub(crate) async fn pay_progress(&self) -> Result<()> {
        let ports = &self.inner.ports;
        let here = ports.progress.ping().await;
        self.inner.progress_presence.heard(&here);
        while here.is_ok()
            && let Some(job) = self.inner.owed.take()
        {
            if let Err(error) = self.pay(job).await {
                self.inner.owed.add(job);
                return Err(error);
            }
        }
        Ok(())
    }

    async fn pay(&self, job: JobId) -> Result<()> {
        match self.inner.ports.store.job(job).await? {
            Some(view) if view.status.is_active() => self.project_progress(job, view.counts.total).await,
            // Its sweep removes it.
            _ => Ok(()),
        }
    }
}

fn is_last<T>(page: &[T]) -> bool {
    (page.len() as u64) < PAGE
}
