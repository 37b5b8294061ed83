//! `trapline worker`: pulls tasks from a server, and ends without losing any.

use std::sync::Arc;

use clap::Args;
use serde_json::{Value, json};
use trapline_core::{Clock as _, error::chain};
use trapline_engine::SystemClock;
use trapline_worker::{
    Counts, Pipeline, Stop, Summary, WorkerConfig, WorkerError,
    decode::DecodeLimits,
    fetch::{FetchLimits, Fetcher},
    forward::{Forward, ForwardConfig, ForwardError},
    pipelines::light_sheet,
};

use super::{
    client::ServerArgs,
    exit::{CliError, CliResult, Exit},
    output,
    signals::{Signal, Signals},
};

/// Process tasks of a server; the first Ctrl-C finishes what is begun, the second ends at once
#[derive(Args)]
pub struct WorkerArgs {
    /// The pipelines to serve; else all that there are
    #[arg(long, value_delimiter = ',', value_name = "SLUG")]
    pipeline: Vec<String>,
    /// The projects to register in; else all that the token sees
    #[arg(long, value_delimiter = ',', value_name = "ID")]
    project: Vec<i64>,
    /// Send each batch to the processing service at this URL, instead of processing it here
    #[arg(long, value_name = "URL")]
    forward: Option<String>,
    /// Tasks of one claim
    #[arg(long, default_value_t = 24)]
    batch_size: usize,
    /// Images in work at once; else the number of cores
    #[arg(long)]
    concurrency: Option<usize>,
    /// The worker's name; else the machine's hostname
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    server: ServerArgs,
}

impl WorkerArgs {
    /// Runs it.
    pub async fn run(self) -> CliResult {
        let config = self.config()?;
        let mut signals = Signals::listen()?;
        let clock = SystemClock::new();
        let pipelines = tokio::select! {
            pipelines = self.pipelines() => pipelines?,
            _ = signals.next() => return Ok(Exit::Interrupted),
        };
        let stop = Stop::new();
        let mut asked = None;
        let ended = {
            let listening = async {
                asked = Some(signals.next().await);
                tracing::info!("stopping after the images at hand; press Ctrl-C again to stop now");
                stop.drain();
                signals.next().await;
                // Whoever sent it: what was begun is left behind, and that is no clean end.
                asked = Some(Signal::Interrupt);
                stop.at_once();
                std::future::pending::<()>().await;
            };
            tokio::select! {
                ended = trapline_worker::run(config, pipelines, stop.clone()) => ended,
                () = listening => return Ok(Exit::Interrupted),
            }
        };
        let Summary { counts } = ended.map_err(error)?;
        self.report(&counts, clock.monotonic().as_secs_f64())?;
        Ok(match asked {
            _ if counts.unsent > 0 => Exit::Unreachable,
            Some(Signal::Interrupt) => Exit::Interrupted,
            Some(Signal::Terminate) | None => Exit::Done,
        })
    }

    fn config(&self) -> CliResult<WorkerConfig> {
        let mut config = WorkerConfig::new(self.server.url.as_str(), self.server.token()?);
        config.pipelines.clone_from(&self.pipeline);
        config.projects.clone_from(&self.project);
        config.batch_size = self.batch_size;
        config.concurrency = self.concurrency.unwrap_or(config.concurrency);
        if let Some(name) = &self.name {
            config.client_info.hostname.clone_from(name);
        }
        Ok(config)
    }

    async fn pipelines(&self) -> CliResult<Vec<Arc<dyn Pipeline>>> {
        let Some(url) = &self.forward else {
            let fetcher = Fetcher::new(FetchLimits::default())
                .map_err(|e| CliError::Unreachable(format!("images can't be fetched: {}", chain(&e))))?;
            return Ok(vec![Arc::new(light_sheet::pipeline(
                fetcher,
                DecodeLimits::default(),
            ))]);
        };
        let config = ForwardConfig {
            batch_size: self.batch_size,
            ..ForwardConfig::default()
        };
        let forward = Forward::connect(url, config).await.map_err(|error| {
            let text = format!("--forward: {}", chain(&error));
            match error {
                ForwardError::Url(_) | ForwardError::Several(_) | ForwardError::Unknown { .. } => {
                    CliError::Usage(text)
                }
                ForwardError::NoPipelines => CliError::Refused(text),
                ForwardError::Client(_) | ForwardError::Info(_) => CliError::Unreachable(text),
            }
        })?;
        Ok(vec![Arc::new(forward)])
    }

    fn report(&self, counts: &Counts, seconds: f64) -> CliResult<()> {
        let Counts {
            processed,
            failed,
            detections,
            delivered,
            released,
            ..
        } = counts;
        output::note(format_args!(
            "{processed} processed, {failed} failed, {detections} detections; {delivered} delivered, {released} given \
             back, in {seconds:.0} s"
        ));
        if counts.unsent > 0 {
            output::note(format_args!("{} result(s) could not be delivered", counts.unsent));
        }
        if self.server.json {
            output::json(&summary(counts, seconds))?;
        }
        Ok(())
    }
}

fn summary(counts: &Counts, seconds: f64) -> Value {
    json!({
        "claimed": counts.claimed,
        "processed": counts.processed,
        "failed": counts.failed,
        "detections": counts.detections,
        "delivered": counts.delivered,
        "rejected": counts.rejected,
        "dropped": counts.dropped,
        "released": counts.released,
        "lost": counts.lost,
        "unsent": counts.unsent,
        "seconds": seconds,
    })
}

fn error(error: WorkerError) -> CliError {
    let text = chain(&error);
    match error {
        WorkerError::Config(_) | WorkerError::Setup(_) => CliError::Usage(text),
        WorkerError::TokenRefused(_) => CliError::Refused(format!("{text}; check --token or TRAPLINE_TOKEN")),
        WorkerError::NoProject(_) => CliError::Refused(format!(
            "{text}; it needs a token of the role worker, and a project that it sees"
        )),
        WorkerError::ClaimRefused(_) => CliError::Refused(text),
    }
}
