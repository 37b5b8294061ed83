//! `trapline job create`: a capture set from a manifest, if one is given, then the job on it.

use std::sync::PoisonError;

use clap::{ArgGroup, Args};
use serde_json::{Map, Value, json};
use trapline_core::words::counted;

use super::{
    super::{
        client::Query,
        exit::{CliError, CliResult, Exit},
        output::{self, cell},
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
    /// What processes the captures
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
        let job = Job(made.map_err(|error| {
            if is_new {
                with_set(error, collection)
            } else {
                error
            }
        })?);
        if !context.json {
            output::line(job.id())?;
        }
        if !self.watch {
            if context.json {
                output::json(&job.0)?;
            }
            return Ok(Exit::Done);
        }
        let landed = watch::until_landed(&context.client, job.id()).await?;
        if context.json {
            output::json(&landed.0)?;
        } else {
            output::note(&landed);
        }
        Ok(watch::exit(&landed))
    }

    /// Asks for the pipeline before anything is uploaded for it.
    async fn check_pipeline(&self, context: &Context) -> CliResult<()> {
        let query = vec![param("project_id", self.project)];
        let known = match context.client.pages("ml/pipelines/", query, None).all().await {
            Ok(known) => known,
            // What is wrong is said by the request that needs it.
            Err(CliError::Refused(_)) => return Ok(()),
            Err(error) => return Err(error),
        };
        let slugs: Vec<String> = known.iter().map(|p| cell(&p["slug"])).collect();
        let Some(at) = slugs.iter().position(|slug| *slug == self.pipeline) else {
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
        let services = known[at]["processing_services"].as_array();
        if !services.is_some_and(|all| all.iter().any(|s| s["last_seen_live"] == true)) {
            output::note(format_args!(
                "warning: no worker for `{}` has been seen lately; the job waits until one comes",
                self.pipeline
            ));
        }
        Ok(())
    }

    fn body(&self, collection: i64) -> Value {
        let mut body = Map::new();
        body.insert("name".to_owned(), json!(self.name));
        body.insert("delay".to_owned(), json!(self.delay));
        body.insert("project_id".to_owned(), json!(self.project));
        body.insert("pipeline_slug".to_owned(), json!(self.pipeline));
        body.insert("source_image_collection_id".to_owned(), json!(collection));
        body.insert("shuffle".to_owned(), json!(!self.no_shuffle));
        // What is left out is as the project has it.
        let limit = self.limit.map(|v| ("limit", json!(v)));
        let priority = self.priority.map(|v| ("priority", json!(v)));
        let threshold = self.failure_threshold.map(|v| ("failure_threshold", json!(v)));
        let reprocess = self.reprocess.then_some(("reprocess", Value::Bool(true)));
        let given = [limit, priority, threshold, reprocess];
        body.extend(
            given
                .into_iter()
                .flatten()
                .map(|(name, value)| (name.to_owned(), value)),
        );
        Value::Object(body)
    }

    /// Makes a capture set of a manifest.
    async fn upload(&self, context: &Context, list: &str, manifest: Manifest) -> CliResult<i64> {
        let set = json!({ "name": self.name, "project_id": self.project });
        let set = context
            .client
            .post("captures/collections/", &Query::new(), &set)
            .await?;
        let set = set["id"].as_i64().ok_or_else(|| {
            CliError::Unreachable("the server made a capture set and does not say its id".to_owned())
        })?;
        let content_type = manifest.content_type;
        let (body, broken) = manifest.into_body();
        let path = format!("captures/collections/{set}/captures/");
        let sent = context.client.upload(&path, content_type, body).await;
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
        let count = |name: &str| answer[name].as_u64().unwrap_or_default();
        let upload = Upload {
            list: called(list),
            set,
            added: count("added"),
            already_there: count("already_there"),
            rejected: Told::of(&answer, "rejected"),
            warnings: Told::of(&answer, "warnings"),
        };
        upload.judge(self.skip_bad_lines)?;
        Ok(set)
    }
}

/// Lines of a manifest with something to say of them.
struct Told {
    listed: Vec<Value>,
    count: u64,
}

impl Told {
    fn of(answer: &Value, name: &str) -> Self {
        let listed = answer[name].as_array().cloned().unwrap_or_default();
        // Servers that don't count them list all.
        let count = answer[format!("{name}_count")].as_u64();
        Self {
            count: count.unwrap_or(listed.len() as u64),
            listed,
        }
    }

    fn lines(&self) -> String {
        let shown = self.listed.iter().take(SHOWN);
        let mut lines: Vec<String> = shown
            .map(|item| format!("  line {}: {}", cell(&item["line"]), cell(&item["detail"])))
            .collect();
        let more = self.count.saturating_sub(lines.len() as u64);
        if more > 0 {
            lines.push(format!("  and {more} more"));
        }
        lines.join("\n")
    }
}

/// What became of a manifest.
struct Upload<'a> {
    list: &'a str,
    set: i64,
    added: u64,
    already_there: u64,
    rejected: Told,
    warnings: Told,
}

impl Upload<'_> {
    /// Whether a job is to be made of it.
    fn judge(&self, skip_bad_lines: bool) -> CliResult<()> {
        let (list, rejected) = (self.list, self.rejected.count);
        let captures = self.added + self.already_there;
        if captures == 0 && rejected == 0 {
            return Err(CliError::Usage(format!("`{list}` holds no captures")));
        }
        if captures == 0 {
            return Err(CliError::Refused(format!(
                "no line of `{list}` is a capture:\n{}",
                self.rejected.lines()
            )));
        }
        if rejected > 0 && !skip_bad_lines {
            return Err(CliError::Refused(format!(
                "no job is made, because {} of `{list}` can't be read; mend the list, or leave out what is bad with \
                 --skip-bad-lines:\n{}",
                counted(rejected, "line"),
                self.rejected.lines()
            )));
        }
        if rejected > 0 {
            output::note(format_args!(
                "left out: {} of `{list}`\n{}",
                counted(rejected, "line"),
                self.rejected.lines()
            ));
        }
        if self.warnings.count > 0 {
            output::note(format_args!(
                "{} on `{list}`; no capture is lost:\n{}",
                counted(self.warnings.count, "warning"),
                self.warnings.lines()
            ));
        }
        let (added, known, set) = (self.added, self.already_there, self.set);
        output::note(format_args!(
            "capture set {set}: {added} added, {known} already there, {rejected} rejected"
        ));
        Ok(())
    }
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
