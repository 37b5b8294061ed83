//! Who looks at a page: a browser that signed in with a token, and holds the secret of a session in a cookie.

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, Method, header, request::Parts},
};
use sha2::{Digest as _, Sha256};
use trapline_core::{
    Result, TokenId,
    catalog::{NewSession, SESSION_IDLE, SESSION_MAX, Session, SessionOwner},
    error::chain,
};

use super::{page::PageError, picker::Projects};
use crate::http::{
    AppState, Principal,
    access_log::Note,
    auth::{hash, new_secret},
    proxies::Client,
    site::called,
};

/// Over plain HTTP.
const COOKIE: &str = "trapline";
/// Over TLS: no other host and no plain connection can set it.
const COOKIE_TLS: &str = "__Host-trapline";

/// The cookie that holds a session's secret.
pub(super) struct Jar {
    /// With the server's port: a browser sends a cookie to all ports of its host, and each server there has sessions of its own.
    name: String,
    is_tls: bool,
    port: Option<u16>,
}

impl Jar {
    fn of(parts: &Parts) -> Self {
        // Of the browser, which talks TLS to this server or to a proxy that is trusted.
        let is_tls = parts.extensions.get::<Client>().is_some_and(|c| c.https);
        let port = called(&parts.extensions, &parts.headers, &parts.uri)
            .and_then(|host| host.rsplit_once(':')?.1.parse::<u16>().ok());
        let name = if is_tls { COOKIE_TLS } else { COOKIE };
        let mut jar = Self {
            name: String::new(),
            is_tls,
            port,
        };
        jar.name = jar.named(name);
        jar
    }

    /// The name of another cookie of this server alone.
    pub(super) fn named(&self, name: &str) -> String {
        self.port
            .map_or_else(|| name.to_owned(), |port| format!("{name}-{port}"))
    }

    /// The header that takes the cookie away.
    pub(super) fn empty(&self) -> HeaderValue {
        self.set("", 0)
    }

    fn set(&self, secret: &str, seconds: u64) -> HeaderValue {
        let secure = if self.is_tls { "; Secure" } else { "" };
        let name = &self.name;
        let text = format!("{name}={secret}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
        HeaderValue::from_str(&text).expect("letters and digits can stand in a header")
    }
}

impl<S: Sync> FromRequestParts<S> for Jar {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(parts))
    }
}

/// Paths to which forms are posted, and which are no pages. Each other one has a page that asks.
const FORMS_ONLY: [&str; 2] = ["/logout", "/health/dry-run"];
/// Cookies of the name that are tried.
const SECRETS_MAX: usize = 4;
/// How long a page waits for its session to be extended.
const EXTEND_MAX: Duration = Duration::from_millis(500);

/// Whoever is signed in.
pub(super) struct Visitor {
    pub(super) principal: Principal,
    pub(super) session: [u8; 32],
    /// Those that a page with a frame offers; `None` of other answers, and if they could not be read.
    pub(super) projects: Option<Projects>,
}

/// The name of the cookie that says which project was chosen in the bar.
pub(super) const PROJECT: &str = "project";

/// The projects for the frame of a page; parts, streams and photographs have none.
async fn projects(app: &AppState, parts: &Parts, jar: &Jar, principal: &Principal) -> Option<Projects> {
    let query = parts.uri.query().unwrap_or_default();
    let path = parts.uri.path();
    let has_frame = !query.split('&').any(|pair| pair.starts_with("part="))
        && !["/live", "/captures/"].iter().any(|of| path.starts_with(of));
    if !has_frame {
        return None;
    }
    let asked = cookie(&parts.headers, &jar.named(PROJECT)).and_then(|id| id.parse().ok());
    // A page that needs them fails by itself; one that needs no store is shown without them.
    Projects::read(app, principal, asked).await.ok()
}

impl FromRequestParts<AppState> for Visitor {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, PageError> {
        let jar = Jar::of(parts);
        match signed_in(app, &parts.headers, &jar).await? {
            Some(mut visitor) => {
                visitor.projects = projects(app, parts, &jar, &visitor.principal).await;
                if let Some(note) = parts.extensions.get::<Note>() {
                    note.token(&visitor.principal.prefix);
                }
                Ok(visitor)
            }
            None => {
                let here = parts.uri.path_and_query().map(|p| p.as_str().to_owned());
                let is_page = parts.method == Method::GET || !FORMS_ONLY.contains(&parts.uri.path());
                let next = here.filter(|_| is_page);
                Err(PageError::SignIn { next })
            }
        }
    }
}

/// Who is signed in, by the headers of a request.
pub(super) async fn signed_in(app: &AppState, headers: &HeaderMap, jar: &Jar) -> Result<Option<Visitor>> {
    for session in cookies(headers, &jar.name).take(SECRETS_MAX).map(hash) {
        if let Some(principal) = look_up(app, &session).await? {
            return Ok(Some(Visitor {
                principal,
                session,
                projects: None,
            }));
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
    let Some((found, caller, _)) = found(app, session).await? else {
        return Ok(None);
    };
    if let Some(end) = found.extended(app.clock.now()) {
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
    Ok(found(app, session)
        .await?
        .map(|(_, caller, owner)| (caller, owner)))
}

async fn found(
    app: &AppState,
    session: &[u8; 32],
) -> Result<Option<(Session, Principal, SessionOwner<TokenId>)>> {
    let now = app.clock.now();
    let Some(found) = app.sessions.find(session).await?.filter(|s| now < s.expires_at) else {
        return Ok(None);
    };
    let (caller, owner) = match &found.owner {
        SessionOwner::AdminToken(seal) => {
            let Some((admin, caller)) = app.auth.admin(|admin| sealed(session, admin), seal) else {
                return Ok(None);
            };
            (caller, SessionOwner::AdminToken(admin))
        }
        SessionOwner::Token(token) if token.expires_at.is_some_and(|end| end <= now) => return Ok(None),
        SessionOwner::Token(token) => {
            app.uses.note(token.id);
            (token.clone().into(), SessionOwner::Token(token.id))
        }
    };
    Ok(Some((found, caller, owner)))
}

/// What is stored of `--admin-token`. Without the secret of the session, which only its cookie tells, no guess at the token can be
/// tried on a copy of the store.
fn sealed(session: &[u8; 32], admin: &[u8; 32]) -> [u8; 32] {
    Sha256::new()
        .chain_update(session)
        .chain_update(admin)
        .finalize()
        .into()
}

/// Signs in with a token: stores a session, and returns its cookie. `None` if the token is not valid.
pub(super) async fn open(app: &AppState, token: &str, jar: &Jar) -> Result<Option<HeaderValue>> {
    match owner(app, token).await? {
        Some(owner) => begin(app, owner, jar).await.map(Some),
        None => Ok(None),
    }
}

/// What a session of this token speaks for; `None` if it is not valid.
pub(super) async fn owner(app: &AppState, token: &str) -> Result<Option<SessionOwner<TokenId>>> {
    let Some(principal) = app.auth.of_secret(token).await? else {
        return Ok(None);
    };
    Ok(Some(match app.auth.admin(|admin| *admin, &hash(token)) {
        Some((admin, _)) => SessionOwner::AdminToken(admin),
        None => SessionOwner::Token(principal.token),
    }))
}

/// Stores a session, and returns its cookie.
pub(super) async fn begin(app: &AppState, owner: SessionOwner<TokenId>, jar: &Jar) -> Result<HeaderValue> {
    let secret = new_secret();
    store(app, hash(&secret), owner, SESSION_IDLE).await?;
    Ok(jar.set(&secret, SESSION_MAX.as_secs()))
}

/// Stores a session that ends after `life`, if it is not used.
pub(super) async fn store(
    app: &AppState,
    hash: [u8; 32],
    owner: SessionOwner<TokenId>,
    life: Duration,
) -> Result<()> {
    let now = app.clock.now();
    let owner = match owner {
        SessionOwner::AdminToken(admin) => SessionOwner::AdminToken(sealed(&hash, &admin)),
        token => token,
    };
    let session = NewSession {
        hash,
        owner,
        created_at: now,
        expires_at: now.plus(life),
    };
    app.sessions.open(session).await
}
