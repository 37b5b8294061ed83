//! The client in Python (`adc_like.py`): what the server answered it is compared with what the server holds.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs::File,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde::Deserialize;
use serde_json::Value;
use trapline_testkit::{SERVER_TOKEN, until};

use crate::support::{Deployment, World, on_each_deployment};

const SLUG: &str = "adc_like";

/// The running client. It ends with this, if not before.
struct AdcLike {
    child: Child,
    report: PathBuf,
    log: PathBuf,
}

/// What it saw.
#[derive(Debug, Deserialize)]
struct Report {
    handed_out: HashMap<String, i64>,
    answered: Vec<Answered>,
    problems: Vec<String>,
    most_held: usize,
    counts: BTreeMap<String, u64>,
}

/// A result that the server answered for.
#[derive(Debug, Deserialize)]
struct Answered {
    image_id: String,
    status: String,
    error: Option<String>,
    boxes: Vec<[f64; 4]>,
}

impl AdcLike {
    /// Starts it, and waits until its pipeline is registered.
    async fn start(world: &World, args: &[&str]) -> Self {
        let (report, log) = (
            world.folder.path().join("adc.json"),
            world.folder.path().join("adc.log"),
        );
        let child = Command::new("python3")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/adc_like.py"))
            .args(["--url", &world.urls(), "--token", SERVER_TOKEN])
            .args(["--idle-seconds", "0.2"])
            .args(args)
            .stdin(Stdio::piped())
            .stdout(File::create(&report).unwrap())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap_or_else(|e| panic!("`python3` is needed for this test and can't be run: {e}"));
        let mut client = Self { child, report, log };
        until("the client registers", Duration::from_secs(20), || {
            let ended = client.child.try_wait().unwrap();
            assert!(ended.is_none(), "the client ended: {}", client.said());
            async {
                let known = world.admin.get("/api/v2/ml/pipelines/?project_id=1").await;
                let known = known["results"].as_array().unwrap();
                known
                    .iter()
                    .any(|p| p["slug"] == SLUG)
                    .then_some(())
                    .ok_or_else(|| "not registered".to_owned())
            }
        })
        .await;
        client
    }

    /// Lets it post what it still holds, and takes its report.
    async fn finish(mut self) -> Report {
        drop(self.child.stdin.take());
        let status = until("the client ends", Duration::from_secs(20), || {
            let ended = self.child.try_wait().unwrap();
            async move { ended.ok_or_else(|| "still running".to_owned()) }
        })
        .await;
        assert!(status.success(), "the client failed: {}", self.said());
        serde_json::from_slice(&std::fs::read(&self.report).unwrap()).unwrap()
    }

    fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for AdcLike {
    fn drop(&mut self) {
        // It may have ended by itself; either way nothing is left of it.
        self.child.kill().ok();
        self.child.wait().ok();
        if std::thread::panicking() {
            #[allow(clippy::print_stderr, reason = "what a failing test shows")]
            {
                eprintln!("the client said: {}", self.said());
            }
        }
    }
}

/// Boxes as bits, so that they can be sorted and compared.
type Boxes = BTreeSet<[u64; 4]>;

fn bits(boxes: &[[f64; 4]]) -> Boxes {
    boxes.iter().map(|b| b.map(f64::to_bits)).collect()
}

/// Compares, image by image and row by row; returns how many are processed and how many failed.
async fn compare(world: &World, job: i64, report: &Report) -> (u64, u64) {
    assert_eq!(
        report.problems, [""; 0],
        "an unmodified worker would have broken or dropped results"
    );
    let refused: Vec<_> = report.answered.iter().filter(|a| a.status != "queued").collect();
    assert!(refused.is_empty(), "refused: {refused:?}");

    let mut stored = stored_boxes(world, job).await;
    let mut sums = (0, 0, 0);
    for (image, row) in world.images(job).await {
        let answered: Vec<_> = report.answered.iter().filter(|a| a.image_id == image).collect();
        let success = answered.iter().find(|a| a.error.is_none());
        assert_eq!(
            row["attempts"].as_i64().unwrap(),
            report.handed_out.get(&image).copied().unwrap_or(0),
            "hand-outs of {row}"
        );
        let boxes = stored.remove(&image).unwrap_or_default();
        if let Some(success) = success {
            assert_eq!(row["state"], "processed", "a saved result of {row}");
            assert_eq!(boxes, bits(&success.boxes), "the stored rows of {row}");
            assert_eq!(row["detections"].as_u64().unwrap(), boxes.len() as u64);
            sums.0 += 1;
            sums.2 += boxes.len() as u64;
            continue;
        }
        assert_eq!(
            (row["state"].as_str(), boxes),
            (Some("failed"), Boxes::new()),
            "{row}"
        );
        let error = answered.iter().find_map(|a| a.error.as_deref());
        match row["reason"].as_str() {
            Some("worker_error") => assert_eq!(row["detail"].as_str(), error, "{row}"),
            Some("lost") => assert!(row["detail"].as_str().unwrap().contains("hand-out"), "{row}"),
            other => panic!("a failure for no reason that there was, {other:?}: {row}"),
        }
        sums.1 += 1;
    }
    assert!(stored.is_empty(), "results of images that are not the job's");
    let counts = world.job(job).await["counts"].take();
    for (name, expected) in [
        ("total", sums.0 + sums.1),
        ("processed", sums.0),
        ("failed", sums.1),
        ("pending", 0),
        ("in_flight", 0),
        ("detections", sums.2),
        ("classifications", sums.2),
    ] {
        assert_eq!(counts[name].as_u64(), Some(expected), "`{name}` of {counts}");
    }
    (sums.0, sums.1)
}

/// The rows of `/results/`, by image; none is there twice.
async fn stored_boxes(world: &World, job: i64) -> HashMap<String, Boxes> {
    let mut stored: HashMap<String, Boxes> = HashMap::new();
    for row in world
        .admin
        .rows(&format!("/api/v2/jobs/{job}/results/?limit=1000"))
        .await
    {
        let corner = |name: &str| row[name].as_f64().unwrap().to_bits();
        let image = row["image_id"].as_str().unwrap().to_owned();
        let new = stored
            .entry(image)
            .or_default()
            .insert(["x1", "y1", "x2", "y2"].map(corner));
        assert!(new, "stored twice: {row}");
    }
    stored
}

async fn a_client_that_asks_as_adc_asks_brings_a_job_to_success(on: Deployment) {
    let world = World::new(on, &[("NATS_TASK_TTR", "5")]).await;
    // Four loaders of four batches each, full before the model is warm. A batch that is taken while the queue is being filled may
    // have fewer tasks than were asked for.
    let client = AdcLike::start(&world, &["--hold-first", "16"]).await;
    let job = world.start_job(SLUG, 1_200).await;
    let landed = world.landed(job, Duration::from_secs(60)).await;
    assert_eq!(landed["status"], "SUCCESS");
    let report = client.finish().await;
    assert_eq!(compare(&world, job, &report).await, (1_200, 0));
    assert_eq!(report.most_held, 16);
}

async fn a_client_that_drops_repeats_delays_and_reorders_loses_nothing_that_was_answered(on: Deployment) {
    let world = World::new(on, &[("NATS_TASK_TTR", "3")]).await;
    let faults = "--seed 7 --drop 0.06 --late 0.06 --error 0.06 --duplicate 0.2 --reorder 0.3";
    let faults: Vec<&str> = faults.split(' ').collect();
    let client = AdcLike::start(&world, &faults).await;
    let job = world.start_job(SLUG, 600).await;
    let landed = world.landed(job, Duration::from_secs(60)).await;
    assert_eq!(landed["status"], "SUCCESS");
    let report = client.finish().await;
    let (processed, failed) = compare(&world, job, &report).await;
    assert_eq!(processed + failed, 600);
    assert!(
        world.log().contains("results changed nothing"),
        "replays are logged"
    );
    for (fault, times) in &report.counts {
        assert!(*times > 0, "the seed makes no `{fault}`");
    }
    assert_eq!(world.job(job).await["status"], Value::from("SUCCESS"));
}

on_each_deployment!(
    a_client_that_asks_as_adc_asks_brings_a_job_to_success,
    a_client_that_drops_repeats_delays_and_reorders_loses_nothing_that_was_answered,
);
