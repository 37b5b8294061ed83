//! The sweep: leases that are over become strikes, exhausted tasks are settled `lost`, cancels that a crash cut short
//! are finished (docs/rules.md A3 to A6, A17).

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use trapline_core::{
    CaptureId, GrantId, JobId, JobStatus, TaskState, Timestamp, WorkerId,
    handout::death::{self, EndedGrant, GrantEnd, Unanswered},
    handout::lease::{self, LeaseEnd},
    health::LostBy,
    job::JobMove,
    plan::settle::Deltas,
    ports::{Candidate, LeasePolicy, Level, QueueCounters, Swept},
    task::{DETAIL_MAX_CHARS, cut},
};

use super::{Db, Mutation, counts, grant::is_one_process, lost::lost_detail};

/// How old a CANCELING job must be before the sweep finishes it.
const CANCEL_AFTER: Duration = Duration::from_secs(10);

type Key = (JobId, CaptureId);

/// A grant of which a lease may be over.
struct Due {
    id: i64,
    job: JobId,
    worker: WorkerId,
    granted_at: Timestamp,
    answered: bool,
    exclusive: bool,
    /// When to look again, if any of its leases is alive.
    again: Option<Timestamp>,
    /// The last deadline of its leases that are over.
    ended_at: Option<Timestamp>,
    /// Its leases that are over, and whether the end of each is a strike.
    over: Vec<(Key, bool)>,
}

/// What became of a task whose lease is over.
enum End {
    Free(Candidate),
    /// It belongs to an older run.
    Nothing,
    Lost,
}

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
        let mut swept = self.end_due(None, policy, now);
        let by = LostBy::LeaseEnd {
            max_deliver: policy.max_deliver,
        };
        for touched in &swept.touched {
            self.note_lost(touched, by, queues.get(&touched.job), now);
        }
        self.give_last_tries(policy, now);
        if self.shows(Mutation::LoseNeverHandedOut, 10) {
            self.lose_never_handed_out(&mut swept, now);
        }
        self.finish_cancels(now);
        swept
    }

    /// Ends leases that are over: of every job, or of one and whatever else its workers hold.
    pub(super) fn end_due(&mut self, only: Option<JobId>, policy: &LeasePolicy, now: Timestamp) -> Swept {
        let (due, more) = self.due(only, policy, now);
        let mut swept = Swept {
            more,
            ..Swept::default()
        };
        let mut ends = self.judge_deaths(&due);
        if self.has(Mutation::ChargeHeldAhead) {
            let charged = |end: GrantEnd| {
                if end == GrantEnd::HeldAhead {
                    GrantEnd::Charged
                } else {
                    end
                }
            };
            ends = ends.into_iter().map(|end| end.map(charged)).collect();
        }
        let mut lost: BTreeMap<JobId, Vec<CaptureId>> = BTreeMap::new();
        for (grant, end) in due.iter().zip(ends) {
            for (key, strike) in &grant.over {
                match self.end_lease(*key, grant, end.filter(|_| *strike), policy, now) {
                    End::Free(candidate) => swept.freed.push((key.0, candidate)),
                    End::Lost => lost.entry(key.0).or_default().push(key.1),
                    End::Nothing => {}
                }
            }
            self.tell_death(grant, end, now);
            match grant.again.zip(self.grants.get_mut(&grant.id)) {
                Some((at, row)) => row.due_at = at,
                None => drop(self.grants.remove(&grant.id)),
            }
            self.touched.insert(grant.job);
        }
        for (job, captures) in lost {
            self.count_lost(job, captures, &mut swept, now);
        }
        swept
    }

    pub(super) fn count_lost(
        &mut self,
        job: JobId,
        captures: Vec<CaptureId>,
        swept: &mut Swept,
        now: Timestamp,
    ) {
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

    fn due(&self, only: Option<JobId>, policy: &LeasePolicy, now: Timestamp) -> (Vec<Due>, bool) {
        let due = || self.grants.iter().filter(|(_, g)| g.due_at <= now);
        let of_job = due().filter(|(_, g)| only.is_none_or(|job| g.job == job));
        let workers: BTreeSet<WorkerId> = of_job.map(|(_, g)| g.worker).collect();
        let mut all: Vec<_> = due()
            .filter(|(_, g)| workers.contains(&g.worker))
            .map(|(id, g)| (g.due_at, *id, g.captures.len()))
            .collect();
        all.sort_unstable();
        let mut tasks = 0;
        let mut slice = Vec::new();
        for (_, id, n) in &all {
            if tasks > 0 && tasks + n > self.slice_rows {
                return (slice, true);
            }
            tasks += n;
            slice.extend(self.look(*id, policy, now));
        }
        (slice, false)
    }

    /// Which leases of a grant are over. One of which others took all tasks (a new run, a late answer to an older
    /// hand-out) ends when its leases would have: its worker may have died on it.
    fn look(&self, id: i64, policy: &LeasePolicy, now: Timestamp) -> Option<Due> {
        let grant = self.grants.get(&id)?;
        // Answers to what was handed out before say nothing of what is exclusive: it goes by its own deadline.
        let life = self.workers.get(&grant.worker).and_then(|w| w.life.as_ref());
        let life = life.filter(|_| !grant.exclusive);
        let mut due = Due {
            id,
            job: grant.job,
            worker: grant.worker,
            granted_at: grant.granted_at,
            answered: grant.answered,
            exclusive: grant.exclusive,
            again: None,
            ended_at: None,
            over: Vec::new(),
        };
        let note_end = |due: &mut Due, until| match lease::lease_end(
            grant.granted_at,
            until,
            life,
            self.gap,
            policy.margin,
            now,
        ) {
            LeaseEnd::Alive(at) => {
                due.again = Some(due.again.map_or(at, |again| again.min(at)));
                None
            }
            LeaseEnd::Over { strike } => {
                let strike = strike || self.has(Mutation::StrikeForOutage);
                let (deadline, _) = lease::deadline(grant.granted_at, until, life, self.gap);
                due.ended_at = due.ended_at.max(Some(deadline));
                Some(strike)
            }
        };
        let mut bare = !grant.answered && !grant.given_back;
        for capture in &grant.captures {
            let key = (grant.job, *capture);
            let held = |t: &&super::TaskRow| t.grant == Some(id) && t.state == TaskState::Pending;
            let Some(task) = self.tasks.get(&key).filter(held) else {
                continue;
            };
            bare = false;
            let strike = note_end(&mut due, task.lease_until);
            due.over.extend(strike.map(|strike| (key, strike)));
        }
        if bare {
            note_end(&mut due, grant.lease_until);
        }
        Some(due)
    }

    /// What the end of each grant is, if any lease of it has ended; remembers which deaths were charged.
    fn judge_deaths(&mut self, due: &[Due]) -> Vec<Option<GrantEnd>> {
        let mut charged: HashMap<WorkerId, Timestamp> = HashMap::new();
        for grant in due {
            let until = self.workers.get(&grant.worker).and_then(|w| w.charged_until);
            charged.extend(until.map(|until| (grant.worker, until)));
        }
        let same_answer = |a: &Due, b: &Due| (a.worker, a.granted_at) == (b.worker, b.granted_at);
        let ended = |grant: &Due| {
            Some(EndedGrant {
                grant: GrantId(grant.id),
                worker: grant.worker,
                granted_at: grant.granted_at,
                ended_at: grant.ended_at?,
                answered: due.iter().any(|g| g.answered && same_answer(g, grant)),
                alive: due.iter().any(|g| g.again.is_some() && same_answer(g, grant)),
                one_process: self.workers.get(&grant.worker).is_some_and(is_one_process),
            })
        };
        let grants: Vec<EndedGrant> = due.iter().filter_map(ended).collect();
        let mut ends = death::charge(&grants, &mut charged).into_iter();
        for (worker, until) in charged {
            if let Some(row) = self.workers.get_mut(&worker) {
                row.charged_until = Some(until);
            }
        }
        due.iter().map(|g| g.ended_at.and_then(|_| ends.next())).collect()
    }

    /// A line in the job's log for a grant that died or was held ahead.
    fn tell_death(&mut self, grant: &Due, end: Option<GrantEnd>, now: Timestamp) {
        let n = grant.over.iter().filter(|(_, strike)| *strike).count();
        if n == 0 {
            return;
        }
        let (name, at) = (self.name_of(grant.worker), grant.granted_at);
        let (level, line) = match end {
            None | Some(GrantEnd::Strike) => return,
            Some(GrantEnd::Charged) => (Level::Warning, death::charged_line(name, at, n, grant.exclusive)),
            Some(GrantEnd::HeldAhead) => (
                Level::Info,
                format!(
                    "{n} image(s) that worker {name} had reserved at {at}, before its older ones were taken for its \
                     death, go back"
                ),
            ),
        };
        self.log_line(grant.job, level, line, None, now);
    }

    /// Ends one lease; `end` is `None` if that costs its task nothing.
    fn end_lease(
        &mut self,
        key: Key,
        grant: &Due,
        end: Option<GrantEnd>,
        policy: &LeasePolicy,
        now: Timestamp,
    ) -> End {
        let whom = format!("{} at {}", self.name_of(grant.worker), grant.granted_at);
        let (Some(job), Some(task)) = (self.jobs.get(&key.0), self.tasks.get_mut(&key)) else {
            return End::Nothing;
        };
        let attempts = task.delivery - task.delivery_base;
        let before = Unanswered {
            exclusive: grant.exclusive,
            suspect: task.suspect,
            strikes: task.strikes,
            attempts,
            returns: task.returns,
        };
        let cost = death::task_end(end, &before, policy.max_deliver);
        task.strikes += i64::from(cost.strike);
        if end.is_some() && !cost.returned {
            let sep = if task.history.is_empty() { "" } else { ", " };
            task.history = cut(&format!("{}{sep}{whom}", task.history), DETAIL_MAX_CHARS);
        }
        if cost.suspect {
            // Of a suspect that dies again the first death stays: an answer to that one clears the others.
            if !task.suspect {
                task.died = Some((GrantId(grant.id), task.delivery));
            }
            task.suspect = true;
        }
        task.returns += i64::from(cost.returned);
        task.grant = None;
        let current = task.run == job.job.run;
        // Tasks of a stopped job stay pending, and those of an older run are about to be reset.
        if current && job.job.status.is_running() && cost.lost {
            let detail = lost_detail(attempts, task.strikes, &task.history);
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
        let key = *key;
        self.lose(key, "idle".to_owned(), now);
        self.count_lost(key.0, vec![key.1], swept, now);
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
