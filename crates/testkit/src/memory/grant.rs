//! Handing out tasks (docs/rules.md A7), and who they go to.

use std::collections::BTreeSet;

use trapline_core::{
    CaptureId, GrantId, JobId, ProjectId, TaskState, Timestamp, WorkerId,
    choose::Waiting,
    handout::last_try::{self, Next, Turn},
    ports::{
        Candidate, FreeCursor, GrantRequest, Granted, GrantedTask, Standing, WaitingJob, Want, WorkerIdentity,
    },
};

use super::{Db, GrantRow, JobRow, Mutation, TaskRow, WorkerRow, next};

/// How many jobs a caller is shown.
const WAITING_MAX: usize = 500;

fn is_free(task: &TaskRow, run: i64) -> bool {
    task.state == TaskState::Pending && task.grant.is_none() && task.run == run
}

/// Whether the instance that tells it from others is its own, not only an address that others may share.
pub(super) fn is_one_process(worker: &WorkerRow) -> bool {
    let info = worker.client_info.as_deref().unwrap_or_default();
    let info: serde_json::Value = serde_json::from_str(info).unwrap_or_default();
    info["instance"] == worker.instance.as_str()
}

/// Whether a free task may be handed out in an answer of that kind.
fn is_of_kind(task: &TaskRow, want: Want, max_deliver: i64) -> bool {
    let is_last = last_try::is_last(task.strikes, task.delivery - task.delivery_base, max_deliver);
    let of_kind = match want {
        Want::Batch => !task.suspect,
        Want::Suspect => task.suspect && !is_last,
        Want::LastTry { .. } => task.suspect && is_last,
        Want::Alone => true,
    };
    of_kind && task.strikes < max_deliver
}

const LAST_TRY: Want = Want::LastTry { only: false };

impl Db {
    pub(super) fn grant_tasks(&mut self, request: &GrantRequest) -> Granted {
        let standing = self.standing(request.worker, request.max_deliver);
        let mut granted = Granted {
            held_back: standing.held_back || (standing.waits_for.is_some() && !request.want.is_exclusive()),
            ..Granted::default()
        };
        if granted.held_back {
            return granted;
        }
        let turn = match self.exclusive_turn(request, &mut granted) {
            Ok(turn) => turn,
            Err(()) => return granted,
        };
        let Some(run) = self.active_run(request.job) else {
            return granted;
        };
        self.pick(request, run, &mut granted);
        if !granted.tasks.is_empty() {
            self.write_grant(request, &mut granted);
            if let Some((turn, worker)) = turn.zip(self.workers.get_mut(&request.worker)) {
                worker.turn = turn;
            }
        }
        self.tell_free(request, &mut granted);
        granted
    }

    fn active_run(&self, job: JobId) -> Option<i64> {
        let active = |row: &&JobRow| !row.deleted && row.job.status.is_active();
        self.jobs.get(&job).filter(active).map(|row| row.job.run)
    }

    fn has_free(&self, job: JobId, want: Want, max_deliver: i64) -> bool {
        let run = self.active_run(job);
        self.tasks(job)
            .any(|(_, t)| run.is_some_and(|run| is_free(t, run)) && is_of_kind(t, want, max_deliver))
    }

    fn tell_free(&self, request: &GrantRequest, granted: &mut Granted) {
        granted.suspects = self.has_free(request.job, Want::Suspect, request.max_deliver);
        granted.last_tries = self.has_free(request.job, LAST_TRY, request.max_deliver);
    }

    /// The worker's turn after an exclusive hand-out, if it is to have one now; `Err` if it is to have nothing.
    fn exclusive_turn(&mut self, request: &GrantRequest, granted: &mut Granted) -> Result<Option<Turn>, ()> {
        let busy = self.is_busy(request.worker) && !self.has(Mutation::LastTryInCompany);
        let only = match request.want {
            Want::Batch | Want::Suspect => return Ok(None),
            Want::Alone if busy => return Err(()),
            Want::Alone => return Ok(None),
            Want::LastTry { only } => only,
        };
        self.tell_free(request, granted);
        let waiting = granted.last_tries;
        let Some(worker) = self.workers.get_mut(&request.worker) else {
            return Err(());
        };
        if !waiting {
            if worker.turn.waits_for == Some(request.job) {
                worker.turn.waits_for = None;
                granted.turned = true;
            }
            return Err(());
        }
        match last_try::next(worker.turn, request.job, busy, only, request.ttr, request.now) {
            Next::LastTry(turn) => Ok(Some(turn)),
            Next::Nothing(turn) => {
                granted.turned = turn != worker.turn;
                worker.turn = turn;
                granted.held_back = true;
                Err(())
            }
            Next::Batch => Err(()),
        }
    }

    fn pick(&self, request: &GrantRequest, run: i64, granted: &mut Granted) {
        let limit = match request.want {
            Want::Batch => request.limit,
            _ => request.limit.min(1),
        };
        let mixed = self.has(Mutation::SuspectInBatch) && request.want == Want::Batch;
        let free = |task: &TaskRow, want| {
            let of_kind = |want| is_of_kind(task, want, request.max_deliver);
            is_free(task, run) && (of_kind(want) || (mixed && of_kind(Want::Alone)))
        };
        let take = |captures: BTreeSet<CaptureId>, granted: &mut Granted| {
            for capture in captures {
                let task = self.task(request.job, capture).filter(|t| free(t, request.want));
                let Some(task) = task.filter(|_| granted.tasks.len() < limit) else {
                    continue;
                };
                granted.run = run;
                granted.tasks.push(GrantedTask {
                    capture,
                    delivery: task.delivery + 1,
                    url: self.catalog.url(capture).to_owned(),
                });
            }
        };
        take(request.candidates.iter().copied().collect(), granted);
        if request.fill && !(self.has(Mutation::NoFill) && request.want == Want::Batch) {
            let taken: BTreeSet<CaptureId> = granted.tasks.iter().map(|t| t.capture).collect();
            let mut all: Vec<_> = self
                .tasks(request.job)
                .filter(|(c, t)| free(t, request.want) && !taken.contains(c))
                .map(|(c, t)| (t.ord, c))
                .collect();
            all.sort_unstable();
            take(
                all.iter().take(limit - taken.len()).map(|(_, c)| *c).collect(),
                granted,
            );
        }
    }

    /// Whether the worker may be given anything.
    pub(super) fn standing(&self, worker: WorkerId, max_deliver: i64) -> Standing {
        let Some(row) = self.workers.get(&worker) else {
            return Standing::default();
        };
        let one_process = is_one_process(row);
        let held_back = self.grants.iter().any(|(id, g)| {
            let beside = |t: &TaskRow| g.exclusive || (one_process && t.suspect);
            g.worker == worker && g.suspect && self.held(*id, g).any(beside)
        });
        let waits_for = row.turn.waits_for;
        let waits_for = waits_for.filter(|job| self.has_free(*job, LAST_TRY, max_deliver));
        Standing {
            held_back: held_back || row.draining,
            waits_for,
            busy: waits_for.is_some() && self.is_busy(worker),
        }
    }

    fn is_busy(&self, worker: WorkerId) -> bool {
        let mut of_worker = self.grants.iter().filter(|(_, g)| g.worker == worker);
        of_worker.any(|(id, g)| self.held(*id, g).next().is_some())
    }

    /// The tasks that a grant holds.
    pub(super) fn held<'a>(&'a self, id: i64, grant: &'a GrantRow) -> impl Iterator<Item = &'a TaskRow> {
        let tasks = grant.captures.iter().filter_map(|c| self.task(grant.job, *c));
        tasks.filter(move |t| t.grant == Some(id) && t.state == TaskState::Pending)
    }

    fn write_grant(&mut self, request: &GrantRequest, granted: &mut Granted) {
        let grant = next(&mut self.last.grant);
        granted.grant = GrantId(grant);
        let lease_until = request.lease_until();
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
            suspect: request.want != Want::Batch,
            exclusive: request.want.is_exclusive(),
            answered: false,
            given_back: false,
        };
        self.grants.insert(grant, row);
        self.touched.insert(request.job);
    }

    pub(super) fn pending_page(&self, job: JobId, after: FreeCursor, limit: u64) -> Vec<FreeCursor> {
        let pending = self
            .tasks(job)
            .filter(|(_, t)| t.state == TaskState::Pending)
            .map(|(capture, t)| (t.ord, capture))
            .filter(|cursor| *cursor > after);
        let mut pending: Vec<_> = pending.collect();
        pending.sort_unstable();
        pending.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        pending
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
            turn: Turn::default(),
            draining: false,
        };
        self.workers.insert(id, row);
        id
    }

    pub(super) fn is_waiting(&self, job: JobId, max_deliver: i64) -> bool {
        let granted = |task: &TaskRow, run| is_free(task, run) && task.strikes < max_deliver;
        self.jobs
            .get(&job)
            .filter(|row| !row.deleted && row.job.status.is_active())
            .is_some_and(|row| self.tasks(job).any(|(_, t)| granted(t, row.job.run)))
    }

    pub(super) fn waiting(
        &self,
        slugs: &[String],
        project: Option<ProjectId>,
        max_deliver: i64,
    ) -> Vec<WaitingJob> {
        let mut waiting: Vec<_> = self
            .jobs
            .values()
            .filter(|row| project.is_none_or(|p| row.job.project == p))
            .filter(|row| self.is_waiting(row.job.id, max_deliver))
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
