//! Ends leases that have expired (docs/rules.md A3 to A6): from the grants that are due and the
//! tasks that they hold to the rows, counters and log lines that a store writes.

use std::collections::{BTreeMap, HashMap};

use super::{
    TaskKey,
    lost::{failed_line, lost_detail},
    settle::Deltas,
};
use crate::{
    CaptureId, FailReason, GrantId, JobId, JobStatus, Timestamp, WorkerId,
    failures::{Kind, Tally},
    handout::{
        death::{self, EndedGrant, GrantEnd, Unanswered},
        known::noted,
        lease::{self, Gap, LeaseEnd, SignsOfLife},
    },
    ports::{Candidate, LeasePolicy, Level, LogLine},
    task::{DETAIL_MAX_CHARS, cut},
};

/// A grant of which a lease may have expired, with its worker.
#[derive(Clone, Debug)]
pub struct DueGrant {
    /// Its row.
    pub id: GrantId,
    /// Its job.
    pub job: JobId,
    /// The worker that holds it.
    pub worker: WorkerId,
    /// What people call that worker.
    pub name: String,
    /// When it was handed out.
    pub granted_at: Timestamp,
    /// The latest deadline of its leases, without signs of life.
    pub lease_until: Timestamp,
    /// Whether any task of it was answered.
    pub answered: bool,
    /// Whether its worker holds nothing else.
    pub exclusive: bool,
    /// Whether its worker is one process.
    pub one_process: bool,
    /// Whether a task of it was given back.
    pub given_back: bool,
    /// Until when the lease ran of the last grant that was charged as the worker's death.
    pub charged_until: Option<Timestamp>,
    /// The worker's signs of life. They extend no exclusive grant: answers to what was handed out before say nothing of it.
    pub life: Option<SignsOfLife>,
}

/// A task that a due grant holds.
#[derive(Clone, Debug)]
pub struct HeldTask {
    /// The grant.
    pub grant: GrantId,
    /// Job and capture.
    pub key: TaskKey,
    /// The run that the row belongs to.
    pub run: i64,
    /// The newest hand-out.
    pub delivery: i64,
    /// Hand-outs before this run.
    pub delivery_base: i64,
    /// Strikes in this run.
    pub strikes: i64,
    /// Whether it is suspect.
    pub suspect: bool,
    /// How often it went back uncharged.
    pub returns: i64,
    /// The deadline of its lease, without signs of life.
    pub lease_until: Timestamp,
    /// The workers that did not answer.
    pub history: String,
    /// The job's status.
    pub status: JobStatus,
    /// The job's run.
    pub job_run: i64,
}

/// A task whose lease has expired, as its row will be.
#[derive(Clone, Debug)]
pub struct EndedTask {
    /// Job and capture.
    pub key: TaskKey,
    /// Strikes in this run.
    pub strikes: i64,
    /// The workers that did not answer.
    pub history: String,
    /// Why it is settled as lost, if it is.
    pub lost: Option<String>,
    /// Whether it becomes suspect.
    pub suspect: bool,
    /// Whether it goes back uncharged.
    pub returned: bool,
}

/// What a sweep writes.
#[derive(Clone, Debug, Default)]
pub struct SweepPlan {
    /// Tasks whose leases have expired, by key.
    pub ended: Vec<EndedTask>,
    /// Tasks that can be handed out again.
    pub freed: Vec<(JobId, Candidate)>,
    /// Workers with a death that is charged now, and until when the lease of that grant ran.
    pub charged: Vec<(WorkerId, Timestamp)>,
    /// Lines for the logs of jobs.
    pub lines: Vec<LogLine>,
    /// How the counters of jobs change.
    pub deltas: BTreeMap<JobId, Deltas>,
    /// How the groups of failures change.
    pub tally: Tally,
    /// How many hand-outs of each worker ended without an answer that is excused.
    pub unanswered: BTreeMap<WorkerId, u64>,
    /// Grants that hold nothing any more.
    pub done: Vec<GrantId>,
    /// Grants with live leases, and when to look at them again.
    pub again: Vec<(GrantId, Timestamp)>,
}

impl SweepPlan {
    /// The tasks of a job that are settled as lost.
    #[must_use]
    pub fn lost_of(&self, job: JobId) -> Vec<(CaptureId, bool)> {
        let lost = self.ended.iter().filter(|t| t.key.0 == job && t.lost.is_some());
        lost.map(|t| (t.key.1, true)).collect()
    }
}

/// Judges the grants that are due; `held` are the tasks that they still hold.
#[must_use]
pub fn plan(
    due: &[DueGrant],
    held: &[HeldTask],
    gap: Option<Gap>,
    policy: &LeasePolicy,
    now: Timestamp,
) -> SweepPlan {
    let mut plan = SweepPlan::default();
    let looked = Looked::at(due, held, gap, policy, now);
    let ends = deaths(due, &looked.grants, &mut plan);
    let mut struck: HashMap<GrantId, usize> = HashMap::new();
    for expired in &looked.expired {
        let grant = &due[expired.grant];
        if expired.strike {
            *struck.entry(grant.id).or_default() += 1;
            *plan.unanswered.entry(grant.worker).or_default() += 1;
        }
        let end = ends.get(&grant.id).filter(|_| expired.strike).copied();
        plan.end(expired.task, grant, end, policy);
    }
    plan.ended.sort_by_key(|task| task.key);
    plan.tell(due, &ends, &struck);
    for (grant, look) in due.iter().zip(&looked.grants) {
        match look.again {
            Some(at) => plan.again.push((grant.id, at)),
            None => plan.done.push(grant.id),
        }
    }
    plan
}

/// What a look at one grant finds.
#[derive(Clone, Copy, Debug, Default)]
struct Look {
    /// When to look at it again, if any of its leases is alive.
    again: Option<Timestamp>,
    /// The last deadline of its leases that have expired. Also of those that lived through an outage, whose end is no
    /// strike: its worker may have died on it, and what it held besides must not be charged for that.
    ended_at: Option<Timestamp>,
}

impl Look {
    /// Notes a lease until then; if it has expired, returns whether that is a strike.
    fn note(
        &mut self,
        grant: &DueGrant,
        until: Timestamp,
        gap: Option<Gap>,
        policy: &LeasePolicy,
        now: Timestamp,
    ) -> Option<bool> {
        let life = grant.life.as_ref().filter(|_| !grant.exclusive);
        match lease::lease_end(grant.granted_at, until, life, gap, policy.margin, now) {
            LeaseEnd::Alive(at) => {
                self.again = Some(self.again.map_or(at, |again| again.min(at)));
                None
            }
            LeaseEnd::Over { strike } => {
                let (deadline, _) = lease::deadline(grant.granted_at, until, life, gap);
                self.ended_at = self.ended_at.max(Some(deadline));
                Some(strike)
            }
        }
    }
}

/// A lease that has expired.
struct Expired<'t> {
    task: &'t HeldTask,
    /// The index of its grant.
    grant: usize,
    strike: bool,
}

/// The leases that have expired, and what was seen of each grant.
struct Looked<'t> {
    grants: Vec<Look>,
    expired: Vec<Expired<'t>>,
}

impl<'t> Looked<'t> {
    /// A grant whose tasks were all taken from it (by a new run, or by a late answer to an older hand-out) ends when its
    /// leases would have: its worker may have died on it.
    fn at(
        due: &[DueGrant],
        held: &'t [HeldTask],
        gap: Option<Gap>,
        policy: &LeasePolicy,
        now: Timestamp,
    ) -> Self {
        let by_id: HashMap<GrantId, usize> = due.iter().enumerate().map(|(at, g)| (g.id, at)).collect();
        let mut grants = vec![Look::default(); due.len()];
        let mut expired = Vec::new();
        // Those that hold no task any more, of which none was answered or given back.
        let mut bare: Vec<bool> = due.iter().map(|g| !g.answered && !g.given_back).collect();
        for task in held {
            let Some(&grant) = by_id.get(&task.grant) else {
                continue;
            };
            bare[grant] = false;
            if let Some(strike) = grants[grant].note(&due[grant], task.lease_until, gap, policy, now) {
                expired.push(Expired { task, grant, strike });
            }
        }
        for ((look, grant), _) in grants.iter_mut().zip(due).zip(bare).filter(|(_, bare)| *bare) {
            look.note(grant, grant.lease_until, gap, policy, now);
        }
        Self { grants, expired }
    }
}

/// What the end of each grant is, if any lease of it has expired; notes which deaths were charged.
fn deaths(due: &[DueGrant], looks: &[Look], plan: &mut SweepPlan) -> BTreeMap<GrantId, GrantEnd> {
    let ended = |(grant, look): (&DueGrant, &Look)| {
        Some(EndedGrant {
            grant: grant.id,
            worker: grant.worker,
            granted_at: grant.granted_at,
            ended_at: look.ended_at?,
            answered: grant.answered,
            alive: look.again.is_some(),
            one_process: grant.one_process,
        })
    };
    let grants: Vec<EndedGrant> = due.iter().zip(looks).filter_map(ended).collect();
    let until = |grant: &DueGrant| grant.charged_until.map(|until| (grant.worker, until));
    let before: HashMap<WorkerId, Timestamp> = due.iter().filter_map(until).collect();
    let mut charged = before.clone();
    let ends = death::charge(&grants, &mut charged);
    plan.charged = charged
        .into_iter()
        .filter(|(worker, until)| before.get(worker) != Some(until))
        .collect();
    plan.charged.sort_unstable();
    grants.iter().map(|g| g.grant).zip(ends).collect()
}

impl SweepPlan {
    /// Ends one lease; `end` is `None` if that costs its task nothing.
    fn end(&mut self, task: &HeldTask, grant: &DueGrant, end: Option<GrantEnd>, policy: &LeasePolicy) {
        let attempts = task.delivery - task.delivery_base;
        let before = Unanswered {
            exclusive: grant.exclusive,
            suspect: task.suspect,
            strikes: task.strikes,
            attempts,
            returns: task.returns,
        };
        let cost = death::task_end(end, &before, policy.max_deliver);
        let strikes = task.strikes + i64::from(cost.strike);
        let mut history = task.history.clone();
        if end.is_some() && !cost.returned {
            let with = noted(&history, &grant.name, grant.granted_at);
            history = cut(&with, DETAIL_MAX_CHARS);
        }
        let (job, capture) = task.key;
        let current = task.run == task.job_run;
        // Tasks of a stopped job stay pending, and those of an older run are about to be reset.
        let lost = (current && task.status.is_running() && cost.lost)
            .then(|| lost_detail(attempts, strikes, &history));
        if let Some(lost) = &lost {
            self.deltas.entry(job).or_default().failed += 1;
            let kind = Kind::of(FailReason::Lost, lost);
            self.tally.add((job, task.run), kind, capture);
            self.lines.push(failed_line(task.key, FailReason::Lost, lost));
        } else if current {
            let candidate = Candidate {
                capture,
                run: task.run,
                delivery: task.delivery,
            };
            self.freed.push((job, candidate));
        }
        self.ended.push(EndedTask {
            key: task.key,
            strikes,
            history,
            lost,
            suspect: cost.suspect,
            returned: cost.returned,
        });
    }

    /// A line in the job's log for each grant that died or was held ahead, with the number of its tasks.
    fn tell(
        &mut self,
        due: &[DueGrant],
        ends: &BTreeMap<GrantId, GrantEnd>,
        struck: &HashMap<GrantId, usize>,
    ) {
        for grant in due {
            let (Some(end), Some(&n)) = (ends.get(&grant.id), struck.get(&grant.id)) else {
                continue;
            };
            let (level, message) = match end {
                GrantEnd::Strike => continue,
                GrantEnd::Charged => (
                    Level::Warning,
                    death::charged_line(&grant.name, grant.granted_at, n, grant.exclusive),
                ),
                GrantEnd::HeldAhead => (
                    Level::Info,
                    death::held_ahead_line(&grant.name, grant.granted_at, n),
                ),
            };
            self.lines.push(LogLine {
                job: grant.job,
                level,
                message,
                capture: None,
            });
        }
    }
}

#[cfg(test)]
mod tests;
