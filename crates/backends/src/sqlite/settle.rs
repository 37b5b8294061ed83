//! Settling results (docs/rules.md A8 to A11): rows, plan, tasks, detections, classifications, logs, and the job rows
//! last, in one transaction.

use std::collections::HashMap;

use sqlx::{AssertSqlSafe, SqliteConnection, sqlite::SqliteArguments};
use trapline_core::{
    FailReason, Result, Timestamp, fault,
    plan::{
        TaskKey,
        settle::{self, Placed, SettlePlan, TaskView},
    },
    ports::{SettleReport, Settled, Settlement, Touched},
    result::pack,
};

use super::{SqliteStore, counts, db, json, store_error, suspects};
use crate::rows::{self, PlacedClass};

impl SqliteStore {
    pub(super) async fn settle_group(&self, items: &[Settlement], now: Timestamp) -> Result<SettleReport> {
        let mut report = SettleReport::default();
        // Groups still to be done, the first on top; a group that the database refuses is halved.
        let mut groups = vec![items];
        while let Some(group) = groups.pop() {
            match self.settle_once(group, now).await {
                Ok(done) => {
                    report.items.extend(done.items);
                    report.touched.extend(done.touched);
                    report.freed.extend(done.freed);
                }
                Err(e) if db(&e).1 && group.len() == 1 => report.items.push(Settled::Refused(e.to_string())),
                Err(e) if db(&e).1 => {
                    let (first, second) = group.split_at(group.len() / 2);
                    groups.extend([second, first]);
                }
                Err(e) => return Err(store_error(e)),
            }
        }
        Ok(report)
    }

    async fn settle_once(&self, items: &[Settlement], now: Timestamp) -> sqlx::Result<SettleReport> {
        if items.is_empty() {
            return Ok(SettleReport::default());
        }
        let mut tx = self.writer.try_foreground().await?;
        let rows = read_rows(tx.conn(), items).await?;
        let plan = settle::plan(items, rows);
        let touched = write(tx.conn(), &plan, now).await?;
        fault::reach(fault::SETTLE_UNCOMMITTED);
        tx.try_commit().await?;
        Ok(SettleReport {
            freed: plan.side_effects.freed(),
            items: plan.items,
            touched,
        })
    }
}

async fn read_rows(
    conn: &mut SqliteConnection,
    items: &[Settlement],
) -> sqlx::Result<HashMap<TaskKey, TaskView>> {
    let rows = sqlx::query(include_str!("sql/settle_rows.sql"))
        .bind(json(&settle::keys(items)))
        .fetch_all(conn)
        .await?;
    rows.iter().map(rows::task_view).collect()
}

async fn write(
    conn: &mut SqliteConnection,
    plan: &SettlePlan<'_>,
    now: Timestamp,
) -> sqlx::Result<Vec<Touched>> {
    if plan.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<_> = plan
        .rows
        .iter()
        .map(|((job, capture), task)| {
            let row = &task.row;
            (
                job,
                capture,
                row.state.as_str(),
                row.reason.map(FailReason::as_str),
                task.detail,
                row.n_detections,
                row.n_classifications,
                task.spec_run,
            )
        })
        .collect();
    sqlx::query(include_str!("sql/settle_set.sql"))
        .bind(json(&rows))
        .bind(now.0)
        .execute(&mut *conn)
        .await?;
    suspects::write(conn, &plan.side_effects, now).await?;
    delete_detections(conn, &plan.replaced).await?;
    insert_detections(conn, &plan.detections()).await?;
    counts::log_lines(conn, &plan.failures(), now).await?;
    let mut touched = Vec::with_capacity(plan.deltas.len());
    for (job, deltas) in &plan.deltas {
        let change = counts::Change {
            job: *job,
            deltas: *deltas,
            total: None,
            by_result: true,
        };
        if let Some(mut t) = counts::apply(conn, &change, now).await? {
            plan.tell(&mut t);
            touched.push(t);
        }
    }
    Ok(touched)
}

/// Removes the stored detections of tasks, with their classifications.
pub(super) async fn delete_detections(conn: &mut SqliteConnection, tasks: &[TaskKey]) -> sqlx::Result<()> {
    if tasks.is_empty() {
        return Ok(());
    }
    for sql in [
        include_str!("sql/detections_delete.sql"),
        include_str!("sql/classifications_delete.sql"),
    ] {
        sqlx::query(sql).bind(json(tasks)).execute(&mut *conn).await?;
    }
    Ok(())
}

async fn insert_detections(conn: &mut SqliteConnection, rows: &[Placed<'_>]) -> sqlx::Result<()> {
    const HEAD: &str = "INSERT INTO detections (job_id, ord, capture_id, n, algorithm_id, x1, y1, x2, y2, at, \
        inference_seconds, crop_image_url, score) VALUES ";
    for chunk in chunks(rows) {
        let mut query = sqlx::query(AssertSqlSafe(values(HEAD, 13, chunk.len())));
        for placed in chunk {
            let d = placed.detection;
            let corners = d.bbox.map(|b| [b.x1, b.y1, b.x2, b.y2]);
            query = bind_key(query, placed).bind(d.algorithm.0);
            for corner in 0..4 {
                query = query.bind(corners.map(|c| c[corner]));
            }
            query = query
                .bind(d.at.0)
                .bind(d.inference_seconds)
                .bind(d.crop_image_url.as_deref())
                .bind(d.score.map(f64::from));
        }
        query.execute(&mut *conn).await?;
    }
    insert_classifications(conn, &rows::classifications(rows)).await
}

async fn insert_classifications(conn: &mut SqliteConnection, rows: &[PlacedClass<'_>]) -> sqlx::Result<()> {
    const HEAD: &str = "INSERT INTO classifications (job_id, ord, capture_id, n, position, algorithm_id, label, \
        terminal, score, scores, logits, at, inference_seconds, labels) VALUES ";
    for chunk in chunks(rows) {
        let mut query = sqlx::query(AssertSqlSafe(values(HEAD, 14, chunk.len())));
        for (placed, position, c) in chunk {
            query = bind_key(query, placed)
                .bind(position)
                .bind(c.algorithm.0)
                .bind(c.label.as_str())
                .bind(c.terminal)
                .bind(c.score.map(f64::from))
                .bind(pack(&c.scores))
                .bind(pack(&c.logits))
                .bind(c.at.0)
                .bind(c.inference_seconds)
                .bind(rows::own_labels(c));
        }
        query.execute(&mut *conn).await?;
    }
    Ok(())
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Sqlite, SqliteArguments>;

fn bind_key<'q>(query: Query<'q>, placed: &Placed<'_>) -> Query<'q> {
    let (job, capture) = placed.task;
    query.bind(job.0).bind(placed.ord).bind(capture.0).bind(placed.n)
}

/// How many rows one statement may insert. Few sizes, because each is a statement to prepare; so close that a group is cut into few
/// chunks, because each is a message to SQLite's thread and back.
const SIZES: [usize; 16] = [256, 192, 128, 96, 64, 48, 32, 24, 16, 12, 8, 6, 4, 3, 2, 1];

/// Cuts rows into chunks of those sizes.
fn chunks<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = SIZES.into_iter().find(|size| *size <= rows.len())?;
        let (chunk, rest) = rows.split_at(size);
        rows = rest;
        Some(chunk)
    })
}

fn values(head: &str, columns: usize, rows: usize) -> String {
    let row = format!("({})", vec!["?"; columns].join(","));
    format!("{head}{}", vec![row; rows].join(","))
}
