//! What a filter of results takes, to be taken away: streamed by number, because a summary, which has other orders, may lack what is
//! not counted yet.

use std::sync::Arc;

use axum::{Router, body::Bytes, extract::State, routing::get};
use futures::{StreamExt as _, stream};
use trapline_core::{Error, ports::Job, words::counted};

use super::{
    super::{downloads::attachment, page::PageResult, session::Visitor},
    filter::{Filter, Found, OF_ONE_MAX, find, many},
    order::{Key, Order},
    place::Place,
};
use crate::{
    export::{self, Format, Table},
    http::{AppState, Id, Params},
};

/// Images that are looked for at a time.
const SLICE: usize = 200;

pub(super) fn routes() -> Router<AppState> {
    let of = |table, format| {
        get(move |app, visitor, id, params| download(app, visitor, id, params, (table, format)))
    };
    Router::new()
        .route("/jobs/{id}/found-images.csv", of(Table::Images, Format::Csv))
        .route(
            "/jobs/{id}/found-detections.csv",
            of(Table::Detections, Format::Csv),
        )
        .route(
            "/jobs/{id}/found-detections.ndjson",
            of(Table::Detections, Format::Ndjson),
        )
}

/// A link to a file, in words with how many rows it has where that is known.
pub(super) type Link = (String, String);

/// Links to what the grid has to take away, of its filter or of all.
pub(super) fn links(place: &Place, job: &Job, found: &Found) -> Vec<Link> {
    let is_all = place.filter.is_any();
    let known = match is_all {
        true => Some((job.counts.total, job.counts.detections)),
        false => of_filter(place, found),
    };
    let link = |word: &str, end: &str, rows: Option<u64>, what: &str| {
        let word = match rows {
            Some(n) => format!("{word}, {}", counted(n, what)),
            None => word.to_owned(),
        };
        (word, place.with(|p| p.photos = None).download(end))
    };
    let end = |all, found| if is_all { all } else { found };
    let (images, detections) = (known.map(|(n, _)| n), known.map(|(_, n)| n));
    vec![
        link(
            "Images, CSV",
            end("all-images.csv", "found-images.csv"),
            images,
            "row",
        ),
        link(
            "Detections, CSV",
            end("detections.csv", "found-detections.csv"),
            detections,
            "row",
        ),
        link(
            "Detections, NDJSON",
            end("detections.ndjson", "found-detections.ndjson"),
            detections,
            "line",
        ),
    ]
}

/// How many images and detections a filter takes, if one page has all of them. The index of scores may lack some.
fn of_filter(place: &Place, found: &Found) -> Option<(u64, u64)> {
    let is_whole = place.after.is_none() && found.next.is_none() && !place.filter.best_first;
    let images = found.images.iter();
    let are_read = images
        .clone()
        .all(|image| image.detections.len() == many(&image.row) && many(&image.row) < OF_ONE_MAX);
    let taken = images.flat_map(|image| &image.detections);
    let taken = taken.filter(|detection| place.filter.takes(detection)).count();
    (is_whole && are_read).then_some((found.images.len() as u64, taken as u64))
}

async fn download(
    State(app): State<AppState>,
    visitor: Visitor,
    Id(id): Id,
    params: Params,
    (table, format): (Table, Format),
) -> PageResult {
    let mut filter = Filter::read(&params)?;
    let job = app.visible_job(&visitor.principal, id).await?;
    filter.zone = app.engine.zone_of(&job).await?;
    let what = match table {
        Table::Images => "images found",
        Table::Detections => "detections found",
    };
    let (header, ending) = match format {
        Format::Csv => (export::header(table)?, "csv"),
        Format::Ndjson => (Vec::new(), "ndjson"),
    };
    let (store, of) = (Arc::clone(app.engine.store()), job.id);
    let filter = Arc::new(filter);
    let rows = stream::try_unfold(Some(Key::START), move |from| {
        let (store, filter) = (Arc::clone(&store), Arc::clone(&filter));
        async move {
            let Some(from) = from else { return Ok(None) };
            let page = find(store.as_ref(), of, &filter, &Order::Listed, (from, false), SLICE).await?;
            let captures: Vec<_> = page.images.into_iter().map(|image| image.row.capture).collect();
            let keep = |detection: &_| filter.takes(detection);
            let rows = export::rows_of(store.as_ref(), of, (table, format), &captures, keep).await?;
            Ok::<_, Error>(Some((Bytes::from(rows), page.next)))
        }
    });
    let all = stream::iter([Ok(Bytes::from(header))]).chain(rows);
    Ok(attachment(&job, what, ending, all))
}
