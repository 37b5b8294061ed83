//! Following a job until it lands. An outage of the server is waited out, not reported as the job's.

use std::time::Duration;

use trapline_core::{
    Clock as _,
    words::{count, counted},
};
use trapline_engine::SystemClock;

use super::{
    super::{
        client::Client,
        exit::{CliError, CliResult},
        output::{self, clean},
        progress::{Progress, Standing},
    },
    Context, Job, param,
};

/// The first waits are short, for jobs that are over at once.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
const PAUSE_LONGEST: Duration = Duration::from_secs(2);
const PAUSE_AWAY: Duration = Duration::from_secs(10);

pub(super) async fn run(context: &Context, id: i64) -> CliResult {
    let job = until_landed(&context.client, id).await?;
    if context.json {
        output::json(&job)?;
    } else {
        output::prose(&job)?;
    }
    Ok(exit(&job))
}

/// How a command that waited for this job ends.
pub(super) fn exit(job: &Job) -> super::Exit {
    job.landed().unwrap_or(super::Exit::Unreachable)
}

/// Shows a job's progress on standard error until it has landed.
pub(super) async fn until_landed(client: &Client, id: i64) -> CliResult<Job> {
    let clock = SystemClock::new();
    let (path, query) = (format!("jobs/{id}/"), vec![param("logs_limit", 1)]);
    let mut shown = Shown::new();
    let mut pause = PAUSE_FIRST;
    loop {
        let longest = match client.get::<Job>(&path, &query).await {
            Ok(job) => {
                shown.job(&job);
                if job.landed().is_some() {
                    shown.end(&job);
                    return Ok(job);
                }
                PAUSE_LONGEST
            }
            // A server that never answered is more likely a wrong URL than an outage.
            Err(CliError::Unreachable(why)) if shown.seen => {
                shown.away(&why);
                PAUSE_AWAY
            }
            Err(error) => return Err(error),
        };
        clock.sleep(pause.min(longest)).await;
        pause = (pause * 2).min(longest);
    }
}

/// What a person sees, and whether the server has answered.
struct Shown {
    progress: Progress,
    clock: SystemClock,
    seen: bool,
    /// When it was last told that the server is away, if it is.
    away: Option<Duration>,
}

impl Shown {
    fn new() -> Self {
        Self {
            progress: Progress::new(),
            clock: SystemClock::new(),
            seen: false,
            away: None,
        }
    }

    fn job(&mut self, job: &Job) {
        if self.away.take().is_some() {
            self.progress.say("the server answers again");
        }
        self.seen = true;
        if job.landed().is_none() {
            self.progress.show(&standing(job), self.clock.monotonic());
        }
    }

    fn away(&mut self, why: &str) {
        let now = self.clock.monotonic();
        match self.away {
            None => self
                .progress
                .say(&format!("{why}; trying again until it answers")),
            // So that whoever reads a log sees that somebody still waits.
            Some(told) if now.saturating_sub(told) >= PAUSE_AWAY => {
                self.progress.say(&format!("still away: {why}"));
            }
            Some(_) => return,
        }
        self.away = Some(now);
    }

    fn end(&self, job: &Job) {
        self.progress.end();
        job.errors()
            .for_each(|error| output::note(format_args!("the job says: {error}")));
    }
}

fn standing(job: &Job) -> Standing {
    let c = &job.counts;
    let parts = [
        (c.failed, format!("{} failed", count(c.failed))),
        (c.detections, counted(c.detections, "detection")),
    ];
    Standing {
        head: format!("job {} {}", job.id, clean(&job.status)),
        settled: job.settled(),
        // Before its images are collected a job has none, whatever their number will be.
        total: Some(c.total).filter(|total| *total > 0),
        parts: parts
            .into_iter()
            .filter(|(n, _)| *n > 0)
            .map(|(_, text)| text)
            .collect(),
        waiting: job.waiting_for.as_deref().map(clean),
        left: job.left(),
    }
}
