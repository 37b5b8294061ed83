//! Where a job stands, in one sentence for people: the web interface shows it at the head of a job.
//!
//! It says only what the job's row says. Why a job is not moving is for [`crate::explain`].

use std::time::Duration;

use crate::{
    JobStatus,
    ports::Job,
    words::{about, count, counted},
};

/// Returns the sentence. `left` is how long the job will take, if that is known.
#[must_use]
pub fn headline(job: &Job, left: Option<Duration>) -> String {
    let c = &job.counts;
    match job.status {
        JobStatus::Created => "Not started yet.".to_owned(),
        JobStatus::Pending | JobStatus::Retry => "Starting: its images have not been listed yet.".to_owned(),
        JobStatus::Started if !job.collected => {
            format!("Starting: {} listed so far.", counted(c.total, "image"))
        }
        JobStatus::Started | JobStatus::Received | JobStatus::Unknown => {
            let left = left.map_or_else(String::new, |left| format!(" About {} left.", about(left)));
            let held = if c.in_flight == 0 && c.pending > 0 {
                "no worker holds any".to_owned()
            } else {
                format!("{} in flight", count(c.in_flight))
            };
            format!("{}, {held}, {} waiting.{left}", settled(job), count(c.pending))
        }
        JobStatus::Canceling => format!("Stopping: {}.", settled(job)),
        JobStatus::Success | JobStatus::Failure if c.total == 0 && c.skipped > 0 => format!(
            "Nothing to do: all {} were processed already.",
            counted(c.skipped, "image")
        ),
        JobStatus::Success | JobStatus::Failure if c.total == 0 => {
            "Nothing to do: the set is empty.".to_owned()
        }
        JobStatus::Success if c.failed == 0 => match c.total {
            1 => "The image is processed.".to_owned(),
            n => format!("All {} processed.", counted(n, "image")),
        },
        JobStatus::Success => format!("{}.", settled(job)),
        JobStatus::Failure => format!(
            "{} of {} failed, more than the {} that may.",
            count(c.failed),
            counted(c.total, "image"),
            percent(job.failure_threshold)
        ),
        JobStatus::Revoked => format!("{}, {} not done.", settled(job), count(c.pending + c.in_flight)),
    }
}

fn settled(job: &Job) -> String {
    let c = &job.counts;
    let failed = match c.failed {
        0 => String::new(),
        n => format!(", {} failed", count(n)),
    };
    format!("{} of {} processed{failed}", count(c.processed), count(c.total))
}

/// A share in per cent, with the digits that it has.
fn percent(share: f64) -> String {
    let tenths = (share * 1_000.0).round() / 10.0;
    format!("{tenths}%")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{JobId, ProjectId, Timestamp, counts::Counts, ports::NewJob};

    pub(crate) fn job(status: JobStatus, [total, pending, in_flight, processed, failed]: [u64; 5]) -> Job {
        let new = NewJob {
            project: ProjectId(1),
            name: "June night".to_owned(),
            delay_seconds: 0,
            priority: 0,
            failure_threshold: 0.5,
            pipeline: None,
            collection: None,
            capture: None,
            limit: None,
            shuffle: true,
            reprocess: false,
            job_type: "ml".to_owned(),
            start: true,
            key: None,
        };
        let counts = Counts {
            total,
            pending,
            in_flight,
            processed,
            failed,
            ..Counts::default()
        };
        Job {
            status,
            counts,
            collected: true,
            ..Job::made(JobId(17), &new, None, Timestamp(0))
        }
    }

    fn said(status: JobStatus, counts: [u64; 5]) -> String {
        headline(&job(status, counts), None)
    }

    #[test]
    fn a_running_job_says_its_four_numbers_and_how_long_it_takes() {
        let running = job(JobStatus::Started, [50_000, 11_617, 384, 37_996, 3]);
        let left = Some(Duration::from_secs(19 * 60));
        assert_eq!(
            headline(&running, left),
            "37,996 of 50,000 processed, 3 failed, 384 in flight, 11,617 waiting. About 19 min left."
        );
        assert_eq!(
            said(JobStatus::Started, [10, 10, 0, 0, 0]),
            "0 of 10 processed, no worker holds any, 10 waiting."
        );
        assert_eq!(
            said(JobStatus::Canceling, [10, 4, 0, 5, 1]),
            "Stopping: 5 of 10 processed, 1 failed."
        );
    }

    #[test]
    fn a_job_that_has_not_begun_says_so() {
        assert_eq!(said(JobStatus::Created, [0; 5]), "Not started yet.");
        assert_eq!(
            said(JobStatus::Pending, [0; 5]),
            "Starting: its images have not been listed yet."
        );
        let collecting = Job {
            collected: false,
            ..job(JobStatus::Started, [2_000, 2_000, 0, 0, 0])
        };
        assert_eq!(
            headline(&collecting, None),
            "Starting: 2,000 images listed so far."
        );
    }

    #[test]
    fn a_job_that_has_ended_says_how() {
        assert_eq!(
            said(JobStatus::Success, [1, 0, 0, 1, 0]),
            "The image is processed."
        );
        assert_eq!(
            said(JobStatus::Success, [544, 0, 0, 528, 16]),
            "528 of 544 processed, 16 failed."
        );
        assert_eq!(
            said(JobStatus::Failure, [500, 0, 0, 188, 312]),
            "312 of 500 images failed, more than the 50% that may."
        );
        assert_eq!(
            said(JobStatus::Revoked, [50_000, 12_001, 0, 37_996, 3]),
            "37,996 of 50,000 processed, 3 failed, 12,001 not done."
        );
        assert_eq!(
            said(JobStatus::Success, [0; 5]),
            "Nothing to do: the set is empty."
        );
        let mut skipped = job(JobStatus::Success, [0; 5]);
        skipped.counts.skipped = 1_204;
        assert_eq!(
            headline(&skipped, None),
            "Nothing to do: all 1,204 images were processed already."
        );
    }
}
