//! Pages of what a job did: tasks, detections, log. By key, in short transactions (RULES.md A18).

use sqlx::QueryBuilder;
use trapline_core::{
    CaptureId, FailReason, JobId, Result, TaskState, Timestamp,
    ports::{
        ClassificationRow, DetectionRow, ImageQuery, ImageRow, ImageState, Level, LogLine, LogPage, LogQuery,
        LogRow,
    },
    result::unpack,
    task::{DETAIL_MAX_CHARS, cut},
};

use super::{SqliteStore, counts, get, json, store_error};

impl SqliteStore {
    pub(super) async fn image_page(&self, query: &ImageQuery) -> Result<Vec<ImageRow>> {
        let state = query.state.map(|s| match s {
            ImageState::Pending => "pending",
            ImageState::InFlight => "in_flight",
            ImageState::Processed => "processed",
            ImageState::Failed => "failed",
        });
        let rows = sqlx::query(include_str!("sql/images.sql"))
            .bind(query.job.0)
            .bind(state)
            .bind(query.reason.map(FailReason::as_str))
            .bind(query.after.0)
            .bind(query.limit as i64)
            .fetch_all(&self.readers)
            .await
            .map_err(store_error)?;
        rows.iter()
            .map(|row| {
                let state: String = get(row, "state")?;
                let reason: Option<String> = get(row, "reason")?;
                Ok(ImageRow {
                    capture: CaptureId(get(row, "capture_id")?),
                    url: get(row, "url")?,
                    state: TaskState::parse(&state)
                        .ok_or_else(|| store_error(sqlx::Error::Decode(state.into())))?,
                    in_flight: get(row, "in_flight")?,
                    reason: reason.as_deref().and_then(FailReason::parse),
                    detail: get(row, "detail")?,
                    attempts: get(row, "attempts")?,
                    worker: get(row, "worker")?,
                    settled_at: get::<Option<i64>>(row, "settled_at")?.map(Timestamp),
                    detections: get(row, "n_detections")?,
                })
            })
            .collect()
    }

    pub(super) async fn detection_page(
        &self,
        job: JobId,
        after: i64,
        limit: u64,
        scores: bool,
    ) -> Result<Vec<DetectionRow>> {
        let rows = sqlx::query(include_str!("sql/detections.sql"))
            .bind(job.0)
            .bind(after)
            .bind(limit as i64)
            .fetch_all(&self.readers)
            .await
            .map_err(store_error)?;
        let mut page = Vec::with_capacity(rows.len());
        for row in &rows {
            let corner = |column| get::<Option<f64>>(row, column);
            let bbox = match (corner("x1")?, corner("y1")?, corner("x2")?, corner("y2")?) {
                (Some(x1), Some(y1), Some(x2), Some(y2)) => Some([x1, y1, x2, y2]),
                _ => None,
            };
            page.push(DetectionRow {
                id: get(row, "id")?,
                capture: CaptureId(get(row, "capture_id")?),
                url: get(row, "url")?,
                bbox,
                detector: get(row, "detector")?,
                classifications: Vec::new(),
            });
        }
        let ids: Vec<i64> = page.iter().map(|d| d.id).collect();
        let rows = sqlx::query(include_str!("sql/classifications.sql"))
            .bind(json(&ids))
            .bind(scores)
            .fetch_all(&self.readers)
            .await
            .map_err(store_error)?;
        for row in &rows {
            let detection: i64 = get(row, "detection_id")?;
            let floats = |column| Ok(unpack(&get::<Option<Vec<u8>>>(row, column)?.unwrap_or_default()));
            let classification = ClassificationRow {
                algorithm: get(row, "key")?,
                label: get(row, "label")?,
                score: get::<Option<f64>>(row, "score")?.map(|s| s as f32),
                terminal: get(row, "terminal")?,
                scores: floats("scores")?,
                logits: floats("logits")?,
            };
            if let Ok(at) = page.binary_search_by_key(&detection, |d| d.id) {
                page[at].classifications.push(classification);
            }
        }
        Ok(page)
    }

    pub(super) async fn add_log(&self, lines: &[LogLine], now: Timestamp) -> Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        let mut tx = self.writer.foreground().await?;
        for line in lines {
            let message = cut(&line.message.replace('\0', "␀"), DETAIL_MAX_CHARS);
            counts::log_line(
                tx.conn(),
                line.job,
                line.level.as_str(),
                &message,
                line.capture.map(|c| c.0),
                now,
            )
            .await
            .map_err(store_error)?;
        }
        tx.commit().await
    }

    pub(super) async fn log_page(&self, query: &LogQuery) -> Result<Vec<LogRow>> {
        let mut sql =
            QueryBuilder::new("SELECT id, at, level, message, capture_id FROM job_logs WHERE job_id = ");
        sql.push_bind(query.job.0);
        if let Some(level) = query.level {
            let levels: Vec<_> = Level::ALL
                .into_iter()
                .filter(|l| *l >= level)
                .map(Level::as_str)
                .collect();
            sql.push(" AND level IN (SELECT value FROM json_each(")
                .push_bind(json(&levels))
                .push("))");
        }
        if let Some(capture) = query.capture {
            sql.push(" AND capture_id = ").push_bind(capture.0);
        }
        match query.page {
            LogPage::After(after) => sql.push(" AND id > ").push_bind(after).push(" ORDER BY id"),
            LogPage::Newest => sql.push(" ORDER BY id DESC"),
        };
        sql.push(" LIMIT ").push_bind(query.limit as i64);
        let rows = sql.build().fetch_all(&self.readers).await.map_err(store_error)?;
        rows.iter()
            .map(|row| {
                let level: String = get(row, "level")?;
                Ok(LogRow {
                    id: get(row, "id")?,
                    at: Timestamp(get(row, "at")?),
                    level: Level::parse(&level)
                        .ok_or_else(|| store_error(sqlx::Error::Decode(level.into())))?,
                    message: get(row, "message")?,
                    capture: get::<Option<i64>>(row, "capture_id")?.map(CaptureId),
                })
            })
            .collect()
    }
}
