//! Collecting a job's tasks in slices, fenced by the dispatcher's epoch and a watermark (docs/rules.md A12, A13).
//!
//! Phase 0 adds the captures of the set as tasks, in the order of dispatch; phase 1 resets tasks of older runs.

use std::time::Duration;

use trapline_core::{
    CaptureId, FailReason, JobId, JobStatus, ProjectId, TaskState, Timestamp,
    job::RunMode,
    plan::settle::Deltas,
    ports::{Claim, Level, Slice},
};

use super::{Db, JobRow, Mutation, TaskRow, counts};

const PRIME: i64 = 2_147_483_647;
const ADDING: i64 = 0;

/// A capture's place in the order of dispatch: a permutation of `0..PRIME`, twice, so that equal seeds give equal
/// orders in every store.
fn place(capture: i64, seed: i64, shuffle: bool) -> i64 {
    if !shuffle {
        return capture;
    }
    let turn = |y: i64| match y * y % PRIME {
        square if 2 * y < PRIME => square,
        square => PRIME - square,
    };
    let once = turn((capture + seed.rem_euclid(PRIME)) % PRIME);
    turn((once + (seed / PRIME).rem_euclid(PRIME)) % PRIME)
}

/// What a claim adds, in the order of dispatch.
#[derive(Clone, Debug)]
pub(super) struct Order {
    epoch: i64,
    /// The place from which it adds.
    next: i64,
    places: Vec<(i64, CaptureId)>,
    skipped: u64,
    /// Where it was cut, if it was not before.
    cut: Option<(i64, i64)>,
}

impl Order {
    /// The next tasks from a place on; those of one place are not parted.
    fn page(&self, from: i64, rows: usize) -> Vec<(i64, CaptureId)> {
        let rest = self.places.iter().copied().filter(|(ord, _)| *ord >= from);
        let last = rest.clone().take(rows).last();
        rest.take_while(|(ord, _)| last.is_some_and(|(last, _)| *ord <= last))
            .collect()
    }
}

impl Db {
    pub(super) fn claim_next(&mut self, now: Timestamp, lease: Duration, seed: i64) -> Option<Claim> {
        let id = self
            .jobs
            .values()
            .filter(|j| !j.deleted && is_claimable(j.job.status, j.job.collected))
            .filter(|j| j.dispatch_until.is_none_or(|until| until < now))
            .filter(|j| j.job.not_before.is_none_or(|at| at <= now))
            .map(|j| (std::cmp::Reverse(j.job.priority), j.job.id))
            .min()?
            .1;
        let row = self.jobs.get(&id)?;
        let (run, project) = (row.job.run, row.job.project);
        let catalog = &self.catalog;
        let named = row.job.pipeline.as_ref().map(|(id, _)| *id);
        let pipeline = named.map(|id| catalog.current(project, id));
        let current = pipeline.and_then(|id| catalog.named(id));
        let is_first = !self.specs.contains_key(&(id, run));
        // A run that has its spec keeps it.
        self.specs
            .entry((id, run))
            .or_insert_with(|| catalog.snapshot(pipeline));
        let set: Vec<i64> = match row.job.capture {
            Some(capture) => vec![capture.0],
            None => self.catalog.set(row.job.collection).collect(),
        };
        let started_at = self.beaten(now);
        let row = self.jobs.get_mut(&id)?;
        row.job.status = JobStatus::Started;
        row.job.started_at.get_or_insert(started_at);
        row.job.updated_at = now;
        if is_first {
            row.job.pipeline = current;
        }
        row.dispatch_epoch += 1;
        row.dispatch_until = Some(now.plus(lease));
        if row.max_capture.is_none() {
            row.seed = seed;
            row.max_capture = set.last().copied();
            row.job.candidates = set.len() as u64;
        }
        self.touched.insert(id);
        Some(Claim {
            job: id,
            run: row.job.run,
            epoch: row.dispatch_epoch,
            watermark: row.watermark,
        })
    }

    /// Gives every run of a project what its pipeline is now.
    pub(super) fn change_runs(&mut self, project: ProjectId) {
        for ((job, _), spec) in &mut self.specs {
            let row = self.jobs.get(job).filter(|row| row.job.project == project);
            if let Some((pipeline, _)) = row.and_then(|row| row.job.pipeline.as_ref()) {
                let current = self.catalog.current(project, *pipeline);
                *spec = self.catalog.snapshot(Some(current));
                self.touched.insert(*job);
            }
        }
    }

    pub(super) fn slice(&mut self, claim: &Claim, now: Timestamp, lease: Duration) -> Slice {
        let unfenced = self.has(Mutation::NoFence);
        let Some(row) = self.jobs.get(&claim.job).filter(|j| !j.deleted) else {
            return Slice::Fenced;
        };
        let job = &row.job;
        let claimed =
            (row.dispatch_epoch, job.run, row.watermark) == (claim.epoch, claim.run, claim.watermark);
        let ours = claimed && job.status == JobStatus::Started && !job.collected;
        if !ours && !unfenced {
            return Slice::Fenced;
        }
        let phase = row.phase;
        let mut order = (phase == ADDING).then(|| match &row.order {
            Some(order) if order.epoch == claim.epoch => order.clone(),
            _ => self.order(row, claim.epoch),
        });
        let (ids, to) = match &order {
            Some(order) => {
                let ids = order.page(order.next, self.slice_rows);
                (
                    ids.iter().map(|(_, id)| *id).collect(),
                    ids.last().map(|(ord, _)| -(ord + 1)),
                )
            }
            None => {
                let ids = self.stale(row, claim);
                let last = ids.last().map(|last| last.0);
                (ids, last)
            }
        };
        // An empty page ends its phase; the next one begins at 0.
        let (next_phase, to) = to.map_or((phase + 1, 0), |to| (phase, to));
        if let Some(row) = self.jobs.get_mut(&claim.job) {
            row.watermark = to;
            row.phase = next_phase;
            row.dispatch_until = Some(now.plus(lease));
            row.job.updated_at = now;
            if let Some(order) = &mut order {
                row.cut = row.cut.or(order.cut);
                order.next = -to;
                if next_phase != phase {
                    row.job.counts.skipped = order.skipped;
                }
            }
            row.order = order.take();
        }
        if !ids.is_empty() {
            let deltas = if phase == ADDING {
                self.add(claim, &ids, now)
            } else {
                self.reset(claim, &ids, now)
            };
            self.change_counts(claim.job, deltas, None, now);
            return Slice::More(to);
        }
        if phase == ADDING && claim.run > 1 {
            return Slice::More(0);
        }
        if let Some(row) = self.jobs.get_mut(&claim.job) {
            row.dispatch_until = None;
        }
        let total = self.tasks(claim.job).count() as u64;
        let status = self.change_counts(claim.job, Deltas::default(), Some(total), now);
        Slice::Done { status, total }
    }

    fn change_counts(&mut self, job: JobId, deltas: Deltas, total: Option<u64>, now: Timestamp) -> JobStatus {
        let change = counts::Change {
            job,
            deltas,
            total,
            by_result: false,
        };
        self.apply(&change, now).map_or(JobStatus::Revoked, |t| t.status)
    }

    /// The next tasks of older runs that this run settles again.
    fn stale(&self, row: &JobRow, claim: &Claim) -> Vec<CaptureId> {
        self.tasks(claim.job)
            .filter(|(capture, t)| capture.0 > claim.watermark && t.run < claim.run)
            .filter(|(_, t)| row.job.mode == RunMode::All || t.state != TaskState::Processed)
            .take(self.slice_rows)
            .map(|(capture, _)| capture)
            .collect()
    }

    /// Whether this pipeline has processed a capture in another job, and it is no task of this one.
    fn is_done(&self, row: &JobRow, capture: CaptureId) -> bool {
        let fingerprint = |job, run| self.specs.get(&(job, run)).map_or("", |s| &s.fingerprint);
        let own = fingerprint(row.job.id, row.job.run);
        let same = |other: JobId| {
            self.task(other, capture).is_some_and(|t| {
                t.state == TaskState::Processed && fingerprint(other, t.spec_run.unwrap_or(t.run)) == own
            })
        };
        self.task(row.job.id, capture).is_none()
            && !row.reprocess
            && !own.is_empty()
            && self
                .jobs
                .values()
                .any(|other| other.job.id != row.job.id && !other.deleted && same(other.job.id))
    }

    /// Whether a job that is there has processed a capture by a pipeline of this fingerprint.
    pub(super) fn is_processed(&self, capture: CaptureId, fingerprint: &str) -> bool {
        self.jobs.values().filter(|job| !job.deleted).any(|job| {
            self.task(job.job.id, capture).is_some_and(|t| {
                let spec = self.specs.get(&(job.job.id, t.spec_run.unwrap_or(t.run)));
                t.state == TaskState::Processed
                    && !fingerprint.is_empty()
                    && spec.is_some_and(|s| s.fingerprint == fingerprint)
            })
        })
    }

    /// The captures of the job's set that are tasks, and where a limit cuts them.
    fn order(&self, row: &JobRow, epoch: i64) -> Order {
        let max = row.max_capture.unwrap_or(0);
        let set: Vec<i64> = match row.job.capture {
            Some(capture) => vec![capture.0],
            None => self
                .catalog
                .set(row.job.collection)
                .filter(|id| *id <= max)
                .collect(),
        };
        let (done, set): (Vec<_>, Vec<_>) = set
            .into_iter()
            .map(CaptureId)
            .partition(|capture| self.is_done(row, *capture));
        let mut places: Vec<_> = set
            .into_iter()
            .map(|id| (place(id.0, row.seed, row.job.shuffle), id))
            .collect();
        places.sort_unstable();
        let limit = row.job.limit.and_then(|l| usize::try_from(l).ok());
        let cut = limit
            .filter(|_| row.cut.is_none())
            .map(|limit| match (places.len() <= limit, limit) {
                (true, 1..) => (i64::MAX, i64::MAX),
                (_, 0) => (i64::MIN, i64::MIN),
                (false, _) => (places[limit - 1].0, places[limit - 1].1.0),
            });
        places.retain(|(ord, id)| row.cut.or(cut).is_none_or(|cut| (*ord, id.0) <= cut));
        Order {
            epoch,
            next: 0,
            places,
            skipped: done.len() as u64,
            cut,
        }
    }

    fn add(&mut self, claim: &Claim, ids: &[CaptureId], now: Timestamp) -> Deltas {
        let Some(row) = self.jobs.get(&claim.job) else {
            return Deltas::default();
        };
        let tasks: Vec<_> = ids
            .iter()
            .map(|capture| (*capture, place(capture.0, row.seed, row.job.shuffle)))
            .collect();
        let (mut inserted, mut failed) = (0, 0);
        for (capture, ord) in tasks {
            let no_url = self.catalog.url(capture).is_empty();
            if let std::collections::btree_map::Entry::Vacant(entry) = self.tasks.entry((claim.job, capture))
            {
                entry.insert(new_task(ord, claim.run, no_url, now));
                inserted += 1;
                failed += i64::from(no_url);
            }
        }
        if let Some(row) = self.jobs.get_mut(&claim.job) {
            row.job.counts.total += inserted;
        }
        if failed > 0 {
            let line = format!("{failed} image(s) failed (no_url): the capture has no url");
            self.log_line(claim.job, Level::Error, line, None, now);
        }
        Deltas {
            failed,
            ..Deltas::default()
        }
    }

    fn reset(&mut self, claim: &Claim, ids: &[CaptureId], now: Timestamp) -> Deltas {
        let mut deltas = Deltas::default();
        for capture in ids {
            let Some(task) = self.tasks.get_mut(&(claim.job, *capture)) else {
                continue;
            };
            let no_url = task.reason == Some(FailReason::NoUrl);
            deltas.processed -= i64::from(task.state == TaskState::Processed);
            deltas.failed -= i64::from(task.state == TaskState::Failed && !no_url);
            task.run = claim.run;
            task.delivery_base = task.delivery;
            (task.strikes, task.releases, task.returns) = (0, 0, 0);
            (task.suspect, task.died) = (false, None);
            task.history.clear();
            task.grant = None;
            if no_url {
                task.settled_at = Some(now);
            } else {
                task.state = TaskState::Pending;
                (task.reason, task.detail, task.settled_at) = (None, None, None);
            }
        }
        deltas
    }
}

fn is_claimable(status: JobStatus, collected: bool) -> bool {
    matches!(status, JobStatus::Pending | JobStatus::Retry) || (status == JobStatus::Started && !collected)
}

fn new_task(ord: i64, run: i64, no_url: bool, now: Timestamp) -> TaskRow {
    TaskRow {
        ord,
        run,
        state: if no_url {
            TaskState::Failed
        } else {
            TaskState::Pending
        },
        delivery: 0,
        delivery_base: 0,
        strikes: 0,
        releases: 0,
        returns: 0,
        suspect: false,
        died: None,
        holder: None,
        grant: None,
        granted_at: Timestamp(0),
        lease_until: Timestamp(0),
        history: String::new(),
        reason: no_url.then_some(FailReason::NoUrl),
        detail: no_url.then(|| "the capture has no url".to_owned()),
        settled_at: no_url.then_some(now),
        n_detections: 0,
        n_classifications: 0,
        spec_run: None,
    }
}
