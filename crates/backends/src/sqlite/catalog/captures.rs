//! Captures and their sets. A capture is unique by (project, URL as given); a set only refers to it.

use sqlx::Row as _;
use trapline_core::{
    CaptureId, CollectionId, Error, ProjectId, Result, Timestamp,
    catalog::{
        Added, Capture, CaptureFacts, CaptureScope, Collection, CollectionProgress, Files, Learnt, NewCapture,
    },
    ports::{OffsetPage, Total},
};

use super::{super::json, SqliteStore, bounds, store_error};
use crate::rows::{self};

/// A capture, or what was learnt of one, as `json_each` hands it to the statements.
#[derive(serde::Serialize)]
struct Listed<'a> {
    id: Option<i64>,
    url: Option<&'a str>,
    taken_at: Option<i64>,
    taken_offset: Option<i16>,
    width: Option<i64>,
    height: Option<i64>,
    camera: Option<&'a str>,
    file_size: Option<i64>,
    file_modified: Option<i64>,
    file_digest: Option<&'a str>,
}

impl<'a> Listed<'a> {
    fn new(id: Option<CaptureId>, url: Option<&'a str>, facts: &'a CaptureFacts) -> Self {
        let file = facts.file.as_ref();
        Self {
            id: id.map(|id| id.0),
            url,
            taken_at: facts.taken_at.map(|t| t.at.0),
            taken_offset: facts.taken_at.and_then(|t| t.offset_minutes),
            width: facts.width,
            height: facts.height,
            camera: facts.camera.as_deref(),
            file_size: file.map(|f| f.size),
            file_modified: file.map(|f| f.modified.0),
            file_digest: file.and_then(|f| f.digest.as_deref()),
        }
    }
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
            .map(|c| Listed::new(None, Some(&c.url), &c.facts))
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

    pub(super) async fn merge_into(&self, into: CollectionId, from: CollectionId) -> Result<()> {
        let mut tx = self.writer.background().await?;
        sqlx::query(include_str!("../sql/catalog/merge_collection.sql"))
            .bind(into.0)
            .bind(from.0)
            .execute(tx.conn())
            .await
            .map_err(store_error)?;
        tx.commit().await
    }

    pub(super) async fn find_capture(&self, id: CaptureId) -> Result<Option<Capture>> {
        let row = sqlx::query(include_str!("../sql/catalog/capture.sql"))
            .bind(id.0)
            .fetch_optional(&self.readers)
            .await
            .map_err(store_error)?;
        row.as_ref().map(rows::capture).transpose().map_err(store_error)
    }

    pub(super) async fn capture_page(
        &self,
        of: CaptureScope,
        after: CaptureId,
        limit: u64,
    ) -> Result<Vec<Capture>> {
        let (sql, id) = match of {
            CaptureScope::Project(project) => (include_str!("../sql/catalog/captures.sql"), project.0),
            CaptureScope::Collection(set) => {
                (include_str!("../sql/catalog/captures_of_collection.sql"), set.0)
            }
            CaptureScope::Job(job) => (include_str!("../sql/catalog/captures_of_job.sql"), job.0),
        };
        let rows = sqlx::query(sql)
            .bind(id)
            .bind(after.0)
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(&self.readers)
            .await
            .map_err(store_error)?;
        rows::all(&rows, rows::capture).map_err(store_error)
    }

    pub(super) async fn captures_of_files(
        &self,
        project: ProjectId,
        files: Files<'_>,
    ) -> Result<Vec<Capture>> {
        let (sql, list) = match files {
            Files::At(urls) => (include_str!("../sql/catalog/captures_at.sql"), json(urls)),
            Files::OfSizes(sizes) => (include_str!("../sql/catalog/captures_of_sizes.sql"), json(sizes)),
        };
        let rows = sqlx::query(sql)
            .bind(project.0)
            .bind(list)
            .fetch_all(&self.readers)
            .await
            .map_err(store_error)?;
        rows::all(&rows, rows::capture).map_err(store_error)
    }

    pub(super) async fn remove_collection(&self, id: CollectionId) -> Result<bool> {
        let mut tx = self.writer.background().await?;
        sqlx::query(
            "DELETE FROM collection_captures WHERE collection_id = ?1 \
             AND NOT EXISTS (SELECT 1 FROM jobs WHERE collection_id = ?1)",
        )
        .bind(id.0)
        .execute(tx.conn())
        .await
        .map_err(store_error)?;
        let removed = sqlx::query(include_str!("../sql/catalog/delete_collection.sql"))
            .bind(id.0)
            .execute(tx.conn())
            .await
            .map_err(store_error)?
            .rows_affected();
        tx.commit().await?;
        Ok(removed > 0)
    }

    pub(super) async fn write_facts(&self, learnt: &[Learnt]) -> Result<()> {
        let listed: Vec<_> = learnt
            .iter()
            .map(|l| Listed::new(Some(l.capture), l.url.as_deref(), &l.facts))
            .collect();
        let mut tx = self.writer.background().await?;
        sqlx::query(include_str!("../sql/catalog/describe_captures.sql"))
            .bind(json(&listed))
            .execute(tx.conn())
            .await
            .map_err(store_error)?;
        tx.commit().await
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
