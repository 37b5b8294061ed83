//! `/health`: whether Trapline itself works. What is of the whole cluster is not for whoever is bound to a project.

use super::{
    node::Now,
    page::{Frame, PageResult, render, with_query},
    session::Visitor,
    ticks::{Tick, Ticks},
};
use crate::http::{ApiError, AppState, Params};
use askama::Template;
use axum::{Router, extract::State, http::StatusCode, routing::get};

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/health", get(show))
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
