//! Collecting a job's tasks in slices, fenced by the dispatcher's epoch and a watermark (docs/rules.md A12, A13).
//!
//! Phase 0 adds the captures of the set as tasks, in the order of their ids; phase 1 resets tasks of older runs.
//! Each slice is one background transaction that begins by moving the watermark, so that a crash, or a dispatcher
//! that wakes up late, repeats nothing.

use std::time::Duration;

use sqlx::{Row as _, SqliteConnection, sqlite::SqliteRow};
use trapline_core::{
    JobId, JobStatus, Result, Timestamp,
    plan::settle::Deltas,
    ports::{Claim, Slice},
};

use super::{SLICE_ROWS, SqliteStore, counts, json, store_error};
use crate::rows::JobSource;

const PRIME: i64 = 2_147_483_647;
const ADDING: i64 = 0;

/// A capture of a slice.
struct Collected {
    id: i64,
    ord: i64,
    no_url: bool,
    done: bool,
}

impl SqliteStore {
    pub(super) async fn claim_next(
        &self,
        now: Timestamp,
        lease: Duration,
        seed: i64,
    ) -> Result<Option<Claim>> {
        let mut tx = self.writer.background().await?;
        let claim = claim_in(tx.conn(), now, lease, seed).await.map_err(store_error)?;
        tx.commit().await?;
        Ok(claim)
    }

    pub(super) async fn slice(&self, claim: &Claim, now: Timestamp, lease: Duration) -> Result<Slice> {
        let Some(mut source) = self.source(claim.job).await.map_err(store_error)? else {
            return Ok(Slice::Fenced);
        };
        let mut cut = None;
        if source.phase == ADDING && source.limit.is_some() && source.cut.is_none() {
            cut = self.cut(claim.job, &source).await.map_err(store_error)?;
            source.cut = cut;
        }
        let mut tx = self.writer.background().await?;
        let slice = slice_in(tx.conn(), claim, &source, cut, now, lease)
            .await
            .map_err(store_error)?;
        tx.commit().await?;
        Ok(slice)
    }

    async fn source(&self, job: JobId) -> sqlx::Result<Option<JobSource>> {
        let row = sqlx::query(
            "SELECT phase, mode, collection_id, capture_id, max_capture_id, seed, shuffle, reprocess, fingerprint, \
             image_limit, cut_ord, cut_capture_id FROM jobs WHERE id = ?1 AND deleted_at IS NULL",
        )
        .bind(job.0)
        .fetch_optional(&self.readers)
        .await?;
        row.as_ref().map(JobSource::read).transpose()
    }

    /// Where a limit cuts the order: the place of the last capture that is in. Read outside the writer, because it
    /// walks the whole set.
    async fn cut(&self, job: JobId, source: &JobSource) -> sqlx::Result<Option<(i64, i64)>> {
        let limit = source.limit.and_then(|l| usize::try_from(l).ok()).unwrap_or(0);
        let mut conn = self.readers.acquire().await?;
        let mut places = Vec::new();
        let mut after = 0;
        loop {
            let ids = page(&mut conn, source, after).await?;
            let Some(last) = ids.last() else { break };
            after = *last;
            let eligible = look(&mut conn, job, source, &ids).await?;
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
}

async fn claim_in(
    conn: &mut SqliteConnection,
    now: Timestamp,
    lease: Duration,
    seed: i64,
) -> sqlx::Result<Option<Claim>> {
    let row: Option<SqliteRow> = sqlx::query(include_str!("sql/claim.sql"))
        .bind(now.0)
        .fetch_optional(&mut *conn)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let job: i64 = row.try_get("id")?;
    let watermark: i64 = row.try_get("watermark")?;
    let run: i64 = row.try_get("run")?;
    sqlx::query(include_str!("sql/freeze_run.sql"))
        .bind(job)
        .bind(run)
        .execute(&mut *conn)
        .await?;
    let epoch = sqlx::query_scalar(include_str!("sql/claim_set.sql"))
        .bind(job)
        .bind(now.plus(lease).0)
        .bind(now.0)
        .bind(seed)
        .fetch_one(conn)
        .await?;
    Ok(Some(Claim {
        job: JobId(job),
        run,
        epoch,
        watermark,
    }))
}

async fn slice_in(
    conn: &mut SqliteConnection,
    claim: &Claim,
    source: &JobSource,
    cut: Option<(i64, i64)>,
    now: Timestamp,
    lease: Duration,
) -> sqlx::Result<Slice> {
    let ids = match source.phase {
        ADDING => page(conn, source, claim.watermark).await?,
        _ => stale(conn, claim, source).await?,
    };
    // An empty page ends its phase; the next one begins at 0.
    let (phase, to) = match ids.last() {
        Some(last) => (source.phase, *last),
        None => (source.phase + 1, 0),
    };
    let fenced = sqlx::query(
        "UPDATE jobs SET watermark = ?4, phase = ?5, dispatch_until = ?6, cut_ord = ifnull(?7, cut_ord), \
         cut_capture_id = ifnull(?8, cut_capture_id), updated_at = ?9 \
         WHERE id = ?1 AND dispatch_epoch = ?2 AND run = ?3 AND watermark = ?10 AND phase = ?11 \
           AND status = 'STARTED' AND NOT collected AND deleted_at IS NULL",
    )
    .bind(claim.job.0)
    .bind(claim.epoch)
    .bind(claim.run)
    .bind(to)
    .bind(phase)
    .bind(now.plus(lease).0)
    .bind(cut.map(|c| c.0))
    .bind(cut.map(|c| c.1))
    .bind(now.0)
    .bind(claim.watermark)
    .bind(source.phase)
    .execute(&mut *conn)
    .await?
    .rows_affected()
        == 0;
    if fenced {
        return Ok(Slice::Fenced);
    }
    if !ids.is_empty() {
        let deltas = match source.phase {
            ADDING => add(conn, claim, source, &ids, now).await?,
            _ => reset(conn, claim, &ids, now).await?,
        };
        let change = counts::Change {
            job: claim.job,
            deltas,
            total: None,
            by_result: false,
        };
        counts::apply(conn, &change, now).await?;
        return Ok(Slice::More(to));
    }
    if source.phase == ADDING && claim.run > 1 {
        return Ok(Slice::More(0));
    }
    finish(conn, claim, now).await
}

async fn finish(conn: &mut SqliteConnection, claim: &Claim, now: Timestamp) -> sqlx::Result<Slice> {
    let total: i64 = sqlx::query_scalar("SELECT count(*) FROM tasks WHERE job_id = ?1")
        .bind(claim.job.0)
        .fetch_one(&mut *conn)
        .await?;
    sqlx::query("UPDATE jobs SET dispatch_until = NULL WHERE id = ?1")
        .bind(claim.job.0)
        .execute(&mut *conn)
        .await?;
    let change = counts::Change {
        job: claim.job,
        deltas: Deltas::default(),
        total: Some(total),
        by_result: false,
    };
    let status = counts::apply(conn, &change, now)
        .await?
        .map_or(JobStatus::Revoked, |t| t.status);
    Ok(Slice::Done {
        status,
        total: u64::try_from(total).unwrap_or(0),
    })
}

/// The next captures of the job's set.
async fn page(conn: &mut SqliteConnection, source: &JobSource, after: i64) -> sqlx::Result<Vec<i64>> {
    if let Some(capture) = source.capture {
        return Ok(if capture > after { vec![capture] } else { vec![] });
    }
    sqlx::query_scalar(
        "SELECT capture_id FROM collection_captures WHERE collection_id = ?1 AND capture_id > ?2 AND capture_id <= ?3 \
         ORDER BY capture_id LIMIT ?4",
    )
    .bind(source.collection)
    .bind(after)
    .bind(source.max_capture)
    .bind(SLICE_ROWS)
    .fetch_all(conn)
    .await
}

/// The next tasks of older runs that this run settles again.
async fn stale(conn: &mut SqliteConnection, claim: &Claim, source: &JobSource) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar(
        "SELECT capture_id FROM tasks WHERE job_id = ?1 AND capture_id > ?2 AND run < ?3 \
           AND (?4 = 'all' OR state <> 'processed') ORDER BY capture_id LIMIT ?5",
    )
    .bind(claim.job.0)
    .bind(claim.watermark)
    .bind(claim.run)
    .bind(&source.mode)
    .bind(SLICE_ROWS)
    .fetch_all(conn)
    .await
}

async fn look(
    conn: &mut SqliteConnection,
    job: JobId,
    source: &JobSource,
    ids: &[i64],
) -> sqlx::Result<Vec<Collected>> {
    let rows = sqlx::query(include_str!("sql/collect_page.sql"))
        .bind(json(ids))
        .bind(job.0)
        .bind(if source.reprocess {
            ""
        } else {
            source.fingerprint.as_str()
        })
        .bind(source.seed.rem_euclid(PRIME))
        .bind((source.seed / PRIME).rem_euclid(PRIME))
        .bind(source.shuffle)
        .fetch_all(conn)
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Collected {
                id: row.try_get("id")?,
                ord: row.try_get("ord")?,
                no_url: row.try_get("no_url")?,
                done: row.try_get("done")?,
            })
        })
        .collect()
}

async fn add(
    conn: &mut SqliteConnection,
    claim: &Claim,
    source: &JobSource,
    ids: &[i64],
    now: Timestamp,
) -> sqlx::Result<Deltas> {
    let captures = look(conn, claim.job, source, ids).await?;
    let skipped = captures.iter().filter(|c| c.done).count() as i64;
    let tasks: Vec<_> = captures
        .iter()
        .filter(|c| !c.done && source.cut.is_none_or(|cut| (c.ord, c.id) <= cut))
        .map(|c| (c.id, c.ord, c.no_url))
        .collect();
    let inserted: Vec<bool> = sqlx::query_scalar(include_str!("sql/collect_insert.sql"))
        .bind(claim.job.0)
        .bind(claim.run)
        .bind(json(&tasks))
        .bind(now.0)
        .fetch_all(&mut *conn)
        .await?;
    sqlx::query("UPDATE jobs SET skipped = skipped + ?2, total = total + ?3 WHERE id = ?1")
        .bind(claim.job.0)
        .bind(skipped)
        .bind(inserted.len() as i64)
        .execute(&mut *conn)
        .await?;
    let failed = inserted.iter().filter(|failed| **failed).count() as i64;
    if failed > 0 {
        let line = format!("{failed} image(s) failed (no_url): the capture has no url");
        counts::log_line(conn, claim.job, "ERROR", &line, None, now).await?;
    }
    Ok(Deltas {
        failed,
        ..Deltas::default()
    })
}

async fn reset(
    conn: &mut SqliteConnection,
    claim: &Claim,
    ids: &[i64],
    now: Timestamp,
) -> sqlx::Result<Deltas> {
    let (processed, failed): (i64, i64) = sqlx::query_as(
        "SELECT ifnull(sum(state = 'processed'), 0), ifnull(sum(state = 'failed' AND reason <> 'no_url'), 0) \
         FROM tasks INDEXED BY tasks_image WHERE job_id = ?1 AND capture_id IN (SELECT value FROM json_each(?2))",
    )
    .bind(claim.job.0)
    .bind(json(ids))
    .fetch_one(&mut *conn)
    .await?;
    sqlx::query(include_str!("sql/collect_reset.sql"))
        .bind(claim.job.0)
        .bind(claim.run)
        .bind(json(ids))
        .bind(now.0)
        .execute(conn)
        .await?;
    Ok(Deltas {
        processed: -processed,
        failed: -failed,
        ..Deltas::default()
    })
}
