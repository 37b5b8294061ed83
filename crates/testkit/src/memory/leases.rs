//! Leases between hand-out and settlement: extended, given back, kept alive by signs of life; and the heartbeat
//! that knows of gaps (docs/rules.md A1, A3, A4).

use std::{collections::BTreeSet, time::Duration};

use trapline_core::{
    CaptureId, JobId, TaskState, Timestamp,
    handout::lease::{self, Gap, LeaseEnd, RELEASES_MAX},
    ports::{Beat, Candidate, GrantKey, LeaseAnswer, LeaseChange, LeasePolicy, Pulse, SignOfLife},
    receipt::Receipt,
    timeline::Reading,
};

use super::{Db, GrantRow, Mutation, TaskRow};

/// How old the last touch may be before it is a gap.
const GAP_AFTER: Duration = Duration::from_secs(5);

impl Db {
    pub(super) fn beat(&mut self, pulse: &Pulse<'_>, reading: &Reading) -> Beat {
        let alive_at = self.timeline.alive_at;
        self.timeline = self.timeline.advance(pulse.last.as_ref(), reading);
        let now = self.timeline.alive_at.unwrap_or(reading.wall);
        let silent = alive_at.is_some_and(|at| now.since(at) > GAP_AFTER);
        if let Some(at) = alive_at.filter(|_| silent || (pulse.first && !self.clean)) {
            // There is one gap. What lived through the last one, in its grace or kept alive by signs of life since
            // then, must not be charged for it now: the two become one.
            let held_since = |to| self.grants.values().any(|g| g.granted_at < to);
            let from = self
                .gap
                .filter(|g| at < g.grace_until || held_since(g.to))
                .map_or(at, |g| g.from.min(at));
            self.gap = Some(Gap {
                from,
                to: now,
                grace_until: now.plus(pulse.grace),
            });
        }
        self.clean = false;
        Beat {
            now,
            gap: self.gap,
            timeline: self.timeline,
        }
    }

    /// A time that is no older than the last heartbeat of any node: this one may have been paused since it read `now`.
    pub(super) fn beaten(&self, now: Timestamp) -> Timestamp {
        self.timeline.alive_at.map_or(now, |at| now.max(at))
    }

    pub(super) fn mark_clean(&mut self) {
        // `alive_at` stays: after an outage it would hide it from the next start.
        self.clean = true;
    }

    pub(super) fn held_by(&self, grants: &[GrantKey]) -> Vec<Receipt> {
        let known = |g: &GrantRow| grants.contains(&g.key()) && !self.has(Mutation::KeepUnheardGrants);
        let of = self.grants.iter().filter(|(_, g)| known(g));
        of.flat_map(|(id, grant)| {
            let held = |task: &TaskRow| task.grant == Some(*id) && task.state == TaskState::Pending;
            grant.captures.iter().filter_map(move |capture| {
                let task = self.task(grant.job, *capture).filter(|t| held(t))?;
                Some(Receipt {
                    job: grant.job,
                    run: task.run,
                    capture: *capture,
                    delivery: task.delivery,
                    worker: grant.worker,
                    granted_at: grant.granted_at,
                })
            })
        })
        .collect()
    }

    pub(super) fn change_leases(
        &mut self,
        change: LeaseChange,
        receipts: &[Receipt],
        policy: &LeasePolicy,
        now: Timestamp,
    ) -> (Vec<LeaseAnswer>, Vec<(JobId, Candidate)>) {
        let mut answers = Vec::with_capacity(receipts.len());
        let mut free = Vec::new();
        let mut given_back: BTreeSet<(JobId, CaptureId)> = BTreeSet::new();
        for receipt in receipts {
            let key = (receipt.job, receipt.capture);
            let answer = if given_back.contains(&key) {
                Err("there is no such task")
            } else {
                self.judge(receipt, change, policy, now)
            };
            if answer.is_ok() {
                self.apply_change(receipt, change, policy, now);
                if change != LeaseChange::Extend {
                    given_back.insert(key);
                    let candidate = Candidate {
                        capture: receipt.capture,
                        run: receipt.run,
                        delivery: receipt.delivery,
                    };
                    free.push((receipt.job, candidate));
                }
            }
            answers.push(answer);
        }
        (answers, free)
    }

    fn judge(
        &self,
        receipt: &Receipt,
        change: LeaseChange,
        policy: &LeasePolicy,
        now: Timestamp,
    ) -> LeaseAnswer {
        let Some(task) = self.task(receipt.job, receipt.capture) else {
            return Err("there is no such task");
        };
        if task.state != TaskState::Pending {
            return Err("the task is settled");
        }
        if change == LeaseChange::Extend && self.has(Mutation::ReviveLeases) {
            return Ok(());
        }
        let newest = (task.run, task.delivery) == (receipt.run, receipt.delivery);
        if !newest || task.grant.is_none() {
            return Err("the lease is over");
        }
        let life = task
            .holder
            .and_then(|w| self.workers.get(&w))
            .and_then(|w| w.life.as_ref());
        let end = lease::lease_end(
            task.granted_at,
            task.lease_until,
            life,
            self.gap,
            policy.margin,
            now,
        );
        if let LeaseEnd::Over { .. } = end {
            return Err("the lease is over");
        }
        if change == LeaseChange::Release && task.releases >= RELEASES_MAX {
            return Err("the task was given back too often; its lease runs out by itself");
        }
        Ok(())
    }

    fn apply_change(&mut self, receipt: &Receipt, change: LeaseChange, policy: &LeasePolicy, now: Timestamp) {
        let Some(task) = self.tasks.get_mut(&(receipt.job, receipt.capture)) else {
            return;
        };
        let grant = task.grant.and_then(|id| self.grants.get_mut(&id));
        match change {
            LeaseChange::Extend => {
                let until = now.plus(policy.ttr);
                task.lease_until = task.lease_until.max(until);
                if let Some(grant) = grant {
                    grant.lease_until = grant.lease_until.max(until);
                }
            }
            // An answer that was never read was no hand-out that anybody had; it does not use up the five.
            LeaseChange::Release | LeaseChange::Undelivered => {
                task.grant = None;
                if let Some(grant) = grant {
                    grant.given_back = true;
                }
                task.releases += i64::from(change == LeaseChange::Release);
            }
        }
        self.touched.insert(receipt.job);
    }

    pub(super) fn write_signs(&mut self, signs: &[SignOfLife], policy: &LeasePolicy, now: Timestamp) {
        let gap = self.gap;
        let overwrites = self.has(Mutation::OverwriteExtendFrom);
        for sign in signs {
            let Some(worker) = self.workers.get_mut(&sign.worker) else {
                continue;
            };
            if let Some(reserved_at) = sign.reserved_at {
                let mut life = lease::extend(
                    worker.life.as_ref(),
                    gap,
                    reserved_at,
                    policy.ttr,
                    policy.margin,
                    now,
                );
                if overwrites {
                    life.extend_from = life.extend_from.max(reserved_at);
                    life.answers.clear();
                }
                worker.life = Some(life);
            }
            worker.last_seen = worker.last_seen.max(sign.seen_at);
            if !sign.pipelines.is_empty() {
                worker.pipelines.clone_from(&sign.pipelines);
            }
        }
    }
}
