//! The last try of a suspect is alone: its worker holds nothing else until it is answered or over (docs/rules.md A6).
//! Only then is it known which image killed a worker.
//!
//! A worker that is always busy would never be free for one. So a worker that asks while last tries wait is put off:
//! it gets nothing until it has answered what it holds. Then it gets last tries one after the other, and then batches
//! again. This module decides whose turn it is.

use std::time::Duration;

use crate::{JobId, Timestamp};

/// The number of last tries that follow one another before batches have their turn.
pub const IN_A_ROW: i64 = 24;
/// How many hand-outs more than `max_deliver` a task may have in a run, so that every task ends.
pub const SPARE: i64 = 10;

/// Returns whether one more hand-out would be the last by their number.
#[must_use]
pub fn is_budget_spent(attempts: i64, max_deliver: i64) -> bool {
    attempts + 1 >= max_deliver + SPARE
}

/// Returns whether the next hand-out of a suspect can be its last one.
#[must_use]
pub fn is_last(strikes: i64, attempts: i64, max_deliver: i64) -> bool {
    strikes + 1 >= max_deliver || is_budget_spent(attempts, max_deliver)
}

/// Returns the line in a job's log for tasks that have used more strikes than a lowered `max_deliver` allows. They
/// are not lost for that: each gets one last try.
#[must_use]
pub fn smaller_budget_line(tasks: u64, max_deliver: i64) -> String {
    format!(
        "{tasks} image(s) had been handed out as often as max_deliver={max_deliver} now allows: they get one last try, alone"
    )
}

/// Returns the strikes that such a task keeps, so that its next hand-out is its last.
#[must_use]
pub fn strikes_left(max_deliver: i64) -> i64 {
    (max_deliver - 1).max(0)
}

/// The lease of a last try, as a multiple of the time that an image takes.
const TIMES: u32 = 20;
/// The shortest lease of a last try, unless `task_ttr` is shorter.
const LEASE_MIN: Duration = Duration::from_secs(30);

/// Returns the lease of a last try. `slowest` is the longest that an image of the job took when it was alone, if one
/// was answered. The lease is as short as possible, because its worker waits meanwhile.
#[must_use]
pub fn lease(ttr: Duration, slowest: Option<Duration>) -> Duration {
    slowest.map_or(ttr, |slowest| ttr.min(LEASE_MIN.max(slowest * TIMES)))
}

/// A worker's place between batches and last tries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// The job for whose last tries it is kept free of anything else.
    pub waits_for: Option<JobId>,
    /// The number of last tries that it got one after the other.
    pub in_a_row: i64,
    /// The time until which batches have their turn.
    pub batches_until: Option<Timestamp>,
}

/// What a worker gets when it asks for a job in which last tries wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// A last try.
    LastTry(Turn),
    /// Nothing, until it has answered what it holds.
    Nothing(Turn),
    /// A batch.
    Batch,
}

/// Decides what the worker gets. `busy`: it holds something unanswered. `only`: the job has nothing else to hand out.
#[must_use]
pub fn next(turn: Turn, job: JobId, busy: bool, only: bool, ttr: Duration, now: Timestamp) -> Next {
    // A time further ahead than it was ever set: the clock was set back.
    let rests = turn
        .batches_until
        .is_some_and(|at| now < at && at <= now.plus(ttr));
    if rests && !only {
        return Next::Batch;
    }
    let in_a_row = if turn.waits_for == Some(job) {
        turn.in_a_row
    } else {
        0
    };
    let waits = Turn {
        waits_for: Some(job),
        in_a_row,
        batches_until: None,
    };
    if busy {
        return Next::Nothing(waits);
    }
    if in_a_row + 1 < IN_A_ROW {
        return Next::LastTry(Turn {
            in_a_row: in_a_row + 1,
            ..waits
        });
    }
    Next::LastTry(Turn {
        waits_for: None,
        in_a_row: 0,
        batches_until: Some(now.plus(ttr)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTR: Duration = Duration::from_secs(60);
    const JOB: JobId = JobId(1);

    fn at(seconds: i64) -> Timestamp {
        Timestamp(seconds * 1_000_000)
    }

    #[test]
    fn a_busy_worker_is_put_off_until_it_is_free_and_gets_last_tries_then() {
        let Next::Nothing(turn) = next(Turn::default(), JOB, true, false, TTR, at(0)) else {
            panic!("it holds something");
        };
        assert_eq!(turn.waits_for, Some(JOB));
        let Next::LastTry(turn) = next(turn, JOB, false, false, TTR, at(100)) else {
            panic!("it is free");
        };
        assert_eq!((turn.waits_for, turn.in_a_row), (Some(JOB), 1));
    }

    #[test]
    fn after_many_in_a_row_batches_have_their_turn_for_a_lease() {
        let mut turn = Turn::default();
        for n in 1..=IN_A_ROW {
            let Next::LastTry(after) = next(turn, JOB, false, false, TTR, at(0)) else {
                panic!("number {n} is given");
            };
            turn = after;
        }
        assert_eq!((turn.waits_for, turn.batches_until), (None, Some(at(60))));
        assert_eq!(next(turn, JOB, false, false, TTR, at(59)), Next::Batch);
        assert_eq!(next(turn, JOB, true, false, TTR, at(59)), Next::Batch);
        assert!(
            matches!(next(turn, JOB, true, true, TTR, at(59)), Next::Nothing(_)),
            "there is nothing else"
        );
        assert!(matches!(
            next(turn, JOB, true, false, TTR, at(60)),
            Next::Nothing(_)
        ));
        // The clock was set back.
        assert!(matches!(
            next(turn, JOB, true, false, TTR, at(-5_000)),
            Next::Nothing(_)
        ));
    }

    #[test]
    fn the_lease_of_a_last_try_goes_by_what_an_image_takes() {
        let seconds = Duration::from_secs;
        assert_eq!(lease(seconds(300), None), seconds(300));
        assert_eq!(lease(seconds(300), Some(seconds(1))), seconds(30));
        assert_eq!(lease(seconds(300), Some(seconds(4))), seconds(80));
        assert_eq!(lease(seconds(300), Some(seconds(40))), seconds(300));
        assert_eq!(lease(seconds(10), Some(seconds(1))), seconds(10));
    }

    #[test]
    fn the_next_hand_out_is_the_last_by_strikes_or_by_number() {
        assert!(!is_last(0, 1, 2) && is_last(1, 1, 2) && is_last(0, 0, 1));
        assert!(!is_last(0, 10, 2) && is_last(0, 11, 2));
    }
}
