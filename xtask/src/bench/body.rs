//! One large post of results: how fast it is taken, from its first byte to the answer, and the memory that it needs above what the idle
//! server has. Beside it the same bytes only parsed, into what is stored of them.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use reqwest::{
    Client,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use serde_json::{Value, json};
use trapline_testkit::SERVER_TOKEN;

use super::{
    load::{Found, Tasks, class},
    results::floor::json::parse,
    rounds::{Figures, Report, median, row, words},
    stand::{PATIENCE, Target},
};

/// Images of the post, as ADC sends them.
const IMAGES: usize = 24;
const MEGABYTE: usize = 1_000_000;

#[derive(Clone, clap::Args)]
pub(crate) struct Args {
    /// The least that the post has.
    #[arg(long, default_value_t = 300)]
    megabytes: usize,
    /// Classes, each with a score and a logit in every classification.
    #[arg(long, default_value_t = 29_000)]
    classes: usize,
    /// Measured rounds, each with a server of its own, so that the memory of one is not that of the next.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    #[command(flatten)]
    pub(super) target: Target,
}

#[allow(clippy::print_stdout, reason = "a benchmark prints")]
pub(super) async fn run(args: &Args) -> Result<()> {
    let detections = (args.megabytes * MEGABYTE)
        .div_ceil(IMAGES * Found::wide(1, args.classes).bytes())
        .max(1);
    let found = Found::wide(detections, args.classes);
    let (mut rounds, mut floors) = (Vec::new(), Vec::new());
    for turn in 1..=args.rounds {
        let (figures, floor) = round(args, &found, detections).await?;
        println!(
            "{} round {turn}: {}; only parsed: {floor:.0} MB/s",
            args.target.mode(),
            words(&figures)
        );
        rounds.push(figures);
        floors.push(floor);
    }
    let floor = [("megabytes_per_second", median(floors.into_iter()))];
    let setting = json!({ "megabytes": args.megabytes, "classes": args.classes, "rounds": args.rounds });
    let mut report = Report::new();
    report.add(row("body", args.target.mode(), setting, &rounds, &floor));
    report.save(args.target.json.as_deref())
}

/// Its figures, and the megabytes a second of the floor.
#[allow(clippy::disallowed_methods, reason = "a benchmark measures")]
async fn round(args: &Args, found: &Found, detections: usize) -> Result<(Figures, f64)> {
    let stand = args.target.stand(&[]).await?;
    let classes: Vec<String> = (0..args.classes).map(class).collect();
    stand.register(2, &classes).await;
    let job = stand.job("night", IMAGES).await;
    let path = format!("/api/v2/jobs/{job}");
    let reserve = json!({ "batch_size": IMAGES });
    let tasks = stand
        .client
        .post(&format!("{path}/tasks/"), &reserve)
        .await
        .to_string();
    let tasks: Tasks<'_> = serde_json::from_str(&tasks)?;
    let body = found.post(&tasks.tasks);
    let megabytes = body.len() as f64 / MEGABYTE as f64;
    let began = Instant::now();
    parse(&body)?;
    let floor = megabytes / began.elapsed().as_secs_f64();
    stand.quiet().await;
    let idle = stand.memory().0;
    stand.forget_peak()?;
    let http = Client::builder().no_proxy().timeout(PATIENCE).build()?;
    let request = http
        .post(format!("{}{path}/result/", stand.urls()[0]))
        .header(AUTHORIZATION, format!("Token {SERVER_TOKEN}"))
        .header(CONTENT_TYPE, "application/json")
        .body(body);
    let (before, began) = (stand.cpu(), Instant::now());
    let answer = request.send().await?.error_for_status()?.bytes().await?;
    let (took, cpu): (Duration, _) = (began.elapsed(), stand.cpu().since(before));
    let answer: Value = serde_json::from_slice(&answer).context("no JSON")?;
    ensure!(
        answer["results_queued"] == IMAGES,
        "a result was not taken: {answer}"
    );
    stand.quiet().await;
    let peak = stand.memory().1;
    stand.check(job, IMAGES, detections).await?;
    let figures = vec![
        ("megabytes", megabytes),
        ("megabytes_per_second", megabytes / took.as_secs_f64()),
        ("memory_above_idle_mib", peak.saturating_sub(idle) as f64),
        ("idle_mib", idle as f64),
        ("server_cpu_seconds", cpu.server),
        ("postgres_cpu_seconds", cpu.postgres),
        ("others_share", cpu.others()),
    ];
    Ok((figures, floor))
}
