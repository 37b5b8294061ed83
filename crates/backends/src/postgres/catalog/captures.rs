//! Captures and their sets. A capture is unique by (project, URL as given); a set only refers to it.

use sha2::{Digest as _, Sha256};
use trapline_core::{
    CaptureId, CollectionId, Error, ProjectId, Result,
    catalog::{
        Added, Capture, CaptureFacts, CaptureScope, Collection, CollectionProgress, Files, Learnt, NewCapture,
    },
    ports::{OffsetPage, Total},
};

use super::{super::retried, PostgresStore, bounds, store_error};
use crate::rows::{self};

impl PostgresStore {
    pub(super) async fn insert_collection(&self, project: ProjectId, name: &str) -> Result<Collection> {
        let mut conn = self.side().acquire().await.map_err(store_error)?;
        let now = self.now(&mut conn).await.map_err(store_error)?;
        let row = sqlx::query(
            "INSERT INTO collections (project_id, name, created_at, updated_at) VALUES ($1, $2, $3, $3)
             RETURNING id, project_id, name, created_at, updated_at, 0::bigint AS captures",
        )
        .bind(project.0)
        .bind(name)
        .bind(now.0)
        .fetch_one(&mut *conn)
        .await
        .map_err(store_error)?;
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
                "SELECT COUNT(*) FROM collections WHERE ($1::bigint IS NULL OR project_id = $1) AND name <> ''",
                project,
            )
            .await?;
        let rows = sqlx::query(include_str!("../sql/catalog/collections.sql"))
            .bind(project.map(|p| p.0))
            .bind(limit)
            .bind(offset)
            .fetch_all(&self.side())
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
            .fetch_optional(&self.side())
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
            .bind(ids)
            .fetch_all(&self.pool())
            .await
            .map_err(store_error)?;
        rows::all(&rows, rows::collection_progress).map_err(store_error)
    }

    pub(super) async fn add_slice(&self, set: CollectionId, captures: &[NewCapture]) -> Result<Added> {
        if captures.is_empty() {
            return Ok(Added::default());
        }
        let added = retried(|| Box::pin(self.add_once(set, captures)))
            .await
            .map_err(store_error)?
            .ok_or_else(Error::not_found)?;
        self.grew(added);
        // A URL that comes again in one call was there when its second line was read; so the two numbers always
        // add up to what was given, wherever a caller cuts its slices.
        Ok(Added {
            added,
            already_there: captures.len() as u64 - added,
        })
    }

    /// How many the set did not have; `None` if there is no such set.
    async fn add_once(&self, set: CollectionId, captures: &[NewCapture]) -> sqlx::Result<Option<u64>> {
        let urls: Vec<_> = captures.iter().map(|c| c.url.as_str()).collect();
        let hashes: Vec<Vec<u8>> = urls.iter().map(|url| Sha256::digest(url).to_vec()).collect();
        let facts = Facts::new(captures.iter().map(|c| &c.facts));
        let mut tx = self.begin_side().await?;
        // One at a time in a project: two that add the same URLs in other orders would deadlock. Nobody else waits for it.
        let project: Option<i64> = sqlx::query_scalar(
            "SELECT p.id FROM collections c JOIN projects p ON p.id = c.project_id WHERE c.id = $1 FOR NO KEY UPDATE OF p",
        )
        .bind(set.0)
        .fetch_optional(&mut *tx)
        .await?;
        let Some(project) = project else { return Ok(None) };
        let insert = |sql: &'static str| facts.bind(sqlx::query(sql).bind(project).bind(&urls).bind(&hashes));
        insert(include_str!("../sql/catalog/add_captures.sql"))
            .execute(&mut *tx)
            .await?;
        let named = sqlx::query(include_str!("../sql/catalog/add_to_collection.sql"))
            .bind(set.0)
            .bind(project)
            .bind(&hashes)
            .execute(&mut *tx)
            .await?
            .rows_affected();
        let mut added = named;
        if urls.contains(&"") {
            added += insert(include_str!("../sql/catalog/add_captures_without_url.sql"))
                .bind(set.0)
                .execute(&mut *tx)
                .await?
                .rows_affected();
        }
        if added > 0 {
            let now = self.now(&mut tx).await?;
            sqlx::query("UPDATE collections SET updated_at = $2 WHERE id = $1")
                .bind(set.0)
                .bind(now.0)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(Some(added))
    }

    pub(super) async fn merge_into(&self, into: CollectionId, from: CollectionId) -> Result<()> {
        let added = sqlx::query(include_str!("../sql/catalog/merge_collection.sql"))
            .bind(into.0)
            .bind(from.0)
            .execute(&self.side())
            .await
            .map_err(store_error)?;
        self.grew(added.rows_affected());
        Ok(())
    }

    pub(super) async fn find_capture(&self, id: CaptureId) -> Result<Option<Capture>> {
        let row = sqlx::query(include_str!("../sql/catalog/capture.sql"))
            .bind(id.0)
            .fetch_optional(&self.side())
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
            .fetch_all(&self.side())
            .await
            .map_err(store_error)?;
        rows::all(&rows, rows::capture).map_err(store_error)
    }

    pub(super) async fn captures_of_files(
        &self,
        project: ProjectId,
        files: Files<'_>,
    ) -> Result<Vec<Capture>> {
        let query = match files {
            Files::At(urls) => sqlx::query(include_str!("../sql/catalog/captures_at.sql"))
                .bind(project.0)
                .bind(urls),
            Files::OfSizes(sizes) => sqlx::query(include_str!("../sql/catalog/captures_of_sizes.sql"))
                .bind(project.0)
                .bind(sizes),
        };
        let rows = query.fetch_all(&self.side()).await.map_err(store_error)?;
        rows::all(&rows, rows::capture).map_err(store_error)
    }

    pub(super) async fn remove_collection(&self, id: CollectionId) -> Result<bool> {
        let mut tx = self.begin_side().await.map_err(store_error)?;
        // A job that is made meanwhile waits, and then finds no set.
        sqlx::query("SELECT id FROM collections WHERE id = $1 FOR UPDATE")
            .bind(id.0)
            .execute(&mut *tx)
            .await
            .map_err(store_error)?;
        sqlx::query(
            "DELETE FROM collection_captures WHERE collection_id = $1 \
             AND NOT EXISTS (SELECT 1 FROM jobs WHERE collection_id = $1)",
        )
        .bind(id.0)
        .execute(&mut *tx)
        .await
        .map_err(store_error)?;
        let removed = sqlx::query(include_str!("../sql/catalog/delete_collection.sql"))
            .bind(id.0)
            .execute(&mut *tx)
            .await
            .map_err(store_error)?
            .rows_affected();
        tx.commit().await.map_err(store_error)?;
        Ok(removed > 0)
    }

    pub(super) async fn write_facts(&self, learnt: &[Learnt]) -> Result<()> {
        let ids: Vec<_> = learnt.iter().map(|l| l.capture.0).collect();
        let urls: Vec<_> = learnt.iter().map(|l| l.url.as_deref()).collect();
        let hashes: Vec<_> = urls
            .iter()
            .map(|u| u.map(|u| Sha256::digest(u).to_vec()))
            .collect();
        let columns = Facts::new(learnt.iter().map(|l| &l.facts));
        let sql = include_str!("../sql/catalog/describe_captures.sql");
        columns
            .bind(sqlx::query(sql).bind(&ids).bind(&urls).bind(&hashes))
            .execute(&self.side())
            .await
            .map_err(store_error)?;
        Ok(())
    }
}

/// What is known of captures, a column each, as both statements take it.
#[derive(Default)]
struct Facts<'a> {
    taken: Vec<Option<i64>>,
    offsets: Vec<Option<i16>>,
    widths: Vec<Option<i64>>,
    heights: Vec<Option<i64>>,
    cameras: Vec<Option<&'a str>>,
    sizes: Vec<Option<i64>>,
    modified: Vec<Option<i64>>,
    digests: Vec<Option<&'a str>>,
}

type Statement<'q> = sqlx::query::Query<'q, sqlx::Postgres, sqlx::postgres::PgArguments>;

impl<'a> Facts<'a> {
    fn new(each: impl Iterator<Item = &'a CaptureFacts>) -> Self {
        let mut all = Self::default();
        for facts in each {
            let file = facts.file.as_ref();
            all.taken.push(facts.taken_at.map(|t| t.at.0));
            all.offsets.push(facts.taken_at.and_then(|t| t.offset_minutes));
            all.widths.push(facts.width);
            all.heights.push(facts.height);
            all.cameras.push(facts.camera.as_deref());
            all.sizes.push(file.map(|f| f.size));
            all.modified.push(file.map(|f| f.modified.0));
            all.digests.push(file.and_then(|f| f.digest.as_deref()));
        }
        all
    }

    fn bind<'q>(&'q self, statement: Statement<'q>) -> Statement<'q> {
        statement
            .bind(&self.taken)
            .bind(&self.offsets)
            .bind(&self.widths)
            .bind(&self.heights)
            .bind(&self.cameras)
            .bind(&self.sizes)
            .bind(&self.modified)
            .bind(&self.digests)
    }
}
