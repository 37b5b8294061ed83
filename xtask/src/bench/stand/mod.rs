//! What is measured: a server with the services behind it, all private to the run, and the CPU of each process.

mod cpu;
mod rows;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _, SqliteConnection};
use tempfile::TempDir;
use trapline_testkit::{
    Client, Server,
    services::{Nats, NatsBinary, Postgres, Redis},
    until,
};

pub(super) use self::{cpu::Cpu, rows::Rows};
use super::{load::LABELS, process};
use crate::release;

/// The pipeline that is run.
pub(super) const SLUG: &str = "bench";
pub(super) const PATIENCE: Duration = Duration::from_secs(600);

const COUNTS: &str = include_str!("counts.sql");
const UPDATES: &str = include_str!("updates.sql");

/// What is measured, and where the figures go.
#[derive(Clone, clap::Args)]
pub(crate) struct Target {
    /// On a private PostgreSQL, NATS and Redis, instead of embedded.
    #[arg(long)]
    pub(super) cluster: bool,
    /// The binary to measure, instead of a release build of this checkout.
    #[arg(long)]
    pub(super) binary: Option<PathBuf>,
    /// A file for what was measured, as `bench table` reads it.
    #[arg(long)]
    pub(super) json: Option<PathBuf>,
}

impl Target {
    pub(super) fn mode(&self) -> &'static str {
        mode(self.cluster)
    }

    /// A new one, with these settings too.
    pub(super) async fn stand(&self, settings: &[(&str, &str)]) -> Result<Stand> {
        let binary = match &self.binary {
            Some(binary) => absolute(binary)?,
            None => release::binary("trapline"),
        };
        Stand::start(&binary, self.cluster, settings).await
    }
}

/// As `bench table` names it.
pub(super) fn mode(cluster: bool) -> &'static str {
    if cluster { "cluster" } else { "embedded" }
}

/// The server runs in a folder of its own.
pub(super) fn absolute(binary: &Path) -> Result<PathBuf> {
    binary
        .canonicalize()
        .with_context(|| binary.display().to_string())
}

pub(super) struct Stand {
    /// One, unless more were added.
    nodes: Vec<Server>,
    /// Of the first node.
    pub(super) client: Client,
    behind: Option<(Postgres, Nats, Redis)>,
    binary: PathBuf,
    settings: Vec<(String, String)>,
    folder: TempDir,
}

async fn node(binary: &Path, folder: &Path, settings: &[(String, String)]) -> Server {
    let settings: Vec<(&str, &str)> = settings.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    Server::start(binary, folder, &settings).await
}

impl Stand {
    pub(super) async fn start(binary: &Path, cluster: bool, settings: &[(&str, &str)]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut behind = None;
        let owned = |(k, v): &(&str, &str)| ((*k).to_owned(), (*v).to_owned());
        let mut env = vec![("TRAPLINE_LOG".to_owned(), "warn".to_owned())];
        env.extend(settings.iter().map(owned));
        if cluster {
            let nats = NatsBinary::all().map_err(anyhow::Error::msg)?.remove(0);
            let (nats, redis, postgres) =
                futures::join!(Nats::start(nats), Redis::start(), Postgres::start());
            env.push(("DATABASE_URL".to_owned(), postgres.url("postgres")));
            env.push(("NATS_URL".to_owned(), nats.url()));
            env.push(("REDIS_URL".to_owned(), redis.url()));
            behind = Some((postgres, nats, redis));
        }
        let server = node(binary, folder.path(), &env).await;
        let stand = Self {
            client: server.client(),
            nodes: vec![server],
            behind,
            binary: binary.to_owned(),
            settings: env,
            folder,
        };
        stand.register(1, &LABELS).await;
        Ok(stand)
    }

    /// One more node on what is behind the first.
    pub(super) async fn add_node(&mut self) -> Result<()> {
        ensure!(self.behind.is_some(), "only a cluster has more than one node");
        let folder = self.folder.path().join(format!("node-{}", self.nodes.len()));
        std::fs::create_dir(&folder)?;
        self.nodes.push(node(&self.binary, &folder, &self.settings).await);
        Ok(())
    }

    /// Registers the pipeline, whose classifier has these labels.
    pub(super) async fn register(&self, version: u32, labels: &[impl Serialize]) {
        let algorithms = json!([
            { "name": "Detector", "key": "bench_detector", "task_type": "localization", "version": 1 },
            { "name": "Classifier", "key": "bench_classifier", "task_type": "classification", "version": version,
              "category_map": { "labels": labels } },
        ]);
        let pipeline =
            json!({ "name": SLUG, "slug": SLUG, "version": 1, "algorithms": algorithms, "stages": [] });
        let body = json!({ "processing_service_name": SLUG, "pipelines": [pipeline] });
        self.client.post("/api/v2/projects/1/pipelines/", &body).await;
    }

    pub(super) fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(|node| node.url()).collect()
    }

    pub(super) fn cpu(&self) -> Cpu {
        let behind = self.behind.as_ref();
        Cpu {
            server: self.nodes.iter().map(|node| process::cpu(node.pid())).sum(),
            postgres: behind.map_or(0.0, |(postgres, ..)| process::cpu_of_family(postgres.pid())),
            queue: behind.map_or(0.0, |(_, nats, redis)| {
                process::cpu(nats.pid()) + process::cpu(redis.pid())
            }),
            load: process::cpu(std::process::id()),
            machine: process::machine(),
        }
    }

    /// The first node's memory and the most that it had, in MiB.
    pub(super) fn memory(&self) -> (u64, u64) {
        let pid = self.nodes[0].pid();
        (process::memory(pid, "VmRSS"), process::memory(pid, "VmHWM"))
    }

    /// The most that it had is counted from now on.
    pub(super) fn forget_peak(&self) -> Result<()> {
        process::forget_peak(self.nodes[0].pid())
    }

    /// PostgreSQL's updates of tasks until now, and those of them that wrote no index (HOT). It counts a second late.
    pub(super) fn updates(&self) -> Result<Option<(f64, f64)>> {
        let Some((postgres, ..)) = &self.behind else {
            return Ok(None);
        };
        let answer = postgres.ask(UPDATES);
        let (all, hot) = answer.split_once('|').context("two columns")?;
        Ok(Some((all.parse()?, hot.parse()?)))
    }

    /// A job of so many images, all of them collected; nothing else is under way any more.
    pub(super) async fn job(&self, name: &str, images: usize) -> i64 {
        let set = self.client.upload_captures(name, images as u64).await;
        let job = self.client.start_job(SLUG, set).await;
        until("the job is collected", PATIENCE, async || {
            let body = self.client.get(&format!("/api/v2/jobs/{job}/")).await;
            match body["status"] == "STARTED" && body["counts"]["total"] == images {
                true => Ok(()),
                false => Err(body["counts"].to_string()),
            }
        })
        .await;
        self.quiet().await;
        job
    }

    /// Waits until the server, and what is behind it, do nothing to speak of: a queue is filled, a summary made.
    pub(super) async fn quiet(&self) {
        const LOOK: std::time::Duration = std::time::Duration::from_millis(500);
        // Seconds of CPU in that time: PostgreSQL, NATS and Redis take half of it when nobody asks anything.
        const LITTLE: f64 = 0.06;
        const LOOKS: usize = 3;
        let mut looks = tokio::time::interval(LOOK);
        let (mut quiet, mut before) = (0, self.cpu());
        looks.tick().await;
        while quiet < LOOKS {
            looks.tick().await;
            let now = self.cpu();
            let took = now.since(before);
            let little = took.server + took.postgres + took.queue <= LITTLE;
            quiet = if little { quiet + 1 } else { 0 };
            before = now;
        }
    }

    /// Checks that a job has landed with all that was posted, by its counts and by its rows.
    pub(super) async fn check(&self, job: i64, images: usize, detections: usize) -> Result<()> {
        let body = self.client.get(&format!("/api/v2/jobs/{job}/")).await;
        let found = images * detections;
        let counts = &body["counts"];
        ensure!(
            body["status"] == "SUCCESS"
                && counts["processed"] == images
                && counts["detections"] == found
                && counts["classifications"] == found,
            "job {job} is {} with {counts}",
            body["status"]
        );
        let sql = COUNTS.replace("$1", &job.to_string());
        let rows = self.ask(&sql).await?;
        let expected: Vec<i64> = [images, found, found].map(|n| n as i64).to_vec();
        ensure!(
            rows == expected,
            "job {job} has rows {rows:?} and not {expected:?}"
        );
        Ok(())
    }

    /// The numbers of the one row that the store answers.
    pub(super) async fn ask(&self, sql: &str) -> Result<Vec<i64>> {
        match &self.behind {
            Some((postgres, ..)) => {
                let answer = postgres.ask(sql);
                Ok(answer.split('|').map(str::parse).collect::<Result<_, _>>()?)
            }
            None => {
                let url = format!("sqlite:{}", self.nodes[0].database().display());
                let mut conn = SqliteConnection::connect(&url).await?;
                let row = sqlx::query(AssertSqlSafe(sql.to_owned()))
                    .fetch_one(&mut conn)
                    .await?;
                conn.close().await.context("the database")?;
                (0..row.len()).map(|at| Ok(row.try_get(at)?)).collect()
            }
        }
    }

    /// The queue goes away: hand-outs come from the store alone. NATS is killed; embedded, the jobs' queues are dropped, for which
    /// the server must have been started with `TRAPLINE_ALLOW_CHAOS`.
    pub(super) async fn lose_queue(&mut self) {
        match &mut self.behind {
            Some((_, nats, _)) => nats.kill(),
            None => {
                let body = json!({ "what": "queue" });
                self.client.post("/api/v2/chaos/flush/", &body).await;
            }
        }
    }

    /// How many tasks the queue of a job has.
    pub(super) async fn queued(&self, job: i64) -> Result<u64> {
        let (info, count) = match &self.behind {
            Some((_, nats, _)) => (
                nats.ask(&format!("STREAM.INFO.job_{job}")).await,
                "/state/messages",
            ),
            None => {
                let path = format!("/api/v2/jobs/{job}/explain/");
                (self.client.get(&path).await, "/queue_counters/num_pending")
            }
        };
        Ok(info.pointer(count).and_then(Value::as_u64).unwrap_or_default())
    }

    /// The address of NATS.
    pub(super) fn nats(&self) -> Option<String> {
        self.behind.as_ref().map(|(_, nats, _)| nats.url())
    }

    /// Writes rows while no server runs, and starts it on them: by the front door so many take longer than the benchmark. Names that
    /// begin with `$` stand for numbers.
    pub(super) async fn write(&mut self, rows: Rows, numbers: &[(&str, usize)]) -> Result<()> {
        let numbered = |sql: &str| {
            let put = |sql: String, (name, n): &(&str, usize)| sql.replace(name, &n.to_string());
            AssertSqlSafe(numbers.iter().fold(sql.to_owned(), put))
        };
        for node in &mut self.nodes {
            node.stop().await;
        }
        match &self.behind {
            Some((postgres, ..)) => {
                let mut conn = PgConnection::connect(&postgres.url("postgres")).await?;
                sqlx::raw_sql(numbered(rows.postgres)).execute(&mut conn).await?;
                for tidy in ["VACUUM ANALYZE", "CHECKPOINT"] {
                    sqlx::raw_sql(tidy).execute(&mut conn).await?;
                }
                conn.close().await?;
            }
            None => {
                let url = format!("sqlite:{}", self.nodes[0].database().display());
                let mut conn = SqliteConnection::connect(&url).await?;
                sqlx::raw_sql(numbered(rows.sqlite)).execute(&mut conn).await?;
                conn.close().await?;
            }
        }
        for node in &mut self.nodes {
            node.restart().await;
        }
        self.quiet().await;
        Ok(())
    }
}
