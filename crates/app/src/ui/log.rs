//! `/jobs/{id}/log`: what happened in a job, in order: the newest lines, with the oldest of them on top.

use askama::Template;
use axum::{Router, extract::State, http::StatusCode, response::Response, routing::get};
use trapline_core::{
    CaptureId, JobId, Timestamp,
    ports::{Level, LogPage, LogQuery, LogRow},
    time::head,
    words::count,
};

use super::{
    chip::Chip,
    page::{Frame, PageError, PageResult, render, with_query},
    session::Visitor,
    tabs::Head,
    words::{Time, visible, visible_lines},
};
use crate::http::{ApiError, AppState, Id, Params};

/// Lines of a page.
const PAGE: u64 = 200;
/// How much of a line is shown, in characters.
const TEXT_MAX: usize = 2_000;
/// The levels in URLs and on chips.
const LEVELS: [(&str, &str, Option<Level>); 3] = [
    ("", "All", None),
    ("warning", "Warnings and errors", Some(Level::Warning)),
    ("error", "Errors", Some(Level::Error)),
];

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/jobs/{id}/log", get(log))
}

struct Line {
    id: i64,
    at: Time,
    level: &'static str,
    /// The image that it is about.
    image: Option<CaptureId>,
    /// The class of its colour.
    tone: &'static str,
    text: String,
    /// The whole of a long one, and how long it is.
    whole: Option<(String, String)>,
}

impl Line {
    fn new(app: &AppState, row: LogRow, now: Timestamp) -> Self {
        let characters = row.message.chars().count() as u64;
        Self {
            id: row.id,
            at: Time::new(app.engine.shown(row.at), now),
            level: row.level.as_str(),
            image: row.capture,
            tone: match row.level {
                Level::Error => "fail",
                Level::Warning => "warn",
                Level::Info | Level::Debug => "",
            },
            text: visible_lines(head(&row.message, TEXT_MAX)),
            whole: (characters > TEXT_MAX as u64).then(|| (visible_lines(&row.message), count(characters))),
        }
    }
}

/// Lines that an open page adds at its end.
#[derive(Template)]
#[template(path = "parts/lines.html")]
struct LinesPart {
    job: JobId,
    lines: Vec<Line>,
}

#[derive(Template)]
#[template(path = "log.html")]
struct LogPageOf {
    frame: Frame,
    head: Head,
    job: JobId,
    chips: Vec<Chip>,
    /// The image whose lines alone are shown.
    image: Option<CaptureId>,
    lines: Vec<Line>,
    older: Option<String>,
    newest: Option<String>,
    /// From where an open page reads what comes; none if nothing does.
    more: Option<String>,
    all: String,
}

async fn log(State(app): State<AppState>, visitor: Visitor, Id(id): Id, params: Params) -> PageResult {
    let job = app.visible_job(&visitor.principal, id).await?;
    let word = params.text("level").unwrap_or_default();
    let Some((word, _, level)) = LEVELS.into_iter().find(|(known, ..)| *known == word) else {
        return Err(ApiError::invalid(format!("`{word}` is not a level of lines")).into());
    };
    let before = params.int("before")?;
    let image = params.int("image")?.map(CaptureId);
    app.tell_notes().await;
    let query = LogQuery {
        job: job.id,
        level,
        capture: image,
        page: before.map_or(LogPage::Newest, LogPage::Before),
        limit: PAGE,
    };
    let now = app.engine.wall_now();
    match params.text("part") {
        None => {}
        Some("lines") => return part(&app, query, params.int("after")?, now).await,
        Some(other) => return Err(ApiError::invalid(format!("`{other}` is not a part of this page")).into()),
    }
    let rows = app.engine.store().logs(&query).await?;
    let path = |level: &'static str, before: Option<i64>| {
        let mut query = Vec::new();
        query.extend((!level.is_empty()).then(|| ("level", level.to_owned())));
        query.extend(image.map(|id| ("image", id.to_string())));
        query.extend(before.map(|id| ("before", id.to_string())));
        with_query(&format!("/jobs/{id}/log"), query)
    };
    let oldest = rows
        .last()
        .filter(|_| rows.len() as u64 == PAGE)
        .map(|row| row.id);
    let mut frame = Frame::new(format!("Log of {}", visible(&job.name)), "jobs", &visitor);
    let follows = app.goes_on(&job) && before.is_none();
    frame.refreshes = follows;
    let page = LogPageOf {
        frame,
        head: Head::new(&job, &visitor, "Log"),
        job: job.id,
        image,
        chips: LEVELS
            .into_iter()
            .map(|(known, text, _)| Chip::new(text, path(known, None), known == word))
            .collect(),
        older: oldest.map(|id| path(word, Some(id))),
        newest: before.map(|_| path(word, None)),
        more: follows.then(|| {
            let query = [("part", "lines".to_owned()), ("level", word.to_owned())];
            let image = image.map(|id| ("image", id.to_string()));
            with_query(&format!("/jobs/{id}/log"), query.into_iter().chain(image))
        }),
        lines: rows
            .into_iter()
            .rev()
            .map(|row| Line::new(&app, row, now))
            .collect(),
        all: format!("/jobs/{id}/log.txt"),
    };
    Ok(render(StatusCode::OK, &page))
}

/// The lines after one, the oldest first.
async fn part(
    app: &AppState,
    query: LogQuery,
    after: Option<i64>,
    now: Timestamp,
) -> Result<Response, PageError> {
    let query = LogQuery {
        page: LogPage::After(after.unwrap_or(0)),
        ..query
    };
    let rows = app.engine.store().logs(&query).await?;
    let part = LinesPart {
        job: query.job,
        lines: rows.into_iter().map(|row| Line::new(app, row, now)).collect(),
    };
    Ok(render(StatusCode::OK, &part))
}
