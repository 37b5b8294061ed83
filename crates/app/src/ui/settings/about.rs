//! `/about`: which Trapline this is, and by which settings it runs.

use askama::Template;
use axum::{Router, extract::State, http::StatusCode, routing::get};
use trapline_core::words::{count, span};

use super::{
    super::{
        page::{Frame, PageResult, render},
        session::Visitor,
    },
    Place, places,
};
use crate::http::AppState;

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/about", get(show))
}

#[derive(Template)]
#[template(path = "settings/about.html")]
struct AboutPage {
    frame: Frame,
    places: Vec<Place>,
    /// Names as in the settings, and values; of no one but an admin of every project.
    settings: Vec<(&'static str, String)>,
}

/// By which settings this node runs, as far as they decide what becomes of a job.
fn settings(app: &AppState) -> Vec<(&'static str, String)> {
    let policy = app.engine.policy();
    let health = &policy.health;
    vec![
        (
            "public_url",
            app.site
                .public
                .as_ref()
                .map_or_else(|| "any".to_owned(), ToString::to_string),
        ),
        ("task_ttr", span(policy.task_ttr)),
        ("max_deliver", policy.max_deliver.to_string()),
        ("settle_wait", span(policy.settle_wait)),
        ("health_interval", span(health.health_interval)),
        ("stalled_after", span(health.stalled_after)),
        ("zombie_after", span(health.zombie_after)),
        ("tick_retention", span(health.tick_retention)),
        ("idle_policy", format!("{:?}", health.idle_policy).to_lowercase()),
        ("login_per_minute", count(app.limits.login_per_minute.into())),
    ]
}

async fn show(State(app): State<AppState>, visitor: Visitor) -> PageResult {
    let is_told = visitor.principal.is_unbound_admin() && !app.is_kept;
    let page = AboutPage {
        frame: Frame::new("About", "settings", &visitor),
        places: places(&visitor, "/about"),
        settings: if is_told { settings(&app) } else { Vec::new() },
    };
    Ok(render(StatusCode::OK, &page))
}
