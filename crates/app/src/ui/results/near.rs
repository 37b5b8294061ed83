//! The images just before and after one: in time where it is known when they were taken, else by number.

use trapline_core::{
    CaptureId, Result, Zone,
    ports::{Job, ResultQuery, ResultRow},
    summary::TakenQuery,
};

use super::{asked::Asked, place::image_name};
use crate::http::AppState;

/// Images in each direction.
const NEAR: u64 = 3;

/// An image beside the one that is shown.
pub(super) struct Near {
    pub(super) name: String,
    /// When it was taken, as its clock shows it.
    pub(super) clock: String,
    pub(super) path: String,
    /// Of its thumbnail; empty if there is none.
    pub(super) src: String,
    pub(super) is_here: bool,
}

pub(super) struct Strip {
    pub(super) word: &'static str,
    pub(super) images: Vec<Near>,
}

/// The images around one by number.
async fn listed(app: &AppState, job: &Job, row: &ResultRow) -> Result<Vec<ResultRow>> {
    let query = |back| ResultQuery {
        job: job.id,
        from: row.capture.id,
        back,
        limit: NEAR,
    };
    let store = app.engine.store();
    let mut rows = store.results(&query(true)).await?;
    rows.reverse();
    rows.push(row.clone());
    rows.extend(store.results(&query(false)).await?);
    Ok(rows)
}

/// The images around one by half-hour; `None` if it is in no such order.
async fn in_time(app: &AppState, job: &Job, row: &ResultRow, zone: &Zone) -> Result<Option<Vec<ResultRow>>> {
    let made = app.engine.store().summary(job.id, None).await?;
    let is_indexed = made.is_some_and(|made| made.zone == zone.id() && !made.photographs.is_empty());
    let Some(taken) = row.capture.facts.taken_at.filter(|_| is_indexed) else {
        return Ok(None);
    };
    let around = async |back: bool| -> Result<Vec<ResultRow>> {
        let query = TakenQuery {
            job: job.id,
            among: (i64::MIN, i64::MAX),
            from: (zone.half_hour(taken), row.capture.id),
            back,
            limit: NEAR,
        };
        let rows = app.engine.store().taken(&query).await?.into_iter();
        Ok(rows.map(|(_, row)| row).collect())
    };
    let mut rows = around(true).await?;
    rows.reverse();
    rows.push(row.clone());
    rows.extend(around(false).await?);
    Ok(Some(rows))
}

/// The images around one.
pub(super) async fn strip(app: &AppState, job: &Job, row: &ResultRow, asked: &Asked) -> Result<Strip> {
    let zone = &asked.place.filter.zone;
    let (word, rows) = match in_time(app, job, row, zone).await? {
        Some(rows) => ("Neighbours in time", rows),
        None => ("Neighbours in the list", listed(app, job, row).await?),
    };
    let ids: Vec<CaptureId> = rows.iter().map(|row| row.capture.id).collect();
    let small = app.thumbs.sizes(&ids).await;
    let near = |of: &ResultRow| {
        let (id, at) = (of.capture.id, of.capture.facts.taken_at);
        Near {
            name: image_name(&of.capture.url),
            clock: at.map_or_else(String::new, |at| zone.clock(at).strftime("%H:%M:%S").to_string()),
            path: asked.path(id, "", &[]),
            src: match small.get(&id).is_some_and(|known| known.has_jpeg) {
                true => format!("/captures/{id}/thumbnail"),
                false => String::new(),
            },
            is_here: id == row.capture.id,
        }
    };
    Ok(Strip {
        word,
        images: rows.iter().map(near).collect(),
    })
}
