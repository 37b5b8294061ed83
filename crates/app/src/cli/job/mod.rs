//! `trapline job`: jobs over HTTP.

mod captures;
mod create;
mod delete;
mod explain;
mod images;
mod list;
mod logs;
mod results;
mod view;
mod watch;

use clap::{Args, Subcommand};
use trapline_core::words::counted;

use self::view::Job;
use super::{
    client::{Client, Query, ServerArgs},
    exit::{CliResult, Exit},
    output,
    signals::interruptible,
};

/// Make, follow and steer jobs
#[derive(Args)]
pub struct JobArgs {
    #[command(flatten)]
    server: ServerArgs,
    #[command(subcommand)]
    command: JobCommand,
}

#[derive(Subcommand)]
enum JobCommand {
    Create(Box<create::CreateArgs>),
    List(list::ListArgs),
    /// Show a job
    Show(JobId),
    /// Follow a job until it lands; exit 0 on SUCCESS, 1 on FAILURE or REVOKED
    Watch(JobId),
    /// Start a job; of a job that has landed, a new run
    Run(JobId),
    /// Stop a job; its results are kept
    Cancel(JobId),
    /// Run a job that has landed again, on all its captures
    Retry(JobId),
    /// Run a job that has landed again, on what failed or was never settled
    RetryFailed(JobId),
    Delete(delete::DeleteArgs),
    Images(images::ImagesArgs),
    Logs(logs::LogsArgs),
    /// Say why a job is not moving, and on what evidence
    Explain(JobId),
    Results(results::ResultsArgs),
}

#[derive(Args)]
struct JobId {
    /// The job's id
    id: i64,
}

impl JobId {
    fn path(&self) -> String {
        format!("jobs/{}/", self.id)
    }
}

/// What every command has: the server, and how to print.
struct Context {
    client: Client,
    json: bool,
}

impl JobArgs {
    /// Runs it.
    pub async fn run(self) -> CliResult {
        interruptible(self.act()).await
    }

    async fn act(self) -> CliResult {
        let context = Context {
            client: self.server.client()?,
            json: self.server.json,
        };
        match self.command {
            JobCommand::Create(args) => args.run(&context).await,
            JobCommand::List(args) => args.run(&context).await,
            JobCommand::Show(job) => list::show(&context, &job).await,
            JobCommand::Watch(job) => watch::run(&context, job.id).await,
            JobCommand::Run(job) => context.steer(&job, "run").await,
            JobCommand::Cancel(job) => context.cancel(&job).await,
            JobCommand::Retry(job) => context.steer(&job, "retry").await,
            JobCommand::RetryFailed(job) => context.retry_failed(&job).await,
            JobCommand::Delete(args) => args.run(&context).await,
            JobCommand::Images(args) => args.run(&context).await,
            JobCommand::Logs(args) => args.run(&context).await,
            JobCommand::Explain(job) => explain::run(&context, &job).await,
            JobCommand::Results(args) => args.run(&context).await,
        }
    }
}

impl Context {
    async fn act(&self, job: &JobId, verb: &str) -> CliResult<Job> {
        let path = format!("{}{verb}/", job.path());
        self.client.act(&path, &Query::new()).await
    }

    async fn steer(&self, job: &JobId, verb: &str) -> CliResult {
        let job = self.act(job, verb).await?;
        if self.json {
            output::json(&job)?;
        } else {
            output::prose(job)?;
        }
        Ok(Exit::Done)
    }

    /// A job that has ended stays as it is, so it is told how that was.
    async fn cancel(&self, id: &JobId) -> CliResult {
        let job = self.look(id).await?;
        if job.landed().is_none() {
            return self.steer(id, "cancel").await;
        }
        self.print_unchanged(&job, "there is nothing to cancel")?;
        Ok(Exit::Done)
    }

    /// A run of nothing would only hide how the last one ended.
    async fn retry_failed(&self, id: &JobId) -> CliResult {
        let job = self.look(id).await?;
        let left = job.counts.failed + job.counts.pending + job.counts.in_flight;
        if job.landed().is_some() && left > 0 {
            let job = self.act(id, "retry-failed").await?;
            if self.json {
                output::json(&job)?;
            } else {
                // The counts of the new run are those of the last one until its images are collected.
                output::line(format_args!(
                    "job {} runs again, on {} that failed or {} never done",
                    id.id,
                    counted(left, "image"),
                    if left == 1 { "was" } else { "were" }
                ))?;
            }
            return Ok(Exit::Done);
        }
        if job.landed().is_some() {
            self.print_unchanged(&job, "none failed, so there is nothing to retry")?;
            return Ok(Exit::Done);
        }
        self.print_unchanged(&job, "it has not ended, so there is nothing to retry yet")?;
        Ok(Exit::Refused)
    }

    async fn look(&self, id: &JobId) -> CliResult<Job> {
        let brief = vec![param("logs_limit", 1)];
        self.client.get(&id.path(), &brief).await
    }

    fn print_unchanged(&self, job: &Job, why: &str) -> CliResult<()> {
        if self.json {
            output::note(why);
            return output::json(job);
        }
        output::prose(format_args!("{job}; {why}"))
    }
}

/// A parameter of a request.
fn param(name: &str, value: impl ToString) -> (String, String) {
    (name.to_owned(), value.to_string())
}
