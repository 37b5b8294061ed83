//! The way from an image to the next one that a filter takes, found when somebody goes it.

use axum::{
    extract::State,
    response::{IntoResponse as _, Redirect},
};
use trapline_core::{Result, ports::Job};

use super::{
    super::{page::PageResult, session::Visitor},
    asked::{Asked, Named},
    filter::{Found, find},
    order::Order,
};
use crate::http::{AppState, Params};

/// Why there is no image that way, which a visitor went who was led back to this one; nothing if there is one.
pub(super) async fn end(
    app: &AppState,
    job: &Job,
    asked: &Asked,
    way: Option<&str>,
) -> Result<Option<&'static str>> {
    let back = match way {
        Some("next") => false,
        Some("previous") => true,
        _ => return Ok(None),
    };
    let (found, _) = further(app, job, asked, back).await?;
    Ok(match (found.images.is_empty(), found.stopped, back) {
        (false, ..) | (true, true, false) => None,
        (true, true, true) => Some(
            "None was found among the images just before this one; narrow the filter, or go on in the grid.",
        ),
        (true, false, true) => Some("This is the first image of the filter."),
        (true, false, false) => Some("This is the last image of the filter."),
    })
}

/// Looks for the nearest image of the filter.
async fn further(app: &AppState, job: &Job, asked: &Asked, back: bool) -> Result<(Found, Order)> {
    let (store, filter) = (app.engine.store().as_ref(), &asked.place.filter);
    let order = Order::of(app, job, filter).await?;
    let from = order.place_of(store, job.id, asked.image).await?;
    let found = find(store, job.id, filter, &order, (from, back), 1).await?;
    Ok((found, order))
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
    let (found, order) = further(&app, &job, &asked, back).await?;
    let to = match (found.images.first(), found.next.filter(|_| found.stopped)) {
        (Some(image), _) => {
            let image = image.row.capture.id;
            // It may not be on the page of the grid from which the first one was opened.
            asked.place.after = match asked.place.filter.is_listed() {
                true => None,
                false => Some(order.before(app.engine.store().as_ref(), job.id, image).await?),
            };
            asked.path(image, "", &[])
        }
        (None, Some(last)) if !back => {
            asked.place.after = Some(last);
            asked.place.path()
        }
        (None, _) => {
            let way = if back { "previous" } else { "next" };
            asked.path(asked.image, "", &[("end", way.to_owned())])
        }
    };
    Ok(Redirect::to(&to).into_response())
}
