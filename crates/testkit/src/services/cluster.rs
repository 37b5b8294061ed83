//! Two nodes of the real binary on private servers of each kind.

use std::path::Path;

use tempfile::TempDir;

use super::{Nats, NatsBinary, Postgres, Redis};
use crate::{BARE, Client, Server};

/// The nodes and what they run on. All of it ends with this.
pub struct Cluster {
    /// The nodes. First, so that they end before what they run on.
    pub nodes: [Server; 2],
    /// Their queue.
    pub nats: Nats,
    /// Their progress.
    pub redis: Redis,
    /// Their store, the database `postgres`.
    pub postgres: Postgres,
    /// The nodes' logs, in `node-0` and `node-1`.
    pub folder: TempDir,
}

impl Cluster {
    /// Starts all of it, the nodes with these settings too.
    ///
    /// # Panics
    /// If something is not installed or does not start.
    pub async fn start(trapline: &Path, settings: &[(&str, &str)]) -> Self {
        let nats = NatsBinary::all()
            .unwrap_or_else(|missing| panic!("{missing}"))
            .remove(0);
        let (nats, redis, postgres) = futures::join!(Nats::start(nats), Redis::start(), Postgres::start());
        let urls = [postgres.url("postgres"), nats.url(), redis.url()];
        let mut env = vec![
            ("DATABASE_URL", urls[0].as_str()),
            ("NATS_URL", urls[1].as_str()),
            ("REDIS_URL", urls[2].as_str()),
        ];
        env.extend(settings);
        let folder = tempfile::Builder::new()
            .prefix("trapline-cluster-")
            .tempdir()
            .unwrap();
        let node = async |name| {
            let own = folder.path().join(name);
            std::fs::create_dir(&own).unwrap();
            Server::start(trapline, &own, &env).await
        };
        // The first one makes the schema.
        let nodes = [node("node-0").await, node("node-1").await];
        Self {
            nodes,
            nats,
            redis,
            postgres,
            folder,
        }
    }

    /// A client of each node.
    #[must_use]
    pub fn clients(&self) -> [Client; 2] {
        [self.nodes[0].client(), self.nodes[1].client()]
    }

    /// Starts a job of this many captures on the pipeline `bare`, and returns it.
    ///
    /// # Panics
    /// If it is refused.
    pub async fn job(&self, images: usize) -> i64 {
        let client = self.nodes[0].client();
        client.register_pipeline(BARE).await;
        let set = client.upload_captures("night", images as u64).await;
        client.start_job(BARE, set).await
    }
}
