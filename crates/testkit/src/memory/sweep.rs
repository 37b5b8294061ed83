//! The sweep (docs/rules.md A3 to A6, A17): ends leases that are over, as `plan::sweep` decides, which may be a strike or a
//! lost task; finishes cancels that a crash cut short.

use std::{collections::BTreeSet, time::Duration};

use trapline_core::{
    CaptureId, FailReason, GrantId, JobId, JobStatus, TaskState, Timestamp, WorkerId,
    handout::lease,
    job::JobMove,
    plan::{
        lost::{By, IdleTask},
        settle::Deltas,
        sweep::{self, DueGrant, EndedTask, HeldTask, SweepPlan},
    },
    ports::{LeasePolicy, Level, QueueCounters, Swept},
};

use super::{Db, GrantRow, Mutation, counts, grant::is_one_process};

/// How old a CANCELING job must be before the sweep finishes it.
const CANCEL_AFTER: Duration = Duration::from_secs(10);

impl Db {
    /// Without evidence nothing is lost: on a copy of the rows it is seen who would lose.
    pub(super) fn sweep_or_ask(
        &mut self,
        policy: &LeasePolicy,
        queues: Option<&QueueCounters>,
        now: Timestamp,
    ) -> Swept {
        // Only the end of a last try loses anything; a planted bug may lose whatever it likes.
        let bug = self.mutation.is_some();
        let mut grants = self.grants.values();
        let may_lose = grants.any(|g| g.due_at <= now && (g.exclusive || bug));
        match queues {
            Some(queues) => self.sweep_slice(policy, queues, now),
            None if !may_lose => self.sweep_slice(policy, &QueueCounters::new(), now),
            None => {
                let mut copy = self.clone();
                let swept = copy.sweep_slice(policy, &QueueCounters::new(), now);
                let losing = swept.touched.iter().filter(|t| !t.settled.is_empty());
                let losing: Vec<JobId> = losing.map(|t| t.job).collect();
                if losing.is_empty() {
                    *self = copy;
                    return swept;
                }
                Swept {
                    losing,
                    ..Swept::default()
                }
            }
        }
    }

    fn sweep_slice(&mut self, policy: &LeasePolicy, queues: &QueueCounters, now: Timestamp) -> Swept {
        let mut swept = self.end_due(None, By::Sweep(Some(queues)), policy, now);
        self.give_last_tries(policy, now);
        if self.shows(Mutation::LoseNeverHandedOut, 10) {
            self.lose_never_handed_out(&mut swept, now);
        }
        self.finish_cancels(now);
        swept
    }

    /// Ends leases that have expired: of every job, or of one and whatever else its workers hold.
    pub(super) fn end_due(
        &mut self,
        only: Option<JobId>,
        by: By<'_>,
        policy: &LeasePolicy,
        now: Timestamp,
    ) -> Swept {
        let (due, more) = self.due(only, now);
        let held = self.held_tasks(&due);
        let (due, held, gap) = self.mutated(due, held);
        let plan = sweep::plan(&due, &held, gap, policy, now);
        let mut swept = Swept {
            more,
            ..Swept::default()
        };
        self.write_ended(&plan.ended, now);
        self.write_grants(&plan);
        self.log_lines(&plan.lines, now);
        self.touched.extend(due.iter().map(|grant| grant.job));
        for (job, deltas) in &plan.deltas {
            self.count_lost(*job, *deltas, plan.lost_of(*job), &mut swept, now);
            let touched = swept.touched.last().filter(|touched| touched.job == *job);
            if let Some(touched) = touched.filter(|_| by.tells(*job)) {
                self.note_lost(touched, by.at_lease_end(policy), by.queue(*job), now);
            }
        }
        swept.freed = plan.freed;
        swept.unanswered = plan.unanswered;
        swept
    }

    pub(super) fn count_lost(
        &mut self,
        job: JobId,
        deltas: Deltas,
        settled: Vec<(CaptureId, bool)>,
        swept: &mut Swept,
        now: Timestamp,
    ) {
        let change = counts::Change {
            job,
            deltas,
            total: None,
            by_result: false,
        };
        if let Some(mut touched) = self.apply(&change, now) {
            touched.settled = settled;
            swept.touched.push(touched);
        }
    }

    fn due(&self, only: Option<JobId>, now: Timestamp) -> (Vec<DueGrant>, bool) {
        let due = || self.grants.iter().filter(|(_, g)| g.due_at <= now);
        let of_job = due().filter(|(_, g)| only.is_none_or(|job| g.job == job));
        let workers: BTreeSet<WorkerId> = of_job.map(|(_, g)| g.worker).collect();
        let mut all: Vec<_> = due().filter(|(_, g)| workers.contains(&g.worker)).collect();
        all.sort_unstable_by_key(|(id, g)| (g.due_at, **id));
        let mut tasks = 0;
        let mut slice = Vec::new();
        for (id, grant) in all {
            if tasks > 0 && tasks + grant.captures.len() > self.slice_rows {
                return (slice, true);
            }
            tasks += grant.captures.len();
            slice.push(self.due_grant(*id, grant));
        }
        (slice, false)
    }

    fn due_grant(&self, id: i64, grant: &GrantRow) -> DueGrant {
        let worker = self.workers.get(&grant.worker);
        DueGrant {
            id: GrantId(id),
            job: grant.job,
            worker: grant.worker,
            name: self.name_of(grant.worker).to_owned(),
            granted_at: grant.granted_at,
            lease_until: grant.lease_until,
            answered: grant.answered,
            exclusive: grant.exclusive,
            one_process: worker.is_some_and(is_one_process),
            given_back: grant.given_back,
            charged_until: worker.and_then(|w| w.charged_until),
            life: worker.and_then(|w| w.life.clone()),
        }
    }

    fn held_tasks(&self, due: &[DueGrant]) -> Vec<HeldTask> {
        let mut held = Vec::new();
        for grant in due {
            let captures = self.grants.get(&grant.id.0).map(|g| &g.captures);
            for capture in captures.into_iter().flatten() {
                let key = (grant.job, *capture);
                let (Some(task), Some(job)) = (self.tasks.get(&key), self.jobs.get(&grant.job)) else {
                    continue;
                };
                if task.grant != Some(grant.id.0) || task.state != TaskState::Pending {
                    continue;
                }
                held.push(HeldTask {
                    grant: grant.id,
                    key,
                    run: task.run,
                    delivery: task.delivery,
                    delivery_base: task.delivery_base,
                    strikes: task.strikes,
                    suspect: task.suspect,
                    returns: task.returns,
                    lease_until: task.lease_until,
                    history: task.history.clone(),
                    status: job.job.status,
                    job_run: job.job.run,
                });
            }
        }
        // By task, not by grant: what is logged and freed has the order of the tasks.
        held.sort_by_key(|task| task.key);
        held
    }

    /// What the sweep would be told if the planted bug were in it.
    fn mutated(
        &self,
        mut due: Vec<DueGrant>,
        mut held: Vec<HeldTask>,
    ) -> (Vec<DueGrant>, Vec<HeldTask>, Option<lease::Gap>) {
        if self.has(Mutation::ChargeHeldAhead) {
            due.iter_mut().for_each(|grant| grant.one_process = false);
        }
        if !self.has(Mutation::StrikeForOutage) {
            return (due, held, self.gap);
        }
        // Every lease ends when it would, but as if there had been no gap.
        for grant in &mut due {
            let life = grant.life.take().filter(|_| !grant.exclusive);
            let until = |at| lease::deadline(grant.granted_at, at, life.as_ref(), self.gap).0;
            let tasks = held.iter_mut().filter(|task| task.grant == grant.id);
            tasks.for_each(|task| task.lease_until = until(task.lease_until));
            grant.lease_until = until(grant.lease_until);
        }
        (due, held, None)
    }

    /// Writes the ends of leases.
    pub(super) fn write_ended(&mut self, ended: &[EndedTask], now: Timestamp) {
        for end in ended {
            let Some(task) = self.tasks.get_mut(&end.key) else {
                continue;
            };
            (task.strikes, task.history) = (end.strikes, end.history.clone());
            if end.suspect {
                // Of a suspect that dies again the first death stays: an answer to that one clears the others.
                if !task.suspect {
                    task.died = task.grant.map(|grant| (GrantId(grant), task.delivery));
                }
                task.suspect = true;
            }
            task.returns += i64::from(end.returned);
            task.grant = None;
            if let Some(detail) = &end.lost {
                task.state = TaskState::Failed;
                task.reason = Some(FailReason::Lost);
                task.detail = Some(detail.clone());
                task.settled_at = Some(now);
            }
        }
    }

    /// Which deaths were charged; grants with live leases are looked at again when the first may end, the others are done.
    fn write_grants(&mut self, plan: &SweepPlan) {
        for (worker, until) in &plan.charged {
            if let Some(row) = self.workers.get_mut(worker) {
                row.charged_until = Some(*until);
            }
        }
        for (grant, at) in &plan.again {
            if let Some(row) = self.grants.get_mut(&grant.0) {
                row.due_at = *at;
            }
        }
        for grant in &plan.done {
            self.grants.remove(&grant.0);
        }
    }

    fn lose_never_handed_out(&mut self, swept: &mut Swept, now: Timestamp) {
        let first = self.tasks.iter().find(|((job, _), t)| {
            t.state == TaskState::Pending
                && t.delivery == t.delivery_base
                && self
                    .jobs
                    .get(job)
                    .is_some_and(|j| j.job.status.is_active() && t.run == j.job.run)
        });
        let Some((key, _)) = first else { return };
        let task = IdleTask {
            key: *key,
            strikes: 0,
            history: String::new(),
        };
        self.lose(vec![task], swept, now);
    }

    fn finish_cancels(&mut self, now: Timestamp) {
        let stuck: Vec<JobId> = self
            .jobs
            .values()
            .filter(|j| !j.deleted && j.job.status == JobStatus::Canceling)
            .filter(|j| j.job.updated_at <= now.minus(CANCEL_AFTER))
            .map(|j| j.job.id)
            .collect();
        for job in stuck {
            self.move_one(job, JobMove::Revoke, now);
            let line = "Cancel finished by the sweep".to_owned();
            self.log_line(job, Level::Warning, line, None, now);
        }
    }
}
