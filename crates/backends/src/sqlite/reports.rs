//! Detections by page, and the log as it is written.

use trapline_core::{
    Result, Timestamp,
    ports::{DetectionRow, DetectionsOf, LogLine},
    task::{DETAIL_MAX_CHARS, cut},
};

use super::{SqliteStore, counts, json, store_error};
use crate::rows;

impl SqliteStore {
    pub(super) async fn detection_page(
        &self,
        of: DetectionsOf<'_>,
        scores: bool,
    ) -> Result<Vec<DetectionRow>> {
        let query = match of {
            DetectionsOf::Job { job, after, limit } => {
                let after = after.map_or((0, 0), |id| (id.capture.0, id.n));
                sqlx::query(include_str!("sql/detections.sql"))
                    .bind(job.0)
                    .bind(after.0)
                    .bind(after.1)
                    .bind(limit as i64)
            }
            DetectionsOf::Tasks(tasks) => {
                sqlx::query(include_str!("sql/detections_of_tasks.sql")).bind(json(tasks))
            }
        };
        let found = query.fetch_all(&self.readers).await.map_err(store_error)?;
        let mut page = rows::all(&found, rows::detection).map_err(store_error)?;
        let classifications = sqlx::query(include_str!("sql/classifications.sql"))
            .bind(json(&rows::detection_keys(&found).map_err(store_error)?))
            .bind(scores)
            .fetch_all(&self.readers)
            .await
            .map_err(store_error)?;
        rows::classify(&mut page, &classifications).map_err(store_error)?;
        Ok(page)
    }

    pub(super) async fn add_log(&self, lines: &[LogLine], now: Timestamp) -> Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        let lines: Vec<_> = lines
            .iter()
            .map(|line| LogLine {
                message: cut(&line.message.replace('\0', "␀"), DETAIL_MAX_CHARS),
                ..line.clone()
            })
            .collect();
        let mut tx = self.writer.foreground().await?;
        counts::log_lines(tx.conn(), &lines, now)
            .await
            .map_err(store_error)?;
        tx.commit().await
    }
}
