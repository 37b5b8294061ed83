//! Pipelines, algorithms, category maps and services, as they are read.
//!
//! A page is a constant number of statements: the rows, then what hangs on them in bulk.

use std::collections::HashMap;

use sqlx::postgres::PgRow;
use trapline_core::{
    AlgorithmId, PipelineId, ProjectId, Result, ServiceId,
    catalog::{Algorithm, CategoryMap, Pipeline, Service},
    ports::{OffsetPage, Total},
};

use super::{PostgresStore, bounds, store_error};
use crate::rows::{self, Columns as _};

impl PostgresStore {
    pub(super) async fn pipeline_page(
        &self,
        project: Option<ProjectId>,
        page: OffsetPage,
    ) -> Result<Total<Pipeline>> {
        let (limit, offset) = bounds(page);
        let sql = "SELECT COUNT(DISTINCT pipeline_id) FROM pipeline_pointers
                   WHERE $1::bigint IS NULL OR project_id = $1";
        let count = self.count(sql, project).await?;
        let rows = sqlx::query(include_str!("../sql/catalog/pipelines.sql"))
            .bind(project.map(|p| p.0))
            .bind(limit)
            .bind(offset)
            .fetch_all(&self.side())
            .await
            .map_err(store_error)?;
        let rows = self
            .with_children(
                project,
                rows::all(&rows, rows::bare_pipeline).map_err(store_error)?,
            )
            .await?;
        Ok(Total { rows, count })
    }

    pub(super) async fn find_pipeline(
        &self,
        project: Option<ProjectId>,
        id: PipelineId,
    ) -> Result<Option<Pipeline>> {
        let row = sqlx::query(include_str!("../sql/catalog/pipeline.sql"))
            .bind(project.map(|p| p.0))
            .bind(id.0)
            .fetch_optional(&self.side())
            .await
            .map_err(store_error)?;
        match row {
            Some(row) => Ok(self
                .with_children(project, vec![rows::bare_pipeline(&row).map_err(store_error)?])
                .await?
                .pop()),
            None => Ok(None),
        }
    }

    async fn with_children(
        &self,
        project: Option<ProjectId>,
        mut pipelines: Vec<Pipeline>,
    ) -> Result<Vec<Pipeline>> {
        let ids: Vec<i64> = pipelines.iter().map(|p| p.id.0).collect();
        let mut algorithms: HashMap<i64, Vec<Algorithm>> = HashMap::new();
        for row in self
            .by_pipelines(
                include_str!("../sql/catalog/pipeline_algorithms.sql"),
                &ids,
                project,
            )
            .await?
        {
            algorithms
                .entry(row.col("pipeline_id").map_err(store_error)?)
                .or_default()
                .push(rows::algorithm(&row, None).map_err(store_error)?);
        }
        let sql = "SELECT pipeline_id, project_id AS other_id FROM pipeline_pointers
                   WHERE pipeline_id = ANY ($1) AND ($2::bigint IS NULL OR project_id = $2)
                   ORDER BY project_id";
        let mut projects =
            rows::grouped(&self.by_pipelines(sql, &ids, project).await?).map_err(store_error)?;
        let sql = "SELECT DISTINCT pp.pipeline_id, r.service_id AS other_id
                   FROM pipeline_pointers pp
                   JOIN service_registrations r ON r.project_id = pp.project_id AND r.slug = pp.slug
                   WHERE pp.pipeline_id = ANY ($1) AND ($2::bigint IS NULL OR pp.project_id = $2)
                   ORDER BY other_id";
        let services = rows::grouped(&self.by_pipelines(sql, &ids, project).await?).map_err(store_error)?;
        let mut needed: Vec<ServiceId> = services.values().flatten().copied().map(ServiceId).collect();
        needed.sort_unstable();
        needed.dedup();
        let found: HashMap<i64, Service> = self
            .services_by_id(project, &needed)
            .await?
            .into_iter()
            .map(|s| (s.id.0, s))
            .collect();
        for pipeline in &mut pipelines {
            let id = pipeline.id.0;
            pipeline.algorithms = algorithms.remove(&id).unwrap_or_default();
            pipeline.projects = projects
                .remove(&id)
                .unwrap_or_default()
                .into_iter()
                .map(ProjectId)
                .collect();
            pipeline.services = services
                .get(&id)
                .into_iter()
                .flatten()
                .filter_map(|s| found.get(s).cloned())
                .collect();
        }
        Ok(pipelines)
    }

    /// Rows by pipeline; `$2` is the project that they are narrowed to.
    async fn by_pipelines(
        &self,
        sql: &'static str,
        ids: &[i64],
        project: Option<ProjectId>,
    ) -> Result<Vec<PgRow>> {
        sqlx::query(sql)
            .bind(ids)
            .bind(project.map(|p| p.0))
            .fetch_all(&self.side())
            .await
            .map_err(store_error)
    }

    pub(super) async fn find_slug(&self, project: ProjectId, slug: &str) -> Result<Option<PipelineId>> {
        let sql = "SELECT pipeline_id FROM pipeline_pointers WHERE project_id = $1 AND slug = $2";
        let id: Option<i64> = sqlx::query_scalar(sql)
            .bind(project.0)
            .bind(slug)
            .fetch_optional(&self.side())
            .await
            .map_err(store_error)?;
        Ok(id.map(PipelineId))
    }

    pub(super) async fn slugs_of(&self, project: ProjectId) -> Result<Vec<String>> {
        sqlx::query_scalar("SELECT slug FROM pipeline_pointers WHERE project_id = $1 ORDER BY slug")
            .bind(project.0)
            .fetch_all(&self.side())
            .await
            .map_err(store_error)
    }

    pub(super) async fn algorithms_with_maps(
        &self,
        project: Option<ProjectId>,
        ids: &[AlgorithmId],
    ) -> Result<Vec<Algorithm>> {
        let rows = sqlx::query(include_str!("../sql/catalog/algorithms.sql"))
            .bind(ids.iter().map(|a| a.0).collect::<Vec<_>>())
            .bind(project.map(|p| p.0))
            .fetch_all(&self.pool())
            .await
            .map_err(store_error)?;
        rows::all(&rows, rows::algorithm_with_map).map_err(store_error)
    }

    pub(super) async fn find_category_map(
        &self,
        project: Option<ProjectId>,
        id: i64,
    ) -> Result<Option<CategoryMap>> {
        let row = sqlx::query(include_str!("../sql/catalog/category_map.sql"))
            .bind(id)
            .bind(project.map(|p| p.0))
            .fetch_optional(&self.pool())
            .await
            .map_err(store_error)?;
        row.map(|row| row.json("map").map_err(store_error)).transpose()
    }

    pub(super) async fn service_page(
        &self,
        project: Option<ProjectId>,
        page: OffsetPage,
    ) -> Result<Total<Service>> {
        let (limit, offset) = bounds(page);
        let sql = "SELECT COUNT(*) FROM services WHERE $1::bigint IS NULL
                   OR id IN (SELECT service_id FROM service_projects WHERE project_id = $1)";
        let count = self.count(sql, project).await?;
        let rows = sqlx::query(include_str!("../sql/catalog/services.sql"))
            .bind(project.map(|p| p.0))
            .bind(None::<Vec<i64>>)
            .bind(limit)
            .bind(offset)
            .fetch_all(&self.side())
            .await
            .map_err(store_error)?;
        Ok(Total {
            rows: rows::all(&rows, rows::service).map_err(store_error)?,
            count,
        })
    }

    pub(super) async fn services_by_id(
        &self,
        project: Option<ProjectId>,
        ids: &[ServiceId],
    ) -> Result<Vec<Service>> {
        let rows = sqlx::query(include_str!("../sql/catalog/services.sql"))
            .bind(project.map(|p| p.0))
            .bind(ids.iter().map(|s| s.0).collect::<Vec<_>>())
            .bind(i64::MAX)
            .bind(0i64)
            .fetch_all(&self.side())
            .await
            .map_err(store_error)?;
        rows::all(&rows, rows::service).map_err(store_error)
    }

    pub(super) async fn remove_service(&self, id: ServiceId) -> Result<bool> {
        let done = sqlx::query("DELETE FROM services WHERE id = $1")
            .bind(id.0)
            .execute(&self.side())
            .await
            .map_err(store_error)?;
        Ok(done.rows_affected() > 0)
    }
}
