//! The tabs that lead from one page of a job to the others.

use trapline_core::ports::Job;

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
    vec![tab("Overview", "", None)]
}
