//! `trapline run`: the whole of Trapline in one process, from images to an exit code (docs/rules.md B3).
//!
//! The store, the engine and the HTTP server are those of `serve`; the worker knows only the wire.

pub(super) mod export;
mod facts;
mod folders;
mod found;
mod job;
mod known;
mod local_images;
mod photographs;
mod place;
mod sources;
mod summary;
mod walk;
mod watch;

use std::{
    io::{self, IsTerminal as _},
    num::NonZero,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::sync::watch as watch_channel;

use trapline_core::{Error, ErrorKind, JobId, Result, catalog::SESSION_MAX, ports::Catalog};
use trapline_engine::Engine;
use trapline_worker::{
    Counts, Pipeline, Stop, Worker, WorkerConfig, WorkerError,
    decode::DecodeLimits,
    fetch::{FetchLimits, Fetcher},
    forward::{Forward, ForwardConfig, ForwardError},
    pipelines::light_sheet,
};

use self::{
    export::{Ready, Target},
    facts::Facts,
    job::Images,
    local_images::LocalImages,
    place::Place,
    sources::Sources,
    summary::Summary,
};
use super::{
    config,
    exit::{CliResult, Exit},
    log, output,
    signals::Signals,
};
use crate::{
    config::{Effective, Origin},
    http::auth,
    serve::listen,
    wiring::{Node, NodeOptions},
};

/// Run a pipeline over images, everything in this one process
#[derive(clap::Args)]
pub(super) struct RunArgs {
    /// Folders, image files, or manifests (txt, csv, tsv, ndjson, json, also packed as .gz). Without one, sample images
    /// are made.
    sources: Vec<PathBuf>,
    /// What to run on them (default: light-sheet; with `--forward`, the only pipeline that the service offers).
    #[arg(long, value_name = "SLUG")]
    pipeline: Option<String>,
    /// Print the summary as one JSON object.
    #[arg(long)]
    json: bool,
    /// Write the results: to NAME.csv or NAME.ndjson, one row per detection, with NAME-images beside it, one row per
    /// image; or both into a folder. In a kept store the files go on holding the images of earlier runs.
    #[arg(long, value_name = "FILE")]
    export: Vec<Target>,
    /// Replace export files even if they hold images that this run does not have.
    #[arg(long, requires = "export")]
    overwrite: bool,
    /// The share of failed images above which the run fails and exits with 1, from 0 to 1 (default: 0.5).
    #[arg(long, value_name = "SHARE", value_parser = share)]
    failure_threshold: Option<f64>,
    /// The most images.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    limit: Option<u64>,
    /// Images in work at once (default: the cores).
    #[arg(long, value_name = "N")]
    workers: Option<NonZero<usize>>,
    /// Keep the store in this file: a run that was cut short goes on, what was processed is skipped.
    #[arg(long, value_name = "FILE")]
    database: Option<String>,
    /// Keep the pages that show what is found open afterwards, until Ctrl-C.
    #[arg(long)]
    watch: bool,
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
        let settings = settings(&self)?;
        log::start(&settings.config.log, settings.config.log_format);
        // All that can be wrong in what was asked for is said before any work.
        export::check(&self.export)?;
        let place = Place::of(self.database.as_deref())?;
        let sources = Sources::find(&self.given(&place)?)?;
        let facts = Facts::default();
        let pipelines = pipelines(&mut self, &facts).await?;
        Run {
            args: self,
            place,
            sources,
            facts,
            token: auth::new_secret(),
        }
        .run(settings, pipelines)
        .await
    }

    /// The sources, or sample images that are made.
    fn given(&self, place: &Place) -> Result<Vec<PathBuf>> {
        if !self.sources.is_empty() {
            return Ok(self.sources.clone());
        }
        place.make_samples()
    }

    fn slug(&self) -> &str {
        self.pipeline.as_deref().unwrap_or(light_sheet::SLUG)
    }
}

fn settings(args: &RunArgs) -> Result<Effective> {
    // All of it is in this process, whatever servers the environment names for others.
    let mut all = args.settings.load(&[
        ("database", Some("run.db")),
        ("queue", Some("embedded:")),
        ("progress", Some("embedded:")),
    ])?;
    let log_is_default = all
        .rows()
        .any(|(s, _, origin)| s.key == "log" && origin == Origin::Default);
    if log_is_default {
        // A person looks at a bar, and the summary says which images failed; that a pipeline is refused is said here alone.
        let log = "warn,trapline_worker=error,trapline_worker::pull::register=warn";
        all.decide("log", |config| log.clone_into(&mut config.log));
    }
    Ok(all)
}

/// A share of the images.
fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    (0.0..=1.0)
        .contains(&share)
        .then_some(share)
        .ok_or_else(|| "not from 0 to 1".to_owned())
}

/// A run, once it is known that it can begin.
struct Run {
    args: RunArgs,
    place: Place,
    sources: Sources,
    facts: Facts,
    /// The admin token of this process.
    token: String,
}

/// What is known before the job starts.
struct Prepared {
    images: Images,
    exports: Vec<Ready>,
    unfinished: Option<JobId>,
}

impl Run {
    async fn run(self, mut settings: Effective, pipelines: Vec<Arc<dyn Pipeline>>) -> CliResult {
        let mut signals = Signals::listen()?;
        let listener = listen("127.0.0.1:0").await?;
        let address = listener
            .local_addr()
            .map_err(|e| Error::internal("the listening address is unknown").with_source(e))?;
        let worker = worker(&self.args, &format!("http://{address}"), &self.token, pipelines)?;
        self.place.decide(&mut settings, address, &self.token);
        let images = LocalImages::new(self.facts.clone());
        let options = NodeOptions {
            image_url: images.urls(format!("http://{address}")),
            allow_file_urls: true,
            shows_files: true,
            beside: images.clone().routes(),
            listener: Some(listener),
            sole_worker: true,
            settings: settings.told(),
        };
        let node = Node::start(&settings.config, options).await?;
        images.serve_from(Arc::clone(node.engine.store()) as Arc<dyn Catalog>);
        // Before the worker asks for tasks, so that none is of a job that nobody asked for now.
        let prepared = tokio::select! {
            prepared = self.prepare(&node.engine) => prepared,
            _ = signals.next() => {
                node.stop().await?;
                return Ok(self.interrupted());
            }
        };
        let prepared = match prepared {
            Ok(prepared) => prepared,
            Err(error) => {
                node.stop().await?;
                return Err(error.into());
            }
        };
        self.work(node, worker, prepared, signals).await
    }

    async fn work(self, node: Node, worker: Worker, prepared: Prepared, mut signals: Signals) -> CliResult {
        let counts = worker.counts();
        let stop = Stop::new();
        let working = node.supervisor().once("worker", worker.run(stop.clone()));
        let ended = tokio::select! {
            ended = self.drive(&node, prepared, counts) => ended.map(Some),
            _ = signals.next() => Ok(None),
        };
        if self.args.watch && matches!(ended, Ok(Some(_))) {
            output::note("the pages stay open until Ctrl-C; what is run again there is done here");
            signals.next().await;
        }
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
                None => Ok(self.interrupted()),
            },
        }
    }

    /// Stores the images, finds what the exports are to hold, and stops jobs that are not this one.
    async fn prepare(&self, engine: &Engine) -> Result<Prepared> {
        job::no_jobs_of_a_server(engine.store().as_ref()).await?;
        let images = job::images(&self.args, engine, &self.sources).await?;
        Summary::notes(
            &images.found,
            &self.sources.passed_over,
            &self.sources.closed,
            &[&images.bad, &images.warnings],
        );
        let store = engine.store().as_ref();
        let exports = export::prepare(&self.args.export, store, &images, self.args.overwrite).await?;
        let unfinished = job::only_unfinished(engine, &images).await?;
        Ok(Prepared {
            images,
            exports,
            unfinished,
        })
    }

    /// From the worker's registration to the summary.
    async fn drive(
        &self,
        node: &Node,
        prepared: Prepared,
        mut counts: watch_channel::Receiver<Counts>,
    ) -> CliResult {
        let engine = &node.engine;
        let began = engine.clock().monotonic();
        // The pipeline is there as soon as the worker has registered it.
        counts
            .wait_for(|c| c.online)
            .await
            .map_err(|_| Error::internal("the worker ended before it had registered"))?;
        let Prepared {
            images,
            exports,
            unfinished,
        } = prepared;
        let job = match unfinished {
            Some(job) => job,
            None => job::start(&self.args, engine, &self.sources, &images).await?,
        };
        self.invite(node, job).await?;
        let landed = watch::until_final(engine, job, &self.facts).await?;
        for export in &exports {
            export.write(engine.store()).await?;
        }
        let summary = Summary {
            job: landed,
            found: images.found,
            passed_over: self.sources.passed_over.clone(),
            closed: self.sources.closed.clone(),
            bad: images.bad,
            warnings: images.warnings,
            failed: summary::failed(engine, job).await?,
            exports: exports.iter().map(|e| e.path().to_owned()).collect(),
            seconds: engine.clock().monotonic().saturating_sub(began).as_secs_f64(),
            database: self.database().map(Path::to_owned),
        };
        summary.print(self.args.json)?;
        Ok(summary.exit())
    }

    /// Shows a person who looks on where the job can be watched. The link works as long as this process does.
    async fn invite(&self, node: &Node, job: JobId) -> Result<()> {
        if !io::stderr().is_terminal() && !self.args.watch {
            return Ok(());
        }
        let page = format!("/jobs/{job}");
        if let Some(link) = node.sign_in_link(&self.token, &page, SESSION_MAX).await? {
            output::note(format_args!("Watch it: {link}"));
        }
        Ok(())
    }

    /// The store, if it stays.
    fn database(&self) -> Option<&Path> {
        self.place.temporary.is_none().then_some(&*self.place.database)
    }

    fn interrupted(&self) -> Exit {
        match self.database() {
            Some(database) => output::note(format_args!(
                "stopped; the same command with `--database {0}` goes on from here, and `trapline export {0}` writes what there \
                 is",
                database.display()
            )),
            None => output::note("stopped; with `--database FILE` a run can go on later"),
        }
        Exit::Interrupted
    }
}

fn refused(error: WorkerError) -> Error {
    let kind = match error {
        WorkerError::Config(_) => ErrorKind::Invalid,
        _ => ErrorKind::Internal,
    };
    Error::new(kind, error.to_string())
}

/// What the worker of this process can run. Of a processing service that offers one pipeline, that is the one meant.
async fn pipelines(args: &mut RunArgs, facts: &Facts) -> Result<Vec<Arc<dyn Pipeline>>> {
    if let Some(url) = &args.forward {
        let config = ForwardConfig {
            connect_patience: Duration::from_secs(10),
            // No other worker could take what this one gives back, so it waits, until the service is back or Ctrl-C.
            patience: Duration::MAX,
            patience_asked: Duration::MAX,
            ..ForwardConfig::default()
        };
        let forward = Forward::connect(url, config).await.map_err(not_usable)?;
        args.pipeline = Some(forward.choose(args.pipeline.as_deref()).map_err(not_usable)?);
        return Ok(vec![Arc::new(forward)]);
    }
    let fetcher = Fetcher::new(FetchLimits::default())
        .map_err(|e| Error::internal("the image fetcher can't be made").with_source(e))?;
    let facts = facts.clone();
    let pipeline = light_sheet::pipeline(fetcher, DecodeLimits::default())
        .with_observer(Arc::new(move |id, photograph| facts.note(id, photograph)));
    Ok(vec![Arc::new(pipeline)])
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
