//! One image: the photograph with its boxes, and the list of what was found, which is the control.

use askama::Template;
use axum::{
    extract::{Path, State, rejection::PathRejection},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Redirect, Response},
};
use trapline_core::{
    CaptureId, TaskState,
    ports::{ClassificationRow, DetectionRow, ImageQuery, Job, ResultQuery},
    words::{count, counted},
};

use super::{
    super::{
        page::{Frame, PageResult, render, with_query},
        session::Visitor,
        words::{Time, visible},
    },
    Place,
    filter::{OF_ONE_MAX, find, label_of, of_one, score_of},
    host, image_name,
    picture::{Orientation, Picture, Source, colour, letter},
    with_photographs,
};
use crate::{
    file_url,
    http::{ApiError, AppState, Params},
};

const ZOOMS: [i64; 4] = [1, 2, 4, 8];
/// Classes that are named for a detection and a classifier.
const TOP: usize = 5;

/// The job and the image that a path names.
type Named = Result<Path<(i64, i64)>, PathRejection>;

/// What the URL of an image asks for.
struct Asked {
    place: Place,
    image: CaptureId,
    turn: Option<Orientation>,
    zoom: i64,
    hides: bool,
}

impl Asked {
    fn read(path: Named, params: &Params) -> Result<Self, ApiError> {
        let Path((job, image)) = path.map_err(|_| ApiError::not_found())?;
        let turn = match params.int("turn")? {
            None => None,
            Some(n) => Some(Orientation::new(n).ok_or_else(|| ApiError::invalid("`turn` is from 1 to 8"))?),
        };
        Ok(Self {
            place: Place::read(job, params)?,
            image: CaptureId(image),
            turn,
            zoom: params
                .int("zoom")?
                .filter(|zoom| ZOOMS.contains(zoom))
                .unwrap_or(1),
            hides: params.text("hide") == Some("1"),
        })
    }

    /// The query of a page that looks the same.
    fn query(&self) -> Vec<(&'static str, String)> {
        let mut query = self.place.query();
        query.extend(self.turn.map(|turn| ("turn", turn.number().to_string())));
        query.extend((self.zoom > 1).then(|| ("zoom", self.zoom.to_string())));
        query.extend(self.hides.then(|| ("hide", "1".to_owned())));
        query
    }

    fn path(&self, image: CaptureId, end: &str, change: &[(&'static str, String)]) -> String {
        let mut query = self.query();
        query.retain(|(name, _)| change.iter().all(|(changed, _)| changed != name));
        query.extend(change.iter().filter(|(_, value)| !value.is_empty()).cloned());
        with_query(&format!("/jobs/{}/results/{image}{end}", self.place.job), query)
    }
}

struct Class {
    algorithm: String,
    label: String,
    score: String,
    /// The labels with the highest scores, if they were asked for.
    top: Vec<(String, String)>,
}

struct Entry {
    n: i64,
    letter: String,
    colour: u32,
    label: String,
    detector: String,
    /// For the slider; empty if it has none.
    exact: String,
    score: String,
    size: String,
    is_below: bool,
    /// Whether it has the label that is asked for, whatever its score.
    is_labelled: bool,
    /// The part of the photograph, as `x y width height`.
    crop: Option<String>,
    classes: Vec<Class>,
    /// The page that names more classes.
    more: Option<String>,
}

#[derive(Template)]
#[template(path = "result.html")]
struct ResultPage {
    frame: Frame,
    job_name: String,
    name: String,
    whole: String,
    link: Option<String>,
    /// Why there is no photograph.
    nowhere: Option<String>,
    state: &'static str,
    facts: Vec<(&'static str, String)>,
    picture: Picture,
    entries: Vec<Entry>,
    cut: Option<String>,
    min: String,
    counted: String,
    hides: bool,
    hidden: Vec<(&'static str, String)>,
    grid: String,
    previous: String,
    next: String,
    filter: String,
    end: Option<&'static str>,
    zoom: i64,
    zooms: Vec<(i64, String)>,
    turns: Vec<(u8, String)>,
    boxes_only: Option<String>,
    action: String,
    settled: Option<Time>,
}

pub(super) async fn show(
    State(app): State<AppState>,
    visitor: Visitor,
    path: Named,
    params: Params,
    headers: HeaderMap,
) -> PageResult {
    let asked = Asked::read(path, &params)?;
    let job = app.visible_job(&visitor.principal, asked.place.job).await?;
    let store = app.engine.store();
    let before = CaptureId(asked.image.0.saturating_sub(1));
    let query = ResultQuery {
        job: job.id,
        from: before,
        back: false,
        limit: 1,
    };
    let row = store.results(&query).await?.pop();
    let row = row
        .filter(|row| row.capture.id == asked.image)
        .ok_or_else(ApiError::not_found)?;
    let mut detections = match row.detections {
        0 => Vec::new(),
        _ => of_one(store.as_ref(), job.id, asked.image, 0, OF_ONE_MAX, false).await?,
    };
    let top = params.int("top")?;
    if let Some(wanted) = top.and_then(|n| detections.iter_mut().find(|d| d.id.n == n)) {
        let scored = of_one(store.as_ref(), job.id, asked.image, wanted.id.n - 1, 1, true).await?;
        scored.into_iter().for_each(|scored| *wanted = scored);
    }
    let capture = &row.capture;
    let source = Source::of(&app.local_files, capture, host(&headers));
    let shows = asked.place.photos != Some(false);
    let src = source.url().filter(|_| shows).map(str::to_owned);
    let loads_others = src.as_ref().is_some_and(|src| src.contains("://"));
    let picture = Picture::new(capture, &detections, &asked.place.filter, asked.turn, src);
    let taken = detections.iter().filter(|d| asked.place.filter.takes(d)).count();
    let mut entries = Vec::with_capacity(detections.len());
    for (at, detection) in detections.iter().enumerate() {
        entries.push(entry(&app, &asked, &picture, at, detection).await?);
    }
    let all = u64::try_from(row.detections).unwrap_or(0);
    let (mut facts, state) = (facts(&app, &job, &asked, before).await?, row.state);
    if let Some((w, h)) = capture.facts.width.zip(capture.facts.height) {
        facts.push(("Size", format!("{w} × {h}")));
    }
    if let Some(at) = &capture.facts.taken_at {
        facts.insert(0, ("Taken", at.to_string()));
    }
    if let Some(camera) = &capture.facts.camera {
        facts.push(("Camera", visible(camera)));
    }
    let page = ResultPage {
        frame: Frame::new(image_name(&capture.url), "jobs", &visitor),
        job_name: visible(&job.name),
        name: image_name(&capture.url),
        whole: visible(&file_url::shown(&capture.url)),
        link: source.url().map(str::to_owned),
        nowhere: match &source {
            Source::Nowhere(why) => Some(why.clone()),
            _ => None,
        },
        state: match (state, all) {
            (TaskState::Processed, 0) => "Nothing was found in this image.",
            (TaskState::Processed, _) => "",
            (TaskState::Failed, _) => "This image failed; it has no results.",
            (TaskState::Pending, _) => "This image is not processed yet.",
        },
        facts,
        cut: (all > entries.len() as u64).then(|| {
            format!(
                "The first {} of {} are shown.",
                entries.len(),
                counted(all, "detection")
            )
        }),
        min: asked.place.filter.min.to_string(),
        counted: match (counted(entries.len() as u64, "detection"), asked.place.filter.min) {
            (all, min) if min > 0.0 => format!("{taken} of {all} at {min:.2} or above"),
            (all, _) => all,
        },
        entries,
        hides: asked.hides,
        hidden: asked
            .query()
            .into_iter()
            .filter(|(name, _)| !matches!(*name, "min" | "hide"))
            .collect(),
        grid: grid_of(&asked),
        previous: asked.path(asked.image, "/previous", &[]),
        next: asked.path(asked.image, "/next", &[]),
        filter: filter_words(&asked),
        end: params.text("end").and_then(end),
        zoom: asked.zoom,
        zooms: ZOOMS
            .map(|zoom| (zoom, asked.path(asked.image, "", &[("zoom", zoom.to_string())])))
            .into(),
        turns: Orientation::ALL
            .map(|n| (n, asked.path(asked.image, "", &[("turn", n.to_string())])))
            .into(),
        boxes_only: (picture.src.is_some() && !picture.is_sized)
            .then(|| asked.path(asked.image, "", &[("photos", "0".to_owned())])),
        action: format!("/jobs/{}/results/{}", asked.place.job, asked.image),
        settled: row
            .settled_at
            .map(|at| Time::new(app.engine.shown(at), app.engine.wall_now())),
        picture,
    };
    let response = render(StatusCode::OK, &page);
    Ok(if loads_others {
        with_photographs(response)
    } else {
        response
    })
}

/// Why there is no image further on.
fn end(word: &str) -> Option<&'static str> {
    match word {
        "next" => Some("This is the last image of the filter."),
        "previous" => Some("This is the first image of the filter."),
        "stopped" => Some(
            "None was found among the images just before this one; narrow the filter, or go on in the grid.",
        ),
        _ => None,
    }
}

/// The page of the grid from which the image was opened, or one that begins with it.
fn grid_of(asked: &Asked) -> String {
    let place = Place {
        after: asked.place.after.or(Some(asked.image.0 - 1)),
        ..asked.place.clone()
    };
    format!("{}#i{}", place.path(), asked.image)
}

fn filter_words(asked: &Asked) -> String {
    let filter = &asked.place.filter;
    let mut words = Vec::new();
    words.extend(
        filter
            .label
            .as_ref()
            .map(|label| format!("label: {}", visible(label))),
    );
    words.extend((filter.min > 0.0).then(|| format!("score ≥ {:.2}", filter.min)));
    words.extend(filter.found.map(|found| {
        if found {
            "with detections"
        } else {
            "without detections"
        }
        .to_owned()
    }));
    words.join(", ")
}

async fn facts(
    app: &AppState,
    job: &Job,
    asked: &Asked,
    before: CaptureId,
) -> PageResult<Vec<(&'static str, String)>> {
    let query = ImageQuery {
        job: job.id,
        state: None,
        reason: None,
        after: before,
        limit: 1,
    };
    let rows = app.engine.store().images(&query).await?;
    let mut facts = Vec::new();
    for row in rows.into_iter().filter(|row| row.capture == asked.image) {
        facts.extend(row.worker.map(|worker| ("Worker", visible(&worker))));
        if row.attempts > 1 {
            facts.push((
                "Handed out",
                format!("{} times", count(row.attempts.unsigned_abs())),
            ));
        }
        if let Some(detail) = row.detail {
            let detail: String = detail.chars().take(300).collect();
            facts.push(("Failed", visible(&detail)));
        }
    }
    Ok(facts)
}

fn score_text(score: Option<f32>) -> String {
    score.map_or_else(|| "–".to_owned(), |score| format!("{score:.2}"))
}

async fn entry(
    app: &AppState,
    asked: &Asked,
    picture: &Picture,
    at: usize,
    d: &DetectionRow,
) -> PageResult<Entry> {
    let (label, score) = (label_of(d).unwrap_or_default(), score_of(d));
    let mut classes = Vec::new();
    let mut is_scored = false;
    for class in &d.classifications {
        is_scored |= !class.scores.is_empty();
        classes.push(Class {
            algorithm: visible(&class.algorithm),
            label: visible(&class.label),
            score: score_text(class.score),
            top: top(app, class).await?,
        });
    }
    let shape = picture.shapes.iter().find(|shape| shape.n == d.id.n);
    let is_upright = picture.is_sized && picture.orientation == Orientation::UPRIGHT && picture.src.is_some();
    Ok(Entry {
        n: d.id.n,
        letter: letter(at),
        colour: colour(label),
        label: match label {
            "" => "no label".to_owned(),
            label => visible(label),
        },
        detector: visible(&d.detector),
        exact: score.map_or_else(String::new, |score| score.to_string()),
        score: score_text(score),
        size: match (shape, d.bbox) {
            (Some(shape), Some(_)) => shape.pixels(),
            _ => "whole image".to_owned(),
        },
        is_below: !asked.place.filter.takes(d),
        is_labelled: asked.place.filter.label.as_deref() == Some(label),
        crop: shape
            .filter(|_| is_upright)
            .map(|shape| [shape.x(), shape.y(), shape.w(), shape.h()].join(" ")),
        more: (!classes.is_empty() && !is_scored).then(|| {
            format!(
                "{}#d{}",
                asked.path(asked.image, "", &[("top", d.id.n.to_string())]),
                d.id.n
            )
        }),
        classes,
    })
}

/// The labels of a classification with the highest scores.
async fn top(app: &AppState, class: &ClassificationRow) -> PageResult<Vec<(String, String)>> {
    if class.scores.is_empty() {
        return Ok(Vec::new());
    }
    let labels = match &class.labels {
        Some(labels) => labels.clone(),
        None => {
            let found = app.catalog.algorithms(None, &[class.algorithm_id]).await?;
            let map = found
                .into_iter()
                .find_map(|algorithm| algorithm.spec.category_map);
            map.map(|map| map.labels).unwrap_or_default()
        }
    };
    let mut scored: Vec<_> = labels.into_iter().zip(class.scores.iter().copied()).collect();
    scored.sort_by(|a, b| b.1.total_cmp(&a.1));
    scored.truncate(TOP);
    Ok(scored
        .into_iter()
        .map(|(label, score)| (visible(&label), score_text(Some(score))))
        .collect())
}

pub(super) async fn next(
    state: State<AppState>,
    visitor: Visitor,
    path: Named,
    params: Params,
) -> PageResult {
    beyond(state, visitor, path, params, false).await
}

pub(super) async fn previous(
    state: State<AppState>,
    visitor: Visitor,
    path: Named,
    params: Params,
) -> PageResult {
    beyond(state, visitor, path, params, true).await
}

/// Leads to the nearest image of the filter, as it is when somebody asks for it.
async fn beyond(
    State(app): State<AppState>,
    visitor: Visitor,
    path: Named,
    params: Params,
    back: bool,
) -> PageResult {
    let mut asked = Asked::read(path, &params)?;
    let job = app.visible_job(&visitor.principal, asked.place.job).await?.id;
    let store = app.engine.store().as_ref();
    let found = find(store, job, &asked.place.filter, (asked.image, back), 1).await?;
    let to = match (found.images.first(), found.next.filter(|_| found.stopped)) {
        (Some(image), _) => {
            // It may not be on the page of the grid from which the first one was opened.
            asked.place.after = None;
            asked.path(image.row.capture.id, "", &[])
        }
        (None, Some(last)) if !back => {
            asked.place.after = Some(last.0);
            asked.place.path()
        }
        (None, stopped) => {
            let end = match (stopped, back) {
                (Some(_), _) => "stopped",
                (None, true) => "previous",
                (None, false) => "next",
            };
            asked.path(asked.image, "", &[("end", end.to_owned())])
        }
    };
    Ok(redirect(&to))
}

fn redirect(to: &str) -> Response {
    Redirect::to(to).into_response()
}
