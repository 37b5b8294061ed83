//! `/settings`: tokens and projects for whoever runs the server, and how pages look for everybody; `/about`.

mod about;
mod projects;
mod sample;
mod tokens;

use askama::Template;
use axum::{Router, http::StatusCode, response::Redirect, routing::get};

use super::{
    page::{Frame, PageResult, render},
    session::Visitor,
};
use crate::http::{ApiError, AppState, Params};

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/settings", get(async || Redirect::to("/settings/me")))
        .route("/settings/me", get(me))
        .merge(tokens::routes())
        .merge(projects::routes())
        .merge(about::routes())
}

/// A link from one of these pages to the others: its path, its words, and whether it is shown.
type Place = (&'static str, &'static str, bool);

/// The pages that this visitor may see; `at` is the path of the one that is shown.
fn places(visitor: &Visitor, at: &str) -> Vec<Place> {
    let all = [
        ("/settings/me", "Me"),
        ("/settings/tokens", "Tokens"),
        ("/settings/projects", "Projects"),
        ("/about", "About"),
    ];
    let is_open = |path: &str| path != "/settings/tokens" || visitor.principal.is_unbound_admin();
    let seen = all.into_iter().filter(|(path, _)| is_open(path));
    seen.map(|(path, word)| (path, word, path == at)).collect()
}

#[derive(Template)]
#[template(path = "settings/me.html")]
struct MePage {
    frame: Frame,
    places: Vec<Place>,
}

/// The keys, for the dialog that shows them on any page.
#[derive(Template)]
#[template(path = "parts/help.html")]
struct Help;

async fn me(visitor: Visitor, params: Params) -> PageResult {
    match params.text("part") {
        None => {}
        Some("keys") => return Ok(render(StatusCode::OK, &Help)),
        Some(other) => return Err(ApiError::invalid(format!("`{other}` is not a part of this page")).into()),
    }
    let page = MePage {
        frame: Frame::new("Me", "settings", &visitor),
        places: places(&visitor, "/settings/me"),
    };
    Ok(render(StatusCode::OK, &page))
}
