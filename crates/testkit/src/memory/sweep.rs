//! The sweep: leases that are over become strikes, exhausted tasks are settled `lost`, cancels that a crash cut short
//! are finished (RULES.md A3 to A5, A17).

use std::{collections::BTreeMap, time::Duration};

use trapline_core::{
    CaptureId, FailReason, JobId, JobStatus, TaskState, Timestamp,
    job::JobMove,
    lease::{self, LeaseEnd},
    ports::{Candidate, LeasePolicy, Level, Swept},
    settle::Deltas,
    task::{DETAIL_MAX_CHARS, cut},
};

use super::{Db, Mutation, counts};

/// How old a CANCELING job must be before the sweep finishes it.
const CANCEL_AFTER: Duration = Duration::from_secs(10);

/// What became of a lease.
enum End {
    Alive(Timestamp),
    Free(Candidate),
    /// Its task belongs to an older run, or to a job that has stopped.
    Nothing,
    Lost,
}

impl Db {
    pub(super) fn sweep_slice(&mut self, policy: &LeasePolicy, now: Timestamp) -> Swept {
        let mut swept = Swept::default();
        let mut lost: BTreeMap<JobId, Vec<CaptureId>> = BTreeMap::new();
        let (due, more) = self.due(now);
        swept.more = more;
        for id in due {
            self.end_grant(id, policy, now, &mut swept, &mut lost);
        }
        if self.shows(Mutation::LoseNeverHandedOut, 10) {
            self.lose_never_handed_out(&mut lost, now);
        }
        for (job, captures) in lost {
            let change = counts::Change {
                job,
                deltas: Deltas {
                    failed: captures.len() as i64,
                    ..Deltas::default()
                },
                total: None,
                by_result: false,
            };
            if let Some(mut touched) = self.apply(&change, now) {
                touched.settled = captures.into_iter().map(|c| (c, true)).collect();
                swept.touched.push(touched);
            }
        }
        self.finish_cancels(now);
        swept
    }

    fn due(&self, now: Timestamp) -> (Vec<i64>, bool) {
        let mut all: Vec<_> = self
            .grants
            .iter()
            .filter(|(_, g)| g.due_at <= now)
            .map(|(id, g)| (g.due_at, *id, g.captures.len()))
            .collect();
        all.sort_unstable();
        let mut tasks = 0;
        let mut due = Vec::new();
        for (_, id, n) in &all {
            if tasks > 0 && tasks + n > self.slice_rows {
                return (due, true);
            }
            tasks += n;
            due.push(*id);
        }
        (due, false)
    }

    fn end_grant(
        &mut self,
        id: i64,
        policy: &LeasePolicy,
        now: Timestamp,
        swept: &mut Swept,
        lost: &mut BTreeMap<JobId, Vec<CaptureId>>,
    ) {
        let Some(grant) = self.grants.get(&id) else { return };
        let (job, captures) = (grant.job, grant.captures.clone());
        let mut again: Option<Timestamp> = None;
        for capture in captures {
            match self.end_lease(id, (job, capture), policy, now) {
                End::Alive(at) => again = Some(again.map_or(at, |a| a.min(at))),
                End::Free(candidate) => swept.freed.push((job, candidate)),
                End::Lost => lost.entry(job).or_default().push(capture),
                End::Nothing => {}
            }
        }
        match (again, self.grants.get_mut(&id)) {
            (Some(at), Some(grant)) => grant.due_at = at,
            _ => {
                self.grants.remove(&id);
            }
        }
        self.touched.insert(job);
    }

    fn end_lease(
        &mut self,
        grant: i64,
        key: (JobId, CaptureId),
        policy: &LeasePolicy,
        now: Timestamp,
    ) -> End {
        let strike_for_outage = self.has(Mutation::StrikeForOutage);
        let Some(held) = self.grants.get(&grant) else {
            return End::Nothing;
        };
        let (granted_at, worker) = (held.granted_at, self.workers.get(&held.worker));
        let life = worker.and_then(|w| w.life);
        let name = worker.map_or("unknown worker", |w| w.name.as_str());
        let (Some(job), Some(task)) = (self.jobs.get(&key.0), self.tasks.get_mut(&key)) else {
            return End::Nothing;
        };
        if task.grant != Some(grant) || task.state != TaskState::Pending {
            return End::Nothing;
        }
        let end = lease::lease_end(granted_at, task.lease_until, life, self.gap, policy.margin, now);
        let strike = match end {
            LeaseEnd::Alive(at) => return End::Alive(at),
            LeaseEnd::Over { strike } => strike || strike_for_outage,
        };
        if strike {
            task.strikes += 1;
            let sep = if task.history.is_empty() { "" } else { ", " };
            task.history = cut(
                &format!("{}{sep}{name} at {granted_at}", task.history),
                DETAIL_MAX_CHARS,
            );
        }
        task.grant = None;
        let attempts = task.delivery - task.delivery_base;
        let current = task.run == job.job.run;
        // Tasks of a stopped job stay pending, and those of an older run are about to be reset.
        if current
            && job.job.status.is_running()
            && lease::exhausted(task.strikes, attempts, policy.max_deliver)
        {
            let detail = format!(
                "no answer after {attempts} hand-out(s), {} of them counted: to {}",
                task.strikes, task.history
            );
            self.lose(key, detail, now);
            End::Lost
        } else if current {
            End::Free(Candidate {
                capture: key.1,
                run: task.run,
                delivery: task.delivery,
            })
        } else {
            End::Nothing
        }
    }

    fn lose(&mut self, (job, capture): (JobId, CaptureId), detail: String, now: Timestamp) {
        let line = format!("Image {capture} failed (lost): {detail}");
        if let Some(task) = self.tasks.get_mut(&(job, capture)) {
            task.state = TaskState::Failed;
            task.reason = Some(FailReason::Lost);
            task.detail = Some(detail);
            task.settled_at = Some(now);
        }
        self.log_line(job, Level::Error, line, Some(capture), now);
    }

    fn lose_never_handed_out(&mut self, lost: &mut BTreeMap<JobId, Vec<CaptureId>>, now: Timestamp) {
        let first = self.tasks.iter().find(|((job, _), t)| {
            t.state == TaskState::Pending
                && t.delivery == t.delivery_base
                && self
                    .jobs
                    .get(job)
                    .is_some_and(|j| j.job.status.is_active() && t.run == j.job.run)
        });
        let Some((key, _)) = first else { return };
        let key = *key;
        self.lose(key, "idle".to_owned(), now);
        lost.entry(key.0).or_default().push(key.1);
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
