//! Handing out tasks (RULES.md A7), and who they go to.

use std::collections::BTreeSet;

use trapline_core::{
    CaptureId, GrantId, JobId, ProjectId, TaskState, Timestamp, WorkerId,
    choose::Waiting,
    ports::{Candidate, FreeCursor, GrantRequest, Granted, GrantedTask, WaitingJob, WorkerIdentity},
};

use super::{Db, GrantRow, Mutation, TaskRow, WorkerRow, next};

/// How many jobs a caller is shown.
const WAITING_MAX: usize = 500;

fn is_free(task: &TaskRow, run: i64) -> bool {
    task.state == TaskState::Pending && task.grant.is_none() && task.run == run
}

impl Db {
    pub(super) fn grant_tasks(&mut self, request: &GrantRequest) -> Granted {
        let mut granted = Granted::default();
        let Some(row) = self.jobs.get(&request.job) else {
            return granted;
        };
        if row.deleted || !row.job.status.is_active() {
            return granted;
        }
        let run = row.job.run;
        let free = |task: &TaskRow| is_free(task, run) && task.strikes < request.max_deliver;
        let candidates: BTreeSet<CaptureId> = match &request.candidates {
            Some(proposed) => proposed.iter().copied().collect(),
            None if self.has(Mutation::NoFill) => BTreeSet::new(),
            None => {
                let mut all: Vec<_> = self
                    .tasks(request.job)
                    .filter(|(_, t)| free(t))
                    .map(|(c, t)| (t.ord, c))
                    .collect();
                all.sort_unstable();
                all.iter().take(request.limit).map(|(_, c)| *c).collect()
            }
        };
        for capture in candidates {
            let Some(task) = self.task(request.job, capture).filter(|t| free(t)) else {
                continue;
            };
            if granted.tasks.len() < request.limit {
                granted.run = run;
                granted.tasks.push(GrantedTask {
                    capture,
                    delivery: task.delivery + 1,
                    url: self.catalog.url(capture).to_owned(),
                });
            }
        }
        if !granted.tasks.is_empty() {
            self.write_grant(request, &mut granted);
        }
        granted
    }

    fn write_grant(&mut self, request: &GrantRequest, granted: &mut Granted) {
        let grant = next(&mut self.last.grant);
        granted.grant = GrantId(grant);
        let lease_until = request.now.plus(request.ttr);
        for handed in &granted.tasks {
            if let Some(task) = self.tasks.get_mut(&(request.job, handed.capture)) {
                task.delivery = handed.delivery;
                task.holder = Some(request.worker);
                task.grant = Some(grant);
                task.granted_at = request.now;
                task.lease_until = lease_until;
            }
        }
        let row = GrantRow {
            job: request.job,
            worker: request.worker,
            granted_at: request.now,
            due_at: lease_until,
            captures: granted.tasks.iter().map(|t| t.capture).collect(),
        };
        self.grants.insert(grant, row);
        self.touched.insert(request.job);
    }

    pub(super) fn free_page(
        &self,
        job: JobId,
        after: FreeCursor,
        limit: u64,
    ) -> Vec<(FreeCursor, Candidate)> {
        let Some(run) = self.jobs.get(&job).map(|j| j.job.run) else {
            return Vec::new();
        };
        let mut free: Vec<_> = self
            .tasks(job)
            .filter(|(capture, t)| is_free(t, run) && (t.ord, *capture) > after)
            .map(|(capture, t)| {
                let candidate = Candidate {
                    capture,
                    run,
                    delivery: t.delivery,
                };
                ((t.ord, capture), candidate)
            })
            .collect();
        free.sort_unstable_by_key(|(cursor, _)| *cursor);
        free.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        free
    }

    pub(super) fn meet(&mut self, who: &WorkerIdentity, now: Timestamp) -> WorkerId {
        let known = self
            .workers
            .iter_mut()
            .find(|(_, w)| w.token == who.token.0 && w.instance == who.instance);
        if let Some((id, worker)) = known {
            worker.name.clone_from(&who.name);
            worker.last_seen = now;
            return *id;
        }
        let id = WorkerId(next(&mut self.last.worker));
        let row = WorkerRow {
            token: who.token.0,
            instance: who.instance.clone(),
            name: who.name.clone(),
            pipelines: Vec::new(),
            last_seen: now,
            life: None,
        };
        self.workers.insert(id, row);
        id
    }

    pub(super) fn waiting(&self, slugs: &[String], project: Option<ProjectId>) -> Vec<WaitingJob> {
        let mut waiting: Vec<_> = self
            .jobs
            .values()
            .filter(|row| !row.deleted && row.job.status.is_active())
            .filter(|row| project.is_none_or(|p| row.job.project == p))
            .filter(|row| self.tasks(row.job.id).any(|(_, t)| is_free(t, row.job.run)))
            .filter_map(|row| {
                let job = &row.job;
                let slug = &job.pipeline.as_ref()?.1;
                (slugs.is_empty() || slugs.contains(slug)).then(|| WaitingJob {
                    waiting: Waiting {
                        job: job.id,
                        priority: job.priority,
                        since: job.started_at.unwrap_or(job.created_at),
                    },
                    slug: slug.clone(),
                })
            })
            .collect();
        waiting.sort_by_key(|j| (std::cmp::Reverse(j.waiting.priority), j.waiting.job));
        waiting.truncate(WAITING_MAX);
        waiting
    }

    pub(super) fn last_seen(&self, slug: &str) -> Option<Timestamp> {
        self.workers
            .values()
            .filter(|w| w.pipelines.iter().any(|p| p == slug))
            .map(|w| w.last_seen)
            .max()
    }
}
