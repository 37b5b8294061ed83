//! `trapline job create`: a capture set from a manifest, if one is given, then the job on it.

use std::sync::PoisonError;

use clap::{ArgGroup, Args};
use trapline_core::words::counted;
use trapline_wire as wire;

use super::{
    super::{
        client::Query,
        exit::{CliError, CliResult, Exit},
        output::{self, clean},
    },
    Context, Job,
    captures::{Manifest, called},
    param, watch,
};
use crate::capture_lines::Format;

/// How many lines of a kind are shown.
const SHOWN: usize = 50;

/// Make a job, and print its id
#[derive(Args)]
#[command(group = ArgGroup::new("source").required(true).args(["captures", "collection"]))]
pub(super) struct CreateArgs {
    /// What people call the job
    #[arg(long)]
    name: String,
    /// In this project
    #[arg(long, value_name = "ID", default_value_t = 1)]
    project: i64,
    /// The slug of the pipeline
    #[arg(long, value_name = "SLUG")]
    pipeline: String,
    /// A list of captures: text, CSV or JSON, maybe packed with gzip, or `-` for standard input
    #[arg(long, value_name = "FILE")]
    captures: Option<String>,
    /// How the list is written, if its first line does not say
    #[arg(long, value_enum, requires = "captures")]
    format: Option<Format>,
    /// Go on without the lines that are no captures
    #[arg(long, requires = "captures")]
    skip_bad_lines: bool,
    /// A capture set that the server has
    #[arg(long, value_name = "ID")]
    collection: Option<i64>,
    /// At most so many captures
    #[arg(long)]
    limit: Option<u64>,
    /// Higher is first
    #[arg(long, allow_negative_numbers = true)]
    priority: Option<i64>,
    /// The share of failed captures above which the job is a FAILURE, 0 to 1
    #[arg(long, value_name = "SHARE")]
    failure_threshold: Option<f64>,
    /// Wait so many seconds after the start
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    delay: u64,
    /// Take the captures in their order
    #[arg(long)]
    no_shuffle: bool,
    /// Take captures too that this pipeline has processed before
    #[arg(long)]
    reprocess: bool,
    /// Start it
    #[arg(long)]
    start: bool,
    /// Follow it until it lands; exit 0 on SUCCESS, 1 on FAILURE or REVOKED
    #[arg(long, requires = "start")]
    watch: bool,
}

impl CreateArgs {
    pub(super) async fn run(self, context: &Context) -> CliResult {
        let (collection, is_new) = match (&self.captures, self.collection) {
            (Some(list), _) => {
                let manifest = Manifest::open(list, self.format).await?;
                self.check_pipeline(context).await?;
                (self.upload(context, list, manifest).await?, true)
            }
            (None, Some(id)) => (id, false),
            (None, None) => return Err(CliError::Usage("give --captures or --collection".to_owned())),
        };
        let mut query = Query::new();
        query.extend(self.start.then(|| param("start_now", 1)));
        let made = context
            .client
            .post_once("jobs/", &query, &self.body(collection))
            .await;
        let job: Job = made.map_err(|error| {
            if is_new {
                with_set(error, collection)
            } else {
                error
            }
        })?;
        if !context.json {
            output::line(job.id)?;
        }
        if !self.watch {
            if context.json {
                output::json(&job)?;
            }
            return Ok(Exit::Done);
        }
        let landed = watch::until_landed(&context.client, job.id).await?;
        if context.json {
            output::json(&landed)?;
        } else {
            output::note(&landed);
        }
        Ok(watch::exit(&landed))
    }

    /// Asks for the pipeline before anything is uploaded for it.
    async fn check_pipeline(&self, context: &Context) -> CliResult<()> {
        let query = vec![param("project_id", self.project)];
        let pages = context
            .client
            .pages::<wire::Pipeline>("ml/pipelines/", query, None);
        let known = match pages.all().await {
            Ok(known) => known,
            // What is wrong is said by the request that needs it.
            Err(CliError::Refused(_)) => return Ok(()),
            Err(error) => return Err(error),
        };
        let Some(pipeline) = known.iter().find(|p| p.head.slug == self.pipeline) else {
            let slugs: Vec<String> = known.iter().map(|p| clean(&p.head.slug)).collect();
            let known = if slugs.is_empty() {
                "none yet: a worker that is started registers what it runs".to_owned()
            } else {
                slugs.join(", ")
            };
            return Err(CliError::Refused(format!(
                "--pipeline: project {} has no pipeline `{}` (it has {known}); nothing was uploaded",
                self.project, self.pipeline
            )));
        };
        if !pipeline.processing_services.iter().any(|s| s.last_seen_live) {
            output::note(format_args!(
                "warning: no worker for `{}` has been seen lately; the job waits until one comes",
                self.pipeline
            ));
        }
        Ok(())
    }

    fn body(&self, collection: i64) -> wire::NewJob<'_> {
        wire::NewJob {
            name: &self.name,
            delay: self.delay,
            project_id: self.project,
            pipeline_slug: &self.pipeline,
            source_image_collection_id: collection,
            shuffle: !self.no_shuffle,
            limit: self.limit,
            priority: self.priority,
            failure_threshold: self.failure_threshold,
            reprocess: self.reprocess.then_some(true),
        }
    }

    /// Makes a capture set of a manifest.
    async fn upload(&self, context: &Context, list: &str, manifest: Manifest) -> CliResult<i64> {
        let set = wire::NewCollection {
            name: &self.name,
            project_id: self.project,
        };
        let made: wire::Collection = context
            .client
            .post("captures/collections/", &Query::new(), &set)
            .await?;
        let set = made.id;
        let content_type = manifest.content_type;
        let (body, broken) = manifest.into_body();
        let path = format!("captures/collections/{set}/captures/");
        let sent = context
            .client
            .upload::<wire::Upload>(&path, content_type, body)
            .await;
        let broken = broken.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(why) = broken {
            return Err(CliError::Usage(format!(
                "`{}` can't be read to its end: {why}",
                called(list)
            )));
        }
        let answer = sent.map_err(|error| match error {
            CliError::Refused(why) => CliError::Refused(format!("`{}`: {why}\nno job is made", called(list))),
            other => other,
        })?;
        judge(called(list), set, &answer, self.skip_bad_lines)?;
        Ok(set)
    }
}

/// Lines of a manifest with something to say of them, of `count` in all.
fn lines(listed: &[wire::LineNote], count: u64) -> String {
    let shown = listed.iter().take(SHOWN);
    let mut lines: Vec<String> = shown
        .map(|note| format!("  line {}: {}", note.line, clean(&note.detail)))
        .collect();
    let more = count.saturating_sub(lines.len() as u64);
    if more > 0 {
        lines.push(format!("  and {more} more"));
    }
    lines.join("\n")
}

/// Whether a job is to be made of a manifest that became `set`.
fn judge(list: &str, set: i64, answer: &wire::Upload, skip_bad_lines: bool) -> CliResult<()> {
    let (added, known, rejected) = (answer.added, answer.already_there, answer.rejected_count);
    let bad = || lines(&answer.rejected, rejected);
    if added + known == 0 && rejected == 0 {
        return Err(CliError::Usage(format!("`{list}` holds no captures")));
    }
    if added + known == 0 {
        return Err(CliError::Refused(format!(
            "no line of `{list}` is a capture:\n{}",
            bad()
        )));
    }
    if rejected > 0 && !skip_bad_lines {
        return Err(CliError::Refused(format!(
            "no job is made, because {} of `{list}` can't be read; mend the list, or leave out what is bad with \
             --skip-bad-lines:\n{}",
            counted(rejected, "line"),
            bad()
        )));
    }
    if rejected > 0 {
        output::note(format_args!(
            "left out: {} of `{list}`\n{}",
            counted(rejected, "line"),
            bad()
        ));
    }
    if answer.warnings_count > 0 {
        output::note(format_args!(
            "{} on `{list}`; no capture is lost:\n{}",
            counted(answer.warnings_count, "warning"),
            lines(&answer.warnings, answer.warnings_count)
        ));
    }
    output::note(format_args!(
        "capture set {set}: {added} added, {known} already there, {rejected} rejected"
    ));
    Ok(())
}

/// The captures are on the server, whatever became of the job: they need not be sent again.
fn with_set(error: CliError, set: i64) -> CliError {
    let add = |text| format!("{text}\nthe captures are in set {set}: try again with --collection {set}");
    match error {
        CliError::Refused(text) => CliError::Refused(add(text)),
        CliError::Unreachable(text) => CliError::Unreachable(add(text)),
        other => other,
    }
}
