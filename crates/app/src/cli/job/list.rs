//! `trapline job list` and `show`.

use clap::Args;
use trapline_core::{
    Clock as _, JobStatus, Timestamp,
    words::{about, count},
};
use trapline_engine::SystemClock;

use super::{
    super::{
        client::Query,
        exit::{CliResult, Exit},
        output::{self, Table, ago, clean},
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
        let pages = context.client.pages::<Job>("jobs/", query, Some(self.limit));
        let jobs = pages.all().await?;
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
            .page(jobs.iter().map(|job| row(job, now)).collect())?;
        Ok(Exit::Done)
    }
}

fn row(job: &Job, now: Timestamp) -> Vec<String> {
    let images = match job.counts.total {
        0 => String::new(),
        total => format!("{}/{}", count(job.settled()), count(total)),
    };
    let failed = match job.counts.failed {
        0 => String::new(),
        failed => count(failed),
    };
    vec![
        job.id.to_string(),
        clean(&job.name),
        clean(&job.status),
        job.pipeline.as_ref().map_or_else(String::new, |p| clean(&p.slug)),
        images,
        failed,
        ago(job.created_at.as_str(), now).unwrap_or_default(),
    ]
}

pub(super) async fn show(context: &Context, id: &JobId) -> CliResult {
    let job: Job = context.client.get(&id.path(), &Query::new()).await?;
    if context.json {
        output::json(&job)?;
        return Ok(Exit::Done);
    }
    output::prose(&job)?;
    details(&job, SystemClock::new().now())
        .iter()
        .try_for_each(output::prose)?;
    Ok(Exit::Done)
}

/// Whatever is known of a job besides its first line.
fn details(job: &Job, now: Timestamp) -> Vec<String> {
    let is_over = job.landed().is_some();
    let said = |text: &str| Some(clean(text)).filter(|text| !text.is_empty());
    let counted = |n: u64| Some(n).filter(|n| *n > 0).map(count);
    let number = |n: i64, usual: i64| Some(n.to_string()).filter(|_| n != 0 && n != usual);
    let threshold = job.failure_threshold * 100.0;
    let rate = job.rate_per_minute.filter(|_| !is_over);
    let left = job.left().filter(|_| !is_over);
    let rows = [
        ("name", said(&job.name)),
        ("project", job.project.as_ref().and_then(|p| said(&p.name))),
        ("pipeline", job.pipeline.as_ref().and_then(|p| said(&p.slug))),
        (
            "capture set",
            job.source_image_collection.as_ref().and_then(|c| said(&c.name)),
        ),
        ("outcome", job.outcome.as_ref().and_then(|outcome| said(outcome))),
        ("run", number(job.run, 1)),
        ("priority", number(job.priority, 0)),
        ("lands", Some(format!("FAILURE if more than {threshold}% fail"))),
        ("not handed out", counted(job.counts.pending)),
        ("skipped", counted(job.counts.skipped)),
        ("detections", counted(job.counts.detections)),
        ("classifications", counted(job.counts.classifications)),
        ("created", ago(job.created_at.as_str(), now)),
        ("started", ago(job.started_at.as_deref(), now)),
        ("finished", ago(job.finished_at.as_deref(), now)),
        ("rate", rate.map(|rate| format!("{rate:.1} images a minute"))),
        ("done in", left.map(|left| format!("about {}", about(left)))),
    ];
    let rows = rows
        .into_iter()
        .filter_map(|(label, value)| Some(format!("  {label}: {}", value?)));
    let stages = job
        .progress
        .stages
        .iter()
        .map(|stage| format!("  stage {}: {}", clean(&stage.key), clean(&stage.status_label)));
    let errors = job.errors().map(|error| format!("  error: {error}"));
    rows.chain(stages).chain(errors).collect()
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
        let read = |body| serde_json::from_value::<Job>(body).unwrap();
        let job = read(
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
            details(&read(json!({"id": 1, "status": "CREATED"})), now),
            ["  lands: FAILURE if more than 0% fail"]
        );
    }
}
