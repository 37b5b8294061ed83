//! A job as the server shows it. What a server of another version leaves out reads as nothing.

use std::{fmt, time::Duration};

use serde_json::Value;
use trapline_core::{
    Clock as _, JobStatus, Timestamp,
    health::REAPED,
    words::{count, counted},
};
use trapline_engine::SystemClock;

use super::super::{
    exit::Exit,
    output::{ago, cell, clean},
};

/// The body of a job.
pub(super) struct Job(pub(super) Value);

impl Job {
    pub(super) fn id(&self) -> i64 {
        self.0["id"].as_i64().unwrap_or_default()
    }

    /// A text or number of the body; empty if there is none.
    pub(super) fn text(&self, pointer: &str) -> String {
        self.0.pointer(pointer).map_or_else(String::new, cell)
    }

    pub(super) fn status(&self) -> String {
        self.text("/status")
    }

    pub(super) fn count(&self, name: &str) -> u64 {
        self.0["counts"][name].as_u64().unwrap_or_default()
    }

    pub(super) fn seconds(&self, name: &str) -> Option<Duration> {
        Duration::try_from_secs_f64(self.0[name].as_f64()?).ok()
    }

    /// Processed and failed together.
    pub(super) fn settled(&self) -> u64 {
        self.count("processed") + self.count("failed")
    }

    /// How a command that waited for it ends; `None` while it runs.
    pub(super) fn landed(&self) -> Option<Exit> {
        match self.0["status"].as_str()?.parse::<JobStatus>().ok()? {
            JobStatus::Success => Some(Exit::Done),
            JobStatus::Failure | JobStatus::Revoked => Some(Exit::Refused),
            _ => None,
        }
    }

    pub(super) fn waiting_for(&self) -> Option<String> {
        self.0["waiting_for"].as_str().map(clean)
    }

    pub(super) fn waiting_clause(&self) -> String {
        self.waiting_for()
            .map_or_else(String::new, |why| format!("; {why}"))
    }

    pub(super) fn errors(&self) -> Vec<String> {
        let errors = self.0.pointer("/progress/errors").and_then(Value::as_array);
        errors.into_iter().flatten().map(cell).collect()
    }

    /// How it ended and when, on one line: `job 3 landed SUCCESS 2 min ago: 500 of 500 images processed`.
    pub(super) fn ending(&self, now: Timestamp) -> String {
        let when = ago(&self.0["finished_at"], now).map_or_else(String::new, |when| format!(" {when}"));
        let how = match self.status().as_str() {
            "REVOKED" if self.errors().iter().any(|e| e.starts_with(REAPED)) => {
                "was revoked by the health check".to_owned()
            }
            "REVOKED" => "was canceled".to_owned(),
            status => format!("landed {status}"),
        };
        format!("job {} {how}{when}: {}", self.id(), self.done())
    }

    /// What was done of it.
    fn done(&self) -> String {
        let (total, skipped) = (self.count("total"), self.count("skipped"));
        let mut text = match total {
            0 => "there was no image to process".to_owned(),
            _ => format!(
                "{} of {} processed",
                count(self.count("processed")),
                counted(total, "image")
            ),
        };
        for (name, what) in [("failed", "failed"), ("pending", "never done")] {
            if self.count(name) > 0 {
                text += &format!(", {} {what}", count(self.count(name)));
            }
        }
        if self.count("detections") > 0 {
            text += &format!(", {}", counted(self.count("detections"), "detection"));
        }
        match skipped {
            0 if total == 0 => text + "; its capture set is empty",
            0 => text,
            _ => text + &format!("; {}", skipped_clause(skipped)),
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
        write!(f, "job {} is {}", self.id(), self.status())?;
        if self.count("total") > 0 {
            write!(
                f,
                ": {} of {} processed, {} failed, {} with workers",
                count(self.count("processed")),
                counted(self.count("total"), "image"),
                count(self.count("failed")),
                count(self.count("in_flight"))
            )?;
        }
        f.write_str(&self.waiting_clause())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000_000);

    fn job(status: &str, counts: Value) -> Job {
        let finished = NOW.minus(Duration::from_secs(130));
        Job(json!({"id": 5, "status": status, "counts": counts, "finished_at": finished}))
    }

    #[test]
    fn a_job_on_one_line_says_how_far_it_is() {
        let counts = json!({"total": 2000, "processed": 1700, "failed": 1, "in_flight": 2, "detections": 40});
        let mut running = job("STARTED", counts);
        assert_eq!(
            running.to_string(),
            "job 5 is STARTED: 1,700 of 2,000 images processed, 1 failed, 2 with workers"
        );
        assert_eq!(running.landed(), None);
        running.0["waiting_for"] = json!("waiting for workers");
        assert!(
            running
                .to_string()
                .ends_with("2 with workers; waiting for workers")
        );
        assert_eq!(
            job("PENDING", json!({"total": 0})).to_string(),
            "job 5 is PENDING"
        );
        assert_eq!(Job(json!({})).to_string(), "job 0 is ");
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
        let mut reaped = job("REVOKED", json!({"total": 2, "processed": 2}));
        assert_eq!(reaped.landed(), Some(Exit::Refused));
        reaped.0["progress"] = json!({"errors": [format!("{REAPED}: no progress for 600 s")]});
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
