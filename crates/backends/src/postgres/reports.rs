//! Detections by page, and the log as it is written.

use trapline_core::{
    Result, Timestamp,
    ports::{DetectionRow, DetectionsOf, LogLine},
    task::{DETAIL_MAX_CHARS, cut},
};

use super::{PostgresStore, bound, columns, counts, store_error};
use crate::rows;

impl PostgresStore {
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
                    .bind(bound(limit))
            }
            DetectionsOf::Tasks(tasks) => {
                let (jobs, captures) = columns(tasks);
                sqlx::query(include_str!("sql/detections_of_tasks.sql"))
                    .bind(jobs)
                    .bind(captures)
            }
        };
        let found = query.fetch_all(&self.side()).await.map_err(store_error)?;
        let mut page = rows::all(&found, rows::detection).map_err(store_error)?;
        let keys = rows::detection_keys(&found).map_err(store_error)?;
        let key = |column: usize| keys.iter().map(|key| key[column]).collect::<Vec<_>>();
        let classifications = sqlx::query(include_str!("sql/classifications.sql"))
            .bind(key(0))
            .bind(key(1))
            .bind(key(2))
            .bind(key(3))
            .bind(scores)
            .fetch_all(&self.side())
            .await
            .map_err(store_error)?;
        rows::classify(&mut page, &classifications).map_err(store_error)?;
        Ok(page)
    }

    pub(super) async fn add_log(&self, lines: &[LogLine], now: Timestamp) -> Result<()> {
        let lines: Vec<_> = lines
            .iter()
            .map(|line| LogLine {
                message: cut(&line.message.replace('\0', "␀"), DETAIL_MAX_CHARS),
                ..line.clone()
            })
            .collect();
        let mut conn = self.pool().acquire().await.map_err(store_error)?;
        counts::log_lines(&mut conn, &lines, now)
            .await
            .map_err(store_error)
    }
}
