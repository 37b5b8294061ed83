//! What stands above a list of images: what can be done with all of them, and why they failed.

use askama::Template;
use axum::{http::StatusCode, response::Response};
use trapline_core::{
    FailReason, JobId, Result,
    failures::Group,
    ports::{ImageState, Job},
    words::{count, counted},
};
use trapline_engine::{FAILURES_MAX, Failures};

use super::Filter;
use crate::{
    http::AppState,
    ui::{
        chip::Chip,
        kinds::{Kind, looked_at, partly, reason_word},
        page::render,
        tabs::Head,
    },
};

/// Addresses that a button puts on the clipboard.
const COPIED_MAX: u64 = 20_000;
/// Groups that are shown.
const GROUPS_MAX: usize = 100;

/// What stands above a list: what can be done with all of it, and of failed images why they failed. Of a job that runs it is read
/// again.
pub(super) struct Top {
    pub(super) job: JobId,
    pub(super) csv: String,
    pub(super) urls: String,
    /// Whether the addresses are few enough for a clipboard.
    pub(super) are_copied: bool,
    /// Whether the list has any image.
    pub(super) is_any: bool,
    /// What the button says, if whoever looks may run the failed images again now.
    pub(super) retry: Option<String>,
    /// Whether that can be done later.
    pub(super) is_later: bool,
    pub(super) kinds: Vec<Kind>,
    /// What groups are not shown.
    pub(super) other: Option<String>,
    /// Each reason of these groups.
    pub(super) reasons: Vec<Chip>,
    /// What the groups are made from, if that is not all.
    pub(super) partly: Option<String>,
    pub(super) all: String,
    pub(super) is_filtered: bool,
}

#[derive(Template)]
#[template(path = "parts/images_top.html")]
struct TopPart {
    top: Top,
}

impl Top {
    pub(super) async fn read(app: &AppState, head: &Head, filter: &Filter, job: &Job) -> Result<Self> {
        let is_failed = filter.state == ImageState::Failed;
        let failures = match is_failed {
            true => app.engine.failures(job.id, FAILURES_MAX).await?,
            false => Failures::default(),
        };
        let (now, looked_at) = (app.engine.wall_now(), looked_at(&failures));
        let is_offered = is_failed && head.actions.iter().any(|action| action.word() == "retry-failed");
        Ok(Self {
            job: job.id,
            csv: filter.path(".csv", None),
            urls: filter.path(".txt", None),
            are_copied: is_failed && job.counts.failed <= COPIED_MAX,
            is_any: is_failed && job.counts.failed > 0,
            retry: retry(job).filter(|_| is_offered),
            is_later: is_failed && app.goes_on(job),
            partly: partly(&failures, job),
            reasons: reasons(filter, &failures),
            other: other(&failures),
            kinds: failures
                .groups
                .into_iter()
                .enumerate()
                .filter(|(at, group)| is_shown(*at, group))
                .map(|(_, group)| Kind::new(filter, group, looked_at, now))
                .collect(),
            all: filter.whole().path("", None),
            is_filtered: filter.reason.is_some() || filter.group.is_some(),
        })
    }

    pub(super) fn part(self) -> Response {
        render(StatusCode::OK, &TopPart { top: self })
    }
}

/// The reasons of some failures as links, the most frequent first.
fn reasons(filter: &Filter, failures: &Failures) -> Vec<Chip> {
    let mut by_reason: Vec<(FailReason, u64)> = Vec::new();
    for group in &failures.groups {
        match by_reason.iter_mut().find(|(reason, _)| *reason == group.reason) {
            Some((_, n)) => *n += group.count,
            None => by_reason.push((group.reason, group.count)),
        }
    }
    by_reason.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    let chip = |(reason, n): (FailReason, u64)| {
        let of = Filter {
            reason: Some(reason),
            ..filter.whole()
        };
        let word = match failures.is_whole {
            false => reason_word(reason).to_owned(),
            true => format!("{} {}", reason_word(reason), count(n)),
        };
        Chip::new(word, of.path("", None), filter.reason == Some(reason))
    };
    by_reason.into_iter().map(chip).collect()
}

/// Whether a group is shown: the largest, and those of the details that have no group of their own, which nothing else leads to.
fn is_shown(at: usize, group: &Group) -> bool {
    at < GROUPS_MAX || group.is_rest
}

/// How much is in the groups that are not shown.
fn other(failures: &Failures) -> Option<String> {
    let groups = failures.groups.iter().enumerate();
    let left = groups
        .filter(|(at, group)| !is_shown(*at, group))
        .map(|(_, group)| group);
    let (groups, images) = left.fold((0, 0), |(groups, images), of| (groups + 1, images + of.count));
    (groups > 0).then(|| {
        format!(
            "Other: {} in {}, which the CSV has too.",
            counted(images, "image"),
            counted(groups, "smaller group")
        )
    })
}

/// What the button says that runs the failed images again. What was never done is run with them.
fn retry(job: &Job) -> Option<String> {
    let c = &job.counts;
    let undone = c.pending + c.in_flight;
    let failed = counted(c.failed, "failed image");
    match (c.failed, undone) {
        (0, _) => None,
        (_, 0) => Some(format!("Retry {failed}")),
        _ => Some(format!("Retry {failed} and {} never done", count(undone))),
    }
}
