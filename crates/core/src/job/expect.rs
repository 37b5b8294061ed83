//! What somebody saw of a job when they asked for a move of it.

use super::JobStatus;
use crate::{Error, ErrorKind, JobId, Result};

/// What was seen of a job; `None` is not compared. A move of a job that is not so any more is refused, in the transaction that
/// would make it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expect {
    /// The status.
    pub status: Option<JobStatus>,
    /// The run.
    pub run: Option<i64>,
    /// Tasks of the job.
    pub total: Option<u64>,
    /// Tasks with a result, without the failed ones.
    pub processed: Option<u64>,
    /// Tasks that failed.
    pub failed: Option<u64>,
}

/// What is so when the move is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The status.
    pub status: JobStatus,
    /// The run.
    pub run: i64,
    /// Tasks of the job.
    pub total: u64,
    /// Tasks with a result, without the failed ones.
    pub processed: u64,
    /// Tasks that failed.
    pub failed: u64,
}

impl Expect {
    /// Nothing is compared.
    pub const ANYTHING: Self = Self {
        status: None,
        run: None,
        total: None,
        processed: None,
        failed: None,
    };

    /// Compares what was seen with what is so.
    ///
    /// # Errors
    /// `Conflict`, saying what has changed.
    pub fn check(&self, job: JobId, now: &Seen) -> Result<()> {
        let status = self.status.filter(|s| *s != now.status);
        let run = self.run.filter(|r| *r != now.run);
        let numbers = [
            ("images", self.total, now.total),
            ("processed", self.processed, now.processed),
            ("failed", self.failed, now.failed),
        ];
        let number = numbers
            .iter()
            .find(|(_, seen, is)| seen.is_some_and(|s| s != *is));
        let changed = match (run, status, number) {
            (Some(seen), ..) => format!("run {} has begun since run {seen} was seen", now.run),
            (None, Some(seen), _) => format!("its status is {} and was {seen}", now.status),
            (None, None, Some((what, seen, is))) => {
                format!("`{what}` is {is} and was {}", seen.unwrap_or_default())
            }
            (None, None, None) => return Ok(()),
        };
        Err(Error::new(
            ErrorKind::Conflict,
            format!("job {job} has changed: {changed}; look at it again, then ask again"),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Seen = Seen {
        status: JobStatus::Success,
        run: 2,
        total: 10,
        processed: 7,
        failed: 3,
    };

    fn said(expect: Expect) -> String {
        expect
            .check(JobId(17), &NOW)
            .map_or_else(|e| e.message.to_string(), |()| "as expected".to_owned())
    }

    #[test]
    fn what_was_seen_is_compared_and_what_was_not_is_not() {
        let seen = Expect {
            status: Some(JobStatus::Success),
            run: Some(2),
            total: Some(10),
            processed: Some(7),
            failed: Some(3),
        };
        assert_eq!(said(Expect::ANYTHING), "as expected");
        assert_eq!(said(seen), "as expected");
        let failed = Some(2);
        assert_eq!(
            said(Expect { failed, ..seen }),
            "job 17 has changed: `failed` is 3 and was 2; look at it again, then ask again"
        );
        let status = Some(JobStatus::Started);
        assert_eq!(
            said(Expect { status, ..seen }),
            "job 17 has changed: its status is SUCCESS and was STARTED; look at it again, then ask again"
        );
        let run = Some(1);
        assert_eq!(
            said(Expect { run, status, ..seen }),
            "job 17 has changed: run 2 has begun since run 1 was seen; look at it again, then ask again"
        );
    }
}
