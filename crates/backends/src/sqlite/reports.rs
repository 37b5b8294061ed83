//! Pages of what a job did: tasks, detections, log. By key, in short transactions (docs/rules.md A18).

use sqlx::QueryBuilder;
use trapline_core::{
    CaptureId, FailReason, Result, Timestamp,
    ports::{
        Attempt, DetectionRow, DetectionsOf, ImageQuery, ImageRow, ImageState, Level, LogLine, LogPage,
        LogQuery, LogRow,
    },
    task::{DETAIL_MAX_CHARS, cut},
};

use super::{SqliteStore, counts, json, store_error};
use crate::rows;

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
            .map(|row| rows::image(row).map_err(store_error))
            .collect()
    }

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

    pub(super) async fn attempts_of(&self, captures: &[CaptureId]) -> Result<Vec<Attempt>> {
        let captures: Vec<i64> = captures.iter().map(|c| c.0).collect();
        let rows = sqlx::query(include_str!("sql/attempts.sql"))
            .bind(json(&captures))
            .fetch_all(&self.readers)
            .await
            .map_err(store_error)?;
        rows::all(&rows, rows::attempt).map_err(store_error)
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
            .map(|row| rows::log_row(row).map_err(store_error))
            .collect()
    }
}
