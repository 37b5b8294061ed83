//! `/jobs/new/{set}`: what became of the lines of a list, what would be done with its images, and the button that does it.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use trapline_core::{
    catalog::{Collection, Draft, Pipeline},
    ports::OffsetPage,
    words::{count, counted},
};
use trapline_engine::{Crew, LOOKED_AT_MAX};

use super::{ahead::Ahead, choice::Choice, report::Report};
use crate::{
    export,
    http::{Access, ApiError, AppState, Id, Params, collections},
    ui::{
        downloads::attached,
        jobs::per_minute,
        page::{Frame, PageError, PageResult, render},
        session::Visitor,
        words::visible,
    },
};

/// Pipelines that are offered.
const PIPELINES_MAX: u64 = 100;
/// Algorithms of a pipeline that are named.
const ALGORITHMS_MAX: usize = 5;
/// A pipeline that is offered, and who is online for it.
struct Card {
    slug: String,
    /// Slug and version, as they are shown.
    shown: String,
    name: String,
    algorithms: String,
    online: u64,
    workers: String,
    rate: String,
    is_on: bool,
}

#[derive(Template)]
#[template(path = "new_job_start.html")]
pub(super) struct StartPage {
    frame: Frame,
    set: Collection,
    set_name: String,
    project: String,
    report: Option<Report>,
    choice: Choice,
    cards: Vec<Card>,
    more_pipelines: bool,
    pub(super) ahead: Ahead,
}

/// The set, and its draft if it is one.
pub(super) async fn find(
    app: &AppState,
    visitor: &Visitor,
    id: i64,
) -> Result<(Collection, Option<Draft>), PageError> {
    let set = collections::find_up_to(app, &visitor.principal, id, LOOKED_AT_MAX + 1).await?;
    visitor.principal.require(Access::Operate)?;
    let draft = app.catalog.draft(set.id).await?;
    Ok((set, draft))
}

/// How many images a set has, if they were counted no further than one more than `counted_max`.
pub(in crate::ui) fn shown(captures: u64, counted_max: u64) -> String {
    match captures > counted_max {
        true => format!("more than {}", counted(counted_max, "image")),
        false => counted(captures, "image"),
    }
}

/// What a job is called that nobody has named.
fn usual_name(app: &AppState, set: &Collection, draft: Option<&Draft>, frame: &Frame) -> String {
    let given = draft.map_or(set.name.as_str(), |draft| draft.name.as_str());
    if !given.is_empty() {
        return given.to_owned();
    }
    let now = jiff::Timestamp::from_microsecond(app.engine.wall_now().0).unwrap_or_default();
    let day = now.to_zoned_datetime(frame.look.zone.clone());
    format!(
        "{}, {}",
        day.strftime("%-d %b %Y"),
        shown(set.captures, LOOKED_AT_MAX)
    )
}

fn card(pipeline: &Pipeline, crew: &Crew, choice: &Choice) -> Card {
    let online = crew.online(&pipeline.slug);
    let named = pipeline.algorithms.iter().take(ALGORITHMS_MAX);
    let mut algorithms: Vec<String> = named.map(|a| visible(&a.spec.name)).collect();
    if pipeline.algorithms.len() > ALGORITHMS_MAX {
        let more = pipeline.algorithms.len() - ALGORITHMS_MAX;
        algorithms.push(format!("{} more", count(more as u64)));
    }
    Card {
        slug: pipeline.slug.clone(),
        shown: format!("{} v{}", visible(&pipeline.slug), pipeline.version),
        name: visible(&pipeline.name),
        algorithms: algorithms.join(", "),
        online,
        workers: match online {
            0 => "no worker online".to_owned(),
            n => format!("{} online", counted(n, "worker")),
        },
        rate: crew.rate(&pipeline.slug).map_or_else(String::new, per_minute),
        is_on: pipeline.slug == choice.slug,
    }
}

pub(super) async fn page(
    app: &AppState,
    visitor: &Visitor,
    (set, draft): (Collection, Option<Draft>),
    choice: Option<Choice>,
    params: &Params,
) -> Result<StartPage, PageError> {
    let mut frame = Frame::new("New job", "jobs", visitor);
    frame.script = "new.js";
    let project = app.catalog.project(set.project).await?;
    let settings = project.ok_or_else(ApiError::not_found)?.settings;
    let mut choice = match choice {
        Some(choice) => choice,
        None => {
            let name = usual_name(app, &set, draft.as_ref(), &frame);
            Choice::of_address(params, name, &settings)?
        }
    };
    let offered = OffsetPage {
        limit: PIPELINES_MAX,
        offset: 0,
    };
    let known = app.catalog.pipelines(Some(set.project), offered).await?;
    let project = app.catalog.project(set.project).await?;
    let crew = app.engine.crew(set.project).await?;
    if choice.slug.is_empty()
        && let Some(first) = known
            .rows
            .iter()
            .max_by_key(|p| (crew.online(&p.slug), std::cmp::Reverse(p.id)))
    {
        choice.slug.clone_from(&first.slug);
    }
    let report = draft.as_ref().and_then(|draft| Report::of(&draft.report));
    let rejected = report.as_ref().map_or(0, |report| report.told.rejected_count);
    Ok(StartPage {
        frame,
        set_name: visible(&set.name),
        project: project.map_or_else(String::new, |project| visible(&project.name)),
        ahead: Ahead::read(app, visitor, &set, &choice, &crew, rejected).await?,
        report,
        cards: known.rows.iter().map(|p| card(p, &crew, &choice)).collect(),
        more_pipelines: known.count > PIPELINES_MAX,
        choice,
        set,
    })
}

pub(super) async fn show(
    State(app): State<AppState>,
    visitor: Visitor,
    Id(id): Id,
    params: Params,
) -> PageResult {
    let found = find(&app, &visitor, id).await?;
    let page = page(&app, &visitor, found, None, &params).await?;
    match params.text("part") {
        None => Ok(render(StatusCode::OK, &page)),
        Some("ahead") => Ok(page.ahead.part()),
        Some(other) => Err(ApiError::invalid(format!("`{other}` is not a part of this page")).into()),
    }
}

/// All lines of a list that were rejected.
pub(super) async fn rejected(
    State(app): State<AppState>,
    visitor: Visitor,
    Id(id): Id,
) -> PageResult<Response> {
    let (_, draft) = find(&app, &visitor, id).await?;
    let report = draft.and_then(|draft| Report::of(&draft.report));
    let told = report.ok_or_else(ApiError::not_found)?.told;
    let more = told.rejected_count.saturating_sub(told.rejected.len() as u64);
    let head = [("line".to_owned(), "reason".to_owned())];
    let lines = told
        .rejected
        .iter()
        .map(|note| (note.line.to_string(), note.detail.clone()));
    let rest = (more > 0).then(|| {
        (
            String::new(),
            format!("and {} that are not kept", counted(more, "line")),
        )
    });
    let csv = export::csv(head.into_iter().chain(lines).chain(rest))?;
    Ok(attached(&format!("rejected-lines-{id}.csv"), csv))
}
