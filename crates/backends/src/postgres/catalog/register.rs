//! Registration: a service says what it runs, once when it starts and then as a heartbeat.
//!
//! One transaction, one at a time in the cluster, idempotent: what is registered again unchanged changes only when it was last
//! heard. Definitions are only added; what a slug means is moved in this registration's project and in no other.

use std::{collections::HashSet, time::Duration};

use sqlx::{PgConnection, Row as _};
use trapline_core::{
    Error, PipelineId, Result, ServiceId, Timestamp,
    catalog::{NewService, Pointer, Registered, Registration, moves_pointer},
};

use super::{
    super::{Lock, take},
    PostgresStore, store_error,
};
use crate::{
    registering::{Map, Prepared, PreparedAlgorithm, prepare},
    rows::Columns as _,
};

/// How long what a process registered is kept after it was last heard of.
const INSTANCE_KEPT: Duration = Duration::from_secs(24 * 3600);

impl PostgresStore {
    pub(super) async fn register_pipelines(&self, registration: &Registration) -> Result<Registered> {
        let prepared: Vec<_> = registration.pipelines.iter().map(prepare).collect();
        let mut tx = self.begin_side().await.map_err(store_error)?;
        take(&mut tx, Lock::Register).await.map_err(store_error)?;
        let now = self.now(&mut tx).await.map_err(store_error)?;
        let done = register_in(&mut tx, registration, &prepared, now).await?;
        tx.commit().await.map_err(store_error)?;
        Ok(done)
    }
}

async fn register_in(
    conn: &mut PgConnection,
    registration: &Registration,
    prepared: &[Prepared<'_>],
    now: Timestamp,
) -> Result<Registered> {
    let project = registration.project.0;
    let known = sqlx::query("SELECT 1 FROM projects WHERE id = $1")
        .bind(project)
        .fetch_optional(&mut *conn)
        .await
        .map_err(store_error)?;
    if known.is_none() {
        return Err(Error::not_found());
    }
    let service = save_service(conn, registration, now).await?;
    sqlx::query(
        "INSERT INTO service_projects (service_id, project_id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
    )
    .bind(service.0)
    .bind(project)
    .execute(&mut *conn)
    .await
    .map_err(store_error)?;
    let mut work = Work {
        project,
        instance: &registration.instance,
        now,
        done: Registered {
            service,
            ..Registered::default()
        },
    };
    for pipeline in prepared {
        work.pipeline(conn, pipeline).await.map_err(store_error)?;
    }
    Ok(work.done)
}

async fn save_service(
    conn: &mut PgConnection,
    registration: &Registration,
    now: Timestamp,
) -> Result<ServiceId> {
    let id: i64 = sqlx::query_scalar(include_str!("../sql/catalog/upsert_service.sql"))
        .bind(&registration.service_name)
        .bind(&registration.endpoint_url)
        .bind(now.0)
        .bind(registration.owner.map(|p| p.0))
        .fetch_one(conn)
        .await
        .map_err(store_error)?;
    Ok(ServiceId(id))
}

/// A registration under way.
struct Work<'a> {
    project: i64,
    instance: &'a str,
    now: Timestamp,
    done: Registered,
}

impl Work<'_> {
    async fn pipeline(&mut self, conn: &mut PgConnection, pipeline: &Prepared<'_>) -> sqlx::Result<()> {
        let slug = pipeline.spec.slug.as_str();
        let id = self.definition(conn, pipeline).await?;
        let pointer = self.pointer(conn, slug).await?;
        let last = self.last(conn, slug).await?;
        if moves_pointer(pointer, last, id, self.now) {
            self.note_algorithms(conn, pipeline).await?;
            sqlx::query(include_str!("../sql/catalog/move_pointer.sql"))
                .bind(self.project)
                .bind(slug)
                .bind(id.0)
                .bind(self.now.0)
                .execute(&mut *conn)
                .await?;
            match pointer {
                None => self.done.pipelines_created.push(slug.to_owned()),
                Some(_) => self.done.pipelines_updated.push(slug.to_owned()),
            }
        }
        sqlx::query(
            "INSERT INTO project_pipelines (project_id, pipeline_id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        )
        .bind(self.project)
        .bind(id.0)
        .execute(&mut *conn)
        .await?;
        self.note_registration(conn, slug, id, last.is_none()).await
    }

    /// What the slug means in the project.
    async fn pointer(&self, conn: &mut PgConnection, slug: &str) -> sqlx::Result<Option<Pointer>> {
        let row = sqlx::query(include_str!("../sql/catalog/pointer.sql"))
            .bind(self.project)
            .bind(slug)
            .fetch_optional(conn)
            .await?;
        let read = |row: _| -> sqlx::Result<_> {
            let row: sqlx::postgres::PgRow = row;
            Ok(Pointer {
                pipeline: PipelineId(row.try_get("pipeline_id")?),
                heard_at: row.maybe_time("heard_at")?,
            })
        };
        row.map(read).transpose()
    }

    /// What this process registered under the slug before.
    async fn last(&self, conn: &mut PgConnection, slug: &str) -> sqlx::Result<Option<PipelineId>> {
        let last: Option<i64> = sqlx::query_scalar(
            "SELECT pipeline_id FROM service_registrations
             WHERE service_id = $1 AND project_id = $2 AND slug = $3 AND instance = $4",
        )
        .bind(self.done.service.0)
        .bind(self.project)
        .bind(slug)
        .bind(self.instance)
        .fetch_optional(conn)
        .await?;
        Ok(last.map(PipelineId))
    }

    async fn note_registration(
        &self,
        conn: &mut PgConnection,
        slug: &str,
        id: PipelineId,
        is_new: bool,
    ) -> sqlx::Result<()> {
        if is_new {
            // Processes come and go; one that is not heard of for a day is no more.
            sqlx::query(
                "DELETE FROM service_registrations WHERE service_id = $1 AND instance <> '' AND at < $2",
            )
            .bind(self.done.service.0)
            .bind(self.now.minus(INSTANCE_KEPT).0)
            .execute(&mut *conn)
            .await?;
        }
        sqlx::query(include_str!("../sql/catalog/note_registration.sql"))
            .bind(self.done.service.0)
            .bind(self.project)
            .bind(slug)
            .bind(self.instance)
            .bind(id.0)
            .bind(self.now.0)
            .execute(conn)
            .await
            .map(drop)
    }

    /// Notes which algorithms the project did not have.
    async fn note_algorithms(
        &mut self,
        conn: &mut PgConnection,
        pipeline: &Prepared<'_>,
    ) -> sqlx::Result<()> {
        let known: Vec<(String, i64)> = sqlx::query_as(include_str!("../sql/catalog/known_algorithms.sql"))
            .bind(self.project)
            .fetch_all(conn)
            .await?;
        let known: HashSet<(&str, i64)> = known
            .iter()
            .map(|(key, version)| (key.as_str(), *version))
            .collect();
        for algorithm in &pipeline.algorithms {
            let spec = algorithm.spec;
            let key = (spec.key.as_str(), spec.version);
            if !known.contains(&key) && !self.done.algorithms_created.contains(&spec.key) {
                self.done.algorithms_created.push(spec.key.clone());
            }
        }
        Ok(())
    }

    /// The row of this content.
    async fn definition(&self, conn: &mut PgConnection, pipeline: &Prepared<'_>) -> sqlx::Result<PipelineId> {
        let known: Option<i64> = sqlx::query_scalar("SELECT id FROM pipelines WHERE hash = $1")
            .bind(pipeline.hash.as_slice())
            .fetch_optional(&mut *conn)
            .await?;
        if let Some(id) = known {
            return Ok(PipelineId(id));
        }
        let mut algorithms = Vec::with_capacity(pipeline.algorithms.len());
        for algorithm in &pipeline.algorithms {
            algorithms.push(self.algorithm(conn, algorithm).await?);
        }
        let spec = pipeline.spec;
        let id: i64 = sqlx::query_scalar(include_str!("../sql/catalog/insert_pipeline.sql"))
            .bind(&spec.slug)
            .bind(&spec.name)
            .bind(spec.version)
            .bind(&spec.description)
            .bind(&spec.version_name)
            .bind(&pipeline.stages)
            .bind(self.now.0)
            .bind(pipeline.hash.as_slice())
            .fetch_one(&mut *conn)
            .await?;
        sqlx::query(
            "INSERT INTO pipeline_algorithms (pipeline_id, position, algorithm_id)
         SELECT $1, e.at - 1, e.id FROM unnest($2::bigint[]) WITH ORDINALITY AS e (id, at)",
        )
        .bind(id)
        .bind(algorithms)
        .execute(conn)
        .await?;
        Ok(PipelineId(id))
    }

    async fn algorithm(
        &self,
        conn: &mut PgConnection,
        algorithm: &PreparedAlgorithm<'_>,
    ) -> sqlx::Result<i64> {
        let known: Option<i64> = sqlx::query_scalar("SELECT id FROM algorithms WHERE hash = $1")
            .bind(algorithm.hash.as_slice())
            .fetch_optional(&mut *conn)
            .await?;
        if let Some(id) = known {
            return Ok(id);
        }
        let map = match &algorithm.map {
            Some(map) => Some(save_map(conn, map).await?),
            None => None,
        };
        let spec = algorithm.spec;
        sqlx::query_scalar(include_str!("../sql/catalog/insert_algorithm.sql"))
            .bind(&spec.key)
            .bind(spec.version)
            .bind(&spec.name)
            .bind(&spec.task_type)
            .bind(&spec.description)
            .bind(&spec.version_name)
            .bind(&spec.uri)
            .bind(map)
            .bind(self.now.0)
            .bind(algorithm.hash.as_slice())
            .fetch_one(conn)
            .await
    }
}

async fn save_map(conn: &mut PgConnection, map: &Map) -> sqlx::Result<i64> {
    let known: Option<i64> = sqlx::query_scalar("SELECT id FROM category_maps WHERE hash = $1")
        .bind(map.hash.as_slice())
        .fetch_optional(&mut *conn)
        .await?;
    if let Some(id) = known {
        return Ok(id);
    }
    sqlx::query_scalar("INSERT INTO category_maps (hash, map) VALUES ($1, $2) RETURNING id")
        .bind(map.hash.as_slice())
        .bind(&map.text)
        .fetch_one(conn)
        .await
}

impl PostgresStore {
    pub(super) async fn insert_service(&self, service: &NewService) -> Result<ServiceId> {
        let mut tx = self.begin().await.map_err(store_error)?;
        let Timestamp(now) = self.now(&mut tx).await.map_err(store_error)?;
        let id: i64 = sqlx::query_scalar(include_str!("../sql/catalog/create_service.sql"))
            .bind(&service.name)
            .bind(&service.description)
            .bind(&service.endpoint_url)
            .bind(now)
            .bind(service.owner.map(|p| p.0))
            .fetch_one(&mut *tx)
            .await
            .map_err(store_error)?;
        sqlx::query(
            "INSERT INTO service_projects (service_id, project_id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        )
        .bind(id)
        .bind(service.project.0)
        .execute(&mut *tx)
        .await
        .map_err(store_error)?;
        tx.commit().await.map_err(store_error)?;
        Ok(ServiceId(id))
    }
}
