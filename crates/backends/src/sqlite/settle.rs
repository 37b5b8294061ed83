//! Settling results (RULES.md A8 to A11): rows, plan, tasks, detections, classifications, logs, and the job rows
//! last, in one transaction.

use std::collections::{BTreeMap, HashMap, HashSet};

use sqlx::{AssertSqlSafe, Row as _, SqliteConnection, sqlite::SqliteArguments};
use trapline_core::{
    CaptureId, FailReason, GrantId, JobId, Result, TaskState, Timestamp, fault,
    ports::{Posted, SettleReport, Settled, Settlement, Touched},
    result::{Classification, Detection, DetectionKey, pack},
    settle::{self, Change, Deltas, TaskView, Verdict},
};

use super::{SqliteStore, counts, db, json, store_error, suspects::Asides};

pub(super) type TaskKey = (i64, i64);

/// What a group does, decided before anything is written.
#[derive(Default)]
struct Plan<'a> {
    items: Vec<Settled>,
    /// The rows that change, as they will be, with the reason in words.
    rows: BTreeMap<TaskKey, (TaskView, Option<&'a str>)>,
    /// Tasks whose stored detections go.
    replaced: Vec<TaskKey>,
    detections: BTreeMap<TaskKey, &'a [Detection]>,
    deltas: BTreeMap<i64, Deltas>,
    asides: Asides<'a>,
}

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
        let plan = plan(items, rows);
        let touched = write(tx.conn(), &plan, now).await?;
        fault::reach(fault::SETTLE_UNCOMMITTED);
        tx.try_commit().await?;
        Ok(SettleReport {
            freed: plan.asides.freed(),
            items: plan.items,
            touched,
        })
    }
}

async fn read_rows(
    conn: &mut SqliteConnection,
    items: &[Settlement],
) -> sqlx::Result<HashMap<TaskKey, TaskView>> {
    let keys: HashSet<TaskKey> = items
        .iter()
        .map(|i| (i.receipt.job.0, i.receipt.capture.0))
        .collect();
    let keys: Vec<TaskKey> = keys.into_iter().collect();
    let rows = sqlx::query(include_str!("sql/settle_rows.sql"))
        .bind(json(&keys))
        .fetch_all(conn)
        .await?;
    rows.iter()
        .map(|row| {
            let state: String = row.try_get("state")?;
            let reason: Option<String> = row.try_get("reason")?;
            let view = TaskView {
                run: row.try_get("run")?,
                delivery: row.try_get("delivery")?,
                state: TaskState::parse(&state).ok_or_else(|| sqlx::Error::Decode(state.into()))?,
                reason: reason.as_deref().and_then(FailReason::parse),
                n_detections: row.try_get("n_detections")?,
                n_classifications: row.try_get("n_classifications")?,
                grant: row.try_get::<Option<i64>, _>("grant_id")?.map(GrantId),
                attempts: row.try_get("attempts")?,
                strikes: row.try_get("strikes")?,
                suspect: row.try_get("suspect")?,
                died: row
                    .try_get::<Option<i64>, _>("died_grant")?
                    .map(GrantId)
                    .zip(row.try_get("died_delivery")?),
            };
            Ok(((row.try_get("job_id")?, row.try_get("capture_id")?), view))
        })
        .collect()
}

fn plan(items: &[Settlement], mut rows: HashMap<TaskKey, TaskView>) -> Plan<'_> {
    let mut plan = Plan::default();
    for item in items {
        let key = (item.receipt.job.0, item.receipt.capture.0);
        let Some(row) = rows.get_mut(&key) else {
            plan.items.push(Settled::Gone);
            continue;
        };
        let verdict = match &item.posted {
            Posted::Success(detections) => Verdict::Success {
                detections: detections.len() as i64,
                classifications: detections.iter().map(|d| d.classifications.len() as i64).sum(),
            },
            Posted::Fail { reason, .. } => Verdict::Fail(*reason),
            Posted::BatchError { max_deliver, .. } => Verdict::BatchError {
                max_deliver: *max_deliver,
            },
        };
        let detail = match &item.posted {
            Posted::Success(_) => None,
            Posted::Fail { detail, .. } | Posted::BatchError { detail, .. } => Some(detail.as_str()),
        };
        match settle::settle(*row, item.receipt.run, item.receipt.delivery, verdict) {
            Change::Ignore(why) => plan.items.push(Settled::Ignored(why)),
            Change::Suspect { row: after } => {
                plan.asides.answered(&item.receipt, row);
                plan.asides
                    .suspect(item.receipt, after, detail.unwrap_or_default());
                *row = after;
                // No counter changes, but the job does: it is a worker's result.
                plan.deltas.entry(key.0).or_default();
                plan.items.push(Settled::Saved);
            }
            Change::Settle { row: after, deltas } => {
                plan.asides.answered(&item.receipt, row);
                plan.asides.settled(&item.receipt, row);
                if row.n_detections > 0 && after.state == TaskState::Processed {
                    plan.replaced.push(key);
                }
                *row = after;
                *plan.deltas.entry(key.0).or_default() += deltas;
                if let Posted::Success(detections) = &item.posted {
                    plan.detections.insert(key, detections);
                }
                plan.rows.insert(key, (after, detail));
                plan.items.push(Settled::Saved);
            }
        }
    }
    plan
}

async fn write(conn: &mut SqliteConnection, plan: &Plan<'_>, now: Timestamp) -> sqlx::Result<Vec<Touched>> {
    if plan.deltas.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<_> = plan
        .rows
        .iter()
        .map(|((job, capture), (t, detail))| {
            let reason = t.reason.map(FailReason::as_str);
            (
                job,
                capture,
                t.state.as_str(),
                reason,
                detail,
                t.n_detections,
                t.n_classifications,
            )
        })
        .collect();
    sqlx::query(include_str!("sql/settle_set.sql"))
        .bind(json(&rows))
        .bind(now.0)
        .execute(&mut *conn)
        .await?;
    plan.asides.write(conn, now).await?;
    delete_detections(conn, &plan.replaced).await?;
    insert_detections(conn, &plan.detections).await?;
    for ((job, capture), (task, detail)) in &plan.rows {
        if let (Some(reason), Some(detail)) = (task.reason, detail) {
            let line = format!("Image {capture} failed ({reason}): {detail}");
            counts::log_line(conn, JobId(*job), "ERROR", &line, Some(*capture), now).await?;
        }
    }
    let mut touched = Vec::with_capacity(plan.deltas.len());
    for (job, deltas) in &plan.deltas {
        let change = counts::Change {
            job: JobId(*job),
            deltas: *deltas,
            total: None,
            by_result: true,
        };
        if let Some(mut t) = counts::apply(conn, &change, now).await? {
            t.settled = plan
                .rows
                .range((*job, i64::MIN)..=(*job, i64::MAX))
                .map(|((_, capture), (row, _))| (CaptureId(*capture), row.state == TaskState::Failed))
                .collect();
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

async fn insert_detections(
    conn: &mut SqliteConnection,
    tasks: &BTreeMap<TaskKey, &[Detection]>,
) -> sqlx::Result<()> {
    const HEAD: &str = "INSERT INTO detections \
        (job_id, capture_id, algorithm_id, x1, y1, x2, y2, at, inference_seconds, crop_image_url) VALUES ";
    const TAIL: &str = " RETURNING id, job_id, capture_id, algorithm_id, x1, y1, x2, y2";
    let rows: Vec<(TaskKey, &Detection)> = tasks
        .iter()
        .flat_map(|(key, list)| list.iter().map(|d| (*key, d)))
        .collect();
    // A classification finds its detection by key, never by position: RETURNING promises no order.
    let mut ids: HashMap<(TaskKey, DetectionKey), i64> = HashMap::with_capacity(rows.len());
    for chunk in chunks(&rows) {
        let mut query = sqlx::query(AssertSqlSafe(values(HEAD, 10, chunk.len(), TAIL)));
        for ((job, capture), d) in chunk {
            let b = d.bbox;
            query = query
                .bind(job)
                .bind(capture)
                .bind(d.algorithm.0)
                .bind(b.map(|b| b.x1))
                .bind(b.map(|b| b.y1))
                .bind(b.map(|b| b.x2))
                .bind(b.map(|b| b.y2))
                .bind(d.at.0)
                .bind(d.inference_seconds)
                .bind(d.crop_image_url.as_deref());
        }
        for row in query.fetch_all(&mut *conn).await? {
            let corners: [Option<f64>; 4] = [
                row.try_get("x1")?,
                row.try_get("y1")?,
                row.try_get("x2")?,
                row.try_get("y2")?,
            ];
            let bbox = match corners {
                [Some(x1), Some(y1), Some(x2), Some(y2)] => Some([x1, y1, x2, y2].map(f64::to_bits)),
                _ => None,
            };
            let key = (row.try_get("job_id")?, row.try_get("capture_id")?);
            let algorithm = trapline_core::AlgorithmId(row.try_get("algorithm_id")?);
            ids.insert((key, (algorithm, bbox)), row.try_get("id")?);
        }
    }
    let mut classifications = Vec::new();
    for (key, d) in &rows {
        let id = *ids.get(&(*key, d.key())).ok_or(sqlx::Error::RowNotFound)?;
        classifications.extend(
            d.classifications
                .iter()
                .enumerate()
                .map(|(at, c)| (id, at as i64, c)),
        );
    }
    insert_classifications(conn, &classifications).await
}

async fn insert_classifications(
    conn: &mut SqliteConnection,
    rows: &[(i64, i64, &Classification)],
) -> sqlx::Result<()> {
    const HEAD: &str = "INSERT INTO classifications (detection_id, algorithm_id, position, label, terminal, score, \
        scores, logits, at, inference_seconds) VALUES ";
    for chunk in chunks(rows) {
        let mut query = sqlx::query::<_>(AssertSqlSafe(values(HEAD, 10, chunk.len(), "")));
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
        .bind(c.score().map(f64::from))
        .bind(pack(&c.scores))
        .bind(pack(&c.logits))
        .bind(c.at.0)
        .bind(c.inference_seconds)
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
