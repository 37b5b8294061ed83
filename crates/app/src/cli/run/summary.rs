//! What a run says at its end, for people and for programs.

use std::{collections::BTreeMap, path::PathBuf};

use serde_json::{Value, json};
use trapline_core::{
    CaptureId, JobId, JobStatus, Outcome, Result,
    ports::{ImageQuery, ImageRow, ImageState, Job},
    words::{count, counted},
};
use trapline_engine::Engine;

use super::{found::Found, sources::ManifestLine, walk};
use crate::{
    cli::{
        exit::{CliResult, Exit},
        output,
    },
    file_url,
};

/// How many failed images a summary for people lists.
const LISTED: usize = 20;
/// How many failed images are read at all.
const READ_MAX: u64 = 10_000;

pub(super) struct Summary {
    pub(super) job: Job,
    pub(super) found: Found,
    pub(super) passed_over: BTreeMap<String, u64>,
    pub(super) closed: Vec<(PathBuf, String)>,
    pub(super) bad: Vec<ManifestLine>,
    pub(super) warnings: Vec<ManifestLine>,
    pub(super) failed: Vec<ImageRow>,
    pub(super) exports: Vec<PathBuf>,
    pub(super) seconds: f64,
    /// The store, if it stays.
    pub(super) database: Option<PathBuf>,
}

/// The failed images of a job.
pub(super) async fn failed(engine: &Engine, job: JobId) -> Result<Vec<ImageRow>> {
    let query = ImageQuery {
        job,
        state: Some(ImageState::Failed),
        reason: None,
        after: CaptureId(i64::MIN),
        back: false,
        limit: READ_MAX,
    };
    engine.store().images(&query).await
}

fn told(line: &ManifestLine, reason: &str) -> Value {
    json!({ "source": line.manifest.display().to_string(), "line": line.line, "reason": reason, "detail": line.why })
}

impl Summary {
    pub(super) fn exit(&self) -> Exit {
        if self.job.status == JobStatus::Success {
            Exit::Done
        } else {
            Exit::Refused
        }
    }

    pub(super) fn print(&self, as_json: bool) -> CliResult<()> {
        if as_json {
            output::json(&self.json())
        } else {
            output::prose(self.text().trim_end())
        }
    }

    fn errors(&self) -> Vec<Value> {
        let lines = self.bad.iter().map(|b| told(b, "bad_line"));
        let closed = self.closed.iter().map(|(folder, why)| {
            json!({ "source": folder.display().to_string(), "reason": "closed_folder", "detail": why })
        });
        let images = self.failed.iter().map(|i| {
            json!({ "image_id": i.capture.to_string(), "image": file_url::shown(&i.url), "reason": i.reason,
                    "detail": i.detail })
        });
        lines.chain(closed).chain(images).collect()
    }

    fn json(&self) -> Value {
        json!({
            "job_id": self.job.id,
            "status": self.job.status,
            "outcome": Outcome::of(self.job.status, self.job.counts.failed),
            "counts": self.job.counts,
            "found": self.found,
            "passed_over": self.passed_over,
            "seconds": (self.seconds * 1_000.0).round() / 1_000.0,
            "errors": self.errors(),
            "warnings": self.warnings.iter().map(|w| told(w, "bad_value")).collect::<Vec<_>>(),
            "exports": self.exports,
            "database": self.database,
        })
    }

    fn text(&self) -> String {
        let mut text = self.verdict();
        if self.job.counts.skipped > 0 && self.job.counts.total > 0 {
            text += &format!(
                "{} processed before and skipped; `--reprocess` runs them again\n",
                were(self.job.counts.skipped)
            );
        }
        for (folder, why) in &self.closed {
            text += &format!("The folder {} was not searched: {why}\n", folder.display());
        }
        if !self.bad.is_empty() {
            text += &format!(
                "{} of the manifests left out\n",
                counted(self.bad.len() as u64, "line")
            );
        }
        text += &self.failures();
        for path in &self.exports {
            text += &format!("Written: {}\n", path.display());
        }
        match &self.database {
            Some(database) => text += &format!("The store is kept in {}\n", database.display()),
            None => text += "The store was temporary; `--database FILE` keeps it\n",
        }
        text
    }

    /// The first lines: what became of the images, with what failed before anything else.
    fn verdict(&self) -> String {
        let (job, c) = (&self.job, &self.job.counts);
        if c.total == 0 && c.skipped > 0 {
            return format!(
                "{}: nothing was left to do. {} processed before; `--reprocess` runs them again\n",
                job.status,
                were(c.skipped)
            );
        }
        let share = 100.0 * c.failed as f64 / c.total.max(1) as f64;
        let did = format!(
            "{} of {} processed, {} failed, {}, {} in {:.1} s",
            count(c.processed),
            counted(c.total, "image"),
            count(c.failed),
            counted(c.detections, "detection"),
            counted(c.classifications, "classification"),
            self.seconds
        );
        let threshold = 100.0 * job.failure_threshold;
        match job.status {
            JobStatus::Success if c.failed > 0 => format!(
                "{} OF {} FAILED ({share:.1}%)\n{}: {did}\nThe exit code is 0, because no more than {threshold}% failed; \
                 `--failure-threshold 0` makes it 1 if any image fails\n",
                count(c.failed),
                counted(c.total, "image").to_uppercase(),
                job.status
            ),
            JobStatus::Failure => format!(
                "{}: {did}\nThe exit code is 1, because {share:.1}% failed, more than the {threshold}% of \
                 `--failure-threshold`\n",
                job.status
            ),
            _ => format!("{}: {did}\n", job.status),
        }
    }

    fn failures(&self) -> String {
        let mut text = String::new();
        for image in self.failed.iter().take(LISTED) {
            let reason = image.reason.map_or("failed", |r| r.as_str());
            text += &format!(
                "  {} ({reason}): {}\n",
                file_url::shown(&image.url),
                image.detail.as_deref().unwrap_or("")
            );
        }
        let more = (self.job.counts.failed).saturating_sub(self.failed.len().min(LISTED) as u64);
        if more > 0 {
            text += &format!(
                "  and {} more; `--export FILE` and `--json` list them\n",
                count(more)
            );
        }
        text
    }

    /// What was seen before the job, for people.
    pub(super) fn notes(
        found: &Found,
        passed_over: &BTreeMap<String, u64>,
        closed: &[(PathBuf, String)],
        lines: &[&[ManifestLine]; 2],
    ) {
        output::note(found.line());
        if !passed_over.is_empty() {
            output::note(format_args!("passed over: {}", walk::listed(passed_over)));
        }
        for (folder, why) in closed {
            output::note(format_args!(
                "the folder {} is not searched: {why}",
                folder.display()
            ));
        }
        for (lines, what) in lines
            .iter()
            .zip(["the line is left out", "the image is taken without it"])
        {
            for l in lines.iter().take(LISTED) {
                output::note(format_args!(
                    "{} line {}: {}; {what}",
                    l.manifest.display(),
                    l.line,
                    l.why
                ));
            }
            if lines.len() > LISTED {
                let more = count((lines.len() - LISTED) as u64);
                output::note(format_args!("and {more} more such lines; `--json` lists them"));
            }
        }
    }
}

fn were(images: u64) -> String {
    let verb = if images == 1 { "was" } else { "were" };
    format!("{} {verb}", counted(images, "image"))
}
