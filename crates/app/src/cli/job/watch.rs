//! Following a job until it lands. An outage of the server is waited out, not reported as the job's.

use std::{io::IsTerminal as _, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};
use trapline_core::Clock as _;
use trapline_engine::SystemClock;

use super::{
    super::{
        client::Client,
        exit::{CliError, CliResult},
        output,
    },
    Context, Job, param,
    view::duration,
};

/// The first waits are short, for jobs that are over at once.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
const PAUSE_LONGEST: Duration = Duration::from_secs(2);
const PAUSE_AWAY: Duration = Duration::from_secs(10);

pub(super) async fn run(context: &Context, id: i64) -> CliResult {
    let job = until_landed(&context.client, id).await?;
    if context.json {
        output::json(&job.0)?;
    } else {
        output::line(&job)?;
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
        let longest = match client.get(&path, &query).await.map(Job) {
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

/// What a person sees: a bar on a terminal, else a line per change.
struct Shown {
    bar: Option<ProgressBar>,
    last: String,
    seen: bool,
    away: bool,
}

impl Shown {
    fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {wide_msg}");
            ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Self {
            bar,
            last: String::new(),
            seen: false,
            away: false,
        }
    }

    fn job(&mut self, job: &Job) {
        if std::mem::take(&mut self.away) {
            self.say("the server answers again");
        }
        self.seen = true;
        let Some(bar) = &self.bar else {
            let line = job.to_string();
            if line != self.last && job.landed().is_none() {
                output::note(&line);
            }
            self.last = line;
            return;
        };
        bar.set_length(job.count("total"));
        bar.set_position(job.settled());
        let eta = job.0["eta_seconds"]
            .as_f64()
            .map_or_else(String::new, |s| format!(", about {} left", duration(s)));
        let (status, failed) = (job.status(), job.count("failed"));
        bar.set_message(format!("{status}, {failed} failed{eta}{}", job.waiting_clause()));
    }

    fn away(&mut self, why: &str) {
        if !std::mem::replace(&mut self.away, true) {
            self.say(&format!("{why}; trying again until it answers"));
        }
    }

    fn end(&self, job: &Job) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        job.errors()
            .iter()
            .for_each(|error| output::note(format_args!("the job says: {error}")));
    }

    fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => output::note(text),
        }
    }
}
