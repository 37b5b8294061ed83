//! Tokens: made and shown once, listed without their secret, deleted.

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::{delete, get, post},
};
use serde_json::Value;
use trapline_core::{
    ProjectId, TokenId,
    catalog::{Role, SessionOwner, Token},
};
use trapline_wire as wire;

use super::{
    AppState, Fields, Id, Links, NAME_MAX, Params, Principal, auth,
    error::{ApiError, ApiResult},
    paging::{PAGE_DEFAULT, offset_page},
};
use crate::ui::link::{self, LINK_LIFE};

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/tokens", get(list).post(create))
        .route("/tokens/{id}", delete(remove))
        .route("/tokens/{id}/link", post(make_link))
}

pub(super) fn login_routes() -> Router<AppState> {
    Router::new().route("/auth/token/login", post(login))
}

async fn list(
    State(state): State<AppState>,
    principal: Principal,
    links: Links,
    params: Params,
) -> ApiResult {
    principal.require_unbound_admin()?;
    let page = params.page(PAGE_DEFAULT);
    let tokens = state.catalog.tokens(page).await?;
    let rows = tokens.rows.into_iter().map(view).collect();
    Ok(offset_page(
        &links,
        &params,
        page,
        tokens.count,
        rows,
        &["create"],
    ))
}

/// What a request asks for; its secret is made when it is stored.
struct Wanted {
    name: String,
    role: Role,
    project: Option<i64>,
    expires_at: Option<trapline_core::Timestamp>,
}

fn read(fields: &mut Fields, now: trapline_core::Timestamp) -> ApiResult<Wanted> {
    let name = fields.text("name", NAME_MAX);
    let role = fields.text("role", NAME_MAX);
    let project = fields.maybe_int("project_id", 1);
    let expires_at = fields.maybe_time("expires_at");
    if expires_at.is_some_and(|at| at <= now) {
        fields.error("expires_at", "This time is in the past.");
    }
    let known = Role::parse(&role);
    if known.is_none() && !role.is_empty() {
        fields.error("role", format!("\"{role}\" is not a valid choice."));
    }
    fields.check()?;
    let role = known.ok_or_else(ApiError::internal)?;
    Ok(Wanted {
        name,
        role,
        project,
        expires_at,
    })
}

async fn create(State(state): State<AppState>, principal: Principal, mut fields: Fields) -> ApiResult {
    principal.require_unbound_admin()?;
    let wanted = read(&mut fields, state.clock.now())?;
    let project_id: Option<ProjectId> = match wanted.project {
        Some(id) => Some(state.known_project(&principal, id).await?),
        None => None,
    };
    let (token, secret) = auth::mint(
        state.catalog.as_ref(),
        &wanted.name,
        wanted.role,
        project_id,
        wanted.expires_at,
    )
    .await?;
    Ok((StatusCode::CREATED, Json(with_secret(token, secret))).into_response())
}

/// The only body that ever shows a secret.
pub(crate) fn with_secret(token: Token, secret: String) -> wire::Token {
    wire::Token {
        token: Some(secret),
        ..view(token)
    }
}

fn view(token: Token) -> wire::Token {
    wire::Token {
        id: token.id.0,
        name: token.name,
        role: token.role.as_str().into(),
        project_id: token.project_id.map(|id| id.0),
        prefix: token.prefix,
        created_at: token.created_at.to_string(),
        expires_at: token.expires_at.map(|at| at.to_string()),
        used_at: token.used_at.map(|at| at.to_string()),
        token: None,
    }
}

async fn remove(State(state): State<AppState>, principal: Principal, Id(id): Id) -> ApiResult<StatusCode> {
    principal.require_unbound_admin()?;
    if !state.catalog.delete_token(TokenId(id)).await? {
        return Err(ApiError::not_found());
    }
    state.auth.forget();
    Ok(StatusCode::NO_CONTENT)
}

/// A link for whoever is to sign in with this token and need not see it.
async fn make_link(
    State(state): State<AppState>,
    principal: Principal,
    Id(id): Id,
    links: Links,
) -> ApiResult {
    principal.require_unbound_admin()?;
    let expires_at = state.clock.now().plus(LINK_LIFE);
    let owner = SessionOwner::Token(TokenId(id));
    let path = link::make(&state, owner, LINK_LIFE).await?;
    let path = path.ok_or_else(ApiError::not_found)?;
    let made = wire::SignInLink {
        url: match &state.site.public {
            Some(public) => format!("{public}{path}"),
            None => links.page(&path),
        },
        expires_at: expires_at.to_string(),
    };
    Ok((StatusCode::CREATED, Json(made)).into_response())
}

/// There are no passwords; whoever gives a token as one gets it back, so that a client's login form works.
async fn login(State(state): State<AppState>, mut fields: Fields) -> ApiResult<Response> {
    let password = fields.take("password");
    if let Some(Value::String(secret)) = password
        && state.auth.of_secret(&secret).await?.is_some()
    {
        return Ok(Json(wire::Login { auth_token: secret }).into_response());
    }
    Err(ApiError::field(
        "non_field_errors",
        "Unable to log in with provided credentials.",
    ))
}
