//! `trapline job logs`: a job's log, from its first line; with `--follow`, until the job has landed.

use std::time::Duration;

use clap::{Args, builder::PossibleValuesParser};
use trapline_core::{Clock as _, ports::Level};
use trapline_engine::SystemClock;
use trapline_wire as wire;

use super::{
    super::{
        answer::Answer,
        client::Query,
        exit::{CliError, CliResult, Exit},
        output::{self, clean},
    },
    Context, Job, JobId, param,
};

const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_LONGEST: Duration = Duration::from_secs(10);

/// Print a job's log
#[derive(Args)]
pub(super) struct LogsArgs {
    #[command(flatten)]
    job: JobId,
    /// At least this level
    #[arg(long, value_parser = PossibleValuesParser::new(Level::ALL.map(Level::as_str)), ignore_case = true)]
    level: Option<String>,
    /// About this capture only
    #[arg(long, value_name = "ID")]
    image: Option<i64>,
    /// Go on until the job has landed
    #[arg(long)]
    follow: bool,
}

impl LogsArgs {
    pub(super) async fn run(self, context: &Context) -> CliResult {
        let clock = SystemClock::new();
        let (mut after, mut pause, mut seen, mut away) = (0, PAUSE, false, false);
        loop {
            // Asked before the log is read, so that no line of a job that landed in between is missed.
            let step = async {
                let landed = !self.follow || self.has_landed(context).await?;
                self.print(context, &mut after).await?;
                Ok(landed)
            };
            match step.await {
                Ok(true) => return Ok(Exit::Done),
                Ok(false) => {
                    if std::mem::take(&mut away) {
                        output::note("the server answers again");
                    }
                    (pause, seen) = (PAUSE, true);
                }
                Err(CliError::Unreachable(why)) if seen => {
                    if !std::mem::replace(&mut away, true) {
                        output::note(format_args!("{why}; trying again until it answers"));
                    }
                    pause = (pause * 2).min(PAUSE_LONGEST);
                }
                Err(error) => return Err(error),
            }
            clock.sleep(pause).await;
        }
    }

    async fn has_landed(&self, context: &Context) -> CliResult<bool> {
        let query = vec![param("logs_limit", 1)];
        let job: Job = context.client.get(&self.job.path(), &query).await?;
        Ok(job.landed().is_some())
    }

    /// Prints the lines after a row, and moves on to the last one that is printed.
    async fn print(&self, context: &Context, after: &mut i64) -> CliResult<()> {
        let mut query: Query = vec![param("after", *after)];
        query.extend(
            self.level
                .as_ref()
                .map(|level| param("level", level.to_ascii_uppercase())),
        );
        query.extend(self.image.map(|image| param("image", image)));
        let path = format!("{}logs/", self.job.path());
        let mut pages = context.client.pages::<Answer<wire::LogLine>>(path, query, None);
        while let Some(lines) = pages.next().await? {
            for line in &lines {
                if context.json {
                    output::json(line)?;
                } else {
                    output::prose(text(line))?;
                }
                *after = line.id.max(*after);
            }
        }
        Ok(())
    }
}

fn text(line: &wire::LogLine) -> String {
    let image = match &line.image_id {
        None => String::new(),
        Some(id) => format!(" [image {}]", clean(id)),
    };
    format!(
        "{} {}{image} {}",
        seconds(&clean(&line.at)),
        clean(&line.level),
        clean(&line.message)
    )
}

/// `2026-11-28T22:10:00Z` of a time with its fraction.
fn seconds(at: &str) -> String {
    match at.split_once('.') {
        Some((seconds, rest)) if rest.ends_with('Z') => format!("{seconds}Z"),
        _ => at.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_log_has_its_time_to_the_second() {
        let line = |at: &str| {
            text(&wire::LogLine {
                id: 1,
                at: at.to_owned(),
                level: "INFO".into(),
                message: "m".to_owned(),
                image_id: Some("12345".to_owned()),
            })
        };
        assert_eq!(
            line("2026-11-28T22:10:00.123456Z"),
            "2026-11-28T22:10:00Z INFO [image 12345] m"
        );
        assert_eq!(
            line("2026-11-28T22:10:00Z"),
            "2026-11-28T22:10:00Z INFO [image 12345] m"
        );
        assert_eq!(line("yesterday"), "yesterday INFO [image 12345] m");
    }
}
