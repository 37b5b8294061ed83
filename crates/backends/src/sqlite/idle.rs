//! Idle jobs: which they are, and how their lost tasks are settled or they are ended. Each is one transaction with
//! its own guard, so that a result that came in between wins; a dry run is the same one, rolled back.

use sqlx::{Row as _, SqliteConnection};
use trapline_core::{
    CaptureId, JobId, JobStatus, Timestamp,
    health::{id_lists, lost_line},
    job::JobMove,
    plan::{lost::By, settle::Deltas},
    ports::{Ended, MarkLost, MarkedLost, Touched, Vitals},
};

use super::{SqliteStore, counts, lost, sweep};
use crate::cold::jobs::move_in;

impl SqliteStore {
    pub(crate) async fn mark_lost_slice(&self, request: &MarkLost) -> sqlx::Result<MarkedLost> {
        if request.dry_run && request.strict {
            // It ends no lease: there is nothing to roll back, and the writer waits for nobody's million rows.
            let mut conn = self.readers.acquire().await?;
            return mark_lost_in(&mut conn, request).await;
        }
        let mut tx = self.writer.try_background().await?;
        let marked = mark_lost_in(tx.conn(), request).await?;
        if !request.dry_run {
            tx.try_commit().await?;
        }
        Ok(marked)
    }

    pub(crate) async fn end_stale_job(
        &self,
        job: &Vitals,
        cutoff: Timestamp,
        line: &str,
        now: Timestamp,
        dry_run: bool,
    ) -> sqlx::Result<Ended> {
        let mut tx = self.writer.try_background().await?;
        let ended = end_stale_in(tx.conn(), job, cutoff, line, now).await?;
        if !dry_run {
            tx.try_commit().await?;
        }
        Ok(ended)
    }
}

async fn still_idle(
    conn: &mut SqliteConnection,
    job: JobId,
    run: i64,
    cutoff: Timestamp,
) -> sqlx::Result<bool> {
    let found: i64 = sqlx::query_scalar(include_str!("sql/health/still_idle.sql"))
        .bind(job.0)
        .bind(run)
        .bind(cutoff.0)
        .fetch_one(conn)
        .await?;
    Ok(found > 0)
}

async fn mark_lost_in(conn: &mut SqliteConnection, request: &MarkLost) -> sqlx::Result<MarkedLost> {
    let mut marked = MarkedLost::default();
    if !still_idle(conn, request.job, request.run, request.cutoff).await? {
        marked.raced = true;
        return Ok(marked);
    }
    if !request.strict {
        end_leases(conn, request, &mut marked).await?;
    }
    if request.dry_run {
        marked.lost.extend(would_lose(conn, request).await?);
        return Ok(marked);
    }
    let rest = lost::lose(conn, &slice(request), request.now).await?;
    marked.more |= rest.len() as i64 == lost::ROWS;
    if !rest.is_empty() {
        let change = counts::Change {
            job: request.job,
            deltas: Deltas {
                failed: rest.len() as i64,
                ..Deltas::default()
            },
            total: None,
            by_result: false,
        };
        if let Some(mut touched) = counts::apply(conn, &change, request.now).await? {
            touched.settled = rest.into_iter().map(|c| (c, true)).collect();
            note(&mut marked, request.job, touched);
        }
    }
    if !marked.lost.is_empty() {
        write_lines(conn, request, &marked.lost).await?;
    }
    Ok(marked)
}

/// Ends leases that are over: a slice of them; all in a dry run, whose next slice would find these again.
async fn end_leases(
    conn: &mut SqliteConnection,
    request: &MarkLost,
    marked: &mut MarkedLost,
) -> sqlx::Result<()> {
    loop {
        let by = By::HealthCheck(request.job);
        let swept = sweep::end_due(conn, Some(request.job), by, &request.leases, request.now).await?;
        marked.freed.extend(swept.freed);
        for touched in swept.touched {
            note(marked, request.job, touched);
        }
        if !request.dry_run {
            marked.more = swept.more;
        }
        if !request.dry_run || !swept.more {
            return Ok(());
        }
    }
}

fn note(marked: &mut MarkedLost, job: JobId, touched: Touched) {
    if touched.job != job {
        return marked.others.push(touched);
    }
    marked
        .lost
        .extend(touched.settled.iter().map(|(capture, _)| *capture));
    match &mut marked.touched {
        None => marked.touched = Some(touched),
        Some(before) => {
            before.status = touched.status;
            before.landed |= touched.landed;
            before.settled.extend(touched.settled);
        }
    }
}

fn slice(request: &MarkLost) -> lost::Slice {
    lost::Slice {
        job: request.job,
        run: request.run,
        strict: request.strict,
        max_deliver: request.leases.max_deliver,
    }
}

/// All that slices would settle.
async fn would_lose(conn: &mut SqliteConnection, request: &MarkLost) -> sqlx::Result<Vec<CaptureId>> {
    let (sql, budget) = slice(request).sql();
    let mut query = sqlx::query_scalar(sql)
        .bind(request.job.0)
        .bind(request.run)
        .bind(i64::MAX);
    if let Some(budget) = budget {
        query = query.bind(budget);
    }
    let captures = query.fetch_all(conn).await?;
    Ok(captures.into_iter().map(CaptureId).collect())
}

/// One line in the job's errors, for all slices; the full list in its log.
async fn write_lines(
    conn: &mut SqliteConnection,
    request: &MarkLost,
    lost: &[CaptureId],
) -> sqlx::Result<()> {
    let mut all = request.earlier.clone();
    all.add(lost);
    let queue = request.queue.as_ref();
    let line = lost_line(queue, &all);
    let before = (request.earlier.count() > 0).then(|| lost_line(queue, &request.earlier));
    write_error(conn, request.job, &line, before.as_deref()).await?;
    for ids in id_lists(lost) {
        let line = format!("{line} {ids}");
        counts::log_line(conn, request.job, "WARNING", &line, None, request.now).await?;
    }
    Ok(())
}

/// Adds a line to a job's errors, in the place of `before` if that is the last.
async fn write_error(
    conn: &mut SqliteConnection,
    job: JobId,
    line: &str,
    before: Option<&str>,
) -> sqlx::Result<()> {
    let mut errors = lost::errors(conn, job).await?;
    if before.is_some() && errors.last().map(String::as_str) == before {
        errors.pop();
    }
    errors.push(line.to_owned());
    lost::save_errors(conn, job, &errors).await
}

async fn end_stale_in(
    conn: &mut SqliteConnection,
    job: &Vitals,
    cutoff: Timestamp,
    line: &str,
    now: Timestamp,
) -> sqlx::Result<Ended> {
    if !still_idle(conn, job.job, job.run, cutoff).await? {
        return Ok(Ended::Raced);
    }
    if job.collected
        && let Some(touched) = recount(conn, job.job, now).await?
        && touched.landed
    {
        return Ok(Ended::Landed(touched.status));
    }
    let moved = move_in(conn, job.job, JobMove::Reap, now).await?;
    if !moved.is_some_and(|m| m.changed && m.status == JobStatus::Revoked) {
        return Ok(Ended::Raced);
    }
    write_error(conn, job.job, line, None).await?;
    counts::log_line(conn, job.job, "ERROR", line, None, now).await?;
    Ok(Ended::Reaped)
}

/// Makes the counters agree with the rows, which lands the job if they are all settled.
async fn recount(conn: &mut SqliteConnection, job: JobId, now: Timestamp) -> sqlx::Result<Option<Touched>> {
    let row = sqlx::query(include_str!("sql/health/recount.sql"))
        .bind(job.0)
        .fetch_one(&mut *conn)
        .await?;
    let change = counts::Change {
        job,
        deltas: Deltas {
            processed: row.try_get("processed")?,
            failed: row.try_get("failed")?,
            detections: row.try_get("detections")?,
            classifications: row.try_get("classifications")?,
        },
        total: Some(row.try_get("total")?),
        by_result: false,
    };
    counts::apply(conn, &change, now).await
}
