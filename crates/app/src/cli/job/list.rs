//! `trapline job list` and `show`.

use clap::Args;
use serde_json::Value;
use trapline_core::{
    Clock as _, JobStatus, Timestamp,
    words::{about, count},
};
use trapline_engine::SystemClock;

use super::{
    super::{
        client::Query,
        exit::{CliResult, Exit},
        output::{self, Table, ago, cell},
    },
    Context, Job, JobId, param,
};

/// A list for people hides failed jobs after days; this one has a limit instead.
const CUTOFF_HOURS: u32 = 24 * 366 * 100;

/// List jobs, the newest first
#[derive(Args)]
pub(super) struct ListArgs {
    /// Of this project only
    #[arg(long, value_name = "ID")]
    project: Option<i64>,
    /// In these states only
    #[arg(long, value_delimiter = ',', value_parser = status)]
    status: Vec<JobStatus>,
    /// Of these pipelines only
    #[arg(long, value_delimiter = ',', value_name = "SLUG")]
    pipeline: Vec<String>,
    /// At most so many
    #[arg(long, default_value_t = 20)]
    limit: u64,
}

fn status(text: &str) -> Result<JobStatus, String> {
    text.to_ascii_uppercase().parse().map_err(|_| {
        let known: Vec<&str> = JobStatus::ALL.into_iter().map(JobStatus::as_str).collect();
        format!("there are {}", known.join(", "))
    })
}

impl ListArgs {
    pub(super) async fn run(self, context: &Context) -> CliResult {
        let mut query: Query = vec![param("cutoff_hours", CUTOFF_HOURS)];
        query.extend(self.project.map(|id| param("project_id", id)));
        if !self.status.is_empty() {
            let states: Vec<&str> = self.status.iter().map(|s| s.as_str()).collect();
            query.push(param("status", states.join(",")));
        }
        if !self.pipeline.is_empty() {
            query.push(param("pipeline__slug__in", self.pipeline.join(",")));
        }
        let jobs = context
            .client
            .pages("jobs/", query, Some(self.limit))
            .all()
            .await?;
        if context.json {
            output::json(&jobs)?;
            return Ok(Exit::Done);
        }
        if jobs.is_empty() {
            let narrowed = self.project.is_some() || !self.status.is_empty() || !self.pipeline.is_empty();
            output::note(if narrowed {
                "there is no such job"
            } else {
                "there is no job yet; `trapline job create` makes one"
            });
            return Ok(Exit::Done);
        }
        let now = SystemClock::new().now();
        Table::new(&["ID", "NAME", "STATUS", "PIPELINE", "IMAGES", "FAILED", "CREATED"])
            .numbers(&["IMAGES", "FAILED"])
            .page(jobs.into_iter().map(|job| row(&Job(job), now)).collect())?;
        Ok(Exit::Done)
    }
}

fn row(job: &Job, now: Timestamp) -> Vec<String> {
    let images = match job.count("total") {
        0 => String::new(),
        total => format!("{}/{}", count(job.settled()), count(total)),
    };
    let failed = match job.count("failed") {
        0 => String::new(),
        failed => count(failed),
    };
    vec![
        job.id().to_string(),
        job.text("/name"),
        job.status(),
        job.text("/pipeline/slug"),
        images,
        failed,
        ago(&job.0["created_at"], now).unwrap_or_default(),
    ]
}

pub(super) async fn show(context: &Context, id: &JobId) -> CliResult {
    let body: Value = context.client.get(&id.path(), &Query::new()).await?;
    if context.json {
        output::json(&body)?;
        return Ok(Exit::Done);
    }
    let job = Job(body);
    output::prose(&job)?;
    details(&job, SystemClock::new().now())
        .iter()
        .try_for_each(output::prose)?;
    Ok(Exit::Done)
}

/// Whatever is known of a job besides its first line.
fn details(job: &Job, now: Timestamp) -> Vec<String> {
    let run = job.0["run"]
        .as_i64()
        .filter(|run| *run > 1)
        .map(|run| run.to_string());
    let priority = job.0["priority"]
        .as_i64()
        .filter(|p| *p != 0)
        .map(|p| p.to_string());
    let threshold = job.0["failure_threshold"].as_f64();
    let threshold = threshold.map(|t| format!("FAILURE if more than {}% fail", t * 100.0));
    let counted = |name: &str| Some(job.count(name)).filter(|n| *n > 0).map(count);
    let when = |name: &str| ago(&job.0[name], now);
    let rate = job.0["rate_per_minute"]
        .as_f64()
        .filter(|_| job.landed().is_none());
    let left = job.seconds("eta_seconds").filter(|_| job.landed().is_none());
    let said = |pointer: &str| Some(job.text(pointer)).filter(|text| !text.is_empty());
    let rows = [
        ("name", said("/name")),
        ("project", said("/project/name")),
        ("pipeline", said("/pipeline/slug")),
        ("capture set", said("/source_image_collection/name")),
        ("outcome", said("/outcome")),
        ("run", run),
        ("priority", priority),
        ("lands", threshold),
        ("not handed out", counted("pending")),
        ("skipped", counted("skipped")),
        ("detections", counted("detections")),
        ("classifications", counted("classifications")),
        ("created", when("created_at")),
        ("started", when("started_at")),
        ("finished", when("finished_at")),
        ("rate", rate.map(|rate| format!("{rate:.1} images a minute"))),
        ("done in", left.map(|left| format!("about {}", about(left)))),
    ];
    let mut lines: Vec<String> = rows
        .into_iter()
        .filter_map(|(label, value)| Some(format!("  {label}: {}", value?)))
        .collect();
    let stages = job.0.pointer("/progress/stages").and_then(Value::as_array);
    lines.extend(stages.into_iter().flatten().map(|stage| {
        format!(
            "  stage {}: {}",
            cell(&stage["key"]),
            cell(&stage["status_label"])
        )
    }));
    lines.extend(job.errors().iter().map(|error| format!("  error: {error}")));
    lines
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    #[test]
    fn a_job_is_shown_by_what_is_known_of_it() {
        let now = Timestamp(1_800_000_000_000_000);
        let at = |seconds| now.minus(Duration::from_secs(seconds));
        let job = Job(
            json!({"id": 5, "status": "STARTED", "name": "june", "run": 2, "failure_threshold": 0.25,
            "pipeline": {"slug": "light-sheet"}, "priority": 0, "rate_per_minute": 30.04, "eta_seconds": 600.0,
            "counts": {"total": 20_000, "pending": 12_500, "skipped": 0, "detections": 1_234},
            "created_at": at(7_300), "started_at": at(125), "finished_at": null, "source_image_collection": null,
            "progress": {"stages": [{"key": "process", "status_label": "37% complete"}], "errors": ["worker gpu is slow"]}}),
        );
        assert_eq!(
            details(&job, now),
            [
                "  name: june",
                "  pipeline: light-sheet",
                "  run: 2",
                "  lands: FAILURE if more than 25% fail",
                "  not handed out: 12,500",
                "  detections: 1,234",
                "  created: 2 h ago",
                "  started: 2 min ago",
                "  rate: 30.0 images a minute",
                "  done in: about 10 min",
                "  stage process: 37% complete",
                "  error: worker gpu is slow",
            ]
        );
        assert_eq!(
            details(&Job(json!({"id": 1, "status": "CREATED"})), now),
            Vec::<String>::new()
        );
    }
}
