//! The numbers of a job that an open page keeps right.

use serde::Serialize;
use serde_json::{Map, Value};
use trapline_core::{Timestamp, headline::headline, words::about};
use trapline_engine::JobView;

use super::{
    bar::Bar,
    job::is_quiet,
    jobs::{left, rate},
    words,
};

/// A job's numbers, as a page shows them.
#[derive(Serialize)]
pub(super) struct Numbers {
    /// The page is not of the same state if this differs.
    key: String,
    title: String,
    sentence: String,
    percent: u64,
    /// Processed, failed, in flight, waiting; together they are all.
    n: [u64; 4],
    /// Where each part of the bar begins, and how wide it is: apart from what it counts, since it changes less often.
    bar: Vec<(String, String)>,
    rate: String,
    left: Option<String>,
    /// In seconds since 1970.
    ended: Option<i64>,
    state: (String, &'static str, &'static str),
    /// Whether a page explains it without being asked.
    quiet: bool,
}

impl Numbers {
    /// As they are now; the times of a view are those that the store's clock shows.
    pub(super) fn new(view: &JobView, now: Timestamp) -> Self {
        let job = &view.job;
        let (bar, state, c) = (Bar::new(&job.counts), words::state(job), &job.counts);
        Self {
            key: words::key(job),
            title: format!("{} – Trapline", words::title(job, bar.percent)),
            sentence: headline(job, left(view)),
            percent: bar.percent,
            n: [c.processed, c.failed, c.in_flight, c.pending],
            bar: bar.parts.iter().map(|part| (part.x(), part.width())).collect(),
            rate: rate(view),
            left: left(view).map(about),
            ended: job.finished_at.map(|at| at.0.div_euclid(1_000_000)),
            state: (state.word, state.tone, state.icon),
            quiet: is_quiet(job, now),
        }
    }

    /// By name.
    pub(super) fn fields(&self) -> Map<String, Value> {
        match serde_json::to_value(self).expect("texts serialise") {
            Value::Object(fields) => fields,
            _ => Map::new(),
        }
    }
}
