//! Small jobs, created, dispatched, claimed, answered and landed, all at once: what a second holds of them. Beside it the floor: a bare
//! program that does each step of each job in a transaction of its own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use trapline_drill::pass;
use trapline_testkit::{BARE, Client, services};

use super::{
    results::floor,
    rounds::{Figures, Report, row, words},
    stand::{Stand, Target},
};

/// Images of a job.
const IMAGES: usize = 3;
/// How long a claim waits for work.
const WAIT_SECONDS: u64 = 2;
/// Asked again so soon after a 503.
const AGAIN: Duration = Duration::from_millis(5);
const LANDED: &str = "SELECT count(*), coalesce(sum(processed), 0) FROM jobs WHERE status = 'SUCCESS'";

#[derive(Clone, clap::Args)]
pub(crate) struct Args {
    /// Jobs of a round.
    #[arg(long, default_value_t = 2_000)]
    jobs: usize,
    /// Clients that create jobs, and as many workers.
    #[arg(long, default_value_t = 8)]
    clients: usize,
    /// Measured rounds, after one that warms up.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    #[command(flatten)]
    pub(super) target: Target,
}

#[allow(clippy::print_stdout, reason = "a benchmark prints")]
pub(super) async fn run(args: &Args) -> Result<()> {
    let stand = args.target.stand(&[]).await?;
    // Without algorithms, so that no job skips what another has processed.
    stand.client.register_pipeline(BARE).await;
    let set = stand.client.upload_captures("small", IMAGES as u64).await;
    let (mut rounds, mut landed) = (Vec::new(), 0);
    for turn in 0..=args.rounds {
        let jobs = if turn == 0 {
            args.jobs.div_ceil(5)
        } else {
            args.jobs
        };
        let figures = round(&stand, set, jobs, args.clients).await?;
        stand.quiet().await;
        landed += jobs;
        let counted = stand.ask(LANDED).await?;
        ensure!(
            counted == [landed as i64, (IMAGES * landed) as i64],
            "of {landed} jobs {counted:?} landed, and so many images"
        );
        println!("{} round {turn}: {}", args.target.mode(), words(&figures));
        if turn > 0 {
            rounds.push(figures);
        }
    }
    let bare = floor::whole_jobs(args.target.cluster, args.jobs, IMAGES).await?;
    let floor = [("jobs_per_second", bare.per_second), ("cpu_ms", bare.cpu_ms)];
    println!("floor: {}", words(&floor));
    let setting = json!({ "jobs": args.jobs, "clients": args.clients, "rounds": args.rounds });
    let mut report = Report::new();
    report.add(row("small", args.target.mode(), setting, &rounds, &floor));
    report.save(args.target.json.as_deref())
}

#[allow(clippy::disallowed_methods, reason = "a benchmark measures")]
async fn round(stand: &Stand, set: i64, jobs: usize, clients: usize) -> Result<Figures> {
    let (made, answered, busy) = (Arc::default(), Arc::default(), Arc::default());
    let counts = Counts { made, answered, busy };
    let (before, began) = (stand.cpu(), Instant::now());
    let mut all = JoinSet::new();
    for name in 0..clients {
        all.spawn(create(stand.client.clone(), set, jobs, counts.clone()));
        all.spawn(work(stand.client.clone(), name, jobs * IMAGES, counts.clone()));
    }
    while let Some(done) = all.join_next().await {
        done??;
        // The last result was answered when its job had landed; other workers still wait for work.
        if counts.answered.load(Ordering::Relaxed) >= jobs * IMAGES {
            break;
        }
    }
    let (took, cpu) = (began.elapsed(), stand.cpu().since(before));
    let mut figures = vec![
        ("jobs_per_second", jobs as f64 / took.as_secs_f64()),
        ("answers_503", counts.busy.load(Ordering::Relaxed) as f64),
    ];
    figures.extend(cpu.each(jobs));
    Ok(figures)
}

#[derive(Clone)]
struct Counts {
    made: Arc<AtomicUsize>,
    answered: Arc<AtomicUsize>,
    busy: Arc<AtomicUsize>,
}

impl Counts {
    /// The body of a 2xx, however often a server without room must be asked.
    async fn post(&self, client: &Client, path: &str, body: &Value) -> Result<Value> {
        loop {
            let answer = client.try_post(path, body).await?;
            if answer.status != 503 {
                return Ok(answer.ok());
            }
            self.busy.fetch_add(1, Ordering::Relaxed);
            pass(AGAIN).await;
        }
    }
}

async fn create(client: Client, set: i64, jobs: usize, counts: Counts) -> Result<()> {
    let job = json!({
        "name": "small", "delay": 0, "project_id": 1, "pipeline_slug": BARE, "source_image_collection_id": set,
    });
    while counts.made.fetch_add(1, Ordering::Relaxed) < jobs {
        counts.post(&client, "/api/v2/jobs/?start_now", &job).await?;
    }
    Ok(())
}

async fn work(client: Client, name: usize, images: usize, counts: Counts) -> Result<()> {
    let claim = json!({
        "pipelines": [BARE], "batch_size": IMAGES, "wait_seconds": WAIT_SECONDS,
        "client_info": { "instance": format!("worker-{name}") },
    });
    while counts.answered.load(Ordering::Relaxed) < images {
        let claimed = counts.post(&client, "/api/v2/tasks/claim/", &claim).await?;
        let tasks = claimed["tasks"].as_array().into_iter().flatten();
        let results: Vec<Value> = tasks.map(services::result).collect();
        if results.is_empty() {
            continue;
        }
        let path = format!("/api/v2/jobs/{}/result/", claimed["job_id"]);
        let n = results.len();
        let taken = counts
            .post(&client, &path, &json!({ "results": results }))
            .await?;
        ensure!(taken["results_queued"] == n, "a result was not taken: {taken}");
        counts.answered.fetch_add(n, Ordering::Relaxed);
    }
    Ok(())
}
