//! Fair choice among jobs: by priority, every fourth time the one that waited longest.

use crate::{JobId, Timestamp};

/// A job that may have something to hand out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The job.
    pub job: JobId,
    /// Higher first.
    pub priority: i64,
    /// When it was last handed out, else when it started.
    pub since: Timestamp,
}

/// Orders jobs for the `turn`-th choice. Among equals the one that waited longest is first, so that jobs of one
/// priority take turns.
pub fn order(jobs: &mut [Waiting], turn: u64) {
    if turn % 4 == 3 {
        jobs.sort_by_key(|j| (j.since, j.job));
    } else {
        jobs.sort_by_key(|j| (std::cmp::Reverse(j.priority), j.since, j.job));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn priority_wins_three_times_of_four_and_equals_take_turns() {
        let mut jobs = [
            Waiting {
                job: JobId(1),
                priority: 0,
                since: Timestamp(0),
            },
            Waiting {
                job: JobId(2),
                priority: 5,
                since: Timestamp(1),
            },
            Waiting {
                job: JobId(3),
                priority: 5,
                since: Timestamp(2),
            },
        ];
        let mut served = vec![];
        for turn in 0..8 {
            order(&mut jobs, turn);
            served.push(jobs[0].job.0);
            jobs[0].since = Timestamp(10 + turn as i64);
        }
        assert_eq!(served, [2, 3, 2, 1, 3, 2, 3, 1]);
    }
}
