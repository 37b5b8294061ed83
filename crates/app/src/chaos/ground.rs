//! What scenarios are played on: the embedded default, or nodes on PostgreSQL, NATS and Redis that are somebody's.
//!
//! The invariant: of those servers nothing is touched but what was made here. The store is a database of its own; queue and
//! progress go by job ids that no other store has; and all of it is removed at the end.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use reqwest::Url;
use tokio::sync::{Semaphore, SemaphorePermit};
use trapline_backends::postgres::scratch;
use trapline_core::{
    Clock, JobId,
    ports::{Progress, Queue},
};
use trapline_drill::Relay;
use trapline_engine::SystemClock;

use crate::{
    config::{Config, Database},
    wiring,
};

/// More than anybody needs to see what two do to each other.
const NODES_MAX: usize = 8;
/// Stores in use at a time: the connections of their nodes must fit into a server of 100, PostgreSQL's default.
const STORES: usize = 4;
/// Job ids begin at a random multiple of this, far above those of any other store.
const JOBS: i64 = 1 << 20;

/// Where scenarios are played.
pub enum Ground {
    /// One server, with everything in its process.
    Embedded,
    /// Several nodes on servers that are there.
    Cluster(Cluster),
}

/// Servers, and what was made on them: each store's name, and the ids of its jobs.
pub struct Cluster {
    nodes: usize,
    database: String,
    queue_url: String,
    progress_url: String,
    queue: Arc<dyn Queue>,
    progress: Arc<dyn Progress>,
    made: Mutex<BTreeMap<String, Vec<JobId>>>,
    room: Semaphore,
}

impl Ground {
    /// As configured, with so many nodes.
    ///
    /// # Errors
    /// If it is not PostgreSQL, NATS and Redis that are configured, or one can't be reached.
    pub async fn cluster(config: &Config, nodes: usize) -> Result<Self> {
        ensure!(
            (1..=NODES_MAX).contains(&nodes),
            "--nodes must be from 1 to {NODES_MAX}"
        );
        let shared = matches!(Database::parse(&config.database)?, Database::Postgres(_))
            && config.queue != "embedded:"
            && config.progress != "embedded:";
        ensure!(
            shared,
            "nodes share nothing on this configuration; give --database postgres://…, --queue nats://… and --progress \
             redis://…, or their variables"
        );
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let (queue, progress) = (
            wiring::queue(config, &clock).await?,
            wiring::progress(config, &clock).await?,
        );
        queue.ping().await.context("the queue")?;
        progress.ping().await.context("the progress")?;
        Ok(Self::Cluster(Cluster {
            nodes,
            database: config.database.clone(),
            queue_url: config.queue.clone(),
            progress_url: config.progress.clone(),
            queue,
            progress,
            made: Mutex::default(),
            room: Semaphore::new(STORES),
        }))
    }

    /// How many nodes there are.
    pub(super) fn nodes(&self) -> usize {
        match self {
            Self::Embedded => 1,
            Self::Cluster(cluster) => cluster.nodes,
        }
    }

    /// Removes what scenarios that failed, or were broken off, have left.
    ///
    /// # Errors
    /// If a server can't be reached; it names the databases that are still there.
    pub async fn clean(&self) -> Result<()> {
        let Self::Cluster(cluster) = self else {
            return Ok(());
        };
        let left: Vec<String> = cluster.made().keys().cloned().collect();
        for name in &left {
            cluster
                .remove(name)
                .await
                .with_context(|| format!("left behind on the server: {}", left.join(", ")))?;
        }
        Ok(())
    }
}

impl Cluster {
    fn made(&self) -> MutexGuard<'_, BTreeMap<String, Vec<JobId>>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn jobs(&self, store: &str) -> Vec<JobId> {
        self.made().get(store).cloned().unwrap_or_default()
    }

    /// A new, empty store.
    pub(super) async fn new_store(&self) -> Result<Plot<'_>> {
        let permit = self.room.acquire().await?;
        let name = format!("{}{:016x}", scratch::PREFIX, rand::random::<u64>());
        self.made().insert(name.clone(), Vec::new());
        scratch::create(&self.database, &name).await?;
        let mut database = Url::parse(&self.database).context("the URL of the database")?;
        database.set_path(&name);
        Ok(Plot {
            cluster: self,
            name,
            database: database.into(),
            _permit: permit,
        })
    }

    /// Removes a store that no node is on, and what is left of its jobs.
    async fn remove(&self, store: &str) -> Result<()> {
        for job in self.jobs(store) {
            self.queue.remove(job).await?;
            self.progress.remove(job).await?;
        }
        scratch::remove(&self.database, store).await?;
        self.made().remove(store);
        Ok(())
    }
}

/// A store on the cluster.
pub(super) struct Plot<'g> {
    cluster: &'g Cluster,
    name: String,
    pub(super) database: String,
    _permit: SemaphorePermit<'g>,
}

impl Plot<'_> {
    /// What a node is told.
    pub(super) fn settings(&self, links: Option<&Links>) -> Result<Vec<(String, String)>> {
        let through = |url: &str, link: Option<&Relay>| match link {
            Some(link) => via(url, link.port()),
            None => Ok(url.to_owned()),
        };
        let (queue, progress) = (&self.cluster.queue_url, &self.cluster.progress_url);
        let far = Duration::from_secs(365 * 86_400).as_secs().to_string();
        Ok([
            ("DATABASE_URL", through(&self.database, links.map(|l| &l.store))?),
            ("NATS_URL", through(queue, links.map(|l| &l.queue))?),
            ("REDIS_URL", through(progress, links.map(|l| &l.progress))?),
            // To these nodes every other queue of the server is of no job of theirs.
            ("TRAPLINE_ZOMBIE_AFTER", far),
        ]
        .map(|(key, value)| (key.to_owned(), value))
        .into())
    }

    /// Gives the jobs ids that no other store has. Called when the schema is there, before the first job.
    pub(super) async fn number_jobs(&self) -> Result<()> {
        let first = JOBS * (i64::from(rand::random::<u32>()) + 1);
        scratch::number_jobs_from(&self.database, first).await?;
        Ok(())
    }

    /// Hears of a job that was made here.
    pub(super) fn has_job(&self, job: i64) {
        if let Some(jobs) = self.cluster.made().get_mut(&self.name) {
            jobs.push(JobId(job));
        }
    }

    /// Removes it, once no node is on it.
    pub(super) async fn remove(&self) -> Result<()> {
        self.cluster.remove(&self.name).await
    }
}

/// The network between the nodes and what they stand on.
pub(super) struct Links {
    pub(super) store: Relay,
    pub(super) queue: Relay,
    pub(super) progress: Relay,
}

impl Links {
    pub(super) async fn to(cluster: &Cluster) -> Result<Self> {
        Ok(Self {
            store: link(&cluster.database, 5432).await?,
            queue: link(&cluster.queue_url, 4222).await?,
            progress: link(&cluster.progress_url, 6379).await?,
        })
    }

    /// The network goes down, whole.
    pub(super) fn silence(&self) {
        for link in [&self.store, &self.queue, &self.progress] {
            link.silence();
        }
    }

    /// The network is back.
    pub(super) fn heal(&self) {
        for link in [&self.store, &self.queue, &self.progress] {
            link.heal();
        }
    }
}

/// A relay to the servers of a URL, which may be several, separated by commas.
async fn link(url: &str, port: u16) -> Result<Relay> {
    let servers: Result<Vec<String>> = url
        .split(',')
        .map(|one| {
            let one = parse(one)?;
            let host = one.host_str().filter(|host| !host.is_empty());
            let host = host.context("a server that is no TCP host can't be put behind a relay")?;
            Ok(format!("{host}:{}", one.port().unwrap_or(port)))
        })
        .collect();
    Relay::to(servers?).await
}

/// The same server, at a port of this machine.
fn via(url: &str, port: u16) -> Result<String> {
    let mut url = parse(url.split(',').next().unwrap_or_default())?;
    url.set_host(Some("127.0.0.1")).context("a URL without a host")?;
    url.set_port(Some(port))
        .map_err(|()| anyhow::anyhow!("a URL without a port"))?;
    Ok(url.into())
}

fn parse(url: &str) -> Result<Url> {
    // Not quoted: it may hold a password.
    Url::parse(url.trim()).context("a URL of the configuration can't be read")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_through_a_relay_keeps_all_but_its_place() {
        for (url, expected) in [
            (
                "postgres://u:p@db.test/name?sslmode=prefer",
                "postgres://u:p@127.0.0.1:9/name?sslmode=prefer",
            ),
            ("nats://t@a:4223,nats://b:4223", "nats://t@127.0.0.1:9"),
            ("redis://h:1/0", "redis://127.0.0.1:9/0"),
        ] {
            assert_eq!(via(url, 9).unwrap(), expected);
        }
    }
}
