//! `/jobs/{id}/summary`: what the results of a job add up to, by class, score, number and time.

mod activity;
mod classes;
mod spread;

use askama::Template;
use axum::{Router, extract::State, http::StatusCode, routing::get};
use trapline_core::{
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

    /// This page with the charts of a class.
    fn of(&self, label: &str) -> String {
        with_query(&format!("/jobs/{}/summary", self.job), [("label", label)])
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
    /// How much of the results is counted.
    state: String,
    /// Whether they are of an earlier run.
    older: Option<i64>,
    is_empty: bool,
    classes: Classes,
    scores: Scores,
    sizes: Sizes,
    activity: Option<Activity>,
}

async fn show(State(app): State<AppState>, visitor: Visitor, Id(id): Id, params: Params) -> PageResult {
    let asked = Asked::read(id, &params)?;
    let job = app.visible_job(&visitor.principal, id).await?;
    let made = app.engine.summary(&job, asked.label.as_deref()).await?;
    let is_running = app.goes_on(&job);
    let mut frame = Frame::new(format!("Summary of {}", visible(&job.name)), "jobs", &visitor);
    let is_behind = made.as_ref().is_none_or(|made| !is_whole(&job, made));
    frame.refreshes = is_running || (is_behind && !app.is_kept);
    let state = state(&job, made.as_ref(), app.is_kept);
    let made = made.unwrap_or_default();
    let page = SummaryPage {
        frame,
        head: Head::new(&job, &visitor, "Summary"),
        shown: asked.label.as_deref().map(visible),
        is_running,
        processed: job.counts.processed,
        state,
        older: (made.run > 0 && made.run != job.run).then_some(made.run),
        is_empty: made.seen == 0 && made.photographs.is_empty(),
        classes: Classes::new(&asked, &made),
        scores: Scores::new(&asked, &made),
        sizes: Sizes::new(&asked, &made.images_with(&job)),
        activity: Activity::new(&asked, &made),
        asked,
    };
    Ok(render(StatusCode::OK, &page))
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
