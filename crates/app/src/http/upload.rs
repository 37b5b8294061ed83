//! Uploads of captures into a set: streamed, of any length, in flat memory.
//!
//! At any moment one chunk of the body, one record and one slice of captures are held. What was read before a
//! body broke off is stored, and the answer says how far that was.

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::post,
};
use futures::{Stream, StreamExt as _};
use serde::{Deserialize, Serialize};
use trapline_core::{
    CollectionId, ProjectId, Result, TimePattern,
    catalog::{Added, NewCapture},
    time::head,
};
use trapline_wire as wire;

use super::{
    Access, AppState, Id, Principal, collections,
    error::{ApiError, ApiResult},
    json::{media_type, require_unpacked},
    timed::Slow,
};
use crate::capture_lines::{Files, Format, Found, Line, Reader, Reading, file_name::taken_at_of_url};

/// How many captures are stored at once.
const SLICE: usize = 2_000;
/// How many bytes of URLs are held before they are stored.
const SLICE_BYTES: usize = 1 << 20;
/// How many rejected lines, and warnings, an answer lists; all are counted.
const LISTED_MAX: usize = 1_000;

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/captures/collections/{id}/captures", post(upload))
}

/// Why a body could not be read to its end.
pub(crate) type Broken = (StatusCode, String);

/// What the lines of a list become.
pub(crate) struct Upload {
    ready: Vec<NewCapture>,
    ready_bytes: usize,
    rejected: Told,
    warnings: Told,
    added: Added,
    /// Counted only if somebody asks for it.
    pub(crate) times: Option<Times>,
    pattern: Option<TimePattern>,
}

/// How many images have a time, and by what.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Times {
    /// In their lines.
    pub(crate) given: u64,
    /// In the names of their files.
    pub(crate) named: u64,
    /// The first of these names.
    pub(crate) example: String,
    pub(crate) without: u64,
}

impl Times {
    fn count(&mut self, capture: &NewCapture, pattern: Option<&TimePattern>) {
        let taken_at = capture.facts.taken_at;
        if taken_at.is_none() {
            self.without += 1;
        } else if taken_at != taken_at_of_url(&capture.url, pattern) {
            self.given += 1;
        } else {
            self.named += 1;
            if self.named == 1 {
                let name = capture.url.split(['?', '#']).next().unwrap_or_default();
                let name = name.rsplit('/').next().unwrap_or_default();
                head(name, 60).clone_into(&mut self.example);
            }
        }
    }
}

/// Lines with something to say of them.
struct Told {
    listed: Vec<wire::LineNote>,
    listed_max: usize,
    count: u64,
}

impl Told {
    fn new(listed_max: usize) -> Self {
        Self {
            listed: Vec::new(),
            listed_max,
            count: 0,
        }
    }

    fn push(&mut self, line: u64, why: &str) {
        self.count += 1;
        if self.listed.len() < self.listed_max {
            let detail = head(why, 300).to_owned();
            self.listed.push(wire::LineNote { line, detail });
        }
    }
}

impl Upload {
    /// Lists as many rejected lines, and as many warnings.
    pub(crate) fn new(listed_max: usize) -> Self {
        Self {
            ready: Vec::new(),
            ready_bytes: 0,
            rejected: Told::new(listed_max),
            warnings: Told::new(listed_max),
            added: Added::default(),
            times: None,
            pattern: None,
        }
    }

    /// Counts the times of its images, too.
    pub(crate) fn with_times(self, reading: &Reading) -> Self {
        Self {
            times: Some(Times::default()),
            pattern: reading.times.clone(),
            ..self
        }
    }

    fn take(&mut self, (line, found): Line) {
        match found {
            Found::Capture(capture) => {
                self.ready_bytes += capture.url.len();
                if let Some(times) = &mut self.times {
                    times.count(&capture, self.pattern.as_ref());
                }
                self.ready.push(capture);
            }
            // No reader of an upload hands on files.
            Found::File(..) => self.rejected.push(line, "files are not taken"),
            Found::Rejected(why) => self.rejected.push(line, &why),
            Found::Warning(why) => self.warnings.push(line, &why),
        }
    }

    /// Stores what is ready, if that is a slice or the rest.
    async fn store(&mut self, state: &AppState, set: CollectionId, rest: bool) -> ApiResult<()> {
        if !rest && self.ready.len() < SLICE && self.ready_bytes < SLICE_BYTES {
            return Ok(());
        }
        for slice in self.ready.chunks(SLICE) {
            let done = state.catalog.add_captures(set, slice).await?;
            self.added.added += done.added;
            self.added.already_there += done.already_there;
        }
        self.ready.clear();
        self.ready_bytes = 0;
        Ok(())
    }

    /// What became of them, and why they were not read to the end.
    pub(crate) fn told(self, detail: Option<String>) -> wire::Upload {
        wire::Upload {
            added: self.added.added,
            already_there: self.added.already_there,
            rejected: self.rejected.listed,
            rejected_count: self.rejected.count,
            warnings: self.warnings.listed,
            warnings_count: self.warnings.count,
            detail,
        }
    }
}

/// How the body is read, by its type. Whether it is packed is seen from its first bytes.
fn reader(request: &Request, reading: Reading) -> ApiResult<Reader> {
    let format = match media_type(request.headers()).as_deref() {
        None | Some("application/json") => Some(Format::Json),
        Some("application/x-ndjson" | "application/ndjson" | "application/jsonl") => Some(Format::Ndjson),
        Some("text/csv" | "text/tab-separated-values") => Some(Format::Csv),
        Some("text/uri-list") => Some(Format::Txt),
        Some("text/plain" | "application/octet-stream" | "application/gzip" | "application/x-gzip") => None,
        Some(other) => return Err(ApiError::media_type(other)),
    };
    // A file that is packed is a list like any other; a body that is packed on its way is none, here as elsewhere.
    require_unpacked(
        request.headers(),
        "send a list packed with gzip as it is, without this header",
    )?;
    Ok(Reader::new(format, reading))
}

async fn upload(
    State(state): State<AppState>,
    principal: Principal,
    Id(id): Id,
    request: Request,
) -> ApiResult<Response> {
    let set = collections::find(&state, &principal, id).await?;
    principal.require(Access::Operate)?;
    let reading = state.reading(set.project).await?;
    let reader = reader(&request, reading)?;
    let mut upload = Upload::new(LISTED_MAX);
    let body = request.into_body().into_data_stream();
    let broken = read(&state, set.id, body, reader, &mut upload).await?;
    let (status, detail) = broken.map_or((StatusCode::OK, None), |(status, why)| (status, Some(why)));
    Ok((status, Json(upload.told(detail))).into_response())
}

impl AppState {
    /// How lists are read for a project.
    pub(crate) async fn reading(&self, project: ProjectId) -> Result<Reading> {
        let files = Files::of_urls(self.allow_file_urls);
        let found = self.catalog.project(project).await?;
        Ok(found.map_or_else(
            || files.clone().into(),
            |project| Reading::of_project(files.clone(), &project.settings),
        ))
    }
}

fn bad(detail: String) -> Broken {
    (StatusCode::BAD_REQUEST, detail)
}

/// Reads a list to its end; `Some` says why it could not.
pub(crate) async fn read<E: std::error::Error + 'static>(
    state: &AppState,
    set: CollectionId,
    mut body: impl Stream<Item = Result<Bytes, E>> + Unpin,
    mut reader: Reader,
    upload: &mut Upload,
) -> ApiResult<Option<Broken>> {
    let mut broken = None;
    'body: while let Some(chunk) = body.next().await {
        let chunk: Bytes = match chunk {
            Ok(chunk) => chunk,
            Err(error) => {
                let line = reader.number();
                broken = Some(match Slow::of(&error) {
                    Some(slow) => (StatusCode::REQUEST_TIMEOUT, format!("{slow} after line {line}")),
                    None => bad(format!("the body broke off after line {line}")),
                });
                break;
            }
        };
        // A chunk may hold many short lines: in parts, so that no slice grows beyond its bounds.
        let mut rest = &chunk[..];
        while let Some(part) = reader.parts(rest).next() {
            rest = &rest[part.len()..];
            broken = reader.push(part, &mut |line| upload.take(line)).err().map(bad);
            if broken.is_some() {
                break 'body;
            }
            upload.store(state, set, false).await?;
        }
    }
    if broken.is_none() {
        broken = reader.finish(&mut |line| upload.take(line)).err().map(bad);
    }
    upload.store(state, set, true).await?;
    Ok(broken)
}
