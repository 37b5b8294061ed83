//! `trapline job results`: detections, streamed. A file holds all of them or is not there.

use std::{
    fs::Permissions,
    io::Write as _,
    os::{fd::AsFd as _, unix::fs::PermissionsExt as _},
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt as _;

use super::{
    super::{
        client::Query,
        exit::{CliError, CliResult, Exit},
        output,
    },
    Context, JobId, param,
};

/// Print the detections of a job
#[derive(Args)]
pub(super) struct ResultsArgs {
    #[command(flatten)]
    job: JobId,
    /// The format of the output
    #[arg(long, value_enum, default_value_t = Format::Ndjson)]
    format: Format,
    /// With the scores of every classification (ndjson and json)
    #[arg(long)]
    scores: bool,
    /// Into this file
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Ndjson,
    Csv,
    Json,
}

impl Format {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
            Self::Json => "json",
        }
    }
}

impl ResultsArgs {
    pub(super) async fn run(self, context: &Context) -> CliResult {
        let path = format!("{}results/", self.job.path());
        let mut query: Query = vec![param("format", self.format.as_str())];
        query.extend(self.scores.then(|| param("scores", 1)));
        // Opened first: what can't be written need not be asked for.
        let mut sink = Sink::open(self.out.as_deref())?;
        let mut stream = context.client.stream(&path, &query).await?;
        let mut bytes = 0_u64;
        while let Some(chunk) = context.client.chunk(&path, &mut stream).await? {
            bytes += chunk.len() as u64;
            sink.write(&chunk).await?;
        }
        sink.finish().await?;
        if let Some(file) = &self.out {
            output::note(format_args!("{bytes} bytes are in `{}`", file.display()));
        }
        Ok(Exit::Done)
    }
}

enum Sink {
    /// Standard output, a device or a pipe, written as it is.
    Stream(tokio::fs::File),
    /// Written beside its place, and put there when it is whole.
    File(NamedTempFile, PathBuf),
}

impl Sink {
    fn open(out: Option<&Path>) -> CliResult<Self> {
        let Some(file) = out.filter(|file| file.as_os_str() != "-") else {
            // As a file that is written off the main thread, so that Ctrl-C is heard while a pipe is full.
            let out = std::io::stdout().as_fd().try_clone_to_owned()?;
            return Ok(Self::Stream(tokio::fs::File::from_std(out.into())));
        };
        let refused = |e| CliError::Usage(format!("`{}` can't be written: {e}", file.display()));
        if file.exists() && !file.is_file() {
            let device = std::fs::OpenOptions::new()
                .write(true)
                .open(file)
                .map_err(refused)?;
            return Ok(Self::Stream(tokio::fs::File::from_std(device)));
        }
        let folder = file
            .parent()
            .filter(|f| !f.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let part = tempfile::Builder::new()
            .prefix(".trapline-results-")
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(folder)
            .map_err(refused)?;
        Ok(Self::File(part, file.to_owned()))
    }

    async fn write(&mut self, bytes: &[u8]) -> CliResult<()> {
        match self {
            Self::Stream(out) => out.write_all(bytes).await?,
            Self::File(out, _) => out.write_all(bytes)?,
        }
        Ok(())
    }

    async fn finish(self) -> CliResult<()> {
        match self {
            Self::Stream(mut out) => out.flush().await?,
            Self::File(part, file) => drop(part.persist(file).map_err(|e| e.error)?),
        }
        Ok(())
    }
}
