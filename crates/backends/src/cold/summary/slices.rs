//! What a slice reads, and what it writes by that.

use std::collections::{BTreeMap, HashMap};

use trapline_core::{
    CaptureId, JobId, TakenAt, TaskState, Zone,
    summary::{self, DETECTIONS_MAX, END, Of, PHOTOGRAPHS_MAX, PROCESSED, Place, Seen, State},
};

use crate::{
    cold::Cold,
    rows::{self, Columns},
    sql::{Conn as _, Rows, Sql, Value, bound, sql},
};

/// What one slice writes.
#[derive(Default)]
pub(super) struct Written {
    /// Labels as JSON, if there are any.
    pub(super) labels: Option<String>,
    /// Statements, each with its rows.
    pub(super) rows: Vec<(Sql, Rows)>,
    /// Whether rows of the summary before it are removed.
    pub(super) clears: bool,
}

/// A page of photographs with their times; at the end of a run, of those that are processed.
pub(super) async fn photographs<S: Cold>(
    conn: &mut S::Conn,
    job: JobId,
    mut state: State,
    zone: &Zone,
) -> sqlx::Result<(State, Written)> {
    let page = conn
        .list(
            sql!(each "summary/photographs.sql"),
            &[&job.0, &state.at.1.0, &bound(PHOTOGRAPHS_MAX)],
            |row| {
                Ok((
                    row.col::<i64>("capture_id")?,
                    rows::word(&row.col::<String>("state")?, TaskState::parse)?,
                    rows::taken_at(row)?,
                ))
            },
        )
        .await?;
    let label = state.photographs();
    match page.last() {
        Some((last, ..)) if page.len() as u64 == PHOTOGRAPHS_MAX => state.at.1 = CaptureId(*last),
        _ => state = state.with_photographs(),
    }
    let mut counts = BTreeMap::<i64, i64>::new();
    let mut taken = Vec::new();
    for (capture, task, at) in page {
        let is_counted = label != PROCESSED || task == TaskState::Processed;
        if let Some(half_hour) = at.filter(|_| is_counted).map(|at| zone.half_hour(at)) {
            *counts.entry(half_hour).or_default() += 1;
            taken.push([job.0, half_hour, capture]);
        }
    }
    taken.sort_unstable();
    let counts = counts.into_iter().map(|(at, n)| [job.0, label, at, n]);
    let rows = vec![
        (sql!(each "summary/add_activity.sql"), Rows::of(counts)),
        (sql!(each "summary/add_taken.sql"), Rows::of(taken)),
    ];
    Ok((
        state,
        Written {
            rows,
            ..Written::default()
        },
    ))
}

/// A page of detections; `None` if none is left.
pub(super) async fn detections<S: Cold>(
    conn: &mut S::Conn,
    job: JobId,
    of: &Of,
    mut state: State,
    zone: &Zone,
) -> sqlx::Result<Option<(State, Written)>> {
    // What is before it is settled; while the job runs on, what is there now may be followed by more.
    let frontier = match of.status.is_final() {
        true => None,
        false => {
            conn.find(sql!(each "summary/frontier.sql"), &[&job.0], |row| {
                Ok((row.at(0)?, CaptureId(row.at(1)?)))
            })
            .await?
        }
    };
    let Some((page, last)) = page::<S>(conn, job, state.at, frontier.unwrap_or(END)).await? else {
        return Ok(None);
    };
    let mut counted = summary::count(&mut state, &page, zone);
    state.at = last;
    let labels: Vec<_> = counted.labels.into_iter().collect();
    let counts = counted.counts.into_iter();
    let counts = counts.map(|((label, bin), n)| [job.0, label, bin, bound(n)]);
    let activity = counted.activity.into_iter();
    let activity = activity.map(|((label, at), n)| [job.0, label, at, bound(n)]);
    counted.index.sort_unstable();
    let index = counted.index.iter();
    let index = index.map(|(label, rank, capture, n)| [job.0, *label, *rank, capture.0, *n]);
    let rows = vec![
        (sql!(each "summary/add_counts.sql"), Rows::of(counts)),
        (sql!(each "summary/add_activity.sql"), Rows::of(activity)),
        (sql!(each "summary/add_index.sql"), Rows::of(index)),
    ];
    let written = Written {
        labels: (!labels.is_empty()).then(|| serde_json::to_string(&labels).expect("texts serialise")),
        rows,
        clears: false,
    };
    Ok(Some((state, written)))
}

/// The detections after one, each with its best class and what is known of its image, and the last place; `None` if none is left.
/// These are three ranges that are put together here, because a join looks up each detection's rows by themselves, at three times
/// the cost.
async fn page<S: Cold>(
    conn: &mut S::Conn,
    job: JobId,
    (ord, capture, n): Place,
    before: (i64, CaptureId),
) -> sqlx::Result<Option<(Vec<Seen>, Place)>> {
    let limit = bound(DETECTIONS_MAX);
    let values: [&dyn Value<'_>; 7] = [&job.0, &ord, &capture.0, &n, &before.0, &before.1.0, &limit];
    let page: Vec<(Place, Option<f64>)> = conn
        .list(sql!(each "summary/slice.sql"), &values, |row| {
            Ok((place(row)?, row.col("score")?))
        })
        .await?;
    let Some(&(last, _)) = page.last() else {
        return Ok(None);
    };
    let values: [&dyn Value<'_>; 7] = [&job.0, &ord, &capture.0, &n, &last.0, &last.1.0, &last.2];
    let classes: Vec<(Place, String, Option<f64>)> = conn
        .list(sql!(each "summary/slice_classes.sql"), &values, |row| {
            Ok((place(row)?, row.col("label")?, row.col("score")?))
        })
        .await?;
    let mut images: Vec<_> = page.iter().map(|(at, _)| [at.0, at.1.0]).collect();
    images.dedup();
    let images: HashMap<CaptureId, (u64, Option<TakenAt>)> = conn
        .list(
            sql!(each "summary/slice_images.sql"),
            &[&job.0, &Rows::of(images)],
            |row| {
                let image = (row.unsigned("n_detections")?, rows::taken_at(row)?);
                Ok((CaptureId(row.col("capture_id")?), image))
            },
        )
        .await?
        .into_iter()
        .collect();
    let mut classes = classes.into_iter().peekable();
    let seen = page.into_iter().filter_map(|(at, own)| {
        while classes.next_if(|class| class.0 < at).is_some() {}
        let class = classes.next_if(|class| class.0 == at);
        let (of_image, taken_at) = *images.get(&at.1)?;
        let (label, score) = class.map_or_else(|| (String::new(), own), |(_, label, score)| (label, score));
        Some(Seen {
            at,
            label,
            score: score.map(|score| score as f32),
            taken_at,
            of_image,
        })
    });
    Ok(Some((seen.collect(), last)))
}

fn place(row: &impl Columns) -> sqlx::Result<Place> {
    Ok((row.col("ord")?, CaptureId(row.col("capture_id")?), row.col("n")?))
}
