//! Pages of a large job, half done, that goes on while it is watched: what they take, and what watching costs the server.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use futures::{StreamExt as _, future::join_all};
use reqwest::header::{CONTENT_TYPE, COOKIE, LOCATION, ORIGIN, SET_COOKIE};
use serde_json::{Value, json};
use tokio::{task::JoinSet, time::MissedTickBehavior};
use trapline_testkit::{BARE, Client, SERVER_TOKEN, Server, services};

use super::process;
use crate::release;

/// Requests at once while the job is brought to its half.
const LOADERS: usize = 8;
const BATCH: usize = 64;
/// Between two small batches while it is watched: some hundred images a second.
const PACE: Duration = Duration::from_millis(100);
const PACED_BATCH: usize = 24;
/// Between two pages that are measured.
const PAGE_PACE: Duration = Duration::from_millis(50);
/// Streams that one session may have.
const STREAMS_OF_SESSION: usize = 4;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Images of the job.
    #[arg(long, default_value_t = 1_000_000)]
    images: usize,
    /// Open pages, each with its stream.
    #[arg(long, default_value_t = 100)]
    watchers: usize,
    /// How long it is watched.
    #[arg(long, default_value_t = 300)]
    seconds: u64,
    /// The binary to measure, instead of a release build of this checkout.
    #[arg(long)]
    pub(super) binary: Option<PathBuf>,
}

#[allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark measures and prints"
)]
pub(super) async fn run(args: &Args) -> Result<()> {
    let binary = args.binary.clone().unwrap_or_else(|| release::binary("trapline"));
    let folder = tempfile::tempdir()?;
    // All watchers sign in from one address.
    let env = [("TRAPLINE_LOG", "warn"), ("TRAPLINE_LOGIN_PER_MINUTE", "10000")];
    let server = Server::start(&binary, folder.path(), &env).await;
    let client = server.client();
    client.register_pipeline(BARE).await;
    let set = client.upload_captures("night", args.images as u64).await;
    let job = client.start_job(BARE, set).await;
    let half = args.images / 2;
    let began = Instant::now();
    join_all((0..LOADERS).map(|_| settle(&client, job, half / LOADERS, BATCH, None))).await;
    let rate = half as f64 / began.elapsed().as_secs_f64();
    println!("job of {} images, half done at {rate:.0} images/s", args.images);

    let length = Duration::from_secs(args.seconds);
    for watchers in [0, args.watchers] {
        let bytes = Arc::new(AtomicU64::new(0));
        let mut watching = JoinSet::new();
        for sessions in (0..watchers).step_by(STREAMS_OF_SESSION) {
            let visitor = Visitor::new(&server.url()).await?;
            for _ in sessions..watchers.min(sessions + STREAMS_OF_SESSION) {
                watching.spawn(watch(visitor.clone(), job, Arc::clone(&bytes)));
            }
        }
        let (cpu, began) = (process::cpu(server.pid()), Instant::now());
        let batches = settle(&client, job, usize::MAX, PACED_BATCH, Some(PACE));
        tokio::time::timeout(length, batches).await.ok();
        let took = began.elapsed().as_secs_f64();
        let share = 100.0 * (process::cpu(server.pid()) - cpu) / took;
        let sent = bytes.load(Ordering::Relaxed);
        println!(
            "{watchers} watchers: {share:.1}% of a core, {} MiB, streams {:.1} kB/s, {} still open",
            process::memory(server.pid(), "VmRSS"),
            sent as f64 / took / 1_000.0,
            watching.len()
        );
        ensure!(
            watchers == 0 || sent > 0,
            "the streams said nothing, so nobody watched"
        );
        if watchers > 0 {
            let visitor = Visitor::new(&server.url()).await?;
            for page in pages(job) {
                println!("{}", visitor.time(&page, 200).await?);
            }
        }
    }
    Ok(())
}

/// The pages of the job, and those that list it.
fn pages(job: i64) -> Vec<String> {
    let of_job = ["", "?why"].map(|page| format!("/jobs/{job}{page}"));
    ["/jobs", "/jobs?q=night", "/jobs?state=running"]
        .map(str::to_owned)
        .into_iter()
        .chain(of_job)
        .collect()
}

/// Reserves and answers, until so many images are done or none is left.
async fn settle(client: &Client, job: i64, images: usize, batch: usize, pace: Option<Duration>) {
    let mut paced = pace.map(tokio::time::interval);
    let (mut left, path) = (images, format!("/api/v2/jobs/{job}"));
    while left > 0 {
        if let Some(paced) = &mut paced {
            paced.tick().await;
        }
        let body = json!({"batch_size": batch.min(left)});
        let tasks = ask(client, &format!("{path}/tasks/"), &body).await;
        let results: Vec<Value> = tasks["tasks"]
            .as_array()
            .into_iter()
            .flatten()
            .map(services::result)
            .collect();
        left = left.saturating_sub(results.len().max(1));
        ask(client, &format!("{path}/result/"), &json!({ "results": results })).await;
    }
}

/// Posts until the server takes it: one that is busy asks to wait, as it may.
async fn ask(client: &Client, path: &str, body: &Value) -> Value {
    let mut turns = tokio::time::interval(PACE);
    loop {
        turns.tick().await;
        match client.try_post(path, body).await.expect("the server answers") {
            answer if answer.status == 503 => {}
            answer => return answer.ok(),
        }
    }
}

/// A browser without eyes: a session.
#[derive(Clone)]
struct Visitor {
    http: reqwest::Client,
    url: String,
    cookie: String,
}

impl Visitor {
    async fn new(url: &str) -> Result<Self> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        let answer = http
            .post(format!("{url}/login"))
            .header(ORIGIN, url)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(format!("token={SERVER_TOKEN}&next=/jobs"))
            .send()
            .await?;
        let cookie = answer.headers().get(SET_COOKIE).context("nobody was signed in")?;
        let cookie = cookie.to_str()?.split(';').next().unwrap_or_default().to_owned();
        ensure!(
            answer.headers().contains_key(LOCATION),
            "the sign-in leads nowhere"
        );
        Ok(Self {
            http,
            url: url.to_owned(),
            cookie,
        })
    }

    fn get(&self, path: &str) -> reqwest::RequestBuilder {
        self.http
            .get(format!("{}{path}", self.url))
            .header(COOKIE, &self.cookie)
    }

    /// How long a page takes, and how large it is, in words.
    #[allow(clippy::disallowed_methods, reason = "a benchmark measures")]
    async fn time(&self, path: &str, times: usize) -> Result<String> {
        let (mut took, mut bytes) = (Vec::with_capacity(times), 0);
        let mut paced = tokio::time::interval(PAGE_PACE);
        paced.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for _ in 0..times {
            paced.tick().await;
            let began = Instant::now();
            let answer = self.get(path).send().await?.error_for_status()?;
            bytes = answer.bytes().await?.len();
            took.push(began.elapsed());
        }
        took.sort_unstable();
        let at = |share: f64| took[((times - 1) as f64 * share) as usize];
        Ok(format!(
            "  {path}: p50 {:.1?}, p99 {:.1?}, {bytes} bytes",
            at(0.5),
            at(0.99)
        ))
    }
}

/// Holds a stream of the job, and counts what it says.
async fn watch(visitor: Visitor, job: i64, bytes: Arc<AtomicU64>) {
    let Ok(answer) = visitor.get(&format!("/live?jobs={job}")).send().await else {
        return;
    };
    let mut stream = answer.bytes_stream();
    while let Some(Ok(piece)) = stream.next().await {
        bytes.fetch_add(piece.len() as u64, Ordering::Relaxed);
    }
}
