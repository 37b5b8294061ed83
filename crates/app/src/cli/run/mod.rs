//! `trapline run`: the whole of Trapline in one process, from images to an exit code (RULES.md B3).
//!
//! The store, the engine and the HTTP server are those of `serve`; the worker knows only the wire.

mod export;
mod job;
mod local_images;
mod sources;
mod summary;
mod watch;

use std::{num::NonZero, path::PathBuf, sync::Arc};

use trapline_core::{Error, ErrorKind, JobId, Result, ports::Catalog};
use trapline_worker::{
    Counts, Pipeline, Stop, Worker, WorkerConfig, WorkerError,
    decode::DecodeLimits,
    fetch::{FetchLimits, Fetcher},
    forward::{Forward, ForwardConfig, ForwardError},
    pipelines::light_sheet,
    samples,
};

use self::{export::Target, local_images::LocalImages, sources::Sources, summary::Summary};
use super::{
    config,
    exit::{CliResult, Exit},
    log, output,
    signals::Signals,
};
use crate::{
    config::{Config, Origin},
    http::auth,
    wiring::{Node, NodeOptions, listen},
};

/// Run a pipeline over images, everything in this one process
#[derive(clap::Args)]
pub(super) struct RunArgs {
    /// Folders, image files, or manifests of URLs (txt, csv, ndjson, jsonl). Without one, sample images are made.
    sources: Vec<PathBuf>,
    /// What to run on them (default: light-sheet; with `--forward`, the only pipeline that the service offers).
    #[arg(long, value_name = "SLUG")]
    pipeline: Option<String>,
    /// Print the summary as one JSON object.
    #[arg(long)]
    json: bool,
    /// Write the results, one row per detection, to FILE.ndjson or FILE.csv; may be given more than once.
    #[arg(long, value_name = "FILE")]
    export: Vec<Target>,
    /// The most images.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    limit: Option<u64>,
    /// Images in work at once (default: the cores).
    #[arg(long, value_name = "N")]
    workers: Option<NonZero<usize>>,
    /// Keep the store in this file: a job that was cut short is resumed, what was processed is skipped.
    #[arg(long, value_name = "FILE")]
    database: Option<PathBuf>,
    /// Also process what this pipeline has processed before.
    #[arg(long)]
    reprocess: bool,
    /// Send each batch to this processing service instead of processing it here.
    #[arg(long, value_name = "URL")]
    forward: Option<String>,
    #[command(flatten)]
    settings: config::Sources,
}

impl RunArgs {
    /// Runs it.
    pub(super) async fn run(mut self) -> CliResult {
        let config = settings(&self)?;
        log::start(&config.log, config.log_format);
        let pipelines = pipelines(&mut self).await?;
        run_all(&self, config, pipelines).await
    }

    fn slug(&self) -> &str {
        self.pipeline.as_deref().unwrap_or(light_sheet::SLUG)
    }
}

fn settings(args: &RunArgs) -> Result<Config> {
    let effective = args.settings.load(&[])?;
    let log_is_default = effective
        .rows()
        .any(|(s, _, origin)| s.key == "log" && origin == Origin::Default);
    let mut config = effective.config;
    if log_is_default {
        // Whoever runs this looks at a progress bar, and finds the images that failed in the summary.
        "warn,trapline_worker=error".clone_into(&mut config.log);
    }
    Ok(config)
}

/// A store that goes with the process, or stays.
struct Place {
    database: PathBuf,
    samples: PathBuf,
    _temporary: Option<tempfile::TempDir>,
}

impl Place {
    fn of(database: Option<&PathBuf>) -> Result<Self> {
        if let Some(database) = database {
            let mut samples = database.clone().into_os_string();
            samples.push("-samples");
            return Ok(Self {
                database: database.clone(),
                samples: samples.into(),
                _temporary: None,
            });
        }
        let folder = tempfile::Builder::new()
            .prefix("trapline-run-")
            .tempdir()
            .map_err(|e| Error::internal("no temporary folder can be made").with_source(e))?;
        Ok(Self {
            database: folder.path().join("run.db"),
            samples: folder.path().join("samples"),
            _temporary: Some(folder),
        })
    }
}

async fn run_all(args: &RunArgs, mut config: Config, pipelines: Vec<Arc<dyn Pipeline>>) -> CliResult {
    let mut signals = Signals::listen()?;
    let place = Place::of(args.database.as_ref())?;
    let given = if args.sources.is_empty() {
        samples::write_samples(&place.samples, samples::SAMPLE_SEED, samples::SAMPLE_COUNT)
            .map_err(|e| Error::internal("the sample images can't be written").with_source(e))?;
        vec![place.samples.clone()]
    } else {
        args.sources.clone()
    };
    let sources = Sources::find(&given)?;
    let token = auth::new_secret();
    let listener = listen("127.0.0.1:0").await?;
    let address = listener
        .local_addr()
        .map_err(|e| Error::internal("the listening address is unknown").with_source(e))?;
    let worker = worker(args, &format!("http://{address}"), &token, pipelines)?;

    config.database = format!("sqlite:{}", place.database.display());
    config.admin_token = Some(token);
    let images = LocalImages::new();
    let options = NodeOptions {
        image_url: images.urls(format!("http://{address}")),
        allow_file_urls: true,
        beside: images.clone().routes(),
        listener: Some(listener),
        sole_worker: true,
    };
    let node = Node::start(&config, options).await?;
    images.serve_from(Arc::clone(node.engine.store()) as Arc<dyn Catalog>);

    let counts = worker.counts();
    let stop = Stop::new();
    let working = node.supervisor().once("worker", worker.run(stop.clone()));
    let ended = tokio::select! {
        ended = drive(args, &node, &sources, counts, &place) => ended.map(Some),
        _ = signals.next() => Ok(None),
    };
    stop.drain();
    let worked = tokio::select! {
        worked = working => worked.map_err(|e| Error::internal("the worker panicked").with_source(e))?,
        _ = signals.next() => {
            stop.at_once();
            return Ok(Exit::Interrupted);
        }
    };
    node.stop().await?;
    let refused = worked.err().map(refused);
    match ended? {
        Some(exit) => Ok(exit),
        None => match refused {
            Some(error) => Err(error.into()),
            None => Ok(interrupted(args)),
        },
    }
}

fn interrupted(args: &RunArgs) -> Exit {
    match &args.database {
        Some(database) => output::note(format_args!(
            "stopped; the same command with `--database {}` goes on from here",
            database.display()
        )),
        None => output::note("stopped; with `--database FILE` a job can be resumed"),
    }
    Exit::Interrupted
}

fn refused(error: WorkerError) -> Error {
    let kind = match error {
        WorkerError::Config(_) => ErrorKind::Invalid,
        _ => ErrorKind::Internal,
    };
    Error::new(kind, error.to_string())
}

/// What the worker of this process can run. Of a processing service that offers one pipeline, that is the one meant.
async fn pipelines(args: &mut RunArgs) -> Result<Vec<Arc<dyn Pipeline>>> {
    if let Some(url) = &args.forward {
        let config = ForwardConfig {
            patience: std::time::Duration::from_secs(10),
            ..ForwardConfig::default()
        };
        let forward = Forward::connect(url, config).await.map_err(not_usable)?;
        args.pipeline = Some(forward.choose(args.pipeline.as_deref()).map_err(not_usable)?);
        return Ok(vec![Arc::new(forward)]);
    }
    let fetcher = Fetcher::new(FetchLimits::default())
        .map_err(|e| Error::internal("the image fetcher can't be made").with_source(e))?;
    Ok(vec![Arc::new(light_sheet::pipeline(
        fetcher,
        DecodeLimits::default(),
    ))])
}

fn not_usable(error: ForwardError) -> Error {
    let kind = match error {
        ForwardError::Client(_) | ForwardError::Info(_) => ErrorKind::Unavailable,
        _ => ErrorKind::Invalid,
    };
    Error::new(kind, "--forward can't be used").with_source(error)
}

fn worker(args: &RunArgs, url: &str, token: &str, pipelines: Vec<Arc<dyn Pipeline>>) -> Result<Worker> {
    let mut config = WorkerConfig::new(url, token);
    config.pipelines = vec![args.slug().to_owned()];
    if let Some(workers) = args.workers {
        config.concurrency = workers.get();
    }
    Worker::new(config, pipelines).map_err(refused)
}

/// From the worker's registration to the summary.
async fn drive(
    args: &RunArgs,
    node: &Node,
    sources: &Sources,
    mut counts: tokio::sync::watch::Receiver<Counts>,
    place: &Place,
) -> CliResult {
    let clock = node.engine.clock();
    let began = clock.monotonic();
    // The pipeline is there as soon as the worker has registered it.
    counts
        .wait_for(|c| c.online)
        .await
        .map_err(|_| Error::internal("the worker ended before it had registered"))?;
    let started = job::start(args, &node.engine, sources).await?;
    started.tell();
    let landed = watch::until_final(&node.engine, started.job).await?;
    for target in &args.export {
        target.write(Arc::clone(node.engine.store()), started.job).await?;
    }
    let summary = Summary {
        job: landed,
        bad_lines: started.bad_lines,
        failed: summary::failed(&node.engine, started.job).await?,
        seconds: clock.monotonic().saturating_sub(began).as_secs_f64(),
        database: args.database.as_ref().map(|_| place.database.clone()),
    };
    summary.print(args.json)?;
    Ok(summary.exit())
}

/// A job that was started or found.
struct Started {
    job: JobId,
    resumed: bool,
    bad_lines: Vec<sources::BadLine>,
}

impl Started {
    fn tell(&self) {
        if self.resumed {
            output::note(format_args!("job {} was cut short and goes on", self.job));
        }
        for bad in &self.bad_lines {
            output::note(format_args!(
                "{} line {}: {}; the line is passed over",
                bad.manifest.display(),
                bad.line,
                bad.why
            ));
        }
    }
}
