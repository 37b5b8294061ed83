//! What a sweep does to the leases that are over, decided before anything is written (docs/rules.md A3 to A6): both SQL stores
//! read the grants that are due and the tasks that they hold, judge, and carry it out.

use std::collections::{BTreeMap, HashMap, HashSet};

use trapline_core::{
    CaptureId, FailReason, GrantId, JobId, JobStatus, Timestamp, WorkerId,
    handout::death::{self, EndedGrant, GrantEnd, Unanswered},
    handout::lease::{self, Answer, Gap, LeaseEnd, SignsOfLife},
    ports::{Candidate, LeasePolicy, Level, LogLine},
    settle::Deltas,
    task::{DETAIL_MAX_CHARS, cut},
};

use crate::{
    losing::lost_detail,
    rows::Columns,
    settling::{TaskKey, failed_line},
};

/// A grant of which a lease may be over.
pub(crate) struct DueGrant {
    pub(crate) id: i64,
    pub(crate) job: i64,
    pub(crate) captures: Vec<i64>,
    pub(crate) worker: WorkerId,
    granted_at: Timestamp,
    lease_until: Timestamp,
    name: String,
    pub(crate) answered: bool,
    exclusive: bool,
    one_process: bool,
    given_back: bool,
    charged_until: Option<Timestamp>,
    life: Option<SignsOfLife>,
    /// When to look again, if any of its leases is alive.
    pub(crate) again: Option<Timestamp>,
    /// The last deadline of its leases that are over. Also of those that lived through an outage, whose end is no strike: its
    /// worker may have died on it, and what it held besides must not be charged for that.
    ended_at: Option<Timestamp>,
}

impl DueGrant {
    pub(crate) fn read(row: &impl Columns, captures: Vec<i64>) -> sqlx::Result<Self> {
        let exclusive: bool = row.col("exclusive")?;
        Ok(Self {
            id: row.col("id")?,
            job: row.col("job_id")?,
            captures,
            worker: WorkerId(row.col("worker_id")?),
            granted_at: row.time("granted_at")?,
            lease_until: row.time("lease_until")?,
            name: row
                .col::<Option<String>>("worker")?
                .unwrap_or_else(|| "unknown worker".to_owned()),
            answered: row.col("answered")?,
            exclusive,
            one_process: row.col::<Option<bool>>("one_process")?.unwrap_or(false),
            given_back: row.col("given_back")?,
            charged_until: row.maybe_time("charged_until")?,
            // Answers to what was handed out before say nothing of what is exclusive: it goes by its own deadline.
            life: signs_of(row)?.filter(|_| !exclusive),
            again: None,
            ended_at: None,
        })
    }

    /// Notes whether a lease of it until then lives; if it is over, whether that is a strike.
    fn note_end(
        &mut self,
        until: Timestamp,
        gap: Option<Gap>,
        policy: &LeasePolicy,
        now: Timestamp,
    ) -> Option<bool> {
        match lease::lease_end(
            self.granted_at,
            until,
            self.life.as_ref(),
            gap,
            policy.margin,
            now,
        ) {
            LeaseEnd::Alive(at) => {
                self.again = Some(self.again.map_or(at, |again| again.min(at)));
                None
            }
            LeaseEnd::Over { strike } => {
                let (deadline, _) = lease::deadline(self.granted_at, until, self.life.as_ref(), gap);
                self.ended_at = self.ended_at.max(Some(deadline));
                Some(strike)
            }
        }
    }
}

/// The signs of life in a row with a worker's columns.
pub(crate) fn signs_of(row: &impl Columns) -> sqlx::Result<Option<SignsOfLife>> {
    let from = row.maybe_time("extend_from")?;
    let until = row.maybe_time("extended_until")?;
    let Some((extend_from, extended_until)) = from.zip(until) else {
        return Ok(None);
    };
    let answers: Vec<(i64, i64)> = row.json("recent_answers")?;
    let answer = |(reserved_at, until)| Answer {
        reserved_at: Timestamp(reserved_at),
        until: Timestamp(until),
    };
    Ok(Some(SignsOfLife {
        extend_from,
        extended_until,
        answers: answers.into_iter().map(answer).collect(),
    }))
}

/// The column `recent_answers`.
pub(crate) fn recent_answers(life: &SignsOfLife) -> String {
    let answers: Vec<_> = life
        .answers
        .iter()
        .map(|a| (a.reserved_at.0, a.until.0))
        .collect();
    serde_json::to_string(&answers).expect("numbers serialise")
}

/// A task that a grant holds.
pub(crate) struct Held {
    pub(crate) grant: i64,
    pub(crate) job: i64,
    pub(crate) capture: i64,
    pub(crate) run: i64,
    pub(crate) delivery: i64,
    pub(crate) delivery_base: i64,
    pub(crate) strikes: i64,
    pub(crate) suspect: bool,
    pub(crate) returns: i64,
    pub(crate) lease_until: Timestamp,
    pub(crate) history: String,
    pub(crate) status: JobStatus,
    pub(crate) job_run: i64,
}

/// A task whose lease is over.
pub(crate) struct Ended {
    pub(crate) job: i64,
    pub(crate) capture: i64,
    pub(crate) strikes: i64,
    pub(crate) history: String,
    pub(crate) lost: Option<String>,
    pub(crate) suspect: bool,
    pub(crate) returned: bool,
}

impl Ended {
    fn key(&self) -> TaskKey {
        (self.job, self.capture)
    }
}

/// What becomes of the grants that are due.
#[derive(Default)]
pub(crate) struct Verdicts {
    pub(crate) ended: Vec<Ended>,
    /// Tasks that are free again.
    pub(crate) freed: Vec<(JobId, Candidate)>,
    /// Until when the lease ran of the last grant that was charged as its worker's death.
    pub(crate) charged: Vec<(i64, i64)>,
    pub(crate) lines: Vec<LogLine>,
    pub(crate) deltas: BTreeMap<i64, Deltas>,
    /// Grants that hold nothing any more.
    pub(crate) done: Vec<i64>,
    /// Grants with live leases, and when to look at them again.
    pub(crate) again: Vec<(i64, i64)>,
}

/// Decides on the grants that are due; `held` are the tasks that they still hold.
pub(crate) fn judge(
    mut due: Vec<DueGrant>,
    held: &[Held],
    gap: Option<Gap>,
    policy: &LeasePolicy,
    now: Timestamp,
) -> Verdicts {
    let mut verdicts = Verdicts::default();
    let over = leases_over(held, &mut due, gap, policy, now);
    let ends = deaths(&due, &mut verdicts);
    let mut told: HashMap<i64, usize> = HashMap::new();
    for lease in over {
        let grant = &due[lease.grant];
        if lease.strike {
            *told.entry(grant.id).or_default() += 1;
        }
        let end = ends.get(&grant.id).filter(|_| lease.strike).copied();
        let row = lease.row;
        let task = end_task(row, grant, end, policy);
        if let Some(lost) = &task.lost {
            verdicts.deltas.entry(task.job).or_default().failed += 1;
            let line = failed_line(task.job, task.capture, FailReason::Lost, lost);
            verdicts.lines.push(line);
        } else if row.run == row.job_run {
            let candidate = Candidate {
                capture: CaptureId(task.capture),
                run: row.run,
                delivery: row.delivery,
            };
            verdicts.freed.push((JobId(task.job), candidate));
        }
        verdicts.ended.push(task);
    }
    verdicts.ended.sort_by_key(Ended::key);
    tell(&due, &ends, &told, &mut verdicts.lines);
    for grant in &due {
        match grant.again {
            Some(at) => verdicts.again.push((grant.id, at.0)),
            None => verdicts.done.push(grant.id),
        }
    }
    verdicts
}

/// The tasks of a job that were lost.
pub(crate) fn lost_of(ended: &[Ended], job: JobId) -> Vec<(CaptureId, bool)> {
    let lost = ended.iter().filter(|t| t.job == job.0 && t.lost.is_some());
    lost.map(|t| (CaptureId(t.capture), true)).collect()
}

/// A lease that is over.
struct Over<'r> {
    row: &'r Held,
    /// Of which of the grants that are due.
    grant: usize,
    strike: bool,
}

/// The leases that are over; notes in the grants what lives and what ended. A grant of which others took all tasks (a new
/// run, a late answer to an older hand-out) ends when its leases would have: its worker may have died on it.
fn leases_over<'r>(
    held: &'r [Held],
    due: &mut [DueGrant],
    gap: Option<Gap>,
    policy: &LeasePolicy,
    now: Timestamp,
) -> Vec<Over<'r>> {
    let by_id: HashMap<i64, usize> = due.iter().enumerate().map(|(at, g)| (g.id, at)).collect();
    let mut over = Vec::new();
    let mut bare: Vec<bool> = due.iter().map(|g| !g.answered && !g.given_back).collect();
    for row in held {
        let Some(&grant) = by_id.get(&row.grant) else {
            continue;
        };
        bare[grant] = false;
        if let Some(strike) = due[grant].note_end(row.lease_until, gap, policy, now) {
            over.push(Over { row, grant, strike });
        }
    }
    for (grant, _) in due.iter_mut().zip(bare).filter(|(_, bare)| *bare) {
        grant.note_end(grant.lease_until, gap, policy, now);
    }
    over
}

/// What the end of each grant is, if any lease of it has ended; notes which deaths were charged.
fn deaths(due: &[DueGrant], verdicts: &mut Verdicts) -> BTreeMap<i64, GrantEnd> {
    let mut charged = HashMap::new();
    let mut grants = Vec::new();
    let answer = |grant: &DueGrant| (grant.worker, grant.granted_at);
    let of = |heard: fn(&DueGrant) -> bool| -> HashSet<_> {
        due.iter().filter(|g| heard(g)).map(answer).collect()
    };
    let (answered, alive) = (of(|g| g.answered), of(|g| g.again.is_some()));
    for grant in due {
        if let Some(until) = grant.charged_until {
            charged.insert(grant.worker, until);
        }
        if let Some(ended_at) = grant.ended_at {
            grants.push(EndedGrant {
                grant: GrantId(grant.id),
                worker: grant.worker,
                granted_at: grant.granted_at,
                ended_at,
                answered: answered.contains(&answer(grant)),
                alive: alive.contains(&answer(grant)),
                one_process: grant.one_process,
            });
        }
    }
    let before = charged.clone();
    let ends = death::judge(&grants, &mut charged);
    verdicts.charged = charged
        .into_iter()
        .filter(|(worker, until)| before.get(worker) != Some(until))
        .map(|(worker, until)| (worker.0, until.0))
        .collect();
    verdicts.charged.sort_unstable();
    grants.iter().map(|g| g.grant.0).zip(ends).collect()
}

/// Decides on one task whose lease is over; `end` is `None` if that costs it nothing.
fn end_task(row: &Held, grant: &DueGrant, end: Option<GrantEnd>, policy: &LeasePolicy) -> Ended {
    let attempts = row.delivery - row.delivery_base;
    let before = Unanswered {
        exclusive: grant.exclusive,
        suspect: row.suspect,
        strikes: row.strikes,
        attempts,
        returns: row.returns,
    };
    let cost = death::task_end(end, &before, policy.max_deliver);
    let strikes = row.strikes + i64::from(cost.strike);
    let mut history = row.history.clone();
    if end.is_some() && !cost.returned {
        let sep = if history.is_empty() { "" } else { ", " };
        history = cut(
            &format!("{history}{sep}{} at {}", grant.name, grant.granted_at),
            DETAIL_MAX_CHARS,
        );
    }
    // Tasks of a stopped job stay pending, and those of an older run are about to be reset.
    let settles = row.run == row.job_run && row.status.is_running();
    let lost = (settles && cost.lost).then(|| lost_detail(attempts, strikes, &history));
    Ended {
        job: row.job,
        capture: row.capture,
        strikes,
        history,
        lost,
        suspect: cost.suspect,
        returned: cost.returned,
    }
}

/// A line in the job's log for each grant that died or was held ahead, with how many of its tasks that concerns.
fn tell(
    due: &[DueGrant],
    ends: &BTreeMap<i64, GrantEnd>,
    tasks: &HashMap<i64, usize>,
    lines: &mut Vec<LogLine>,
) {
    for grant in due {
        let (Some(end), Some(n)) = (ends.get(&grant.id), tasks.get(&grant.id)) else {
            continue;
        };
        let (level, message) = match end {
            GrantEnd::Strike => continue,
            GrantEnd::Charged => (
                Level::Warning,
                death::charged_line(&grant.name, grant.granted_at, *n, grant.exclusive),
            ),
            GrantEnd::HeldAhead => (
                Level::Info,
                format!(
                    "{n} image(s) that worker {} had reserved at {}, before its older ones were taken for its death, go back",
                    grant.name, grant.granted_at
                ),
            ),
        };
        let job = JobId(grant.job);
        lines.push(LogLine {
            job,
            level,
            message,
            capture: None,
        });
    }
}
