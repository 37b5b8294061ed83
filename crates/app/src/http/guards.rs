//! What keeps one caller from harming the others: the memory of bodies, the rates of guesses, the proxies that are believed.

use std::{
    net::IpAddr,
    num::NonZero,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::http::StatusCode;
use tokio::sync::Semaphore;
use trapline_core::Clock;

use super::{
    ApiError, Limits,
    budget::Budget,
    error::ApiResult,
    proxies::{Client, TrustedProxies},
    rates::Rate,
};

/// Failed authentications of an address at once; after them, as many a minute as logins.
const FAILURES_AT_ONCE: u32 = 20;

/// The guards of a server; cheap to clone.
#[derive(Clone)]
pub struct Guards(Arc<Inner>);

/// Bytes of photographs that are being sent to browsers.
const PHOTOGRAPHS: usize = 512 << 20;
/// How long a photograph waits for its memory.
const PHOTOGRAPH_WAIT: Duration = Duration::from_secs(30);

struct Inner {
    budget: Budget,
    photographs: Budget,
    logins: Rate,
    failures: Rate,
    proxies: TrustedProxies,
    /// Large bodies are parsed on half of the processors, so that the others go on answering.
    parsers: Semaphore,
    disbelieved: AtomicBool,
}

impl Guards {
    /// Guards by these limits.
    #[must_use]
    pub fn new(limits: &Limits, proxies: TrustedProxies, clock: &Arc<dyn Clock>) -> Self {
        let per_minute = limits.login_per_minute;
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self(Arc::new(Inner {
            budget: Budget::new(limits.body_memory, limits.body_memory_wait, Arc::clone(clock)),
            photographs: Budget::new(PHOTOGRAPHS, PHOTOGRAPH_WAIT, Arc::clone(clock)),
            logins: Rate::new(per_minute, per_minute, Arc::clone(clock)),
            failures: Rate::new(per_minute, FAILURES_AT_ONCE, Arc::clone(clock)),
            proxies,
            parsers: Semaphore::new((processors / 2).max(1)),
            disbelieved: AtomicBool::new(false),
        }))
    }

    /// The memory of bodies in flight.
    #[must_use]
    pub fn budget(&self) -> &Budget {
        &self.0.budget
    }

    /// The memory of photographs on their way to browsers.
    pub(crate) fn photographs(&self) -> &Budget {
        &self.0.photographs
    }

    pub(super) fn parsers(&self) -> &Semaphore {
        &self.0.parsers
    }

    pub(super) fn proxies(&self) -> &TrustedProxies {
        &self.0.proxies
    }

    /// Counts a login.
    pub(crate) fn login(&self, address: IpAddr) -> ApiResult<()> {
        self.0.logins.take(address).map_err(throttled)
    }

    /// Counts a token that was not valid. A valid one is never refused for others of its address: workers lose what they
    /// hold if they are.
    pub(super) fn failed(&self, address: IpAddr) -> ApiResult<()> {
        self.0.failures.take(address).map_err(throttled)
    }

    /// Says once that somebody with a token comes through a proxy that nobody told of.
    pub(super) fn note(&self, client: &Client) {
        if let Some(peer) = client.disbelieved
            && !self.0.disbelieved.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(
                %peer,
                "X-Forwarded-For comes from an address that is not in `trusted_proxies`: it is ignored, and all workers behind \
                 that address are taken for one if they do not name themselves"
            );
        }
    }

    /// Whether that was said.
    pub(super) fn disbelieved(&self) -> bool {
        self.0.disbelieved.load(Ordering::Relaxed)
    }
}

/// 429 in upstream's words.
fn throttled(wait: Duration) -> ApiError {
    let seconds = wait.as_millis().div_ceil(1_000).max(1);
    let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
    let detail = format!("Request was throttled. Expected available in {seconds} seconds.");
    ApiError::detail(StatusCode::TOO_MANY_REQUESTS, detail).retry_after(seconds)
}
