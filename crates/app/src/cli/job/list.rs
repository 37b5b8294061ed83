//! `trapline job list` and `show`.

use clap::Args;
use serde_json::Value;
use trapline_core::JobStatus;

use super::{
    super::{
        client::Query,
        exit::{CliResult, Exit},
        output::{self, Table, cell},
    },
    Context, Job, JobId, param,
    view::duration,
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
        let headings = [
            "ID",
            "NAME",
            "STATUS",
            "PIPELINE",
            "TOTAL",
            "PROCESSED",
            "FAILED",
            "CREATED",
        ];
        Table::new(&headings).page(jobs.into_iter().map(|job| row(&Job(job))).collect())?;
        Ok(Exit::Done)
    }
}

fn row(job: &Job) -> Vec<String> {
    vec![
        job.id().to_string(),
        job.text("/name"),
        job.status(),
        job.text("/pipeline/slug"),
        job.count("total").to_string(),
        job.count("processed").to_string(),
        job.count("failed").to_string(),
        job.text("/created_at"),
    ]
}

pub(super) async fn show(context: &Context, id: &JobId) -> CliResult {
    let body: Value = context.client.get(&id.path(), &Query::new()).await?;
    if context.json {
        output::json(&body)?;
        return Ok(Exit::Done);
    }
    let job = Job(body);
    output::line(&job)?;
    for (label, pointer) in [
        ("name", "/name"),
        ("project", "/project/name"),
        ("pipeline", "/pipeline/slug"),
        ("capture set", "/source_image_collection/name"),
        ("outcome", "/outcome"),
        ("run", "/run"),
        ("priority", "/priority"),
        ("failure threshold", "/failure_threshold"),
        ("pending", "/counts/pending"),
        ("skipped", "/counts/skipped"),
        ("detections", "/counts/detections"),
        ("classifications", "/counts/classifications"),
        ("created", "/created_at"),
        ("started", "/started_at"),
        ("finished", "/finished_at"),
    ] {
        output::line(format_args!("  {label}: {}", job.text(pointer)))?;
    }
    if let Some(rate) = job.0["rate_per_minute"].as_f64() {
        output::line(format_args!("  rate: {rate:.1} captures a minute"))?;
    }
    if let Some(eta) = job.0["eta_seconds"].as_f64() {
        output::line(format_args!("  done in: about {}", duration(eta)))?;
    }
    for stage in job
        .0
        .pointer("/progress/stages")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        output::line(format_args!(
            "  stage {}: {}",
            cell(&stage["key"]),
            cell(&stage["status_label"])
        ))?;
    }
    job.errors()
        .iter()
        .try_for_each(|error| output::line(format_args!("  error: {error}")))?;
    Ok(Exit::Done)
}
