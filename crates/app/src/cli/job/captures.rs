//! Manifests: lists of captures in a file or on standard input, streamed to the server as they are.
//!
//! The server reads them, so that a list means the same however it gets there.

use std::{
    os::fd::AsFd as _,
    sync::{Arc, Mutex, PoisonError},
};

use futures::StreamExt as _;
use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};
use tokio::fs::File;
use tokio_util::io::ReaderStream;

use super::super::exit::{CliError, CliResult};
use crate::capture_lines::Format;

const CHUNK: usize = 64 << 10;

/// A manifest that is open.
pub(super) struct Manifest {
    pub(super) content_type: &'static str,
    input: File,
    size: Option<u64>,
}

/// Why a manifest could not be read to its end.
pub(super) type Broken = Arc<Mutex<Option<String>>>;

/// As people call it.
pub(super) fn called(name: &str) -> &str {
    if name == "-" { "standard input" } else { name }
}

/// What a list is sent as; if its format is not known, the server looks at its beginning.
fn content_type(format: Option<Format>) -> &'static str {
    match format {
        Some(Format::Txt) => "text/uri-list",
        Some(Format::Csv) => "text/csv",
        Some(Format::Ndjson) => "application/x-ndjson",
        Some(Format::Json) => "application/json",
        None => "application/octet-stream",
    }
}

impl Manifest {
    /// Opens a file, or standard input for `-`.
    pub(super) async fn open(name: &str, format: Option<Format>) -> CliResult<Self> {
        let refused = |e| CliError::Usage(format!("`{}` can't be read: {e}", called(name)));
        let content_type = content_type(format.or_else(|| Format::of_name(name)));
        if name == "-" {
            // As a file: the standard library's own buffer has nothing in it yet, and is not needed.
            let input = std::io::stdin().as_fd().try_clone_to_owned().map_err(refused)?;
            return Ok(Self {
                content_type,
                input: File::from_std(input.into()),
                size: None,
            });
        }
        let input = File::open(name).await.map_err(refused)?;
        let about = input.metadata().await.map_err(refused)?;
        if about.is_dir() {
            return Err(CliError::Usage(format!(
                "`{name}` is a folder, not a list of captures"
            )));
        }
        Ok(Self {
            content_type,
            input,
            size: about.is_file().then_some(about.len()),
        })
    }

    /// The manifest as a request's body, and where to read afterwards why it broke off.
    pub(super) fn into_body(self) -> (reqwest::Body, Broken) {
        let broken = Broken::default();
        let bar = self.size.map_or_else(ProgressBar::hidden, |size| {
            let style = ProgressStyle::with_template("captures {bar:30} {bytes}/{total_bytes}");
            ProgressBar::new(size)
                .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
                .with_finish(ProgressFinish::AndClear)
        });
        let why = Arc::clone(&broken);
        let chunks = ReaderStream::with_capacity(self.input, CHUNK).inspect(move |chunk| match chunk {
            Ok(bytes) => bar.inc(bytes.len() as u64),
            Err(error) => *why.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string()),
        });
        (reqwest::Body::wrap_stream(chunks), broken)
    }
}
