//! Projects. A store has always one: id 1, "Default", which the first migration makes.

use trapline_core::{
    ProjectId, Result,
    catalog::{Project, ProjectSettings},
    ports::{OffsetPage, Total},
};

use super::{PostgresStore, bounds, store_error};
use crate::rows;

impl PostgresStore {
    pub(super) async fn insert_project(
        &self,
        name: &str,
        description: &str,
        settings: &ProjectSettings,
    ) -> Result<Project> {
        let settings = serde_json::to_string(settings).expect("settings serialise");
        let mut conn = self.side().acquire().await.map_err(store_error)?;
        let now = self.now(&mut conn).await.map_err(store_error)?;
        let row = sqlx::query(
            "INSERT INTO projects (name, description, settings, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $4)
             RETURNING id, name, description, settings, created_at, updated_at",
        )
        .bind(name)
        .bind(description)
        .bind(settings)
        .bind(now.0)
        .fetch_one(&mut *conn)
        .await
        .map_err(store_error)?;
        rows::project(&row).map_err(store_error)
    }

    pub(super) async fn project_page(
        &self,
        only: Option<ProjectId>,
        page: OffsetPage,
    ) -> Result<Total<Project>> {
        let (limit, offset) = bounds(page);
        let count = self
            .count(
                "SELECT COUNT(*) FROM projects WHERE $1::bigint IS NULL OR id = $1",
                only,
            )
            .await?;
        let rows = sqlx::query(
            "SELECT id, name, description, settings, created_at, updated_at FROM projects
             WHERE $1::bigint IS NULL OR id = $1 ORDER BY id LIMIT $2 OFFSET $3",
        )
        .bind(only.map(|p| p.0))
        .bind(limit)
        .bind(offset)
        .fetch_all(&self.side())
        .await
        .map_err(store_error)?;
        Ok(Total {
            rows: rows::all(&rows, rows::project).map_err(store_error)?,
            count,
        })
    }

    pub(super) async fn find_project(&self, id: ProjectId) -> Result<Option<Project>> {
        let row = sqlx::query(
            "SELECT id, name, description, settings, created_at, updated_at FROM projects WHERE id = $1",
        )
        .bind(id.0)
        .fetch_optional(&self.side())
        .await
        .map_err(store_error)?;
        row.as_ref().map(rows::project).transpose().map_err(store_error)
    }
}
