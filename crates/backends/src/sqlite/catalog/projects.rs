//! Projects. A store has always one: id 1, "Default", so that a first job needs nothing else.

use trapline_core::{
    ProjectId, Result, Timestamp,
    catalog::{Project, ProjectSettings},
    ports::{OffsetPage, Total},
};

use super::{SqliteStore, bounds, store_error};
use crate::rows;

impl SqliteStore {
    /// Gives a new store its project.
    pub(in crate::sqlite) async fn make_default_project(&self) -> Result<()> {
        // Looked at first, so that opening a store beside a busy server does not wait for its writer.
        let any = sqlx::query("SELECT 1 FROM projects")
            .fetch_optional(&self.readers)
            .await
            .map_err(store_error)?;
        if any.is_some() {
            return Ok(());
        }
        let Timestamp(now) = self.clock.now();
        let mut tx = self.writer.foreground().await?;
        sqlx::query(
            "INSERT INTO projects (id, name, created_at, updated_at)
             SELECT 1, 'Default', ?1, ?1 WHERE NOT EXISTS (SELECT 1 FROM projects)",
        )
        .bind(now)
        .execute(tx.conn())
        .await
        .map_err(store_error)?;
        tx.commit().await
    }

    pub(super) async fn insert_project(
        &self,
        name: &str,
        description: &str,
        settings: &ProjectSettings,
    ) -> Result<Project> {
        let Timestamp(now) = self.clock.now();
        let settings = serde_json::to_string(settings).expect("settings serialise");
        let mut tx = self.writer.foreground().await?;
        let row = sqlx::query(
            "INSERT INTO projects (name, description, settings, created_at, updated_at)
             VALUES (?1, ?2, ?3, ?4, ?4) RETURNING *",
        )
        .bind(name)
        .bind(description)
        .bind(settings)
        .bind(now)
        .fetch_one(tx.conn())
        .await
        .map_err(store_error)?;
        tx.commit().await?;
        rows::project(&row).map_err(store_error)
    }

    pub(super) async fn project_page(
        &self,
        only: Option<ProjectId>,
        page: OffsetPage,
    ) -> Result<Total<Project>> {
        let (limit, offset) = bounds(page);
        let count = self
            .count("SELECT COUNT(*) FROM projects WHERE ?1 IS NULL OR id = ?1", only)
            .await?;
        let rows =
            sqlx::query("SELECT * FROM projects WHERE ?1 IS NULL OR id = ?1 ORDER BY id LIMIT ?2 OFFSET ?3")
                .bind(only.map(|p| p.0))
                .bind(limit)
                .bind(offset)
                .fetch_all(&self.readers)
                .await
                .map_err(store_error)?;
        Ok(Total {
            rows: rows::all(&rows, rows::project).map_err(store_error)?,
            count,
        })
    }

    pub(super) async fn find_project(&self, id: ProjectId) -> Result<Option<Project>> {
        let row = sqlx::query("SELECT * FROM projects WHERE id = ?1")
            .bind(id.0)
            .fetch_optional(&self.readers)
            .await
            .map_err(store_error)?;
        row.as_ref().map(rows::project).transpose().map_err(store_error)
    }
}
