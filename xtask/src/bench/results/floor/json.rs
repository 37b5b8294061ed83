//! The bodies of the load, parsed into what is stored of them.

use std::hint::black_box;

use anyhow::{Result, ensure};
use serde::Deserialize;

use crate::bench::{
    load::{Found, Task},
    process,
    results::Args,
};

/// CPU is counted in hundredths of a second, and an image takes microseconds.
const IMAGES_MIN: usize = 200_000;

#[derive(Deserialize)]
struct Post<'a> {
    #[serde(borrow)]
    results: Vec<Item<'a>>,
}

#[derive(Deserialize)]
struct Item<'a> {
    reply_subject: &'a str,
    #[serde(borrow)]
    result: Outcome<'a>,
}

#[derive(Deserialize)]
struct Outcome<'a> {
    #[serde(borrow)]
    detections: Vec<Detection<'a>>,
}

#[derive(Deserialize)]
struct Detection<'a> {
    source_image_id: &'a str,
    bbox: Corners,
    score: Option<f32>,
    inference_time: f64,
    #[serde(borrow)]
    algorithm: Algorithm<'a>,
    timestamp: &'a str,
    classifications: Vec<Classification<'a>>,
}

#[derive(Deserialize)]
struct Corners {
    x1: f32,
    y1: f32,
    x2: f32,
    y2: f32,
}

#[derive(Deserialize)]
struct Classification<'a> {
    classification: &'a str,
    scores: Vec<f32>,
    logits: Option<Vec<f32>>,
    inference_time: f64,
    #[serde(borrow)]
    algorithm: Algorithm<'a>,
    terminal: bool,
    timestamp: &'a str,
}

#[derive(Deserialize)]
struct Algorithm<'a> {
    key: &'a str,
}

impl Post<'_> {
    /// Something of everything, so that nothing is left out as unused.
    fn weight(&self) -> f64 {
        let class = |c: &Classification<'_>| {
            let texts = c.classification.len() + c.algorithm.key.len() + c.timestamp.len();
            let sum: f32 = c.scores.iter().chain(c.logits.iter().flatten()).sum();
            f64::from(sum) + c.inference_time + texts as f64 + f64::from(u8::from(c.terminal))
        };
        let found = |d: &Detection<'_>| {
            let texts = d.source_image_id.len() + d.algorithm.key.len() + d.timestamp.len();
            let corners = d.bbox.x1 + d.bbox.y1 + d.bbox.x2 + d.bbox.y2 + d.score.unwrap_or_default();
            f64::from(corners)
                + d.inference_time
                + texts as f64
                + d.classifications.iter().map(class).sum::<f64>()
        };
        let item =
            |i: &Item<'_>| i.reply_subject.len() as f64 + i.result.detections.iter().map(found).sum::<f64>();
        self.results.iter().map(item).sum()
    }
}

/// Parses a body once.
pub(in crate::bench) fn parse(body: &str) -> Result<()> {
    let post: Post<'_> = serde_json::from_str(black_box(body))?;
    black_box(post.weight());
    Ok(())
}

/// CPU for an image.
pub(super) fn milliseconds(args: &Args, found: &Found) -> Result<f64> {
    let receipt = "0".repeat(120);
    let task = || Task {
        image_id: "123456",
        image_url: "https://captures.test/night/0123456.jpg",
        reply_subject: &receipt,
    };
    let tasks: Vec<Task<'_>> = (0..args.batch).map(|_| task()).collect();
    let body = found.post(&tasks);
    let posts = args.images.max(IMAGES_MIN).div_ceil(args.batch);
    let before = process::cpu(std::process::id());
    for _ in 0..posts {
        let post: Post<'_> = serde_json::from_str(black_box(&body))?;
        ensure!(post.results.len() == args.batch, "a result is missing");
        black_box(post.weight());
    }
    let took = process::cpu(std::process::id()) - before;
    Ok(1_000.0 * took / (posts * args.batch) as f64)
}
