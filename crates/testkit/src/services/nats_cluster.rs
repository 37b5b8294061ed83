//! Three `nats-server`s that are one JetStream cluster.

use super::{Nats, NatsBinary, START, free_port};
use crate::Client;

/// The servers of a cluster.
const SERVERS: usize = 3;

/// A private cluster.
pub struct NatsCluster {
    servers: Vec<Nats>,
}

impl NatsCluster {
    /// Starts one and waits until its servers have a leader.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn start(binary: NatsBinary) -> Self {
        let ports: Vec<u16> = (0..SERVERS).map(|_| free_port()).collect();
        let routes: Vec<String> = ports
            .iter()
            .map(|route| format!("nats://127.0.0.1:{route}"))
            .collect();
        let mut servers = Vec::new();
        for (number, route) in ports.iter().enumerate() {
            let more = [
                "--server_name",
                &format!("nats-{number}"),
                "--cluster_name",
                "tests",
                "--cluster",
                &format!("nats://127.0.0.1:{route}"),
                "--routes",
                &routes.join(","),
            ]
            .map(str::to_owned);
            servers.push(Nats::start_with(binary.clone(), &more).await);
        }
        let cluster = Self { servers };
        cluster.wait().await;
        cluster
    }

    /// The addresses of all, as a client takes them.
    #[must_use]
    pub fn url(&self) -> String {
        let urls: Vec<String> = self.servers.iter().map(Nats::url).collect();
        urls.join(",")
    }

    /// Where each server is monitored.
    #[must_use]
    pub fn monitors(&self) -> Vec<String> {
        self.servers.iter().map(Nats::monitor_url).collect()
    }

    /// The server of that name, as the cluster calls its leaders.
    ///
    /// # Panics
    /// If there is none.
    pub fn server(&mut self, name: &str) -> &mut Nats {
        let number: usize = name
            .strip_prefix("nats-")
            .and_then(|n| n.parse().ok())
            .unwrap_or_else(|| panic!("there is no server `{name}`"));
        &mut self.servers[number]
    }

    /// Waits until every server is there and they have one leader.
    ///
    /// # Panics
    /// If that takes too long.
    pub async fn wait(&self) {
        crate::until("the NATS cluster has a leader", START, || async {
            for monitor in self.monitors() {
                let answer = Client::new(&monitor, "").try_get("/jsz").await;
                let meta = answer.map_err(|e| e.to_string())?.body["meta_cluster"].take();
                let led = meta["leader"].as_str().is_some_and(|leader| !leader.is_empty());
                if !led || meta["cluster_size"] != SERVERS {
                    return Err(meta.to_string());
                }
            }
            Ok(())
        })
        .await;
    }
}
