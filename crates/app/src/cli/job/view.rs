//! A job as the server shows it. What a server of another version leaves out reads as nothing.

use std::fmt;

use serde_json::Value;
use trapline_core::JobStatus;

use super::super::{
    exit::Exit,
    output::{cell, clean},
};

/// The body of a job.
pub(super) struct Job(pub(super) Value);

impl Job {
    pub(super) fn id(&self) -> i64 {
        self.0["id"].as_i64().unwrap_or_default()
    }

    pub(super) fn text(&self, pointer: &str) -> String {
        self.0.pointer(pointer).map_or_else(|| "-".to_owned(), cell)
    }

    pub(super) fn status(&self) -> String {
        self.text("/status")
    }

    pub(super) fn count(&self, name: &str) -> u64 {
        self.0["counts"][name].as_u64().unwrap_or_default()
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
            .map_or_else(String::new, |why| format!(", waiting: {why}"))
    }

    pub(super) fn errors(&self) -> Vec<String> {
        let errors = self.0.pointer("/progress/errors").and_then(Value::as_array);
        errors.into_iter().flatten().map(cell).collect()
    }
}

/// Where it stands, on one line.
impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "job {} {}: ", self.id(), self.status())?;
        write!(
            f,
            "{} of {} processed, {} failed",
            self.count("processed"),
            self.count("total"),
            self.count("failed")
        )?;
        if self.landed().is_some() {
            return write!(f, ", {} detections", self.count("detections"));
        }
        write!(
            f,
            ", {} in flight{}",
            self.count("in_flight"),
            self.waiting_clause()
        )
    }
}

/// `90` as `1m 30s`.
pub(super) fn duration(seconds: f64) -> String {
    let seconds = if seconds.is_finite() {
        seconds.max(0.0).round()
    } else {
        0.0
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "bounded above zero, and casts saturate"
    )]
    let seconds = seconds as u64;
    match (seconds / 3_600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s}s"),
        (0, m, s) => format!("{m}m {s}s"),
        (h, m, _) => format!("{h}h {m}m"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_job_on_one_line_says_how_far_it_is() {
        let counts = json!({"total": 20, "processed": 17, "failed": 1, "in_flight": 2, "detections": 40});
        let mut job = Job(json!({"id": 5, "status": "STARTED", "counts": counts, "waiting_for": "a worker"}));
        assert_eq!(
            job.to_string(),
            "job 5 STARTED: 17 of 20 processed, 1 failed, 2 in flight, waiting: a worker"
        );
        assert_eq!(job.landed(), None);
        job.0["status"] = json!("REVOKED");
        assert_eq!(
            job.to_string(),
            "job 5 REVOKED: 17 of 20 processed, 1 failed, 40 detections"
        );
        assert_eq!(job.landed(), Some(Exit::Refused));
        assert_eq!(
            Job(json!({})).to_string(),
            "job 0 -: 0 of 0 processed, 0 failed, 0 in flight"
        );
    }

    #[test]
    fn durations_are_short() {
        assert_eq!(
            [0.4, 90.0, 3_700.0, f64::NAN].map(duration),
            ["0s", "1m 30s", "1h 1m", "0s"]
        );
    }
}
