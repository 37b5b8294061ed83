//! Rows as `verify` and `explain` read them.

use std::collections::BTreeSet;

use trapline_core::{
    CaptureId, FailReason, JobId, ProjectId, TaskState, Timestamp,
    health::STRICT_DETAIL,
    ports::{OldestLease, Outlook, WorkerNow},
    verify::{JobAudit, LeaseAudit, OVERDUE_AFTER, RowKey, Stray, StrayKind, TaskAudit},
};

use super::{Db, GrantRow, TaskRow, WorkerRow, jobs::can_run};

/// Workers named at the most.
const WORKERS_MAX: usize = 100;

impl Db {
    pub(super) fn job_audits(&self, after: JobId, limit: usize) -> Vec<JobAudit> {
        let shown = self
            .jobs
            .values()
            .filter(|row| !row.deleted && row.job.id > after);
        let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        shown
            .take(limit)
            .map(|row| {
                let (job, c) = (&row.job, &row.job.counts);
                JobAudit {
                    job: job.id,
                    run: job.run,
                    status: job.status,
                    collected: job.collected,
                    counters: [c.total, c.processed, c.failed, c.detections, c.classifications].map(signed),
                    can_run: can_run(job),
                    has_spec: self.specs.contains_key(&(job.id, job.run)),
                    cleanup_due: row.cleanup_due,
                    updated_at: job.updated_at,
                    served_at: self.timeline.alive_at.unwrap_or(job.updated_at),
                    gap: self.gap,
                }
            })
            .collect()
    }

    pub(super) fn task_audits(&self, job: JobId, after: CaptureId, limit: usize) -> Vec<TaskAudit> {
        let page = self.tasks(job).filter(|(capture, _)| *capture > after);
        page.take(limit)
            .map(|(capture, task)| self.task_audit(job, capture, task))
            .collect()
    }

    fn task_audit(&self, job: JobId, capture: CaptureId, task: &TaskRow) -> TaskAudit {
        let from = (job, task.ord, capture, i64::MIN)..;
        let of_task = |(key, _): &(&(_, _, _, i64), _)| (key.0, key.1, key.2) == (job, task.ord, capture);
        let stored: Vec<_> = self
            .detections
            .range(from)
            .take_while(of_task)
            .map(|(_, d)| d)
            .collect();
        let keys: BTreeSet<_> = stored.iter().map(|d| d.key()).collect();
        let classifications: usize = stored.iter().map(|d| d.classifications.len()).sum();
        TaskAudit {
            capture,
            run: task.run,
            state: task.state,
            reason: task.reason,
            detail: task.detail.clone(),
            delivery: task.delivery,
            strikes: task.strikes,
            settled_at: task.settled_at,
            by_strict_policy: task.reason == Some(FailReason::Lost)
                && task.detail.as_deref() == Some(STRICT_DETAIL),
            lease: task.grant.map(|g| LeaseAudit {
                has_grant: self.grants.contains_key(&g),
                granted_at: task.granted_at,
                until: task.lease_until,
                life: task
                    .holder
                    .and_then(|w| self.workers.get(&w))
                    .and_then(|w| w.life.clone()),
            }),
            n_detections: task.n_detections,
            n_classifications: task.n_classifications,
            stored_detections: stored.len() as i64,
            distinct_detections: keys.len() as i64,
            stored_classifications: classifications as i64,
        }
    }

    pub(super) fn stray_page(
        &self,
        kind: StrayKind,
        after: RowKey,
        limit: usize,
    ) -> (Vec<Stray>, Option<RowKey>) {
        let from = after[0].saturating_add(1)..;
        let grant = |id: i64| [id, 0, 0, 0];
        let page: Vec<(RowKey, Option<Stray>)> = match kind {
            StrayKind::Grants => {
                let stray = |id: &i64, job: JobId| Stray {
                    job: Some(job),
                    row: format!("grant {id}"),
                };
                let of = |g: JobId| !self.jobs.contains_key(&g);
                let rows = self.grants.range(from).take(limit);
                rows.map(|(id, g)| (grant(*id), of(g.job).then(|| stray(id, g.job))))
                    .collect()
            }
            StrayKind::OverdueGrants => {
                let overdue = |g: &GrantRow| {
                    let since = self.gap.map_or(g.due_at, |gap| gap.to.max(g.due_at));
                    self.timeline
                        .alive_at
                        .is_some_and(|at| at.since(since) > OVERDUE_AFTER)
                };
                let stray = |id: &i64, g: &GrantRow| Stray {
                    job: Some(g.job),
                    row: format!("grant {id}"),
                };
                let rows = self.grants.range(from).take(limit);
                rows.map(|(id, g)| (grant(*id), overdue(g).then(|| stray(id, g))))
                    .collect()
            }
            StrayKind::Detections => {
                let [job, ord, capture, n] = after;
                let from = (JobId(job), ord, CaptureId(capture), n.saturating_add(1))..;
                let rows = self.detections.range(from).take(limit);
                rows.map(|(&(job, ord, capture, n), _)| {
                    let has_task = self.tasks.get(&(job, capture)).is_some_and(|t| t.ord == ord);
                    let stray = || Stray {
                        job: Some(job),
                        row: format!("detection {n} of task {capture}"),
                    };
                    ([job.0, ord, capture.0, n], (!has_task).then(stray))
                })
                .collect()
            }
            // They are a part of their detection.
            StrayKind::Classifications => Vec::new(),
        };
        let next = page.last().filter(|_| page.len() == limit).map(|(id, _)| *id);
        (page.into_iter().filter_map(|(_, stray)| stray).collect(), next)
    }

    pub(super) fn outlook_of(&self, job: JobId, seen_since: Timestamp) -> Option<Outlook> {
        let row = self.jobs.get(&job).filter(|row| !row.deleted)?;
        let slug = row.job.pipeline.as_ref().map_or("", |(_, slug)| slug.as_str());
        let asks = |w: &&WorkerRow| self.asks_for(w, row.job.project, slug);
        let ends = |t: &TaskRow| t.strikes.unsigned_abs().max(u64::from(t.suspect));
        let struck = |t: &&TaskRow| t.state == TaskState::Pending && ends(t) > 0;
        let pending = || self.tasks(job).map(|(_, task)| task).filter(struck);
        let name = |task: &TaskRow| task.holder.map(|w| self.name_of(w).to_owned());
        Some(Outlook {
            workers: self.workers_now(row.job.project, slug, seen_since),
            last_seen: self.workers.values().filter(asks).map(|w| w.last_seen).max(),
            oldest_lease: self.oldest_lease(job),
            strikes: pending().map(ends).sum(),
            struck_by: pending().filter_map(name).max(),
            tried_by: self.tried_by(job),
            put_off: self.put_off(job),
        })
    }

    pub(super) fn outlooks_of(&self, jobs: &[JobId], seen_since: Timestamp) -> Vec<(JobId, Outlook)> {
        let jobs: BTreeSet<JobId> = jobs.iter().copied().collect();
        let of = |job| {
            let oldest_lease = None;
            self.outlook_of(job, seen_since).map(|outlook| {
                (
                    job,
                    Outlook {
                        oldest_lease,
                        ..outlook
                    },
                )
            })
        };
        jobs.into_iter().filter_map(of).collect()
    }

    /// A worker that has a suspect of the job alone.
    fn tried_by(&self, job: JobId) -> Option<String> {
        let of_job = self.grants.iter().filter(|(_, g)| g.job == job && g.exclusive);
        let mut held = of_job.filter(|(id, g)| self.held(**id, g).next().is_some());
        held.next().map(|(_, g)| self.name_of(g.worker).to_owned())
    }

    /// A worker that is kept free for the last try of one.
    fn put_off(&self, job: JobId) -> Option<String> {
        let waits = |t: &TaskRow| t.state == TaskState::Pending && t.suspect && t.grant.is_none();
        let mut workers = self.workers.values().filter(|w| w.turn.waits_for == Some(job));
        let any = self.tasks(job).any(|(_, t)| waits(t));
        workers.next().filter(|_| any).map(|w| w.name.clone())
    }

    /// Whether a worker that may work for a project asked for a pipeline.
    fn asks_for(&self, worker: &WorkerRow, project: ProjectId, slug: &str) -> bool {
        let bound = self.catalog.bound_to(worker.token);
        worker.pipelines.iter().any(|p| p == slug) && bound.is_none_or(|of| of == project)
    }

    fn workers_now(&self, project: ProjectId, slug: &str, seen_since: Timestamp) -> Vec<WorkerNow> {
        let shown = |w: &WorkerRow| w.last_seen >= seen_since && self.asks_for(w, project, slug);
        let mut workers: Vec<_> = self.workers.iter().filter(|(_, w)| shown(w)).collect();
        workers.sort_by_key(|(id, w)| (std::cmp::Reverse(w.last_seen), **id));
        workers.truncate(WORKERS_MAX);
        workers
            .into_iter()
            .map(|(id, w)| {
                let newest = self
                    .grants
                    .iter()
                    .rev()
                    .find(|(grant, g)| g.worker == *id && self.lives(**grant))
                    .map(|(_, g)| g.job);
                let is_here = |job: &JobId| self.jobs.get(job).is_some_and(|j| j.job.project == project);
                let busy_with = newest.filter(is_here);
                WorkerNow {
                    name: w.name.clone(),
                    last_seen: w.last_seen,
                    busy_with,
                    busy_elsewhere: newest.is_some() && busy_with.is_none(),
                    draining: w.draining,
                }
            })
            .collect()
    }

    /// Whether a grant holds any task.
    fn lives(&self, grant: i64) -> bool {
        self.grants.get(&grant).is_some_and(|g| {
            let held = |c: &CaptureId| self.task(g.job, *c).is_some_and(|t| t.grant == Some(grant));
            g.captures.iter().any(held)
        })
    }

    fn oldest_lease(&self, job: JobId) -> Option<OldestLease> {
        let held = |(_, task): &(CaptureId, &TaskRow)| task.grant.is_some();
        let oldest = self
            .tasks(job)
            .filter(held)
            .min_by_key(|(c, t)| (t.granted_at, *c));
        oldest.map(|(_, task)| {
            let worker = task.holder.and_then(|w| self.workers.get(&w));
            OldestLease {
                granted_at: task.granted_at,
                lease_until: task.lease_until,
                worker: worker.map_or("unknown worker", |w| w.name.as_str()).to_owned(),
                last_seen: worker.map(|w| w.last_seen),
            }
        })
    }
}
