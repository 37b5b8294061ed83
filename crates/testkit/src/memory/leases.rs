//! Leases between hand-out and settlement: extended, given back, kept alive by signs of life; and the heartbeat
//! that knows of gaps (docs/rules.md A1, A3, A4).

use trapline_core::{
    GrantId, JobId, TaskState, Timestamp,
    handout::lease,
    plan::{
        TaskKey,
        leases::{self, Cluster, LeaseRow},
    },
    ports::{Beat, Candidate, GrantKey, LeaseAnswer, LeaseChange, LeasePolicy, Pulse, SignOfLife},
    receipt::Receipt,
    timeline::Reading,
};

use super::{Db, GrantRow, Mutation, TaskRow};

impl Db {
    pub(super) fn beat(&mut self, pulse: &Pulse<'_>, reading: &Reading) -> Beat {
        let held_since = |to| self.grants.values().any(|g| g.granted_at < to);
        let cluster = Cluster {
            timeline: self.timeline,
            gap: self.gap,
            clean: self.clean,
            held: self.gap.is_some_and(|g| held_since(g.to)),
        };
        let beat = leases::beat(&cluster, pulse, reading);
        (self.timeline, self.gap, self.clean) = (beat.timeline, beat.gap, false);
        beat
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
        let known = |g: &GrantRow| grants.contains(&g.key()) && !self.has(Mutation::KeepLostReplies);
        let of = self.grants.iter().filter(|(_, g)| known(g));
        let held = of.flat_map(|(id, grant)| {
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
        });
        let mut receipts: Vec<_> = held.collect();
        receipts.sort_by_key(|r| (r.job, r.capture));
        receipts
    }

    pub(super) fn change_leases(
        &mut self,
        change: LeaseChange,
        receipts: &[Receipt],
        policy: &LeasePolicy,
        now: Timestamp,
    ) -> (Vec<LeaseAnswer>, Vec<(JobId, Candidate)>) {
        let rows = receipts
            .iter()
            .filter_map(|r| Some((r.task(), self.lease_row(r, change)?)));
        let plan = leases::plan(receipts, rows.collect(), change, self.gap, policy, now);
        for key in &plan.tasks {
            self.apply_change(*key, change, policy, now);
        }
        (plan.answers, plan.free)
    }

    fn lease_row(&self, receipt: &Receipt, change: LeaseChange) -> Option<LeaseRow> {
        let task = self.tasks.get(&receipt.task())?;
        let worker = task.holder.and_then(|w| self.workers.get(&w));
        let row = LeaseRow {
            state: task.state,
            run: task.run,
            delivery: task.delivery,
            grant: task.grant.map(GrantId),
            granted_at: task.granted_at,
            lease_until: task.lease_until,
            releases: task.releases,
            life: worker.and_then(|w| w.life.clone()),
        };
        if change != LeaseChange::Extend || !self.has(Mutation::ReviveLeases) {
            return Some(row);
        }
        // As if the lease lived, whatever its deadline was and whoever holds the task now.
        Some(LeaseRow {
            run: receipt.run,
            delivery: receipt.delivery,
            grant: row.grant.or(Some(GrantId(0))),
            lease_until: Timestamp(i64::MAX / 2),
            ..row
        })
    }

    fn apply_change(&mut self, key: TaskKey, change: LeaseChange, policy: &LeasePolicy, now: Timestamp) {
        let Some(task) = self.tasks.get_mut(&key) else {
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
        self.touched.insert(key.0);
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
