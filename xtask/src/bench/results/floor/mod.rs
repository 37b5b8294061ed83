//! The floor: bare programs that do only what can't be avoided for the same images. The same rows in the same tables, clustered and
//! without an index more, in groups of 64, a hand-out and a settlement each in one transaction and one visit to the database,
//! durable when it is answered; and the same bodies only parsed. No HTTP, no receipts, no plan, nobody who races.

pub(in crate::bench) mod json;
mod postgres;
pub(in crate::bench) mod sqlite;

use std::time::Duration;

use anyhow::Result;

use super::Args;
use crate::bench::load::Found;

/// Images of one transaction.
const GROUP: usize = 64;
/// What a score list of ten is packed to.
const SCORES: [u8; 40] = [63; 40];

/// Milliseconds of CPU for an image.
#[derive(Clone, Copy, Debug)]
pub(in crate::bench) struct Floor {
    pub(super) store: f64,
    pub(super) parse: f64,
}

impl Floor {
    pub(super) fn sum(self) -> f64 {
        self.store + self.parse
    }
}

/// Does it, on a store of its own.
pub(super) async fn measure(args: &Args, detections: usize) -> Result<Floor> {
    let store = match args.cluster {
        true => postgres::milliseconds(args.images, detections).await?,
        false => sqlite::milliseconds(args.images, detections).await?,
    };
    let parse = json::milliseconds(args, &Found::new(detections))?;
    Ok(Floor { store, parse })
}

/// Hand-outs or other work of a bare program.
#[derive(Clone, Copy, Debug)]
pub(in crate::bench) struct Bare {
    /// Milliseconds of CPU for each, the program's and its server's.
    pub(in crate::bench) cpu_ms: f64,
    pub(in crate::bench) per_second: f64,
}

impl Bare {
    fn of(n: usize, cpu: f64, took: Duration) -> Self {
        Self {
            cpu_ms: 1_000.0 * cpu / n as f64,
            per_second: n as f64 / took.as_secs_f64(),
        }
    }
}

/// So many tasks handed out in groups of this size, one after the other.
pub(in crate::bench) async fn hand_outs(cluster: bool, tasks: usize, size: usize) -> Result<Bare> {
    match cluster {
        true => postgres::hand_outs(tasks, size).await,
        false => sqlite::hand_outs(tasks, size).await,
    }
}

/// So many jobs of this size made, handed out and settled, one after the other, without detections.
pub(in crate::bench) async fn whole_jobs(cluster: bool, jobs: usize, size: usize) -> Result<Bare> {
    match cluster {
        true => postgres::whole_jobs(jobs, size).await,
        false => sqlite::whole_jobs(jobs, size).await,
    }
}

/// The first and last place of each group, in the order of dispatch.
fn groups(images: usize, size: usize) -> impl Iterator<Item = (i64, i64)> {
    (0..images)
        .step_by(size)
        .map(move |from| (from as i64 + 1, images.min(from + size) as i64))
}

/// Each detection of a group: place and number.
fn boxes((from, to): (i64, i64), detections: usize) -> impl Iterator<Item = (i64, i64)> {
    (from..=to).flat_map(move |ord| (1..=detections as i64).map(move |n| (ord, n)))
}
