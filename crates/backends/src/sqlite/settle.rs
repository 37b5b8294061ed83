//! Settling results (docs/rules.md A8 to A11): rows, plan, tasks, detections, classifications, logs, and the job rows
//! last, in one transaction.

use std::collections::HashMap;

use sqlx::{AssertSqlSafe, SqliteConnection, sqlite::SqliteArguments};
use trapline_core::{
    AlgorithmId, CaptureId, FailReason, JobId, Result, Timestamp, fault,
    plan::{
        TaskKey,
        settle::{self, SettlePlan, TaskView},
    },
    ports::{SettleReport, Settled, Settlement, Touched},
    result::{Classification, Detection, DetectionKey, pack},
};

use super::{SqliteStore, counts, db, json, store_error, suspects};
use crate::rows::{self, Columns as _, Placed};

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
    let gone: Vec<i64> = sqlx::query_scalar(include_str!("sql/detections_delete.sql"))
        .bind(json(tasks))
        .fetch_all(&mut *conn)
        .await?;
    sqlx::query("DELETE FROM classifications WHERE detection_id IN (SELECT value FROM json_each(?1))")
        .bind(json(&gone))
        .execute(conn)
        .await?;
    Ok(())
}

async fn insert_detections(conn: &mut SqliteConnection, rows: &[(TaskKey, &Detection)]) -> sqlx::Result<()> {
    const HEAD: &str = "INSERT INTO detections \
        (job_id, capture_id, algorithm_id, x1, y1, x2, y2, at, inference_seconds, crop_image_url, score) VALUES ";
    const TAIL: &str = " RETURNING id, job_id, capture_id, algorithm_id, x1, y1, x2, y2";
    let mut ids: HashMap<(TaskKey, DetectionKey), i64> = HashMap::with_capacity(rows.len());
    for chunk in chunks(rows) {
        let mut query = sqlx::query(AssertSqlSafe(values(HEAD, 11, chunk.len(), TAIL)));
        for ((job, capture), d) in chunk {
            let b = d.bbox;
            query = query
                .bind(job.0)
                .bind(capture.0)
                .bind(d.algorithm.0)
                .bind(b.map(|b| b.x1))
                .bind(b.map(|b| b.y1))
                .bind(b.map(|b| b.x2))
                .bind(b.map(|b| b.y2))
                .bind(d.at.0)
                .bind(d.inference_seconds)
                .bind(d.crop_image_url.as_deref())
                .bind(d.score.map(f64::from));
        }
        for row in query.fetch_all(&mut *conn).await? {
            let bbox = rows::corners(&row)?.map(|b| b.map(f64::to_bits));
            let key = (JobId(row.col("job_id")?), CaptureId(row.col("capture_id")?));
            let algorithm = AlgorithmId(row.col("algorithm_id")?);
            ids.insert((key, (algorithm, bbox)), row.col("id")?);
        }
    }
    insert_classifications(conn, &rows::place(rows, &ids)?).await
}

async fn insert_classifications(conn: &mut SqliteConnection, rows: &[Placed<'_>]) -> sqlx::Result<()> {
    const HEAD: &str = "INSERT INTO classifications (detection_id, algorithm_id, position, label, terminal, score, \
        scores, logits, at, inference_seconds, labels) VALUES ";
    for chunk in chunks(rows) {
        let mut query = sqlx::query::<_>(AssertSqlSafe(values(HEAD, 11, chunk.len(), "")));
        for (detection, at, c) in chunk {
            query = bind_classification(query, *detection, *at, c);
        }
        query.execute(&mut *conn).await?;
    }
    Ok(())
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Sqlite, SqliteArguments>;

fn bind_classification<'q>(query: Query<'q>, detection: i64, at: i64, c: &'q Classification) -> Query<'q> {
    query
        .bind(detection)
        .bind(c.algorithm.0)
        .bind(at)
        .bind(c.label.as_str())
        .bind(c.terminal)
        .bind(c.score.map(f64::from))
        .bind(pack(&c.scores))
        .bind(pack(&c.logits))
        .bind(c.at.0)
        .bind(c.inference_seconds)
        .bind(rows::own_labels(c))
}

/// Cuts rows into chunks of few different sizes, so that few different statements are prepared.
fn chunks<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = [256, 64, 16, 4, 1].into_iter().find(|size| *size <= rows.len())?;
        let (chunk, rest) = rows.split_at(size);
        rows = rest;
        Some(chunk)
    })
}

fn values(head: &str, columns: usize, rows: usize, tail: &str) -> String {
    let row = format!("({})", vec!["?"; columns].join(","));
    format!("{head}{}{tail}", vec![row; rows].join(","))
}
