//! The way from an image to the next one that a filter takes, found when somebody goes it.

use axum::{
    extract::State,
    response::{IntoResponse as _, Redirect},
};

use super::{
    super::{page::PageResult, session::Visitor},
    asked::{Asked, Named},
    filter::find,
    order::Order,
};
use crate::http::{AppState, Params};

/// Why there is no image further on.
pub(super) fn end(word: &str) -> Option<&'static str> {
    match word {
        "next" => Some("This is the last image of the filter."),
        "previous" => Some("This is the first image of the filter."),
        "stopped" => Some(
            "None was found among the images just before this one; narrow the filter, or go on in the grid.",
        ),
        _ => None,
    }
}

pub(super) async fn next(
    state: State<AppState>,
    visitor: Visitor,
    path: Named,
    params: Params,
) -> PageResult {
    beyond(state, visitor, path, params, false).await
}

pub(super) async fn previous(
    state: State<AppState>,
    visitor: Visitor,
    path: Named,
    params: Params,
) -> PageResult {
    beyond(state, visitor, path, params, true).await
}

/// Leads to the nearest image of the filter, as it is when somebody asks for it.
async fn beyond(
    State(app): State<AppState>,
    visitor: Visitor,
    path: Named,
    params: Params,
    back: bool,
) -> PageResult {
    let mut asked = Asked::read(path, &params)?;
    let job = app.visible_job(&visitor.principal, asked.place.job).await?;
    asked.place.filter.zone = app.engine.zone_of(&job).await?;
    let store = app.engine.store().as_ref();
    let filter = &asked.place.filter;
    let order = Order::of(&app, &job, filter).await?;
    let job = job.id;
    let from = order.place_of(store, job, asked.image).await?;
    let found = find(store, job, filter, &order, (from, back), 1).await?;
    let to = match (found.images.first(), found.next.filter(|_| found.stopped)) {
        (Some(image), _) => {
            let image = image.row.capture.id;
            // It may not be on the page of the grid from which the first one was opened.
            asked.place.after = match filter.is_listed() {
                true => None,
                false => Some(order.before(store, job, image).await?),
            };
            asked.path(image, "", &[])
        }
        (None, Some(last)) if !back => {
            asked.place.after = Some(last);
            asked.place.path()
        }
        (None, stopped) => {
            let end = match (stopped, back) {
                (Some(_), _) => "stopped",
                (None, true) => "previous",
                (None, false) => "next",
            };
            asked.path(asked.image, "", &[("end", end.to_owned())])
        }
    };
    Ok(Redirect::to(&to).into_response())
}
