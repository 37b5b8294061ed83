//! `--export FILE`: the results in a file, written beside it first, so that a half-written one never has its name.

use std::{path::PathBuf, str::FromStr, sync::Arc};

use futures::TryStreamExt as _;
use tokio::io::AsyncWriteExt as _;
use trapline_core::{Error, JobId, Result, catalog::CaptureScope, ports::Store};

use crate::export::{self, Export, Format, Table};

/// A file to write, and how.
#[derive(Clone, Debug)]
pub(super) struct Target {
    path: PathBuf,
    format: Format,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let path = PathBuf::from(text);
        let format = match path.extension().and_then(|e| e.to_str()) {
            Some("ndjson" | "jsonl") => Format::Ndjson,
            Some("csv") => Format::Csv,
            _ => return Err("the file's name must end in .ndjson or .csv".to_owned()),
        };
        if path
            .parent()
            .is_some_and(|p| !p.as_os_str().is_empty() && !p.is_dir())
        {
            return Err("the folder of the file is missing".to_owned());
        }
        Ok(Self { path, format })
    }
}

impl Target {
    /// Writes all results of a job.
    pub(super) async fn write(&self, store: Arc<dyn Store>, job: JobId) -> Result<()> {
        let mut part = self.path.clone().into_os_string();
        part.push(".part");
        let wrong = |e: std::io::Error| {
            Error::internal(format!(
                "the results can't be written to `{}`",
                self.path.display()
            ))
            .with_source(e)
        };
        let mut file = tokio::fs::File::create(&part).await.map_err(wrong)?;
        let mut rows = std::pin::pin!(export::stream(
            store,
            Export {
                scope: CaptureScope::Job(job),
                table: Table::Detections,
                format: self.format,
                scores: false
            }
        ));
        while let Some(bytes) = rows.try_next().await? {
            file.write_all(&bytes).await.map_err(wrong)?;
        }
        file.sync_all().await.map_err(wrong)?;
        tokio::fs::rename(&part, &self.path).await.map_err(wrong)
    }
}
