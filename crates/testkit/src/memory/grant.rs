//! Handing out tasks (RULES.md A7), and who they go to.

use std::collections::BTreeSet;

use trapline_core::{
    CaptureId, GrantId, JobId, ProjectId, TaskState, Timestamp, WorkerId,
    choose::Waiting,
    ports::{Candidate, FreeCursor, GrantRequest, Granted, GrantedTask, WaitingJob, Want, WorkerIdentity},
};

use super::{Db, GrantRow, JobRow, Mutation, TaskRow, WorkerRow, next};

/// How many jobs a caller is shown.
const WAITING_MAX: usize = 500;

fn is_free(task: &TaskRow, run: i64) -> bool {
    task.state == TaskState::Pending && task.grant.is_none() && task.run == run
}

/// Whether the instance that tells it from others is its own, not only an address that others may share.
fn is_one_process(worker: &WorkerRow) -> bool {
    let info = worker.client_info.as_deref().unwrap_or_default();
    let info: serde_json::Value = serde_json::from_str(info).unwrap_or_default();
    info["instance"] == worker.instance.as_str()
}

impl Db {
    pub(super) fn grant_tasks(&mut self, request: &GrantRequest) -> Granted {
        let mut granted = Granted {
            held_back: self.holds_suspect(request.worker),
            ..Granted::default()
        };
        let active = |row: &&JobRow| !row.deleted && row.job.status.is_active();
        let run = self.jobs.get(&request.job).filter(active).map(|row| row.job.run);
        let Some(run) = run.filter(|_| !granted.held_back) else {
            return granted;
        };
        let limit = match request.want {
            Want::Batch => request.limit,
            Want::Suspect => request.limit.min(1),
        };
        let mixed = self.has(Mutation::SuspectInBatch);
        let free = |task: &TaskRow, want| {
            let of_kind = task.suspect == (want == Want::Suspect) || (mixed && want == Want::Batch);
            is_free(task, run) && task.strikes < request.max_deliver && of_kind
        };
        let candidates: BTreeSet<CaptureId> = match &request.candidates {
            Some(proposed) => proposed.iter().copied().collect(),
            None if self.has(Mutation::NoFill) && request.want == Want::Batch => BTreeSet::new(),
            None => {
                let mut all: Vec<_> = self
                    .tasks(request.job)
                    .filter(|(_, t)| free(t, request.want))
                    .map(|(c, t)| (t.ord, c))
                    .collect();
                all.sort_unstable();
                all.iter().take(limit).map(|(_, c)| *c).collect()
            }
        };
        for capture in candidates {
            let Some(task) = self.task(request.job, capture).filter(|t| free(t, request.want)) else {
                continue;
            };
            if granted.tasks.len() < limit {
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
        granted.suspects = self.tasks(request.job).any(|(_, t)| free(t, Want::Suspect));
        granted
    }

    /// Whether the worker is one process and holds a suspect.
    pub(super) fn holds_suspect(&self, worker: WorkerId) -> bool {
        self.workers.get(&worker).is_some_and(is_one_process)
            && self.grants.iter().any(|(id, g)| {
                let held = |t: &TaskRow| t.grant == Some(*id) && t.state == TaskState::Pending && t.suspect;
                g.worker == worker
                    && g.suspect
                    && g.captures.iter().any(|c| self.task(g.job, *c).is_some_and(held))
            })
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
            lease_until,
            due_at: lease_until,
            captures: granted.tasks.iter().map(|t| t.capture).collect(),
            suspect: request.want == Want::Suspect,
            answered: false,
            given_back: false,
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
            if who.client_info.is_some() {
                worker.client_info.clone_from(&who.client_info);
            }
            return *id;
        }
        let id = WorkerId(next(&mut self.last.worker));
        let row = WorkerRow {
            token: who.token.0,
            instance: who.instance.clone(),
            name: who.name.clone(),
            client_info: who.client_info.clone(),
            pipelines: Vec::new(),
            last_seen: now,
            life: None,
            charged_until: None,
        };
        self.workers.insert(id, row);
        id
    }

    pub(super) fn waiting(
        &self,
        slugs: &[String],
        project: Option<ProjectId>,
        max_deliver: i64,
    ) -> Vec<WaitingJob> {
        let granted = |task: &TaskRow, run| is_free(task, run) && task.strikes < max_deliver;
        let mut waiting: Vec<_> = self
            .jobs
            .values()
            .filter(|row| !row.deleted && row.job.status.is_active())
            .filter(|row| project.is_none_or(|p| row.job.project == p))
            .filter(|row| self.tasks(row.job.id).any(|(_, t)| granted(t, row.job.run)))
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
}
