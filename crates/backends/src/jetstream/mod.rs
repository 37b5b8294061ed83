//! The queue on NATS JetStream: a stream per job, named as Antenna names it, so that operators' tools find it.
//!
//! JetStream only carries "there is work". It delivers without limit and decides nothing: attempts, leases and outcomes
//! are the store's. So a server that is away, killed, or restarted empty costs a look-up in the store, and a message
//! that is lost, doubled or foreign costs nothing.

mod api;
mod message;
mod publish;
mod pull;
pub(crate) mod server;
mod streams;

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_nats::{Client, Event, connection::State, jetstream::context::ContextBuilder};
use async_trait::async_trait;
use trapline_core::{
    Clock, Error, JobId, Result,
    error::chain,
    ports::{Candidate, Offered, Proposal, Queue, QueueInfo},
};

use self::server::{addresses, identity};
use crate::breaker::{Breaker, DEADLINE};

/// Settings of the queue.
#[derive(Clone, Debug)]
pub struct JetStreamOptions {
    /// Copies of each stream: 1, or 3 or 5 in a cluster.
    pub replicas: usize,
    /// Messages of a job that may be proposed and not acknowledged, over all nodes. One is acknowledged when its task is
    /// granted or refused, so it only bounds what is being granted.
    pub max_ack_pending: u32,
    /// A proposal that nobody acknowledged comes again after this long.
    pub ack_wait: Duration,
    /// Jobs that have a stream at once; the others are proposed from the store.
    pub max_projected_jobs: usize,
    /// The file with the user's JWT and key, where the server wants one.
    pub credentials: Option<PathBuf>,
}

impl JetStreamOptions {
    /// The defaults for so many copies. A replicated stream costs its cluster more.
    #[must_use]
    pub fn replicated(replicas: usize) -> Self {
        Self {
            replicas,
            max_ack_pending: 10_000,
            ack_wait: Duration::from_secs(30),
            max_projected_jobs: if replicas > 1 { 300 } else { 1_000 },
            credentials: None,
        }
    }
}

impl Default for JetStreamOptions {
    fn default() -> Self {
        Self::replicated(1)
    }
}

/// The queue. One connection per process, which returns by itself.
pub struct JetStreamQueue {
    client: Client,
    js: async_nats::jetstream::Context,
    options: JetStreamOptions,
    breaker: Arc<Breaker>,
    /// It saves set-up. What it has wrong costs a candidate, which the fill from the store finds.
    known: Mutex<HashMap<JobId, Known>>,
    /// Until when no stream is made; jobs without one are served from the store.
    full_until: Mutex<Duration>,
}

/// What this process knows of a job's stream, so that calls need no set-up.
#[derive(Clone, Copy)]
enum Known {
    /// It and its consumer are there, with current settings, as far as we know.
    Ready,
    /// It was not there at that time.
    Absent(Duration),
    /// As much was proposed and not acknowledged, at that time, as may be.
    Full(Duration),
}

/// How long a proposal may take. Shorter than other calls, as a worker waits for it, and for the store after it.
const PROPOSE: Duration = Duration::from_millis(500);
/// Jobs that are remembered; beyond it all are forgotten, which costs one look each.
const KNOWN_MAX: usize = 10_000;
/// When to look again for a stream that was absent, or for room. The store fills meanwhile.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// The oldest version that is safe (docs/nats-and-redis.md#safe-versions-of-nats).
const SAFE: (u64, u64, u64) = (2, 10, 23);

impl JetStreamQueue {
    /// Connects to `url`: one address or several, separated by commas. If no server is there, the queue is
    /// `Unavailable` until there is one.
    ///
    /// # Errors
    /// `Invalid` if the URL is malformed, or the file with the credentials can't be used.
    pub async fn connect(url: &str, options: JetStreamOptions, clock: Arc<dyn Clock>) -> Result<Self> {
        let servers = addresses(url)?;
        let hosts: Vec<String> = servers
            .iter()
            .map(|a| format!("{}:{}", a.host(), a.port()))
            .collect();
        let breaker = Arc::new(Breaker::new(format!("NATS at {}", hosts.join(",")), clock));
        let on_event = Arc::clone(&breaker);
        let client = identity(&servers, options.credentials.as_deref())
            .await?
            .name("trapline")
            .retry_on_initial_connect()
            .connection_timeout(Duration::from_secs(2))
            .request_timeout(Some(DEADLINE))
            // A connection that is silent is given up after three.
            .ping_interval(Duration::from_secs(2))
            .reconnect_delay_callback(|attempts| {
                let step = u32::try_from(attempts.min(10)).unwrap_or(10);
                Duration::from_millis(50) * step
            })
            .event_callback(move |event| {
                let breaker = Arc::clone(&on_event);
                async move {
                    heard(&breaker, &event);
                }
            })
            .connect(servers)
            .await
            .map_err(|e| Error::invalid(format!("`{}` can't be used", hosts.join(","))).with_source(e))?;
        let js = ContextBuilder::new().timeout(DEADLINE).build(client.clone());
        let queue = Self {
            client,
            js,
            options,
            breaker,
            known: Mutex::default(),
            full_until: Mutex::default(),
        };
        queue.greet().await;
        Ok(queue)
    }

    /// The version of the server that we are connected to, if we are.
    #[must_use]
    pub fn server_version(&self) -> Option<String> {
        Some(self.client.try_server_info()?.version)
    }

    /// Whether a version is safe to run jobs on; older ones lose whole streams when they are killed.
    #[must_use]
    pub fn is_safe_version(version: &str) -> bool {
        crate::doctor::version(version) >= SAFE
    }

    /// Waits for the first connection, so that a node that starts beside a healthy server does not find it away.
    async fn greet(&self) {
        let hello = async {
            self.client
                .flush()
                .await
                .map_err(|e| Error::unavailable("the connection is closed").with_source(e))
        };
        match self.breaker.within(DEADLINE, hello).await {
            Ok(()) => {
                let version = self.server_version().unwrap_or_default();
                if !Self::is_safe_version(&version) {
                    tracing::warn!(
                        version,
                        "this NATS server may lose streams when it is killed; use 2.10.23 or newer"
                    );
                }
            }
            Err(error) => tracing::warn!(
                error = chain(&error),
                "started without NATS; tasks are handed out from the store until it is there"
            ),
        }
    }

    /// `Unavailable` at once while there is no connection: a request would wait for one.
    fn connected(&self) -> Result<()> {
        match self.client.connection_state() {
            State::Connected => Ok(()),
            State::Pending | State::Disconnected => Err(Error::unavailable(format!(
                "not connected to {}",
                self.breaker.server()
            ))),
        }
    }

    fn known(&self, job: JobId) -> Option<Known> {
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&job)
            .copied()
    }

    fn remember(&self, job: JobId, what: Known) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(job, what);
    }

    fn forget(&self, job: JobId) {
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&job);
    }
}

fn heard(breaker: &Breaker, event: &Event) {
    match event {
        Event::Connected => {
            tracing::info!(server = breaker.server(), "connected");
            breaker.answered();
        }
        Event::Disconnected => tracing::warn!(server = breaker.server(), "the connection is lost"),
        other => tracing::debug!(server = breaker.server(), event = %other, "NATS"),
    }
}

fn stream_name(job: JobId) -> String {
    format!("job_{job}")
}

fn subject(job: JobId) -> String {
    format!("job.{job}.tasks")
}

fn consumer_name(job: JobId) -> String {
    format!("job-{job}-consumer")
}

#[async_trait]
impl Queue for JetStreamQueue {
    async fn publish(&self, job: JobId, candidates: &[Candidate]) -> Result<Offered> {
        if candidates.is_empty() {
            return Ok(Offered::Held);
        }
        self.connected()?;
        self.breaker
            .patient(publish::PATIENCE, |patience| {
                self.publish_now(job, candidates, patience)
            })
            .await
    }

    async fn propose(&self, job: JobId, limit: usize) -> Result<Option<Proposal>> {
        self.connected()?;
        let propose = self.propose_now(job, limit);
        self.breaker
            .patient(PROPOSE, |patience| self.breaker.within(patience, propose))
            .await
    }

    async fn acknowledge(&self, job: JobId, proposal: Proposal) -> Result<()> {
        if proposal.tickets.is_empty() {
            return Ok(());
        }
        self.connected()?;
        self.breaker
            .patient(DEADLINE, |_| self.acknowledge_now(proposal.tickets))
            .await?;
        if matches!(self.known(job), Some(Known::Full(_))) {
            self.remember(job, Known::Ready);
        }
        Ok(())
    }

    async fn remove(&self, job: JobId) -> Result<()> {
        self.connected()?;
        self.forget(job);
        self.breaker.run(self.remove_now(job)).await?;
        // There is room now, if only for what is made anew at once.
        *self.full_until.lock().unwrap_or_else(PoisonError::into_inner) = Duration::ZERO;
        Ok(())
    }

    async fn info(&self, job: JobId) -> Result<Option<QueueInfo>> {
        self.connected()?;
        self.breaker.run(self.info_now(job)).await
    }

    async fn list(&self) -> Result<Vec<QueueInfo>> {
        self.connected()?;
        self.breaker.patient(DEADLINE, |_| self.list_now()).await
    }

    async fn ping(&self) -> Result<()> {
        self.connected()?;
        self.breaker.run(self.ping_now()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_that_lose_streams_are_called_unsafe() {
        for (version, safe) in [
            ("2.9.10", false),
            ("2.10.22", false),
            ("2.10.23", true),
            ("2.15.1", true),
            ("2.11.0-RC.1", true),
            ("", false),
        ] {
            assert_eq!(JetStreamQueue::is_safe_version(version), safe, "{version}");
        }
    }
}
