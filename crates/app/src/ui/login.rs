//! Signing in with a token, and signing out.

use askama::Template;
use axum::{
    Extension, Router,
    extract::State,
    http::{HeaderMap, HeaderName, StatusCode, header},
    response::{IntoResponse as _, Redirect, Response},
    routing::{get, post},
};

use super::{
    page::{Frame, PageError, PageResult, render},
    session::{self, Jar, Visitor},
};
use crate::http::{ApiError, AppState, Fields, NAME_MAX, Params, proxies::Client};

/// Where one is after signing in.
const HOME: &str = "/jobs";

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/", get(async || Redirect::to(HOME)))
        .route("/login", get(show).post(sign_in))
        .route("/logout", post(sign_out))
}

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    frame: Frame,
    next: String,
    refused: bool,
}

impl LoginPage {
    fn new(next: &str, refused: bool) -> Self {
        Self {
            frame: Frame::public("Sign in"),
            next: next.to_owned(),
            refused,
        }
    }
}

/// A path of this server, and no other: `//host` and `/\host` are other servers.
pub(super) fn place(next: Option<&str>) -> &str {
    let own = |path: &&str| {
        let mut chars = path.chars();
        chars.next() == Some('/')
            && !matches!(chars.next(), Some('/' | '\\'))
            && !path.contains(char::is_control)
    };
    next.filter(own).unwrap_or(HOME)
}

pub(super) fn is_tls(client: Option<&Extension<Client>>) -> bool {
    client.is_some_and(|Extension(client)| client.https)
}

async fn show(State(app): State<AppState>, jar: Jar, headers: HeaderMap, params: Params) -> PageResult {
    let next = place(params.text("next"));
    if session::signed_in(&app, &headers, &jar).await?.is_some() {
        return Ok(Redirect::to(next).into_response());
    }
    Ok(secret_page(render(StatusCode::OK, &LoginPage::new(next, false))))
}

/// A page that no cache keeps.
pub(super) fn secret_page(mut response: Response) -> Response {
    let no_store = axum::http::HeaderValue::from_static("no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, no_store);
    response
}

async fn sign_in(
    State(app): State<AppState>,
    jar: Jar,
    client: Option<Extension<Client>>,
    fields: Result<Fields, ApiError>,
) -> PageResult {
    if let Some(address) = client.as_ref().and_then(|Extension(client)| client.ip()) {
        app.guards.login(address)?;
    }
    let mut fields = fields?;
    let next = fields.maybe_text("next", NAME_MAX * 8);
    let token = fields.maybe_text("token", NAME_MAX).unwrap_or_default();
    let next = place(next.as_deref());
    let Some(cookie) = session::open(&app, token.trim(), &jar).await? else {
        let page = LoginPage::new(next, true);
        return Ok(secret_page(render(StatusCode::UNAUTHORIZED, &page)));
    };
    let mut response = Redirect::to(next).into_response();
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    Ok(secret_page(response))
}

async fn sign_out(State(app): State<AppState>, jar: Jar, visitor: Result<Visitor, PageError>) -> PageResult {
    match visitor {
        Ok(visitor) => {
            app.sessions.end(&visitor.session).await?;
        }
        Err(PageError::SignIn { .. }) => {}
        Err(error) => return Err(error),
    }
    let mut response = Redirect::to("/login").into_response();
    let headers = response.headers_mut();
    headers.insert(header::SET_COOKIE, jar.empty());
    // Pages that a browser keeps for its back button show what only a signed-in person may see.
    headers.insert(
        HeaderName::from_static("clear-site-data"),
        axum::http::HeaderValue::from_static("\"cache\""),
    );
    Ok(secret_page(response))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_after_signing_in_is_on_this_server() {
        for own in ["/jobs/17", "/jobs?state=failed&q=a%20b", "/"] {
            assert_eq!(place(Some(own)), own);
        }
        for other in [
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "jobs",
            "",
            "/a\r\nb",
        ] {
            assert_eq!(place(Some(other)), HOME, "{other}");
        }
        assert_eq!(place(None), HOME);
    }
}
