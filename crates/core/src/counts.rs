//! The counts of a job, and the stages on the wire, which are computed from the counts.

use serde::Serialize;

use crate::JobStatus;

/// The counts of a job: `total = pending + in_flight + processed + failed`, four disjoint numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Tasks of the job.
    pub total: u64,
    /// Tasks that are neither settled nor handed out.
    pub pending: u64,
    /// Tasks handed out, under a lease.
    pub in_flight: u64,
    /// Tasks with a result, without the failed ones.
    pub processed: u64,
    /// Tasks that failed.
    pub failed: u64,
    /// Stored detections.
    pub detections: u64,
    /// Stored classifications.
    pub classifications: u64,
    /// Captures of the set that did not become tasks, because this pipeline had processed them already.
    pub skipped: u64,
}

/// What the stages are computed from.
#[derive(Clone, Copy, Debug)]
pub struct StageView {
    /// The job's status.
    pub status: JobStatus,
    /// Whether the task set of this run is complete.
    pub collected: bool,
    /// The counts.
    pub counts: Counts,
    /// Captures in the set.
    pub candidates: u64,
    /// The job's limit, if it left captures out.
    pub limit: Option<u64>,
    /// Seconds to wait before the job starts, 0 for none, and whether they have passed.
    pub delay: Option<(u64, bool)>,
}

/// A parameter of a stage.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// The name for people.
    pub name: &'static str,
    /// The name for programs.
    pub key: &'static str,
    /// Always `default`.
    pub category: &'static str,
    /// `None` is `""` on the wire: not known yet.
    pub value: Option<u64>,
}

/// A stage as on the wire.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    /// The stage's own status.
    pub status: JobStatus,
    /// `status` in words.
    pub status_label: String,
    /// In `0..=1`.
    pub progress: f64,
    /// The name for programs.
    pub key: &'static str,
    /// The name for people.
    pub name: &'static str,
    /// The parameters.
    pub params: Vec<Param>,
}

/// The progress of a job as on the wire.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// The mean of the stages' progress.
    pub progress: f64,
    /// The stages, in order.
    pub stages: Vec<Stage>,
}

/// The stages of a job (docs/rules.md B1).
#[must_use]
pub fn stages(view: &StageView) -> Progress {
    let c = &view.counts;
    let settled = c.processed + c.failed;
    let known = |n: u64| view.collected.then_some(n);
    let process = match (view.collected, c.total) {
        (false, _) => 0.0,
        (true, 0) => 1.0,
        (true, total) => settled as f64 / total as f64,
    };
    let collect = f64::from(u8::from(view.collected));
    let stage = |key, name, progress: f64, params| {
        let status = stage_status(view, key, progress);
        Stage {
            status,
            status_label: label(status, progress),
            progress,
            key,
            name,
            params,
        }
    };

    let mut stages = Vec::with_capacity(4);
    if let Some((seconds, passed)) = view.delay {
        let progress = f64::from(u8::from(passed));
        stages.push(stage(
            "delay",
            "Delay",
            progress,
            vec![param("Delay", "delay", Some(seconds))],
        ));
    }
    let mut collected = vec![param("Total Images", "total_images", known(c.total))];
    if c.skipped > 0 {
        collected.push(param("Skipped", "skipped", known(c.skipped)));
        collected.push(param("Candidates", "candidates", known(view.candidates)));
    }
    if let Some(limit) = view.limit {
        collected.push(param("Limit", "limit", known(limit)));
    }
    stages.push(stage("collect", "Collect", collect, collected));
    stages.push(stage(
        "process",
        "Process",
        process,
        vec![
            param("Processed", "processed", known(settled)),
            param("Remaining", "remaining", known(c.total.saturating_sub(settled))),
            param("Failed", "failed", known(c.failed)),
            param("In Flight", "in_flight", known(c.in_flight)),
        ],
    ));
    stages.push(stage(
        "results",
        "Results",
        process,
        vec![
            param("Captures", "captures", known(c.processed)),
            param("Detections", "detections", known(c.detections)),
            param("Classifications", "classifications", known(c.classifications)),
        ],
    ));
    let progress = stages.iter().map(|s| s.progress).sum::<f64>() / stages.len() as f64;
    Progress { progress, stages }
}

fn param(name: &'static str, key: &'static str, value: Option<u64>) -> Param {
    Param {
        name,
        key,
        category: "default",
        value,
    }
}

fn stage_status(view: &StageView, key: &str, progress: f64) -> JobStatus {
    let first_value = view.collected || key == "delay";
    if progress >= 1.0 {
        if key == "collect" || key == "delay" {
            JobStatus::Success
        } else if view.status.is_final() {
            view.status
        } else {
            JobStatus::Started
        }
    } else if view.status == JobStatus::Revoked {
        JobStatus::Revoked
    } else if progress > 0.0
        || (first_value && view.status != JobStatus::Created)
        || (key == "collect" && view.status == JobStatus::Started)
    {
        JobStatus::Started
    } else {
        JobStatus::Created
    }
}

/// A status in words, as upstream's `status_label`.
#[must_use]
pub fn label(status: JobStatus, progress: f64) -> String {
    match status {
        JobStatus::Created => "Waiting to start".to_owned(),
        JobStatus::Started => format!("{:.0}% complete", progress * 100.0),
        other => other.as_str().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(status: JobStatus, collected: bool, processed: u64, failed: u64, total: u64) -> StageView {
        let counts = Counts {
            total,
            processed,
            failed,
            pending: total - processed - failed,
            ..Counts::default()
        };
        StageView {
            status,
            collected,
            counts,
            candidates: total,
            limit: None,
            delay: None,
        }
    }

    fn values(p: &Progress, at: usize) -> Vec<Option<u64>> {
        p.stages[at].params.iter().map(|p| p.value).collect()
    }

    #[test]
    fn parameters_are_empty_until_collect_ends() {
        let p = stages(&view(JobStatus::Created, false, 0, 0, 0));
        assert!(
            p.stages
                .iter()
                .all(|s| s.progress == 0.0 && s.status == JobStatus::Created)
        );
        assert_eq!(values(&p, 0), [None]);
    }

    #[test]
    fn processed_includes_failed_on_the_wire_and_captures_does_not() {
        let p = stages(&view(JobStatus::Started, true, 2, 1, 6));
        assert_eq!(values(&p, 1)[..3], [Some(3), Some(3), Some(1)]);
        assert_eq!(values(&p, 2)[0], Some(2));
        assert_eq!(p.stages[1].progress, 0.5);
        assert_eq!(p.stages[2].progress, 0.5);
        assert!((p.progress - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(p.stages[0].status, JobStatus::Success);
        assert_eq!(p.stages[1].status, JobStatus::Started);
    }

    #[test]
    fn a_failed_job_shows_failure_on_its_last_stages_and_a_revoked_one_on_its_unfinished_ones() {
        let failed = stages(&view(JobStatus::Failure, true, 2, 18, 20));
        assert_eq!(
            failed.stages.iter().map(|s| s.status).collect::<Vec<_>>(),
            [JobStatus::Success, JobStatus::Failure, JobStatus::Failure]
        );
        let revoked = stages(&view(JobStatus::Revoked, true, 2, 0, 20));
        assert_eq!(revoked.stages[0].status, JobStatus::Success);
        assert_eq!(revoked.stages[1].status, JobStatus::Revoked);
    }

    #[test]
    fn a_job_of_no_captures_is_complete() {
        let p = stages(&view(JobStatus::Success, true, 0, 0, 0));
        assert_eq!(p.progress, 1.0);
    }
}
