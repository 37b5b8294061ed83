//! What every scenario stands on: private nodes, jobs on captures that nobody fetches, and the checks at the end.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use trapline_backends::sqlite::WriteLock;
use trapline_core::{ports::Store, verify::verify};
use trapline_drill::{PATIENCE, Relay, SLUG, Server, Turn, check, pipeline, until};
use trapline_engine::SystemClock;
use trapline_worker::{
    client::{Api, ApiError, Payload, read},
    this_process,
    wire::Registration,
};

use super::ground::{Ground, Links, Plot};
use crate::wiring::look_at_store;

/// Seconds that a lease lasts, where a scenario waits for its end.
pub(super) const SHORT_LEASE: (&str, &str) = ("NATS_TASK_TTR", "2");
/// The same where no lease may end but by an outage: a machine that is busy with other things must not end it.
pub(super) const SAFE_LEASE: (&str, &str) = ("NATS_TASK_TTR", "4");
const ANSWER: Duration = Duration::from_secs(60);

/// Private nodes, and their API. Requests go to each node in turn.
pub(super) struct World<'g> {
    nodes: Vec<Server>,
    _folders: Vec<TempDir>,
    token: String,
    on: On<'g>,
    front: Relay,
    api: Api,
}

/// Where the nodes are, and what they share.
enum On<'g> {
    Embedded,
    Cluster { plot: Plot<'g>, links: Option<Links> },
}

impl<'g> World<'g> {
    /// Nodes on a new store, where the pipeline is registered.
    pub(super) async fn new(ground: &'g Ground, settings: &[(&str, &str)]) -> Result<Self> {
        Self::start(ground, settings, false).await
    }

    /// The same, with a network between the nodes and their backends that [`World::store_away`] and its like silence.
    pub(super) async fn linked(ground: &'g Ground, settings: &[(&str, &str)]) -> Result<Self> {
        Self::start(ground, settings, true).await
    }

    async fn start(ground: &'g Ground, settings: &[(&str, &str)], linked: bool) -> Result<Self> {
        let owned = |(k, v): &(&str, &str)| ((*k).to_owned(), (*v).to_owned());
        let mut all: Vec<_> = settings.iter().map(owned).collect();
        let on = match ground {
            Ground::Embedded => On::Embedded,
            Ground::Cluster(cluster) => {
                let links = if linked {
                    Some(Links::to(cluster).await?)
                } else {
                    None
                };
                let plot = cluster.new_store().await?;
                all.extend(plot.settings(links.as_ref())?);
                On::Cluster { plot, links }
            }
        };
        let token = format!("chaos-{:032x}", rand::random::<u128>());
        let binary = std::env::current_exe()?;
        let folder = |_| tempfile::Builder::new().prefix("trapline-chaos-").tempdir();
        let folders = (0..ground.nodes()).map(folder).collect::<Result<Vec<_>, _>>()?;
        let starting = folders
            .iter()
            .map(|folder| Server::start(&binary, folder.path(), &token, all.clone()));
        let nodes = futures::future::try_join_all(starting).await?;
        if let On::Cluster { plot, .. } = &on {
            plot.number_jobs().await?;
        }
        let front = Relay::to(nodes.iter().map(Server::address).collect()).await?;
        let api = Api::new(&url(&front), &token)?;
        let registration = Registration {
            processing_service_name: "chaos",
            pipelines: &[pipeline()],
            client_info: &this_process("trapline-chaos", env!("CARGO_PKG_VERSION")),
        };
        api.register(1, &registration).await?;
        Ok(Self {
            nodes,
            _folders: folders,
            token,
            on,
            front,
            api,
        })
    }

    /// Where clients find the nodes.
    pub(super) fn url(&self) -> String {
        url(&self.front)
    }

    /// The nodes' admin token.
    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// The first node: the one that things happen to.
    pub(super) fn node(&self) -> &Server {
        &self.nodes[0]
    }

    /// Starts the first node again, armed, and sends it all requests. With `alone` the others are away until it has died.
    pub(super) async fn arm(&mut self, fault: &str, alone: bool) -> Result<()> {
        let away = if alone { self.nodes.len() } else { 1 };
        for node in &mut self.nodes[..away] {
            node.kill()?;
        }
        self.nodes[0].launch(Some(fault)).await?;
        self.requests_go_to(Turn::First)
    }

    /// Waits until the armed node has died. The others take over; where there is no other, it starts again.
    pub(super) async fn died_and_taken_over(&mut self) -> Result<()> {
        self.nodes[0].died().await?;
        self.take_over().await
    }

    /// Kills the first node. The others take over; where there is no other, it starts again.
    pub(super) async fn killed_and_taken_over(&mut self) -> Result<()> {
        self.nodes[0].kill()?;
        self.take_over().await
    }

    async fn take_over(&mut self) -> Result<()> {
        let others = usize::from(self.nodes.len() > 1);
        for node in &mut self.nodes[others..] {
            if !node.is_running() {
                node.launch(None).await?;
            }
        }
        self.requests_go_to(Turn::Each)
    }

    fn requests_go_to(&mut self, turn: Turn) -> Result<()> {
        self.front.turns(turn);
        // Those that are open go where they went.
        self.api = Api::new(&self.url(), &self.token)?;
        Ok(())
    }

    /// The store is away until [`Away::back`].
    pub(super) async fn store_away(&self) -> Result<Away<'_>> {
        match &self.on {
            On::Embedded => Ok(Away::Locked(WriteLock::hold(&self.nodes[0].database()).await?)),
            On::Cluster { .. } => {
                let links = self.links().context("a world with links")?;
                links.store.silence();
                Ok(Away::Silent(links))
            }
        }
    }

    /// The network to the backends, where there is one.
    pub(super) fn links(&self) -> Option<&Links> {
        match &self.on {
            On::Cluster { links, .. } => links.as_ref(),
            On::Embedded => None,
        }
    }

    /// The store's rows, read beside the nodes.
    pub(super) async fn look(&self) -> Result<Arc<dyn Store>> {
        let database = match &self.on {
            On::Embedded => format!("sqlite:{}", self.nodes[0].database().display()),
            On::Cluster { plot, .. } => plot.database.clone(),
        };
        Ok(look_at_store(&database, Arc::new(SystemClock::new())).await?)
    }

    pub(super) async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, ApiError> {
        let query: Vec<_> = query
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        let sent = self.api.request(Method::GET, path, &query, Payload::none(ANSWER));
        read(sent.await?).await
    }

    /// One request, repeated by nobody: what it is refused with is the scenario's business.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, ApiError> {
        self.post_bytes(path, body.to_string().into_bytes()).await
    }

    pub(super) async fn post_bytes(&self, path: &str, body: Vec<u8>) -> Result<Value, ApiError> {
        let payload = Payload::json(body.into(), ANSWER);
        read(self.api.request(Method::POST, path, &[], payload).await?).await
    }

    /// `run`, `retry`, `cancel` and their like.
    pub(super) async fn press(&self, job: i64, verb: &str) -> Result<Value, ApiError> {
        self.post(&format!("jobs/{job}/{verb}/"), &json!({})).await
    }

    /// Makes a job that nobody has started.
    pub(super) async fn new_job(&self, images: u64) -> Result<i64> {
        let captures: Vec<Value> = (0..images)
            .map(|n| json!({ "url": format!("https://captures.test/{n}.jpg") }))
            .collect();
        let job = json!({
            "name": "chaos", "delay": 0, "project_id": 1, "pipeline_slug": SLUG, "captures": captures,
        });
        let job = self.post("jobs/", &job).await?;
        let id = job["id"].as_i64().context("a job has an id")?;
        if let On::Cluster { plot, .. } = &self.on {
            plot.has_job(id);
        }
        Ok(id)
    }

    /// Makes a job, starts it, and waits until its tasks are handed out.
    pub(super) async fn started_job(&self, images: u64) -> Result<i64> {
        let job = self.new_job(images).await?;
        self.press(job, "run").await?;
        self.until_job(job, "the job is dispatched", |body| {
            body["status"] == "STARTED" && body["counts"]["total"] == images
        })
        .await?;
        Ok(job)
    }

    pub(super) async fn job(&self, job: i64) -> Result<Value, ApiError> {
        self.get(&format!("jobs/{job}/"), &[("logs_limit", "1")]).await
    }

    /// The job, once it is as wanted; a server that is away is waited for.
    pub(super) async fn until_job(
        &self,
        job: i64,
        what: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        until(what, PATIENCE, async || match self.job(job).await {
            Ok(body) if wanted(&body) => Ok(body),
            Ok(body) => Err(format!("{} {}", body["status"], body["counts"])),
            Err(error) => Err(error.to_string()),
        })
        .await
        .with_context(|| self.log_tails())
    }

    /// Waits until so many tasks are settled.
    pub(super) async fn until_processed(&self, job: i64, processed: u64) -> Result<Value> {
        let what = format!("{processed} task(s) are processed");
        self.until_job(job, &what, |body| {
            body["counts"]["processed"]
                .as_u64()
                .is_some_and(|n| n >= processed)
        })
        .await
    }

    /// Waits until the job is final, and asserts how, and every count.
    pub(super) async fn landed(&self, job: i64, status: &str, processed: u64, failed: u64) -> Result<Value> {
        let body = check::until_final(PATIENCE, async || self.job(job).await.map_err(|e| e.to_string()))
            .await
            .with_context(|| self.log_tails())?;
        check::landed(&body, status, processed, failed)?;
        Ok(body)
    }

    /// What became of each image.
    pub(super) async fn images(&self, job: i64) -> Result<Vec<Value>> {
        let path = format!("jobs/{job}/images/");
        let mut page = self.get(&path, &[("limit", "1000")]).await?;
        match page["results"].take() {
            Value::Array(rows) => Ok(rows),
            other => anyhow::bail!("no list of images: {other}"),
        }
    }

    pub(super) fn log_tails(&self) -> String {
        let tails: Vec<String> = self.nodes.iter().map(Server::log_tail).collect();
        tails.join("\n--- the next node:\n")
    }

    /// Stops the nodes, checks every invariant of what they leave behind, and removes it.
    pub(super) async fn end(mut self) -> Result<()> {
        self.until_nothing_is_left()
            .await
            .with_context(|| self.log_tails())?;
        for node in self.nodes.iter_mut().filter(|node| node.is_running()) {
            let status = node.stop().await?;
            ensure!(status.success(), "the stop failed: {status}\n{}", node.log_tail());
        }
        let store = self.look().await?;
        let verified = verify(store.as_ref(), 1_000).await?;
        ensure!(
            verified.violations.is_empty(),
            "the store is wrong: {:?}",
            verified.violations
        );
        if let On::Cluster { plot, .. } = &self.on {
            plot.remove().await?;
        }
        Ok(())
    }
}

/// A store that is away.
pub(super) enum Away<'w> {
    /// It takes no writes.
    Locked(WriteLock),
    /// It says nothing.
    Silent(&'w Links),
}

impl Away<'_> {
    /// It is back.
    pub(super) async fn back(self) -> Result<()> {
        match self {
            Self::Locked(lock) => lock.release().await.context("the lock is let go"),
            Self::Silent(links) => {
                links.store.heal();
                Ok(())
            }
        }
    }
}

fn url(front: &Relay) -> String {
    format!("http://127.0.0.1:{}", front.port())
}
