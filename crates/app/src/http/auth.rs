//! Who asks, and what they may do (docs/rules.md B2).
//!
//! A secret is only ever hashed: the cache, the store and every comparison hold SHA-256. No more than the first
//! 8 characters of a token leave this module.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, StatusCode, header, request::Parts},
    middleware::Next,
};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use trapline_core::{
    Clock, ErrorKind, ProjectId, Result, Timestamp, TokenId,
    catalog::{NewToken, Role, Token},
    ports::Catalog,
    remembered::MaybeStale,
    words::hex,
};

use super::{ApiError, AppState, access_log::Note, error::ApiResult, proxies::Client};

/// How long a token is believed without asking the store: a deleted one is valid no longer than this.
const FRESH: Duration = Duration::from_secs(5);
/// How long a known token is believed while the store can't be asked. A result that arrives then waits for the
/// store (ARCHITECTURE.md#a-result-lands); it must not be dropped before that for want of a look-up.
const STALE: Duration = Duration::from_secs(60);
const CACHED_MAX: usize = 4_096;
/// How much of a token may be shown.
const PREFIX: usize = 8;

/// What an endpoint needs of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Any GET.
    Read,
    /// Registration, tasks, claim, leases, result.
    Work,
    /// Jobs and capture sets.
    Operate,
    /// All else.
    Admin,
}

/// The caller.
#[derive(Clone, Debug)]
pub struct Principal {
    /// Its token; 0 for `--admin-token`.
    pub token: TokenId,
    /// The token's name.
    pub name: String,
    /// Its role.
    pub role: Role,
    /// The only project it sees, if it is bound to one.
    pub project: Option<ProjectId>,
    /// The first 8 characters of the secret.
    pub prefix: String,
    expires_at: Option<Timestamp>,
}

impl Principal {
    /// Whether the role allows it.
    #[must_use]
    pub fn may(&self, access: Access) -> bool {
        match access {
            Access::Read => true,
            Access::Work => matches!(self.role, Role::Worker | Role::Admin),
            Access::Operate => matches!(self.role, Role::Operator | Role::Admin),
            Access::Admin => self.role == Role::Admin,
        }
    }

    /// Refuses what the role does not allow.
    ///
    /// # Errors
    /// 403.
    pub fn require(&self, access: Access) -> ApiResult<()> {
        if self.may(access) {
            Ok(())
        } else {
            Err(ApiError::forbidden())
        }
    }

    /// Refuses all but an admin of every project: what reaches beyond a project is not for one bound to it.
    ///
    /// # Errors
    /// 403.
    pub fn require_unbound_admin(&self) -> ApiResult<()> {
        if self.is_unbound_admin() {
            Ok(())
        } else {
            Err(ApiError::forbidden())
        }
    }

    /// Refuses whoever is bound to a project: what is of the whole cluster is not for one of its projects to see.
    ///
    /// # Errors
    /// 403.
    pub fn require_unbound(&self) -> ApiResult<()> {
        match self.project {
            None => Ok(()),
            Some(_) => Err(ApiError::forbidden()),
        }
    }

    /// An admin of every project.
    #[must_use]
    pub fn is_unbound_admin(&self) -> bool {
        self.role == Role::Admin && self.project.is_none()
    }

    /// Whether the project is there for this caller.
    #[must_use]
    pub fn sees(&self, project: ProjectId) -> bool {
        self.project.is_none_or(|own| own == project)
    }

    /// Hides what belongs to another project.
    ///
    /// # Errors
    /// 404.
    pub fn require_project(&self, project: ProjectId) -> ApiResult<()> {
        if self.sees(project) {
            Ok(())
        } else {
            Err(ApiError::not_found())
        }
    }

    /// `verbs` if the role allows `access`, else none: for `user_permissions`.
    #[must_use]
    pub fn verbs<'a>(&self, access: Access, verbs: &'a [&'static str]) -> &'a [&'static str] {
        if self.may(access) { verbs } else { &[] }
    }
}

impl From<Token> for Principal {
    fn from(token: Token) -> Self {
        Self {
            token: token.id,
            name: token.name,
            role: token.role,
            project: token.project_id,
            prefix: token.prefix,
            expires_at: token.expires_at,
        }
    }
}

impl FromRequestParts<AppState> for Principal {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> ApiResult<Self> {
        match parts.extensions.get::<Self>() {
            Some(known) => Ok(known.clone()),
            None => state.auth.of(&parts.headers).await,
        }
    }
}

/// In front of every endpoint that is not public, so that a handler can't forget it.
pub(super) async fn authenticate(
    State(state): State<AppState>,
    mut request: Request,
    next: Next,
) -> ApiResult {
    let client = request.extensions().get::<Client>().cloned().unwrap_or_default();
    let principal = match state.auth.of(request.headers()).await {
        Ok(principal) => principal,
        Err(refused) => {
            let guess = refused.status() == StatusCode::UNAUTHORIZED
                && request.headers().contains_key(header::AUTHORIZATION);
            if let (true, Some(address)) = (guess, client.ip()) {
                state.guards.failed(address)?;
            }
            return Err(refused);
        }
    };
    state.guards.note(&client);
    if let Some(note) = request.extensions().get::<Note>() {
        note.token(&principal.prefix);
    }
    state.uses.note(principal.token);
    request.extensions_mut().insert(principal);
    Ok(next.run(request).await)
}

/// The hash under which a secret is stored.
#[must_use]
pub fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// What may be shown of a secret.
#[must_use]
pub fn prefix(secret: &str) -> String {
    secret.chars().take(PREFIX).collect()
}

/// A new secret: 40 hex characters from the system's random numbers.
#[must_use]
pub fn new_secret() -> String {
    hex(&rand::random::<[u8; 20]>())
}

/// Stores a new token; its secret is returned once and kept nowhere.
///
/// # Errors
/// As the store's.
pub async fn mint<C: Catalog + ?Sized>(
    catalog: &C,
    name: &str,
    role: Role,
    project_id: Option<ProjectId>,
    expires_at: Option<Timestamp>,
) -> Result<(Token, String)> {
    let secret = new_secret();
    let new = NewToken {
        name: name.to_owned(),
        role,
        project_id,
        prefix: prefix(&secret),
        hash: hash(&secret),
        expires_at,
    };
    Ok((catalog.create_token(&new).await?, secret))
}

/// Looks up tokens; cheap to clone.
#[derive(Clone)]
pub struct Auth(Arc<Inner>);

struct Inner {
    catalog: Arc<dyn Catalog>,
    clock: Arc<dyn Clock>,
    /// The hash of `--admin-token`, and what may be shown of it.
    admin: Option<([u8; 32], String)>,
    /// Whether that is the only token that is known, and may look and no more.
    is_viewer: bool,
    /// A token that was valid may be deleted since: what is remembered grants, for a bounded time, and an unknown token is
    /// always asked of the store. What a token may do never changes, so a role may refuse.
    cache: MaybeStale<[u8; 32], Principal>,
}

impl Auth {
    /// Tokens of `catalog`, and `admin_token`, which is valid for this process; sessions store it sealed by their own secret.
    #[must_use]
    pub fn new(catalog: Arc<dyn Catalog>, clock: Arc<dyn Clock>, admin_token: Option<&str>) -> Self {
        let admin = admin_token.map(|secret| (hash(secret), prefix(secret)));
        Self(Arc::new(Inner {
            catalog,
            clock,
            admin,
            is_viewer: false,
            cache: MaybeStale::new(CACHED_MAX, STALE),
        }))
    }

    /// `token` alone, with which one may look at a store and no more.
    #[must_use]
    pub fn viewer(catalog: Arc<dyn Catalog>, clock: Arc<dyn Clock>, token: &str) -> Self {
        Self(Arc::new(Inner {
            catalog,
            clock,
            admin: Some((hash(token), prefix(token))),
            is_viewer: true,
            cache: MaybeStale::new(CACHED_MAX, STALE),
        }))
    }

    /// The caller behind the headers of a request.
    ///
    /// # Errors
    /// 401 without a valid token, 503 if the store can't be asked.
    pub async fn of(&self, headers: &HeaderMap) -> ApiResult<Principal> {
        self.of_hash(&sealed(headers)?)
            .await?
            .ok_or_else(|| ApiError::unauthenticated("Invalid token."))
    }

    /// The caller behind a secret; `None` if it is not valid.
    ///
    /// # Errors
    /// `Unavailable` if the store can't be asked.
    pub async fn of_secret(&self, secret: &str) -> Result<Option<Principal>> {
        self.of_hash(&hash(secret)).await
    }

    /// The caller behind a secret with this hash; `None` if it is not valid.
    ///
    /// # Errors
    /// `Unavailable` if the store can't be asked.
    pub async fn of_hash(&self, hash: &[u8; 32]) -> Result<Option<Principal>> {
        if let Some((_, admin)) = self.admin(|admin| *admin, hash) {
            return Ok(Some(admin));
        }
        if self.0.is_viewer {
            return Ok(None);
        }
        let found = self.look_up(hash).await?;
        let now = self.0.clock.now();
        Ok(found.filter(|p| p.expires_at.is_none_or(|end| now < end)))
    }

    /// The hash of `--admin-token` and the caller behind it, if `seal` makes `sealed` of it.
    #[must_use]
    pub fn admin(
        &self,
        seal: impl FnOnce(&[u8; 32]) -> [u8; 32],
        sealed: &[u8; 32],
    ) -> Option<([u8; 32], Principal)> {
        let (admin, prefix) = self.0.admin.as_ref()?;
        if !bool::from(seal(admin).ct_eq(sealed)) {
            return None;
        }
        let principal = Principal {
            token: TokenId(0),
            name: if self.0.is_viewer { "you" } else { "--admin-token" }.to_owned(),
            role: if self.0.is_viewer {
                Role::Viewer
            } else {
                Role::Admin
            },
            project: None,
            prefix: prefix.clone(),
            expires_at: None,
        };
        Some((*admin, principal))
    }

    /// Forgets what is cached, after a token was deleted.
    pub fn forget(&self) {
        self.0.cache.clear();
    }

    async fn look_up(&self, hash: &[u8; 32]) -> Result<Option<Principal>> {
        let now = self.0.clock.monotonic();
        let cache = &self.0.cache;
        if let Some(known) = cache.get_within(hash, now, FRESH) {
            return Ok(Some(known));
        }
        match self.0.catalog.token_by_hash(hash).await {
            Ok(Some(token)) => {
                let principal = Principal::from(token);
                cache.insert(*hash, principal.clone(), now);
                Ok(Some(principal))
            }
            // Only what is valid is kept: guesses must not fill the cache, and a new token is valid at once.
            Ok(None) => {
                cache.forget(hash);
                Ok(None)
            }
            Err(error) if error.kind == ErrorKind::Unavailable => cache.get(hash, now).map(Some).ok_or(error),
            Err(error) => Err(error),
        }
    }
}

/// The hash of the secret in the header.
///
/// # Errors
/// 401 without one.
pub(crate) fn sealed(headers: &HeaderMap) -> ApiResult<[u8; 32]> {
    credentials(headers).map(hash)
}

/// The secret in the header. Another scheme than ours is as no header.
fn credentials(headers: &HeaderMap) -> ApiResult<&str> {
    let value = headers
        .get(header::AUTHORIZATION)
        .ok_or_else(ApiError::no_credentials)?;
    let refuse = |why: &str| Err(ApiError::unauthenticated(format!("Invalid token header. {why}")));
    let Ok(value) = value.to_str() else {
        return refuse("Token string should not contain invalid characters.");
    };
    let mut words = value.split_ascii_whitespace();
    let scheme = words.next().unwrap_or("");
    if !["token", "bearer", "api-key"]
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known))
    {
        return Err(ApiError::no_credentials());
    }
    match (words.next(), words.next()) {
        (None, _) => refuse("No credentials provided."),
        (Some(secret), None) => Ok(secret),
        (Some(_), Some(_)) => refuse("Token string should not contain spaces."),
    }
}
