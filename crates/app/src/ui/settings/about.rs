//! `/about`: which Trapline this is, and by which settings it runs.

use askama::Template;
use axum::{Router, extract::State, http::StatusCode, routing::get};

use super::{
    super::{
        page::{Frame, PageResult, render},
        session::Visitor,
        words::visible,
    },
    Place, places,
};
use crate::{config::Told, http::AppState};

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/about", get(show))
}

#[derive(Template)]
#[template(path = "settings/about.html")]
struct AboutPage {
    frame: Frame,
    places: Vec<Place>,
    /// Of no one but an admin of every project.
    settings: Vec<Told>,
}

fn shown(told: &Told) -> Told {
    Told {
        value: visible(&told.value),
        origin: visible(&told.origin),
        ..told.clone()
    }
}

async fn show(State(app): State<AppState>, visitor: Visitor) -> PageResult {
    let is_told = visitor.principal.is_unbound_admin() && !app.is_kept;
    let page = AboutPage {
        frame: Frame::new("About", "settings", &visitor),
        places: places(&visitor, "/about"),
        settings: match is_told {
            true => app.settings.iter().map(shown).collect(),
            false => Vec::new(),
        },
    };
    Ok(render(StatusCode::OK, &page))
}
