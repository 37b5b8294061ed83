//! One image: the photograph with its boxes, and the list of what was found, which is the control.

use std::time::Duration;

use askama::Template;
use axum::{Extension, extract::State, http::StatusCode};
use trapline_core::{
    CaptureId, FailReason, TaskState,
    handout::known::{End, known},
    ports::{DetectionRow, HandOuts, ImageQuery, ImageRow, Job, ResultQuery, ResultRow},
    words::{self, count, counted},
};

use super::{
    super::{
        login::is_tls,
        page::{Frame, PageResult, render},
        session::Visitor,
        when,
        words::{Time, took, visible},
    },
    asked::{Asked, Named, Score, Ways},
    beyond,
    entry::{Entry, entry},
    filter::{many, of_one},
    labels::Colours,
    near::{Strip, strip},
    picture::{self, Picture, Source},
    place::image_name,
    with_photographs,
};
use crate::{
    file_url,
    http::{ApiError, AppState, Params, proxies::Client, site::Called},
};

/// Hand-outs without a result that are told.
const WITHOUT_RESULT_MAX: usize = 3;
/// Of a photograph over http on a page over https.
const INSECURE: &str = "The address of the photograph is http and this page is https, so a browser asks for it over https or not at all.";

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
    /// The thumbnail, for a photograph that does not load; empty if there is none, or no photograph.
    small: String,
    /// Why the browser may not show the photograph.
    insecure: Option<&'static str>,
    strip: Strip,
    entries: Vec<Entry>,
    cut: Option<String>,
    score: Score,
    ways: Ways,
    /// Why there is no image further on.
    end: Option<&'static str>,
    settled: Option<Time>,
}

pub(super) async fn show(
    State(app): State<AppState>,
    visitor: Visitor,
    path: Named,
    params: Params,
    Called(host): Called,
    client: Option<Extension<Client>>,
) -> PageResult {
    let mut asked = Asked::read(path, &params)?;
    let job = app.visible_job(&visitor.principal, asked.place.job).await?;
    asked.place.filter.zone = app.engine.zone_of(&job).await?;
    let mut row = row(&app, &job, &asked).await?;
    let detections = detections(&app, &job, &row, params.int("top")?).await?;
    let mut known = picture::known(&app, job.project, &[row.capture.id]).await?;
    let known = known.remove(&row.capture.id);
    if let (Some((width, height)), None) = (known.map(|known| known.size), row.capture.facts.width) {
        // What was decoded is what the boxes are in.
        (row.capture.facts.width, row.capture.facts.height) = (Some(width), Some(height));
    }
    let capture = &row.capture;
    let source = Source::of(&app.local_files, capture, host.as_deref());
    let shows = asked.place.photos != Some(false);
    let small = picture::small(capture.id, known);
    let src = source.url().map(str::to_owned).or_else(|| small.clone());
    let src = src.filter(|_| shows);
    let loads_others = src.as_ref().is_some_and(|src| src.contains("://"));
    let is_insecure = src.as_ref().is_some_and(|src| src.starts_with("http://")) && is_tls(client.as_ref());
    let colours = Colours::of(app.engine.store().as_ref(), job.id, &detections).await?;
    let found = (detections.as_slice(), &colours);
    let picture = Picture::new(capture, found, &asked.place.filter, asked.turn, src);
    let taken = detections.iter().filter(|d| asked.place.filter.takes(d)).count();
    let entries = entries(&app, &asked, &picture, found).await?;
    let all = u64::try_from(row.detections).unwrap_or(0);
    let page = ResultPage {
        frame: Frame::new(image_name(&capture.url), "jobs", &visitor),
        job_name: visible(&job.name),
        name: image_name(&capture.url),
        whole: visible(&file_url::shown(&capture.url)),
        link: source.url().map(str::to_owned),
        nowhere: match &source {
            Source::Nowhere(why) if small.is_some() => Some(format!("{why} Its thumbnail is shown.")),
            Source::Nowhere(why) => Some(why.clone()),
            _ => None,
        },
        state: state(&row),
        facts: facts(&app, &job, &row, &asked).await?,
        cut: (all > entries.len() as u64).then(|| {
            format!(
                "The first {} of {} are shown.",
                entries.len(),
                counted(all, "detection")
            )
        }),
        small: small
            .filter(|small| picture.src.as_ref() != Some(small))
            .unwrap_or_default(),
        insecure: is_insecure.then_some(INSECURE),
        strip: strip(&app, &job, &row, &asked).await?,
        score: Score::new(&asked, taken, entries.len()),
        entries,
        ways: Ways::new(&asked, &picture),
        end: beyond::end(&app, &job, &asked, params.text("end")).await?,
        settled: row
            .settled_at
            .map(|at| Time::new(app.engine.shown(at), app.engine.wall_now())),
        picture,
    };
    let response = render(StatusCode::OK, &page);
    Ok(with_photographs(response, loads_others))
}

async fn entries(
    app: &AppState,
    asked: &Asked,
    picture: &Picture,
    (detections, colours): (&[DetectionRow], &Colours),
) -> PageResult<Vec<Entry>> {
    let mut entries = Vec::with_capacity(detections.len());
    for (at, detection) in detections.iter().enumerate() {
        entries.push(entry(app, asked, (picture, colours), at, detection).await?);
    }
    Ok(entries)
}

/// The task of the image, if it is one of the job.
async fn row(app: &AppState, job: &Job, asked: &Asked) -> PageResult<ResultRow> {
    let query = ResultQuery {
        job: job.id,
        from: CaptureId(asked.image.0.saturating_sub(1)),
        back: false,
        limit: 1,
    };
    let row = app.engine.store().results(&query).await?.pop();
    Ok(row
        .filter(|row| row.capture.id == asked.image)
        .ok_or_else(ApiError::not_found)?)
}

/// Its first detections; the one of which more is asked for has all its scores.
async fn detections(
    app: &AppState,
    job: &Job,
    row: &ResultRow,
    top: Option<i64>,
) -> PageResult<Vec<DetectionRow>> {
    if row.detections == 0 {
        return Ok(Vec::new());
    }
    let (store, image) = (app.engine.store().as_ref(), row.capture.id);
    let mut detections = of_one(store, job.id, image, 0, many(row), false).await?;
    if let Some(wanted) = top.and_then(|n| detections.iter_mut().find(|d| d.id.n == n)) {
        let scored = of_one(store, job.id, image, wanted.id.n - 1, 1, true).await?;
        scored.into_iter().for_each(|scored| *wanted = scored);
    }
    Ok(detections)
}

fn state(row: &ResultRow) -> &'static str {
    match (row.state, row.detections) {
        (TaskState::Processed, 0) => "Nothing was found in this image.",
        (TaskState::Processed, _) => "",
        (TaskState::Failed, _) => "This image failed; it has no results.",
        (TaskState::Pending, _) => "This image is not processed yet.",
    }
}

/// How long it was between the last hand-out and the answer. Nobody answers for an image that is lost or has no address.
fn answered_after(row: &ImageRow) -> Option<Duration> {
    let is_answered = match row.reason {
        None => row.state == TaskState::Processed,
        Some(reason) => matches!(reason, FailReason::WorkerError | FailReason::InvalidResult),
    };
    let (from, to) = row.granted_at.zip(row.settled_at)?;
    (is_answered && to >= from).then(|| to.since(from))
}

/// The host of an address of the web.
fn host(url: &str) -> Option<String> {
    let url = reqwest::Url::parse(url).ok()?;
    matches!(url.scheme(), "http" | "https").then(|| url.host_str().map(visible))?
}

/// To whom it went without a result, the last few.
fn without_result(app: &AppState, row: &ImageRow, of: &HandOuts) -> Vec<(&'static str, String)> {
    let mut lines = known(row, of);
    lines.retain(|hand_out| hand_out.end == End::WithoutResult);
    let skipped = lines.len().saturating_sub(WITHOUT_RESULT_MAX);
    let now = app.engine.wall_now();
    let told = lines.into_iter().skip(skipped).map(|hand_out| {
        let at = words::when(app.engine.shown(hand_out.at), now);
        (
            "No result from",
            format!("{}, handed out {at}", visible(&hand_out.worker)),
        )
    });
    told.collect()
}

async fn facts(
    app: &AppState,
    job: &Job,
    row: &ResultRow,
    asked: &Asked,
) -> PageResult<Vec<(&'static str, String)>> {
    let capture = &row.capture;
    let query = ImageQuery {
        job: job.id,
        state: None,
        reason: None,
        after: CaptureId(capture.id.0.saturating_sub(1)),
        back: false,
        limit: 1,
    };
    let rows = app.engine.store().images(&query).await?;
    let mut facts = Vec::new();
    let zone = &asked.place.filter.zone;
    facts.extend(
        capture
            .facts
            .taken_at
            .map(|at| ("Taken", when::taken_words(at, zone))),
    );
    for row in rows.into_iter().filter(|row| row.capture == capture.id) {
        let answered = answered_after(&row);
        facts.extend(row.worker.as_deref().map(|worker| ("Worker", visible(worker))));
        facts.extend(answered.map(|after| ("Took", format!("{} from hand-out to answer", took(after)))));
        if row.attempts > 1 {
            let times = count(row.attempts.unsigned_abs());
            facts.push(("Handed out", format!("{times} times")));
            let of = app.engine.store().hand_outs(job.id, row.capture).await?;
            facts.extend(of.iter().flat_map(|of| without_result(app, &row, of)));
        }
        if let Some(detail) = row.detail {
            let detail: String = detail.chars().take(300).collect();
            facts.push(("Failed", visible(&detail)));
        }
    }
    facts.extend(host(&capture.url).map(|host| ("Host", host)));
    if let Some((w, h)) = capture.facts.width.zip(capture.facts.height) {
        facts.push(("Size", format!("{w} × {h}")));
    }
    if let Some(camera) = &capture.facts.camera {
        facts.push(("Camera", visible(camera)));
    }
    Ok(facts)
}
