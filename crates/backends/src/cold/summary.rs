//! The summaries of jobs, made in slices ([`trapline_core::summary`]). A slice reads outside its transaction, which then writes only
//! if the summary is still of the version that was read.

use trapline_core::{
    CaptureId, JobId, Timestamp,
    ports::ResultRow,
    summary::{
        self, ALL, CLEARED_MAX, DETECTIONS_MAX, END, LabelledQuery, Of, PHOTOGRAPHS, PHOTOGRAPHS_MAX, Phase,
        READ_MAX, START, Seen, State, Step, Summary, TakenQuery, label_id,
    },
};

use super::{Cold, Turn, retried};
use crate::{
    rows::{self, Columns},
    sql::{Conn as _, Sql, Value, bound, sql},
};

/// The tables of a summary, each by how a slice of it is removed.
fn tables() -> [Sql; 4] {
    [
        sql!(each "summary/clear_counts.sql"),
        sql!(each "summary/clear_index.sql"),
        sql!(each "summary/clear_activity.sql"),
        sql!(each "summary/clear_taken.sql"),
    ]
}

pub(crate) async fn due<S: Cold>(store: &S, limit: u64) -> sqlx::Result<Vec<JobId>> {
    let mut conn = store.reader().await?;
    conn.list(sql!(each "summary/due.sql"), &[&bound(limit)], |row| {
        row.at(0).map(JobId)
    })
    .await
}

/// Removes rows of the summary of a job; returns whether there were any.
pub(super) async fn clear<S: Cold>(conn: &mut S::Conn, job: JobId) -> sqlx::Result<bool> {
    let mut removed = 0;
    for table in tables() {
        removed += conn.run(table, &[&job.0, &CLEARED_MAX]).await?;
    }
    Ok(removed > 0)
}

pub(crate) async fn read<S: Cold>(
    store: &S,
    job: JobId,
    label: Option<&str>,
) -> sqlx::Result<Option<Summary>> {
    let mut conn = store.reader().await?;
    let state = conn.find(sql!("summary/row.sql"), &[&job.0], state).await?;
    let Some(state) = state else { return Ok(None) };
    let mut summary = Summary::of(&state);
    let limit = bound(READ_MAX);
    summary.labels = conn
        .list(sql!(each "summary/labels.sql"), &[&job.0, &limit], |row| {
            Ok((row.at(0)?, unsigned(row.at(1)?)))
        })
        .await?;
    let label = label.map_or(ALL, label_id);
    let scores: Vec<(i64, i64)> = conn
        .list(sql!("summary/scores.sql"), &[&job.0, &label], pair)
        .await?;
    for (bin, n) in scores {
        summary.put_score(bin, unsigned(n));
    }
    for (of, into) in [
        (label, &mut summary.activity),
        (PHOTOGRAPHS, &mut summary.photographs),
    ] {
        let sql = sql!("summary/activity.sql");
        let found: Vec<(i64, i64)> = conn.list(sql, &[&job.0, &of, &limit], pair).await?;
        into.extend(found.into_iter().map(|(at, n)| (at, unsigned(n))));
    }
    Ok(Some(summary))
}

pub(crate) async fn labelled<S: Cold>(
    store: &S,
    query: &LabelledQuery,
) -> sqlx::Result<Vec<(i64, i64, ResultRow)>> {
    let sql = match query.back {
        false => sql!(each "summary/labelled.sql"),
        true => sql!(each "summary/labelled_before.sql"),
    };
    let (rank, capture, n) = query.from;
    let (label, limit) = (label_id(&query.label), bound(query.limit));
    let values: [&dyn Value<'_>; 6] = [&query.job.0, &label, &rank, &capture.0, &n, &limit];
    let mut conn = store.reader().await?;
    conn.list(sql, &values, |row| {
        Ok((row.col("rank")?, row.col("n")?, rows::result(row)?))
    })
    .await
}

pub(crate) async fn taken<S: Cold>(store: &S, query: &TakenQuery) -> sqlx::Result<Vec<(i64, ResultRow)>> {
    let sql = match query.back {
        false => sql!(each "summary/taken.sql"),
        true => sql!(each "summary/taken_before.sql"),
    };
    let ((from, to), (at, capture), limit) = (query.among, query.from, bound(query.limit));
    let values: [&dyn Value<'_>; 6] = [&query.job.0, &from, &to, &at, &capture.0, &limit];
    let mut conn = store.reader().await?;
    conn.list(sql, &values, |row| {
        Ok((row.col("half_hour")?, rows::result(row)?))
    })
    .await
}

fn unsigned(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

fn pair(row: &impl Columns) -> sqlx::Result<(i64, i64)> {
    Ok((row.at(0)?, row.at(1)?))
}

fn state(row: &impl Columns) -> sqlx::Result<State> {
    Ok(State {
        run: row.col("run")?,
        version: row.col("version")?,
        phase: rows::word(&row.col::<String>("phase")?, Phase::parse)?,
        at: (
            row.col("at_ord")?,
            CaptureId(row.col("at_capture")?),
            row.col("at_n")?,
        ),
        seen: row.unsigned("seen")?,
        against: row.col::<Option<i64>>("against")?.map(unsigned),
        images: [
            row.unsigned("images_1")?,
            row.unsigned("images_2")?,
            row.unsigned("images_6")?,
            row.unsigned("images_21")?,
        ],
        as_of: row.time("as_of")?,
    })
}
