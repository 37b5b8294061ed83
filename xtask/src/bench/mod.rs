//! Benchmarks, apart from the tests: a figure from one machine is compared within one run only, so the floor is measured in the same one.

mod body;
mod cluster;
mod dispatch;
mod folder;
mod fresh;
mod growth;
mod hostile;
mod landing;
mod load;
mod memory;
mod nodes;
mod overload;
mod polls;
mod process;
mod reserve;
mod results;
mod rounds;
mod rows;
mod small;
mod stand;
mod table;
mod tick;
mod ui;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use clap::Subcommand;
use trapline_backends::{EmbeddedProgress, EmbeddedQueue, SqliteStore, sqlite::Access};
use trapline_core::{
    Clock, JobId, TokenId, WorkerId,
    health::IdlePolicy,
    ports::{Posted, Settlement, WorkerIdentity},
};
use trapline_engine::{Engine, Policy, Ports, Supervisor, SystemClock};

use crate::release;

#[derive(Subcommand)]
pub(crate) enum Bench {
    /// One tick over many running jobs, some of them idle with lost images.
    Tick(tick::Args),
    /// One job whose images are all lost, settled in chunks while another job's results keep flowing.
    Lost {
        #[arg(long, default_value_t = 1_000_000)]
        images: u64,
    },
    /// Jobs with images whose workers never answer: the seconds from the last lease's end to landing.
    Landing,
    /// Connections of two nodes to PostgreSQL, NATS and Redis, before, while and after many requests.
    Connections {
        #[arg(long, default_value_t = 10_000)]
        requests: usize,
    },
    /// Whether a task is handed out twice by two nodes under live leases.
    Handouts {
        #[arg(long, default_value_t = 100_000)]
        tasks: usize,
        #[arg(long, default_value_t = 16)]
        reservers: usize,
    },
    /// A job beside silent connections, half headers, dripping and large bodies: what is held, what it costs. Needs a limit of
    /// 10,000 open files.
    Hostile(hostile::Args),
    /// `trapline run` over a folder of photographs, against decoding alone.
    Folder(folder::Args),
    /// A large job on a new cluster of one node, with workers from its first second.
    Fresh(fresh::Fresh),
    /// Results end to end: images per second, CPU per image of each process, and the floor of a bare program beside it.
    Results(results::Args),
    /// Seconds from run until all tasks of a large job may be proposed.
    Dispatch(dispatch::Args),
    /// Polls, claims and lists while many jobs run.
    Polls(polls::Args),
    /// One post of results of some hundred megabytes.
    Body(body::Args),
    /// Whether an image costs more in a large job, or in a store that is full.
    Growth(growth::Args),
    /// What a server holds in memory, idle and with a large job half done.
    Memory(memory::Args),
    /// Two nodes of a cluster against one.
    Nodes(nodes::Args),
    /// Twice the load that saturates: latency, memory, refusals, and what was accepted.
    Overload(overload::Args),
    /// Hand-outs alone: nothing is posted, and no task may be handed out twice.
    Reserve(reserve::Args),
    /// Small jobs, created, dispatched and landed.
    Small(small::Args),
    /// Writes the page of benchmarks in `docs` from what was measured, by `--json` of each of them.
    Table(table::Args),
    /// Pages and streams of a large job, half done, with nobody watching and with many.
    Ui(ui::Args),
}

pub(crate) fn run(bench: &Bench) -> Result<()> {
    let by_release = match bench {
        Bench::Connections { .. } | Bench::Handouts { .. } | Bench::Landing => true,
        // A binary that is given is measured as it is.
        Bench::Hostile(args) => args.binary.is_none(),
        Bench::Folder(args) => args.binary.is_none(),
        Bench::Fresh(args) => args.binary.is_none(),
        Bench::Dispatch(args) => args.target.binary.is_none(),
        Bench::Body(args) => args.target.binary.is_none(),
        Bench::Growth(args) => args.target.binary.is_none(),
        Bench::Memory(args) => args.target.binary.is_none(),
        Bench::Nodes(args) => args.target.binary.is_none(),
        Bench::Overload(args) => args.target.binary.is_none(),
        Bench::Polls(args) => args.target.binary.is_none(),
        Bench::Reserve(args) => args.target.binary.is_none(),
        Bench::Results(args) => args.binary.is_empty(),
        Bench::Small(args) => args.target.binary.is_none(),
        Bench::Ui(args) => args.binary.is_none(),
        Bench::Tick(args) => args.target.binary.is_none(),
        Bench::Lost { .. } | Bench::Table(_) => false,
    };
    if by_release && release::again()? {
        return Ok(());
    }
    tokio::runtime::Runtime::new()?.block_on(async {
        match bench {
            Bench::Tick(args) => tick::run(args).await,
            Bench::Lost { images } => lost(*images).await,
            Bench::Landing => landing::landing().await,
            Bench::Connections { requests } => cluster::connections(*requests).await,
            Bench::Hostile(args) => hostile::run(args).await,
            Bench::Handouts { tasks, reservers } => cluster::handouts(*tasks, *reservers).await,
            Bench::Folder(args) => folder::run(args),
            Bench::Fresh(options) => fresh::fresh(options).await,
            Bench::Dispatch(args) => dispatch::run(args).await,
            Bench::Body(args) => body::run(args).await,
            Bench::Growth(args) => growth::run(args).await,
            Bench::Memory(args) => memory::run(args).await,
            Bench::Nodes(args) => nodes::run(args).await,
            Bench::Overload(args) => overload::run(args).await,
            Bench::Polls(args) => polls::run(args).await,
            Bench::Reserve(args) => reserve::run(args).await,
            Bench::Results(args) => results::run(args).await,
            Bench::Small(args) => small::run(args).await,
            Bench::Table(args) => table::write(args),
            Bench::Ui(args) => ui::run(args).await,
        }
    })
}

struct Node {
    engine: Engine,
    supervisor: Supervisor,
    _folder: tempfile::TempDir,
}

/// A node on a store of these rows, whose own ticks never come.
async fn node(rows: rows::Rows) -> Result<Node> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("bench.db");
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let store = SqliteStore::open(&path, Access::Exclusive, Arc::clone(&clock)).await?;
    rows.write(&path, clock.now())
        .await
        .context("the rows can't be written")?;
    let ports = Ports {
        store: Arc::new(store),
        queue: Arc::new(EmbeddedQueue::new(Arc::clone(&clock))),
        progress: Arc::new(EmbeddedProgress::new()),
        clock: Arc::clone(&clock),
    };
    let mut policy = Policy::default();
    policy.health.health_interval = policy.health.stalled_after;
    // What is exhausted gets a last try from the sweep, so only the strict policy settles all of it at once.
    policy.health.idle_policy = IdlePolicy::Strict;
    let supervisor = Supervisor::new(clock);
    let url = Arc::new(|_, _, url: &str| url.to_owned());
    let engine = Engine::start(ports, policy, url, supervisor.clone()).await?;
    Ok(Node {
        engine,
        supervisor,
        _folder: folder,
    })
}

/// The pauses that results of another job saw.
#[derive(Default)]
struct Pauses {
    results: u64,
    longest: Duration,
    total: Duration,
}

#[allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark measures and prints"
)]
async fn lost(images: u64) -> Result<()> {
    let node = node(rows::Rows::LostAndLive {
        images,
        live: 200_000,
    })
    .await?;
    let engine = &node.engine;
    let store = engine.store();
    let who = WorkerIdentity {
        token: TokenId(1),
        instance: "bench".into(),
        name: "bench".into(),
        client_info: None,
        service: None,
    };
    let worker = engine.meet(&who, &["bench".into()]).await?;
    // The node's own first tick begins with it, and one on request waits for that.
    let began = Instant::now();
    let busy = flow(engine, worker, None, async {
        while store
            .job(JobId(1))
            .await
            .is_ok_and(|j| j.is_some_and(|j| !j.status.is_final()))
        {
            if !matches!(engine.tick_once(false).await, Ok(Some(tick)) if tick.lost_images.fixed > 0) {
                break;
            }
        }
    })
    .await?;
    let took = began.elapsed();
    let quiet = flow(engine, worker, Some(BASELINE), std::future::pending()).await?;
    let job = store.job(JobId(1)).await?.context("the job is gone")?;
    anyhow::ensure!(
        job.status.is_final(),
        "the lost images were not settled: {:?}",
        job.counts
    );
    println!(
        "{images} lost images settled in {took:.1?}: {} failed {}",
        job.status, job.counts.failed
    );
    for (name, p) in [("without", &quiet), ("with", &busy)] {
        let mean = p.total / u32::try_from(p.results.max(1)).unwrap_or(u32::MAX);
        println!(
            "another job's results {name} it: {} answered, mean {mean:.2?}, longest pause {:.2?}",
            p.results, p.longest
        );
    }
    node.supervisor.stop(Duration::from_secs(30)).await.ok();
    Ok(())
}

/// Results that are settled while nothing else happens, to compare with.
const BASELINE: u64 = 1_000;

/// Settles results of job 2 one after the other, as long as `work` lasts, but not more than `most`.
#[allow(clippy::disallowed_methods, reason = "a benchmark measures")]
async fn flow(
    engine: &Engine,
    worker: WorkerId,
    most: Option<u64>,
    work: impl Future<Output = ()>,
) -> Result<Pauses> {
    let mut pauses = Pauses::default();
    let posting = async {
        loop {
            let mut reservation = engine.reserve(JobId(2), 200, worker).await?;
            reservation.delivered();
            anyhow::ensure!(
                !reservation.tasks.is_empty(),
                "the other job has no tasks left; give it more"
            );
            for task in &reservation.tasks {
                let receipt = engine
                    .verify(JobId(2), &task.receipt)
                    .context("a receipt of our own")?;
                let began = Instant::now();
                let settlement = Settlement {
                    receipt,
                    posted: Posted::Success(vec![]),
                };
                engine.submit(settlement, 1).await?.outcome().await?;
                let took = began.elapsed();
                pauses.results += 1;
                pauses.total += took;
                pauses.longest = pauses.longest.max(took);
                if most.is_some_and(|most| pauses.results >= most) {
                    return anyhow::Ok(());
                }
            }
        }
    };
    tokio::select! {
        done = posting => done.map(|()| pauses),
        () = work => Ok(pauses),
    }
}
