//! The checks of the projections: queues that are missing, short or left over, and the counters of running jobs.

use trapline_core::{
    JobId, Result,
    error::chain,
    health::{self, Action, CheckReport},
    ports::{Level, LogLine, LogPage, LogQuery, Offered, Vitals},
};

use super::Tick;

/// The number of lines that are written in one transaction.
const LINES: usize = 500;

impl Tick<'_> {
    /// Each projection is checked by itself: one that is away does not hold up the check of the other.
    pub(super) async fn missing_queues(&self, report: &mut CheckReport) -> Result<()> {
        let mut room = true;
        let mut away = Ok(());
        for job in self.running().await? {
            self.keep().await?;
            report.checked += 1;
            if let Err(error) = self.look_at_queue(&job, &mut room, report).await {
                away = Err(error);
            }
            if let Err(error) = self.look_at_progress(&job, report).await {
                away = Err(error);
            }
        }
        away
    }

    /// Returns what the store says of a job now, if it still runs.
    async fn vitals_of(&self, job: JobId) -> Result<Option<Vitals>> {
        let store = &self.engine.inner.ports.store;
        let max_deliver = self.engine.inner.policy.max_deliver;
        let found = store.vitals(JobId(job.0 - 1), 1, max_deliver).await?;
        Ok(found.into_iter().find(|vitals| vitals.job == job))
    }

    fn found_before(&self, job: &Vitals, did: Action) -> bool {
        self.before
            .as_ref()
            .is_some_and(|t| t.missing_queues.has(job.job, did))
    }

    /// `room`: whether the queue takes one more job, as far as this tick knows. A full queue is not asked again for
    /// each of the other jobs.
    async fn look_at_queue(&self, job: &Vitals, room: &mut bool, report: &mut CheckReport) -> Result<()> {
        let queue = self.engine.inner.ports.queue.info(job.job).await?;
        let was_short = self.found_before(job, Action::QueueIncomplete);
        if health::missing_queue(job, queue, was_short).is_none() || (queue.is_none() && !*room) {
            return Ok(());
        }
        // What was handed out since the store was read has left the queue too, so the store is asked again, after the queue.
        let Some(job) = &self.vitals_of(job.job).await? else {
            return Ok(());
        };
        let Some((did, detail)) = health::missing_queue(job, queue, was_short) else {
            return Ok(());
        };
        if did == Action::Projected && !self.dry_run {
            match self.engine.project_queue(job.job).await {
                Ok(Offered::Held) => tracing::warn!(job = %job.job, detail, "the queue was made anew"),
                Ok(Offered::NoRoom) => {
                    *room = false;
                    return Ok(());
                }
                Err(error) => {
                    report.found(job.job, Action::Failed, chain(&error));
                    return Ok(());
                }
            }
        }
        report.found(job.job, did, detail);
        Ok(())
    }

    async fn look_at_progress(&self, job: &Vitals, report: &mut CheckReport) -> Result<()> {
        let live = self.engine.inner.ports.progress.read(job.job).await?;
        let was_behind = self.found_before(job, Action::ProgressStale);
        let now = self.engine.now();
        let Some((did, detail)) = health::missing_progress(job, live, was_behind, now) else {
            return Ok(());
        };
        if did == Action::Projected && !self.dry_run {
            if let Err(error) = self.engine.project_progress(job.job, job.counts.total).await {
                report.found(job.job, Action::Failed, chain(&error));
                return Ok(());
            }
            tracing::warn!(job = %job.job, detail, "the progress was made anew");
        }
        report.found(job.job, did, detail);
        Ok(())
    }

    pub(super) async fn snapshots(&self, report: &mut CheckReport) -> Result<()> {
        let ports = &self.engine.inner.ports;
        let mut lines = Vec::new();
        for job in self.running().await? {
            self.keep().await?;
            report.checked += 1;
            let queue = ports.queue.info(job.job).await.ok().flatten();
            let message = health::snapshot_line(job.status, &job.counts, queue.as_ref());
            if self.is_last_line(job.job, &message).await? {
                continue;
            }
            lines.push(LogLine {
                job: job.job,
                level: Level::Info,
                message,
                capture: None,
            });
        }
        if !self.dry_run {
            for chunk in lines.chunks(LINES) {
                self.keep().await?;
                ports.store.log(chunk, self.engine.now()).await?;
            }
        }
        Ok(())
    }

    /// Returns whether a job's log ends with this line, so that the log does not grow while nothing changes.
    async fn is_last_line(&self, job: JobId, message: &str) -> Result<bool> {
        let newest = LogQuery {
            job,
            level: None,
            capture: None,
            page: LogPage::Newest,
            limit: 1,
        };
        let last = self.engine.inner.ports.store.logs(&newest).await?;
        Ok(last.first().is_some_and(|line| line.message == message))
    }

    pub(super) async fn zombies(&self, report: &mut CheckReport) -> Result<()> {
        let ports = &self.engine.inner.ports;
        // The broker dates its queues by its own clock.
        let now = self.engine.wall_now();
        self.keep().await?;
        for queue in ports.queue.list().await? {
            self.keep().await?;
            report.checked += 1;
            let status = ports.store.job_head(queue.job).await?.map(|head| head.status);
            if !health::zombie(&queue, status, now, self.policy) {
                continue;
            }
            let whose = status.map_or("no job".to_owned(), |s| format!("a job that is {s}"));
            if !self.dry_run
                && let Err(error) = ports.queue.remove(queue.job).await
            {
                report.found(queue.job, Action::Failed, chain(&error));
                continue;
            }
            report.found(queue.job, Action::Removed, format!("an old queue of {whose}"));
        }
        Ok(())
    }
}
