//! `trapline export`: everything of a kept store, read-only, without a server; one may be running on it.

use std::{
    fs::File,
    io::{self, Seek as _, Write as _},
    sync::Arc,
};

use clap::{Args, ValueEnum};
use futures::TryStreamExt as _;
use trapline_core::{
    Clock, CollectionId, Error, JobId, ProjectId, Result, catalog::CaptureScope, ports::Store,
};
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
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        // A look may be repeated, so what goes to standard output waits for its end.
        let spool = tempfile::tempfile()?;
        let missing = wiring::looking_at_store(&self.database, &clock, async |store| {
            let Some(scope) = self.scope(store.as_ref()).await? else {
                return Ok(true);
            };
            match &self.out {
                Some(out) => write_all(out, &store, scope).await?,
                None => self.to(&spool, store, scope).await?,
            }
            Ok(false)
        })
        .await?;
        if missing {
            let shown = without_password(&self.database);
            return Err(CliError::Usage(format!("`{shown}` has no {}", self.what())));
        }
        match &self.out {
            Some(out) => output::note(format_args!("written: {out}")),
            None => {
                (&spool).rewind()?;
                io::copy(&mut &spool, &mut io::stdout().lock())?;
            }
        }
        Ok(Exit::Done)
    }

    fn what(&self) -> String {
        match (self.job, self.collection) {
            (Some(job), _) => format!("job {job}"),
            (_, Some(set)) => format!("capture set {set}"),
            _ => format!("project {}", self.project),
        }
    }

    /// What is to be written, if it is there.
    async fn scope(&self, store: &dyn Store) -> Result<Option<CaptureScope>> {
        Ok(match (self.job, self.collection) {
            (Some(id), _) => store.job(JobId(id)).await?.map(|job| CaptureScope::Job(job.id)),
            (_, Some(id)) => {
                let found = store.collection_up_to(CollectionId(id), 0).await?;
                found.map(|set| CaptureScope::Collection(set.id))
            }
            _ => {
                let found = store.project(ProjectId(self.project)).await?;
                found.map(|p| CaptureScope::Project(p.id))
            }
        })
    }

    async fn to(&self, mut spool: &File, store: Arc<dyn Store>, scope: CaptureScope) -> Result<()> {
        let wrong = |e: io::Error| Error::internal("the temporary file can't be written").with_source(e);
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
        spool.set_len(0).map_err(wrong)?;
        spool.rewind().map_err(wrong)?;
        let mut rows = std::pin::pin!(export::stream(store, export));
        while let Some(bytes) = rows.try_next().await? {
            spool.write_all(&bytes).map_err(wrong)?;
        }
        Ok(())
    }
}
