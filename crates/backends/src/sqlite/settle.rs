//! Settling results (docs/rules.md A8 to A11): rows, plan, tasks, detections, classifications, logs, and the job rows
//! last, in one transaction.

use std::collections::HashMap;

use rusqlite::params;
use trapline_core::{
    FailReason, Result, Timestamp, fault,
    plan::{
        TaskKey,
        settle::{self, Placed, SettlePlan, TaskView},
    },
    ports::{SettleReport, Settled, Settlement, Touched},
    result::{BBox, pack},
};

use super::{
    SqliteStore, counts, db,
    direct::{Direct, Done},
    json, store_error, suspects,
};
use crate::{
    cold::failures,
    rows,
    sql::{Conn, sql},
};

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
        self.writer
            .direct(async |conn| {
                let plan = settle::plan(items, read_rows(conn, items)?);
                let touched = write(conn, &plan, now).await?;
                fault::reach(fault::SETTLE_UNCOMMITTED);
                Ok(Done::Commit(SettleReport {
                    freed: plan.side_effects.freed(),
                    items: plan.items,
                    touched,
                }))
            })
            .await
    }
}

fn read_rows(conn: &Direct, items: &[Settlement]) -> sqlx::Result<HashMap<TaskKey, TaskView>> {
    let mut task = conn.statement(include_str!("sql/settle_row.sql"))?;
    let mut rows = HashMap::new();
    for (job, capture) in settle::keys(items) {
        rows.extend(task.find(params![job.0, capture.0], |row| rows::task_view(row))?);
    }
    Ok(rows)
}

async fn write(conn: &mut Direct, plan: &SettlePlan<'_>, now: Timestamp) -> sqlx::Result<Vec<Touched>> {
    if plan.is_empty() {
        return Ok(Vec::new());
    }
    write_outcomes(conn, plan, now)?;
    suspects::write(conn, &plan.side_effects, now).await?;
    delete_detections(conn, &plan.replaced).await?;
    insert_detections(conn, &plan.detections())?;
    counts::log_lines(conn, &plan.failures(), now).await?;
    failures::count(conn, &plan.tally, now).await?;
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

fn write_outcomes(conn: &Direct, plan: &SettlePlan<'_>, now: Timestamp) -> sqlx::Result<()> {
    let mut set = conn.statement(include_str!("sql/settle_set.sql"))?;
    for ((job, capture), task) in &plan.rows {
        let row = &task.row;
        set.run(params![
            job.0,
            row.ord,
            capture.0,
            row.state.as_str(),
            row.reason.map(FailReason::as_str),
            task.detail,
            row.n_detections,
            row.n_classifications,
            task.spec_run,
            now.0
        ])?;
    }
    Ok(())
}

/// Removes the stored detections of tasks, with their classifications.
pub(super) async fn delete_detections(conn: &mut impl Conn, tasks: &[TaskKey]) -> sqlx::Result<()> {
    if tasks.is_empty() {
        return Ok(());
    }
    let tasks = json(tasks);
    conn.run(sql!(each "detections_delete.sql"), &[&tasks]).await?;
    conn.run(sql!(each "classifications_delete.sql"), &[&tasks])
        .await
        .map(drop)
}

fn insert_detections(conn: &Direct, rows: &[Placed<'_>]) -> sqlx::Result<()> {
    let mut detection = conn.statement(include_str!("sql/detection_insert.sql"))?;
    for placed in rows {
        let ((job, capture), d) = (placed.task, placed.detection);
        let corner = |at: fn(&BBox) -> f64| d.bbox.as_ref().map(at);
        detection.run(params![
            job.0,
            placed.ord,
            capture.0,
            placed.n,
            d.algorithm.0,
            corner(|b| b.x1),
            corner(|b| b.y1),
            corner(|b| b.x2),
            corner(|b| b.y2),
            d.at.0,
            d.inference_seconds,
            d.crop_image_url,
            d.score.map(f64::from)
        ])?;
    }
    let mut classification = conn.statement(include_str!("sql/classification_insert.sql"))?;
    for (placed, position, c) in rows::classifications(rows) {
        let (job, capture) = placed.task;
        classification.run(params![
            job.0,
            placed.ord,
            capture.0,
            placed.n,
            position,
            c.algorithm.0,
            c.label.as_str(),
            c.terminal,
            c.score.map(f64::from),
            pack(&c.scores),
            pack(&c.logits),
            c.at.0,
            c.inference_seconds,
            rows::own_labels(c)
        ])?;
    }
    Ok(())
}
