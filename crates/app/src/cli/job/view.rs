//! A job as the server shows it. What a server of another version leaves out reads as nothing.

use std::{fmt, ops::Deref, time::Duration};

use serde::{Deserialize, Serialize};
use trapline_core::{
    Clock as _, JobStatus, Timestamp,
    health::REAPED,
    words::{count, counted},
};
use trapline_engine::SystemClock;
use trapline_wire as wire;

use super::super::{
    answer::Answer,
    exit::Exit,
    output::{ago, clean},
};

/// The body of a job.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Job(Answer<wire::Job>);

impl Deref for Job {
    type Target = wire::Job;

    fn deref(&self) -> &wire::Job {
        &self.0
    }
}

impl Job {
    /// Processed and failed together.
    pub(super) fn settled(&self) -> u64 {
        self.counts.processed + self.counts.failed
    }

    /// How a command that waited for it ends; `None` while it runs.
    pub(super) fn landed(&self) -> Option<Exit> {
        match self.status.parse::<JobStatus>().ok()? {
            JobStatus::Success => Some(Exit::Done),
            JobStatus::Failure | JobStatus::Revoked => Some(Exit::Refused),
            _ => None,
        }
    }

    /// What is left, if the server can tell.
    pub(super) fn left(&self) -> Option<Duration> {
        Duration::try_from_secs_f64(self.eta_seconds?).ok()
    }

    pub(super) fn errors(&self) -> impl Iterator<Item = String> {
        self.progress.errors.iter().map(|error| clean(error))
    }

    /// How it ended and when, on one line: `job 3 landed SUCCESS 2 min ago: 500 of 500 images processed`.
    pub(super) fn ending(&self, now: Timestamp) -> String {
        let when = ago(self.finished_at.as_deref(), now).map_or_else(String::new, |when| format!(" {when}"));
        let how = match &*self.status {
            "REVOKED" if self.errors().any(|e| e.starts_with(REAPED)) => {
                "was revoked by the health check".to_owned()
            }
            "REVOKED" => "was canceled".to_owned(),
            status => format!("landed {status}"),
        };
        format!("job {} {how}{when}: {}", self.id, self.done())
    }

    /// What was done of it.
    fn done(&self) -> String {
        let c = &self.counts;
        let mut text = match c.total {
            0 => "there was no image to process".to_owned(),
            _ => format!(
                "{} of {} processed",
                count(c.processed),
                counted(c.total, "image")
            ),
        };
        for (number, what) in [(c.failed, "failed"), (c.pending, "never done")] {
            if number > 0 {
                text += &format!(", {} {what}", count(number));
            }
        }
        if c.detections > 0 {
            text += &format!(", {}", counted(c.detections, "detection"));
        }
        match c.skipped {
            0 if c.total == 0 => text + "; its capture set is empty",
            0 => text,
            _ => text + &format!("; {}", skipped_clause(c.skipped)),
        }
    }
}

/// What became of captures that were no tasks, and how to have them all the same.
fn skipped_clause(skipped: u64) -> String {
    let were = if skipped == 1 { "was" } else { "were" };
    format!(
        "{} {were} skipped, processed by this pipeline before (`job create --reprocess` takes them again)",
        counted(skipped, "image")
    )
}

/// Where it stands, on one line.
impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.landed().is_some() {
            return f.write_str(&self.ending(SystemClock::new().now()));
        }
        let c = &self.counts;
        write!(f, "job {} is {}", self.id, clean(&self.status))?;
        if c.total > 0 {
            write!(
                f,
                ": {} of {} processed, {} failed, {} with workers",
                count(c.processed),
                counted(c.total, "image"),
                count(c.failed),
                count(c.in_flight)
            )?;
        }
        match &self.waiting_for {
            Some(why) => write!(f, "; {}", clean(why)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000_000);

    fn read(body: Value) -> Job {
        serde_json::from_value(body).unwrap()
    }

    fn body(status: &str, counts: Value) -> Value {
        let finished = NOW.minus(Duration::from_secs(130));
        json!({"id": 5, "status": status, "counts": counts, "finished_at": finished})
    }

    fn job(status: &str, counts: Value) -> Job {
        read(body(status, counts))
    }

    #[test]
    fn a_job_on_one_line_says_how_far_it_is() {
        let counts = json!({"total": 2000, "processed": 1700, "failed": 1, "in_flight": 2, "detections": 40});
        let mut waiting = body("STARTED", counts.clone());
        let running = job("STARTED", counts);
        assert_eq!(
            running.to_string(),
            "job 5 is STARTED: 1,700 of 2,000 images processed, 1 failed, 2 with workers"
        );
        assert_eq!(running.landed(), None);
        waiting["waiting_for"] = json!("waiting for workers");
        assert!(
            read(waiting)
                .to_string()
                .ends_with("2 with workers; waiting for workers")
        );
        assert_eq!(
            job("PENDING", json!({"total": 0})).to_string(),
            "job 5 is PENDING"
        );
        assert_eq!(read(json!({})).to_string(), "job 0 is ");
    }

    #[test]
    fn a_job_that_has_ended_says_when_how_and_what_is_left() {
        let said = |status, counts| job(status, counts).ending(NOW);
        assert_eq!(
            said(
                "SUCCESS",
                json!({"total": 1500, "processed": 1500, "detections": 12_345})
            ),
            "job 5 landed SUCCESS 2 min ago: 1,500 of 1,500 images processed, 12,345 detections"
        );
        assert_eq!(
            said("FAILURE", json!({"total": 20, "processed": 3, "failed": 17})),
            "job 5 landed FAILURE 2 min ago: 3 of 20 images processed, 17 failed"
        );
        assert_eq!(
            said(
                "REVOKED",
                json!({"total": 20, "processed": 3, "failed": 1, "pending": 16})
            ),
            "job 5 was canceled 2 min ago: 3 of 20 images processed, 1 failed, 16 never done"
        );
        let mut reaped = body("REVOKED", json!({"total": 2, "processed": 2}));
        reaped["progress"] = json!({"errors": [format!("{REAPED}: no progress for 600 s")]});
        let reaped = read(reaped);
        assert_eq!(reaped.landed(), Some(Exit::Refused));
        assert_eq!(
            reaped.ending(NOW),
            "job 5 was revoked by the health check 2 min ago: 2 of 2 images processed"
        );
    }

    #[test]
    fn a_job_with_nothing_to_do_says_what_was_skipped_and_how_to_have_it_all_the_same() {
        let said = |counts| job("SUCCESS", counts).ending(NOW);
        assert_eq!(
            said(json!({"total": 0, "skipped": 1200})),
            "job 5 landed SUCCESS 2 min ago: there was no image to process; 1,200 images were skipped, processed by this \
             pipeline before (`job create --reprocess` takes them again)"
        );
        assert_eq!(
            said(json!({"total": 2, "processed": 2, "skipped": 1})),
            "job 5 landed SUCCESS 2 min ago: 2 of 2 images processed; 1 image was skipped, processed by this pipeline before \
             (`job create --reprocess` takes them again)"
        );
        assert_eq!(
            said(json!({"total": 0})),
            "job 5 landed SUCCESS 2 min ago: there was no image to process; its capture set is empty"
        );
    }
}
