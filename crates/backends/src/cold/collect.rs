//! Collecting a job's tasks in slices, fenced by the dispatcher's epoch and a watermark (docs/rules.md A12, A13).
//!
//! Phase 0 adds the captures of the set as tasks, in the order of their ids; phase 1 resets tasks of older runs.
//! Each slice is one transaction whose first write moves the watermark, so that a crash, or a dispatcher that wakes up
//! late, repeats nothing. That locks the job's row, for which settlements wait that hold tasks. A slice that adds waits for
//! no task; one that resets has locked its tasks before, as every writer does (A10). So neither deadlocks with them.

use std::time::Duration;

use trapline_core::{
    CaptureId, FailReason, JobId, JobStatus, Timestamp,
    failures::{Kind, Tally},
    plan::settle::Deltas,
    ports::{Claim, Level, LogLine, Slice},
};

use super::{Cold, RowOf, SLICE_ROWS, Turn, failures, retried};
use crate::{
    rows::{Columns, JobSource},
    sql::{Conn, List, Value, first, sql},
};

const PRIME: i64 = 2_147_483_647;
const ADDING: i64 = 0;
/// The detail of a task without a URL, as `collect/insert.sql` writes it.
const NO_URL: &str = "the capture has no url";

/// A capture of a slice.
struct Collected {
    id: i64,
    ord: i64,
    no_url: bool,
    done: bool,
}

/// Tasks of older runs, locked.
#[derive(Default)]
struct Stale {
    captures: Vec<i64>,
    /// Those that fail again, since they have no URL.
    without_url: Vec<CaptureId>,
    deltas: Deltas,
}

pub(crate) async fn claim<S: Cold>(
    store: &S,
    now: Timestamp,
    lease: Duration,
    seed: i64,
) -> sqlx::Result<Option<Claim>> {
    retried::<S, _>(|| Box::pin(claim_once(store, now, lease, seed))).await
}

async fn claim_once<S: Cold>(
    store: &S,
    now: Timestamp,
    lease: Duration,
    seed: i64,
) -> sqlx::Result<Option<Claim>> {
    let mut tx = store.begin(Turn::Background).await?;
    let read = |row: &RowOf<S>| -> sqlx::Result<(i64, i64, i64)> {
        Ok((row.col("id")?, row.col("run")?, row.col("watermark")?))
    };
    let next = tx.find(sql!(each "collect/claim.sql"), &[&now.0], read).await?;
    let Some((job, run, watermark)) = next else {
        return Ok(None);
    };
    tx.run(sql!(each "collect/freeze_run.sql"), &[&job, &run]).await?;
    let values: [&dyn Value<'_>; 4] = [&job, &now.plus(lease).0, &now.0, &seed];
    let epoch = tx.one(sql!(each "collect/claim_set.sql"), &values, first).await?;
    S::commit(tx).await?;
    Ok(Some(Claim {
        job: JobId(job),
        run,
        epoch,
        watermark,
    }))
}

pub(crate) async fn slice<S: Cold>(
    store: &S,
    claim: &Claim,
    now: Timestamp,
    lease: Duration,
) -> sqlx::Result<Slice> {
    let mut conn = store.reader().await?;
    let source = conn
        .find(sql!("collect/source.sql"), &[&claim.job.0], JobSource::read)
        .await?;
    let Some(mut source) = source else {
        return Ok(Slice::Fenced);
    };
    let mut cut = None;
    if source.phase == ADDING && source.limit.is_some() && source.cut.is_none() {
        cut = cut_of(&mut *conn, claim.job, &source).await?;
        source.cut = cut;
    }
    drop(conn);
    let slice = retried::<S, _>(|| Box::pin(slice_once(store, claim, &source, cut, now, lease))).await?;
    if let Slice::Done { total, .. } = slice {
        store.filled(total);
    }
    Ok(slice)
}

/// Where a limit cuts the order: the place of the last capture that is in. Read outside the writer, because it
/// walks the whole set.
async fn cut_of<C: Conn>(conn: &mut C, job: JobId, source: &JobSource) -> sqlx::Result<Option<(i64, i64)>> {
    let limit = source.limit.and_then(|l| usize::try_from(l).ok()).unwrap_or(0);
    let mut places = Vec::new();
    let mut after = 0;
    loop {
        let ids = page(conn, source, after).await?;
        let Some(last) = ids.last() else { break };
        after = *last;
        let eligible = look(conn, job, source, &ids).await?;
        places.extend(eligible.iter().filter(|c| !c.done).map(|c| (c.ord, c.id)));
    }
    // Nothing is cut if there are not more than the limit: every place is at or before the largest.
    if places.len() <= limit {
        return Ok(Some((i64::MAX, i64::MAX)));
    }
    if limit == 0 {
        return Ok(Some((i64::MIN, i64::MIN)));
    }
    let (_, at, _) = places.select_nth_unstable(limit - 1);
    Ok(Some(*at))
}

async fn slice_once<S: Cold>(
    store: &S,
    claim: &Claim,
    source: &JobSource,
    cut: Option<(i64, i64)>,
    now: Timestamp,
    lease: Duration,
) -> sqlx::Result<Slice> {
    let mut tx = store.begin(Turn::Background).await?;
    let mut stale = Stale::default();
    let ids = match source.phase {
        ADDING => page(&mut *tx, source, claim.watermark).await?,
        _ => {
            stale = lock_stale(&mut *tx, claim, source).await?;
            stale.captures.clone()
        }
    };
    // An empty page ends its phase; the next one begins at 0.
    let (phase, to) = match ids.last() {
        Some(last) => (source.phase, *last),
        None => (source.phase + 1, 0),
    };
    let fence: [&dyn Value<'_>; 11] = [
        &claim.job.0,
        &claim.epoch,
        &claim.run,
        &to,
        &phase,
        &now.plus(lease).0,
        &cut.map(|c| c.0),
        &cut.map(|c| c.1),
        &now.0,
        &claim.watermark,
        &source.phase,
    ];
    if tx.run(sql!("collect/fence.sql"), &fence).await? == 0 {
        return Ok(Slice::Fenced);
    }
    let slice = if !ids.is_empty() {
        let deltas = match source.phase {
            ADDING => add::<S>(&mut tx, claim, source, &ids, now).await?,
            _ => reset(&mut *tx, claim, stale, now).await?,
        };
        S::change(&mut tx, claim.job, deltas, None, now).await?;
        Slice::More(to)
    } else if source.phase == ADDING && claim.run > 1 {
        Slice::More(0)
    } else {
        finish::<S>(&mut tx, claim, now).await?
    };
    S::commit(tx).await?;
    Ok(slice)
}

async fn finish<S: Cold>(conn: &mut S::Conn, claim: &Claim, now: Timestamp) -> sqlx::Result<Slice> {
    let total: i64 = conn
        .one(sql!("collect/total.sql"), &[&claim.job.0], first)
        .await?;
    conn.run(sql!("collect/end.sql"), &[&claim.job.0]).await?;
    failures::forget(conn, claim.job, claim.run).await?;
    let touched = S::change(conn, claim.job, Deltas::default(), Some(total), now).await?;
    Ok(Slice::Done {
        status: touched.map_or(JobStatus::Revoked, |t| t.status),
        total: u64::try_from(total).unwrap_or(0),
    })
}

/// The next captures of the job's set.
async fn page<C: Conn>(conn: &mut C, source: &JobSource, after: i64) -> sqlx::Result<Vec<i64>> {
    if let Some(capture) = source.capture {
        return Ok(if capture > after { vec![capture] } else { vec![] });
    }
    let values: [&dyn Value<'_>; 4] = [&source.collection, &after, &source.max_capture, &SLICE_ROWS];
    conn.list(sql!("collect/captures.sql"), &values, first).await
}

/// The next tasks of older runs that this run settles again.
async fn lock_stale<C: Conn>(conn: &mut C, claim: &Claim, source: &JobSource) -> sqlx::Result<Stale> {
    let values: [&dyn Value<'_>; 5] = [
        &claim.job.0,
        &claim.watermark,
        &claim.run,
        &source.mode,
        &SLICE_ROWS,
    ];
    let mut stale = Stale::default();
    for row in conn.rows(sql!(each "collect/stale.sql"), &values).await? {
        let capture = row.col("capture_id")?;
        stale.captures.push(capture);
        let is_without_url = row.col::<Option<String>>("reason")?.as_deref() == Some("no_url");
        match row.col::<String>("state")?.as_str() {
            "processed" => stale.deltas.processed -= 1,
            "failed" if is_without_url => stale.without_url.push(CaptureId(capture)),
            "failed" => stale.deltas.failed -= 1,
            _ => {}
        }
    }
    Ok(stale)
}

async fn look<C: Conn>(
    conn: &mut C,
    job: JobId,
    source: &JobSource,
    ids: &[i64],
) -> sqlx::Result<Vec<Collected>> {
    let same = if source.reprocess {
        ""
    } else {
        source.fingerprint.as_str()
    };
    let seeds = [source.seed, source.seed / PRIME].map(|seed| seed.rem_euclid(PRIME));
    let values: [&dyn Value<'_>; 6] = [&List(ids), &job.0, &same, &seeds[0], &seeds[1], &source.shuffle];
    let read = |row: &C::Row| {
        Ok(Collected {
            id: row.col("id")?,
            ord: row.col("ord")?,
            no_url: row.col("no_url")?,
            done: row.col("done")?,
        })
    };
    conn.list(sql!(each "collect/page.sql"), &values, read).await
}

async fn add<S: Cold>(
    conn: &mut S::Conn,
    claim: &Claim,
    source: &JobSource,
    ids: &[i64],
    now: Timestamp,
) -> sqlx::Result<Deltas> {
    let job = claim.job.0;
    let captures = look(conn, claim.job, source, ids).await?;
    let skipped = captures.iter().filter(|c| c.done).count() as i64;
    let taken = captures
        .iter()
        .filter(|c| !c.done && source.cut.is_none_or(|cut| (c.ord, c.id) <= cut));
    let tasks: Vec<_> = taken.map(|c| (c.id, c.ord, c.no_url)).collect();
    let tasks = serde_json::to_string(&tasks).expect("numbers serialise");
    let values: [&dyn Value<'_>; 4] = [&job, &claim.run, &tasks, &now.0];
    let inserted: Vec<Option<i64>> = conn.list(sql!(each "collect/insert.sql"), &values, first).await?;
    let added = inserted.len() as i64;
    conn.run(sql!("collect/added.sql"), &[&job, &skipped, &added])
        .await?;
    let without_url: Vec<_> = inserted.into_iter().flatten().map(CaptureId).collect();
    let failed = without_url.len() as i64;
    if failed > 0 {
        count_without_url(conn, claim, &without_url, now).await?;
        let line = LogLine {
            job: claim.job,
            level: Level::Error,
            message: format!("{failed} image(s) failed (no_url): {NO_URL}"),
            capture: None,
        };
        S::log(conn, &[line], now).await?;
    }
    Ok(Deltas {
        failed,
        ..Deltas::default()
    })
}

/// Counts images that fail because they have no URL. The fence has locked the job's row.
async fn count_without_url<C: Conn>(
    conn: &mut C,
    claim: &Claim,
    captures: &[CaptureId],
    now: Timestamp,
) -> sqlx::Result<()> {
    let kind = Kind::of(FailReason::NoUrl, NO_URL);
    failures::count(conn, &Tally::of((claim.job, claim.run), &kind, captures), now).await
}

async fn reset<C: Conn>(conn: &mut C, claim: &Claim, stale: Stale, now: Timestamp) -> sqlx::Result<Deltas> {
    let values: [&dyn Value<'_>; 4] = [&claim.job.0, &claim.run, &List(&stale.captures), &now.0];
    conn.run(sql!(each "collect/reset.sql"), &values).await?;
    count_without_url(conn, claim, &stale.without_url, now).await?;
    Ok(stale.deltas)
}
