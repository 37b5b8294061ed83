//! Workers that compute nothing: each reserves, posts, and reserves again, until all images have their result.

mod body;
mod hand;
mod paced;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use reqwest::{
    Client, RequestBuilder, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use serde::Deserialize;
use tokio::task::JoinSet;
use trapline_drill::pass;
use trapline_testkit::SERVER_TOKEN;

pub(super) use self::{
    body::{Found, LABELS, Task, Tasks, class},
    hand::{Handed, hand_out},
    paced::keep_pace,
};
use super::stand::PATIENCE;

/// A worker asks again so soon, when it was handed nothing or got no answer.
const AGAIN: Duration = Duration::from_millis(5);

/// What is worked on, and by how many.
#[derive(Clone, Copy)]
pub(super) struct Load {
    /// Images to answer for; a job may have more.
    pub(super) images: usize,
    /// Workers, each with a connection of its own.
    pub(super) clients: usize,
    /// Tasks of a reserve, and results of a post.
    pub(super) batch: usize,
}

impl Load {
    /// As the goals have it.
    pub(super) const fn usual(images: usize) -> Self {
        Self {
            images,
            clients: 8,
            batch: 16,
        }
    }
}

/// What the workers saw, in order of length.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) reserves: Vec<Duration>,
    pub(super) posts: Vec<Duration>,
    /// Answers of 503, after which they asked again.
    pub(super) busy: usize,
    /// Results that were taken.
    pub(super) accepted: usize,
}

impl Seen {
    fn add(&mut self, other: Self) {
        self.reserves.extend(other.reserves);
        self.posts.extend(other.posts);
        self.busy += other.busy;
        self.accepted += other.accepted;
    }

    fn sorted(mut self) -> Self {
        self.reserves.sort_unstable();
        self.posts.sort_unstable();
        self
    }
}

struct Worker {
    http: Client,
    url: String,
    reserve: String,
    found: Arc<Found>,
    left: Arc<AtomicUsize>,
    seen: Seen,
}

#[derive(Deserialize)]
struct Queued {
    results_queued: usize,
}

/// The answer of a server without room.
#[derive(Deserialize)]
struct Refusal {
    detail: String,
}

/// Works on a job until so many of its images are answered for; the workers are spread over these nodes.
pub(super) async fn work(urls: &[String], job: i64, found: &Arc<Found>, load: Load) -> Result<Seen> {
    let left = Arc::new(AtomicUsize::new(load.images));
    let mut workers = JoinSet::new();
    for name in 0..load.clients {
        let (found, left) = (Arc::clone(found), Arc::clone(&left));
        workers.spawn(Worker::new(urls, job, name, load.batch, found, left)?.run());
    }
    let mut all = Seen::default();
    while let Some(seen) = workers.join_next().await {
        all.add(seen??);
    }
    Ok(all.sorted())
}

#[allow(clippy::disallowed_methods, reason = "a benchmark measures")]
impl Worker {
    fn new(
        urls: &[String],
        job: i64,
        name: usize,
        batch: usize,
        found: Arc<Found>,
        left: Arc<AtomicUsize>,
    ) -> Result<Self> {
        Ok(Self {
            http: Client::builder().no_proxy().timeout(PATIENCE).build()?,
            url: format!("{}/api/v2/jobs/{job}", urls[name % urls.len()]),
            reserve: format!(r#"{{"batch_size":{batch},"client_info":{{"instance":"worker-{name}"}}}}"#),
            found,
            left,
            seen: Seen::default(),
        })
    }

    async fn run(mut self) -> Result<Seen> {
        while self.left.load(Ordering::Relaxed) > 0 {
            let began = Instant::now();
            let answer = self.send("tasks/", self.reserve.clone()).await?;
            self.seen.reserves.push(began.elapsed());
            let tasks: Tasks<'_> = match &answer {
                Some(bytes) => serde_json::from_slice(bytes).context("no answer with tasks")?,
                None => Tasks { tasks: Vec::new() },
            };
            if tasks.tasks.is_empty() {
                pass(AGAIN).await;
                continue;
            }
            self.post(&tasks).await?;
        }
        Ok(self.seen)
    }

    async fn post(&mut self, tasks: &Tasks<'_>) -> Result<()> {
        let body = self.found.post(&tasks.tasks);
        loop {
            let began = Instant::now();
            let answer = self.send("result/", body.clone()).await?;
            self.seen.posts.push(began.elapsed());
            let Some(bytes) = answer else {
                pass(AGAIN).await;
                continue;
            };
            let queued: Queued = serde_json::from_slice(&bytes)?;
            ensure!(
                queued.results_queued == tasks.tasks.len(),
                "a result was not taken: {}",
                String::from_utf8_lossy(&bytes)
            );
            self.seen.accepted += tasks.tasks.len();
            self.done(tasks.tasks.len());
            return Ok(());
        }
    }

    /// So many more are done; a job may have more than are asked for.
    fn done(&self, n: usize) {
        let less = |left: usize| Some(left.saturating_sub(n));
        self.left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
            .ok();
    }

    /// The body of the answer, or none if the server has no room.
    async fn send(&mut self, path: &str, body: String) -> Result<Option<Vec<u8>>> {
        let answer = self.request(path).body(body).send().await?;
        let status = answer.status();
        let bytes = answer.bytes().await?;
        if status == StatusCode::SERVICE_UNAVAILABLE {
            let refusal: Refusal = serde_json::from_slice(&bytes).context("503 without a reason")?;
            ensure!(!refusal.detail.is_empty(), "503 with an empty reason");
            self.seen.busy += 1;
            return Ok(None);
        }
        ensure!(
            status == StatusCode::OK,
            "{path}: {status} {}",
            String::from_utf8_lossy(&bytes)
        );
        Ok(Some(bytes.into()))
    }

    fn request(&self, path: &str) -> RequestBuilder {
        self.http
            .post(format!("{}/{path}", self.url))
            .header(AUTHORIZATION, format!("Token {SERVER_TOKEN}"))
            .header(CONTENT_TYPE, "application/json")
    }
}
