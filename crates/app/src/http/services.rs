//! Processing services: registered fleets, and whether anything of them lives.

use std::{collections::HashMap, time::Duration};

use axum::{Json, Router, extract::State, http::StatusCode, response::IntoResponse as _, routing::get};
use trapline_core::{
    PipelineId, ServiceId, Timestamp,
    catalog::{NewService, Pipeline, Service},
    ports::OffsetPage,
};
use trapline_wire as wire;

use super::{
    Access, AppState, Fields, Id, Links, NAME_MAX, Params, Principal, TEXT_MAX,
    error::{ApiError, ApiResult},
    paging::{PAGE_DEFAULT, offset_page},
    pipelines,
    query::PAGE_MAX,
};

const URL_MAX: usize = 1_000;
/// A service that gave no sign for this long is not live.
const LIVE: Duration = Duration::from_secs(60);

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/ml/processing_services", get(list).post(create))
        .route("/ml/processing_services/{id}", get(show).delete(remove))
        .route("/ml/processing_services/{id}/status", get(status))
}

fn live(service: &Service, now: Timestamp) -> bool {
    service.last_seen.is_some_and(|at| now.since(at) <= LIVE)
}

/// A service inside another object.
pub(super) fn brief(state: &AppState, service: &Service, links: &Links) -> wire::ServiceHead {
    wire::ServiceHead {
        id: service.id.0,
        details: links.to(format_args!("ml/processing_services/{}", service.id)),
        name: service.name.clone(),
        endpoint_url: service.endpoint_url.clone(),
        is_async: service.endpoint_url.is_none(),
        last_seen: service.last_seen.map(|at| state.engine.shown(at).to_string()),
        last_seen_live: live(service, state.engine.now()),
        created_at: service.created_at.to_string(),
        updated_at: service.updated_at.to_string(),
    }
}

/// What services run: the pipelines by id.
async fn runnable(state: &AppState, principal: &Principal) -> ApiResult<HashMap<PipelineId, Pipeline>> {
    let mut found = HashMap::new();
    let mut page = OffsetPage {
        limit: PAGE_MAX,
        offset: 0,
    };
    loop {
        let rows = state.catalog.pipelines(principal.project, page).await?;
        found.extend(rows.rows.into_iter().map(|p| (p.id, p)));
        page.offset += PAGE_MAX;
        if page.offset >= rows.count {
            return Ok(found);
        }
    }
}

fn view(
    state: &AppState,
    principal: &Principal,
    service: &Service,
    known: &HashMap<PipelineId, Pipeline>,
    links: &Links,
) -> wire::Service {
    let run = service.pipelines.iter().filter_map(|id| known.get(id));
    let verbs: &[_] = if may_delete(principal, service) {
        &["delete"]
    } else {
        &[]
    };
    wire::Service {
        head: brief(state, service, links),
        description: service.description.clone(),
        projects: service.projects.iter().map(|id| id.0).collect(),
        pipelines: run.map(|p| pipelines::brief(p, links)).collect(),
        user_permissions: wire::words(verbs),
    }
}

/// Upstream wants the project named, so that no list is of every service there is.
async fn list(
    State(state): State<AppState>,
    principal: Principal,
    links: Links,
    params: Params,
) -> ApiResult {
    let project = params.int("project_id")?;
    let project = project.ok_or_else(|| ApiError::field("project_id", "This field is required."))?;
    let project = state.known_project(&principal, project).await?;
    let page = params.page(PAGE_DEFAULT);
    let services = state.catalog.services(Some(project), page).await?;
    let known = runnable(&state, &principal).await?;
    let rows: Vec<_> = services
        .rows
        .iter()
        .map(|s| view(&state, &principal, s, &known, &links))
        .collect();
    let create = principal.verbs(Access::Admin, &["create"]);
    Ok(offset_page(&links, &params, page, services.count, rows, create))
}

async fn find(state: &AppState, principal: &Principal, id: i64) -> ApiResult<Service> {
    let service = state.catalog.service(principal.project, ServiceId(id)).await?;
    service.ok_or_else(ApiError::not_found)
}

async fn show(State(state): State<AppState>, principal: Principal, links: Links, Id(id): Id) -> ApiResult {
    let service = find(&state, &principal, id).await?;
    let known = runnable(&state, &principal).await?;
    Ok(Json(view(&state, &principal, &service, &known, &links)).into_response())
}

/// A service of several projects is not for an admin of one of them to remove.
fn may_delete(principal: &Principal, service: &Service) -> bool {
    principal.may(Access::Admin) && (principal.project.is_none() || !service.shared)
}

async fn remove(State(state): State<AppState>, principal: Principal, Id(id): Id) -> ApiResult<StatusCode> {
    principal.require(Access::Admin)?;
    let service = find(&state, &principal, id).await?;
    if !may_delete(&principal, &service) {
        return Err(ApiError::forbidden());
    }
    if state.catalog.delete_service(service.id).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ApiError::not_found())
    }
}

/// Notes a service before any worker of it has registered. Its URL is kept for people to see: this server requests no URL
/// that it was given, so what it says of the service's state is what its workers told.
async fn create(
    State(state): State<AppState>,
    principal: Principal,
    links: Links,
    params: Params,
    mut fields: Fields,
) -> ApiResult {
    principal.require(Access::Admin)?;
    let description = fields.maybe_text("description", TEXT_MAX).unwrap_or_default();
    let name = fields.text("name", NAME_MAX);
    let endpoint_url = fields
        .maybe_text("endpoint_url", URL_MAX)
        .filter(|url| !url.is_empty());
    if endpoint_url.as_deref().is_some_and(|url| !is_web(url)) {
        fields.error("endpoint_url", "Enter a valid URL.");
    }
    // Upstream reads the project from either place.
    let named = ["project", "project_id"].map(|field| fields.maybe_int(field, 1));
    fields.check()?;
    let named = named.into_iter().flatten().next();
    let project = match named
        .or(params.int("project_id")?)
        .or(principal.project.map(|p| p.0))
    {
        Some(project) => state.known_project(&principal, project).await?,
        None => return Err(ApiError::field("project_id", "This field is required.")),
    };
    let new = NewService {
        project,
        owner: principal.project,
        name,
        description,
        endpoint_url,
    };
    let made = state.catalog.create_service(&new).await?;
    let service = find(&state, &principal, made.0).await?;
    let known = runnable(&state, &principal).await?;
    let body = wire::NewService {
        instance: view(&state, &principal, &service, &known, &links),
        status: status_of(&state, &service, &known),
    };
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

fn is_web(url: &str) -> bool {
    reqwest::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}

async fn status(State(state): State<AppState>, principal: Principal, Id(id): Id) -> ApiResult {
    let service = find(&state, &principal, id).await?;
    let known = runnable(&state, &principal).await?;
    Ok(Json(status_of(&state, &service, &known)).into_response())
}

/// A service can't be asked; it is live if a worker of it was seen.
fn status_of(
    state: &AppState,
    service: &Service,
    known: &HashMap<PipelineId, Pipeline>,
) -> wire::ServiceStatus {
    let live = live(service, state.engine.now());
    let online = service
        .pipelines
        .iter()
        .filter(|_| live)
        .filter_map(|id| known.get(id));
    wire::ServiceStatus {
        timestamp: state.clock.now().to_string(),
        request_successful: true,
        server_live: live,
        pipelines_online: online.map(|p| p.name.clone()).collect(),
        endpoint_url: service.endpoint_url.clone(),
        ..wire::ServiceStatus::default()
    }
}
