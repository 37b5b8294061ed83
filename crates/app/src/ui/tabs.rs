//! What the pages of one job share: its name, its state, and the tabs that lead from one page to the others.

use trapline_core::{JobId, ports::Job, words::count};

use super::{
    actions::{self, Offered},
    page::with_query,
    session::Visitor,
    words::{self, visible},
};

/// A page of a job.
pub(super) struct Tab {
    pub(super) word: &'static str,
    pub(super) path: String,
    pub(super) is_on: bool,
    /// A number that an open page keeps right.
    pub(super) n: Option<String>,
}

/// The pages of a job; `at` is the word of the one that is shown.
pub(super) fn tabs(job: &Job, at: &str) -> Vec<Tab> {
    let tab = |word, end: &str, n| Tab {
        word,
        path: format!("/jobs/{}{end}", job.id),
        is_on: word == at,
        n,
    };
    let failed = job.counts.failed;
    vec![
        tab("Overview", "", None),
        tab("Failed", "/images?state=failed", Some(count(failed))),
        tab("Results", "/results", None),
        tab("Summary", "/summary", None),
        tab("Log", "/log", None),
    ]
}

/// The head of every page of a job but the first.
pub(super) struct Head {
    pub(super) id: JobId,
    pub(super) name: String,
    pub(super) state: words::State,
    pub(super) key: String,
    pub(super) tabs: Vec<Tab>,
    pub(super) actions: Vec<Offered>,
}

impl Head {
    pub(super) fn new(job: &Job, visitor: &Visitor, at: &str) -> Self {
        Self {
            id: job.id,
            name: visible(&job.name),
            state: words::state(job),
            key: words::key(job),
            tabs: tabs(job, at),
            actions: actions::offered(job, &visitor.principal),
        }
    }

    /// The same for a reader who looks at scores from this one on, which the summary marks.
    pub(super) fn at_score(mut self, min: f32) -> Self {
        let summary = self
            .tabs
            .iter_mut()
            .filter(|tab| tab.word == "Summary" && min > 0.0);
        summary.for_each(|tab| tab.path = with_query(&tab.path, [("min", min.to_string())]));
        self
    }
}
