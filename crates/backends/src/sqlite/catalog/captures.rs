//! Captures and their sets. A capture is unique by (project, URL as given); a set only refers to it.

use sqlx::Row as _;
use trapline_core::{
    CaptureId, CollectionId, Error, ProjectId, Result, Timestamp,
    catalog::{Added, Capture, Collection, CollectionProgress, NewCapture},
    ports::{OffsetPage, Total},
};

use super::{super::json, SqliteStore, bounds, store_error};
use crate::rows::{self};

/// A capture as `json_each` hands it to the statements.
#[derive(serde::Serialize)]
struct Listed<'a> {
    url: &'a str,
    taken_at: Option<i64>,
    width: Option<i64>,
    height: Option<i64>,
}

impl SqliteStore {
    pub(super) async fn insert_collection(&self, project: ProjectId, name: &str) -> Result<Collection> {
        let Timestamp(now) = self.clock.now();
        let mut tx = self.writer.foreground().await?;
        let row = sqlx::query(
            "INSERT INTO collections (project_id, name, created_at, updated_at) VALUES (?1, ?2, ?3, ?3)
             RETURNING id, project_id, name, created_at, updated_at, 0 AS captures",
        )
        .bind(project.0)
        .bind(name)
        .bind(now)
        .fetch_one(tx.conn())
        .await
        .map_err(store_error)?;
        tx.commit().await?;
        rows::collection(&row).map_err(store_error)
    }

    pub(super) async fn collection_page(
        &self,
        project: Option<ProjectId>,
        page: OffsetPage,
    ) -> Result<Total<Collection>> {
        let (limit, offset) = bounds(page);
        let count = self
            .count(
                "SELECT COUNT(*) FROM collections WHERE (?1 IS NULL OR project_id = ?1) AND name <> ''",
                project,
            )
            .await?;
        let rows = sqlx::query(include_str!("../sql/catalog/collections.sql"))
            .bind(project.map(|p| p.0))
            .bind(limit)
            .bind(offset)
            .fetch_all(&self.readers)
            .await
            .map_err(store_error)?;
        Ok(Total {
            rows: rows::all(&rows, rows::collection).map_err(store_error)?,
            count,
        })
    }

    pub(super) async fn find_collection(&self, id: CollectionId) -> Result<Option<Collection>> {
        let row = sqlx::query(include_str!("../sql/catalog/collection.sql"))
            .bind(id.0)
            .fetch_optional(&self.readers)
            .await
            .map_err(store_error)?;
        row.as_ref()
            .map(rows::collection)
            .transpose()
            .map_err(store_error)
    }

    pub(super) async fn find_progress(&self, sets: &[CollectionId]) -> Result<Vec<CollectionProgress>> {
        let ids: Vec<i64> = sets.iter().map(|set| set.0).collect();
        let rows = sqlx::query(include_str!("../sql/catalog/collection_progress.sql"))
            .bind(json(&ids))
            .fetch_all(&self.readers)
            .await
            .map_err(store_error)?;
        rows::all(&rows, rows::collection_progress).map_err(store_error)
    }

    pub(super) async fn add_slice(&self, set: CollectionId, captures: &[NewCapture]) -> Result<Added> {
        if captures.is_empty() {
            return Ok(Added::default());
        }
        let listed: Vec<_> = captures
            .iter()
            .map(|c| Listed {
                url: &c.url,
                taken_at: c.taken_at.map(|t| t.0),
                width: c.width,
                height: c.height,
            })
            .collect();
        let list = json(&listed);
        let Timestamp(now) = self.clock.now();
        let mut tx = self.writer.background().await?;
        let project: i64 = sqlx::query_scalar("SELECT project_id FROM collections WHERE id = ?1")
            .bind(set.0)
            .fetch_optional(tx.conn())
            .await
            .map_err(store_error)?
            .ok_or_else(Error::not_found)?;
        sqlx::query(include_str!("../sql/catalog/add_captures.sql"))
            .bind(project)
            .bind(&list)
            .execute(tx.conn())
            .await
            .map_err(store_error)?;
        let named = sqlx::query(include_str!("../sql/catalog/add_to_collection.sql"))
            .bind(set.0)
            .bind(project)
            .bind(&list)
            .execute(tx.conn())
            .await
            .map_err(store_error)?
            .rows_affected();
        let unnamed = add_without_url(tx.conn(), set, project, &list).await?;
        let added = named + unnamed;
        if added > 0 {
            sqlx::query("UPDATE collections SET updated_at = ?2 WHERE id = ?1")
                .bind(set.0)
                .bind(now)
                .execute(tx.conn())
                .await
                .map_err(store_error)?;
        }
        tx.commit().await?;
        // A URL that comes again in one call was there when its second line was read; so the two numbers always
        // add up to what was given, wherever a caller cuts its slices.
        Ok(Added {
            added,
            already_there: captures.len() as u64 - added,
        })
    }

    pub(super) async fn find_capture(&self, id: CaptureId) -> Result<Option<Capture>> {
        let row =
            sqlx::query("SELECT id, project_id, url, taken_at, width, height FROM captures WHERE id = ?1")
                .bind(id.0)
                .fetch_optional(&self.readers)
                .await
                .map_err(store_error)?;
        row.as_ref().map(rows::capture).transpose().map_err(store_error)
    }
}

async fn add_without_url(
    conn: &mut sqlx::SqliteConnection,
    set: CollectionId,
    project: i64,
    list: &str,
) -> Result<u64> {
    let rows = sqlx::query(include_str!("../sql/catalog/add_captures_without_url.sql"))
        .bind(project)
        .bind(list)
        .fetch_all(&mut *conn)
        .await
        .map_err(store_error)?;
    if rows.is_empty() {
        return Ok(0);
    }
    let ids: Vec<i64> = rows
        .iter()
        .map(|r| r.try_get(0).map_err(store_error))
        .collect::<Result<_>>()?;
    sqlx::query(include_str!("../sql/catalog/add_ids_to_collection.sql"))
        .bind(set.0)
        .bind(json(&ids))
        .execute(conn)
        .await
        .map_err(store_error)?;
    Ok(ids.len() as u64)
}
