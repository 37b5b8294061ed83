//! Registration: a service says what it runs, once when it starts and then as a heartbeat.
//!
//! One transaction, idempotent: what is registered again unchanged changes only `last_seen`.

use std::collections::HashSet;

use sqlx::SqliteConnection;
use trapline_core::{
    AlgorithmId, Error, Result, ServiceId, Timestamp,
    catalog::{AlgorithmSpec, Registered, Registration},
};

use super::{super::json, SqliteStore, store_error};
use crate::registering::{Map, Prepared, prepare};

impl SqliteStore {
    pub(super) async fn register_pipelines(&self, registration: &Registration) -> Result<Registered> {
        let prepared: Vec<_> = registration.pipelines.iter().map(prepare).collect();
        let now = self.clock.now();
        let mut tx = self.writer.foreground().await?;
        let project = registration.project.0;
        let known = sqlx::query("SELECT 1 FROM projects WHERE id = ?1")
            .bind(project)
            .fetch_optional(tx.conn())
            .await
            .map_err(store_error)?;
        if known.is_none() {
            return Err(Error::not_found());
        }
        let service = save_service(tx.conn(), registration, now).await?;
        let mut work = Work {
            now,
            changed: HashSet::new(),
            done: Registered {
                service,
                ..Registered::default()
            },
        };
        let mut pipelines = Vec::with_capacity(prepared.len());
        for pipeline in &prepared {
            pipelines.push(work.pipeline(tx.conn(), pipeline).await?);
        }
        let pipelines = json(&pipelines);
        for (sql, one, many) in [
            (
                "INSERT INTO project_pipelines (project_id, pipeline_id)
                 SELECT ?1, value FROM json_each(?2) WHERE true ON CONFLICT DO NOTHING",
                project,
                &pipelines,
            ),
            (
                "INSERT INTO service_pipelines (service_id, pipeline_id)
                 SELECT ?1, value FROM json_each(?2) WHERE true ON CONFLICT DO NOTHING",
                service.0,
                &pipelines,
            ),
            (
                "INSERT INTO service_projects (service_id, project_id)
                 SELECT ?1, value FROM json_each(?2) WHERE true ON CONFLICT DO NOTHING",
                service.0,
                &json(&[project]),
            ),
        ] {
            sqlx::query(sql)
                .bind(one)
                .bind(many)
                .execute(tx.conn())
                .await
                .map_err(store_error)?;
        }
        tx.commit().await?;
        Ok(work.done)
    }
}

async fn save_service(
    conn: &mut SqliteConnection,
    registration: &Registration,
    now: Timestamp,
) -> Result<ServiceId> {
    let id: i64 = sqlx::query_scalar(include_str!("../sql/catalog/upsert_service.sql"))
        .bind(&registration.service_name)
        .bind(&registration.endpoint_url)
        .bind(now.0)
        .fetch_one(conn)
        .await
        .map_err(store_error)?;
    Ok(ServiceId(id))
}

/// A registration under way.
struct Work {
    now: Timestamp,
    /// Algorithms that this registration changed: each pipeline that has one of them has changed.
    changed: HashSet<AlgorithmId>,
    done: Registered,
}

impl Work {
    async fn pipeline(&mut self, conn: &mut SqliteConnection, pipeline: &Prepared<'_>) -> Result<i64> {
        let spec = pipeline.spec;
        let mut algorithms = Vec::with_capacity(spec.algorithms.len());
        for (algorithm, map) in spec.algorithms.iter().zip(&pipeline.maps) {
            algorithms.push(self.algorithm(conn, algorithm, map.as_ref()).await?);
        }
        let before: Option<i64> = sqlx::query_scalar("SELECT id FROM pipelines WHERE slug = ?1")
            .bind(&spec.slug)
            .fetch_optional(&mut *conn)
            .await
            .map_err(store_error)?;
        let written: Option<i64> = sqlx::query_scalar(include_str!("../sql/catalog/upsert_pipeline.sql"))
            .bind(&spec.slug)
            .bind(&spec.name)
            .bind(spec.version)
            .bind(&spec.description)
            .bind(&spec.version_name)
            .bind(&pipeline.stages)
            .bind(self.now.0)
            .fetch_optional(&mut *conn)
            .await
            .map_err(store_error)?;
        let id = written
            .or(before)
            .ok_or_else(|| Error::internal("a pipeline is neither new nor old"))?;
        let others = replace_algorithms(conn, id, &algorithms).await?;
        if before.is_none() {
            self.done.pipelines_created.push(spec.slug.clone());
        } else if written.is_some() || others || algorithms.iter().any(|a| self.changed.contains(a)) {
            if written.is_none() {
                sqlx::query("UPDATE pipelines SET updated_at = ?2 WHERE id = ?1")
                    .bind(id)
                    .bind(self.now.0)
                    .execute(conn)
                    .await
                    .map_err(store_error)?;
            }
            self.done.pipelines_updated.push(spec.slug.clone());
        }
        Ok(id)
    }

    async fn algorithm(
        &mut self,
        conn: &mut SqliteConnection,
        spec: &AlgorithmSpec,
        map: Option<&Map>,
    ) -> Result<AlgorithmId> {
        let map = match map {
            Some(map) => Some(save_map(conn, map).await?),
            None => None,
        };
        let before: Option<i64> =
            sqlx::query_scalar("SELECT id FROM algorithms WHERE key = ?1 AND version = ?2")
                .bind(&spec.key)
                .bind(spec.version)
                .fetch_optional(&mut *conn)
                .await
                .map_err(store_error)?;
        let written: Option<i64> = sqlx::query_scalar(include_str!("../sql/catalog/upsert_algorithm.sql"))
            .bind(&spec.key)
            .bind(spec.version)
            .bind(&spec.name)
            .bind(&spec.task_type)
            .bind(&spec.description)
            .bind(&spec.version_name)
            .bind(&spec.uri)
            .bind(map)
            .bind(self.now.0)
            .fetch_optional(conn)
            .await
            .map_err(store_error)?;
        let id = written
            .or(before)
            .ok_or_else(|| Error::internal("an algorithm is neither new nor old"))?;
        let id = AlgorithmId(id);
        if before.is_none() {
            self.done.algorithms_created.push(spec.key.clone());
        } else if written.is_some() {
            self.changed.insert(id);
        }
        Ok(id)
    }
}

async fn save_map(conn: &mut SqliteConnection, map: &Map) -> Result<i64> {
    let known: Option<i64> = sqlx::query_scalar("SELECT id FROM category_maps WHERE hash = ?1")
        .bind(map.hash.as_slice())
        .fetch_optional(&mut *conn)
        .await
        .map_err(store_error)?;
    if let Some(id) = known {
        return Ok(id);
    }
    sqlx::query_scalar("INSERT INTO category_maps (hash, map) VALUES (?1, ?2) RETURNING id")
        .bind(map.hash.as_slice())
        .bind(&map.text)
        .fetch_one(conn)
        .await
        .map_err(store_error)
}

/// Says whether the list is another one.
async fn replace_algorithms(
    conn: &mut SqliteConnection,
    pipeline: i64,
    algorithms: &[AlgorithmId],
) -> Result<bool> {
    let sql = "SELECT algorithm_id FROM pipeline_algorithms WHERE pipeline_id = ?1 ORDER BY position";
    let before: Vec<i64> = sqlx::query_scalar(sql)
        .bind(pipeline)
        .fetch_all(&mut *conn)
        .await
        .map_err(store_error)?;
    if before.iter().copied().eq(algorithms.iter().map(|a| a.0)) {
        return Ok(false);
    }
    sqlx::query("DELETE FROM pipeline_algorithms WHERE pipeline_id = ?1")
        .bind(pipeline)
        .execute(&mut *conn)
        .await
        .map_err(store_error)?;
    sqlx::query(
        "INSERT INTO pipeline_algorithms (pipeline_id, position, algorithm_id)
         SELECT ?1, j.key, j.value FROM json_each(?2) AS j",
    )
    .bind(pipeline)
    .bind(json(algorithms))
    .execute(conn)
    .await
    .map_err(store_error)?;
    Ok(true)
}
