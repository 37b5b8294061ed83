//! What a run says at its end, for people and for programs.

use std::path::PathBuf;

use serde_json::{Value, json};
use trapline_core::{
    CaptureId, JobId, JobStatus, Outcome, Result,
    ports::{ImageQuery, ImageRow, ImageState, Job},
};
use trapline_engine::Engine;

use super::sources::BadLine;
use crate::cli::{
    exit::{CliResult, Exit},
    output,
};

/// How many failed images a summary for people lists.
const LISTED: usize = 20;
/// How many failed images are read at all.
const READ_MAX: u64 = 10_000;

pub(super) struct Summary {
    pub(super) job: Job,
    pub(super) bad_lines: Vec<BadLine>,
    pub(super) failed: Vec<ImageRow>,
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
        limit: READ_MAX,
    };
    engine.store().images(&query).await
}

fn plain(url: &str) -> &str {
    url.strip_prefix("file://").unwrap_or(url)
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
            output::line(self.text().trim_end())
        }
    }

    fn errors(&self) -> Vec<Value> {
        let lines = self.bad_lines.iter().map(|b| {
            json!({ "source": b.manifest.display().to_string(), "line": b.line, "reason": "bad_line", "detail": b.why })
        });
        let images = self.failed.iter().map(|i| {
            json!({ "image_id": i.capture.to_string(), "image": plain(&i.url), "reason": i.reason, "detail": i.detail })
        });
        lines.chain(images).collect()
    }

    fn json(&self) -> Value {
        json!({
            "job_id": self.job.id,
            "status": self.job.status,
            "outcome": Outcome::of(self.job.status, self.job.counts.failed),
            "counts": self.job.counts,
            "seconds": (self.seconds * 1_000.0).round() / 1_000.0,
            "errors": self.errors(),
            "database": self.database,
        })
    }

    fn text(&self) -> String {
        let c = &self.job.counts;
        let mut text = format!(
            "{}: {} of {} images processed, {} failed, {} detections, {} classifications in {:.1} s\n",
            self.job.status, c.processed, c.total, c.failed, c.detections, c.classifications, self.seconds
        );
        if c.skipped > 0 {
            text += &format!(
                "{} images were processed before and skipped; `--reprocess` runs them again\n",
                c.skipped
            );
        }
        for image in self.failed.iter().take(LISTED) {
            let reason = image.reason.map_or("failed", |r| r.as_str());
            text += &format!(
                "  {} ({reason}): {}\n",
                plain(&image.url),
                image.detail.as_deref().unwrap_or("")
            );
        }
        if self.failed.len() > LISTED {
            text += &format!(
                "  ... and {} more; `--json` lists them\n",
                c.failed as usize - LISTED
            );
        }
        match &self.database {
            Some(database) => text += &format!("The store is kept in {}\n", database.display()),
            None => text += "The store was temporary; `--database FILE` keeps it\n",
        }
        text
    }
}
