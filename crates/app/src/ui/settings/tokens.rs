//! `/settings/tokens`: who may come in. A secret is shown once, on the page that answers its making.

use std::time::Duration;

use askama::Template;
use axum::{
    Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Redirect},
    routing::get,
};
use trapline_core::{
    ProjectId, Result, TokenId,
    catalog::{Role, Token},
    ports::OffsetPage,
    words::{count, counted, span, when},
};

use super::{
    super::{
        confirm::Confirm,
        login::secret_page,
        page::{Frame, PageError, PageResult, render},
        resend,
        session::Visitor,
        words::{Time, visible},
        wrong::Wrong,
    },
    Place, places,
};
use crate::http::{ApiError, AppState, Fields, Id, Links, NAME_MAX, Params, auth};

/// Tokens and projects of the page.
const ROWS_MAX: u64 = 1_000;
/// For how long a token may be good: days and words; 0 is for good.
const LIVES: [(u64, &str); 5] = [
    (0, "does not expire"),
    (1, "1 day"),
    (30, "30 days"),
    (90, "90 days"),
    (365, "1 year"),
];
const DAY: u64 = 24 * 3_600;

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/settings/tokens", get(list).post(create))
        .route("/settings/tokens/{id}/revoke", get(ask).post(revoke))
}

struct Row {
    id: TokenId,
    name: String,
    role: &'static str,
    project: String,
    prefix: String,
    created: Time,
    expires: Option<Time>,
    used: Option<Time>,
    is_over: bool,
}

/// A token that was made just now.
struct Made {
    secret: String,
    /// The line that starts a worker with it; empty for another role.
    line: String,
}

#[derive(Template)]
#[template(path = "settings/tokens.html")]
struct TokensPage {
    frame: Frame,
    places: Vec<Place>,
    rows: Vec<Row>,
    cut: Option<String>,
    /// Numbers, names, and whether each is chosen; so for the others.
    projects: Vec<(ProjectId, String, bool)>,
    lives: Vec<(u64, &'static str, bool)>,
    roles: Vec<(&'static str, bool)>,
    name: String,
    made: Option<Made>,
    wrong: Wrong,
}

/// What the form holds.
#[derive(Default)]
struct Typed {
    name: String,
    role: String,
    project: String,
    days: String,
}

impl Typed {
    /// As an address says, by which other pages lead here.
    fn of(params: &Params) -> Self {
        Self {
            name: params.text("name").unwrap_or_default().to_owned(),
            role: params.text("role").unwrap_or_default().to_owned(),
            ..Self::default()
        }
    }

    fn of_form(fields: &Fields) -> Self {
        let mut typed = Self::default();
        for (name, value) in fields.texts() {
            match name.as_str() {
                "name" => typed.name = value,
                "role" => typed.role = value,
                "project_id" => typed.project = value,
                "days" => typed.days = value,
                _ => {}
            }
        }
        typed
    }
}

async fn all_projects(app: &AppState) -> Result<Vec<(ProjectId, String)>> {
    let page = OffsetPage {
        limit: ROWS_MAX,
        offset: 0,
    };
    let found = app.catalog.projects(None, page).await?.rows;
    Ok(found.into_iter().map(|p| (p.id, visible(&p.name))).collect())
}

async fn all_tokens(app: &AppState) -> Result<(Vec<Token>, u64)> {
    let page = OffsetPage {
        limit: ROWS_MAX,
        offset: 0,
    };
    let found = app.catalog.tokens(page).await?;
    Ok((found.rows, found.count))
}

async fn page_of(app: &AppState, visitor: &Visitor, typed: Typed) -> Result<TokensPage> {
    let (tokens, all) = all_tokens(app).await?;
    let projects = all_projects(app).await?;
    let now = app.clock.now();
    let named = |id: ProjectId| {
        let found = projects.iter().find(|(known, _)| *known == id);
        found.map_or_else(|| format!("project {id}"), |(_, name)| name.clone())
    };
    let row = |token: &Token| Row {
        id: token.id,
        name: visible(&token.name),
        role: token.role.as_str(),
        project: token.project_id.map_or_else(String::new, named),
        prefix: visible(&token.prefix),
        created: Time::new(token.created_at, now),
        expires: token.expires_at.map(|at| Time::new(at, now)),
        used: token.used_at.map(|at| Time::new(at, now)),
        is_over: token.expires_at.is_some_and(|at| at <= now),
    };
    let wanted = match typed.role.as_str() {
        "" => "viewer",
        role => role,
    };
    let rows = tokens.iter().map(row).collect();
    Ok(TokensPage {
        frame: Frame::new("Tokens", "settings", visitor),
        places: places(visitor, "/settings/tokens"),
        rows,
        cut: (all > ROWS_MAX).then(|| format!("The first {} of {}.", count(ROWS_MAX), count(all))),
        lives: LIVES
            .map(|(days, word)| (days, word, days.to_string() == typed.days))
            .to_vec(),
        roles: Role::ALL
            .map(|role| (role.as_str(), role.as_str() == wanted))
            .to_vec(),
        projects: projects
            .into_iter()
            .map(|(id, name)| (id, name, id.to_string() == typed.project))
            .collect(),
        name: typed.name,
        made: None,
        wrong: Wrong::default(),
    })
}

async fn list(State(app): State<AppState>, visitor: Visitor, params: Params) -> PageResult {
    visitor.principal.require_unbound_admin()?;
    Ok(render(
        StatusCode::OK,
        &page_of(&app, &visitor, Typed::of(&params)).await?,
    ))
}

/// A token that is asked for.
struct New {
    name: String,
    role: Role,
    project: Option<ProjectId>,
    /// For how many days it is good; 0 is for good.
    days: u64,
}

impl New {
    async fn read(app: &AppState, visitor: &Visitor, fields: &mut Fields) -> Result<Self, ApiError> {
        let name = fields.text("name", NAME_MAX);
        let word = fields.text("role", NAME_MAX);
        let project = fields.maybe_int("project_id", 1);
        let days = fields
            .maybe_int("days", 0)
            .and_then(|days| u64::try_from(days).ok());
        let role = Role::parse(&word);
        if role.is_none() {
            fields.error("role", format!("\"{word}\" is not a valid choice."));
        }
        let days = days.unwrap_or(0);
        if !LIVES.iter().any(|(known, _)| *known == days) {
            fields.error("days", format!("\"{days}\" is not a valid choice."));
        }
        fields.check()?;
        Ok(Self {
            name,
            role: role.ok_or_else(ApiError::internal)?,
            project: match project {
                Some(id) => Some(app.known_project(&visitor.principal, id).await?),
                None => None,
            },
            days,
        })
    }
}

async fn create(
    State(app): State<AppState>,
    visitor: Result<Visitor, PageError>,
    links: Links,
    fields: Result<Fields, ApiError>,
) -> PageResult {
    if let Some(again) = resend::instead(&visitor, "/settings/tokens", &fields) {
        return Ok(again);
    }
    let visitor = visitor?;
    visitor.principal.require_unbound_admin()?;
    let mut fields = fields?;
    let typed = Typed::of_form(&fields);
    let new = match New::read(&app, &visitor, &mut fields).await {
        Ok(new) => new,
        Err(error) => {
            let wrong = Wrong::of(error, &[])?;
            let mut page = page_of(&app, &visitor, typed).await?;
            page.wrong = wrong;
            return Ok(render(StatusCode::BAD_REQUEST, &page));
        }
    };
    let life = Duration::from_secs(new.days * DAY);
    let end = (new.days > 0).then(|| app.clock.now().plus(life));
    let (_, secret) = auth::mint(app.catalog.as_ref(), &new.name, new.role, new.project, end).await?;
    let server = app.server_url(&links);
    let line = match new.role {
        Role::Worker => {
            format!("trapline worker --url {server} --pipeline light-sheet --token {secret}")
        }
        _ => String::new(),
    };
    let mut page = page_of(&app, &visitor, Typed::default()).await?;
    page.made = Some(Made { secret, line });
    page.frame.script = "copy.js";
    Ok(secret_page(render(StatusCode::CREATED, &page)))
}

async fn ask(State(app): State<AppState>, visitor: Visitor, Id(id): Id) -> PageResult {
    visitor.principal.require_unbound_admin()?;
    let (tokens, _) = all_tokens(&app).await?;
    let found = tokens.into_iter().find(|token| token.id == TokenId(id));
    let token = found.ok_or_else(ApiError::not_found)?;
    let page = Confirm {
        frame: Frame::new("Revoke", "settings", &visitor),
        of: Some(("/settings/tokens".to_owned(), visible(&token.name))),
        question: "Revoke this token?",
        what: format!(
            "{} Whoever uses it ({}, {}…) is refused within seconds, and its sessions end. This can't be undone.",
            in_use(&app, &token).await?,
            token.role.as_str(),
            visible(&token.prefix)
        ),
        path: format!("/settings/tokens/{id}/revoke"),
        button: "Revoke it",
        back: "/settings/tokens".to_owned(),
    };
    Ok(render(StatusCode::OK, &page))
}

async fn revoke(State(app): State<AppState>, visitor: Visitor, Id(id): Id) -> PageResult {
    visitor.principal.require_unbound_admin()?;
    if !app.catalog.delete_token(TokenId(id)).await? {
        return Err(ApiError::not_found().into());
    }
    app.auth.forget();
    Ok(Redirect::to("/settings/tokens").into_response())
}

/// Whether a token is used, and what the workers that use it hold.
async fn in_use(app: &AppState, token: &Token) -> Result<String> {
    let roster = app.engine.roster().await?;
    let own: Vec<_> = roster
        .members
        .iter()
        .filter(|m| m.row.token_id == token.id)
        .collect();
    let held: u64 = own.iter().map(|m| m.holds()).sum();
    let (now, seen) = (
        app.clock.now(),
        own.iter().map(|m| app.engine.shown(m.row.last_seen)).max(),
    );
    let used = match (seen, token.used_at) {
        (Some(seen), _) => format!("A worker used it {}", when(seen, now)),
        (None, Some(at)) => format!("It was used {}", when(at, now)),
        (None, None) => "Nobody has used it".to_owned(),
    };
    Ok(match held {
        0 => format!("{used}."),
        n => format!(
            "{used} and holds {}; others get them within {}.",
            counted(n, "image"),
            span(app.engine.policy().task_ttr)
        ),
    })
}
