//! What stands above a list of images: what can be done with all of them, and why they failed.

use trapline_core::{
    FailReason,
    ports::Job,
    words::{count, counted},
};
use trapline_engine::Failures;

use super::Filter;
use crate::ui::{chip::Chip, kinds::reason_word};

/// Groups that are shown.
pub(super) const GROUPS_MAX: usize = 100;

/// The reasons of some failures as links, the most frequent first.
pub(super) fn reasons(filter: &Filter, failures: &Failures) -> Vec<Chip> {
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

/// How much is in the groups that are not shown.
pub(super) fn other(failures: &Failures) -> Option<String> {
    let left = failures.groups.iter().skip(GROUPS_MAX);
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
pub(super) fn retry(job: &Job) -> Option<String> {
    let c = &job.counts;
    let undone = c.pending + c.in_flight;
    let failed = counted(c.failed, "failed image");
    match (c.failed, undone) {
        (0, _) => None,
        (_, 0) => Some(format!("Retry {failed}")),
        _ => Some(format!("Retry {failed} and {} never done", count(undone))),
    }
}
