//! Watches a job of this process until it has landed: a bar for a person, lines otherwise, both on stderr.

use std::{io::IsTerminal as _, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};
use trapline_core::{Error, JobId, Result, ports::Job};
use trapline_engine::Engine;

use crate::cli::output;

const LOOK: Duration = Duration::from_millis(200);
/// Between two lines, when no person looks on.
const LINES: Duration = Duration::from_secs(10);

/// The job, once it has landed.
pub(super) async fn until_final(engine: &Engine, id: JobId) -> Result<Job> {
    let mut view = View::new();
    loop {
        let job = engine
            .store()
            .job(id)
            .await?
            .ok_or_else(|| Error::internal("the job is gone"))?;
        view.show(&job, engine.clock().monotonic());
        if job.status.is_final() {
            view.end();
            return Ok(job);
        }
        engine.clock().sleep(LOOK).await;
    }
}

enum View {
    Bar(ProgressBar),
    Lines { last: Option<(Duration, u64)> },
}

impl View {
    fn new() -> Self {
        if !std::io::stderr().is_terminal() {
            return Self::Lines { last: None };
        }
        let bar = ProgressBar::new(0);
        if let Ok(style) =
            ProgressStyle::with_template("{bar:40} {pos}/{len} images {msg} {elapsed} (left {eta})")
        {
            bar.set_style(style);
        }
        Self::Bar(bar)
    }

    fn show(&mut self, job: &Job, now: Duration) {
        let c = &job.counts;
        let settled = c.processed + c.failed;
        match self {
            Self::Bar(bar) => {
                bar.set_length(c.total);
                bar.set_position(settled);
                bar.set_message(format!("{} detections, {} failed,", c.detections, c.failed));
            }
            Self::Lines { last } => {
                let due =
                    last.is_none_or(|(at, before)| settled != before && now.saturating_sub(at) >= LINES);
                if job.collected && (due || job.status.is_final()) {
                    output::note(format_args!(
                        "job {} {}: {settled}/{} images, {} detections, {} failed",
                        job.id, job.status, c.total, c.detections, c.failed
                    ));
                    *last = Some((now, settled));
                }
            }
        }
    }

    fn end(self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}
