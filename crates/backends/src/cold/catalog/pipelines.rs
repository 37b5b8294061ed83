//! Pipelines, algorithms, category maps and services, as they are read.
//!
//! A page is a constant number of statements: the rows, then what hangs on them in bulk.

use std::collections::HashMap;

use trapline_core::{
    AlgorithmId, PipelineId, ProjectId, ServiceId, Timestamp,
    catalog::{Algorithm, CategoryMap, Pipeline, Service},
    ports::{OffsetPage, Total},
};

use super::{Cold, Turn, counted, write};
use crate::{
    rows::{self, Columns as _},
    sql::{Conn, List, Sql, Value, bound, first, sql},
};

pub(crate) async fn page<S: Cold>(
    store: &S,
    project: Option<ProjectId>,
    page: OffsetPage,
) -> sqlx::Result<Total<Pipeline>> {
    let project = project.map(|p| p.0);
    let mut conn = store.reader().await?;
    let count = counted(&mut *conn, sql!("catalog/count_pipelines.sql"), &[&project]).await?;
    let values: [&dyn Value<'_>; 3] = [&project, &bound(page.limit), &bound(page.offset)];
    let rows = conn
        .list(sql!("catalog/pipelines.sql"), &values, rows::bare_pipeline)
        .await?;
    let rows = with_children(&mut *conn, project, rows).await?;
    Ok(Total { rows, count })
}

pub(crate) async fn find<S: Cold>(
    store: &S,
    project: Option<ProjectId>,
    id: PipelineId,
) -> sqlx::Result<Option<Pipeline>> {
    let project = project.map(|p| p.0);
    let mut conn = store.reader().await?;
    let found = conn
        .list(
            sql!("catalog/pipeline.sql"),
            &[&project, &id.0],
            rows::bare_pipeline,
        )
        .await?;
    Ok(with_children(&mut *conn, project, found).await?.pop())
}

async fn with_children<C: Conn>(
    conn: &mut C,
    project: Option<i64>,
    mut pipelines: Vec<Pipeline>,
) -> sqlx::Result<Vec<Pipeline>> {
    let ids: Vec<i64> = pipelines.iter().map(|p| p.id.0).collect();
    let mut algorithms: HashMap<i64, Vec<Algorithm>> = HashMap::new();
    let of = [&List(&ids) as &dyn Value<'_>];
    for row in conn
        .rows(sql!(each "catalog/pipeline_algorithms.sql"), &of)
        .await?
    {
        let algorithm = rows::algorithm(&row, None)?;
        algorithms
            .entry(row.col("pipeline_id")?)
            .or_default()
            .push(algorithm);
    }
    let of: [&dyn Value<'_>; 2] = [&List(&ids), &project];
    let mut projects = rows::grouped(&conn.rows(sql!(each "catalog/pipeline_projects.sql"), &of).await?)?;
    let services = rows::grouped(&conn.rows(sql!(each "catalog/pipeline_services.sql"), &of).await?)?;
    let mut needed: Vec<i64> = services.values().flatten().copied().collect();
    needed.sort_unstable();
    needed.dedup();
    let found = services_by_id(conn, project, &needed).await?;
    let found: HashMap<i64, Service> = found.into_iter().map(|s| (s.id.0, s)).collect();
    for pipeline in &mut pipelines {
        let id = pipeline.id.0;
        let projects = projects.remove(&id).unwrap_or_default();
        let services = services.get(&id).into_iter().flatten();
        pipeline.algorithms = algorithms.remove(&id).unwrap_or_default();
        pipeline.projects = projects.into_iter().map(ProjectId).collect();
        pipeline.services = services.filter_map(|s| found.get(s).cloned()).collect();
    }
    Ok(pipelines)
}

pub(crate) async fn by_slug<S: Cold>(
    store: &S,
    project: ProjectId,
    slug: &str,
) -> sqlx::Result<Option<PipelineId>> {
    let mut conn = store.reader().await?;
    let found = conn
        .find(sql!("catalog/pipeline_by_slug.sql"), &[&project.0, &slug], first)
        .await?;
    Ok(found.map(PipelineId))
}

pub(crate) async fn slugs<S: Cold>(store: &S, project: ProjectId) -> sqlx::Result<Vec<String>> {
    let mut conn = store.reader().await?;
    conn.list(sql!("catalog/slugs.sql"), &[&project.0], first).await
}

pub(crate) async fn algorithms<S: Cold>(
    store: &S,
    project: Option<ProjectId>,
    ids: &[AlgorithmId],
) -> sqlx::Result<Vec<Algorithm>> {
    let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
    let values: [&dyn Value<'_>; 2] = [&List(&ids), &project.map(|p| p.0)];
    let mut conn = store.worker_reader().await?;
    conn.list(
        sql!(each "catalog/algorithms.sql"),
        &values,
        rows::algorithm_with_map,
    )
    .await
}

pub(crate) async fn category_map<S: Cold>(
    store: &S,
    project: Option<ProjectId>,
    id: i64,
) -> sqlx::Result<Option<CategoryMap>> {
    let mut conn = store.worker_reader().await?;
    let values: [&dyn Value<'_>; 2] = [&id, &project.map(|p| p.0)];
    conn.find(sql!("catalog/category_map.sql"), &values, |row| row.json("map"))
        .await
}

const SERVICES: Sql = sql!(each "catalog/services.sql");

pub(crate) async fn services<S: Cold>(
    store: &S,
    project: Option<ProjectId>,
    page: OffsetPage,
) -> sqlx::Result<Total<Service>> {
    let project = project.map(|p| p.0);
    let mut conn = store.reader().await?;
    let count = counted(&mut *conn, sql!("catalog/count_services.sql"), &[&project]).await?;
    let all = None::<List<&[i64]>>;
    let values: [&dyn Value<'_>; 4] = [&project, &all, &bound(page.limit), &bound(page.offset)];
    let rows = conn.list(SERVICES, &values, rows::service).await?;
    Ok(Total { rows, count })
}

pub(crate) async fn service<S: Cold>(
    store: &S,
    project: Option<ProjectId>,
    id: ServiceId,
) -> sqlx::Result<Option<Service>> {
    let mut conn = store.reader().await?;
    Ok(services_by_id(&mut *conn, project.map(|p| p.0), &[id.0])
        .await?
        .pop())
}

async fn services_by_id<C: Conn>(
    conn: &mut C,
    project: Option<i64>,
    ids: &[i64],
) -> sqlx::Result<Vec<Service>> {
    let values: [&dyn Value<'_>; 4] = [&project, &List(ids), &i64::MAX, &0_i64];
    conn.list(SERVICES, &values, rows::service).await
}

pub(crate) async fn delete_service<S: Cold>(store: &S, id: ServiceId) -> sqlx::Result<bool> {
    Ok(write(
        store,
        Turn::Foreground,
        sql!("catalog/delete_service.sql"),
        &[&id.0],
    )
    .await?
        > 0)
}

pub(crate) async fn online_workers<S: Cold>(
    store: &S,
    project: ProjectId,
    seen_since: Timestamp,
) -> sqlx::Result<Vec<(String, u64)>> {
    let mut conn = store.reader().await?;
    let sql = sql!(each "catalog/online_workers.sql");
    conn.list(sql, &[&project.0, &seen_since.0], |row| {
        Ok((row.col("slug")?, row.unsigned("workers")?))
    })
    .await
}
