//! What the first step's form holds. Lists are read as they come, and are never whole in memory.

use axum::{
    body::Bytes,
    extract::{
        Multipart,
        multipart::{Field, MultipartError},
    },
};
use futures::{Stream, StreamExt as _, stream};
use serde_json::json;
use trapline_core::{CollectionId, ProjectId, catalog::Draft};

use super::report::Report;
use crate::{
    capture_lines::{Format, Reader},
    http::{
        ApiError, AppState, Fields, NAME_MAX,
        upload::{self, Upload},
    },
    ui::{
        page::{PageError, with_query},
        session::Visitor,
        words::visible,
        wrong::Wrong,
    },
};

/// How much of what was pasted is shown again, in bytes.
const SHOWN_MAX: usize = 256 << 10;
/// What other fields hold, in bytes.
const TEXT_MAX: usize = NAME_MAX * 4;
/// How many rejected lines a draft keeps; all are counted.
const REJECTED_MAX: usize = 10_000;

/// The fields of lists.
const LISTS: [&str; 2] = ["urls", "list"];
/// The ways to give images.
const WAYS: [&str; 3] = ["urls", "list", "set"];
const ONE: &str = "Give the images in one way only.";
pub(super) const NONE: &str = "Give the images: paste addresses, choose a file, or choose a capture set.";

/// What a person has typed, for a form that is shown again.
#[derive(Default)]
pub(in crate::ui) struct Typed {
    pub(super) name: String,
    pub(super) project: String,
    pub(super) set: String,
    pub(in crate::ui) urls: String,
    /// Whether more was pasted than is shown again.
    pub(in crate::ui) is_cut: bool,
}

impl Typed {
    /// Reads what can be shown again, and no list.
    pub(in crate::ui) async fn only(form: &mut Multipart) -> Result<Self, ApiError> {
        let mut typed = Self::default();
        while let Some(field) = form.next_field().await.map_err(broken)? {
            match field.name().unwrap_or_default() {
                "name" => typed.name = text(field, TEXT_MAX).await?.0,
                "project" => typed.project = text(field, TEXT_MAX).await?.0,
                "set" => typed.set = text(field, TEXT_MAX).await?.0,
                "urls" => (typed.urls, typed.is_cut) = text(field, SHOWN_MAX).await?,
                // It comes last, and nobody is there for whom it would be read.
                "list" => break,
                _ => {}
            }
        }
        Ok(typed)
    }
}

fn broken(error: MultipartError) -> ApiError {
    ApiError::detail(error.status(), error.body_text())
}

/// The beginning of a field, and whether it goes on.
async fn text(mut field: Field<'_>, bytes_max: usize) -> Result<(String, bool), ApiError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = field.chunk().await.map_err(broken)? {
        let rest = bytes_max - bytes.len();
        if chunk.len() > rest {
            bytes.extend_from_slice(&chunk[..rest]);
            return Ok((String::from_utf8_lossy(&bytes).into_owned(), true));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok((String::from_utf8_lossy(&bytes).into_owned(), false))
}

/// The chunks of a list; `None` if it is empty, as a field is that nobody has filled in.
async fn list(
    mut field: Field<'_>,
) -> Result<Option<impl Stream<Item = Result<Bytes, MultipartError>> + Unpin>, ApiError> {
    let first = field.chunk().await.map_err(broken)?;
    let first = first.filter(|chunk| !chunk.trim_ascii().is_empty());
    Ok(first.map(|chunk| Box::pin(stream::iter([Ok(chunk)]).chain(field))))
}

/// Reads the form, and stores its images as a draft. Returns where to go on, or what is wrong with what was typed.
pub(super) async fn read(
    app: &AppState,
    visitor: &Visitor,
    form: &mut Multipart,
    typed: &mut Typed,
) -> Result<Result<String, Wrong>, PageError> {
    let mut found: Option<(Draft, Report)> = None;
    while let Some(field) = form.next_field().await.map_err(broken)? {
        let name = field.name().unwrap_or_default().to_owned();
        match name.as_str() {
            "name" => typed.name = text(field, TEXT_MAX).await?.0,
            "project" => typed.project = text(field, TEXT_MAX).await?.0,
            "set" => typed.set = text(field, TEXT_MAX).await?.0,
            "urls" | "list" => {
                let format = field.file_name().and_then(Format::of_name);
                let Some(chunks) = list(field).await? else {
                    continue;
                };
                if found.is_some() {
                    return Ok(Err(Wrong::at(&LISTS, ONE)));
                }
                match draft(app, visitor, typed, chunks, (name == "urls", format)).await? {
                    Ok(stored) => found = Some(stored),
                    Err(wrong) => return Ok(Err(wrong)),
                }
            }
            _ => {}
        }
    }
    let (draft, found) = match (found, typed.set.is_empty()) {
        (None, true) => return Ok(Err(Wrong::at(&WAYS, NONE))),
        (None, false) => return of_set(app, visitor, typed).await,
        (Some(_), false) => return Ok(Err(Wrong::at(&WAYS, ONE))),
        (Some(found), true) => found,
    };
    let found = match found.or_problem() {
        Ok(found) => found,
        Err(problem) => return Ok(Err(Wrong::at(&LISTS, problem))),
    };
    let set = draft.set;
    let report = serde_json::to_string(&found).unwrap_or_default();
    app.catalog.save_draft(&Draft { report, ..draft }).await?;
    Ok(Ok(format!("/jobs/new/{set}")))
}

/// The second step of a set that is there.
async fn of_set(
    app: &AppState,
    visitor: &Visitor,
    typed: &Typed,
) -> Result<Result<String, Wrong>, PageError> {
    let mut fields = Fields::of(json!({ "name": typed.name }))?;
    let name = fields.maybe_text("name", NAME_MAX).unwrap_or_default();
    if let Err(wrong) = fields.check() {
        return Wrong::of(wrong, &[]).map(Err);
    }
    let set = typed.set.parse().map(CollectionId);
    let found = match set {
        Ok(set) => app.catalog.collection_up_to(set, 0).await?,
        Err(_) => None,
    };
    let typed_project: Option<i64> = typed.project.parse().ok();
    Ok(match found.filter(|set| visitor.principal.sees(set.project)) {
        Some(set) if typed_project.is_some_and(|id| id != set.project.0) => {
            let project = app.catalog.project(set.project).await?;
            let name = project.map_or_else(String::new, |project| visible(&project.name));
            let text = format!(
                "That capture set is of another project: choose the project {name} with it, or another set."
            );
            Err(Wrong::at(&["project", "set"], text))
        }
        Some(set) => {
            let name = (!name.is_empty()).then_some(("name", &name));
            Ok(with_query(&format!("/jobs/new/{}", set.id), name))
        }
        None => Err(Wrong::at(
            &["set"],
            "That capture set is gone; choose another one.",
        )),
    })
}

/// Adds the images of a form to a set that is there.
pub(in crate::ui) async fn add(
    app: &AppState,
    set: CollectionId,
    form: &mut Multipart,
    typed: &mut Typed,
) -> Result<Result<Report, Wrong>, PageError> {
    let mut found: Option<Report> = None;
    while let Some(field) = form.next_field().await.map_err(broken)? {
        let is_typed = field.name() == Some("urls");
        let format = field.file_name().and_then(Format::of_name);
        let Some(chunks) = list(field).await? else {
            continue;
        };
        if found.is_some() {
            return Ok(Err(Wrong::at(&LISTS, ONE)));
        }
        let chunks = chunks.inspect(|chunk| {
            if let (true, Ok(chunk)) = (is_typed, chunk) {
                typed.keep(chunk);
            }
        });
        let mut chunks = chunks;
        let stored = store(app, set, &mut chunks, format).await;
        // What was typed is kept to its end, whatever becomes of it.
        if is_typed && stored.is_err() {
            while chunks.next().await.is_some_and(|chunk| chunk.is_ok()) {}
        }
        found = Some(stored?);
    }
    let found = found.map_or_else(|| Err(NONE.to_owned()), Report::or_problem);
    Ok(found.map_err(|problem| Wrong::at(&LISTS, problem)))
}

/// A draft whose lines are still to be read.
async fn begin(app: &AppState, visitor: &Visitor, typed: &Typed) -> Result<Result<Draft, Wrong>, PageError> {
    let mut fields = Fields::of(json!({ "name": typed.name, "project": typed.project }))?;
    let name = fields.maybe_text("name", NAME_MAX).unwrap_or_default();
    let project = fields.maybe_int("project", 1).unwrap_or_default();
    let project: Result<ProjectId, ApiError> = match fields.check() {
        Ok(()) => app.known_project(&visitor.principal, project).await,
        Err(wrong) => Err(wrong),
    };
    let project = match project {
        Ok(project) => project,
        Err(error) => return Wrong::of(error, &[("project_id", "project")]).map(Err),
    };
    let set = app.catalog.create_collection(project, "").await?.id;
    let draft = Draft {
        set,
        name,
        report: String::new(),
        created_at: app.engine.now(),
    };
    app.catalog.save_draft(&draft).await?;
    Ok(Ok(draft))
}

/// Stores a list as a draft. What was typed is kept to its end, whatever becomes of it.
async fn draft(
    app: &AppState,
    visitor: &Visitor,
    typed: &mut Typed,
    chunks: impl Stream<Item = Result<Bytes, MultipartError>> + Unpin,
    (is_typed, format): (bool, Option<Format>),
) -> Result<Result<(Draft, Report), Wrong>, PageError> {
    let begun = begin(app, visitor, typed).await;
    let mut chunks = chunks.inspect(|chunk| {
        if let (true, Ok(chunk)) = (is_typed, chunk) {
            typed.keep(chunk);
        }
    });
    let stored = match begun {
        Ok(Ok(draft)) => {
            let report = store(app, draft.set, &mut chunks, format).await;
            report.map(|report| Ok((draft, report))).map_err(PageError::from)
        }
        Ok(Err(wrong)) => Ok(Err(wrong)),
        Err(error) => Err(error),
    };
    if is_typed && !matches!(stored, Ok(Ok(_))) {
        while chunks.next().await.is_some_and(|chunk| chunk.is_ok()) {}
    }
    stored
}

async fn store(
    app: &AppState,
    set: CollectionId,
    chunks: impl Stream<Item = Result<Bytes, MultipartError>> + Unpin,
    format: Option<Format>,
) -> Result<Report, ApiError> {
    let home = app.catalog.collection_up_to(set, 0).await?;
    let home = home.ok_or_else(ApiError::not_found)?.project;
    let reading = app.reading(home).await?;
    let mut upload = Upload::new(REJECTED_MAX).with_times(&reading);
    let reader = Reader::new(format, reading);
    let broken = upload::read(app, set, chunks, reader, &mut upload).await?;
    Ok(Report {
        times: upload.times.take().unwrap_or_default(),
        told: upload.told(broken.map(|(_, why)| why)),
    })
}

impl Typed {
    fn keep(&mut self, chunk: &Bytes) {
        let rest = SHOWN_MAX.saturating_sub(self.urls.len());
        self.is_cut |= chunk.len() > rest;
        self.urls
            .push_str(&String::from_utf8_lossy(&chunk[..rest.min(chunk.len())]));
    }
}
