//! Who looks at a page: a browser that signed in with a token, and holds the secret of a session in a cookie.

use std::time::Duration;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, Method, header, request::Parts},
};
use trapline_core::{
    Result, TokenId,
    catalog::{NewSession, SESSION_IDLE, SESSION_MAX, SessionOwner, Token},
    error::chain,
};

use super::page::PageError;
use crate::http::{
    AppState, Principal,
    access_log::Note,
    auth::{hash, new_secret},
    proxies::Client,
};

/// Over plain HTTP.
const COOKIE: &str = "trapline";
/// Over TLS: no other host and no plain connection can set it.
const COOKIE_TLS: &str = "__Host-trapline";

/// Cookies of the name that are tried.
const SECRETS_MAX: usize = 4;
/// How long a page waits for its session to be extended.
const EXTEND_MAX: Duration = Duration::from_millis(500);

/// Whoever is signed in.
pub(super) struct Visitor {
    pub(super) principal: Principal,
    pub(super) session: [u8; 32],
}

impl FromRequestParts<AppState> for Visitor {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, PageError> {
        match signed_in(app, &parts.headers, is_tls(parts)).await? {
            Some(visitor) => {
                if let Some(note) = parts.extensions.get::<Note>() {
                    note.token(&visitor.principal.prefix);
                }
                Ok(visitor)
            }
            None => {
                let here = parts.uri.path_and_query().map(|p| p.as_str().to_owned());
                let next = here.filter(|_| parts.method == Method::GET);
                Err(PageError::SignIn { next })
            }
        }
    }
}

/// Whether the browser talks TLS, to this server or to a proxy that is trusted.
fn is_tls(parts: &Parts) -> bool {
    parts.extensions.get::<Client>().is_some_and(|c| c.https)
}

/// Who is signed in, by the headers of a request.
pub(super) async fn signed_in(app: &AppState, headers: &HeaderMap, tls: bool) -> Result<Option<Visitor>> {
    let name = if tls { COOKIE_TLS } else { COOKIE };
    for session in cookies(headers, name).take(SECRETS_MAX).map(hash) {
        if let Some(principal) = look_up(app, &session).await? {
            return Ok(Some(Visitor { principal, session }));
        }
    }
    Ok(None)
}

/// A cookie of a request.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    cookies(headers, name).next()
}

/// The cookies of this name. A browser sends those of every port and path of the host, in one line.
fn cookies<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(header::COOKIE).into_iter();
    lines
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b';'))
        .filter_map(|pair| std::str::from_utf8(pair).ok()?.trim().split_once('='))
        .filter_map(move |(key, value)| (key == name).then_some(value))
}

/// The caller of a session, which goes on for being used. Nothing else knows what a session speaks for.
pub(super) async fn look_up(app: &AppState, session: &[u8; 32]) -> Result<Option<Principal>> {
    let now = app.clock.now();
    let Some(found) = app.sessions.find(session).await?.filter(|s| now < s.expires_at) else {
        return Ok(None);
    };
    let end = found.extended(now);
    let Some(caller) = caller(app, found.owner) else {
        return Ok(None);
    };
    if let Some(end) = end {
        // Pages are looked at most when the store can't write.
        match tokio::time::timeout(EXTEND_MAX, app.sessions.extend(session, end)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(error = chain(&error), "a session was not extended"),
            Err(_) => tracing::warn!("a session was not extended: the store does not answer"),
        }
    }
    Ok(Some(caller))
}

/// The caller of a session that is still one, and for what it speaks.
pub(super) async fn valid(
    app: &AppState,
    session: &[u8; 32],
) -> Result<Option<(Principal, SessionOwner<TokenId>)>> {
    let now = app.clock.now();
    let found = app.sessions.find(session).await?.filter(|s| now < s.expires_at);
    Ok(found.and_then(|session| {
        let owner = match &session.owner {
            SessionOwner::AdminToken(hash) => SessionOwner::AdminToken(*hash),
            SessionOwner::Token(token) => SessionOwner::Token(token.id),
        };
        Some((caller(app, session.owner)?, owner))
    }))
}

fn caller(app: &AppState, owner: SessionOwner<Token>) -> Option<Principal> {
    match owner {
        SessionOwner::AdminToken(hash) => app.auth.admin(&hash),
        SessionOwner::Token(token) if token.expires_at.is_some_and(|end| end <= app.clock.now()) => None,
        SessionOwner::Token(token) => Some(token.into()),
    }
}

/// Signs in with a token: stores a session, and returns its cookie. `None` if the token is not valid.
pub(super) async fn open(app: &AppState, token: &str, tls: bool) -> Result<Option<HeaderValue>> {
    match owner(app, token).await? {
        Some(owner) => begin(app, owner, tls).await.map(Some),
        None => Ok(None),
    }
}

/// What a session of this token speaks for; `None` if it is not valid.
pub(super) async fn owner(app: &AppState, token: &str) -> Result<Option<SessionOwner<TokenId>>> {
    let Some(principal) = app.auth.of_secret(token).await? else {
        return Ok(None);
    };
    Ok(Some(match app.auth.admin(&hash(token)) {
        Some(_) => SessionOwner::AdminToken(hash(token)),
        None => SessionOwner::Token(principal.token),
    }))
}

/// Stores a session, and returns its cookie.
pub(super) async fn begin(app: &AppState, owner: SessionOwner<TokenId>, tls: bool) -> Result<HeaderValue> {
    let secret = new_secret();
    store(app, hash(&secret), owner, SESSION_IDLE).await?;
    Ok(set_cookie(tls, &secret, SESSION_MAX.as_secs()))
}

/// Stores a session that ends after `life`, if it is not used.
pub(super) async fn store(
    app: &AppState,
    hash: [u8; 32],
    owner: SessionOwner<TokenId>,
    life: Duration,
) -> Result<()> {
    let now = app.clock.now();
    let session = NewSession {
        hash,
        owner,
        created_at: now,
        expires_at: now.plus(life),
    };
    app.sessions.open(&session).await
}

/// The cookie that takes a session's cookie away.
pub(super) fn no_cookie(tls: bool) -> HeaderValue {
    set_cookie(tls, "", 0)
}

fn set_cookie(tls: bool, secret: &str, seconds: u64) -> HeaderValue {
    let (name, secure) = if tls {
        (COOKIE_TLS, "; Secure")
    } else {
        (COOKIE, "")
    };
    let text = format!("{name}={secret}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::from_str(&text).expect("hexadecimal digits can stand in a header")
}
