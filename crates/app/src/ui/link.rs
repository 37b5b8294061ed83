//! Links that sign in once: what a person is given in place of a token.
//!
//! A link is kept as a session that no cookie can name, and is spent by ending it, which one request can do, at any node. To open
//! it only shows a button, so that a program that looks at links in advance spends none.

use std::time::Duration;

use askama::Template;
use axum::{
    Extension, Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Redirect},
    routing::get,
};
use trapline_core::{Result, TokenId, catalog::SessionOwner};

use super::{
    login::{place, secret_page},
    page::{Frame, PageResult, render},
    session::{self, Jar},
};
use crate::http::{
    ApiError, AppState, Fields, NAME_MAX, Params,
    auth::{hash, new_secret},
    proxies::Client,
};

/// Where the paths of links begin.
pub(crate) const PATH: &str = "/login/link/";
/// A link that is not opened for this long is none any more.
pub(crate) const LINK_LIFE: Duration = Duration::from_secs(300);

pub(super) fn routes() -> Router<AppState> {
    Router::new().route(&format!("{PATH}{{code}}"), get(show).post(spend))
}

/// The hash of a link's session. No cookie has a line break.
fn key(code: &str) -> [u8; 32] {
    hash(&format!("link\n{code}"))
}

/// Makes a link for a token, and returns its path; `None` if there is no such token, or it has expired.
pub(crate) async fn make(
    app: &AppState,
    owner: SessionOwner<TokenId>,
    life: Duration,
) -> Result<Option<String>> {
    let code = new_secret();
    session::store(app, key(&code), owner, life).await?;
    let is_valid = session::valid(app, &key(&code)).await?.is_some();
    Ok(is_valid.then(|| format!("{PATH}{code}")))
}

/// Makes a link for a token by its secret; `None` if it is not valid.
pub(crate) async fn of_token(app: &AppState, token: &str, life: Duration) -> Result<Option<String>> {
    match session::owner(app, token).await? {
        Some(owner) => make(app, owner, life).await,
        None => Ok(None),
    }
}

#[derive(Template)]
#[template(path = "link.html")]
struct LinkPage {
    frame: Frame,
    next: String,
    /// Name and role; `None` of a link that signs nobody in.
    whom: Option<(String, &'static str)>,
}

fn gone() -> PageResult {
    let page = LinkPage {
        frame: Frame::public("Sign in"),
        next: String::new(),
        whom: None,
    };
    Ok(secret_page(render(StatusCode::GONE, &page)))
}

async fn show(
    State(app): State<AppState>,
    Path(code): Path<String>,
    jar: Jar,
    headers: HeaderMap,
    params: Params,
) -> PageResult {
    let next = place(params.text("next"));
    if let Some((principal, _)) = session::valid(&app, &key(&code)).await? {
        let page = LinkPage {
            frame: Frame::public("Sign in"),
            next: next.to_owned(),
            whom: Some((super::words::visible(&principal.name), principal.role.as_str())),
        };
        return Ok(secret_page(render(StatusCode::OK, &page)));
    }
    // Whoever has used it and opens it again wants to go where it leads.
    match session::signed_in(&app, &headers, &jar).await? {
        Some(_) => Ok(Redirect::to(next).into_response()),
        None => gone(),
    }
}

async fn spend(
    State(app): State<AppState>,
    Path(code): Path<String>,
    jar: Jar,
    client: Option<Extension<Client>>,
    fields: Result<Fields, ApiError>,
) -> PageResult {
    if let Some(address) = client.as_ref().and_then(|Extension(client)| client.ip()) {
        app.guards.login(address)?;
    }
    let next = fields?.maybe_text("next", NAME_MAX * 8);
    let Some((_, owner)) = session::valid(&app, &key(&code)).await? else {
        return gone();
    };
    if !app.sessions.end(&key(&code)).await? {
        return gone();
    }
    let cookie = session::begin(&app, owner, &jar).await?;
    let mut response = Redirect::to(place(next.as_deref())).into_response();
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    Ok(secret_page(response))
}
