//! The rows of what jobs are made of.

use std::collections::HashMap;

use trapline_core::{
    AlgorithmId, CaptureId, CollectionId, PipelineId, ProjectId, ServiceId, TakenAt, TokenId,
    catalog::{
        Algorithm, AlgorithmSpec, Capture, CaptureFacts, CategoryMap, Collection, Draft, FileVersion,
        Pipeline, Project, ProjectSettings, Role, Service, Session, SessionOwner, Token,
    },
};

use super::{Columns, unreadable, word};

pub(crate) fn project(row: &impl Columns) -> sqlx::Result<Project> {
    Ok(Project {
        id: ProjectId(row.col("id")?),
        name: row.col("name")?,
        description: row.col("description")?,
        settings: ProjectSettings {
            time_zone: row.col("time_zone")?,
            ..row.json("settings")?
        },
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

pub(crate) fn token(row: &impl Columns) -> sqlx::Result<Token> {
    Ok(Token {
        id: TokenId(row.col("id")?),
        name: row.col("name")?,
        role: word(&row.col::<String>("role")?, Role::parse)?,
        project_id: row.col::<Option<i64>>("project_id")?.map(ProjectId),
        prefix: row.col("prefix")?,
        created_at: row.time("created_at")?,
        expires_at: row.maybe_time("expires_at")?,
        used_at: row.maybe_time("used_at")?,
    })
}

/// A row of `sessions` with that of its token, whose times have the same names.
pub(crate) fn session(row: &impl Columns) -> sqlx::Result<Session> {
    let owner = match row.col::<Option<Vec<u8>>>("admin_hash")? {
        None => SessionOwner::Token(token(row)?),
        Some(hash) => {
            let hash = hash.try_into();
            let hash = hash.map_err(|_| sqlx::Error::Decode("a stored hash has not 32 bytes".into()))?;
            SessionOwner::AdminToken(hash)
        }
    };
    Ok(Session {
        owner,
        created_at: row.time("signed_in_at")?,
        expires_at: row.time("ends_at")?,
    })
}

pub(crate) fn collection(row: &impl Columns) -> sqlx::Result<Collection> {
    Ok(Collection {
        id: CollectionId(row.col("id")?),
        project: ProjectId(row.col("project_id")?),
        name: row.col("name")?,
        captures: row.unsigned("captures")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

pub(crate) fn draft(row: &impl Columns) -> sqlx::Result<Draft> {
    Ok(Draft {
        set: CollectionId(row.col("collection_id")?),
        name: row.col("name")?,
        report: row.col("report")?,
        created_at: row.time("created_at")?,
    })
}

pub(crate) fn taken_at(row: &impl Columns) -> sqlx::Result<Option<TakenAt>> {
    let offset_minutes = row.col("taken_offset")?;
    let at = row.maybe_time("taken_at")?;
    Ok(at.map(|at| TakenAt { at, offset_minutes }))
}

pub(crate) fn capture(row: &impl Columns) -> sqlx::Result<Capture> {
    let file = match (row.col("file_size")?, row.maybe_time("file_modified")?) {
        (Some(size), Some(modified)) => Some(FileVersion {
            size,
            modified,
            digest: row.col("file_digest")?,
        }),
        _ => None,
    };
    Ok(Capture {
        id: CaptureId(row.col("id")?),
        project: ProjectId(row.col("project_id")?),
        url: row.col("url")?,
        facts: CaptureFacts {
            taken_at: taken_at(row)?,
            width: row.col("width")?,
            height: row.col("height")?,
            camera: row.col("camera")?,
            file,
        },
    })
}

pub(crate) fn algorithm(row: &impl Columns, category_map: Option<CategoryMap>) -> sqlx::Result<Algorithm> {
    Ok(Algorithm {
        id: AlgorithmId(row.col("id")?),
        spec: AlgorithmSpec {
            key: row.col("key")?,
            version: row.col("version")?,
            name: row.col("name")?,
            task_type: row.col("task_type")?,
            description: row.col("description")?,
            version_name: row.col("version_name")?,
            uri: row.col("uri")?,
            category_map,
        },
        category_map_id: row.col("category_map_id")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

/// An algorithm with its category map.
pub(crate) fn algorithm_with_map(row: &impl Columns) -> sqlx::Result<Algorithm> {
    let map: Option<String> = row.col("map")?;
    let map = map
        .map(|text| serde_json::from_str(&text).map_err(|e| unreadable("category map", e)))
        .transpose()?;
    algorithm(row, map)
}

/// A pipeline without what hangs on it.
pub(crate) fn bare_pipeline(row: &impl Columns) -> sqlx::Result<Pipeline> {
    Ok(Pipeline {
        id: PipelineId(row.col("id")?),
        slug: row.col("slug")?,
        name: row.col("name")?,
        version: row.col("version")?,
        description: row.col("description")?,
        version_name: row.col("version_name")?,
        stages: row.json("stages")?,
        algorithms: Vec::new(),
        services: Vec::new(),
        projects: Vec::new(),
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

pub(crate) fn service(row: &impl Columns) -> sqlx::Result<Service> {
    Ok(Service {
        id: ServiceId(row.col("id")?),
        name: row.col("name")?,
        description: row.col("description")?,
        endpoint_url: row.col("endpoint_url")?,
        projects: row.json("projects")?,
        shared: row.col("shared")?,
        pipelines: row.json("pipelines")?,
        last_seen: row.maybe_time("last_seen")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

/// Pairs of (pipeline, other) by pipeline.
pub(crate) fn grouped<R: Columns>(rows: &[R]) -> sqlx::Result<HashMap<i64, Vec<i64>>> {
    let mut by: HashMap<i64, Vec<i64>> = HashMap::new();
    for row in rows {
        by.entry(row.col("pipeline_id")?)
            .or_default()
            .push(row.col("other_id")?);
    }
    Ok(by)
}
