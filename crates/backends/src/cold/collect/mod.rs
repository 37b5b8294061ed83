//! Collecting a job's tasks in slices, fenced by the dispatcher's epoch and a watermark (docs/rules.md A12, A13).
//!
//! Phase 0 adds the captures of the set as tasks, in the order of dispatch; phase 1 resets tasks of older runs.
//! Each slice is one transaction whose first write moves the watermark, so that a crash, or a dispatcher that wakes up
//! late, repeats nothing. A claim adds from the first place on, since what an earlier one skipped may be a task by now; tasks that
//! are there stay as they are. In phase 0 the watermark is only the fence, and below zero: an older version, which adds in the order of ids
//! above it, begins anew from there too. That locks the job's row, for which settlements wait that hold tasks. A slice that adds waits for
//! no task; one that resets has locked its tasks before, as every writer does (A10). So neither deadlocks with them.

mod order;

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
    sql::{Conn, List, Rows, Value, first, sql},
};

use order::Order;
pub(crate) use order::Orders;

const ADDING: i64 = 0;
/// The detail of a task without a URL, as `collect/insert.sql` writes it.
const NO_URL: &str = "the capture has no url";

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

/// Does the next slice of a claim. Reading the captures of a large set takes several, which write nothing but that the claim is held.
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
    drop(conn);
    let Some(source) = source else {
        return Ok(Slice::Fenced);
    };
    let until = now.plus(lease);
    let mut order = (source.phase == ADDING).then(|| store.orders().take(claim));
    if let Some(order) = &mut order {
        order.read(store, &source).await?;
    }
    let work = Work {
        claim,
        source: &source,
        order: order.as_ref(),
        now,
        until,
    };
    let slice = retried::<S, _>(|| Box::pin(slice_once(store, &work))).await?;
    match (slice, order) {
        (Slice::Done { total, .. }, _) => store.filled(total),
        (Slice::More(_), Some(order)) if !order.is_read => store.orders().keep(order),
        (Slice::More(to), Some(mut order)) if to < 0 => {
            order.added_to(-to);
            store.orders().keep(order);
        }
        _ => {}
    }
    Ok(slice)
}

/// What a slice works on.
struct Work<'w> {
    claim: &'w Claim,
    source: &'w JobSource,
    /// What is added, in phase 0.
    order: Option<&'w Order>,
    now: Timestamp,
    until: Timestamp,
}

impl Work<'_> {
    /// Moves the watermark; `false` if the claim is no more.
    async fn fence<C: Conn>(&self, conn: &mut C, phase: i64, to: i64) -> sqlx::Result<bool> {
        let cut = self.order.and_then(|order| order.cut);
        let values: [&dyn Value<'_>; 11] = [
            &self.claim.job.0,
            &self.claim.epoch,
            &self.claim.run,
            &to,
            &phase,
            &self.until.0,
            &cut.map(|c| c.0),
            &cut.map(|c| c.1),
            &self.now.0,
            &self.claim.watermark,
            &self.source.phase,
        ];
        Ok(conn.run(sql!("collect/fence.sql"), &values).await? > 0)
    }
}

async fn slice_once<S: Cold>(store: &S, work: &Work<'_>) -> sqlx::Result<Slice> {
    let mut tx = store.begin(Turn::Background).await?;
    let slice = match work.order {
        Some(order) if !order.is_read => hold(&mut *tx, work).await?,
        Some(order) => add::<S>(&mut tx, work, order).await?,
        None => reset::<S>(&mut tx, work).await?,
    };
    if slice != Slice::Fenced {
        S::commit(tx).await?;
    }
    Ok(slice)
}

/// Holds the claim, to read on.
async fn hold<C: Conn>(conn: &mut C, work: &Work<'_>) -> sqlx::Result<Slice> {
    let to = work.claim.watermark;
    Ok(match work.fence(conn, work.source.phase, to).await? {
        true => Slice::More(to),
        false => Slice::Fenced,
    })
}

/// Adds the next tasks. When there are none, the tasks of older runs are next.
async fn add<S: Cold>(conn: &mut S::Conn, work: &Work<'_>, order: &Order) -> sqlx::Result<Slice> {
    let (claim, now) = (work.claim, work.now);
    let (tasks, next) = order.slice(S::COLLECT_ROWS);
    if tasks.is_empty() {
        if !work.fence(conn, ADDING + 1, 0).await? {
            return Ok(Slice::Fenced);
        }
        conn.run(sql!("collect/skipped.sql"), &[&claim.job.0, &order.skipped])
            .await?;
        return Ok(match claim.run {
            1 => finish::<S>(conn, claim, now).await?,
            _ => Slice::More(0),
        });
    }
    let to = -next;
    if !work.fence(conn, ADDING, to).await? {
        return Ok(Slice::Fenced);
    }
    let added = insert(conn, claim, order, tasks, now).await?;
    conn.run(sql!("collect/added.sql"), &[&claim.job.0, &added.tasks])
        .await?;
    let failed = added.without_url.len() as i64;
    if failed > 0 {
        count_without_url(conn, claim, &added.without_url, now).await?;
        let line = LogLine {
            job: claim.job,
            level: Level::Error,
            message: format!("{failed} image(s) failed (no_url): {NO_URL}"),
            capture: None,
        };
        S::log(conn, &[line], now).await?;
    }
    let deltas = Deltas {
        failed,
        ..Deltas::default()
    };
    S::change(conn, claim.job, deltas, None, now).await?;
    Ok(Slice::More(to))
}

/// Settles the next tasks of older runs again.
async fn reset<S: Cold>(conn: &mut S::Conn, work: &Work<'_>) -> sqlx::Result<Slice> {
    let (claim, now) = (work.claim, work.now);
    let stale = lock_stale(conn, claim, work.source).await?;
    let Some(to) = stale.captures.last().copied() else {
        return Ok(match work.fence(conn, work.source.phase + 1, 0).await? {
            true => finish::<S>(conn, claim, now).await?,
            false => Slice::Fenced,
        });
    };
    if !work.fence(conn, work.source.phase, to).await? {
        return Ok(Slice::Fenced);
    }
    let values: [&dyn Value<'_>; 4] = [&claim.job.0, &claim.run, &List(&stale.captures), &now.0];
    conn.run(sql!(each "collect/reset.sql"), &values).await?;
    count_without_url(conn, claim, &stale.without_url, now).await?;
    S::change(conn, claim.job, stale.deltas, None, now).await?;
    Ok(Slice::More(to))
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

/// What was not there before.
struct Added {
    tasks: i64,
    /// Those of them that have failed.
    without_url: Vec<CaptureId>,
}

async fn insert<C: Conn>(
    conn: &mut C,
    claim: &Claim,
    order: &Order,
    tasks: &[(i64, i64)],
    now: Timestamp,
) -> sqlx::Result<Added> {
    let (usual, without): (Vec<_>, Vec<_>) = tasks
        .iter()
        .copied()
        .partition(|(_, capture)| order.has_url(*capture));
    let rows = |tasks: Vec<(i64, i64)>| Rows::of(tasks.into_iter().map(|(ord, capture)| [capture, ord]));
    let (usual, without) = (rows(usual), rows(without));
    let (job, run) = (claim.job.0, claim.run);
    let mut added = 0;
    if !usual.is_empty() {
        added = conn
            .run(sql!(each "collect/insert.sql"), &[&job, &run, &usual])
            .await? as i64;
    }
    let mut failed: Vec<Option<i64>> = Vec::new();
    if !without.is_empty() {
        let values: [&dyn Value<'_>; 4] = [&job, &run, &without, &now.0];
        failed = conn
            .list(sql!(each "collect/insert_without_url.sql"), &values, first)
            .await?;
    }
    Ok(Added {
        tasks: added + failed.len() as i64,
        without_url: failed.into_iter().flatten().map(CaptureId).collect(),
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
