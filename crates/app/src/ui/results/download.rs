//! What a filter of results takes, to be taken away: streamed by number, because a summary, which has other orders, may lack what is
//! not counted yet.

use std::sync::Arc;

use axum::{body::Bytes, extract::State};
use futures::{StreamExt as _, stream};
use trapline_core::Error;

use super::{
    super::{downloads::attachment, page::PageResult, session::Visitor},
    filter::{Filter, find},
    order::{Key, Order},
    place::Place,
};
use crate::{
    export::{self, Format, Table},
    http::{AppState, Id, Params},
};

/// Images that are looked for at a time.
const SLICE: usize = 200;

/// Links to what the grid has to take away, of its filter or of all.
pub(super) fn links(place: &Place) -> Vec<(&'static str, String)> {
    let (images, detections) = match place.filter.is_any() {
        true => ("all-images.csv", "detections.csv"),
        false => ("found-images.csv", "found-detections.csv"),
    };
    let path = |end: &str| place.with(|p| p.photos = None).download(end);
    vec![
        ("Images, CSV", path(images)),
        ("Detections, CSV", path(detections)),
    ]
}

pub(super) async fn images(state: State<AppState>, visitor: Visitor, id: Id, params: Params) -> PageResult {
    download(state, visitor, id, params, Table::Images).await
}

pub(super) async fn detections(
    state: State<AppState>,
    visitor: Visitor,
    id: Id,
    params: Params,
) -> PageResult {
    download(state, visitor, id, params, Table::Detections).await
}

async fn download(
    State(app): State<AppState>,
    visitor: Visitor,
    Id(id): Id,
    params: Params,
    table: Table,
) -> PageResult {
    let mut filter = Filter::read(&params)?;
    let job = app.visible_job(&visitor.principal, id).await?;
    filter.zone = app.engine.zone_of(&job).await?;
    let what = match table {
        Table::Images => "images found",
        Table::Detections => "detections found",
    };
    let header = export::header(table)?;
    let (store, of) = (Arc::clone(app.engine.store()), job.id);
    let filter = Arc::new(filter);
    let rows = stream::try_unfold(Some(Key::START), move |from| {
        let (store, filter) = (Arc::clone(&store), Arc::clone(&filter));
        async move {
            let Some(from) = from else { return Ok(None) };
            let page = find(store.as_ref(), of, &filter, &Order::Listed, (from, false), SLICE).await?;
            let captures: Vec<_> = page.images.into_iter().map(|image| image.row.capture).collect();
            let keep = |detection: &_| filter.takes(detection);
            let csv = export::rows_of(store.as_ref(), of, (table, Format::Csv), &captures, keep).await?;
            Ok::<_, Error>(Some((Bytes::from(csv), page.next)))
        }
    });
    let all = stream::iter([Ok(Bytes::from(header))]).chain(rows);
    Ok(attachment(&job, what, "csv", all))
}
