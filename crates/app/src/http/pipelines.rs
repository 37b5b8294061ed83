//! Pipelines, their algorithms and their category maps, as they are read (docs/wire.md#pipelines-and-services).

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    response::{IntoResponse as _, Response},
    routing::get,
};
use trapline_core::{
    AlgorithmId, PipelineId, Result,
    catalog::{Algorithm, Pipeline},
    ports::Catalog,
    remembered::Immutable,
};
use trapline_wire as wire;

use super::{
    AppState, Id, Links, Params, Principal,
    error::{ApiError, ApiResult},
    paging::{PAGE_DEFAULT, offset_page},
    projects, services,
};

/// How many sizes are remembered.
const MAP_SIZES_MAX: usize = 10_000;

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/ml/pipelines", get(list))
        .route("/ml/pipelines/{id}", get(show))
        .route("/ml/algorithms/{id}", get(show_algorithm))
        .route("/ml/labels/{id}", get(show_map))
}

/// How many labels the category maps have. A map's row never changes, so what is known stays true; a map of 29,000
/// labels is read once, not for each line of a list.
#[derive(Clone)]
pub struct MapSizes(Arc<Immutable<i64, usize>>);

impl Default for MapSizes {
    fn default() -> Self {
        Self(Arc::new(Immutable::new(MAP_SIZES_MAX)))
    }
}

impl MapSizes {
    /// Of a map that the caller may see.
    pub(crate) async fn of(&self, catalog: &dyn Catalog, map: i64) -> Result<usize> {
        if let Some(size) = self.0.get(&map) {
            return Ok(size);
        }
        let Some(found) = catalog.category_map(None, map).await? else {
            return Ok(0);
        };
        self.0.insert(map, found.labels.len());
        Ok(found.labels.len())
    }
}

async fn algorithm_view(state: &AppState, algorithm: &Algorithm, links: &Links) -> Result<wire::Algorithm> {
    let count = match algorithm.category_map_id {
        Some(id) => Some(state.map_sizes.of(state.catalog.as_ref(), id).await?),
        None => None,
    };
    let spec = &algorithm.spec;
    Ok(wire::Algorithm {
        id: algorithm.id.0,
        details: links.to(format_args!("ml/algorithms/{}", algorithm.id)),
        name: spec.name.clone(),
        key: spec.key.clone(),
        description: spec.description.clone(),
        uri: spec.uri.clone(),
        version: spec.version,
        version_name: spec.version_name.clone(),
        task_type: spec.task_type.clone(),
        category_map: algorithm.category_map_id.map(|id| map_head(id, links)),
        category_count: count,
        created_at: algorithm.created_at.to_string(),
        updated_at: algorithm.updated_at.to_string(),
    })
}

fn map_head(id: i64, links: &Links) -> wire::MapHead {
    let details = links.to(format_args!("ml/labels/{id}"));
    wire::MapHead { id, details }
}

/// A pipeline, which was read as the caller sees it.
pub(super) async fn view(state: &AppState, pipeline: &Pipeline, links: &Links) -> Result<wire::Pipeline> {
    let mut algorithms = Vec::with_capacity(pipeline.algorithms.len());
    for algorithm in &pipeline.algorithms {
        algorithms.push(algorithm_view(state, algorithm, links).await?);
    }
    let head = brief(pipeline, links);
    let services = pipeline.services.iter().map(|s| services::brief(state, s, links));
    let configs = pipeline
        .projects
        .iter()
        .map(|project| wire::PipelineConfiguration {
            // A pipeline is in a project once, so the two numbers name the configuration.
            id: project.0,
            project: links.to(format_args!("projects/{project}")),
            pipeline: head.details.clone(),
            enabled: true,
            config: wire::Empty {},
        });
    Ok(wire::Pipeline {
        algorithms,
        stages: pipeline.stages.clone(),
        processing_services: services.collect(),
        project_pipeline_configs: configs.collect(),
        head,
    })
}

/// A pipeline inside another object.
pub(super) fn brief(pipeline: &Pipeline, links: &Links) -> wire::PipelineHead {
    wire::PipelineHead {
        id: pipeline.id.0,
        details: links.to(format_args!("ml/pipelines/{}", pipeline.id)),
        name: pipeline.name.clone(),
        slug: pipeline.slug.clone(),
        description: pipeline.description.clone(),
        version: pipeline.version,
        version_name: pipeline.version_name.clone(),
        created_at: pipeline.created_at.to_string(),
        updated_at: pipeline.updated_at.to_string(),
        user_permissions: Vec::new(),
    }
}

async fn list(
    State(state): State<AppState>,
    principal: Principal,
    links: Links,
    params: Params,
) -> ApiResult {
    let project = state.narrow(&principal, &params).await?;
    page(&state, &links, &params, project).await
}

/// The enabled pipelines of one project.
pub(super) async fn list_of_project(
    State(state): State<AppState>,
    principal: Principal,
    links: Links,
    params: Params,
    Id(id): Id,
) -> ApiResult {
    let project = projects::find(&state, &principal, id).await?;
    page(&state, &links, &params, Some(project.id)).await
}

async fn page(
    state: &AppState,
    links: &Links,
    params: &Params,
    project: Option<trapline_core::ProjectId>,
) -> ApiResult<Response> {
    let page = params.page(PAGE_DEFAULT);
    let pipelines = state.catalog.pipelines(project, page).await?;
    let mut rows = Vec::with_capacity(pipelines.rows.len());
    for pipeline in &pipelines.rows {
        rows.push(view(state, pipeline, links).await?);
    }
    // Pipelines are made by registration only.
    Ok(offset_page(links, params, page, pipelines.count, rows, &[]))
}

async fn show(State(state): State<AppState>, principal: Principal, links: Links, Id(id): Id) -> ApiResult {
    let pipeline = state
        .catalog
        .pipeline(principal.project, PipelineId(id))
        .await?
        .ok_or_else(ApiError::not_found)?;
    Ok(Json(view(&state, &pipeline, &links).await?).into_response())
}

/// Of a project: the algorithms of all pipelines that it ever had, because results name them.
async fn show_algorithm(
    State(state): State<AppState>,
    principal: Principal,
    links: Links,
    Id(id): Id,
) -> ApiResult {
    let found = state
        .catalog
        .algorithms(principal.project, &[AlgorithmId(id)])
        .await?;
    let algorithm = found.first().ok_or_else(ApiError::not_found)?;
    Ok(Json(algorithm_view(&state, algorithm, &links).await?).into_response())
}

async fn show_map(
    State(state): State<AppState>,
    principal: Principal,
    links: Links,
    Id(id): Id,
) -> ApiResult {
    let map = state
        .catalog
        .category_map(principal.project, id)
        .await?
        .ok_or_else(ApiError::not_found)?;
    Ok(Json(wire::CategoryMap {
        head: map_head(id, &links),
        labels: map.labels,
        data: map.data,
        version: map.version,
        description: map.description,
        uri: map.uri,
    })
    .into_response())
}
