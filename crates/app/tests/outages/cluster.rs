//! Two nodes, and what they depend on, each behind a network that can go silent.

use std::{path::Path, process::Command, time::Duration};

use serde_json::Value;
use trapline_testkit::{
    Client, Server,
    services::{Nats, NatsBinary, Network, Postgres, Redis},
    until,
};

/// For what comes by itself; a busy machine may need some of it.
pub(crate) const BOUND: Duration = Duration::from_secs(60);
/// How long a result waits for the store on the first node. The second one keeps the default.
pub(crate) const SETTLE_WAIT: Duration = Duration::from_secs(2);

/// What a node depends on, by its name in `/readyz`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dependency {
    Store,
    Queue,
    Progress,
}

impl Dependency {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::Queue => "queue",
            Self::Progress => "progress",
        }
    }
}

/// How it goes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It was asked to end. It returns with its data.
    Quit,
    /// SIGKILL. It returns empty, but for the store.
    Kill,
    /// SIGSTOP.
    Pause,
    /// Nothing passes between it and the nodes.
    Partition,
}

pub(crate) struct Cluster {
    pub(crate) nodes: [Server; 2],
    pub(crate) nats: Nats,
    pub(crate) redis: Redis,
    pub(crate) postgres: Postgres,
    networks: [Network; 3],
    urls: [String; 3],
    folders: [tempfile::TempDir; 2],
}

pub(crate) fn trapline() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_trapline"))
}

impl Cluster {
    pub(crate) async fn start(more: &[(&str, &str)]) -> Self {
        let binary = NatsBinary::all()
            .unwrap_or_else(|missing| panic!("{missing}"))
            .remove(0);
        let (postgres, nats, redis) = futures::join!(Postgres::start(), Nats::start(binary), Redis::start());
        let ports = [postgres.port(), nats.port(), redis.port()];
        let networks = [
            Network::to(ports[0]).await,
            Network::to(ports[1]).await,
            Network::to(ports[2]).await,
        ];
        let urls = [
            networks[0].through(&postgres.url("postgres"), ports[0]),
            networks[1].through(&nats.url(), ports[1]),
            networks[2].through(&redis.url(), ports[2]),
        ];
        let mut env = vec![
            ("DATABASE_URL", urls[0].as_str()),
            ("NATS_URL", urls[1].as_str()),
            ("REDIS_URL", urls[2].as_str()),
            ("NATS_TASK_TTR", "5"),
            ("TRAPLINE_HEALTH_INTERVAL", "1"),
        ];
        env.extend(more);
        let wait = SETTLE_WAIT.as_secs().to_string();
        let first_env = [env.as_slice(), &[("TRAPLINE_SETTLE_WAIT", wait.as_str())]].concat();
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let first = Server::start(trapline(), folders[0].path(), &first_env).await;
        let second = Server::start(trapline(), folders[1].path(), &env).await;
        Self {
            nodes: [first, second],
            nats,
            redis,
            postgres,
            networks,
            urls,
            folders,
        }
    }

    pub(crate) fn urls(&self) -> [String; 2] {
        [self.nodes[0].url(), self.nodes[1].url()]
    }

    pub(crate) fn clients(&self) -> [Client; 2] {
        [self.nodes[0].client(), self.nodes[1].client()]
    }

    /// Where the nodes find it.
    pub(crate) fn url_of(&self, what: Dependency) -> &str {
        &self.urls[what as usize]
    }

    pub(crate) fn take_away(&mut self, what: Dependency, how: Mode) {
        match (what, how) {
            (_, Mode::Partition) => self.networks[what as usize].silence(),
            (Dependency::Store, Mode::Quit) => self.postgres.quit(),
            (Dependency::Store, Mode::Kill) => self.postgres.kill(),
            (Dependency::Store, Mode::Pause) => self.postgres.stop(),
            (Dependency::Queue, Mode::Quit) => self.nats.quit(),
            (Dependency::Queue, Mode::Kill) => self.nats.kill(),
            (Dependency::Queue, Mode::Pause) => self.nats.stop(),
            (Dependency::Progress, Mode::Quit) => self.redis.quit(),
            (Dependency::Progress, Mode::Kill) => self.redis.kill(),
            (Dependency::Progress, Mode::Pause) => self.redis.stop(),
        }
    }

    pub(crate) async fn give_back(&mut self, what: Dependency, how: Mode) {
        match (what, how) {
            (_, Mode::Partition) => self.networks[what as usize].heal(),
            (Dependency::Store, Mode::Pause) => self.postgres.resume(),
            (Dependency::Queue, Mode::Pause) => self.nats.resume(),
            (Dependency::Progress, Mode::Pause) => self.redis.resume(),
            (Dependency::Store, _) => self.postgres.restart().await,
            (Dependency::Queue, Mode::Quit) => self.nats.restart().await,
            (Dependency::Queue, Mode::Kill) => self.nats.restart_empty().await,
            (Dependency::Progress, Mode::Quit) => self.redis.restart().await,
            (Dependency::Progress, Mode::Kill) => self.redis.restart_empty().await,
        }
    }

    /// Both nodes say that it is away, or that all is well.
    pub(crate) async fn both_say(&self, away: Option<Dependency>) {
        for client in self.clients() {
            until("`readyz` tells", BOUND, async || {
                let answer = client.try_get("/readyz").await.map_err(|e| e.to_string())?;
                let status = if away == Some(Dependency::Store) { 503 } else { 200 };
                let all = [Dependency::Store, Dependency::Queue, Dependency::Progress];
                let said = all.iter().all(|what| {
                    let word = if away == Some(*what) { "unavailable" } else { "ok" };
                    answer.body[what.name()] == word
                });
                match said && answer.status == status {
                    true => Ok(()),
                    false => Err(format!("{}: {}", answer.status, answer.body)),
                }
            })
            .await;
        }
    }

    /// The invariants, by the tool that people have.
    pub(crate) fn verify(&self) {
        let verified = Command::new(trapline())
            .args(["verify", "--database", &self.postgres.url("postgres")])
            .output()
            .unwrap();
        assert!(verified.status.success(), "{verified:?}");
    }

    /// Lines in the logs of both nodes that say more than `info`, and contain the text.
    pub(crate) fn warnings(&self, text: &str) -> usize {
        let logs = [0, 1].map(|n| self.nodes[n].log().unwrap());
        let lines = logs.iter().flat_map(|log| log.lines());
        lines
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|line| line["level"] != "INFO")
            .filter(|line| line["message"].as_str().is_some_and(|m| m.contains(text)))
            .count()
    }

    /// A folder for one more process.
    pub(crate) fn folder(&self) -> &Path {
        self.folders[0].path()
    }
}
