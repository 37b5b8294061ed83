//! What a round took, in words and as JSON.

use std::{fmt, path::Path, sync::Arc, time::Duration};

use serde_json::{Value, json};

use super::{Args, floor::Floor, setting};
use crate::bench::{
    load::Seen,
    rounds::{Figures, at, median, row},
    stand::{Cpu, mode},
};

/// A round.
#[derive(Clone)]
pub(super) struct Row {
    pub(super) images: usize,
    /// From the first reserve to the last commit, which lands the job.
    pub(super) took: Duration,
    /// Until then.
    pub(super) cpu: Cpu,
    /// Until the server was quiet.
    pub(super) afterwards: Cpu,
    pub(super) memory: (u64, u64),
    /// The share of PostgreSQL's updates of tasks that wrote no index.
    pub(super) hot: Option<f64>,
    pub(super) seen: Arc<Seen>,
}

impl Row {
    fn each(&self, seconds: f64) -> f64 {
        1_000.0 * seconds / self.images as f64
    }

    /// Milliseconds of CPU for an image, ours and the database's.
    pub(super) fn cost(&self) -> f64 {
        self.each(self.cpu.server + self.cpu.postgres)
    }

    fn rate(&self) -> f64 {
        self.images as f64 / self.took.as_secs_f64()
    }

    fn figures(&self) -> Figures {
        let late = self.afterwards.since(self.cpu);
        let seen = &self.seen;
        let figures = [
            ("images_per_second", self.rate()),
            ("cpu_ms", self.cost()),
            ("server_cpu_ms", self.each(self.cpu.server)),
            ("postgres_cpu_ms", self.each(self.cpu.postgres)),
            ("queue_cpu_ms", self.each(self.cpu.queue)),
            ("load_cpu_ms", self.each(self.cpu.load)),
            ("after_landing_cpu_ms", self.each(late.server + late.postgres)),
            ("reserve_p50_ms", at(&seen.reserves, 0.5)),
            ("reserve_p99_ms", at(&seen.reserves, 0.99)),
            ("post_p50_ms", at(&seen.posts, 0.5)),
            ("post_p99_ms", at(&seen.posts, 0.99)),
            ("answers_503", seen.busy as f64),
            ("memory_mib", self.memory.0 as f64),
            ("memory_peak_mib", self.memory.1 as f64),
            ("others_share", self.cpu.others()),
        ];
        let hot = self.hot.map(|share| ("hot_share", share));
        figures.into_iter().chain(hot).collect()
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seen = &self.seen;
        let late = self.afterwards.since(self.cpu);
        write!(
            f,
            "{:.0} images/s; CPU ms an image: server {:.4}, PostgreSQL {:.4}, NATS and Redis {:.4}, generator {:.4}, after landing {:.4}; \
             reserve p50 {:.1} p99 {:.1} ms, post p50 {:.1} p99 {:.1} ms; 503: {}; {} MiB, at most {}; others used {:.0}% of the machine",
            self.rate(),
            self.each(self.cpu.server),
            self.each(self.cpu.postgres),
            self.each(self.cpu.queue),
            self.each(self.cpu.load),
            self.each(late.server + late.postgres),
            at(&seen.reserves, 0.5),
            at(&seen.reserves, 0.99),
            at(&seen.posts, 0.5),
            at(&seen.posts, 0.99),
            seen.busy,
            self.memory.0,
            self.memory.1,
            100.0 * self.cpu.others()
        )?;
        match self.hot {
            Some(hot) => write!(f, "; {:.0}% of the updates of tasks wrote no index", 100.0 * hot),
            None => Ok(()),
        }
    }
}

/// The rounds of a binary as a row of `bench table`.
pub(super) fn measured(args: &Args, detections: usize, binary: &Path, rows: &[Row], floor: Floor) -> Value {
    let figures: Vec<Figures> = rows.iter().map(Row::figures).collect();
    let cost = median(rows.iter().map(Row::cost));
    let unavoidable = [
        ("store_cpu_ms", floor.store),
        ("parse_cpu_ms", floor.parse),
        ("cpu_ms", floor.sum()),
    ];
    let mut value = row(
        "results",
        mode(args.cluster),
        setting(args, detections),
        &figures,
        &unavoidable,
    );
    value["binary"] = json!(binary.file_name().map(|name| name.to_string_lossy()));
    value["ratio"] = json!(floor.sum() / cost);
    value
}
