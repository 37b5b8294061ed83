//! Pages of what a job did: tasks and log. By key, in short transactions (docs/rules.md A18).

use trapline_core::{
    CaptureId, FailReason, JobId,
    ports::{
        Attempt, HandOuts, ImageQuery, ImageRow, ImageState, Level, LogPage, LogQuery, LogRow, ResultQuery,
        ResultRow,
    },
};

use super::{Cold, parts::Parts};
use crate::{
    rows,
    sql::{Conn as _, List, Sql, Value, bound, sql},
};

pub(crate) async fn images<S: Cold>(store: &S, query: &ImageQuery) -> sqlx::Result<Vec<ImageRow>> {
    let (job, after, limit) = (query.job.0, query.after.0, bound(query.limit));
    let reason = query.reason.map(FailReason::as_str);
    let is_held_or_waits = matches!(query.state, Some(ImageState::InFlight | ImageState::Pending));
    if is_held_or_waits && reason.is_some() {
        // A reason is that of a failure.
        return Ok(Vec::new());
    }
    let mut conn = store.reader().await?;
    if let Some(sql) = by_state(query) {
        return match &reason {
            Some(reason) => conn.list(sql, &[&job, reason, &after, &limit], rows::image).await,
            None => conn.list(sql, &[&job, &after, &limit], rows::image).await,
        };
    }
    let state = query.state.map(|_| "processed");
    let sql = match query.back {
        false => sql!(each "reports/images.sql"),
        true => sql!(each "reports/images_before.sql"),
    };
    let values: [&dyn Value<'_>; 5] = [&job, &state, &reason, &after, &limit];
    conn.list(sql, &values, rows::image).await
}

/// The statement for images in a state that an index finds.
fn by_state(query: &ImageQuery) -> Option<Sql> {
    let (on, back) = match (query.state?, query.reason) {
        (ImageState::Failed, None) => (
            sql!(each "reports/images_failed.sql"),
            sql!(each "reports/images_failed_before.sql"),
        ),
        (ImageState::Failed, Some(_)) => (
            sql!(each "reports/images_failed_of.sql"),
            sql!(each "reports/images_failed_of_before.sql"),
        ),
        (ImageState::InFlight, _) => (
            sql!(each "reports/images_in_flight.sql"),
            sql!(each "reports/images_in_flight_before.sql"),
        ),
        (ImageState::Pending, _) => (
            sql!(each "reports/images_waiting.sql"),
            sql!(each "reports/images_waiting_before.sql"),
        ),
        (ImageState::Processed, _) => return None,
    };
    Some(if query.back { back } else { on })
}

pub(crate) async fn hand_outs<S: Cold>(
    store: &S,
    job: JobId,
    capture: CaptureId,
) -> sqlx::Result<Option<HandOuts>> {
    let mut conn = store.reader().await?;
    conn.find(
        sql!("reports/hand_outs.sql"),
        &[&job.0, &capture.0],
        rows::hand_outs,
    )
    .await
}

pub(crate) async fn results<S: Cold>(store: &S, query: &ResultQuery) -> sqlx::Result<Vec<ResultRow>> {
    let sql = match query.back {
        false => sql!(each "reports/results.sql"),
        true => sql!(each "reports/results_before.sql"),
    };
    let (job, from, limit) = (query.job.0, query.from.0, bound(query.limit));
    let mut conn = store.reader().await?;
    conn.list(sql, &[&job, &from, &limit], rows::result).await
}

pub(crate) async fn attempts<S: Cold>(store: &S, captures: &[CaptureId]) -> sqlx::Result<Vec<Attempt>> {
    let captures: Vec<i64> = captures.iter().map(|c| c.0).collect();
    let mut conn = store.reader().await?;
    conn.list(
        sql!(each "reports/attempts.sql"),
        &[&List(captures)],
        rows::attempt,
    )
    .await
}

pub(crate) async fn log<S: Cold>(store: &S, query: &LogQuery) -> sqlx::Result<Vec<LogRow>> {
    let (statement, has_all) = match (query.capture, query.level) {
        (Some(_), _) => (sql!(each "jobs/log_capture.sql"), false),
        (None, Some(Level::Error)) => (sql!(each "jobs/log_errors.sql"), true),
        (None, Some(Level::Warning)) => (sql!(each "jobs/log_bad.sql"), true),
        (None, _) => (sql!("jobs/log.sql"), false),
    };
    let mut sql = Parts::<S::Conn>::new(statement);
    sql.value(query.job.0);
    if let Some(capture) = query.capture {
        sql.value(capture.0);
    }
    if let Some(level) = query.level.filter(|_| !has_all) {
        let levels = Level::ALL.into_iter().filter(|l| *l >= level);
        sql.among("level", levels.map(Level::as_str).collect());
    }
    match query.page {
        LogPage::After(after) => sql.add(" AND id > $ ORDER BY id", after),
        LogPage::Before(before) => sql.add(" AND id < $ ORDER BY id DESC", before),
        LogPage::Newest => sql.push(" ORDER BY id DESC"),
    }
    sql.add(" LIMIT $", bound(query.limit));
    let mut conn = store.reader().await?;
    rows::all(&sql.rows(&mut conn).await?, rows::log_row)
}
