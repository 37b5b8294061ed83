//! A large job on a cluster that has just been made, with workers from its first second: what a user's first real job sees.

use std::{
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use futures::future::join_all;
use serde_json::{Value, json};
use tokio::time::MissedTickBehavior;
use trapline_drill::pass;
use trapline_testkit::{
    BARE, Client, Server,
    services::{self, Nats, NatsBinary, Postgres, Redis},
};

use crate::release;

/// What is counted together.
const SPAN: Duration = Duration::from_secs(10);
/// Spans that are shown one by one.
const SPANS_SHOWN: usize = 12;
/// How often the job is looked at, as a page would.
const LOOK: Duration = Duration::from_secs(1);
/// Asked again so soon when there is no task or no answer.
const AGAIN: Duration = Duration::from_millis(100);

/// How the job is made and worked on.
#[derive(Clone, clap::Args)]
pub(crate) struct Fresh {
    /// Images of the job.
    #[arg(long, default_value_t = 300_000)]
    images: usize,
    /// Loaders that reserve, answer at once, and reserve again.
    #[arg(long, default_value_t = 48)]
    loaders: usize,
    /// Tasks of one request.
    #[arg(long, default_value_t = 24)]
    batch: usize,
    /// Another job of as many images after the first, on the same store.
    #[arg(long)]
    again: bool,
    /// A job that has not landed by then is given up.
    #[arg(long, default_value_t = 900)]
    seconds_max: u64,
    /// The binary to measure, instead of a release build of this checkout.
    #[arg(long)]
    pub(super) binary: Option<PathBuf>,
}

/// What the loaders and the page saw.
#[derive(Default)]
struct Seen {
    /// Results that were taken, by span.
    images: Vec<usize>,
    unavailable: usize,
    errors: usize,
    /// How long each reserve took, whatever its answer.
    reserves: Vec<Duration>,
    slowest_result: Duration,
    slowest_page: Duration,
}

/// Requests to one job since a moment.
struct Run<'a> {
    client: &'a Client,
    job: i64,
    began: Instant,
    seen: Mutex<Seen>,
}

#[allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark measures and prints"
)]
pub(super) async fn fresh(options: &Fresh) -> Result<()> {
    let binary = options
        .binary
        .clone()
        .unwrap_or_else(|| release::binary("trapline"));
    let nats = NatsBinary::all().map_err(anyhow::Error::msg)?.remove(0);
    let (nats, redis, postgres) = futures::join!(Nats::start(nats), Redis::start(), Postgres::start());
    let folder = tempfile::tempdir()?;
    let urls = [postgres.url("postgres"), nats.url(), redis.url()];
    let env = [
        ("DATABASE_URL", urls[0].as_str()),
        ("NATS_URL", urls[1].as_str()),
        ("REDIS_URL", urls[2].as_str()),
    ];
    let server = Server::start(&binary, folder.path(), &env).await;
    let client = server.client();
    client.register_pipeline(BARE).await;
    for turn in 0..=usize::from(options.again) {
        let set = client
            .upload_captures(&format!("night-{turn}"), options.images as u64)
            .await;
        println!(
            "job {} of {} images, {} loaders of {}",
            turn + 1,
            options.images,
            options.loaders,
            options.batch
        );
        let job = client.start_job(BARE, set).await;
        let run = Run {
            client: &client,
            job,
            began: Instant::now(),
            seen: Mutex::default(),
        };
        let bound = Duration::from_secs(options.seconds_max);
        let loaders = join_all((0..options.loaders).map(|name| run.load(name, options.batch)));
        let landed = tokio::select! {
            landed = tokio::time::timeout(bound, run.watch()) => landed.ok(),
            _ = loaders => None,
        };
        run.print(landed.as_deref());
        ensure!(landed.is_some(), "the job has not landed after {bound:?}");
    }
    Ok(())
}

#[allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark measures and prints"
)]
impl Run<'_> {
    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reserves and answers until it is dropped.
    async fn load(&self, name: usize, batch: usize) {
        let body = json!({ "batch_size": batch, "client_info": { "instance": format!("loader-{name}") } });
        let path = format!("/api/v2/jobs/{}/tasks/", self.job);
        loop {
            let asked = Instant::now();
            let answer = self.client.try_post(&path, &body).await;
            self.seen().reserves.push(asked.elapsed());
            let tasks = match answer {
                Ok(answer) if answer.status == 200 => answer.body,
                other => {
                    self.failed(other.map_or(0, |a| a.status));
                    json!({})
                }
            };
            let results: Vec<Value> = tasks["tasks"]
                .as_array()
                .into_iter()
                .flatten()
                .map(services::result)
                .collect();
            if results.is_empty() {
                pass(AGAIN).await;
            } else {
                self.answer(&json!({ "results": results })).await;
            }
        }
    }

    async fn answer(&self, results: &Value) {
        let path = format!("/api/v2/jobs/{}/result/", self.job);
        loop {
            let asked = Instant::now();
            let answer = self.client.try_post(&path, results).await;
            let took = asked.elapsed();
            self.took_for_result(took);
            match answer {
                Ok(answer) if answer.status == 200 => {
                    let n = answer.body["results_queued"].as_u64().unwrap_or(0) as usize;
                    return self.count(n);
                }
                other => self.failed(other.map_or(0, |a| a.status)),
            }
            pass(AGAIN).await;
        }
    }

    fn took_for_result(&self, took: Duration) {
        let mut seen = self.seen();
        seen.slowest_result = seen.slowest_result.max(took);
    }

    fn took_for_page(&self, took: Duration) {
        let mut seen = self.seen();
        seen.slowest_page = seen.slowest_page.max(took);
    }

    fn count(&self, images: usize) {
        let span = (self.began.elapsed().as_secs() / SPAN.as_secs()) as usize;
        let mut seen = self.seen();
        if seen.images.len() <= span {
            seen.images.resize(span + 1, 0);
        }
        seen.images[span] += images;
    }

    fn failed(&self, status: u16) {
        let mut seen = self.seen();
        match status {
            503 => seen.unavailable += 1,
            _ => seen.errors += 1,
        }
    }

    /// Looks at the job as a page does until it has landed; returns how.
    async fn watch(&self) -> String {
        let path = format!("/api/v2/jobs/{}/", self.job);
        let mut looks = tokio::time::interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            let asked = Instant::now();
            let answer = self.client.try_get(&path).await;
            self.took_for_page(asked.elapsed());
            match answer {
                Ok(answer) if answer.status == 200 => {
                    if let Some(status @ ("SUCCESS" | "FAILURE")) = answer.body["status"].as_str() {
                        return format!("{status} {}", answer.body["counts"]);
                    }
                }
                other => self.failed(other.map_or(0, |a| a.status)),
            }
        }
    }

    fn print(&self, landed: Option<&str>) {
        let took = self.began.elapsed();
        let mut seen = self.seen();
        let rate = |n: usize| n as f64 / SPAN.as_secs_f64();
        // The last one is not over.
        let whole = seen.images.len().saturating_sub(1);
        let last = rate(seen.images[..whole].last().copied().unwrap_or(0));
        println!("{} after {took:.1?}", landed.unwrap_or("not landed"));
        for (at, n) in seen.images[..whole].iter().take(SPANS_SHOWN).enumerate() {
            println!(
                "span {:>2}: {:>6.0} images/s, {:>3.0}% of the last",
                at + 1,
                rate(*n),
                100.0 * rate(*n) / last
            );
        }
        println!("last span: {last:.0} images/s");
        println!("503: {}, other errors: {}", seen.unavailable, seen.errors);
        seen.reserves.sort_unstable();
        let share = |of: f64| {
            let at = (seen.reserves.len() as f64 * of) as usize;
            seen.reserves.get(at).copied().unwrap_or_default()
        };
        println!(
            "reserve: p50 {:.1?}, p99 {:.1?}, slowest {:.1?}; slowest result {:.1?}; slowest page of the job {:.1?}",
            share(0.5),
            share(0.99),
            seen.reserves.last().copied().unwrap_or_default(),
            seen.slowest_result,
            seen.slowest_page
        );
    }
}
