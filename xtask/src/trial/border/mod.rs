//! Two projects on a cluster of two nodes, of which everything goes away; operators who start, stop and repeat; workers that
//! register new definitions, vanish and die. At the end every job has landed on the truth of its rows, and no valid result was
//! refused.

mod faults;
mod operators;
mod workers;

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Result, ensure};
use futures::future::join_all;
use rand::{SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};
use tokio::sync::watch;
use trapline_drill::{pass, until};
use trapline_testkit::{
    Client,
    services::{Cluster, Postgres},
};

use super::token;
use crate::{release, soak::Teller};

/// Processes of each project.
const PROCESSES: usize = 4;
const OPERATORS: usize = 3;
/// How long the jobs may take to land once nothing goes away any more.
const PATIENCE: Duration = Duration::from_secs(600);

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Decides what goes away, and what everybody does.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How long things go away.
    #[arg(long, default_value_t = 600)]
    seconds: u64,
}

/// A project, its workers' and operators' clients, and what its workers saw.
struct Project {
    id: i64,
    worker: Client,
    operator: Client,
    /// The definition that a process of it registers next. It moves in the second project only.
    definition: AtomicU64,
    changes: bool,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    saved: u64,
    /// The job, the definition that computed it, and why it was not taken.
    refused: Vec<(i64, u64, String)>,
    vanished: u64,
    died: u64,
}

impl Project {
    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) async fn run(args: &Args) -> Result<()> {
    let trapline = release::binary("trapline");
    let mut cluster = Cluster::start(&trapline, &[("NATS_TASK_TTR", "10")]).await;
    let teller = Teller::new();
    let admin = cluster.nodes[0].client();
    let urls: Vec<String> = cluster.nodes.iter().map(|n| n.url()).collect();
    let second = admin
        .post("/api/v2/projects/", &json!({ "name": "second" }))
        .await;
    let mut projects = Vec::new();
    for (id, changes) in [(1, false), (second["id"].as_i64().unwrap_or_default(), true)] {
        let client = async |role| Client::of_nodes(urls.clone(), &token(&admin, role, id, role).await);
        projects.push(Project {
            id,
            worker: client("worker").await,
            operator: client("operator").await,
            definition: AtomicU64::new(1),
            changes,
            seen: Mutex::default(),
        });
    }
    let (ends, over) = watch::channel(false);
    let (landed, done) = watch::channel(false);
    let dice = |n: usize| StdRng::seed_from_u64(args.seed.wrapping_mul(1_000) + n as u64);
    let workers = projects.iter().enumerate().flat_map(|(p, project)| {
        let (over, done) = (&over, &done);
        (0..PROCESSES).map(move |n| {
            let dice = dice(100 * (p + 1) + n);
            workers::work(project, n, dice, over.clone(), done.clone())
        })
    });
    let operators = (0..OPERATORS).map(|n| operators::operate(&projects, dice(n), over.clone()));
    let trial = async {
        let faults = faults::strike(&mut cluster, dice(9), over.clone(), &teller);
        let operators = join_all(operators);
        let clock = async {
            pass(Duration::from_secs(args.seconds)).await;
            ends.send_replace(true);
        };
        let (faults, _, ()) = futures::join!(faults, operators, clock);
        teller.tell(&format!("{faults} faults; nothing goes away any more"));
        let jobs = all_landed(&admin).await;
        landed.send_replace(true);
        jobs
    };
    let (jobs, _) = futures::join!(trial, join_all(workers));
    judge(&projects, &jobs?, &cluster.postgres, &teller)?;
    let url = cluster.postgres.url("postgres");
    let verify = Command::new(&trapline)
        .args(["verify", "--database", &url])
        .output()?;
    teller.tell(String::from_utf8_lossy(&verify.stdout).trim());
    ensure!(verify.status.success(), "verify found what is wrong");
    Ok(())
}

/// Every job that was started, once all of them are final.
async fn all_landed(admin: &Client) -> Result<Vec<Value>> {
    until("all jobs land", PATIENCE, async || {
        let mut jobs = Vec::new();
        let mut next = Some("/api/v2/jobs/?limit=1000".to_owned());
        while let Some(path) = next {
            let answer = admin.try_get(&path).await.map_err(|e| e.to_string())?;
            jobs.extend(answer.body["results"].as_array().cloned().unwrap_or_default());
            next = answer.body["next"].as_str().map(str::to_owned);
        }
        jobs.retain(|job| job["status"] != "CREATED");
        let open = jobs
            .iter()
            .filter(|job| !matches!(job["status"].as_str(), Some("SUCCESS" | "FAILURE" | "REVOKED")))
            .count();
        if open == 0 {
            Ok(jobs)
        } else {
            Err(format!("{open} of {} are open", jobs.len()))
        }
    })
    .await
}

/// Rows of a job by its id: tasks, processed, failed, detections.
const ROWS: &str = "SELECT j.id, count(t.*), count(*) FILTER (WHERE t.state = 'processed'), \
     count(*) FILTER (WHERE t.state = 'failed'), (SELECT count(*) FROM detections d WHERE d.job_id = j.id) \
     FROM jobs j LEFT JOIN tasks t ON t.job_id = j.id GROUP BY j.id";
/// The detectors that each run of a job knows.
const SPECS: &str = "SELECT s.job_id, coalesce(string_agg(a.key, ','), '') FROM run_specs s \
     LEFT JOIN LATERAL jsonb_array_elements(s.algorithms::jsonb) AS e ON true \
     LEFT JOIN algorithms a ON a.id = (e->>0)::bigint GROUP BY s.job_id, s.run";

fn judge(projects: &[Project], jobs: &[Value], postgres: &Postgres, teller: &Teller) -> Result<()> {
    let said = postgres.ask(ROWS);
    let rows: BTreeSet<&str> = said.lines().collect();
    let wrong: Vec<&Value> = jobs
        .iter()
        .filter(|job| {
            let counts = &job["counts"];
            let told = ["total", "processed", "failed", "detections"].map(|key| counts[key].to_string());
            !rows.contains(&*format!("{}|{}", job["id"], told.join("|")))
        })
        .collect();
    let mut ended = BTreeMap::<&str, u32>::new();
    for job in jobs {
        *ended
            .entry(job["status"].as_str().unwrap_or_default())
            .or_default() += 1;
    }
    teller.tell(&format!(
        "{} jobs: {ended:?}; counts wrong: {}",
        jobs.len(),
        wrong.len()
    ));
    let specs = postgres.ask(SPECS);
    let mut own = Vec::new();
    for project in projects {
        let seen = project.seen();
        ensure!(seen.saved > 0, "project {} had no result at all", project.id);
        let of_project = seen.refused.iter().filter(|(job, definition, _)| {
            let known = format!("detector-{definition}");
            let mut runs = specs
                .lines()
                .filter_map(|line| line.split_once('|'))
                .filter(|(id, _)| *id == job.to_string())
                .map(|(_, keys)| keys.split(',').any(|key| key == known));
            // Of several runs, the receipt's may be any.
            !project.changes || runs.all(|knows| knows)
        });
        own.extend(of_project.cloned());
        teller.tell(&format!(
            "project {}: {} results saved, {} refused, definitions {}, vanished {}, died {}",
            project.id,
            seen.saved,
            seen.refused.len(),
            project.definition.load(Ordering::Relaxed),
            seen.vanished,
            seen.died
        ));
    }
    let invalid = postgres.ask(
        "SELECT count(*) FROM tasks t JOIN jobs j ON j.id = t.job_id WHERE j.project_id = 1 AND t.reason = 'invalid_result'",
    );
    teller.tell(&format!(
        "valid results refused: {}; images of project 1 that failed by a result that is not valid: {invalid}",
        own.len()
    ));
    ensure!(
        own.is_empty() && wrong.is_empty() && invalid.trim() == "0",
        "refused {own:?}; counts wrong {wrong:?}"
    );
    Ok(())
}
