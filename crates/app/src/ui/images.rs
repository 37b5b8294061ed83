//! `/jobs/{id}/images`: which images of a job failed, and why; and those that are processed, in flight or waiting.
//!
//! A page reads a bounded number of rows, by key, and says where it stopped.

mod top;

use askama::Template;
use axum::{Router, extract::State, http::StatusCode, routing::get};
use trapline_core::{
    CaptureId, FailReason, JobId, Timestamp,
    ports::{ImageRow, ImageState, Job},
    time::head,
    words::count,
};

use self::top::Top;
use super::{
    chip::Chip,
    kinds::reason_word,
    page::{Frame, PageResult, render, with_query},
    session::Visitor,
    tabs::Head,
    words::{Time, visible, visible_lines},
};
use crate::{
    http::{ApiError, AppState, Id, Params},
    image_search::{Wanted, find},
};

/// Rows of a page.
const PAGE: usize = 50;
/// The longer side of a thumbnail in a row.
const SMALL: i64 = 72;
/// How much of a detail is shown in its row, in characters.
const DETAIL_MAX: usize = 300;

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/jobs/{id}/images", get(list))
}

/// The states in URLs and on chips.
const STATES: [(&str, &str, ImageState); 4] = [
    ("failed", "Failed", ImageState::Failed),
    ("waiting", "Waiting", ImageState::Pending),
    ("in_flight", "In flight", ImageState::InFlight),
    ("processed", "Processed", ImageState::Processed),
];

/// Which images are asked for.
#[derive(Clone)]
pub(super) struct Filter {
    pub(super) job: JobId,
    pub(super) state: ImageState,
    pub(super) reason: Option<FailReason>,
    pub(super) group: Option<String>,
}

impl Filter {
    pub(super) fn read(job: JobId, params: &Params) -> Result<Self, ApiError> {
        let given = |name| params.text(name).filter(|text| !text.is_empty());
        let state = given("state").unwrap_or("failed");
        let known = STATES.iter().find(|(word, ..)| *word == state);
        let (.., state) = *known.ok_or_else(|| invalid(state, "a state of images"))?;
        let reason = match given("reason") {
            None => None,
            Some(text) => Some(FailReason::parse(text).ok_or_else(|| invalid(text, "a reason of failures"))?),
        };
        Ok(Self {
            job,
            state,
            reason,
            group: given("group").map(str::to_owned),
        })
    }

    /// Without what narrows it.
    pub(super) fn whole(&self) -> Self {
        Self {
            reason: None,
            group: None,
            ..self.clone()
        }
    }

    /// The failed images of a job.
    pub(super) fn failed(job: JobId) -> Self {
        Self {
            job,
            state: ImageState::Failed,
            reason: None,
            group: None,
        }
    }

    pub(super) fn word(&self) -> &'static str {
        STATES[self.place()].0
    }

    fn place(&self) -> usize {
        STATES.iter().position(|s| s.2 == self.state).unwrap_or(0)
    }

    /// The path of a page with this filter.
    pub(super) fn path(&self, end: &str, after: Option<CaptureId>) -> String {
        let mut query = vec![("state", self.word().to_owned())];
        query.extend(self.reason.map(|r| ("reason", r.to_string())));
        query.extend(self.group.clone().map(|g| ("group", g)));
        query.extend(after.map(|a| ("after", a.to_string())));
        with_query(&format!("/jobs/{}/images{end}", self.job), query)
    }

    fn path_of_groups(&self) -> String {
        format!("{}&part=groups", self.path("", None))
    }

    /// What is looked for.
    pub(super) fn wanted(&self) -> Wanted {
        Wanted {
            job: self.job,
            state: Some(self.state),
            reason: self.reason,
            group: self.group.clone(),
            rest: None,
        }
    }
}

fn invalid(text: &str, what: &str) -> ApiError {
    ApiError::invalid(format!("`{text}` is not {what}"))
}

/// An image of the list.
struct Row {
    id: CaptureId,
    /// What is shown of its address.
    url: String,
    /// Its page.
    page: String,
    /// How large its thumbnail is shown, if there is one.
    small: Option<(i64, i64)>,
    /// Where it leads; empty if it is not for browsers.
    href: String,
    reason: &'static str,
    detail: String,
    /// The whole of a long detail, and how long it is.
    whole: Option<(String, String)>,
    attempts: i64,
    worker: String,
    detections: String,
    at: Option<Time>,
}

impl Row {
    fn new(app: &AppState, job: JobId, row: ImageRow, size: Option<(i64, i64)>, now: Timestamp) -> Self {
        let detail = row.detail.unwrap_or_default();
        let characters = detail.chars().count() as u64;
        let is_link = ["http://", "https://"]
            .iter()
            .any(|scheme| row.url.starts_with(scheme));
        Self {
            id: row.capture,
            page: format!("/jobs/{job}/results/{}", row.capture),
            small: size.filter(|(w, h)| *w > 0 && *h > 0).map(|(w, h)| match w > h {
                true => (SMALL, (SMALL * h / w).max(1)),
                false => ((SMALL * w / h).max(1), SMALL),
            }),
            url: visible(&middle_cut(&row.url)),
            href: if is_link { row.url } else { String::new() },
            reason: row.reason.map_or("", reason_word),
            whole: (characters > DETAIL_MAX as u64).then(|| (visible_lines(&detail), count(characters))),
            detail: visible_lines(head(&detail, DETAIL_MAX)),
            attempts: row.attempts,
            worker: row.worker.as_deref().map(visible).unwrap_or_default(),
            detections: count(u64::try_from(row.detections).unwrap_or(0)),
            at: row.settled_at.map(|at| Time::new(app.engine.shown(at), now)),
        }
    }
}

/// An address with its host and its end.
pub(super) fn middle_cut(url: &str) -> String {
    const END: usize = 60;
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (host, path) = rest.split_once('/').unwrap_or(("", rest));
    let length = path.chars().count();
    if length <= END {
        return rest.to_owned();
    }
    let end: String = path.chars().skip(length - END).collect();
    format!("{}/…{end}", head(host, END))
}

#[derive(Template)]
#[template(path = "images.html")]
struct ImagesPage {
    frame: Frame,
    head: Head,
    word: &'static str,
    /// Each state, by the name of its number in an open page.
    states: Vec<(&'static str, Chip)>,
    /// The number of which more may come while the page is open, and what it was.
    more: Option<(&'static str, u64)>,
    /// This page as it is now.
    here: String,
    top: Top,
    /// Where what stands above is read again.
    groups: String,
    all: String,
    is_filtered: bool,
    is_failed: bool,
    is_first: bool,
    /// To the first page.
    first: Option<String>,
    rows: Vec<Row>,
    next: Option<String>,
    /// How many rows were looked at, if that is why the page ends.
    examined: Option<(u64, String)>,
    is_running: bool,
}

async fn list(State(app): State<AppState>, visitor: Visitor, Id(id): Id, params: Params) -> PageResult {
    let job = app.visible_job(&visitor.principal, id).await?;
    let filter = Filter::read(job.id, &params)?;
    let after = params.int("after")?;
    let now = app.engine.wall_now();
    let is_failed = filter.state == ImageState::Failed;
    let tab = if is_failed { "Failed" } else { "" };
    let head = Head::new(&job, &visitor, tab);
    let mut top = Top::read(&app, &head, &filter, &job).await?;
    match params.text("part") {
        None => {}
        Some("groups") => return Ok(top.part()),
        Some(other) => return Err(ApiError::invalid(format!("`{other}` is not a part of this page")).into()),
    }
    let start = CaptureId(after.unwrap_or(i64::MIN));
    let wanted = filter.wanted().told(&app.engine).await?;
    let store = app.engine.store().as_ref();
    let found = find(store, &wanted, (start, false), PAGE).await?;
    let word = STATES[filter.place()].1;
    let mut frame = Frame::new(
        format!("{word} images of {}", visible(&job.name)),
        "jobs",
        &visitor,
    );
    frame.refreshes = app.goes_on(&job);
    top.is_any |= !found.rows.is_empty();
    frame.script = if is_failed { "copy.js" } else { "" };
    let shown: Vec<CaptureId> = found.rows.iter().map(|row| row.capture).collect();
    let small = super::results::known(&app, job.project, &shown).await?;
    let page = ImagesPage {
        frame,
        head,
        word,
        states: states(&filter, &job),
        more: more(&filter, &job).filter(|_| app.goes_on(&job)),
        here: filter.path("", after.map(CaptureId)),
        top,
        groups: filter.path_of_groups(),
        all: filter.whole().path("", None),
        is_filtered: filter.reason.is_some() || filter.group.is_some(),
        is_failed,
        is_first: after.is_none(),
        first: after.map(|_| filter.path("", None)),
        examined: (found.next.is_some() && found.rows.len() < PAGE)
            .then(|| (found.examined, count(found.examined))),
        next: found.next.map(|next| filter.path("", Some(next))),
        rows: found
            .rows
            .into_iter()
            .map(|row| {
                let known = small.get(&row.capture).filter(|known| known.has_jpeg);
                let size = known.map(|known| known.size);
                Row::new(&app, job.id, row, size, now)
            })
            .collect(),
        is_running: app.goes_on(&job),
    };
    Ok(render(StatusCode::OK, &page))
}

fn states(filter: &Filter, job: &Job) -> Vec<(&'static str, Chip)> {
    let c = &job.counts;
    let numbers = [
        ("failed", c.failed),
        ("waiting", c.pending),
        ("in-flight", c.in_flight),
        ("processed", c.processed),
    ];
    let chip = |(&(_, word, state), (name, n)): (&(&str, &str, ImageState), (&'static str, u64))| {
        let of = Filter {
            state,
            ..filter.whole()
        };
        let chip = Chip {
            count: count(n),
            ..Chip::new(word, of.path("", None), state == filter.state)
        };
        (name, chip)
    };
    STATES.iter().zip(numbers).map(chip).collect()
}

/// What a list of images that stay in it gets more of, and how much of it there is. How many failed for one reason, no counter says.
fn more(filter: &Filter, job: &Job) -> Option<(&'static str, u64)> {
    if filter.reason.is_some() || filter.group.is_some() {
        return None;
    }
    match filter.state {
        ImageState::Failed => Some(("failed", job.counts.failed)),
        ImageState::Processed => Some(("processed", job.counts.processed)),
        ImageState::Pending | ImageState::InFlight => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_address_its_host_and_its_end_are_shown() {
        let long = format!("https://x.test/{}/215-snapshot.jpg", "june/".repeat(40));
        let shown = middle_cut(&long);
        assert!(
            shown.starts_with("x.test/…") && shown.ends_with("june//215-snapshot.jpg"),
            "{shown}"
        );
        assert_eq!(middle_cut("https://x.test/1.jpg"), "x.test/1.jpg");
        assert_eq!(middle_cut("Ω"), "Ω");
    }
}
