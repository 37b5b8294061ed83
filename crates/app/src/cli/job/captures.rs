//! Manifests: lists of captures in a file or on standard input, streamed to the server in flat memory.
//!
//! A line's number in the file is its number on the wire, so that a rejected line can be found and mended.

use std::{
    io::Cursor,
    os::fd::AsFd as _,
    path::Path,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use clap::ValueEnum;
use futures::{StreamExt as _, future, stream};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio_util::io::ReaderStream;

use super::super::exit::{CliError, CliResult};
use crate::capture_lines::{Columns, LINE_BYTES_MAX, Record, Splitter};

const CHUNK: usize = 64 << 10;
/// How many lines are named; all are counted.
const REJECTED_MAX: usize = 1_000;
const BOM: &[u8] = b"\xef\xbb\xbf";

/// How a manifest is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// A URL on each line
    Txt,
    /// A header that names `url`, and maybe `taken_at`, `width`, `height`
    Csv,
    /// A JSON object with `url` on each line
    #[value(alias = "jsonl")]
    Ndjson,
    /// One JSON list of such objects
    Json,
}

impl Format {
    fn of_name(name: &str) -> Option<Self> {
        let extension = Path::new(name).extension()?.to_str()?.to_ascii_lowercase();
        Self::from_str(&extension, true).ok()
    }

    /// By its beginning, up to the end of the first line.
    fn of_head(head: &[u8]) -> Self {
        let head = head.strip_prefix(BOM).unwrap_or(head);
        let line = head
            .split(|&b| b == b'\n')
            .find(|l| !l.trim_ascii().is_empty())
            .unwrap_or_default();
        match line.trim_ascii().first() {
            Some(b'{') => Self::Ndjson,
            Some(b'[') => Self::Json,
            _ if Columns::parse(line).is_ok() => Self::Csv,
            Some(b'"') => Self::Ndjson,
            _ => Self::Txt,
        }
    }

    /// What it is sent as.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Txt | Self::Ndjson => "application/x-ndjson",
            Self::Csv => "text/csv",
            Self::Json => "application/json",
        }
    }
}

/// A line that is no capture, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rejected {
    pub(super) line: u64,
    pub(super) why: String,
}

/// What happens on this side while a manifest is sent.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) rejected: Vec<Rejected>,
    pub(super) rejected_count: u64,
    /// Set if the manifest could not be read to its end.
    pub(super) broken: Option<String>,
}

/// A manifest that is open.
pub(super) struct Manifest {
    pub(super) format: Format,
    reader: Pin<Box<dyn AsyncRead + Send>>,
    size: Option<u64>,
}

/// As people call it.
pub(super) fn called(name: &str) -> &str {
    if name == "-" { "standard input" } else { name }
}

impl Manifest {
    /// Opens a file, or standard input for `-`, and finds out how it is written.
    pub(super) async fn open(name: &str, format: Option<Format>) -> CliResult<Self> {
        let refused = |e| CliError::Usage(format!("`{}` can't be read: {e}", called(name)));
        let mut reader: Pin<Box<dyn AsyncRead + Send>>;
        let mut size = None;
        if name == "-" {
            // As a file: the standard library's own buffer has nothing in it yet, and is not needed.
            let input = std::io::stdin().as_fd().try_clone_to_owned().map_err(refused)?;
            reader = Box::pin(tokio::fs::File::from_std(input.into()));
        } else {
            let file = tokio::fs::File::open(name).await.map_err(refused)?;
            let about = file.metadata().await.map_err(refused)?;
            if about.is_dir() {
                return Err(CliError::Usage(format!(
                    "`{name}` is a folder, not a list of captures"
                )));
            }
            size = about.is_file().then_some(about.len());
            reader = Box::pin(file);
        }
        let known = format.or_else(|| Format::of_name(name));
        if let Some(format @ (Format::Txt | Format::Ndjson | Format::Json)) = known {
            return Ok(Self { format, reader, size });
        }
        let head = head(&mut reader).await.map_err(refused)?;
        let format = known.unwrap_or_else(|| Format::of_head(&head));
        if format == Format::Csv && !head.trim_ascii().is_empty() {
            // A server that refuses at the first line may hang up before the rest is sent, and its answer be lost.
            let header = head.split(|&b| b == b'\n').next().unwrap_or_default();
            Columns::parse(header).map_err(|e| CliError::Usage(format!("`{}`: {e}", called(name))))?;
        }
        reader = Box::pin(Cursor::new(head).chain(reader));
        Ok(Self { format, reader, size })
    }

    /// The manifest as a request's body, and where to read afterwards what was seen.
    pub(super) fn into_body(self) -> (reqwest::Body, Arc<Mutex<Seen>>) {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let bar = self.size.map_or_else(ProgressBar::hidden, |size| {
            let style = ProgressStyle::with_template("captures {bar:30} {bytes}/{total_bytes}");
            ProgressBar::new(size).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        let mut text = (self.format == Format::Txt).then(|| TextLines::new(Arc::clone(&seen)));
        let broken = Arc::clone(&seen);
        let chunks = ReaderStream::with_capacity(self.reader, CHUNK);
        let with_end = chunks.map(Some).chain(stream::once(future::ready(None)));
        let parts = with_end.map(move |part| match (part, &mut text) {
            (Some(Ok(bytes)), text) => {
                bar.inc(bytes.len() as u64);
                Ok(text
                    .as_mut()
                    .map_or_else(|| bytes.clone(), |text| text.push(&bytes)))
            }
            (Some(Err(error)), _) => {
                broken.lock().unwrap_or_else(PoisonError::into_inner).broken = Some(error.to_string());
                Err(error)
            }
            (None, text) => {
                bar.finish_and_clear();
                Ok(text.as_mut().map_or_else(Bytes::new, TextLines::finish))
            }
        });
        let parts = parts.filter(|part| future::ready(part.as_ref().map_or(true, |bytes| !bytes.is_empty())));
        (reqwest::Body::wrap_stream(parts), seen)
    }
}

/// The first bytes, up to the end of the first line that is not blank.
async fn head(reader: &mut Pin<Box<dyn AsyncRead + Send>>) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while head.len() < LINE_BYTES_MAX {
        let blank = head.trim_ascii_start().is_empty();
        if !blank && head.trim_ascii_start().contains(&b'\n') {
            break;
        }
        if reader.as_mut().read_buf(&mut head).await? == 0 {
            break;
        }
    }
    Ok(head)
}

/// Turns lines of text into lines of JSON, one for one. What can't be written as JSON becomes a blank line, which
/// the server passes over and counts.
struct TextLines {
    splitter: Splitter,
    seen: Arc<Mutex<Seen>>,
}

impl TextLines {
    fn new(seen: Arc<Mutex<Seen>>) -> Self {
        Self {
            splitter: Splitter::lines(),
            seen,
        }
    }

    fn push(&mut self, bytes: &[u8]) -> Bytes {
        self.cut(|splitter, record| splitter.push(bytes, record))
    }

    fn finish(&mut self) -> Bytes {
        self.cut(|splitter, record| splitter.finish(record))
    }

    fn cut(
        &mut self,
        step: impl FnOnce(&mut Splitter, &mut dyn FnMut(Record<'_>)) -> Result<(), String>,
    ) -> Bytes {
        let mut lines = Vec::new();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let cut = step(&mut self.splitter, &mut |(line, record)| {
            match record.and_then(json_line) {
                Ok(text) => lines.extend_from_slice(text.as_bytes()),
                Err(why) => {
                    seen.rejected_count += 1;
                    if seen.rejected.len() < REJECTED_MAX {
                        seen.rejected.push(Rejected { line, why });
                    }
                }
            }
            lines.push(b'\n');
        });
        if let Err(why) = cut {
            seen.broken = Some(why);
        }
        lines.into()
    }
}

fn json_line(line: &[u8]) -> Result<String, String> {
    let line = line.strip_prefix(BOM).unwrap_or(line);
    let text = std::str::from_utf8(line)
        .map_err(|_| "the line is not UTF-8".to_owned())?
        .trim();
    if text.is_empty() {
        return Ok(String::new());
    }
    serde_json::to_string(text).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_known_by_its_name_or_its_first_line() {
        assert_eq!(Format::of_name("a/b.JSONL"), Some(Format::Ndjson));
        assert_eq!(Format::of_name("b.txt"), Some(Format::Txt));
        assert_eq!(Format::of_name("list"), None);
        for (head, expected) in [
            ("\u{feff}url,width\nhttp://h/a,1", Format::Csv),
            ("\"url\",\"taken_at\"\n", Format::Csv),
            ("\n {\"url\": \"http://h/a\"}\n", Format::Ndjson),
            ("\"http://h/a\"\n", Format::Ndjson),
            ("[{", Format::Json),
            ("http://h/a,url\n", Format::Csv),
            ("http://h/a?url\nhttp://h/b\n", Format::Txt),
            ("", Format::Txt),
        ] {
            assert_eq!(Format::of_head(head.as_bytes()), expected, "{head}");
        }
    }

    #[test]
    fn lines_of_text_keep_their_numbers_however_they_are_cut() {
        let list = b"\xef\xbb\xbfhttp://h/a \"b\"\r\n\nbad\xff\n  http://h/c";
        for size in [1, 5, 100] {
            let seen = Arc::default();
            let mut lines = TextLines::new(Arc::clone(&seen));
            let mut sent: Vec<u8> = list.chunks(size).flat_map(|c| lines.push(c)).collect();
            sent.extend(lines.finish());
            assert_eq!(
                String::from_utf8(sent).unwrap(),
                "\"http://h/a \\\"b\\\"\"\n\n\n\"http://h/c\"\n"
            );
            let seen = seen.lock().unwrap();
            assert_eq!((seen.rejected_count, seen.rejected[0].line), (1, 3));
        }
    }
}
