//! Watches a job of this process until it has landed.

use std::time::Duration;

use trapline_core::{
    Error, JobId, Result,
    ports::{Catalog, Job},
    words::{count, counted},
};
use trapline_engine::Engine;

use super::facts::Facts;
use crate::cli::progress::{Progress, Standing};

const LOOK: Duration = Duration::from_millis(200);

/// The job, once it has landed. What is learnt of its images meanwhile is written.
pub(super) async fn until_final(engine: &Engine, id: JobId, facts: &Facts) -> Result<Job> {
    let mut progress = Progress::new();
    loop {
        let job = engine
            .store()
            .job(id)
            .await?
            .ok_or_else(|| Error::internal("the job is gone"))?;
        facts.write(engine.store().as_ref() as &dyn Catalog).await?;
        if job.status.is_final() {
            progress.end();
            return Ok(job);
        }
        progress.show(&standing(&job), engine.clock().monotonic());
        engine.clock().sleep(LOOK).await;
    }
}

fn standing(job: &Job) -> Standing {
    let c = &job.counts;
    let parts = [
        (c.failed, format!("{} failed", count(c.failed))),
        (c.detections, counted(c.detections, "detection")),
    ];
    Standing {
        head: format!("job {} {}", job.id, job.status),
        settled: c.processed + c.failed,
        total: job.collected.then_some(c.total),
        parts: parts
            .into_iter()
            .filter(|(n, _)| *n > 0)
            .map(|(_, text)| text)
            .collect(),
        waiting: None,
        left: None,
    }
}
