//! `/jobs/{id}/summary`: what the results of a job add up to, by class, score, number and time.

mod activity;
mod classes;
mod spread;

use askama::Template;
use axum::{Router, extract::State, http::StatusCode, routing::get};
use trapline_core::{
    Zone,
    ports::Job,
    summary::Summary,
    words::{count, counted},
};

use self::{
    activity::Activity,
    classes::Classes,
    spread::{Scores, Sizes},
};
use super::{
    page::{Frame, PageResult, render, with_query},
    session::Visitor,
    tabs::Head,
    words::visible,
};
use crate::http::{ApiError, AppState, Id, Params};

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/jobs/{id}/summary", get(show))
}

/// What the URL asks for.
struct Asked {
    job: i64,
    label: Option<String>,
    /// A text in the names of classes.
    search: String,
    /// Whether all classes are listed.
    all: bool,
    /// How many detections were counted in what is shown, of a page that asks how far it is now.
    seen: Option<u64>,
    /// Whether all was counted in it.
    whole: Option<bool>,
    /// The [id](Zone::id) of the zone of its times.
    zone: Option<i64>,
    /// The score at which a reader looks.
    min: Option<f32>,
}

impl Asked {
    fn read(job: i64, params: &Params) -> Result<Self, ApiError> {
        let text = |name| params.text(name).filter(|text| !text.is_empty());
        let min = text("min").map(|text| {
            let min = text.parse().ok();
            min.filter(|min| (0.0..=1.0).contains(min))
                .ok_or_else(|| ApiError::invalid("`min` is a score from 0 to 1"))
        });
        Ok(Self {
            job,
            label: text("label").map(str::to_owned),
            search: text("q").unwrap_or_default().to_owned(),
            all: text("all").is_some(),
            seen: params.int("seen")?.and_then(|n| u64::try_from(n).ok()),
            whole: text("whole").map(|word| word == "1"),
            zone: params.int("zone")?,
            min: min.transpose()?,
        })
    }

    /// The grid with a filter, of the class that is shown.
    fn grid(&self, filter: &[(&'static str, String)]) -> String {
        let label = self.label.clone().map(|label| ("label", label));
        with_query(
            &format!("/jobs/{}/results", self.job),
            label.into_iter().chain(filter.iter().cloned()),
        )
    }

    /// This page as it is now.
    fn here(&self, more: impl IntoIterator<Item = (&'static str, String)>) -> String {
        let search = (!self.search.is_empty()).then(|| ("q", self.search.clone()));
        let all = self.all.then(|| ("all", "1".to_owned()));
        self.among(search.into_iter().chain(all).chain(more))
    }

    /// This page of the class that is shown, with a choice of those that are listed.
    fn among(&self, classes: impl IntoIterator<Item = (&'static str, String)>) -> String {
        let label = self.label.clone().map(|label| ("label", label));
        let query = label.into_iter().chain(self.least()).chain(classes);
        with_query(&format!("/jobs/{}/summary", self.job), query)
    }

    /// What a form of this page says besides what is typed in it.
    fn kept(&self) -> Vec<(&'static str, String)> {
        let label = self.label.clone().map(|label| ("label", label));
        label.into_iter().chain(self.least()).collect()
    }

    /// From where it is read how far the counting is, by a page that shows this.
    fn part(&self, made: &Summary) -> String {
        let whole = u8::from(made.complete).to_string();
        self.here([
            ("part", "counted".to_owned()),
            ("seen", made.seen.to_string()),
            ("whole", whole),
            ("zone", made.zone.to_string()),
        ])
    }

    /// This page with the charts of a class.
    fn of(&self, label: &str) -> String {
        let label = Some(("label", label.to_owned()));
        let query = label.into_iter().chain(self.least());
        with_query(&format!("/jobs/{}/summary", self.job), query)
    }

    /// This page with the charts of all classes.
    fn of_all(&self) -> String {
        with_query(&format!("/jobs/{}/summary", self.job), self.least())
    }

    fn least(&self) -> Option<(&'static str, String)> {
        self.min.map(|min| ("min", min.to_string()))
    }
}

/// How much of the results is counted: the part of the page that is read again while that changes.
#[derive(Template)]
#[template(path = "parts/counted.html")]
struct Counted {
    text: String,
    /// The page with what was counted since it was read; empty if that is nothing.
    newer: String,
    /// Whether it stays so.
    is_final: bool,
}

impl Counted {
    fn new(app: &AppState, asked: &Asked, job: &Job, zone: &Zone, made: Option<&Summary>) -> Self {
        let seen = made.map_or(0, |made| made.seen);
        let is_complete = made.is_some_and(|made| made.complete);
        let is_newer = asked.seen.is_some_and(|shown| shown != seen)
            || asked.whole.is_some_and(|shown| shown != is_complete)
            || asked
                .zone
                .is_some_and(|shown| made.is_some_and(|made| made.zone != shown));
        let is_behind =
            made.is_none_or(|made| !is_whole(job, made) || !made.complete || made.zone != zone.id());
        Self {
            text: state(job, made, app.is_kept),
            newer: if is_newer { asked.here([]) } else { String::new() },
            is_final: !app.goes_on(job) && (!is_behind || app.is_kept),
        }
    }
}

#[derive(Template)]
#[template(path = "summary.html")]
struct SummaryPage {
    frame: Frame,
    head: Head,
    asked: Asked,
    /// The class that is shown, as it is seen.
    shown: Option<String>,
    is_running: bool,
    processed: u64,
    counted: Counted,
    /// From where that is read again.
    part: String,
    /// Whether they are of an earlier run.
    older: Option<i64>,
    is_empty: bool,
    /// What to look at if the job ended and found nothing.
    nothing: Option<Nothing>,
    classes: Classes,
    scores: Scores,
    sizes: Sizes,
    activity: Option<Activity>,
    /// Whether the times are of a zone that the project had before.
    is_of_other_zone: bool,
}

async fn show(State(app): State<AppState>, visitor: Visitor, Id(id): Id, params: Params) -> PageResult {
    let asked = Asked::read(id, &params)?;
    let job = app.visible_job(&visitor.principal, id).await?;
    let made = app.engine.summary(&job, asked.label.as_deref()).await?;
    let zone = app.engine.zone_of(&job).await?;
    let counted = Counted::new(&app, &asked, &job, &zone, made.as_ref());
    match params.text("part") {
        None => {}
        Some("counted") => return Ok(render(StatusCode::OK, &counted)),
        Some(other) => return Err(ApiError::invalid(format!("`{other}` is not a part of this page")).into()),
    }
    let is_running = app.goes_on(&job);
    let mut frame = Frame::new(format!("Summary of {}", visible(&job.name)), "jobs", &visitor);
    frame.refreshes = !counted.is_final;
    let made = made.unwrap_or_default();
    let page = SummaryPage {
        frame,
        head: Head::new(&job, &visitor, "Summary"),
        shown: asked.label.as_deref().map(visible),
        is_running,
        processed: job.counts.processed,
        counted,
        part: asked.part(&made),
        nothing: Nothing::of(&job).filter(|_| !is_running),
        older: (made.run > 0 && made.run != job.run).then_some(made.run),
        is_empty: made.seen == 0 && made.photographs.is_empty(),
        classes: Classes::new(&asked, &made),
        scores: Scores::new(&asked, &made),
        sizes: Sizes::new(&asked, &made.images_with(&job)),
        is_of_other_zone: made.zone != zone.id(),
        activity: Activity::new(&asked, &made, &zone),
        asked,
    };
    Ok(render(StatusCode::OK, &page))
}

/// What may be wrong with a job that found nothing.
struct Nothing {
    images: String,
    pipeline: Option<String>,
    failed: Option<String>,
}

impl Nothing {
    fn of(job: &Job) -> Option<Self> {
        let c = &job.counts;
        let is_nothing = job.status.is_final() && c.processed > 0 && c.detections == 0;
        is_nothing.then(|| Self {
            images: counted(c.processed, "processed image"),
            pipeline: job.pipeline.as_ref().map(|(_, slug)| visible(slug)),
            failed: (c.failed > 0).then(|| counted(c.failed, "image")),
        })
    }
}

fn is_whole(job: &Job, made: &Summary) -> bool {
    made.run == job.run && made.seen == job.counts.detections
}

fn state(job: &Job, made: Option<&Summary>, is_kept: bool) -> String {
    let all = job.counts.detections;
    match made {
        _ if job.counts.processed == 0 => "No image is processed yet.".to_owned(),
        None if job.run > 1 => "It is added up when this run has ended.".to_owned(),
        None => "It is being added up; this takes some seconds.".to_owned(),
        Some(made) if is_whole(job, made) => {
            format!(
                "{} in {}.",
                counted(all, "detection"),
                counted(job.counts.processed, "processed image")
            )
        }
        Some(made) if made.run == job.run && is_kept => format!(
            "Of {} the first {} are counted here; `trapline results` writes all of them.",
            counted(all, "detection"),
            count(made.seen)
        ),
        Some(made) if made.run == job.run => {
            format!(
                "Counted up to now: {} of {}.",
                count(made.seen),
                counted(all, "detection")
            )
        }
        Some(made) => format!("{} are counted.", counted(made.seen, "detection")),
    }
}
