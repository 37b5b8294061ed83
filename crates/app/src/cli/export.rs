//! `trapline export`: everything of a kept store, read-only, without a server; one may be running on it.

use std::{io::Write as _, sync::Arc};

use clap::{Args, ValueEnum};
use futures::TryStreamExt as _;
use trapline_core::{CollectionId, JobId, ProjectId, catalog::CaptureScope, ports::Store};
use trapline_engine::SystemClock;

use super::{
    exit::{CliError, CliResult, Exit},
    output,
    run::export::{Target, check, write_all},
    signals::interruptible,
};
use crate::{
    config::{Database, without_password},
    export::{self, Export, Format, Table},
    wiring,
};

/// Write what a kept store holds: every image and detection once, of all its jobs
#[derive(Args)]
pub(super) struct ExportArgs {
    /// The store: `june.db`, `sqlite:june.db` or `postgres://…`
    #[arg(value_name = "DATABASE")]
    database: String,
    /// How rows are written to standard output
    #[arg(long, value_enum, default_value_t = As::Csv, conflicts_with = "out")]
    format: As,
    /// One row per detection, or one per image
    #[arg(long, value_enum, default_value_t = Of::Detections, conflicts_with = "out")]
    table: Of,
    /// With the scores of every classification (ndjson)
    #[arg(long, conflicts_with = "out")]
    scores: bool,
    /// Instead of to standard output: to NAME.csv or NAME.ndjson, with NAME-images beside it, or both into a folder
    #[arg(long, value_name = "FILE")]
    out: Option<Target>,
    /// Only what this job did
    #[arg(long, value_name = "ID")]
    job: Option<i64>,
    /// Only the captures of this set
    #[arg(long, value_name = "ID", conflicts_with = "job")]
    collection: Option<i64>,
    /// Of this project
    #[arg(long, value_name = "ID", default_value_t = 1)]
    project: i64,
}

#[derive(Clone, Copy, ValueEnum)]
enum As {
    Csv,
    #[value(alias = "jsonl")]
    Ndjson,
}

#[derive(Clone, Copy, ValueEnum)]
enum Of {
    Detections,
    Images,
}

impl ExportArgs {
    /// Runs it.
    pub(super) async fn run(self) -> CliResult {
        interruptible(self.write()).await
    }

    async fn write(&self) -> CliResult {
        if let Database::Sqlite(path) = Database::parse(&self.database)?
            && !path.is_file()
        {
            return Err(CliError::Usage(format!(
                "there is no store at `{}`",
                path.display()
            )));
        }
        if let Some(out) = &self.out {
            check(std::slice::from_ref(out))?;
        }
        let store = wiring::look_at_store(&self.database, Arc::new(SystemClock::new())).await?;
        let scope = self.scope(store.as_ref()).await?;
        let store: Arc<dyn Store> = store;
        match &self.out {
            Some(out) => self.to_files(out, &store, scope).await,
            None => self.to_stdout(store, scope).await,
        }
    }

    async fn scope(&self, store: &dyn Store) -> CliResult<CaptureScope> {
        let missing = |what: &str, id: i64| {
            let shown = without_password(&self.database);
            CliError::Usage(format!("`{shown}` has no {what} {id}"))
        };
        if let Some(id) = self.job {
            let found = store.job(JobId(id)).await?;
            return found
                .map(|job| CaptureScope::Job(job.id))
                .ok_or_else(|| missing("job", id));
        }
        if let Some(id) = self.collection {
            let found = store.collection(CollectionId(id)).await?;
            return found
                .map(|set| CaptureScope::Collection(set.id))
                .ok_or_else(|| missing("capture set", id));
        }
        let found = store.project(ProjectId(self.project)).await?;
        found
            .map(|p| CaptureScope::Project(p.id))
            .ok_or_else(|| missing("project", self.project))
    }

    async fn to_files(&self, out: &Target, store: &Arc<dyn Store>, scope: CaptureScope) -> CliResult {
        for path in write_all(out, store, scope).await? {
            output::note(format_args!("written: {}", path.display()));
        }
        Ok(Exit::Done)
    }

    async fn to_stdout(&self, store: Arc<dyn Store>, scope: CaptureScope) -> CliResult {
        let export = Export {
            scope,
            table: match self.table {
                Of::Detections => Table::Detections,
                Of::Images => Table::Images,
            },
            format: match self.format {
                As::Csv => Format::Csv,
                As::Ndjson => Format::Ndjson,
            },
            scores: self.scores,
        };
        let mut stdout = std::io::stdout();
        let mut rows = std::pin::pin!(export::stream(store, export));
        while let Some(bytes) = rows.try_next().await? {
            stdout.write_all(&bytes)?;
        }
        stdout.flush()?;
        Ok(Exit::Done)
    }
}
