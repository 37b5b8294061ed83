//! Nodes of its own per test, and what every test asks of them.

use std::{collections::HashMap, path::Path, time::Duration};

use serde_json::{Value, json};
use trapline_testkit::{
    Client, SERVER_TOKEN, Server,
    services::{Nats, NatsBinary, Postgres, Redis},
    until,
};

/// What a test runs on. A client goes from node to node, with each request.
#[derive(Clone, Copy)]
pub(crate) enum Deployment {
    /// One server, with everything in its process.
    Embedded,
    /// Two, on PostgreSQL, JetStream and Redis.
    TwoNodes,
}

/// Makes tests of functions that take a [`Deployment`]: one per function and deployment.
macro_rules! on_each_deployment {
    ($($name:ident),+ $(,)?) => {
        mod embedded {
            $(#[tokio::test]
            async fn $name() {
                super::$name($crate::support::Deployment::Embedded).await;
            })+
        }
        mod two_nodes {
            $(#[tokio::test]
            async fn $name() {
                super::$name($crate::support::Deployment::TwoNodes).await;
            })+
        }
    };
}
pub(crate) use on_each_deployment;

pub(crate) struct World {
    pub(crate) nodes: Vec<Server>,
    pub(crate) admin: Client,
    pub(crate) folder: tempfile::TempDir,
    _services: Option<(Postgres, Nats, Redis)>,
}

impl World {
    /// `trapline serve` on a new store, once per node.
    pub(crate) async fn new(deployment: Deployment, env: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let services = match deployment {
            Deployment::Embedded => None,
            Deployment::TwoNodes => {
                let nats = NatsBinary::all().unwrap_or_else(|missing| panic!("{missing}"));
                let started = futures::join!(Postgres::start(), Nats::start(nats[0].clone()), Redis::start());
                Some(started)
            }
        };
        let mut nodes = Vec::new();
        match &services {
            None => nodes.push(node(&folder.path().join("node-1"), env).await),
            Some((postgres, nats, redis)) => {
                let urls = [postgres.url("postgres"), nats.url(), redis.url()];
                let names = ["DATABASE_URL", "NATS_URL", "REDIS_URL"];
                let mut env = env.to_vec();
                env.extend(names.into_iter().zip(urls.iter().map(String::as_str)));
                for name in ["node-1", "node-2"] {
                    nodes.push(node(&folder.path().join(name), &env).await);
                }
            }
        }
        let urls = nodes.iter().map(|node| node.url()).collect();
        Self {
            admin: Client::of_nodes(urls, SERVER_TOKEN),
            nodes,
            folder,
            _services: services,
        }
    }

    /// The roots of the nodes' APIs, separated by commas.
    pub(crate) fn urls(&self) -> String {
        let urls: Vec<String> = self.nodes.iter().map(|node| node.url()).collect();
        urls.join(",")
    }

    /// What all nodes have logged.
    pub(crate) fn log(&self) -> String {
        self.nodes.iter().map(|node| node.log().unwrap()).collect()
    }

    /// Kills every node.
    pub(crate) fn kill(&mut self) {
        for node in &mut self.nodes {
            node.kill();
        }
    }

    /// Starts them again.
    pub(crate) async fn restart(&mut self) {
        for node in &mut self.nodes {
            node.restart().await;
        }
    }

    /// Starts a job on this many captures that nobody can fetch.
    pub(crate) async fn start_job(&self, slug: &str, images: usize) -> i64 {
        let captures: Vec<Value> = (0..images)
            .map(|i| json!({ "url": format!("https://captures.test/{i}.jpg") }))
            .collect();
        let job = json!({
            "name": "night", "delay": 0, "project_id": 1, "pipeline_slug": slug, "captures": captures,
        });
        let job = self.admin.post("/api/v2/jobs/?start_now", &job).await;
        job["id"].as_i64().unwrap()
    }

    /// `cancel`, `retry-failed` and their like.
    pub(crate) async fn press(&self, job: i64, verb: &str) -> Value {
        self.admin
            .post(&format!("/api/v2/jobs/{job}/{verb}/"), &json!({}))
            .await
    }

    pub(crate) async fn job(&self, job: i64) -> Value {
        self.admin.get(&format!("/api/v2/jobs/{job}/")).await
    }

    /// The job, once it has landed.
    pub(crate) async fn landed(&self, job: i64, bound: Duration) -> Value {
        until("the job lands", bound, || async {
            let body = self.job(job).await;
            match body["status"].as_str() {
                Some("SUCCESS" | "FAILURE" | "REVOKED") => Ok(body),
                _ => Err(format!("{} {}", body["status"], body["counts"])),
            }
        })
        .await
    }

    /// What became of each image, by its id.
    pub(crate) async fn images(&self, job: i64) -> HashMap<String, Value> {
        let rows = self
            .admin
            .rows(&format!("/api/v2/jobs/{job}/images/?limit=1000"))
            .await;
        let count = rows.len();
        let by_id: HashMap<String, Value> = rows
            .into_iter()
            .map(|row| (row["image_id"].as_str().unwrap().to_owned(), row))
            .collect();
        assert_eq!(by_id.len(), count, "an image is listed twice");
        by_id
    }
}

async fn node(folder: &Path, env: &[(&str, &str)]) -> Server {
    std::fs::create_dir(folder).unwrap();
    Server::start(Path::new(env!("CARGO_BIN_EXE_trapline")), folder, env).await
}
