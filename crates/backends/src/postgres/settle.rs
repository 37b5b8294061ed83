//! Settling results (docs/rules.md A8 to A11): rows locked in order, plan, tasks, grants, detections, classifications, logs, and
//! the job rows last, in one transaction.

use std::collections::HashMap;

use sqlx::{PgConnection, postgres::PgArguments};
use trapline_core::{
    FailReason, Result, Timestamp, fault,
    plan::{
        TaskKey,
        settle::{self, Placed, SettlePlan, TaskView},
    },
    ports::{SettleReport, Settled, Settlement, Touched},
    result::pack,
};

use super::{
    PostgresStore, columns,
    counts::{self, Cause},
    db, retried, store_error, suspects,
};
use crate::rows::{self, PlacedClass};

/// Rows of one statement; the server parses a message as a whole.
const ROWS_MAX: usize = 5_000;
/// Packed floats of one statement, roughly.
const BYTES_MAX: usize = 16 << 20;

impl PostgresStore {
    pub(super) async fn settle_group(&self, items: &[Settlement], now: Timestamp) -> Result<SettleReport> {
        let mut report = SettleReport::default();
        // Groups still to be done, the first on top; a group that the database refuses is halved.
        let mut groups = vec![items];
        while let Some(group) = groups.pop() {
            match retried(|| Box::pin(self.settle_once(group, now))).await {
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
        let mut tx = self.begin().await?;
        let rows = read_rows(&mut tx, items).await?;
        let plan = settle::plan(items, rows);
        let mut touched = Vec::new();
        if !plan.is_empty() {
            touched = write(&mut tx, &plan, now).await?;
            fault::reach(fault::SETTLE_UNCOMMITTED);
            tx.commit().await?;
        }
        Ok(SettleReport {
            freed: plan.side_effects.freed(),
            items: plan.items,
            touched,
        })
    }
}

async fn read_rows(
    conn: &mut PgConnection,
    items: &[Settlement],
) -> sqlx::Result<HashMap<TaskKey, TaskView>> {
    let (jobs, captures) = columns(&settle::keys(items));
    let rows = sqlx::query(include_str!("sql/settle_rows.sql"))
        .bind(jobs)
        .bind(captures)
        .fetch_all(conn)
        .await?;
    rows.iter().map(rows::task_view).collect()
}

async fn write(conn: &mut PgConnection, plan: &SettlePlan<'_>, now: Timestamp) -> sqlx::Result<Vec<Touched>> {
    write_tasks(conn, plan, now).await?;
    suspects::write(conn, &plan.side_effects, now).await?;
    delete_detections(conn, &plan.replaced).await?;
    insert_detections(conn, &plan.detections()).await?;
    counts::log_lines(conn, &plan.failures(), now).await?;
    let changes: Vec<_> = plan
        .deltas
        .iter()
        .map(|(job, deltas)| counts::Change {
            job: *job,
            deltas: *deltas,
            total: None,
        })
        .collect();
    let mut touched = counts::apply(conn, &changes, &plan.tally, Cause::Result, now).await?;
    for job in &mut touched {
        plan.tell(job);
    }
    Ok(touched)
}

async fn write_tasks(conn: &mut PgConnection, plan: &SettlePlan<'_>, now: Timestamp) -> sqlx::Result<()> {
    if plan.rows.is_empty() {
        return Ok(());
    }
    let (jobs, captures) = columns(plan.rows.keys());
    let tasks = || plan.rows.values();
    sqlx::query(include_str!("sql/settle_set.sql"))
        .bind(jobs)
        .bind(captures)
        .bind(tasks().map(|t| t.row.state.as_str()).collect::<Vec<_>>())
        .bind(
            tasks()
                .map(|t| t.row.reason.map(FailReason::as_str))
                .collect::<Vec<_>>(),
        )
        .bind(tasks().map(|t| t.detail).collect::<Vec<_>>())
        .bind(tasks().map(|t| t.row.n_detections).collect::<Vec<_>>())
        .bind(tasks().map(|t| t.row.n_classifications).collect::<Vec<_>>())
        .bind(now.0)
        .bind(tasks().map(|t| t.spec_run).collect::<Vec<_>>())
        .execute(conn)
        .await
        .map(drop)
}

/// Removes the stored detections of tasks, with their classifications.
pub(super) async fn delete_detections(conn: &mut PgConnection, tasks: &[TaskKey]) -> sqlx::Result<()> {
    if tasks.is_empty() {
        return Ok(());
    }
    for sql in [
        include_str!("sql/detections_delete.sql"),
        include_str!("sql/classifications_delete.sql"),
    ] {
        let (jobs, captures) = columns(tasks);
        sqlx::query(sql)
            .bind(jobs)
            .bind(captures)
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}

async fn insert_detections(conn: &mut PgConnection, rows: &[Placed<'_>]) -> sqlx::Result<()> {
    for chunk in rows.chunks(ROWS_MAX) {
        let each = || chunk.iter().map(|placed| placed.detection);
        bind_keys(
            sqlx::query(include_str!("sql/detections_insert.sql")),
            chunk.iter(),
        )
        .bind(each().map(|d| d.algorithm.0).collect::<Vec<_>>())
        .bind(each().map(|d| d.bbox.map(|b| b.x1)).collect::<Vec<_>>())
        .bind(each().map(|d| d.bbox.map(|b| b.y1)).collect::<Vec<_>>())
        .bind(each().map(|d| d.bbox.map(|b| b.x2)).collect::<Vec<_>>())
        .bind(each().map(|d| d.bbox.map(|b| b.y2)).collect::<Vec<_>>())
        .bind(each().map(|d| d.at.0).collect::<Vec<_>>())
        .bind(each().map(|d| d.inference_seconds).collect::<Vec<_>>())
        .bind(each().map(|d| d.crop_image_url.as_deref()).collect::<Vec<_>>())
        .bind(each().map(|d| d.score.map(f64::from)).collect::<Vec<_>>())
        .execute(&mut *conn)
        .await?;
    }
    for chunk in chunks(&rows::classifications(rows)) {
        insert_classifications(conn, chunk).await?;
    }
    Ok(())
}

async fn insert_classifications(conn: &mut PgConnection, chunk: &[PlacedClass<'_>]) -> sqlx::Result<()> {
    let each = || chunk.iter().map(|(_, _, c)| c);
    let keys = chunk.iter().map(|(placed, ..)| placed);
    bind_keys(sqlx::query(include_str!("sql/classifications_insert.sql")), keys)
        .bind(chunk.iter().map(|(_, at, _)| *at).collect::<Vec<_>>())
        .bind(each().map(|c| c.algorithm.0).collect::<Vec<_>>())
        .bind(each().map(|c| c.label.as_str()).collect::<Vec<_>>())
        .bind(each().map(|c| c.terminal).collect::<Vec<_>>())
        .bind(each().map(|c| c.score.map(f64::from)).collect::<Vec<_>>())
        .bind(each().map(|c| pack(&c.scores)).collect::<Vec<_>>())
        .bind(each().map(|c| pack(&c.logits)).collect::<Vec<_>>())
        .bind(each().map(|c| c.at.0).collect::<Vec<_>>())
        .bind(each().map(|c| c.inference_seconds).collect::<Vec<_>>())
        .bind(each().map(|c| rows::own_labels(c)).collect::<Vec<_>>())
        .execute(conn)
        .await
        .map(drop)
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Postgres, PgArguments>;

/// Binds four columns: job, `ord`, capture, number.
fn bind_keys<'q, 'a>(query: Query<'q>, keys: impl Iterator<Item = &'a Placed<'a>> + Clone) -> Query<'q> {
    query
        .bind(keys.clone().map(|k| k.task.0.0).collect::<Vec<_>>())
        .bind(keys.clone().map(|k| k.ord).collect::<Vec<_>>())
        .bind(keys.clone().map(|k| k.task.1.0).collect::<Vec<_>>())
        .bind(keys.map(|k| k.n).collect::<Vec<_>>())
}

/// Cuts classifications into chunks that are bounded in rows and in bytes.
fn chunks<'r, 'c>(mut rows: &'r [PlacedClass<'c>]) -> impl Iterator<Item = &'r [PlacedClass<'c>]> {
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = |(_, _, c): &&PlacedClass<'c>| {
            let labels = c.labels.iter().flatten().map(String::len).sum::<usize>();
            bytes += 4 * (c.scores.len() + c.logits.len()) + labels;
            bytes <= BYTES_MAX
        };
        let size = rows.iter().take(ROWS_MAX).take_while(fits).count();
        let (chunk, rest) = rows.split_at(size.max(1).min(rows.len()));
        rows = rest;
        (!chunk.is_empty()).then_some(chunk)
    })
}
