//! Registration: a service says what it runs, once when it starts and then as a heartbeat.
//!
//! One transaction, one at a time in the cluster, idempotent: what is registered again unchanged changes only when it was last
//! heard. Definitions are only added; what a slug means is moved in this registration's project and in no other.

use std::{collections::HashSet, time::Duration};

use trapline_core::{
    PipelineId, ServiceId, Timestamp,
    catalog::{NewService, Pointer, Registered, Registration, moves_pointer},
};

use super::{Cold, Turn};
use crate::{
    registering::{Map, Prepared, PreparedAlgorithm, prepare},
    rows::Columns as _,
    sql::{Conn, List, Sql, Value, first, sql},
};

/// How long what a process registered is kept after it was last heard of.
const INSTANCE_KEPT: Duration = Duration::from_secs(24 * 3600);

/// Registers; `None` if there is no such project.
pub(crate) async fn register<S: Cold>(
    store: &S,
    registration: &Registration,
) -> sqlx::Result<Option<Registered>> {
    let prepared: Vec<_> = registration.pipelines.iter().map(prepare).collect();
    let mut tx = store.begin_registration().await?;
    let now = store.store_time(&mut tx).await?;
    let done = register_in(&mut *tx, registration, &prepared, now).await?;
    if done.is_some() {
        S::commit(tx).await?;
    }
    Ok(done)
}

async fn register_in<C: Conn>(
    conn: &mut C,
    registration: &Registration,
    prepared: &[Prepared<'_>],
    now: Timestamp,
) -> sqlx::Result<Option<Registered>> {
    let project = registration.project.0;
    if conn
        .rows(sql!("projects/find.sql"), &[&project])
        .await?
        .is_empty()
    {
        return Ok(None);
    }
    let owner = registration.owner.map(|p| p.0);
    let values: [&dyn Value<'_>; 4] = [
        &registration.service_name,
        &registration.endpoint_url,
        &now.0,
        &owner,
    ];
    let service: i64 = conn
        .one(sql!(each "catalog/upsert_service.sql"), &values, first)
        .await?;
    conn.run(sql!("catalog/link_project.sql"), &[&service, &project])
        .await?;
    let mut work = Work {
        project,
        instance: &registration.instance,
        now,
        done: Registered {
            service: ServiceId(service),
            ..Registered::default()
        },
    };
    for pipeline in prepared {
        work.pipeline(conn, pipeline).await?;
    }
    Ok(Some(work.done))
}

/// A registration under way.
struct Work<'a> {
    project: i64,
    instance: &'a str,
    now: Timestamp,
    done: Registered,
}

impl Work<'_> {
    async fn pipeline<C: Conn>(&mut self, conn: &mut C, pipeline: &Prepared<'_>) -> sqlx::Result<()> {
        let slug = pipeline.spec.slug.as_str();
        let id = self.definition(conn, pipeline).await?;
        let pointer = self.pointer(conn, slug).await?;
        let last = self.last(conn, slug).await?;
        if moves_pointer(pointer, last, id, self.now) {
            self.note_algorithms(conn, pipeline).await?;
            let values: [&dyn Value<'_>; 4] = [&self.project, &slug, &id.0, &self.now.0];
            conn.run(sql!("catalog/move_pointer.sql"), &values).await?;
            match pointer {
                None => self.done.pipelines_created.push(slug.to_owned()),
                Some(_) => self.done.pipelines_updated.push(slug.to_owned()),
            }
        }
        conn.run(sql!("catalog/link_pipeline.sql"), &[&self.project, &id.0])
            .await?;
        self.note_registration(conn, slug, id, last.is_none()).await
    }

    /// What the slug means in the project.
    async fn pointer<C: Conn>(&self, conn: &mut C, slug: &str) -> sqlx::Result<Option<Pointer>> {
        conn.find(sql!("catalog/pointer.sql"), &[&self.project, &slug], |row| {
            Ok(Pointer {
                pipeline: PipelineId(row.col("pipeline_id")?),
                heard_at: row.maybe_time("heard_at")?,
            })
        })
        .await
    }

    /// What this process registered under the slug before.
    async fn last<C: Conn>(&self, conn: &mut C, slug: &str) -> sqlx::Result<Option<PipelineId>> {
        let values: [&dyn Value<'_>; 4] = [&self.done.service.0, &self.project, &slug, &self.instance];
        let last = conn
            .find(sql!("catalog/last_registered.sql"), &values, first)
            .await?;
        Ok(last.map(PipelineId))
    }

    async fn note_registration<C: Conn>(
        &self,
        conn: &mut C,
        slug: &str,
        id: PipelineId,
        is_new: bool,
    ) -> sqlx::Result<()> {
        let service = self.done.service.0;
        if is_new {
            // Processes come and go; one that is not heard of for a day is no more.
            let since = self.now.minus(INSTANCE_KEPT).0;
            conn.run(sql!("catalog/forget_instances.sql"), &[&service, &since])
                .await?;
        }
        let values: [&dyn Value<'_>; 6] =
            [&service, &self.project, &slug, &self.instance, &id.0, &self.now.0];
        conn.run(sql!("catalog/note_registration.sql"), &values)
            .await
            .map(drop)
    }

    /// Notes which algorithms the project did not have.
    async fn note_algorithms<C: Conn>(&mut self, conn: &mut C, pipeline: &Prepared<'_>) -> sqlx::Result<()> {
        let read = |row: &C::Row| Ok((row.col("key")?, row.col("version")?));
        let known = conn
            .list(sql!("catalog/known_algorithms.sql"), &[&self.project], read)
            .await?;
        let known: HashSet<(String, i64)> = known.into_iter().collect();
        for algorithm in &pipeline.algorithms {
            let spec = algorithm.spec;
            let key = (spec.key.clone(), spec.version);
            if !known.contains(&key) && !self.done.algorithms_created.contains(&spec.key) {
                self.done.algorithms_created.push(key.0);
            }
        }
        Ok(())
    }

    /// The row of this content.
    async fn definition<C: Conn>(&self, conn: &mut C, pipeline: &Prepared<'_>) -> sqlx::Result<PipelineId> {
        if let Some(id) = by_hash(conn, sql!("catalog/pipeline_by_hash.sql"), &pipeline.hash).await? {
            return Ok(PipelineId(id));
        }
        let mut algorithms = Vec::with_capacity(pipeline.algorithms.len());
        for algorithm in &pipeline.algorithms {
            algorithms.push(self.algorithm(conn, algorithm).await?);
        }
        let spec = pipeline.spec;
        let hash = pipeline.hash.as_slice();
        let values: [&dyn Value<'_>; 8] = [
            &spec.slug,
            &spec.name,
            &spec.version,
            &spec.description,
            &spec.version_name,
            &pipeline.stages,
            &self.now.0,
            &hash,
        ];
        let id: i64 = conn
            .one(sql!("catalog/insert_pipeline.sql"), &values, first)
            .await?;
        let values: [&dyn Value<'_>; 2] = [&id, &List(&algorithms)];
        conn.run(sql!(each "catalog/insert_pipeline_algorithms.sql"), &values)
            .await?;
        Ok(PipelineId(id))
    }

    async fn algorithm<C: Conn>(&self, conn: &mut C, algorithm: &PreparedAlgorithm<'_>) -> sqlx::Result<i64> {
        if let Some(id) = by_hash(conn, sql!("catalog/algorithm_by_hash.sql"), &algorithm.hash).await? {
            return Ok(id);
        }
        let map = match &algorithm.map {
            Some(map) => Some(save_map(conn, map).await?),
            None => None,
        };
        let spec = algorithm.spec;
        let hash = algorithm.hash.as_slice();
        let values: [&dyn Value<'_>; 10] = [
            &spec.key,
            &spec.version,
            &spec.name,
            &spec.task_type,
            &spec.description,
            &spec.version_name,
            &spec.uri,
            &map,
            &self.now.0,
            &hash,
        ];
        conn.one(sql!("catalog/insert_algorithm.sql"), &values, first)
            .await
    }
}

async fn save_map<C: Conn>(conn: &mut C, map: &Map) -> sqlx::Result<i64> {
    if let Some(id) = by_hash(conn, sql!("catalog/map_by_hash.sql"), &map.hash).await? {
        return Ok(id);
    }
    let values: [&dyn Value<'_>; 2] = [&map.hash.as_slice(), &map.text];
    conn.one(sql!("catalog/insert_map.sql"), &values, first).await
}

async fn by_hash<C: Conn>(conn: &mut C, sql: Sql, hash: &[u8; 32]) -> sqlx::Result<Option<i64>> {
    conn.find(sql, &[&hash.as_slice()], first).await
}

pub(crate) async fn create_service<S: Cold>(store: &S, service: &NewService) -> sqlx::Result<ServiceId> {
    let mut tx = store.begin(Turn::Foreground).await?;
    let now = store.store_time(&mut tx).await?.0;
    let owner = service.owner.map(|p| p.0);
    let values: [&dyn Value<'_>; 5] = [
        &service.name,
        &service.description,
        &service.endpoint_url,
        &now,
        &owner,
    ];
    let id: i64 = tx
        .one(sql!(each "catalog/create_service.sql"), &values, first)
        .await?;
    tx.run(sql!("catalog/link_project.sql"), &[&id, &service.project.0])
        .await?;
    S::commit(tx).await?;
    Ok(ServiceId(id))
}
