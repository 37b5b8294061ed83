//! The images just before and after one: in time where it is known when they were taken, and they are not too many to be put in
//! that order; else by number.

use trapline_core::{
    CaptureId, Result, Zone,
    ports::{Job, ResultQuery, ResultRow},
    summary::TakenQuery,
};

use super::{asked::Asked, picture, place::image_name};
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

/// Images of a half-hour that are put in the order of their times: one in six seconds.
const HALF_HOUR_MAX: u64 = 300;

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

/// The images of a half-hour; `None` if they are too many to be put in order.
async fn half_hour(app: &AppState, job: &Job, at: i64) -> Result<Option<Vec<ResultRow>>> {
    let query = TakenQuery {
        job: job.id,
        among: (at, at + 1),
        from: (at, CaptureId(i64::MIN)),
        back: false,
        limit: HALF_HOUR_MAX + 1,
    };
    let rows = app.engine.store().taken(&query).await?;
    let is_bounded = rows.len() as u64 <= HALF_HOUR_MAX;
    Ok(is_bounded.then(|| rows.into_iter().map(|(_, row)| row).collect()))
}

/// The images around one by when they were taken; `None` if it is in no such order.
async fn in_time(app: &AppState, job: &Job, row: &ResultRow, zone: &Zone) -> Result<Option<Vec<ResultRow>>> {
    let made = app.engine.store().summary(job.id, None).await?;
    let is_indexed = made.is_some_and(|made| made.zone == zone.id() && !made.photographs.is_empty());
    let Some(taken) = row.capture.facts.taken_at.filter(|_| is_indexed) else {
        return Ok(None);
    };
    let own = zone.half_hour(taken);
    let Some(mut rows) = half_hour(app, job, own).await? else {
        return Ok(None);
    };
    rows.retain(|other| other.capture.id != row.capture.id);
    rows.push(row.clone());
    // The half-hours of an index are ordered, and the images of each by number.
    for back in [true, false] {
        let (mut edge, mut found) = (own, 0);
        while found < NEAR {
            let end = if back {
                CaptureId(i64::MIN)
            } else {
                CaptureId(i64::MAX)
            };
            let next = TakenQuery {
                job: job.id,
                among: (i64::MIN, i64::MAX),
                from: (edge, end),
                back,
                limit: 1,
            };
            let Some((at, _)) = app.engine.store().taken(&next).await?.pop() else {
                break;
            };
            let Some(more) = half_hour(app, job, at).await? else {
                return Ok(None);
            };
            (edge, found) = (at, found + more.len() as u64);
            rows.extend(more);
        }
    }
    let moment = |row: &ResultRow| {
        (
            row.capture.facts.taken_at.map(|at| zone.clock(at)),
            row.capture.id,
        )
    };
    rows.sort_by_key(moment);
    let at = rows.iter().position(|other| other.capture.id == row.capture.id);
    let (at, near) = (at.unwrap_or(0), usize::try_from(NEAR).unwrap_or(usize::MAX));
    rows.truncate(at + near + 1);
    rows.drain(..at.saturating_sub(near));
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
    let small = picture::known(app, job.project, &ids).await?;
    let near = |of: &ResultRow| {
        let (id, at) = (of.capture.id, of.capture.facts.taken_at);
        Near {
            name: image_name(&of.capture.url),
            clock: at.map_or_else(String::new, |at| zone.clock(at).strftime("%H:%M:%S").to_string()),
            // Where the grid went on is not where this image is.
            path: asked.path(id, "", &[("after", String::new())]),
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
