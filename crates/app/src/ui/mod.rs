//! The web interface: pages for people, beside the API for programs.
//!
//! A page is a struct, a template and a handler, which parses, reads and renders. Pages call the engine and the store, never the
//! API. Whatever can be done can be done without JavaScript: a filter is a link or a GET form, an action a form on a page of
//! its own. A session opens pages only; the API takes tokens only, so that no page of another site can drive it.

mod actions;
mod assets;
mod bar;
mod chart;
mod chip;
mod confirm;
mod deletion;
mod downloads;
mod etag;
mod headers;
mod health;
mod images;
mod job;
mod jobs;
mod kinds;
pub(crate) mod link;
mod live;
mod log;
mod login;
mod look;
mod narrowed;
mod new_job;
mod node;
mod numbers;
mod origin;
mod page;
mod picker;
mod pipelines;
mod resend;
mod results;
mod session;
mod sessions;
mod sets;
mod settings;
mod shown;
mod sorting;
mod summary;
mod tabs;
mod ticks;
mod topics;
mod when;
mod why;
mod words;
mod worker;
mod workers;
mod wrong;

use axum::{
    Router, middleware,
    response::{IntoResponse as _, Response},
};
use tower_http::compression::CompressionLayer;

pub(crate) use self::live::for_program as events;
pub use self::{live::LiveBoard, sessions::Sessions};

use crate::http::{ApiError, AppState, bodies, wrong_method};

/// The pages and what they are made of, at the root.
pub(crate) fn routes(state: &AppState) -> Router<AppState> {
    let pages = Router::new()
        .merge(login::routes())
        .merge(link::routes())
        .merge(jobs::routes())
        .merge(job::routes())
        .merge(images::routes())
        .merge(downloads::routes())
        .merge(log::routes())
        .merge(actions::routes())
        .merge(deletion::routes())
        .merge(live::routes())
        .merge(results::routes())
        .merge(summary::routes())
        .merge(look::routes())
        .merge(new_job::routes())
        .merge(sets::routes())
        .merge(workers::routes())
        .merge(worker::routes())
        .merge(health::routes())
        .merge(pipelines::routes())
        .merge(settings::routes())
        .route_layer(middleware::from_fn(resend::keep))
        .route_layer(middleware::from_fn_with_state(state.clone(), bodies::receive))
        .route_layer(middleware::from_fn(origin::check))
        .route_layer(middleware::from_fn_with_state(state.clone(), origin::by_name));
    Router::new()
        .merge(pages)
        .merge(assets::routes())
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn(headers::add))
        .layer(middleware::from_fn(etag::add))
        .layer(middleware::from_fn_with_state(state.clone(), look::know))
        .layer(CompressionLayer::new())
}

/// The page of a path that leads nowhere.
pub(crate) fn no_page() -> Response {
    headers::added(ApiError::not_found().into_response(), page::Asked::default())
}
