//! The HTTP side: handlers parse, decide, store, answer. Nothing here is a rule of the domain.
//!
//! Routes are declared without a trailing slash and answer with and without one, and no redirect ever: a client
//! that follows one with a POST turns it into a GET (docs/wire.md#paths-and-slashes).

pub(crate) mod access_log;
pub mod auth;
pub(crate) mod bodies;
mod body_split;
mod budget;
mod captures;
mod chaos;
pub(crate) mod collections;
pub(crate) mod doctor;
pub mod error;
mod events;
pub(crate) mod expect;
mod explain;
mod failures;
mod fields;
mod form;
mod guards;
pub(crate) mod health;
mod identity;
mod images;
pub(crate) mod job_body;
mod job_fields;
mod job_list;
pub(crate) mod job_notes;
mod jobs;
pub mod json;
mod lenient;
mod logs;
mod mend;
pub(crate) mod new_job;
pub mod paging;
mod path;
mod pipelines;
pub(crate) mod preflight;
mod projects;
pub(crate) mod proxies;
pub mod query;
mod rates;
mod register;
mod request_key;
mod result_item;
mod results;
mod results_export;
mod results_filter;
mod services;
pub(crate) mod site;
mod summary;
mod timed;
mod timeline;
pub(crate) mod tokens;
mod unread;
pub(crate) mod upload;
mod users;
mod uses;
mod worker;
pub(crate) mod workers;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    http::{HeaderMap, Method, Uri, header},
    middleware,
    response::{IntoResponse as _, Response},
};
use tower::Layer as _;
use tower_http::{catch_panic::CatchPanicLayer, normalize_path::NormalizePathLayer};
use trapline_core::{
    Clock, ProjectId,
    ports::{Catalog, Job, Store},
};
use trapline_engine::{Engine, Supervisor};

pub use crate::{
    config::Told,
    local_file::LocalFiles,
    ui::{LiveBoard, Sessions},
    wiring::Thumbs,
};

pub(crate) use self::projects::{time_pattern, time_zone};
pub use self::{
    auth::{Access, Auth, Principal},
    budget::{Budget, Hold},
    error::{ApiError, ApiResult},
    fields::Fields,
    guards::Guards,
    paging::Links,
    path::Id,
    pipelines::MapSizes,
    proxies::TrustedProxies,
    query::Params,
    site::{PublicUrl, Site},
    uses::Uses,
};

/// A name is never longer (docs/rules.md B10).
pub const NAME_MAX: usize = 255;
/// Other free text is never longer.
pub const TEXT_MAX: usize = 10_000;

/// How large bodies may be (docs/rules.md B10), in bytes, how slow, and how often one may log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A JSON body other than those below.
    pub json_bytes: usize,
    /// A JSON body that makes or changes a job, registers pipelines, or names leases.
    pub large_json_bytes: usize,
    /// A post of results.
    pub result_bytes: usize,
    /// One result in it.
    pub item_bytes: usize,
    /// While nothing of a body comes.
    pub body_idle_timeout: Duration,
    /// To the end of a JSON body.
    pub json_body_timeout: Duration,
    /// To the end of a post of results.
    pub result_body_timeout: Duration,
    /// Memory of all bodies in flight, in bytes.
    pub body_memory: usize,
    /// How long a request waits for its part of it.
    pub body_memory_wait: Duration,
    /// Logins of an address, and its tokens that are not valid.
    pub login_per_minute: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            json_bytes: 1 << 20,
            large_json_bytes: 8 << 20,
            result_bytes: 1 << 30,
            item_bytes: 64 << 20,
            body_idle_timeout: Duration::from_secs(30),
            json_body_timeout: Duration::from_secs(60),
            result_body_timeout: Duration::from_secs(900),
            body_memory: 512 << 20,
            body_memory_wait: Duration::from_secs(20),
            login_per_minute: 10,
        }
    }
}

/// What every handler has; cheap to clone.
#[derive(Clone)]
pub struct AppState {
    /// The verbs.
    pub engine: Engine,
    /// What jobs are made of.
    pub catalog: Arc<dyn Catalog>,
    /// Who asks.
    pub auth: Auth,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How large bodies may be.
    pub limits: Limits,
    /// Whether a capture may be a `file` URL, as in `trapline run`.
    pub allow_file_urls: bool,
    /// Which files of this machine a signed-in person may see.
    pub local_files: LocalFiles,
    /// Whether the endpoints of the chaos tools are there.
    pub allow_chaos: bool,
    /// How many labels each category map has.
    pub map_sizes: MapSizes,
    /// What keeps one caller from harming the others.
    pub guards: Guards,
    /// What open pages show.
    pub live: LiveBoard,
    /// By which names it is called.
    pub site: Site,
    /// Who is signed in.
    pub sessions: Sessions,
    /// Whether it only shows what a store holds.
    pub is_kept: bool,
    /// The thumbnails that workers post.
    pub thumbs: Thumbs,
    /// When tokens were used last.
    pub uses: Uses,
    /// By which settings the node runs; empty if nobody has said.
    pub settings: Arc<[Told]>,
}

impl AppState {
    /// Whether a job goes on here. Of a store that is only shown, nothing moves.
    pub(crate) fn goes_on(&self, job: &Job) -> bool {
        job.status.is_running() && !self.is_kept
    }

    /// What the handlers of a node have that runs this engine: its store, its clock, and the usual bounds.
    #[must_use]
    pub fn of(engine: Engine, admin_token: Option<&str>) -> Self {
        let catalog: Arc<dyn Catalog> = Arc::<dyn Store>::clone(engine.store());
        let clock = Arc::clone(engine.clock());
        let limits = Limits::default();
        let uses = Uses::new(Arc::clone(&catalog), Arc::clone(&clock));
        Self {
            guards: Guards::new(&limits, TrustedProxies::default(), &clock),
            sessions: Sessions::in_store(Arc::clone(&catalog)),
            auth: Auth::new(Arc::clone(&catalog), Arc::clone(&clock), admin_token),
            engine,
            catalog,
            clock,
            limits,
            allow_file_urls: false,
            local_files: LocalFiles::default(),
            allow_chaos: false,
            map_sizes: MapSizes::default(),
            live: LiveBoard::default(),
            site: Site::default(),
            thumbs: Thumbs::default(),
            uses,
            is_kept: false,
            settings: Arc::default(),
        }
    }

    /// Starts what writes in the background for requests.
    pub(crate) fn serve(&self, supervisor: &Supervisor) {
        self.thumbs.serve(supervisor, &self.engine);
        self.uses.serve(supervisor);
    }

    /// The project that a list is narrowed to: by `?project_id`, and by what the caller sees.
    ///
    /// # Errors
    /// 400 if there is no such project, or not for this caller.
    pub async fn narrow(&self, principal: &Principal, params: &Params) -> ApiResult<Option<ProjectId>> {
        match params.int("project_id")? {
            None => Ok(principal.project),
            Some(id) => self.known_project(principal, id).await.map(Some),
        }
    }

    /// A project that a request names in its field `project_id`.
    ///
    /// # Errors
    /// 400 if there is no such project, or not for this caller.
    pub async fn known_project(&self, principal: &Principal, id: i64) -> ApiResult<ProjectId> {
        let project = ProjectId(id);
        if principal.sees(project) && self.catalog.project(project).await?.is_some() {
            return Ok(project);
        }
        Err(ApiError::field(
            "project_id",
            format!("Invalid pk \"{id}\" - object does not exist."),
        ))
    }
}

/// The endpoints for which a token is needed, those of the chaos tools aside.
pub fn private() -> Router<AppState> {
    Router::new()
        .merge(projects::routes())
        .merge(register::routes())
        .merge(pipelines::routes())
        .merge(services::routes())
        .merge(captures::routes())
        .merge(collections::routes())
        .merge(upload::routes())
        .merge(tokens::routes())
        .merge(users::routes())
        .merge(jobs::routes())
        .merge(preflight::routes())
        .merge(worker::routes())
        .merge(workers::routes())
        .merge(results::routes())
        .merge(results_export::routes())
        .merge(images::routes())
        .merge(logs::routes())
        .merge(health::routes())
        .merge(events::routes())
        .merge(explain::routes())
        .merge(failures::routes())
        .merge(timeline::routes())
        .merge(summary::routes())
}

/// The endpoints for which none is (docs/rules.md B2).
fn public() -> Router<AppState> {
    tokens::login_routes()
}

pub(crate) async fn wrong_method(method: Method) -> ApiError {
    ApiError::method_not_allowed(&method)
}

/// For a program as the contract has it, and for a person as a page.
async fn nothing_here(uri: Uri, headers: HeaderMap) -> Response {
    let accepts = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok());
    let is_person = accepts.is_some_and(|types| types.contains("text/html"));
    if is_person && !uri.path().starts_with("/api/") {
        return crate::ui::no_page();
    }
    ApiError::not_found().into_response()
}

/// The whole server.
pub fn router(state: AppState) -> Router {
    let chaos = state.allow_chaos.then(chaos::routes).unwrap_or_default();
    let root = health::probes().merge(crate::ui::routes(&state));
    assemble(private().merge(chaos), public(), root, state)
}

/// The pages of a store that is only shown. A program learns who it is and no more, and nobody has a role by which anything is changed.
pub fn kept_router(state: AppState) -> Router {
    assemble(users::routes(), Router::new(), crate::ui::routes(&state), state)
}

/// Puts areas together: `private` and `public` under `/api/v2`, `root` at the root, without a token. Each gets the
/// 405 and 404 of the contract, and all of it the layers.
pub fn assemble(
    private: Router<AppState>,
    public: Router<AppState>,
    root: Router<AppState>,
    state: AppState,
) -> Router {
    let private = private
        .method_not_allowed_fallback(wrong_method)
        .route_layer(middleware::from_fn_with_state(state.clone(), bodies::receive))
        .route_layer(middleware::from_fn_with_state(state.clone(), auth::authenticate));
    let public = public.layer(middleware::from_fn_with_state(state.clone(), bodies::receive));
    let open = Router::new()
        .nest("/api/v2", public)
        .merge(root)
        .method_not_allowed_fallback(wrong_method);
    let inner = Router::new()
        .nest("/api/v2", private)
        .merge(open)
        .fallback(nothing_here)
        .with_state(state.clone());
    // Around the router, not in it: a layer of a router is one of each of its routes, and is cloned with it for each request.
    let caught = CatchPanicLayer::custom(access_log::panicked).layer(inner);
    let finished = middleware::from_fn_with_state(state.clone(), unread::finish).layer(caught);
    let logged = middleware::from_fn_with_state(state, access_log::log).layer(finished);
    Router::new().fallback_service(NormalizePathLayer::trim_trailing_slash().layer(logged))
}
