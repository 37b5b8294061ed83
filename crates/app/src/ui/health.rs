//! `/health`: whether Trapline itself works. What is of the whole cluster is not for whoever is bound to a project.

use super::{
    confirm::Confirm,
    node::Now,
    page::{Frame, PageResult, render, with_query},
    session::Visitor,
    ticks::{Tick, Ticks},
};
use crate::http::{ApiError, AppState, Params};
use askama::Template;
use axum::{
    Router,
    extract::State,
    http::StatusCode,
    routing::{get, post},
};

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/health", get(show))
        .route("/health/check", get(ask).post(check))
        .route("/health/dry-run", post(dry_run))
}

#[derive(Template)]
#[template(path = "health.html")]
struct HealthPage {
    frame: Frame,
    now: Now,
    /// `None` for whoever is bound to a project.
    ticks: Option<Ticks>,
    /// From where they are read again; empty on a later page.
    part: String,
    checks: bool,
    /// What was found just now, and whether nothing was changed.
    report: Option<(Tick, bool)>,
}

#[derive(Template)]
#[template(path = "parts/health_now.html")]
struct NowPart {
    now: Now,
}

#[derive(Template)]
#[template(path = "parts/ticks.html")]
struct TicksPart {
    ticks: Ticks,
}

async fn page(
    app: &AppState,
    visitor: &Visitor,
    params: &Params,
    report: Option<(Tick, bool)>,
) -> PageResult {
    let is_unbound = visitor.principal.project.is_none();
    let ticks = match is_unbound {
        true => Some(Ticks::read(app, params).await?),
        false => None,
    };
    let mut frame = Frame::new("Health", "health", visitor);
    frame.refreshes = !app.is_kept && report.is_none();
    frame.look.here = "/health".to_owned();
    let all = params.has("all").then_some(("all", "1"));
    let page = HealthPage {
        frame,
        now: Now::read(app, visitor).await,
        ticks,
        part: match params.has("before") {
            true => String::new(),
            false => with_query("/health", all.into_iter().chain([("part", "ticks")])),
        },
        checks: visitor.principal.is_unbound_admin() && !app.is_kept,
        report,
    };
    Ok(render(StatusCode::OK, &page))
}

async fn show(State(app): State<AppState>, visitor: Visitor, params: Params) -> PageResult {
    match params.text("part") {
        None => page(&app, &visitor, &params, None).await,
        Some("now") => Ok(render(
            StatusCode::OK,
            &NowPart {
                now: Now::read(&app, &visitor).await,
            },
        )),
        Some("ticks") => {
            visitor.principal.require_unbound()?;
            let ticks = Ticks::read(&app, &params).await?;
            Ok(render(StatusCode::OK, &TicksPart { ticks }))
        }
        Some(other) => Err(ApiError::invalid(format!("`{other}` is not a part of this page")).into()),
    }
}

async fn ask(visitor: Visitor) -> PageResult {
    visitor.principal.require_unbound_admin()?;
    let page = Confirm {
        frame: Frame::new("Check now", "health", &visitor),
        of: None,
        question: "Check all jobs now?",
        what: "It does what it does by itself from time to time: it gives up images that are lost, makes queues anew, and stops \
               jobs that nothing can land. A dry run says before what it would do."
            .to_owned(),
        path: "/health/check".to_owned(),
        button: "Check now",
        back: "/health".to_owned(),
    };
    Ok(render(StatusCode::OK, &page))
}

async fn check(State(app): State<AppState>, visitor: Visitor, params: Params) -> PageResult {
    run(&app, &visitor, &params, false).await
}

async fn dry_run(State(app): State<AppState>, visitor: Visitor, params: Params) -> PageResult {
    run(&app, &visitor, &params, true).await
}

async fn run(app: &AppState, visitor: &Visitor, params: &Params, dry_run: bool) -> PageResult {
    visitor.principal.require_unbound_admin()?;
    let Some(report) = app.engine.tick_once(dry_run).await? else {
        let text = "Another node runs a check just now. Try again in some seconds.";
        return Err(ApiError::detail(StatusCode::CONFLICT, text).into());
    };
    page(app, visitor, params, Some((Tick::new(app, &report), dry_run))).await
}
