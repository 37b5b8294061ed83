//! What workers and people ask again and again while many jobs run: the poll as ADC asks it, the claim, and the list of jobs. Beside
//! them an answer of the same server that asks the store nothing.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use reqwest::{
    Client, Request, RequestBuilder,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use trapline_testkit::SERVER_TOKEN;

use super::{
    rounds::{Figures, Report, at, median, row, words},
    stand::{PATIENCE, Rows, SLUG, Stand, Target},
};

/// Tasks of each job.
const TASKS: usize = 2;
/// Jobs of a list.
const LISTED: usize = 20;
const LEASED: &str = "SELECT count(*) FROM tasks WHERE grant_id IS NOT NULL";

#[derive(Clone, clap::Args)]
pub(crate) struct Args {
    /// Running jobs, whose rows are written as SQL.
    #[arg(long, default_value_t = 10_000)]
    jobs: usize,
    /// Who asks, each on a connection of its own, and again as soon as it has an answer.
    #[arg(long, default_value_t = 8)]
    clients: usize,
    /// Requests of each kind in a round.
    #[arg(long, default_value_t = 800)]
    requests: usize,
    /// Measured rounds, after one that warms up.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    #[command(flatten)]
    pub(super) target: Target,
}

/// Job and image.
type Task = (i64, String);

#[derive(Clone, Copy)]
enum Kind {
    /// The floor.
    Alive,
    Poll,
    Claim,
    List,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Alive, Self::Poll, Self::Claim, Self::List];

    /// The names of its figures: half of the answers, nearly all of them, CPU.
    const fn names(self) -> [&'static str; 3] {
        match self {
            Self::Alive => ["alive_p50_ms", "alive_p99_ms", "alive_cpu_ms"],
            Self::Poll => ["poll_p50_ms", "poll_p99_ms", "poll_cpu_ms"],
            Self::Claim => ["claim_p50_ms", "claim_p99_ms", "claim_cpu_ms"],
            Self::List => ["list_p50_ms", "list_p99_ms", "list_cpu_ms"],
        }
    }

    fn request(self, http: &Client, url: &str, name: usize) -> RequestBuilder {
        let request = match self {
            Self::Alive => http.get(format!("{url}/healthz")),
            // ADC leaves out the last slash.
            Self::Poll => http.get(format!(
                "{url}/api/v2/jobs?pipeline__slug__in={SLUG}&ids_only=1&incomplete_only=1&dispatch_mode=async_api"
            )),
            Self::List => http.get(format!("{url}/api/v2/jobs/?limit={LISTED}")),
            Self::Claim => {
                let info = json!({ "instance": format!("worker-{name}") });
                let body = json!({ "pipelines": [SLUG], "batch_size": 1, "client_info": info });
                http.post(format!("{url}/api/v2/tasks/claim/"))
                    .header(CONTENT_TYPE, "application/json")
                    .body(body.to_string())
            }
        };
        request.header(AUTHORIZATION, format!("Token {SERVER_TOKEN}"))
    }

    /// Checks an answer; that to a claim names a task.
    fn task(self, answer: &[u8], jobs: usize) -> Result<Option<Task>> {
        if matches!(self, Self::Alive) {
            return Ok(None);
        }
        let answer: Value = serde_json::from_slice(answer)?;
        let rows = answer["results"].as_array().map_or(0, Vec::len);
        let right = match self {
            Self::Alive => true,
            Self::Poll => rows == 1 && answer["results"][0]["pipeline_slug"] == SLUG,
            Self::List => rows == LISTED.min(jobs) && answer["count"] == jobs,
            Self::Claim => answer["tasks"].as_array().is_some_and(|tasks| tasks.len() == 1),
        };
        ensure!(right, "a wrong answer: {answer}");
        Ok(match self {
            Self::Claim => {
                let image = answer["tasks"][0]["image_id"]
                    .as_str()
                    .context("a task without an image")?;
                Some((
                    answer["job_id"].as_i64().context("a claim of no job")?,
                    image.to_owned(),
                ))
            }
            _ => None,
        })
    }
}

#[allow(clippy::print_stdout, reason = "a benchmark prints")]
pub(super) async fn run(args: &Args) -> Result<()> {
    let mut stand = args.target.stand(&[]).await?;
    stand
        .write(Rows::RUNNING, &[("$jobs", args.jobs), ("$tasks", TASKS)])
        .await?;
    let mut claimed = HashSet::new();
    let mut rounds = Vec::new();
    for turn in 0..=args.rounds {
        let mut figures = Figures::new();
        for kind in Kind::ALL {
            figures.extend(ask(&stand, kind, args, &mut claimed).await?);
        }
        println!("{} round {turn}: {}", args.target.mode(), words(&figures));
        // The first one warms up.
        if turn > 0 {
            rounds.push(figures);
        }
    }
    let leased = stand.ask(LEASED).await?;
    ensure!(
        leased == [claimed.len() as i64],
        "{} tasks were claimed, and {leased:?} are leased",
        claimed.len()
    );
    let of = |name: &str| {
        let alive = |round: &Figures| round.iter().find(|(n, _)| *n == name).map(|(_, f)| *f);
        median(rounds.iter().filter_map(alive))
    };
    let (p50, p99) = (of("alive_p50_ms"), of("alive_p99_ms"));
    let mut floor = Figures::new();
    for kind in [Kind::Poll, Kind::Claim, Kind::List] {
        let [half, nearly_all, _] = kind.names();
        floor.extend([(half, p50), (nearly_all, p99)]);
    }
    let setting = json!({
        "jobs": args.jobs, "clients": args.clients, "requests": args.requests, "rounds": args.rounds
    });
    let mut report = Report::new();
    report.add(row("polls", args.target.mode(), setting, &rounds, &floor));
    report.save(args.target.json.as_deref())
}

/// All requests of a kind.
async fn ask(stand: &Stand, kind: Kind, args: &Args, claimed: &mut HashSet<Task>) -> Result<Figures> {
    let urls = stand.urls();
    let (jobs, requests) = (args.jobs, args.requests.div_ceil(args.clients));
    // Made before any of them asks: that takes longer than an answer.
    let https = (0..args.clients)
        .map(|_| Client::builder().no_proxy().timeout(PATIENCE).build())
        .collect::<reqwest::Result<Vec<_>>>()?;
    let before = stand.cpu();
    let mut asking = JoinSet::new();
    for (name, http) in https.into_iter().enumerate() {
        let request = kind.request(&http, &urls[name % urls.len()], name).build()?;
        asking.spawn(one(kind, http, request, requests, jobs));
    }
    let mut took = Vec::new();
    while let Some(answers) = asking.join_next().await {
        let (each, tasks) = answers??;
        took.extend(each);
        for task in tasks {
            let said = format!("{task:?}");
            ensure!(claimed.insert(task), "{said} was handed out twice");
        }
    }
    let cpu = stand.cpu().since(before);
    took.sort_unstable();
    let names = kind.names();
    Ok(vec![
        (names[0], at(&took, 0.5)),
        (names[1], at(&took, 0.99)),
        (
            names[2],
            1_000.0 * (cpu.server + cpu.postgres) / took.len().max(1) as f64,
        ),
    ])
}

/// What one client saw: how long each answer took, and the tasks.
#[allow(clippy::disallowed_methods, reason = "a benchmark measures")]
async fn one(
    kind: Kind,
    http: Client,
    request: Request,
    requests: usize,
    jobs: usize,
) -> Result<(Vec<Duration>, Vec<Task>)> {
    let (mut took, mut tasks) = (Vec::new(), Vec::new());
    for _ in 0..requests {
        let again = request.try_clone().context("a body that is streamed")?;
        let began = Instant::now();
        let answer = http.execute(again).await?.error_for_status()?.bytes().await?;
        took.push(began.elapsed());
        tasks.extend(kind.task(&answer, jobs)?);
    }
    Ok((took, tasks))
}
