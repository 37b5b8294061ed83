//! The hosts that images come from, each with its own gate, so that one that is slow slows no other.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use reqwest::Url;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::FetchLimits;
use super::health::{Failure, Health, News, Tries, Turn};
use crate::time;

/// Hosts that nothing is known of are forgotten when there are more than this.
const HOSTS_MAX: usize = 1_000;

#[derive(Default)]
pub(super) struct Hosts {
    by_name: Mutex<HashMap<String, Arc<Host>>>,
}

pub(super) struct Host {
    name: String,
    health: Mutex<Health>,
    changed: Notify,
    last_reason: Mutex<String>,
}

/// The right to one request. Dropped, it lets the next one through.
pub(super) struct Pass<'a> {
    host: &'a Host,
    started_at: Instant,
}

impl Hosts {
    pub(super) fn of(&self, url: &Url) -> Arc<Host> {
        let name = match (url.host_str(), url.port()) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            (host, _) => host.unwrap_or_default().to_owned(),
        };
        let mut hosts = lock(&self.by_name);
        if hosts.len() >= HOSTS_MAX && !hosts.contains_key(&name) {
            let now = time::now();
            hosts.retain(|_, host| Arc::strong_count(host) > 1 || !lock(&host.health).is_forgettable(now));
        }
        if hosts.len() >= HOSTS_MAX && !hosts.contains_key(&name) {
            hosts.retain(|_, host| Arc::strong_count(host) > 1);
        }
        let make = || {
            Arc::new(Host {
                name: name.clone(),
                health: Mutex::new(Health::new()),
                changed: Notify::new(),
                last_reason: Mutex::default(),
            })
        };
        Arc::clone(hosts.entry(name.clone()).or_insert_with(make))
    }
}

impl Host {
    /// A pass, if a request may start now.
    pub(super) fn pass(&self, since: Instant, limits: &FetchLimits) -> Option<Pass<'_>> {
        let now = time::now();
        let mut health = lock(&self.health);
        if health.turn(since, now, limits) != Turn::Now {
            return None;
        }
        health.start();
        Some(Pass {
            host: self,
            started_at: now,
        })
    }

    /// Waits until a request for an image that came at `since` may start, unless the host is given up.
    pub(super) async fn until_turn(&self, since: Instant, limits: &FetchLimits) -> Result<(), GivenUp> {
        loop {
            let changed = self.changed.notified();
            let turn = lock(&self.health).turn(since, time::now(), limits);
            match turn {
                Turn::Now => return Ok(()),
                Turn::GivenUp => return Err(GivenUp(lock(&self.last_reason).clone())),
                Turn::Later => changed.await,
                Turn::At(moment) => tokio::select! {
                    () = time::sleep_until(moment) => {}
                    () = changed => {}
                },
            }
        }
    }

    pub(super) fn is_enough(&self, tries: Tries, failure: Failure, limits: &FetchLimits) -> bool {
        lock(&self.health).is_enough(tries, failure, time::now(), limits)
    }

    fn tell(&self, news: Option<News>, reason: &str) {
        // Not this crate's own target: whoever runs everything in one process hears of these two only.
        match news {
            Some(News::Waiting) => tracing::warn!(
                target: "trapline",
                host = self.name,
                reason,
                "an image host is in trouble; its images wait"
            ),
            Some(News::Back) => {
                tracing::warn!(target: "trapline", host = self.name, "the image host answers again")
            }
            None => {}
        }
    }
}

/// The host has been in trouble for longer than the patience, with its last failure.
#[derive(Debug)]
pub(super) struct GivenUp(pub(super) String);

impl Pass<'_> {
    /// The host answered, whatever it said of the file.
    pub(super) fn answered(self) {
        let news = lock(&self.host.health).answered(self.started_at);
        self.host.tell(news, "");
    }

    pub(super) fn failed(self, failure: Failure, reason: &str, limits: &FetchLimits) {
        let news = lock(&self.host.health).failed(failure, self.started_at, time::now(), limits);
        reason.clone_into(&mut lock(&self.host.last_reason));
        self.host.tell(news, reason);
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        lock(&self.host.health).end();
        self.host.changed.notify_waiters();
    }
}

/// Nothing panics under these locks; were it to, the state is still the best there is.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
