//! The numbers of a job that an open page keeps right.

use serde::Serialize;
use trapline_core::{headline::headline, words::about};
use trapline_engine::JobView;

use super::{
    bar::Bar,
    jobs::{left, rate},
    words,
};

/// A job's numbers, as a page shows them.
#[derive(Serialize)]
pub(super) struct Numbers {
    id: i64,
    /// The page is not of the same state if this differs.
    key: String,
    title: String,
    sentence: String,
    percent: u64,
    settled: String,
    total: String,
    failed: String,
    rate: String,
    left: Option<String>,
    state: (String, &'static str, &'static str),
    parts: Vec<(String, String, String)>,
}

impl Numbers {
    pub(super) fn new(view: &JobView) -> Self {
        let job = &view.job;
        let (bar, state) = (Bar::new(&job.counts), words::state(job));
        let numbers = words::Counted::new(job);
        let parts = bar
            .parts
            .iter()
            .map(|part| (part.x(), part.width(), part.n.clone()));
        Self {
            id: job.id.0,
            key: words::key(job),
            title: format!("{} – Trapline", words::title(job, bar.percent)),
            sentence: headline(job, left(view)),
            percent: bar.percent,
            settled: numbers.settled,
            total: numbers.total,
            failed: numbers.failed,
            rate: rate(view),
            left: left(view).map(about),
            state: (state.word, state.tone, state.icon),
            parts: parts.collect(),
        }
    }
}
