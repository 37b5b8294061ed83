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

use super::{PostgresStore, bound, columns, counts, store_error};
use crate::rows;

impl PostgresStore {
    pub(super) async fn image_page(&self, query: &ImageQuery) -> Result<Vec<ImageRow>> {
        let state = match query.state {
            None => None,
            Some(ImageState::Pending) => Some("pending"),
            Some(ImageState::Processed) => Some("processed"),
            Some(ImageState::Failed) => Some("failed"),
            // A reason is that of a failure.
            Some(ImageState::InFlight) if query.reason.is_some() => return Ok(Vec::new()),
            Some(ImageState::InFlight) => return self.images_in_flight(query).await,
        };
        let rows = sqlx::query(include_str!("sql/images.sql"))
            .bind(query.job.0)
            .bind(state)
            .bind(query.reason.map(FailReason::as_str))
            .bind(query.after.0)
            .bind(bound(query.limit))
            .fetch_all(&self.side())
            .await
            .map_err(store_error)?;
        rows::all(&rows, rows::image).map_err(store_error)
    }

    async fn images_in_flight(&self, query: &ImageQuery) -> Result<Vec<ImageRow>> {
        let rows = sqlx::query(include_str!("sql/images_in_flight.sql"))
            .bind(query.job.0)
            .bind(query.after.0)
            .bind(bound(query.limit))
            .fetch_all(&self.side())
            .await
            .map_err(store_error)?;
        rows::all(&rows, rows::image).map_err(store_error)
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

    pub(super) async fn attempts_of(&self, captures: &[CaptureId]) -> Result<Vec<Attempt>> {
        let captures: Vec<i64> = captures.iter().map(|c| c.0).collect();
        let rows = sqlx::query(include_str!("sql/attempts.sql"))
            .bind(captures)
            .fetch_all(&self.side())
            .await
            .map_err(store_error)?;
        rows::all(&rows, rows::attempt).map_err(store_error)
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
            sql.push(" AND level = ANY (").push_bind(levels).push(")");
        }
        if let Some(capture) = query.capture {
            sql.push(" AND capture_id = ").push_bind(capture.0);
        }
        match query.page {
            LogPage::After(after) => sql.push(" AND id > ").push_bind(after).push(" ORDER BY id"),
            LogPage::Newest => sql.push(" ORDER BY id DESC"),
        };
        sql.push(" LIMIT ").push_bind(bound(query.limit));
        let rows = sql.build().fetch_all(&self.side()).await.map_err(store_error)?;
        rows.iter()
            .map(|row| rows::log_row(row).map_err(store_error))
            .collect()
    }
}
