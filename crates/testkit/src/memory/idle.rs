//! Idle jobs: which they are, and how their lost tasks are settled or they are ended, each with its own guard, so that
//! a result that came in between wins.

use trapline_core::{
    CaptureId, JobId, JobStatus, TaskState, Timestamp,
    health::{id_lists, lost_line},
    job::JobMove,
    plan::{
        lost::{By, IdleTask},
        settle::Deltas,
    },
    ports::{Ended, Level, MarkLost, MarkedLost, Swept, Touched, Vitals},
};

use super::{Db, JobRow, TaskRow, counts};

impl Db {
    pub(super) fn vitals_page(&self, after: JobId, limit: usize, max_deliver: i64) -> Vec<Vitals> {
        let running = |row: &&JobRow| !row.deleted && row.job.status.is_running() && row.job.id > after;
        let page = self.jobs.values().filter(running).take(limit);
        page.map(|row| self.vitals_of(row, max_deliver)).collect()
    }

    fn vitals_of(&self, row: &JobRow, max_deliver: i64) -> Vitals {
        let job = self.read_row(row);
        let open = |of: fn(&TaskRow, i64) -> bool| {
            let pending = self.tasks(job.id).filter(|(_, t)| t.state == TaskState::Pending);
            pending
                .filter(|(_, t)| t.grant.is_none() && t.run == job.run && of(t, max_deliver))
                .count() as u64
        };
        let leased = |t: &TaskRow| {
            t.state == TaskState::Pending && t.grant.is_some_and(|g| self.grants.contains_key(&g))
        };
        Vitals {
            job: job.id,
            run: job.run,
            status: job.status,
            collected: job.collected,
            counts: job.counts,
            idle_since: self.idle_since(row),
            free: open(|t, max| t.strikes < max),
            leased: self.tasks(job.id).filter(|(_, t)| leased(t)).count() as u64,
            exhausted: open(|t, max| t.strikes > 0 && t.strikes >= max),
        }
    }

    fn idle_since(&self, row: &JobRow) -> Timestamp {
        let job = &row.job;
        let mut last = job.last_result_at.or(job.started_at).unwrap_or(job.updated_at);
        if job.status == JobStatus::Canceling {
            last = last.max(job.updated_at);
        }
        self.gap.map_or(last, |gap| last.max(gap.to))
    }

    /// Whether a chosen job is still as it was: no result came since.
    fn still_idle(&self, job: JobId, run: i64, cutoff: Timestamp) -> bool {
        let found = self
            .jobs
            .get(&job)
            .filter(|row| !row.deleted && row.job.run == run);
        found.is_some_and(|row| row.job.status.is_running() && self.idle_since(row) <= cutoff)
    }

    pub(super) fn mark_lost_slice(&mut self, request: &MarkLost) -> MarkedLost {
        let mut marked = MarkedLost::default();
        if !self.still_idle(request.job, request.run, request.cutoff) {
            marked.raced = true;
            return marked;
        }
        let mut swept = Swept::default();
        if request.strict {
            let rest = self.pending(request);
            marked.more = rest.len() == self.slice_rows;
            self.lose(rest, &mut swept, request.now);
        } else {
            let by = By::HealthCheck(request.job);
            swept = self.end_due(Some(request.job), by, &request.leases, request.now);
            marked.more = swept.more;
        }
        marked.freed = swept.freed;
        for touched in swept.touched {
            note(&mut marked, request.job, touched);
        }
        if !marked.lost.is_empty() {
            self.write_lost(request, &marked.lost);
        }
        marked
    }

    /// A slice of what is pending, in the order of the statement on a database.
    fn pending(&self, request: &MarkLost) -> Vec<IdleTask> {
        let is_pending = |t: &TaskRow| t.state == TaskState::Pending && t.run == request.run;
        let mut rows: Vec<_> = self.tasks(request.job).filter(|(_, t)| is_pending(t)).collect();
        rows.sort_unstable_by_key(|(capture, t)| (t.ord, *capture));
        let idle = |(capture, task): (CaptureId, &TaskRow)| IdleTask {
            key: (request.job, capture),
            strikes: task.strikes,
            history: task.history.clone(),
        };
        rows.into_iter().take(self.slice_rows).map(idle).collect()
    }

    /// One line in the job's errors, for all slices; the full list in its log.
    fn write_lost(&mut self, request: &MarkLost, lost: &[CaptureId]) {
        let mut all = request.earlier.clone();
        all.add(lost);
        let queue = request.queue.as_ref();
        let line = lost_line(queue, &all);
        if let Some(row) = self.jobs.get_mut(&request.job) {
            let errors = &mut row.job.errors;
            let before = (request.earlier.count() > 0).then(|| lost_line(queue, &request.earlier));
            if before.is_some() && errors.last() == before.as_ref() {
                errors.pop();
            }
            errors.push(line.clone());
        }
        for ids in id_lists(lost) {
            let text = format!("{line} {ids}");
            self.log_line(request.job, Level::Warning, text, None, request.now);
        }
    }

    pub(super) fn end_stale_job(
        &mut self,
        job: &Vitals,
        cutoff: Timestamp,
        line: &str,
        now: Timestamp,
    ) -> Ended {
        if !self.still_idle(job.job, job.run, cutoff) {
            return Ended::Raced;
        }
        if job.collected
            && let Some(touched) = self.recount(job.job, now)
            && touched.landed
        {
            return Ended::Landed(touched.status);
        }
        let moved = self.move_one(job.job, JobMove::Reap, now);
        if !moved.is_some_and(|m| m.changed && m.status == JobStatus::Revoked) {
            return Ended::Raced;
        }
        if let Some(row) = self.jobs.get_mut(&job.job) {
            row.job.errors.push(line.to_owned());
        }
        self.log_line(job.job, Level::Error, line.to_owned(), None, now);
        Ended::Reaped
    }

    /// Makes the counters agree with the rows, which lands the job if they are all settled.
    fn recount(&mut self, job: JobId, now: Timestamp) -> Option<Touched> {
        let counts = self.jobs.get(&job)?.job.counts;
        let (mut deltas, mut total) = (Deltas::default(), 0);
        for (_, task) in self.tasks(job) {
            total += 1;
            deltas += Deltas {
                processed: i64::from(task.state == TaskState::Processed),
                failed: i64::from(task.state == TaskState::Failed),
                detections: task.n_detections,
                classifications: task.n_classifications,
            };
        }
        deltas.processed -= counts.processed as i64;
        deltas.failed -= counts.failed as i64;
        deltas.detections -= counts.detections as i64;
        deltas.classifications -= counts.classifications as i64;
        let change = counts::Change {
            job,
            deltas,
            total: Some(total),
            by_result: false,
        };
        self.apply(&change, now)
    }
}

fn note(marked: &mut MarkedLost, job: JobId, touched: Touched) {
    if touched.job != job {
        return marked.others.push(touched);
    }
    marked
        .lost
        .extend(touched.settled.iter().map(|(capture, _)| *capture));
    match &mut marked.touched {
        None => marked.touched = Some(touched),
        Some(before) => {
            before.status = touched.status;
            before.landed |= touched.landed;
            before.settled.extend(touched.settled);
        }
    }
}
