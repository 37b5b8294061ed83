//! The summaries of jobs, made in slices ([`trapline_core::summary`]). A slice reads outside its transaction, which then writes only
//! if the summary is still of the version that was read.

mod slices;

use trapline_core::{
    CaptureId, JobId, Timestamp, Zone,
    ports::ResultRow,
    summary::{
        self, ALL, CLEARED_MAX, Ended, LabelledQuery, Of, Phase, READ_MAX, State, Step, Summary, TakenQuery,
        label_id,
    },
};

use self::slices::Written;
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

pub(crate) async fn slice<S: Cold>(store: &S, job: JobId, now: Timestamp) -> sqlx::Result<bool> {
    let mut conn = store.reader().await?;
    let found = conn.find(sql!("summary/job.sql"), &[&job.0], of).await?;
    let Some((mut of, project)) = found else {
        return Ok(false);
    };
    let zone: Option<Option<String>> = conn
        .find(sql!("projects/zone.sql"), &[&project], |row| row.at(0))
        .await?;
    let zone = Zone::of(zone.flatten().as_deref());
    of.zone = zone.id();
    let state = conn.find(sql!("summary/row.sql"), &[&job.0], state).await?;
    let mut step = summary::step(&of, state.as_ref());
    let mut slice = None;
    if let (Step::Slice(Phase::Detections), Some(state)) = (step, state) {
        slice = slices::detections::<S>(&mut conn, job, &of, state, &zone).await?;
        if slice.is_none() {
            step = summary::at_the_end(&of, &state);
        }
    }
    let (mut next, written) = match (step, state, slice) {
        (Step::Nothing, ..) | (Step::Slice(_) | Step::Turn(_), None, _) => return Ok(false),
        (Step::Begin(ended), ..) => {
            drop(conn);
            return begin(store, job, &of, ended, state.map_or(0, |s| s.version), now).await;
        }
        (Step::Turn(phase), Some(state), _) => (state.turned(phase, &of), Written::default()),
        (Step::Slice(Phase::Photographs), Some(state), _) => {
            slices::photographs::<S>(&mut conn, job, state, &zone).await?
        }
        (Step::Slice(_), Some(_), Some(slice)) => slice,
        (Step::Slice(_), Some(state), None) => (
            state,
            Written {
                clears: true,
                ..Written::default()
            },
        ),
    };
    drop(conn);
    next.as_of = now;
    let is_written = retried::<S, _>(|| Box::pin(write(store, job, next, &written))).await?;
    Ok(is_written && next.phase != Phase::Done)
}

async fn begin<S: Cold>(
    store: &S,
    job: JobId,
    of: &Of,
    ended: Option<Ended>,
    version: i64,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let next = State::begun(of, version, ended, now);
    let (against, processed) = (next.against.map(bound), next.processed.map(bound));
    let values: [&dyn Value<'_>; 7] = [
        &job.0,
        &next.run,
        &against,
        &processed,
        &next.zone,
        &now.0,
        &next.version,
    ];
    let begun = super::write(store, Turn::Background, sql!("summary/begin.sql"), &values).await?;
    Ok(begun > 0)
}

/// Writes a slice, unless another node was faster.
async fn write<S: Cold>(store: &S, job: JobId, mut next: State, slice: &Written) -> sqlx::Result<bool> {
    let mut tx = store.begin(Turn::Background).await?;
    if slice.clears && !clear::<S>(&mut tx, job).await? {
        next.phase = Phase::Photographs;
    }
    let (counts, processed) = (next.images.map(bound), next.processed.map(bound));
    let (phase, seen) = (next.phase.as_str(), bound(next.seen));
    let (ord, capture, n) = next.at;
    let values: [&dyn Value<'_>; 13] = [
        &job.0,
        &next.version,
        &phase,
        &ord,
        &capture.0,
        &n,
        &seen,
        &counts[0],
        &counts[1],
        &counts[2],
        &counts[3],
        &next.as_of.0,
        &processed,
    ];
    if tx.run(sql!("summary/advance.sql"), &values).await? == 0 {
        return Ok(false);
    }
    if let Some(labels) = &slice.labels {
        tx.run(sql!(each "summary/add_labels.sql"), &[labels]).await?;
    }
    for (sql, rows) in slice.rows.iter().filter(|(_, rows)| !rows.is_empty()) {
        tx.run(*sql, &[rows]).await?;
    }
    S::commit(tx).await?;
    Ok(true)
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
        (state.shown_photographs(), &mut summary.photographs),
    ] {
        let sql = sql!("summary/activity.sql");
        let found: Vec<(i64, i64)> = conn.list(sql, &[&job.0, &of, &limit], pair).await?;
        into.extend(found.into_iter().map(|(at, n)| (at, unsigned(n))));
    }
    Ok(Some(summary))
}

pub(crate) async fn top_labels<S: Cold>(store: &S, job: JobId, limit: u64) -> sqlx::Result<Vec<String>> {
    let mut conn = store.reader().await?;
    conn.list(sql!(each "summary/labels.sql"), &[&job.0, &bound(limit)], |row| {
        row.at(0)
    })
    .await
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
    let (first, end) = query.among;
    // One end of the half-hours is that of the page.
    let (sql, other, from) = match query.back {
        false => (
            sql!(each "summary/taken.sql"),
            end,
            query.from.max((first, CaptureId(i64::MIN))),
        ),
        true => (
            sql!(each "summary/taken_before.sql"),
            first,
            query.from.min((end, CaptureId(i64::MIN))),
        ),
    };
    let (at, capture, limit) = (from.0, from.1, bound(query.limit));
    let values: [&dyn Value<'_>; 5] = [&query.job.0, &other, &at, &capture.0, &limit];
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

/// What a summary depends on, but for the zone of its project, whose number is returned.
fn of(row: &impl Columns) -> sqlx::Result<(Of, i64)> {
    let of = Of {
        run: row.col("run")?,
        status: rows::status(&row.col::<String>("status")?)?,
        collected: row.col("collected")?,
        detections: row.unsigned("detections")?,
        processed: row.unsigned("processed")?,
        zone: 0,
    };
    Ok((of, row.col("project_id")?))
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
        processed: row.col::<Option<i64>>("processed")?.map(unsigned),
        zone: row.col("zone")?,
        images: [
            row.unsigned("images_1")?,
            row.unsigned("images_2")?,
            row.unsigned("images_6")?,
            row.unsigned("images_21")?,
        ],
        as_of: row.time("as_of")?,
    })
}
