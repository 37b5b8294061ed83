//! Idle jobs: how their lost tasks are settled or they are ended. Each is one transaction with its own guard, so that a result
//! that came in between wins; a dry run is the same one, rolled back.

use trapline_core::{
    CaptureId, FailReason, JobId, JobStatus, Timestamp,
    failures::{Kind, Tally},
    health::{STRICT_DETAIL, id_lists, lost_line},
    job::JobMove,
    plan::settle::Deltas,
    ports::{Ended, Level, LogLine, MarkLost, MarkedLost, Touched, Vitals},
};

use super::{Cold, Turn};
use crate::{
    cold::{failures, jobs, lost, retried},
    rows::Columns as _,
    sql::{Conn, Value, first, sql},
};

pub(crate) async fn mark_lost<S: Cold>(store: &S, request: &MarkLost) -> sqlx::Result<MarkedLost> {
    if request.dry_run && request.strict {
        // It ends no lease: there is nothing to roll back, and no writer waits for a million rows.
        let mut conn = store.reader().await?;
        return mark_lost_in::<S>(&mut conn, request).await;
    }
    retried::<S, _>(|| Box::pin(mark_lost_once(store, request))).await
}

async fn mark_lost_once<S: Cold>(store: &S, request: &MarkLost) -> sqlx::Result<MarkedLost> {
    let mut tx = store.begin(Turn::Background).await?;
    S::lock_sweeps(&mut tx).await?;
    let marked = mark_lost_in::<S>(&mut tx, request).await?;
    if !request.dry_run {
        S::commit(tx).await?;
    }
    Ok(marked)
}

async fn still_idle<C: Conn>(conn: &mut C, job: JobId, run: i64, cutoff: Timestamp) -> sqlx::Result<bool> {
    let values: [&dyn Value<'_>; 3] = [&job.0, &run, &cutoff.0];
    let found = conn.rows(sql!(each "health/still_idle.sql"), &values).await?;
    Ok(!found.is_empty())
}

async fn mark_lost_in<S: Cold>(conn: &mut S::Conn, request: &MarkLost) -> sqlx::Result<MarkedLost> {
    let mut marked = MarkedLost::default();
    if !still_idle(conn, request.job, request.run, request.cutoff).await? {
        marked.raced = true;
        return Ok(marked);
    }
    if !request.strict {
        end_leases::<S>(conn, request, &mut marked).await?;
    } else if request.dry_run {
        marked.lost = would_lose(conn, request).await?;
    } else {
        lose_all_pending::<S>(conn, request, &mut marked).await?;
    }
    if !request.dry_run && !marked.lost.is_empty() {
        write_lines::<S>(conn, request, &marked.lost).await?;
    }
    Ok(marked)
}

/// Settles a slice of what is pending.
async fn lose_all_pending<S: Cold>(
    conn: &mut S::Conn,
    request: &MarkLost,
    marked: &mut MarkedLost,
) -> sqlx::Result<()> {
    let rest = lost::lose::<S>(conn, request.job, request.run, request.now).await?;
    marked.more = rest.len() as i64 == S::LOST_ROWS;
    if !rest.is_empty() {
        let run = (request.job, request.run);
        let tally = Tally::of(run, &Kind::of(FailReason::Lost, STRICT_DETAIL), &rest);
        // Locked, as they are counted.
        conn.rows(sql!(each "jobs/lock.sql"), &[&request.job.0]).await?;
        failures::count(conn, &tally, request.now).await?;
        let deltas = Deltas {
            failed: rest.len() as i64,
            ..Deltas::default()
        };
        if let Some(mut touched) = S::change(conn, request.job, deltas, None, request.now).await? {
            touched.settled = rest.into_iter().map(|c| (c, true)).collect();
            note(marked, request.job, touched);
        }
    }
    Ok(())
}

/// Ends leases that are over: a slice of them; all in a dry run, whose next slice would find these again.
async fn end_leases<S: Cold>(
    conn: &mut S::Conn,
    request: &MarkLost,
    marked: &mut MarkedLost,
) -> sqlx::Result<()> {
    loop {
        let swept = S::end_due(conn, request.job, &request.leases, request.now).await?;
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

/// All that slices would settle, of which nothing is locked.
async fn would_lose<C: Conn>(conn: &mut C, request: &MarkLost) -> sqlx::Result<Vec<CaptureId>> {
    let values: [&dyn Value<'_>; 3] = [&request.job.0, &request.run, &i64::MAX];
    conn.list(lost::PENDING, &values, |row| first(row).map(CaptureId))
        .await
}

/// One line in the job's errors, for all slices; the full list in its log.
async fn write_lines<S: Cold>(
    conn: &mut S::Conn,
    request: &MarkLost,
    lost: &[CaptureId],
) -> sqlx::Result<()> {
    let mut all = request.earlier.clone();
    all.add(lost);
    let queue = request.queue.as_ref();
    let line = lost_line(queue, &all);
    let before = (request.earlier.count() > 0).then(|| lost_line(queue, &request.earlier));
    write_error(conn, request.job, &line, before.as_deref()).await?;
    let lines = id_lists(lost).map(|ids| log_line(request.job, Level::Warning, format!("{line} {ids}")));
    S::log(conn, &lines.collect::<Vec<_>>(), request.now).await
}

/// Adds a line to a job's errors, in the place of `before` if that is the last.
async fn write_error<C: Conn>(
    conn: &mut C,
    job: JobId,
    line: &str,
    before: Option<&str>,
) -> sqlx::Result<()> {
    let mut errors = jobs::errors(conn, job).await?;
    if before.is_some() && errors.last().map(String::as_str) == before {
        errors.pop();
    }
    errors.push(line.to_owned());
    jobs::save_errors(conn, job, &errors).await
}

pub(crate) async fn end_stale<S: Cold>(
    store: &S,
    job: &Vitals,
    cutoff: Timestamp,
    line: &str,
    now: Timestamp,
    dry_run: bool,
) -> sqlx::Result<Ended> {
    retried::<S, _>(|| Box::pin(end_stale_once(store, job, cutoff, line, now, dry_run))).await
}

async fn end_stale_once<S: Cold>(
    store: &S,
    job: &Vitals,
    cutoff: Timestamp,
    line: &str,
    now: Timestamp,
    dry_run: bool,
) -> sqlx::Result<Ended> {
    let mut tx = store.begin(Turn::Background).await?;
    let ended = end_stale_in::<S>(&mut tx, job, cutoff, line, now).await?;
    if !dry_run {
        S::commit(tx).await?;
    }
    Ok(ended)
}

async fn end_stale_in<S: Cold>(
    conn: &mut S::Conn,
    job: &Vitals,
    cutoff: Timestamp,
    line: &str,
    now: Timestamp,
) -> sqlx::Result<Ended> {
    if !still_idle(conn, job.job, job.run, cutoff).await? {
        return Ok(Ended::Raced);
    }
    if job.collected
        && let Some(touched) = recount::<S>(conn, job.job, now).await?
        && touched.landed
    {
        return Ok(Ended::Landed(touched.status));
    }
    let moved = jobs::move_in(conn, job.job, JobMove::Reap, now).await?;
    if !moved.is_some_and(|m| m.changed && m.status == JobStatus::Revoked) {
        return Ok(Ended::Raced);
    }
    write_error(conn, job.job, line, None).await?;
    S::log(conn, &[log_line(job.job, Level::Error, line.to_owned())], now).await?;
    Ok(Ended::Reaped)
}

/// Makes the counters agree with the rows, which lands the job if they are all settled.
async fn recount<S: Cold>(conn: &mut S::Conn, job: JobId, now: Timestamp) -> sqlx::Result<Option<Touched>> {
    let rows = conn.rows(sql!(each "health/recount.sql"), &[&job.0]).await?;
    let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
    let deltas = Deltas {
        processed: row.col("processed")?,
        failed: row.col("failed")?,
        detections: row.col("detections")?,
        classifications: row.col("classifications")?,
    };
    S::change(conn, job, deltas, Some(row.col("total")?), now).await
}

fn log_line(job: JobId, level: Level, message: String) -> LogLine {
    LogLine {
        job,
        level,
        message,
        capture: None,
    }
}
