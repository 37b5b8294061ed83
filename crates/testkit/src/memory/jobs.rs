//! Jobs as rows: stored, changed, moved, read, removed.

use std::{cmp::Ordering, time::Duration};

use trapline_core::{
    CaptureId, Error, JobId, JobStatus, ProjectId, Result, TaskState, Timestamp,
    job::{Expect, JobMove, RunMode, Seen, check_startable},
    ports::{
        Job, JobEdit, JobFilter, JobGroup, JobHead, JobOrder, Moved, NewJob, OffsetPage, RunAlgorithms, Total,
    },
};

use super::{Db, JobRow, Mutation, catalog::CatalogRows, next};

/// How many tasks of a deleted job one slice removes.
const PURGE_ROWS: usize = 200;

impl Db {
    pub(super) fn insert_job(&mut self, new: &NewJob, now: Timestamp) -> Result<JobId> {
        if let Some(key) = &new.key {
            let of_project = self.jobs.values().filter(|r| r.job.project == new.project);
            let mut keys = of_project.filter_map(|r| Some((r.job.id, r.key.as_ref()?)));
            if let Some((job, first)) = keys.find(|(_, k)| k.key == key.key) {
                return key.repeated(job, &first.asked);
            }
        }
        let id = JobId(next(&mut self.last.job));
        let pipeline = new.pipeline.and_then(|p| self.catalog.named(p));
        let row = JobRow {
            job: Job::made(id, new, pipeline, now),
            reprocess: new.reprocess,
            dispatch_epoch: 0,
            dispatch_until: None,
            phase: 0,
            watermark: 0,
            seed: 0,
            max_capture: None,
            cut: None,
            order: None,
            set_complete: false,
            cleanup_due: false,
            deleted: false,
            key: new.key.clone(),
        };
        self.jobs.insert(id, row);
        self.touched.insert(id);
        Ok(id)
    }

    pub(super) fn live_job(&mut self, job: JobId) -> Option<&mut JobRow> {
        self.jobs.get_mut(&job).filter(|j| !j.deleted)
    }

    pub(super) fn update_job(&mut self, job: JobId, edit: &JobEdit, now: Timestamp) -> Result<Option<()>> {
        let pipeline = edit.pipeline.map(|p| p.and_then(|p| self.catalog.named(p)));
        let beaten = self.beaten(now);
        let Some(row) = self.live_job(job) else {
            return Ok(None);
        };
        let j = &mut row.job;
        if j.status != JobStatus::Created && !edit.is_always_allowed() {
            return Err(Error::invalid(format!(
                "job {job} is {}: only its name and priority can still be changed",
                j.status
            )));
        }
        j.updated_at = beaten;
        set(&mut j.name, edit.name.clone());
        set(&mut j.priority, edit.priority);
        set(&mut j.failure_threshold, edit.failure_threshold);
        set(&mut j.delay_seconds, edit.delay_seconds);
        set(&mut j.pipeline, pipeline);
        set(&mut j.collection, edit.collection);
        set(&mut j.capture, edit.capture);
        set(&mut j.limit, edit.limit);
        set(&mut j.shuffle, edit.shuffle);
        Ok(Some(()))
    }

    /// Refuses what was asked of a job that is not as expected.
    pub(super) fn check_seen(&mut self, job: JobId, expect: &Expect) -> Result<()> {
        let Some(row) = self.live_job(job) else {
            return Ok(());
        };
        let (j, counts) = (&row.job, &row.job.counts);
        let seen = Seen {
            status: j.status,
            run: j.run,
            total: counts.total,
            processed: counts.processed,
            failed: counts.failed,
        };
        expect.check(job, &seen)
    }

    /// Moves a job by the table.
    pub(super) fn move_one(&mut self, job: JobId, by: JobMove, now: Timestamp) -> Option<Moved> {
        let beaten = self.beaten(now);
        let row = self.live_job(job)?;
        let status = row.job.status;
        let unchanged = Some(Moved {
            status,
            changed: false,
        });
        let Some(transition) = by.transition(status) else {
            return unchanged;
        };
        let settled = row.job.counts.processed >= row.job.counts.total && row.set_complete;
        if transition.new_run == Some(RunMode::Failed) && settled {
            return unchanged;
        }
        if matches!(
            transition.to,
            JobStatus::Pending | JobStatus::Retry | JobStatus::Started
        ) && !can_run(&row.job)
        {
            return unchanged;
        }
        row.move_to(transition.to, transition.new_run, now);
        row.job.updated_at = beaten;
        self.touched.insert(job);
        Some(Moved {
            status: transition.to,
            changed: true,
        })
    }

    pub(super) fn hide_job(&mut self, job: JobId) -> Option<()> {
        let row = self.live_job(job)?;
        row.deleted = true;
        row.dispatch_epoch += 1;
        row.cleanup_due = true;
        Some(())
    }

    pub(super) fn purge_slice(&mut self) -> bool {
        let leased = |job| self.grants.values().any(|g| g.job == job);
        let mut gone = self.jobs.values().filter(|j| j.deleted && !j.cleanup_due);
        let Some(job) = gone.find(|j| !leased(j.job.id)).map(|j| j.job.id) else {
            return false;
        };
        let captures: Vec<CaptureId> = self.tasks(job).map(|(c, _)| c).take(PURGE_ROWS).collect();
        if captures.is_empty() && self.logs.values().any(|(_, line)| line.job == job) {
            self.logs.retain(|_, (_, line)| line.job != job);
        } else if captures.is_empty() && !self.clear_summary(job) {
            self.specs.retain(|(of, _), _| *of != job);
            self.minutes.retain(|(of, ..), _| *of != job);
            self.summaries.remove(&job);
            self.jobs.remove(&job);
        }
        for capture in captures {
            self.tasks.remove(&(job, capture));
            self.detections
                .retain(|&(of, _, at, _), _| (of, at) != (job, capture));
        }
        true
    }

    pub(super) fn read_job(&self, id: JobId) -> Option<Job> {
        let row = self.jobs.get(&id).filter(|j| !j.deleted)?;
        Some(self.read_row(row))
    }

    pub(super) fn read_head(&self, id: JobId) -> Option<JobHead> {
        let job = &self.jobs.get(&id).filter(|j| !j.deleted)?.job;
        Some(JobHead {
            job: job.id,
            project: job.project,
            run: job.run,
            status: job.status,
            pipeline_slug: job.pipeline.as_ref().map(|(_, slug)| slug.clone()),
        })
    }

    pub(super) fn read_run(&self, job: JobId, run: i64) -> Option<RunAlgorithms> {
        let first = self.specs.range((job, 0)..).next().map(|(key, _)| *key);
        let key = match first.filter(|_| self.has(Mutation::RememberedHead)) {
            Some(first) if first.0 == job => first,
            _ => (job, run),
        };
        self.specs.get(&key).map(|s| s.algorithms.clone())
    }

    pub(super) fn read_row(&self, row: &JobRow) -> Job {
        let mut job = row.job.clone();
        let in_flight = self
            .tasks(job.id)
            .filter(|(_, t)| t.state == TaskState::Pending && t.grant.is_some())
            .count() as u64;
        let c = &mut job.counts;
        c.in_flight = in_flight;
        c.pending = c.total.saturating_sub(c.processed + c.failed + in_flight);
        job
    }

    pub(super) fn read_jobs(&self, filter: &JobFilter, page: OffsetPage) -> Total<Job> {
        let mut all: Vec<&JobRow> = self
            .jobs
            .values()
            .filter(|j| !j.deleted && is_shown(&j.job, filter, &self.catalog))
            .collect();
        all.sort_by(|a, b| {
            let order = compare(&a.job, &b.job, filter.order.0).then(a.job.id.cmp(&b.job.id));
            if filter.order.1 { order.reverse() } else { order }
        });
        let count = all.len() as u64;
        let rows = all
            .into_iter()
            .skip(usize::try_from(page.offset).unwrap_or(usize::MAX))
            .take(usize::try_from(page.limit).unwrap_or(usize::MAX))
            .map(|row| self.read_row(row))
            .collect();
        Total { rows, count }
    }

    pub(super) fn count_groups(&self, project: Option<ProjectId>, count_max: u64) -> Vec<(JobGroup, u64)> {
        let is_there = |row: &&JobRow| !row.deleted && project.is_none_or(|p| row.job.project == p);
        let count = |status: &JobStatus| {
            let rows = self.jobs.values().filter(is_there);
            let n = rows.filter(|row| row.job.status == *status).count() as u64;
            n.min(count_max)
        };
        let of_group = |group: JobGroup| (group, group.statuses().iter().map(count).sum());
        JobGroup::ALL.map(of_group).to_vec()
    }
}

impl JobRow {
    /// What nobody holds, as far as the row says.
    pub(super) fn uncounted(&self) -> Job {
        let mut job = self.job.clone();
        let c = &mut job.counts;
        c.in_flight = 0;
        c.pending = c.total.saturating_sub(c.processed + c.failed);
        job
    }

    /// Raising the epoch fences whatever dispatcher is at work.
    fn move_to(&mut self, to: JobStatus, new_run: Option<RunMode>, now: Timestamp) {
        let job = &mut self.job;
        job.status = to;
        job.updated_at = now;
        self.dispatch_epoch += 1;
        self.dispatch_until = None;
        let waits = to == JobStatus::Pending && job.delay_seconds > 0;
        job.not_before = waits.then(|| now.plus(Duration::from_secs(job.delay_seconds)));
        if to == JobStatus::Revoked {
            job.finished_at = Some(now);
            self.cleanup_due = true;
        }
        if let Some(mode) = new_run {
            job.run += 1;
            job.mode = mode;
            job.collected = false;
            (job.started_at, job.finished_at, job.last_result_at) = (None, None, None);
            job.errors.clear();
            self.cleanup_due = false;
            self.watermark = 0;
            // A set that was never collected to its end is completed first.
            self.phase = i64::from(self.set_complete);
            if !self.set_complete {
                job.counts.skipped = 0;
            }
        }
    }
}

/// Whether it has what every run needs.
pub(super) fn can_run(job: &Job) -> bool {
    check_startable(
        job.pipeline.is_some(),
        job.collection.is_some(),
        job.capture.is_some(),
    )
    .is_ok()
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

pub(super) fn is_shown(job: &Job, filter: &JobFilter, catalog: &CatalogRows) -> bool {
    let slug = job.pipeline.as_ref().map(|(_, slug)| slug);
    let text = |search: &String| {
        let search = search.to_lowercase();
        [Some(&job.name), slug]
            .into_iter()
            .flatten()
            .any(|t| t.to_lowercase().contains(&search))
    };
    filter.project.is_none_or(|p| job.project == p)
        && (filter.status.is_empty() || filter.status.contains(&job.status))
        && (filter.pipeline_slugs.is_empty() || slug.is_some_and(|s| filter.pipeline_slugs.contains(s)))
        && filter.pipeline.is_none_or(|id| {
            let named = catalog.named(id).filter(|_| catalog.ever_had(job.project, id));
            named.is_some_and(|(_, named)| slug == Some(&named))
        })
        && filter.collection.is_none_or(|c| job.collection == Some(c))
        && filter.capture.is_none_or(|c| job.capture == Some(c))
        && filter.job_type.as_ref().is_none_or(|t| job.job_type == *t)
        && filter.search.as_ref().is_none_or(text)
        && filter.failed_since.is_none_or(|since| {
            let failed = matches!(
                job.status,
                JobStatus::Failure | JobStatus::Revoked | JobStatus::Unknown
            );
            !failed || job.updated_at >= since
        })
}

fn compare(a: &Job, b: &Job, by: JobOrder) -> Ordering {
    match by {
        JobOrder::Id => a.id.cmp(&b.id),
        JobOrder::Name => a.name.cmp(&b.name),
        JobOrder::CreatedAt => a.created_at.cmp(&b.created_at),
        JobOrder::UpdatedAt => a.updated_at.cmp(&b.updated_at),
        JobOrder::Status => a.status.as_str().cmp(b.status.as_str()),
        JobOrder::StartedAt => a.started_at.cmp(&b.started_at),
        JobOrder::FinishedAt => a.finished_at.cmp(&b.finished_at),
        JobOrder::Project => a.project.cmp(&b.project),
        JobOrder::Collection => a.collection.cmp(&b.collection),
        JobOrder::Pipeline => a.pipeline.cmp(&b.pipeline),
    }
}
